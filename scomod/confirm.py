# SPDX-License-Identifier: Apache-2.0
"""Asking the person at the device: what policy says, then the conversation (ADC-1, USA-1 to USA-5).

One prompt per operation covers its whole plan (ADC-2), unless the package turns out to ask
for more than the person could know: then there is a second one, with a deadline and deferrals
of its own.  A prompt lives as long as its operation waits: agents may come and go,
`scomoctl confirm` may answer too.
A prompt that was deferred comes again; all deferrals together end at the deadline,
which counts from the first question (`terms.py` says by which clock).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from scomod.agenda import Due
from scomod.errors import OperationError, Reason
from scomod.facade import AgentGone, Deferred, Refused, Unknown
from scomod.operation import OFFER, StepKind
from scomod.terms import Terms
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scomod.clock import Clock
    from scomod.facade import AgentPort
    from scomod.operation import Operation
    from scomod.settings import Confirm

log = logging.getLogger(__name__)

# Keys of Operation.data: what the two questions came to.
CONSENT: Final = "consent"
DISCLOSURE: Final = "disclosure"

PERSON: Final = "person"  # how: somebody said so
DEADLINE: Final = "deadline"  # how: nobody did in time
LATE: Final = "nobody answered in time"
UNHEARD: Final = ("silent", "refuse")  # how: nobody at the device heard of it
UNTOLD_COUNT: Final = 20


@dataclass(frozen=True, slots=True)
class Keys:
    """Where Operation.data has what a question came to, and what is noted while it is open."""

    answer: str
    asked: str
    until: str
    deferrals: str


_CONSENT: Final = Keys(CONSENT, "asked_s", "deferred_until_s", "deferrals")
_DISCLOSURE: Final = Keys(
    DISCLOSURE, "disclosure_asked_s", "disclosure_deferred_until_s", "disclosure_deferrals"
)


def keys_of(operation: Operation) -> Keys:
    """Return the keys of the question that the current step asks."""
    return _DISCLOSURE if operation.step is StepKind.DISCLOSE else _CONSENT


def reopened() -> dict[str, object]:
    """Return what lets the first question be asked anew, with a deadline of its own."""
    return {_CONSENT.asked: None, _CONSENT.until: None, _CONSENT.deferrals: None}


class Verdict(StrEnum):
    """What a prompt came to."""

    GRANTED = "granted"
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    DEFERRED = "deferred"


@frozen
class Answer:
    """What a question came to, who or what said so, how, and when to ask again (wall time).

    `how` is "person", "server", "deadline", or what the policy does without a question:
    "inform", "silent", "refuse".
    """

    verdict: Verdict
    by: str = ""
    until_s: float = 0.0
    how: str = PERSON

    def record(self, at_s: float) -> dict[str, object]:
        """Return what is kept of it with the operation."""
        return {"verdict": str(self.verdict), "by": self.by, "how": self.how, "at": at_s}


@frozen
class Pending:
    """The answer is not there yet; to be looked at again in `again_s`, None for not by itself.

    `data` is to be kept with the operation.
    """

    again_s: float | None = None
    data: Mapping[str, object] = field(default_factory=dict)


def kept(operation: Operation, answer: Answer, at_s: float) -> dict[str, object]:
    """Return what is kept of an answer to the question of the current step."""
    keys = keys_of(operation)
    known: dict[str, object] = {keys.answer: answer.record(at_s)}
    if answer.verdict is not Verdict.DEFERRED:
        return known
    count = int(_number(operation.data.get(keys.deferrals))) + 1
    return {**known, keys.until: answer.until_s, keys.deferrals: count}


class TaskStarter(Protocol):
    """Starts a task in the daemon's group (I17)."""

    def __call__(self, work: Any, /) -> asyncio.Task[None]:
        """Start the coroutine."""


