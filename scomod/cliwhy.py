# SPDX-License-Identifier: Apache-2.0
"""`scomoctl why` and `plan`: why nothing happens now, and what would happen next, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.clicall import EXIT_OK
from scomod.clifmt import moment, printable, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scomod.clicall import Call
    from scomod.clifmt import Style
    from scomod.facade import Record

# What a moment of the agenda is about, in words.
DUES: Final[Mapping[str, str]] = {
    "poll": "call",
    "session": "session",
    "operation": "operation",
    "notice": "notice",
    "check": "request for updates",
}


async def why(call: Call) -> int:
    """Say why nothing happens now."""
    record = await call.client.reasons(call.arguments.id or 0)
    call.screen.show(record, reasons(record, call.screen.style))
    return EXIT_OK


async def plan(call: Call) -> int:
    """Say what would happen next."""
    record = await call.client.plan(call.arguments.id or 0)
    call.screen.show(record, planned(record, call.screen.style))
    return EXIT_OK


def reasons(record: Record, style: Style) -> Iterator[str]:
    """Show the causes, by operation and by server, and what comes by itself."""
    for found in record.get("device", ()):
        yield printable(found["text"])
    for each in record["operations"]:
        yield style.paint("head", headline(each))
        yield from (f"  {printable(found['text'])}" for found in each["causes"])
    for each in record.get("servers", ()):
        yield style.paint("head", printable(f"server {each.get('name') or each['server']}"))
        yield from (f"  {printable(found['text'])}" for found in each["causes"])
    yield from upcoming(record, style)


def planned(record: Record, style: Style) -> Iterator[str]:
    """Show the steps to come, sizes, risks and what is not known."""
    for each in record["operations"]:
        yield style.paint("head", headline(each))
        for number, step in enumerate(each["steps"], start=1):
            yield f"  {number}. {printable(step['text'])}"
        if "free" in each:
            yield f"  {_room(each)}"
        yield from _marked("!", each["risks"], style)
        yield from _marked("?", each["unknown"], style)
    if not record["operations"]:
        yield "no operation is under way"
    yield from upcoming(record, style)


def headline(record: Record) -> str:
    """Return an operation in one line: `operation 7: download and install Editor 2 (srv)`."""
    what = f"{record['what']} {record['name']} {record['version']}".rstrip()
    return printable(f"operation {record['id']}: {what} ({record['server']})")


def upcoming(record: Record, style: Style) -> Iterator[str]:
    """Show what happens by itself, and when."""
    yield style.paint("head", "by itself")
    if not record["next"]:
        yield "  nothing: a server, a person or a program must begin"
    for due in record["next"]:
        yield f"  {_due(due)}"


def _due(due: Record) -> str:
    what = DUES.get(due["what"], due["what"])
    whose = f" {due['operation']}" if due["operation"] else ""
    server = f" with {due['server']}" if due["server"] and not due["operation"] else ""
    return printable(f"{moment(due['at'])}  {what}{whose}{server}: {due['why']}")


def _room(record: Record) -> str:
    free, reserve = size(record["free"]), size(record["reserve"])
    return f"{free} are free, of which {reserve} stay free"


def _marked(mark: str, notes: Iterable[Record], style: Style) -> Iterator[str]:
    for note in notes:
        line = f"  {mark} {printable(note['text'])}"
        yield style.paint("bad", line) if mark == "!" else line
