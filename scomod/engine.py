# SPDX-License-Identifier: Apache-2.0
"""The engine: picks operations, walks their plans, journals every transition (design §7).

Crash-only: `run` begins by resuming whatever the journal says is unfinished,
by the same code that runs it the first time.  A crash loop ends: a step may be
begun `ATTEMPTS_LIMIT` times, a row written `STORES_LIMIT` times (I7).

    QUEUED -> RUNNING <-> WAITING                 RUNNING -> SUCCEEDED
                 |                                RUNNING -> ROLLING_BACK -> FAILED

What waits (for a person, a time, a condition) is a step that said `Wait`: it is done
again when somebody nudges the engine, when its time has come, and in a new life.

That an operation be cancelled is a wish in its row (`operation.cancelled`): whoever
writes it rings, and the engine follows it before anything else, also in a new life.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scomod.alarm import Alarm
from scomod.codes import ResultCode
from scomod.confirm import LATE, Answer, Verdict, kept
from scomod.errors import DownloadError, OperationError, Reason, ScomodError
from scomod.facade import Refused, Unknown
from scomod.log import Event, announce, bound
from scomod.operation import (
    CHANGES,
    WISH,
    Cancel,
    Operation,
    Phase,
    blamed_step,
    cancel_of,
    cancelled,
)
from scomod.outcome import result_for
from scomod.stepresult import Begin, Done, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scomod.agenda import Due
    from scomod.clock import Clock
    from scomod.fetchterms import Pause
    from scomod.journal import Journal
    from scomod.ledger import Ledger
    from scomod.stepresult import StepResult
    from scomod.steps import Steps
    from scomod.turns import Stand, Turns

ATTEMPTS_LIMIT: Final = 5
STORES_LIMIT: Final = 60
NOT_UNDONE: Final = "; undo: "  # in the detail of what failed: what came after could not be undone

log = logging.getLogger(__name__)

REFUSALS: Final = {
    Verdict.REFUSED: "declined by the person at the device",
    Verdict.UNANSWERED: LATE,
}


class Engine:
    """Changes software in one place at a time; operations that fetch or wait block nobody.

    `turns` say which operation goes on.  `steps()` gives the steps: while all waits none
    of them is needed.

    `observer(text)` is told each boundary ("install begun", "install done",
    "install kept"): it goes to the log, and the kill tests die there.
    """

    def __init__(
        self,
        journal: Journal,
        ledger: Ledger,
        steps: Callable[[], Steps],
        clock: Clock,
        turns: Turns,
        *,
        on_finished: Callable[[Operation], None],
        observer: Callable[[str], None],
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._open_steps = steps
        self._clock = clock
        self._turns = turns
        self._on_finished = on_finished
        self._observe = observer
        self._alarm = Alarm()
        self._begun: set[int] = set()
        self.on_turn_over: Callable[[Operation], None] = lambda _: None

    def wake(self) -> None:
        """Look for work again: an operation was queued, or is not wanted any more."""
        for operation in self._turns.at_work():
            if WISH in operation.data:
                self._steps.interrupt(operation.id)
        self._alarm.ring()

    def stop(self) -> None:
        """End soon what is being done, for this life."""
        if any(self._turns.at_work()):
            self._steps.stop()

    def cancel(self, operation_id: int, by: str) -> Cancel:
        """Cancel an operation for somebody; says what that means for it (`operation.CANCELS`).

        Once this returns, a crash changes nothing: the operation ends with CANCELLED and
        who it was.  Raises `Unknown`, and `Refused` where it is too late.
        """
        operation = self._journal.load(operation_id)
        if operation is None:
            raise Unknown(f"no operation {operation_id}")
        kind = cancel_of(operation)
        if kind is Cancel.COMMITTED:
            raise Refused(f"operation {operation_id} {_too_late(operation)}")
        if kind is Cancel.WITHDRAWN and not self._steps.withdraw(operation):
            text = f"the order to {operation.step} is being carried out"
            raise Refused(f"operation {operation_id} cannot be cancelled: {text}")
        if WISH not in operation.data:
            self._ledger.record(cancelled(operation, by))
        self.wake()
        return kind

    def answered(self, operation_id: int, answer: Answer) -> None:
        """Take the person's answer for a waiting operation."""
        self._turns.answered(operation_id, answer)
        self._alarm.ring()

    def nudge(self) -> None:
        """Let every waiting operation look again whether it may go on."""
        self._turns.nudge()
        self._alarm.ring()

    def stand(self, operation: Operation) -> Stand:
        """Tell whether a live operation may go on now, else what keeps it."""
        return self._turns.stand(operation)

    def pause(self, operation: Operation) -> Pause | None:
        """Return what an operation that is to be admitted waits for, None if nothing."""
        return self._steps.pause(operation)

    def dues(self) -> Iterator[Due]:
        """Give when operations go on that wait for a time."""
        return self._turns.dues()

    @property
    def is_installing(self) -> bool:
        """Tell whether a backend may be at work: what it reports now is not settled."""
        return any(operation.step in CHANGES for operation in self._journal.live())

    @property
    def _steps(self) -> Steps:
        return self._open_steps()

    async def run(self) -> None:
        """Work for ever, resuming first; ends only by being cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._hand_out(tasks)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None  # what ends one operation's turn ends this life

    async def _hand_out(self, tasks: asyncio.TaskGroup) -> None:
        """Give turns as long as there are any, then sleep until there may be."""
        while True:
            self._alarm.silence()
            operation = self._turns.next()
            if operation is None:
                await self._alarm.sleep(self._turns.sleep_s())
                continue
            answer = self._turns.take(operation)
            tasks.create_task(self._turn(operation, answer))

    async def _turn(self, operation: Operation, answer: Answer | None) -> None:
        """Let an operation do what it can do now."""
        try:
            with bound(operation=str(operation.id), server=operation.server_id):
                await self._advance(operation, answer)
        finally:
            self._turns.give_back(operation)
            self._alarm.ring()
            self.on_turn_over(operation)

    # -- walking --------------------------------------------------------------

    async def _advance(self, operation: Operation, answer: Answer | None) -> None:
        """Move one operation by one step."""
        if operation.phase is Phase.ROLLING_BACK:
            await self._roll_back_again(operation)
            return
        if WISH in operation.data:
            await self._fail(operation, _not_wanted(operation))
            return
        if answer is not None:
            await self._judge(operation, answer)
            return
        operation = self._begin(operation)
        if operation.attempts > ATTEMPTS_LIMIT or operation.stores > STORES_LIMIT:
            error = OperationError(Reason.CRASH_LOOP, f"{operation.step} was begun too often")
            await self._fail(operation, error)
            return
        await self._step(operation)

    def _begin(self, operation: Operation) -> Operation:
        """Journal that a step begins, unless the last transition already said so."""
        if operation.id in self._begun or operation.phase is Phase.WAITING:
            return operation
        self._begun.add(operation.id)
        if operation.phase is Phase.QUEUED:
            log.info("%s of %s begins", operation.primitive, operation.node)
        gained = self._steps.gained(operation)
        if gained:  # a life that got on is none of a crash loop
            operation = replace(operation, attempts=0, stores=0)
        return self._ledger.record(
            replace(
                operation,
                phase=Phase.RUNNING,
                attempts=operation.attempts + 1,
                data={**operation.data, **gained},
            )
        )

    async def _step(self, operation: Operation) -> None:
        step = operation.step
        self._observe(f"{step} begun")
        result = await self._outcome(operation)
        # While the step ran somebody may have wished it away; nobody else writes the row.
        operation = self._journal.load(operation.id) or operation
        if WISH in operation.data:
            result = _not_wanted(operation)
        if isinstance(result, OperationError):
            if not _is_void(operation, result):
                await self._fail(operation, result)
            return
        self._observe(f"{step} done")
        match result:
            case Wait():
                self._wait(operation, result)
            case Begin():
                self._begin_anew(operation, result)
            case Done():
                self._finish_step(operation, result)

    async def _outcome(self, operation: Operation) -> StepResult | OperationError:
        """Do the step; a failure comes back as what it means."""
        try:
            with bound(step=str(operation.step)):
                return await self._steps.do(operation)
        except OperationError as error:
            return error
        except (OSError, ScomodError) as error:
            return OperationError(Reason.INTERNAL, str(error))

    def _finish_step(self, operation: Operation, result: Done) -> None:
        """Journal the end of a step and, in the same write, the begin of the next."""
        step, after = operation.step, operation.cursor + 1
        plan = (*operation.plan[:after], *result.then, *operation.plan[after:])
        operation = replace(
            operation,
            steps=plan,
            data={**operation.data, **result.data},
            subject=result.subject or operation.subject,
        )
        self._begun.add(operation.id)
        if after < len(plan):
            self._ledger.record(replace(operation, phase=Phase.RUNNING, cursor=after, attempts=1))
            self._observe(f"{step} kept")
            return
        operation = self._ledger.succeed(operation, result.items, result.mark)
        self._observe(f"{step} kept")
        self._finished(operation)

    def _begin_anew(self, operation: Operation, result: Begin) -> None:
        """Journal that a step which waited works again; how often that may be, the step says."""
        self._begun.add(operation.id)
        self._ledger.record(
            replace(
                operation,
                phase=Phase.RUNNING,
                attempts=1,
                stores=0,
                data={**operation.data, **result.data},
            )
        )

    def _wait(self, operation: Operation, result: Wait) -> None:
        self._turns.wait(operation)
        if result.again_s is not None:
            self._turns.hold(operation, result.again_s)
        data = {**operation.data, **result.data}
        if operation.phase is not Phase.WAITING or data != operation.data:
            self._ledger.record(replace(operation, phase=Phase.WAITING, data=data))

    async def _judge(self, operation: Operation, answer: Answer) -> None:
        """Go on after the person's answer; a step that was deferred says itself until when."""
        data = kept(operation, answer, self._clock.wall_s())
        if answer.verdict is Verdict.GRANTED:
            self._finish_step(operation, Done(data=data))
        elif answer.verdict is Verdict.DEFERRED:
            self._ledger.record(replace(operation, data={**operation.data, **data}))
        else:
            error = OperationError(Reason.CANCELLED, REFUSALS[answer.verdict], data=data)
            await self._fail(operation, error)

    # -- failing ----------------------------------------------------------------

    async def _fail(self, operation: Operation, error: OperationError) -> None:
        """Record the first failure, then undo what was done."""
        log.warning("%s failed: %s", operation.step, error)
        operation = self._ledger.record(
            replace(
                operation,
                phase=Phase.ROLLING_BACK,
                attempts=1,
                reason=error.reason,
                failed_step=operation.step,
                detail=str(error),
                data={**operation.data, **error.data},
            )
        )
        self._observe(f"{operation.step} failed")
        await self._roll_back(operation)

    async def _roll_back_again(self, operation: Operation) -> None:
        """Undo what an earlier life did not get undone; lives that die of it end, too."""
        operation = self._ledger.record(replace(operation, attempts=operation.attempts + 1))
        if operation.attempts > ATTEMPTS_LIMIT:
            self._failed(_not_undone(operation, operation.step, "it was begun too often"))
        else:
            await self._roll_back(operation)

    async def _roll_back(self, operation: Operation) -> None:
        """Undo from the failed step back to the first; a failed undo is told, not hidden."""
        for step in reversed(operation.plan[: operation.cursor + 1]):
            try:
                await self._steps.undo(operation, step)
            except (OSError, ScomodError) as error:
                operation = _not_undone(operation, step, error)
        self._failed(operation)

    def _failed(self, operation: Operation) -> None:
        self._observe(f"{operation.step} undone")
        operation = self._ledger.fail(operation, _result(operation))
        self._observe(f"{operation.step} reported")
        self._finished(operation)

    def _finished(self, operation: Operation) -> None:
        """Clean up after the last transition; all of it may be lost in a crash without harm."""
        self._begun.discard(operation.id)
        self._turns.forget(operation)
        self._steps.forget(operation)
        kind = Event.OPERATION_SUCCEEDED
        if operation.phase is Phase.FAILED:
            kind = Event.OPERATION_FAILED
        announce(
            log,
            kind,
            "%s of %s ended with %s %s",
            operation.primitive,
            operation.node,
            int(operation.result or ResultCode.UNDEFINED_ERROR),
            operation.detail,
        )
        self._on_finished(operation)


def _not_undone(operation: Operation, step: object, why: object) -> Operation:
    announce(log, Event.OPERATION_STUCK, "undo of %s failed: %s", step, why)
    return replace(operation, detail=f"{operation.detail}{NOT_UNDONE}{why}")


def _result(operation: Operation) -> ResultCode:
    return result_for(blamed_step(operation), operation.reason or Reason.INTERNAL)


def _not_wanted(operation: Operation) -> OperationError:
    return OperationError(Reason.CANCELLED, f"cancelled by {operation.data[WISH]}")


def _is_void(operation: Operation, error: OperationError) -> bool:
    """Tell whether a fetch ended for a wish that is not there: its transaction was given up."""
    is_cancelled = isinstance(error, DownloadError) and error.reason is Reason.CANCELLED
    return is_cancelled and WISH not in operation.data


def _too_late(operation: Operation) -> str:
    """Say why an operation cannot be cancelled any more."""
    if not operation.phase.is_live:
        return f"is over: it {operation.phase}"
    if operation.phase is Phase.ROLLING_BACK:
        return "is being undone already"
    return f"cannot be cancelled any more: {operation.step} is the last that was to do"