class Confirmations:
    """The open prompts; `on_answer(operation_id, answer)` is called once for each."""

    def __init__(
        self,
        policy: Confirm,
        clock: Clock,
        start: TaskStarter,
        on_answer: Callable[[int, Answer], None],
        on_prompt: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._start = start
        self._on_answer = on_answer
        self._on_prompt = on_prompt
        self._terms = Terms(clock)
        self._prompts: dict[int, dict[str, Any]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._untold: deque[Mapping[str, Any]] = deque(maxlen=UNTOLD_COUNT)
        self._agent_came = asyncio.Event()
        self.agent: AgentPort | None = None

    def decide(self, operation: Operation, prompt: Mapping[str, Any]) -> Pending | Answer:
        """Return the answer that policy gives at once, or ask and return that it is not there yet.

        May be called again while it waits.  Raises `OperationError(CANCELLED)` if policy
        refuses, or does at the deadline.
        """
        from scomod import policy  # noqa: PLC0415 - a waiting daemon needs no rules

        if operation.id in self._prompts:
            return Pending()
        ruling = policy.ruling(self._policy, operation, is_agent_here=self._has_agent())
        if ruling.mode is policy.Mode.ASK:
            return self._question(operation, prompt)
        if ruling.mode is policy.Mode.REFUSE:
            answer = Answer(verdict=Verdict.REFUSED, by=ruling.by, how=ruling.how)
            text = f"the device's policy declines it ({ruling.by})"
            raise self._declined(operation, text, answer)
        if ruling.mode is policy.Mode.INFORM and self.agent is not None:
            self.agent.inform(prompt)
        self._terms.forget(operation.id)
        return Answer(verdict=Verdict.GRANTED, by=ruling.by, how=ruling.how)

    def is_open(self, operation_id: int) -> bool:
        """Tell whether a question about an operation waits for its answer."""
        return operation_id in self._prompts

    def is_shown(self, operation: Operation) -> bool:
        """Tell whether a person is to see a prompt that is not open yet."""
        from scomod import policy  # noqa: PLC0415 - a waiting daemon needs no rules

        if self.is_open(operation.id):
            return False
        mode = policy.ruling(self._policy, operation, is_agent_here=self._has_agent()).mode
        return mode in (policy.Mode.ASK, policy.Mode.INFORM)

    def agent_changed(self) -> None:
        """Ask the open prompts again, and tell what nobody was told: an agent came or went."""
        if not self._has_agent():
            self._agent_came.clear()
            return
        self._agent_came.set()
        self._tell()

    def prompts(self) -> list[dict[str, Any]]:
        """Return the open prompts, oldest first."""
        return [self._prompts[key] for key in sorted(self._prompts)]

    def dues(self) -> Iterator[Due]:
        """Give the deadlines of the open prompts."""
        now_s = self._clock.monotonic_s()
        for operation_id, prompt in self._prompts.items():
            left_s = self._terms.left_s(operation_id, DEADLINE, prompt["deadline"], 0.0)
            yield Due(
                at_s=now_s + left_s,
                what="operation",
                why="its question must be answered until then",
                server_id=prompt.get("server", ""),
                operation_id=operation_id,
            )

    def answer(self, operation_id: int, *, is_accepted: bool, by: str) -> None:
        """Close a prompt with a person's answer; raises `Unknown` if none is open."""
        self._open_prompt(operation_id)
        self._close(operation_id, _said(is_accepted=is_accepted, by=by))

    def defer(self, operation_id: int, when: str, *, by: str) -> float:
        """Close a prompt until later and return when it comes again (wall time).

        Raises `Unknown` if none is open, `Refused` if it cannot be deferred, or not so.
        """
        until_s = self._later_s(self._open_prompt(operation_id), when)
        self._close(operation_id, Answer(verdict=Verdict.DEFERRED, by=by, until_s=until_s))
        return until_s

    def withdraw(self, operation_id: int) -> None:
        """Take a prompt back, if there is one: its operation does not wait for it any longer."""
        self._terms.forget(operation_id)
        if operation_id in self._prompts:
            self._take_away(operation_id, verdict="withdrawn")

    def finished(self, operation: Operation, record: Mapping[str, Any]) -> None:
        """Have the person told how an operation ended, as far as policy wants that (USA-2).

        Where nobody is there, the next agent is told.
        """
        self.withdraw(operation.id)
        is_heard = any(_how(operation, key) not in UNHEARD for key in (CONSENT, DISCLOSURE))
        if self._policy.tell == "never" or (self._policy.tell == "asked" and not is_heard):
            return
        self.tell(record)

    def untold(self) -> list[int]:
        """Return the operations of whose end nobody was there to be told."""
        return [record["id"] for record in self._untold]

    def tell(self, record: Mapping[str, Any]) -> None:
        """Tell how an operation ended, now or as soon as somebody is there."""
        self._untold.append(record)
        self._tell()

    def _tell(self) -> None:
        while self._untold and self.agent is not None and self.agent.is_present():
            self.agent.completed(self._untold.popleft())

    # -- one question ----------------------------------------------------------

    def _question(self, operation: Operation, prompt: Mapping[str, Any]) -> Pending | Answer:
        """Ask, unless it is too early after a deferral or too late altogether."""
        policy, data, keys = self._policy, operation.data, keys_of(operation)
        asked_s = self._terms.began_s(data.get(keys.asked))
        deadline_s = asked_s + policy.deadline_s
        left_s = self._terms.left_s(operation.id, DEADLINE, deadline_s, policy.deadline_s)
        if left_s <= 0:
            self._terms.forget(operation.id)
            late = self._late(operation)
            if late.verdict is Verdict.UNANSWERED:
                raise self._declined(operation, LATE, late)
            return late
        until_s = _number(data.get(keys.until))
        count = int(_number(data.get(keys.deferrals)))
        wait_s = self._terms.left_s(operation.id, until_s, until_s, policy.deadline_s)
        if wait_s > 0:
            return Pending(again_s=min(wait_s, left_s))
        facts = {
            "deadline": self._clock.wall_s() + left_s,
            "deferrals_left": max(0, policy.max_deferrals_count - count),
            "tonight": policy.tonight,
        }
        self._prompts[operation.id] = {**prompt, **facts}
        self._on_prompt(self._prompts[operation.id])
        self._tasks[operation.id] = self._start(
            self._converse(operation.id, left_s, self._late(operation))
        )
        return Pending(data={keys.asked: asked_s})

    async def _converse(self, operation_id: int, left_s: float, late: Answer) -> None:
        """Ask agents until one answers or the time is over; `late` is the answer then."""
        try:
            async with asyncio.timeout(left_s):
                answer = await self._ask(self._prompts[operation_id])
        except TimeoutError:
            answer = late
        self._close(operation_id, answer)

    async def _ask(self, prompt: Mapping[str, Any]) -> Answer:
        while True:
            if self.agent is not None and self.agent.is_present():
                by = self.agent.identity()
                try:
                    return _said(is_accepted=await self.agent.ask(prompt), by=by)
                except AgentGone:
                    # It left or is broken and is forgotten; another may be here already.
                    self.agent_changed()
                except Deferred as later:
                    try:
                        until_s = self._later_s(prompt, later.when)
                        return Answer(verdict=Verdict.DEFERRED, by=by, until_s=until_s)
                    except Refused as error:
                        log.warning("%s deferred in vain: %s", by, error)
                        self._agent_came.clear()  # this one is not asked again
            else:
                self._agent_came.clear()
            await self._agent_came.wait()

    def _later_s(self, prompt: Mapping[str, Any], when: str) -> float:
        """Return when a prompt comes again, the deadline at the latest."""
        from scomod import daytime  # noqa: PLC0415 - a waiting daemon defers nothing

        if not prompt["deferrals_left"]:
            raise Refused("it cannot be deferred any more: confirm or decline it")
        until_s = daytime.until_s(when, self._clock.wall_s(), self._policy.tonight)
        return min(until_s, float(prompt["deadline"]))

    def _close(self, operation_id: int, answer: Answer) -> None:
        facts = {"by": answer.by, "until": answer.until_s or None}
        self._take_away(operation_id, verdict=answer.verdict.value, **facts)
        if answer.verdict is not Verdict.DEFERRED:
            self._terms.forget(operation_id)
        self._on_answer(operation_id, answer)

    def _take_away(self, operation_id: int, **why: object) -> None:
        prompt = self._prompts.pop(operation_id)
        task = self._tasks.pop(operation_id)
        if task is not asyncio.current_task():
            task.cancel()
        self._on_prompt({**prompt, **why})

    def _open_prompt(self, operation_id: int) -> Mapping[str, Any]:
        if operation_id not in self._prompts:
            raise Unknown(f"no prompt waits for operation {operation_id}")
        return self._prompts[operation_id]

    def _late(self, operation: Operation) -> Answer:
        is_yes = self._policy.at_deadline == "accept" and OFFER not in operation.data
        verdict = Verdict.GRANTED if is_yes else Verdict.UNANSWERED
        return Answer(verdict=verdict, by="policy", how=DEADLINE)

    def _declined(self, operation: Operation, text: str, answer: Answer) -> OperationError:
        data = kept(operation, answer, self._clock.wall_s())
        return OperationError(Reason.CANCELLED, text, data=data)

    def _has_agent(self) -> bool:
        return self.agent is not None and self.agent.is_present()


def _said(*, is_accepted: bool, by: str) -> Answer:
    return Answer(verdict=Verdict.GRANTED if is_accepted else Verdict.REFUSED, by=by)


def _how(operation: Operation, key: str) -> object:
    """Return how a question was answered; one that was not asked was not heard of."""
    given = operation.data.get(key)
    return given.get("how") if isinstance(given, dict) else UNHEARD[0]


def _number(value: object) -> float:
    return float(value) if isinstance(value, float | int) else 0.0
