# SPDX-License-Identifier: Apache-2.0
"""One line from the person at the terminal, without a thread, so that waiting can be ended.

Not what is asked (`clilive.py`, `clialert.py`).  What was typed before a question does
not count as its answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import termios
from typing import TYPE_CHECKING, Final

from scomod.facade import Cancelled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

LINE_OCTETS: Final = 4096
_LOCAL_FLAGS: Final = 3  # index in what termios gives


async def read_line(question: str, *, is_hidden: bool = False) -> str | None:
    """Ask on standard error and return the line without its end; None at the end of input.

    With `is_hidden` what is typed is not shown.
    """
    terminal = sys.stdin.fileno()
    typed = asyncio.Event()
    loop = asyncio.get_running_loop()
    with _echo_off(terminal) if is_hidden else contextlib.nullcontext():
        termios.tcflush(terminal, termios.TCIFLUSH)
        sys.stderr.write(question)
        sys.stderr.flush()
        loop.add_reader(terminal, typed.set)
        try:
            await typed.wait()
        finally:
            loop.remove_reader(terminal)
        line = os.read(terminal, LINE_OCTETS).decode("utf-8", "replace")
    return line.rstrip("\r\n") if line else None


@contextlib.asynccontextmanager
async def cancelled_by_interrupt() -> AsyncIterator[None]:
    """Make Ctrl-C raise `Cancelled` inside instead of ending the program."""
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        limit.reschedule(0)

    try:
        async with asyncio.timeout(None) as limit:
            with _interrupts_to(interrupt):
                yield
    except TimeoutError as error:
        if not interrupted:
            raise
        raise Cancelled("interrupted") from error


@contextlib.contextmanager
def _interrupts_to(handler: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, handler)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _echo_off(terminal: int) -> Iterator[None]:
    before = termios.tcgetattr(terminal)
    silent = termios.tcgetattr(terminal)
    silent[_LOCAL_FLAGS] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        sys.stderr.write("\n")  # the person's own was not shown
        sys.stderr.flush()
