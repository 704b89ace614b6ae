# SPDX-License-Identifier: Apache-2.0
"""How large things may get, and what they may be called."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "scomod").rglob("*.py"))
MODULE_LINES = 400
FUNCTION_LINES = 60
FORBIDDEN_NAMES = {"utils", "util", "helpers", "common", "manager", "misc"}


@cache
def parsed() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for path in SOURCES}


def functions() -> Iterator[tuple[str, int]]:
    """Give (place, lines) of every function."""
    for path, tree in parsed().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                yield f"{path}:{node.lineno} {node.name}", lines


def test_modules_are_short() -> None:
    lengths = {str(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {path: lines for path, lines in lengths.items() if lines > MODULE_LINES} == {}


def test_modules_say_what_they_are() -> None:
    assert [path for path, tree in parsed().items() if not ast.get_docstring(tree)] == []
    assert [path for path in SOURCES if path.stem in FORBIDDEN_NAMES] == []


def test_functions_are_short() -> None:
    assert {place: lines for place, lines in functions() if lines > FUNCTION_LINES} == {}


def test_public_things_have_docstrings() -> None:
    assert [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in parsed().items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ] == []
