# SPDX-License-Identifier: Apache-2.0
"""One life of a daemon as a process: its lock, its tasks, how it ends.

`kill -9` is a normal way to stop, and so is this: nothing is waited for.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from scomod import slim
from scomod.busaddress import find_address
from scomod.clock import SystemClock
from scomod.daemon import Daemon
from scomod.errors import ConfigError, ScomodError
from scomod.log import setup as set_up_log
from scomod.recorder import note_refusal
from scomod.records import owner_lock
from scomod.settings import Paths

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.settings import Settings

log = logging.getLogger(__name__)


def run(root: Path, *, is_resident: bool, observer: Callable[[str], None]) -> None:
    """Run a daemon for the device below `root`, as `serve`."""
    # not asyncio.run: its handler for Ctrl-C brings `inspect`, and ours comes at once
    with closing(asyncio.new_event_loop()) as loop:
        loop.run_until_complete(serve(Paths(root), is_resident=is_resident, observer=observer))


async def serve(paths: Paths, *, is_resident: bool, observer: Callable[[str], None]) -> None:
    """Run a daemon on a device's directories; never returns, the process ends.

    Raises `ScomodError` when it cannot start.
    """
    with slim.forgotten("scomod.config", "tomllib"):
        settings = _configuration(paths)
    set_up_log(settings.log.level, sys.stderr)
    address = find_address(os.environ, paths.root)
    code = 0
    with owner_lock(paths):
        try:
            async with asyncio.TaskGroup() as tasks:
                daemon = Daemon(settings, paths, tasks, observer)
                await daemon.run(address, _stop_signal(), is_resident=is_resident)
                _leave(0)
        except* ScomodError as group:
            for error in group.exceptions:
                log.error("%s", error)
            code = 1
        _leave(code)


def _configuration(paths: Paths) -> Settings:
    """Read the configuration; one that is refused is noted for who looks afterwards."""
    from scomod import config  # noqa: PLC0415 - it is read once

    try:
        return config.load(paths)
    except ConfigError as error:
        note_refusal(paths, SystemClock(), error)
        raise


def _stop_signal() -> asyncio.Future[None]:
    """Return what is there once somebody wants the process to end.

    The loop's own handlers would bring `inspect`, only to refuse coroutines.
    """
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[None] = loop.create_future()
    heard, told = socket.socketpair()
    told.setblocking(False)

    def leave() -> None:
        signal.set_wakeup_fd(-1)
        loop.remove_reader(heard)
        told.close()
        stop.set_result(None)

    loop.add_reader(heard, leave)
    signal.set_wakeup_fd(told.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)  # the octet that wakes us is enough
    return stop


def _leave(code: int) -> None:
    """End the process at once: a thread may still fetch or install, and may be cut anywhere."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
