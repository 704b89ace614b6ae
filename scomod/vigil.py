# SPDX-License-Identifier: Apache-2.0
"""Who is at work, and until when each has to get on: what a sign of life stands for.

Every step and every session has deadlines of its own, but what runs in a thread can hang
where none of them reaches: in a file system, a resolver, a library.  Nothing here ends it,
and nothing wakes up to look: who is asked for a sign of life asks whether all get on.
How long each may be silent is `deadlines`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def name_of(operation_id: int) -> str:
    """Return what an operation is called here."""
    return f"operation {operation_id}"


class Vigil:
    """What is at work, by name; `now` is a clock that never jumps, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._known: dict[str, tuple[float, float]] = {}  # -> limit, last progress

    @contextmanager
    def over(self, what: str, limit_s: float) -> Iterator[None]:
        """Watch over what is done inside: it gets on at least every `limit_s`."""
        self._known[what] = (limit_s, self._now())
        try:
            yield
        finally:
            self._known.pop(what, None)

    def got_on(self, what: str) -> None:
        """Take note that something got on; from any thread, also for what is over."""
        known = self._known.get(what)
        if known is not None:
            self._known[what] = (known[0], self._now())

    def stuck(self) -> list[str]:
        """Return what has not got on for longer than it may."""
        now_s = self._now()
        return [what for what, (limit_s, at_s) in self._known.items() if now_s - at_s > limit_s]
