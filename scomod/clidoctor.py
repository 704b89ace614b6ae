# SPDX-License-Identifier: Apache-2.0
"""`scomoctl doctor`: whether all is well with a device, with what to do where it is not.

The daemon looks; where it does not answer, this looks at what can be seen without it.
"""

from __future__ import annotations

import asyncio
import os
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Final

from scomod import BUILT_S, __version__, config
from scomod.busaddress import NotReachable, RemoteError, find_address
from scomod.checkdevice import Device
from scomod.clicall import EXIT_FAILED, EXIT_OK
from scomod.clifmt import printable, size
from scomod.clock import SystemClock
from scomod.errors import ConfigError
from scomod.findings import About, Mark, finding
from scomod.settings import Paths

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from scomod.clicall import Screen
    from scomod.clifmt import Style
    from scomod.facade import Record
    from scomod.findings import Finding

MARK_WIDTH: Final = max(len(mark) for mark in Mark)
ABOUT_WIDTH: Final = max(len(about) for about in About)
INDENT: Final = MARK_WIDTH + ABOUT_WIDTH + 4
NARROWEST: Final = INDENT + 20  # a terminal that is narrower wraps by itself
COLOURS: Final = {Mark.OK: "good", Mark.PROBLEM: "bad"}


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Look, and show what was found; the exit status says whether there is a problem."""
    paths = Paths(arguments.root.absolute())
    records = asyncio.run(looked(paths, find_address(os.environ, arguments.root)))
    order = [*About]
    records.sort(key=lambda each: order.index(each["about"]))
    screen.show(records, lines(records, screen.style, screen.width))
    is_well = all(each["mark"] != Mark.PROBLEM for each in records)
    return EXIT_OK if is_well else EXIT_FAILED


async def looked(paths: Paths, address: str) -> list[Record]:
    """Have the daemon look, or look at what can be seen without it."""
    try:
        seen = await _asked(address)
    except (NotReachable, RemoteError) as error:
        seen = [each.record() for each in _alone(paths, str(error))]
    try:
        config.load(paths)
    except ConfigError as error:
        seen = [each for each in seen if each["about"] != About.CONFIGURATION]
        seen.append(finding("configuration wrong", how=error).record())
    return seen


async def _asked(address: str) -> list[Record]:
    """Have the daemon look, which is started for it where the bus can do that."""
    from scomod.busclient import Client  # noqa: PLC0415 - loads the D-Bus library

    async with await Client.connect(address) as client:
        found = await client.checkup()
        version = str((await client.status()).get("version"))
        right = finding("may steer" if await client.may_steer() else "may look")
    more = [finding("bus"), right]
    if version != __version__:
        more.append(finding("other version", daemon=version, ours=__version__))
    return [*found, *(each.record() for each in more)]


def _alone(paths: Paths, why: str) -> Iterator[Finding]:
    """Look at what can be seen without a daemon, and say what cannot."""
    yield finding("no daemon", how=why)
    yield finding("time unseen")
    yield finding("sessions unseen")
    try:
        settings = config.load(paths)
    except ConfigError:
        return
    device = Device(settings=settings, paths=paths, clock=SystemClock(), floor_s=BUILT_S)
    yield from device.look()
    try:
        octets = device.size_of_database()
    except PermissionError:
        return  # the look said so
    yield (
        finding("no database") if octets is None else finding("database unseen", size=size(octets))
    )


def lines(records: Iterable[Record], style: Style, width: int | None) -> Iterator[str]:
    """Show the findings, one below the other, and how many of them are to be seen to."""
    found = list(records)
    for each in found:
        yield from _shown(each, style, width)
    counts = Counter(each["mark"] for each in found)
    problems, notes = counts[Mark.PROBLEM], counts[Mark.NOTE]
    yield ""
    kind = "bad" if problems else "good"
    yield style.paint(kind, f"problems: {problems}, notes: {notes}" if problems else "no problems")


def _shown(record: Record, style: Style, width: int | None) -> Iterator[str]:
    """Show one finding: how good, about what, the sentence; below it what to do."""
    mark = record["mark"]
    head = f"{mark:<{MARK_WIDTH}}"
    painted = style.paint(COLOURS[mark], head) if mark in COLOURS else head
    first, *more = _wrapped(record["text"], width)
    yield f"{painted}  {record['about']:<{ABOUT_WIDTH}}  {first}"
    if record["todo"]:
        more += [f"-> {line}" if not n else f"   {line}" for n, line in _numbered(record, width)]
    yield from (" " * INDENT + line for line in more)


def _numbered(record: Record, width: int | None) -> Iterator[tuple[int, str]]:
    return enumerate(_wrapped(record["todo"], None if width is None else width - 3))


def _wrapped(text: str, width: int | None) -> list[str]:
    whole = printable(text)
    if width is None or width < NARROWEST:
        return [whole]
    return textwrap.wrap(whole, width - INDENT) or [""]
