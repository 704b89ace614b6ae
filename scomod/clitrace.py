# SPDX-License-Identifier: Apache-2.0
"""`scomoctl trace`: what was said in sessions, as the daemon kept it (`trace.py`)."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

from scomod.clicall import EXIT_OK
from scomod.clifmt import printable, size, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scomod.clicall import Call
    from scomod.clifmt import Style
    from scomod.facade import Record

HEADINGS: Final = ("ID", "BEGAN", "SESSION", "SERVER", "SIZE", "ENDED")
# Lines that stand out: where a message begins, and statuses and ends by how they went.
_KINDS: Final = (
    ("head", re.compile(r"[\u2190\u2192] |session ")),
    ("bad", re.compile(r" +\S+ Status to .*: [45]\d\d( |$)| +not readable|ended failed")),
    ("good", re.compile(r"ended ok")),
)


async def trace(call: Call) -> int:
    """List the sessions of which a trace is kept, or show one."""
    screen = call.screen
    if call.arguments.number is None:
        records = await call.client.traces()
        screen.show(records, listed(records, screen.style, screen.width))
    else:
        record = await call.client.trace(call.arguments.number)
        screen.show(record, coloured(str(record.get("text", "")), screen.style))
    return EXIT_OK


def listed(records: list[Record], style: Style, width: int | None) -> Iterator[str]:
    """Show the sessions, oldest first."""
    if not records:
        yield "no traces: set trace in the section [log] of the configuration"
        return
    rows = [
        (
            record.get("id"),
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.get("began", 0.0))),
            record.get("session"),
            record.get("server"),
            size(record.get("bytes", 0)),
            ": ".join(filter(None, (record.get("outcome"), record.get("detail")))),
        )
        for record in records
    ]
    heading, *lines = table(HEADINGS, rows, width)
    yield style.paint("head", heading)
    yield from lines


def coloured(text: str, style: Style) -> Iterator[str]:
    """Show a trace line by line."""
    for line in text.splitlines():
        kind = next((kind for kind, pattern in _KINDS if pattern.match(line)), None)
        shown = printable(line)
        yield style.paint(kind, shown) if kind else shown
