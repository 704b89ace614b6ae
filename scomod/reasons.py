# SPDX-License-Identifier: Apache-2.0
"""Why nothing happens now, of each operation and each server: asked of those who decide it.

Looks only.  What keeps an operation says `turns`; what a step waits for stands in the
operation's row, or its room says it.  The sentences are in `causes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scomod import admission, fetchterms, patience
from scomod.causes import Cause, Word, cause
from scomod.clifmt import size
from scomod.confirm import keys_of
from scomod.health import NOTE
from scomod.operation import WISH, Phase, StepKind, name_of
from scomod.question import sentence
from scomod.steptalk import doing
from scomod.tries import Tries
from scomod.turns import Stand
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scomod.clock import Clock
    from scomod.confirm import Confirmations
    from scomod.engine import Engine
    from scomod.operation import Operation
    from scomod.outbox import OutboxAlert
    from scomod.quarantine import Quarantine
    from scomod.scheduler import Scheduler
    from scomod.settings import Settings

# What a pause of the admit step, or of a download, is called.
PAUSES: Final[Mapping[str, Word]] = {
    admission.WINDOW: Word.WINDOW,
    admission.POWER: Word.POWER,
    admission.NEWS.name: Word.NEWS,
    fetchterms.WINDOW: Word.WINDOW,
    fetchterms.NETWORK: Word.METERED,
    fetchterms.DAY: Word.DAY,
    patience.RETRY: Word.BACKING_OFF,
    patience.ASKED: Word.RETRY_AFTER,
}
LATE: Final = {"decline": "declined", "accept": "accepted"}  # confirm.at_deadline
AT_LAST: Final = {"fail": "fails", "proceed": "begins all the same"}  # admission.at_max_wait
RESTARTS: Final = {"helper": "is ordered", "person": "a person is asked for"}  # reboot.by


@frozen
class Reasons:
    """Finds the causes; `others` gives the operations that are live."""

    settings: Settings
    clock: Clock
    engine: Engine
    scheduler: Scheduler
    confirmations: Confirmations
    quarantine: Quarantine
    live: Callable[[], list[Operation]]

    # -- operations ------------------------------------------------------------------

    def of(self, operation: Operation, *, is_reported: bool) -> list[Cause]:
        """Say why an operation does not go on, or that it does, or how it ended."""
        if not operation.phase.is_live:
            over = cause(Word.OVER, since_s=operation.changed_s, how=sentence(operation))
            return [over] if is_reported else [over, cause(Word.REPORT)]
        first = list(self._wishes(operation))
        stand = self.engine.stand(operation)
        if stand is Stand.HELD:
            found = self._held(operation)
        else:
            found = iter([self._standing(operation, stand)])
        return [*first, *found]

    def _wishes(self, operation: Operation) -> Iterator[Cause]:
        if operation.phase is Phase.ROLLING_BACK:
            yield cause(Word.UNDOING, how=operation.detail)
        elif WISH in operation.data:
            yield cause(Word.CANCELLED, by=operation.data[WISH])

    def _standing(self, operation: Operation, stand: Stand) -> Cause:
        """Say what keeps an operation that would go on, or that it is at work."""
        match stand:
            case Stand.AT_WORK:
                since_s = operation.timeline[-1][0] if operation.timeline else operation.changed_s
                return cause(Word.AT_WORK, since_s=since_s, step=doing(operation))
            case Stand.SESSION:
                return cause(Word.SESSION, server=operation.server_id)
            case Stand.FETCHES:
                return cause(Word.FETCHES, server=operation.server_id)
            case Stand.ROOM:
                return cause(Word.IN_LINE, others=self._others(operation))
            case _:
                return cause(Word.GOES_ON)

    def _others(self, operation: Operation) -> str:
        others = [each for each in self.live() if self.engine.stand(each) is Stand.AT_WORK]
        named = [f"operation {each.id} ({name_of(each)})" for each in others if each != operation]
        return ", ".join(named) or "another operation"

    def _held(self, operation: Operation) -> Iterator[Cause]:
        match operation.step:
            case StepKind.CONSENT | StepKind.DISCLOSE:
                return self._person(operation)
            case StepKind.ADMIT:
                return self._admission(operation)
            case StepKind.ACQUIRE:
                return self._fetch(operation)
            case StepKind.REBOOT:
                return self._restart(operation)
            case StepKind.HEALTH:
                return self._health(operation)
        return iter([cause(Word.GOES_ON)])

    def _person(self, operation: Operation) -> Iterator[Cause]:
        data, keys = operation.data, keys_of(operation)
        prompts = {prompt["operation"]: prompt for prompt in self.confirmations.prompts()}
        prompt = prompts.get(operation.id)
        if prompt is None:
            yield cause(Word.DEFERRED, until_s=_number(data.get(keys.until)))
            return
        yield cause(
            Word.PERSON,
            since_s=_number(data.get(keys.asked)),
            until_s=float(prompt["deadline"]),
            what=LATE[self.settings.confirm.at_deadline],
        )
        agent = self.confirmations.agent
        if agent is None or not agent.is_present():
            yield cause(Word.NO_AGENT, id=operation.id)

    def _admission(self, operation: Operation) -> Iterator[Cause]:
        pause, policy = self.engine.pause(operation), self.settings.admission
        if pause is None:
            yield cause(Word.GOES_ON)
            return
        until_s = None if pause.for_s is None else self.clock.wall_s() + pause.for_s
        yield cause(PAUSES[pause.name], until_s=until_s, kind="maintenance")
        yield cause(
            Word.ADMISSION,
            until_s=_number(operation.data.get(admission.SINCE)) + policy.max_wait_s,
            what=AT_LAST[policy.at_max_wait],
        )

    def _fetch(self, operation: Operation) -> Iterator[Cause]:
        tries, limits = Tries.of(operation.data), self.settings.download
        yield cause(
            PAUSES.get(tries.pause, Word.GOES_ON),
            until_s=tries.due_s or None,
            kind="download",
            size=size(limits.day_max_bytes),
            how=tries.failure,
            count=tries.count + 1,
        )
        yield cause(Word.GIVING_UP, until_s=tries.began_s + limits.give_up_s)

    def _restart(self, operation: Operation) -> Iterator[Cause]:
        note = operation.data.get(f"reboot {operation.cursor}")
        since_s = self._wall_s(note)
        policy = self.settings.reboot
        until_s = since_s + policy.wait_s
        by = RESTARTS.get(policy.by, RESTARTS["person"])
        yield cause(Word.RESTART, since_s=since_s, until_s=until_s, by=by)

    def _health(self, operation: Operation) -> Iterator[Cause]:
        since_s = self._wall_s(operation.data.get(NOTE))
        yield cause(Word.HEALTH, since_s=since_s, until_s=since_s + self.settings.health.time_s)

    def _wall_s(self, note: object) -> float:
        """Return the wall time of a note that a step made by the monotonic clock."""
        now_s = self.clock.monotonic_s()
        since_s = _number(note.get("since_s")) if isinstance(note, dict) else now_s
        return self.clock.wall_s() - (now_s - since_s)

    # -- servers ---------------------------------------------------------------------

    def of_server(
        self, server_id: str, last: Operation | None, waiting: list[OutboxAlert], failure: str
    ) -> list[Cause]:
        """Say what is with a server; `failure` is how the last session failed, "" if it did not.

        `last` is what it had done last, `waiting` what it has not taken yet.
        """
        found = [*self._calls(server_id, failure)]
        if waiting:
            since_s = min(alert.created_s for alert in waiting)
            found.append(cause(Word.REPORTS, since_s=since_s, count=len(waiting)))
        held_s = self.quarantine.held_s(last)
        if last is not None and held_s:
            until_s = self.clock.wall_s() + held_s
            found.append(cause(Word.QUARANTINE, until_s=until_s, what=name_of(last)))
        return found or [cause(Word.NOTHING)]

    def _calls(self, server_id: str, failure: str) -> Iterator[Cause]:
        if self.scheduler.running == server_id:
            yield cause(Word.TALKING)
        wish = self.scheduler.wish(server_id)
        if wish is None:
            return
        now_s, wall_s = self.clock.monotonic_s(), self.clock.wall_s()
        if wish.begin_s <= now_s:
            yield cause(Word.CALLED_NEXT)
        if wish.not_before_s > now_s:
            yield cause(Word.LEFT_ALONE, until_s=wall_s + wish.not_before_s - now_s)
        if wish.failures and wish.begin_s > now_s:
            until_s = wall_s + wish.begin_s - now_s
            yield cause(Word.CALLING_LATER, until_s=until_s, how=failure, count=wish.failures)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, float | int) else 0.0
