# SPDX-License-Identifier: Apache-2.0
"""Kills the programs that a backend has started, at an instant; for the test kit only.

It looks for processes that this one did not have before, so that the kit may run in a
process that has other children.  Linux only: it reads the lists of children in /proc.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_EVERY_S: Final = 0.002


def timed(deed: Callable[[], None]) -> float:
    """Do something; gives the seconds it took."""
    begun_s = time.monotonic()
    deed()
    return time.monotonic() - begun_s


def kill_during(deed: Callable[[], None], after_s: float) -> int:
    """Do something and kill the programs it runs once, then or as soon as there are any.

    Gives how many were killed.  What the deed then raises as `InstallerError` is expected.
    """
    known = _descendants()
    is_over = threading.Event()
    killed: list[int] = []
    killer = threading.Thread(target=_kill, args=(known, is_over, after_s, killed))
    killer.start()
    try:
        deed()
    except InstallerError:
        pass
    finally:
        is_over.set()
        killer.join()
    return len(killed)


def _kill(known: set[int], is_over: threading.Event, after_s: float, killed: list[int]) -> None:
    is_over.wait(after_s)
    while not is_over.is_set() and not killed:
        for pid in _descendants() - known:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed.append(pid)
        is_over.wait(_LOOK_EVERY_S)


def _descendants() -> set[int]:
    """Return the processes that this one has, and theirs."""
    found: set[int] = set()
    unseen = {os.getpid()}
    while unseen:
        unseen = {child for pid in unseen for child in _children(pid)} - found
        found |= unseen
    return found


def _children(pid: int) -> set[int]:
    """Return the children of all threads of a process; none where it has ended meanwhile."""
    found: set[int] = set()
    with contextlib.suppress(OSError):  # it may end while its threads are listed
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):  # and so may each of them
                found.update(map(int, (thread / "children").read_text().split()))
    return found
