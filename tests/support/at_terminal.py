# SPDX-License-Identifier: Apache-2.0
"""A program of ours at a terminal of its own: what it shows, and what is typed to it."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
import termios
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = [sys.executable, "-c", "import sys; from scomod.cli import main; sys.exit(main())"]
PATIENCE_S = 100.0
INTERRUPT, END = "\x03", "\x04"


class Terminal:
    """The person's side of a pseudo terminal."""

    def __init__(self, ours: int, process: subprocess.Popen[bytes]) -> None:
        self._ours = ours
        self.process = process
        self._unread = ""

    def until(self, text: str) -> str:
        """Read up to a text; returns what was shown since the last time, and the text.

        What came in one piece with it is for the next call, or answered by what is typed.
        """
        while text not in self._unread:
            is_there = select.select([self._ours], [], [], PATIENCE_S)[0]
            assert is_there, f"{text!r} did not come, but {self._unread!r}"
            self._unread += os.read(self._ours, 4096).decode()
        before, found, self._unread = self._unread.partition(text)
        return before + found

    def type(self, text: str) -> None:
        self._unread = ""
        os.write(self._ours, text.encode())

    def is_echoing(self) -> bool:
        flags: list[Any] = termios.tcgetattr(self._ours)
        return bool(flags[3] & termios.ECHO)


@contextlib.contextmanager
def scomoctl_at_terminal(address: str, *arguments: str) -> Iterator[Terminal]:
    """Run scomoctl on the bus at `address`, as the foreground program of its terminal."""
    ours, theirs = pty.openpty()
    kept = {key: value for key, value in os.environ.items() if key != "SCOMOD_ROOT"}
    process = subprocess.Popen(
        ["setsid", "--ctty", *PROGRAM, *arguments],
        env={**kept, "DBUS_SYSTEM_BUS_ADDRESS": address, "LC_ALL": "C.UTF-8", "NO_COLOR": "1"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        yield Terminal(ours, process)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
