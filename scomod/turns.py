# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is: which live operations may go on now, and when to look again.

Not what they do (`engine.py`).  Software changes in one place at a time; a fetch only waits
for the network, so `fetches_count` of them go on beside.  What installs waits for older
orders of the same server that still fetch, as it may need what they bring.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scomod.agenda import Due
from scomod.operation import WISH, Phase, StepKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scomod.clock import Clock
    from scomod.confirm import Answer
    from scomod.journal import Journal
    from scomod.operation import Operation

# What an operation waits for where it waits for a time.
WAITS: Final[Mapping[StepKind, str]] = {
    StepKind.CONSENT: "the question is asked again then",
    StepKind.DISCLOSE: "the question is asked again then",
    StepKind.ADMIT: "it waits for a window or for quiet conditions",
    StepKind.ACQUIRE: "its download goes on",
    StepKind.REBOOT: "it waits until then for a restart of the device",
    StepKind.HEALTH: "what it brought is being watched",
}
INSTALLS: Final = (StepKind.INSTALL, StepKind.INSTALL_INACTIVE)


class Stand(StrEnum):
    """Whether an operation may go on now, else what keeps it."""

    READY = "ready"
    AT_WORK = "at work"
    SESSION = "session"
    HELD = "held"
    FETCHES = "fetches"
    ROOM = "room"


class Turns:
    """Who waits for what, and who is at work; all of it may be lost in a crash without harm.

    `is_busy(server_id)` tells that a session with that server is open.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        *,
        is_busy: Callable[[str], bool],
        fetches_count: int,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._is_busy = is_busy
        self._fetches_count = fetches_count
        self._not_before_s: dict[int, float] = {}
        self._answers: dict[int, Answer] = {}
        self._waiting: set[int] = set()
        self._fetching: dict[int, str] = {}
        self._changing: set[int] = set()

    def next(self) -> Operation | None:
        """Return the oldest operation that can go on now, None if there is none."""
        if self._changing and len(self._fetching) >= self._fetches_count:
            return None
        live = self._journal.live()
        return next((each for each in live if self.stand(each) is Stand.READY), None)

    def sleep_s(self) -> float | None:
        """Return the seconds until a retry is due; None if only a wake-up can help."""
        waits = [due_s for key, due_s in self._not_before_s.items() if not self._is_at_work(key)]
        return max(0.0, min(waits) - self._clock.monotonic_s()) if waits else None

    def dues(self) -> Iterator[Due]:
        """Give when operations that are not at work go on, those that only wait for a time."""
        now_s = self._clock.monotonic_s()
        for operation in self._journal.live():
            due_s = self._not_before_s.get(operation.id)
            if self.stand(operation) is Stand.READY:
                due_s = now_s
            if due_s is not None and not self._is_at_work(operation.id):
                yield Due(
                    at_s=due_s,
                    what="operation",
                    why=_why(operation),
                    server_id=operation.server_id,
                    operation_id=operation.id,
                )

    def at_work(self) -> Iterator[Operation]:
        """Give the operations that are at work now, as they stand in the journal."""
        for operation_id in (*self._fetching, *self._changing):
            operation = self._journal.load(operation_id)
            if operation is not None:
                yield operation

    def take(self, operation: Operation) -> Answer | None:
        """Take note that an operation goes on; gives the answer it waited for, if one came."""
        self._not_before_s.pop(operation.id, None)
        self._waiting.discard(operation.id)
        if _is_fetch(operation):
            self._fetching[operation.id] = operation.server_id
        else:
            self._changing.add(operation.id)
        return self._answers.pop(operation.id, None)

    def give_back(self, operation: Operation) -> None:
        """Take note that an operation has done what it could for now."""
        self._fetching.pop(operation.id, None)
        self._changing.discard(operation.id)

    def hold(self, operation: Operation, for_s: float) -> None:
        """Let an operation go on only after so many seconds."""
        self._not_before_s[operation.id] = self._clock.monotonic_s() + for_s

    def wait(self, operation: Operation) -> None:
        """Let an operation wait for a nudge, or for an answer."""
        self._waiting.add(operation.id)

    def nudge(self) -> None:
        """Let all that wait look again."""
        for operation_id in self._waiting:
            self._not_before_s.pop(operation_id, None)
        self._waiting.clear()

    def answered(self, operation_id: int, answer: Answer) -> None:
        """Keep the person's answer until the operation goes on."""
        self._answers[operation_id] = answer

    def forget(self, operation: Operation) -> None:
        """Take note that an operation is over."""
        self._waiting.discard(operation.id)
        self._answers.pop(operation.id, None)

    def stand(self, operation: Operation) -> Stand:
        """Tell whether a live operation may go on now; what it waits for itself comes first."""
        if self._is_at_work(operation.id):
            return Stand.AT_WORK
        if operation.phase is Phase.QUEUED and self._is_busy(operation.server_id):
            return Stand.SESSION  # its 202 must leave first: a server that never got it asks again
        if self._is_held(operation):
            return Stand.HELD
        return self._room(operation)

    def _is_held(self, operation: Operation) -> bool:
        if operation.id in self._answers or WISH in operation.data:
            return False
        due_s = self._not_before_s.get(operation.id)
        if due_s is None:
            return operation.id in self._waiting
        return due_s > self._clock.monotonic_s()

    def _is_at_work(self, operation_id: int) -> bool:
        return operation_id in self._fetching or operation_id in self._changing

    def _room(self, operation: Operation) -> Stand:
        if operation.id in self._answers:
            return Stand.READY  # it is only written down, and lost in a power cut until it is
        if _is_fetch(operation):
            return Stand.READY if len(self._fetching) < self._fetches_count else Stand.ROOM
        if self._changing:
            return Stand.ROOM
        if operation.step in INSTALLS and WISH not in operation.data:
            servers = {server for key, server in self._fetching.items() if key < operation.id}
            return Stand.FETCHES if operation.server_id in servers else Stand.READY
        return Stand.READY


def _why(operation: Operation) -> str:
    """Say in a few words what an operation waits for."""
    if operation.phase is not Phase.WAITING:
        return "it goes on"
    return WAITS.get(operation.step, "it goes on")


def _is_fetch(operation: Operation) -> bool:
    is_forward = operation.phase is not Phase.ROLLING_BACK and WISH not in operation.data
    return is_forward and operation.step is StepKind.ACQUIRE
