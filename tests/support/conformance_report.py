# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference/conformance.md: each row of the conformance list and what shows it.

`python -m tests.support.conformance_report` refreshes the page; a test compares it.
The tests are read, not run: a row is shown by the functions in `tests/conformance` that
carry `@pytest.mark.spec` with its id.
"""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT: Final = Path(__file__).parents[2]
TESTS: Final = PROJECT / "tests/conformance"
PAGE: Final = PROJECT / "docs/reference/conformance.md"
ROW: Final = re.compile(r"[RT]-\d+")
PREAMBLE: Final = """\
# Conformance

Each row of the list of what an OMA DM 1.2 client must, should or may do, and the tests that
show it: real sessions of a real device with a scripted server (`tests/support/scripted.py`).
Row numbers are our own; made by `python -m tests.support.conformance_report`, not by hand.

"""


@dataclass(frozen=True, slots=True)
class Shown:
    """One test and the row it shows; `expected_failure` says why it must fail today, if so."""

    row: str
    module: str
    name: str
    expected_failure: str = ""


def rows() -> dict[str, dict[str, str]]:
    """Return all rows by id, in order."""
    return tomllib.loads((TESTS / "rows.toml").read_text())


@cache
def gaps() -> dict[str, str]:
    """Return why a row, or a part of it, is not shown."""
    return tomllib.loads((TESTS / "gaps.toml").read_text())


@cache
def shown() -> tuple[Shown, ...]:
    """Return every test that shows a row."""
    return tuple(each for path in sorted(TESTS.glob("test_*.py")) for each in _in_module(path))


def _in_module(path: Path) -> Iterator[Shown]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            why = " ".join(_marks(node, "xfail", "reason"))
            for row in filter(ROW.fullmatch, _marks(node, "spec", "")):
                yield Shown(row, path.stem, node.name, why)


def _marks(function: ast.FunctionDef, mark: str, keyword: str) -> Iterator[str]:
    """Yield the text of `@pytest.mark.MARK(text)`, or of its keyword."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == f"pytest.mark.{mark}":
            named = [k.value for k in decorator.keywords if k.arg == keyword]
            for value in named or decorator.args:
                yield str(ast.literal_eval(value))


def markdown() -> str:
    """Return the whole page."""
    tests, known = shown(), rows()
    without = [row for row in known if not any(each.row == row for each in tests)]
    lines = [
        f"{len(known) - len(without)} of {len(known)} rows are shown by {len(tests)} tests.",
        f"Not shown: {', '.join(without) or 'none'}.",
        "",
        "| row | what | shown by |",
        "|---|---|---|",
    ]
    for row, facts in known.items():
        level = f" ({facts['level']})" if "level" in facts else ""
        proofs = [_proof(each) for each in tests if each.row == row]
        gap = [f"**gap**: {gaps()[row]}"] if row in gaps() else []
        lines.append(f"| {row} | {facts['what']}{level} | {'<br>'.join(proofs + gap)} |")
    return PREAMBLE + "\n".join(lines) + "\n"


def _proof(test: Shown) -> str:
    words = test.name.removeprefix("test_").partition("_")[2].replace("_", " ")
    link = f"[{words}](../../tests/conformance/{test.module}.py)"
    return f"{link}, fails as expected: {test.expected_failure}" if test.expected_failure else link


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(markdown())
