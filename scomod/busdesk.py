# SPDX-License-Identifier: Apache-2.0
"""The agent's desk: takes the daemon's calls on the interface `org.scomod1.Agent` in turn.

Not the daemon's side (`busagent.py`) and not what a person sees: that is in the
functions given.  One question at a time; one that the daemon takes back while it waits
or is being answered is dropped.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from scomod.busaddress import (
    ERROR_CANCELLED,
    ERROR_DEFERRED,
    ERROR_FAILED,
    ERROR_NOT_SHOWN,
    ERROR_UNKNOWN_METHOD,
)
from scomod.buswire import Message, clean, unpack
from scomod.facade import AgentGone, Cancelled, Deferred, NotShown, Record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from scomod.errors import ScomodError

ALERTS: Final[Mapping[str, str]] = {"Display": "", "Confirm": "b", "Input": "s", "Choose": "au"}
_ERRORS: Final[Mapping[type[ScomodError], str]] = {
    AgentGone: ERROR_FAILED,
    Cancelled: ERROR_CANCELLED,
    NotShown: ERROR_NOT_SHOWN,
}
PROMPT: Final = "Ask"
# What takes a question back, and the key of its number in the question.
WITHDRAWALS: Final[Mapping[str, str]] = {"WithdrawPrompt": "operation", "Withdraw": "id"}

Question = tuple[str, int]  # (key, number)


async def shows_nothing(method: str, _: Record) -> Any:
    """Be an agent that answers prompts only."""
    raise NotShown(f"this agent has no {method}")


class Desk:
    """Answers calls by `ask` (prompts) and `show` (user alerts, by method).

    `ask` may raise `AgentGone` and `Deferred`, `show` `Cancelled` and `NotShown`; `inform`
    and `completed` tell.
    """

    def __init__(
        self,
        ask: Callable[[Record], Awaitable[bool]],
        inform: Callable[[Record], None],
        show: Callable[[str, Record], Awaitable[Any]],
        completed: Callable[[Record], None],
    ) -> None:
        self._ask = ask
        self._inform = inform
        self._show = show
        self._completed = completed
        self._shown: dict[Question, asyncio.Timeout] = {}
        self._waiting: set[Question] = set()

    def lines_up(self, call: Message) -> bool:
        """Note a question that waits for its turn to `answer`; False for what is none."""
        if call.signature != "a{sv}" or not (call.member == PROMPT or call.member in ALERTS):
            return False
        self._waiting.add(_question(call))
        return True

    def take(self, call: Message) -> Message | None:
        """Serve a call that does not line up, at once; returns an error to send, or None."""
        match call.member, call.signature:
            case "Inform", "a{sv}":
                self._inform(unpack(call.body[0]))
            case "Completed", "a{sv}":
                self._completed(unpack(call.body[0]))
            case (("Withdraw" | "WithdrawPrompt"), "t"):
                self._withdraw((WITHDRAWALS[call.member], call.body[0]))
            case _:
                return Message.new_error(call, ERROR_UNKNOWN_METHOD, "no such method")
        return None

    def clear(self) -> None:
        """Drop all questions: who asked is gone."""
        for question in (*self._waiting, *self._shown):
            self._withdraw(question)

    async def answer(self, call: Message) -> Message:
        """Have a question answered; returns the reply."""
        try:
            return _returned(call, await self._in_time(call, unpack(call.body[0])))
        except Deferred as error:
            return Message.new_error(call, ERROR_DEFERRED, clean(error.when))
        except (AgentGone, Cancelled, NotShown) as error:
            return Message.new_error(call, _ERRORS[type(error)], clean(str(error)))

    async def _in_time(self, call: Message, record: Record) -> Any:
        """Show a question until it is answered or withdrawn."""
        question = _question(call)
        if question not in self._waiting:
            raise Cancelled("withdrawn")
        self._waiting.discard(question)
        try:
            async with asyncio.timeout(None) as limit:
                self._shown[question] = limit
                if call.member == PROMPT:
                    return await self._ask(record)
                return await self._show(call.member, record)
        except TimeoutError as error:
            raise Cancelled("withdrawn") from error
        finally:
            del self._shown[question]

    def _withdraw(self, question: Question) -> None:
        self._waiting.discard(question)
        if question in self._shown:
            self._shown[question].reschedule(0)


def _question(call: Message) -> Question:
    """Return what a question is known by; prompts and alerts are numbered each for itself."""
    key = WITHDRAWALS["WithdrawPrompt" if call.member == PROMPT else "Withdraw"]
    record = call.body[0]
    return key, int(record[key].value) if key in record else 0


def _returned(call: Message, value: Any) -> Message:
    kinds = "b" if call.member == PROMPT else ALERTS[call.member]
    return Message.new_method_return(call, kinds, [value] if kinds else [])
