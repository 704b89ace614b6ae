# SPDX-License-Identifier: Apache-2.0
"""What a daemon that ends in order leaves to its next life, beside all that is durable anyway.

Which sessions are to be tried again and when, which servers want to be left alone, and
whom nobody told yet how an operation ended.  After a crash it is missing or out of date:
then a session comes too soon, or once too often.  Mostly there is nothing, and then
nothing is written.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from scomod.operation import Phase, StepKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from scomod.clock import Clock
    from scomod.confirm import Confirmations
    from scomod.operation import Operation
    from scomod.records import Records
    from scomod.scheduler import Scheduler

KEY: Final = "handover"
LONGEST_S: Final = 10.0  # callers wait for questions no longer than this


class Handover:
    """The one fact in the database; `boot` is the name of the running boot."""

    def __init__(
        self,
        store: Records,
        clock: Clock,
        boot: str,
        scheduler: Scheduler,
        confirmations: Confirmations,
    ) -> None:
        self._db = store.db
        self._clock = clock
        self._boot = boot
        self._journal = store.journal
        self._scheduler = scheduler
        self._confirmations = confirmations

    def leave(self) -> None:
        """Write down what is left, if that is not what stands there."""
        left = {**self._scheduler.kept(), "untold": self._confirmations.untold()}
        text = ""
        if any(left.values()):
            now = {"boot": self._boot, "monotonic_s": self._clock.monotonic_s()}
            text = json.dumps({**left, **now, "wall_s": self._clock.wall_s()})
        if text != (self._db.meta(KEY) or ""):
            with self._db.transaction():
                self._db.set_meta(KEY, text)

    def take(self, ended: Callable[[Operation], Mapping[str, Any]]) -> None:
        """Take up what was left; `ended` gives what is told of an operation that is over."""
        text = self._db.meta(KEY)
        if not text:
            return
        left: dict[str, Any] = json.loads(text)
        self._scheduler.take_up(left, self._since_s(left))
        for operation in map(self._journal.load, left["untold"]):
            if operation is not None:
                self._confirmations.tell(ended(operation))

    def _since_s(self, left: dict[str, Any]) -> float:
        """Return how long ago that was: by the clock that never jumps, or else by the other."""
        if left["boot"] == self._boot:
            return self._clock.monotonic_s() - float(left["monotonic_s"])
        return max(0.0, self._clock.wall_s() - float(left["wall_s"]))


class Reopening:
    """Opens the door to callers once the questions of an earlier life are asked again."""

    def __init__(self, live: Iterable[Operation], door: asyncio.Event) -> None:
        self._asked = {each.id for each in live if each.phase is Phase.WAITING and _asks(each)}
        self._door = door
        if self._asked:
            door.clear()
            asyncio.get_running_loop().call_later(LONGEST_S, door.set)

    def turn_over(self, operation: Operation) -> None:
        """Take note that an operation did what it could for now."""
        self._asked.discard(operation.id)
        if not self._asked:
            self._door.set()


def _asks(operation: Operation) -> bool:
    return operation.step in (StepKind.CONSENT, StepKind.DISCLOSE)
