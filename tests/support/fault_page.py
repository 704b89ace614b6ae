# SPDX-License-Identifier: Apache-2.0
"""Writes the table of faults into docs/delivery.md, the words of the server, of
scenarios and of the fault switches into docs/lab.md.

`python -m tests.support.fault_page` refreshes both pages between their markers; a test
compares them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.lab import scenario
from scomod.lab.faults import WORDS
from scomod.lab.switches import SWITCHES
from tests.support.fault_table import OTHER_ROWS, SERVER_ROWS
from tests.support.operations_page import table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.fault_table import Row

DOCS: Final = Path(__file__).parents[2] / "docs"


def words() -> str:
    """What the fault server can do, for a person at a desk."""
    rows = ((f"`{key}{'=N' if word.number else ''}`", word.says) for key, word in WORDS.items())
    return table("word|what it does", rows)


def switches() -> str:
    """What the running bench can do wrong."""
    rows = ((f"`{name}`", each.unit or "on", each.says) for name, each in SWITCHES.items())
    return table("switch|value|what it does", rows)


def scenarios() -> str:
    """What a line of a scenario may say."""
    rows = (
        (f"`{name} {each.usage}`".replace(" `", "`").replace("|", "\\|"), each.says)
        for name, each in scenario.WORDS.items()
    )
    return table("line|what it does", ((line, says.replace("|", "\\|")) for line, says in rows))


def faults() -> str:
    """Each fault, and how the fetch ends."""
    rows = [_row(row) for row in (*SERVER_ROWS, *OTHER_ROWS)]
    return table("what goes wrong|reason|tried again|result if it stays so|kept after a try", rows)


def _row(row: Row) -> tuple[object, ...]:
    if row.reason is None or row.result is None:
        return (row.what, "-", "-", "arrives all the same", "-")
    again = "yes" if row.is_retried else "no"
    return (row.what, row.reason, again, int(row.result), row.kept)


PAGES: Final[Mapping[str, tuple[Path, Callable[[], str]]]] = {
    "faults": (DOCS / "delivery.md", faults),
    "words of the fault server": (DOCS / "lab.md", words),
    "switches of the bench": (DOCS / "lab.md", switches),
    "words of scenarios": (DOCS / "lab.md", scenarios),
}


def refreshed(name: str) -> str:
    """Return a page with its table made anew; raises `ValueError` for a missing marker."""
    page, make = PAGES[name]
    text = page.read_text()
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    head, tail = text.index(start) + len(start), text.index(end)
    return f"{text[:head]}{make()}{text[tail:]}"


if __name__ == "__main__":
    for each, (path, _) in PAGES.items():
        path.write_text(refreshed(each))
