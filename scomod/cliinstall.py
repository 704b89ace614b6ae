# SPDX-License-Identifier: Apache-2.0
"""`scomoctl install`: hands a package file to the daemon, shows how it gets on, waits for the end.

The file goes as an open file: the daemon may not be able to look where it lies.  What
becomes of it is `handin.py`; it goes on when this program is interrupted.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod import cliview, sigfile
from scomod.clicall import EXIT_FAILED, EXIT_OK
from scomod.clifmt import printable, progress
from scomod.clilive import CLEAR_LINE, Board
from scomod.errors import ScomodError
from scomod.operation import Phase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scomod.clicall import Call, Screen
    from scomod.facade import Record

MAX_SIGNATURE_BYTES: Final = 1 << 20  # the daemon's own limit is lower
LOOK_S: Final = 0.2
CAME_BACK: Final = "CameBack"
LIVE: Final = tuple(phase for phase in Phase if phase.is_live)


async def install(call: Call) -> int:
    """Install a file; raises `OSError` for one that cannot be read, `RemoteError`."""
    arguments = call.arguments
    file = os.open(arguments.file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        events = await call.client.subscribe(CAME_BACK)
        number = await _handed(call, file)
    finally:
        os.close(file)
    if arguments.no_wait:
        call.screen.show(
            {"operation": number},
            [f"operation {number}; see 'scomoctl operations show {number}'"],
        )
        return EXIT_OK
    try:
        record = await _ended(call, events, number)
    except asyncio.CancelledError:
        _say(f"operation {number} goes on; 'scomoctl operations cancel {number}' stops it")
        raise
    call.screen.show(record, [cliview.operation(record)])
    if record.get("phase") == "succeeded":
        return EXIT_OK
    _say(f"scomoctl: {arguments.file} is not installed: {printable(cliview.cause(record))}")
    return EXIT_FAILED


async def _handed(call: Call, file: int) -> int:
    """Hand the file over; returns the number of its operation."""
    arguments = call.arguments
    path = Path(arguments.file)
    what = {"name": path.name, "kind": arguments.kind, "server": arguments.server}
    signature = _signature(path, arguments.signature)
    refusal: ScomodError | None = None
    number = 0
    async with asyncio.TaskGroup() as tasks:
        told = tasks.create_task(_tell_copying(call.screen, file, path.name))
        try:
            number = await call.client.install(file, signature, what)
        except ScomodError as error:
            refusal = error  # out of the group it comes as itself
        finally:
            told.cancel()
            _clear(call.screen)
    if refusal is not None:
        raise refusal
    return number


def _signature(path: Path, named: str) -> bytes:
    """Read the signature; none at all is for the daemon to refuse."""
    place = Path(named) if named else sigfile.path_of(path)
    try:
        with place.open("rb") as file:
            return file.read(MAX_SIGNATURE_BYTES)
    except FileNotFoundError:
        if named:
            raise
        return b""


async def _tell_copying(screen: Screen, file: int, name: str) -> None:
    """Show how far the daemon has read: the place in an open file is the same for both."""
    total = os.fstat(file).st_size
    while screen.has_bar:
        done = os.lseek(file, 0, os.SEEK_CUR)
        width = None if screen.width is None else screen.width - 1
        sys.stdout.write(CLEAR_LINE + progress(f"handing over {name}", done, total, width))
        sys.stdout.flush()
        await asyncio.sleep(LOOK_S)


async def _ended(call: Call, events: AsyncIterator[tuple[str, Record]], number: int) -> Record:
    """Show what happens to an operation until it is over; returns all that is kept of it."""
    record = await call.client.one_operation(number)
    board = Board(call.screen)
    board.learn(record)
    while record.get("phase") in LIVE:
        event, told = await anext(events)
        if event == CAME_BACK:
            record = await call.client.one_operation(number)
        elif number in (told.get("id"), told.get("operation")):
            record = told if event == "OperationChanged" else record
            _show(call.screen, board, event, told)
    _clear(call.screen)
    return await call.client.one_operation(number)


def _show(screen: Screen, board: Board, event: str, told: Record) -> None:
    if not screen.is_json:
        board.show(event, told)
    if event == "PromptChanged" and not told.get("verdict"):
        number = told.get("operation")
        _say(f"it waits for an answer: 'scomoctl confirm {number}' or 'scomoctl decline {number}'")


def _clear(screen: Screen) -> None:
    sys.stdout.write(CLEAR_LINE if screen.has_bar else "")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
