# SPDX-License-Identifier: Apache-2.0
"""Pages for people name commands that exist and quote sentences that the programs say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scomod.clicommands import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "packaging").rglob("*.md")),
]
# who says what troubleshooting.md quotes, beside the catalogue
SPEAKERS = (
    *("causes", "risks", "findings", "busrights", "knowntime", "mishap"),
    *("installers/installpolicy", "installers/mover"),
)
GAP = re.compile(r"\.\.\.|\{\w*\}|@\w+@")


def code_of(page: str) -> Iterator[str]:
    """Give what stands in fences or between backticks."""
    yield from re.split(r"^```.*$", page, flags=re.MULTILINE)[1::2]
    yield from re.findall(r"`([^`\n]+)`", page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_scomoctl_exist(page: Path) -> None:
    for code in code_of(page.read_text()):
        for word in re.findall(r"\bscomoctl (?:--\w+ (?:DIR )?)?([a-z]+)\b", code):
            assert word in {*COMMANDS, "help"}, f"scomoctl {word}"


def test_catalogue_and_findings_name_commands_that_exist() -> None:
    texts = [ROOT / "systemd/scomod.catalog", ROOT / "scomod/findings.py"]
    for word in re.findall(r"scomoctl ([a-z]+)", "".join(each.read_text() for each in texts)):
        assert word in COMMANDS, f"scomoctl {word}"


def said() -> str:
    """Return all that the programs say, with gaps for what is filled in."""
    texts = [(ROOT / "systemd/scomod.catalog").read_text()]
    trees = [ast.parse((ROOT / f"scomod/{name}.py").read_text()) for name in SPEAKERS]
    nodes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    texts += [node.value for node in nodes if isinstance(node.value, str)]
    return " ".join(GAP.sub("\n", "\n".join(texts)).split())


def test_troubleshooting_quotes_what_is_said() -> None:
    everything = said()
    page = (ROOT / "docs/troubleshooting.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE)
    quotes = [quote for row in rows for quote in re.findall(r'"([^"]+)"', row)]
    assert len(quotes) > 20
    parts = [part.strip() for quote in quotes for part in GAP.split(quote)]
    assert [part for part in parts if part not in everything] == []


def keys() -> dict[str, set[str]]:
    """Return the keys of each section of the commented default configuration."""
    found: dict[str, set[str]] = {}
    section = ""
    for line in (ROOT / "etc/scomod/scomod.toml").read_text().splitlines():
        if head := re.fullmatch(r"(?:# )?\[\[?([a-z_.]+)(?:\.?\".*\")?\]\]?", line):
            section = head[1]
            found.setdefault(section, set())
        elif key := re.match(r"# ([a-z0-9_]+) = ", line):
            found[section].add(key[1])
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_keys_of_the_configuration_exist(page: Path) -> None:
    known = keys()
    named = re.findall(r"`\[([a-z_.]+)\] ([a-z0-9_]+)[^a-z0-9_…]", page.read_text())
    assert [f"[{s}] {k}" for s, k in named if k not in known.get(s, set())] == []


def anchors(page: Path) -> set[str]:
    """Return the names that the headings of a page have."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_a_heading_that_is_there(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)#([^)]+)\)", page.read_text()):
        other = page.parent / target if target else page
        assert anchor in anchors(other), f"{target}#{anchor}"
