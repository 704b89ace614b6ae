# SPDX-License-Identifier: Apache-2.0
"""Lives in child processes that end by SIGKILL at a boundary: cheap, and as sudden as real ones.

A child is a fork of the test: nothing is imported again.  What it did not write to a file
is gone with it.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


@dataclass(frozen=True, slots=True)
class Life:
    """A life that is over: the boundaries it came to, and the one that killed it, "" for none."""

    boundaries: tuple[str, ...]
    killed_at: str


def live(play: Callable[[Callable[[str], None]], None], deadly: Collection[str] = ()) -> Life:
    """Play a life in a child, which dies at the first of the deadly boundaries that it comes to.

    A boundary that comes again in one life is "NAME, 2" then, and so on.

    What fails in the child fails here, with the child's words.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        os.close(reader)
        _be_the_child(play, writer, deadly)
    os.close(writer)
    try:
        with open(reader, encoding="utf-8") as told:  # noqa: PTH123 - a pipe
            text = told.read()
    except BaseException:  # the test took too long: what it started does not outlive it
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(child, 0)
    is_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if not is_killed and status:
        raise AssertionError(f"in the child:\n{text}")
    boundaries = tuple(text.splitlines())
    return Life(boundaries, boundaries[-1] if is_killed else "")


def _be_the_child(
    play: Callable[[Callable[[str], None]], None], writer: int, deadly: Collection[str]
) -> None:
    """Play, and leave without anything that the test's own process would do at its end."""
    seen: Counter[str] = Counter()

    def observer(boundary: str) -> None:
        seen[boundary] += 1
        name = boundary if seen[boundary] == 1 else f"{boundary}, {seen[boundary]}"
        os.write(writer, f"{name}\n".encode())
        if name in deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        play(observer)
    except BaseException:  # noqa: BLE001 - whatever it is, the parent must hear of it
        os.write(writer, traceback.format_exc().encode())
        os._exit(1)
    os._exit(0)
