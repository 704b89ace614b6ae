"""Asking the person at the device: policy first, then the conversation (ADC-1, USA-1 to USA-5).

One prompt per operation covers its whole plan (ADC-2).  A prompt lives as long
as its operation waits: agents may come and go, `scomoctl confirm` may answer too.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from scomod.errors import OperationError, Reason
from scomod.facade import AgentGone, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.clock import Clock
    from scomod.facade import AgentPort
    from scomod.settings import Confirm


class Verdict(StrEnum):
    """What a prompt came to."""

    GRANTED = "granted"
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    DEFERRED = "deferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a prompt came to, who said so ("" for nobody), and when to ask again (wall time)."""

    verdict: Verdict
    by: str = ""
    until_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """The answer is not there yet; to be looked at again in `again_s`, None for not by itself."""

    again_s: float | None = None


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
        self._prompts: dict[int, dict[str, Any]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._agent_came = asyncio.Event()
        self.agent: AgentPort | None = None

    def decide(self, operation_id: int, prompt: Mapping[str, Any]) -> Pending | None:
        """Say at once what policy says: None to go on, else to wait for an answer.

        Raises `OperationError(CANCELLED)` if policy refuses.
        """
        has_agent = self.agent is not None and self.agent.is_present()
        mode = self._policy.default
        if mode == "ask" and not has_agent:
            mode = {"defer": "ask", "accept": "silent", "decline": "refuse"}[self._policy.no_agent]
        if mode == "refuse":
            raise OperationError(Reason.CANCELLED, "the device's policy declines it")
        if mode == "inform" and self.agent is not None and has_agent:
            self.agent.inform(prompt)
        if mode != "ask":
            return None
        self._open(operation_id, prompt)
        return Pending()

    def agent_changed(self) -> None:
        """Ask the open prompts again: an agent came or went."""
        if self.agent is not None and self.agent.is_present():
            self._agent_came.set()
        else:
            self._agent_came.clear()

    def prompts(self) -> list[dict[str, Any]]:
        """Return the open prompts, oldest first."""
        return [self._prompts[key] for key in sorted(self._prompts)]

    def answer(self, operation_id: int, *, is_accepted: bool) -> None:
        """Close a prompt with a person's answer; raises `Unknown` if none is open."""
        if operation_id not in self._prompts:
            raise Unknown(f"no prompt waits for operation {operation_id}")
        self._close(operation_id, Verdict.GRANTED if is_accepted else Verdict.REFUSED)

    def _open(self, operation_id: int, prompt: Mapping[str, Any]) -> None:
        deadline_s = self._clock.wall_s() + self._policy.timeout_s
        self._prompts[operation_id] = {**prompt, "deadline": deadline_s}
        self._on_prompt(self._prompts[operation_id])
        self._tasks[operation_id] = self._start(self._converse(operation_id))

    def _close(self, operation_id: int, verdict: Verdict) -> None:
        prompt = self._prompts.pop(operation_id)
        task = self._tasks.pop(operation_id)
        if task is not asyncio.current_task():
            task.cancel()
        self._on_prompt({**prompt, "verdict": verdict.value})
        self._on_answer(operation_id, Answer(verdict=verdict))

    async def _converse(self, operation_id: int) -> None:
        """Ask agents until one answers or the time is over."""
        verdict = Verdict.UNANSWERED
        try:
            async with asyncio.timeout(self._policy.timeout_s):
                is_accepted = await self._ask(self._prompts[operation_id])
                verdict = Verdict.GRANTED if is_accepted else Verdict.REFUSED
        except TimeoutError:
            pass
        self._close(operation_id, verdict)

    async def _ask(self, prompt: Mapping[str, Any]) -> bool:
        while True:
            if self.agent is not None and self.agent.is_present():
                try:
                    return await self.agent.ask(prompt)
                except AgentGone:
                    # It left or is broken and is forgotten; another may be here already.
                    self.agent_changed()
            else:
                self._agent_came.clear()
            await self._agent_came.wait()
