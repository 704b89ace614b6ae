"""The agent's desk: takes the daemon's calls on the interface `org.scomod1.Agent` in turn.

Not the daemon's side (`busagent.py`) and not what a person sees: that is in the
functions given.  One question at a time; a user alert that the daemon takes back
while it waits or is being answered is dropped.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from scomod.busaddress import (
    ERROR_CANCELLED,
    ERROR_FAILED,
    ERROR_NOT_SHOWN,
    ERROR_UNKNOWN_METHOD,
)
from scomod.buswire import Message, clean, unpack
from scomod.facade import AgentGone, Cancelled, NotShown, Record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from scomod.errors import ScomodError

ALERTS: Final[Mapping[str, str]] = {"Display": "", "Confirm": "b", "Input": "s", "Choose": "au"}
_ERRORS: Final[Mapping[type[ScomodError], str]] = {
    AgentGone: ERROR_FAILED,
    Cancelled: ERROR_CANCELLED,
    NotShown: ERROR_NOT_SHOWN,
}


async def shows_nothing(method: str, _: Record) -> Any:
    """Be an agent that answers prompts only."""
    raise NotShown(f"this agent has no {method}")


class Desk:
    """Answers calls by `ask` (prompts) and `show` (user alerts, by method); `inform` tells.

    `ask` may raise `AgentGone`, `show` `Cancelled` and `NotShown`.
    """

    def __init__(
        self,
        ask: Callable[[Record], Awaitable[bool]],
        inform: Callable[[Record], None],
        show: Callable[[str, Record], Awaitable[Any]],
    ) -> None:
        self._ask = ask
        self._inform = inform
        self._show = show
        self._shown: dict[int, asyncio.Timeout] = {}
        self._waiting: set[int] = set()

    def lines_up(self, call: Message) -> bool:
        """Note a question that waits for its turn to `answer`; False for what is none."""
        if call.signature != "a{sv}" or not (call.member == "Ask" or call.member in ALERTS):
            return False
        if call.member in ALERTS:
            self._waiting.add(_id_of(call))
        return True

    def take(self, call: Message) -> Message | None:
        """Serve a call that does not line up, at once; returns an error to send, or None."""
        match call.member, call.signature:
            case "Inform", "a{sv}":
                self._inform(unpack(call.body[0]))
            case "Withdraw", "t":
                self._withdraw(call.body[0])
            case _:
                return Message.new_error(call, ERROR_UNKNOWN_METHOD, "no such method")
        return None

    async def answer(self, call: Message) -> Message:
        """Have a question answered; returns the reply."""
        record = unpack(call.body[0])
        try:
            if call.member == "Ask":
                return Message.new_method_return(call, "b", [await self._ask(record)])
            return _returned(call, await self._shown_in_time(call, record))
        except (AgentGone, Cancelled, NotShown) as error:
            return Message.new_error(call, _ERRORS[type(error)], clean(str(error)))

    async def _shown_in_time(self, call: Message, alert: Record) -> Any:
        """Show an alert until it is answered or withdrawn."""
        alert_id = _id_of(call)
        if alert_id not in self._waiting:
            raise Cancelled("withdrawn")
        self._waiting.discard(alert_id)
        try:
            async with asyncio.timeout(None) as limit:
                self._shown[alert_id] = limit
                return await self._show(call.member, alert)
        except TimeoutError as error:
            raise Cancelled("withdrawn") from error
        finally:
            del self._shown[alert_id]

    def _withdraw(self, alert_id: int) -> None:
        self._waiting.discard(alert_id)
        if alert_id in self._shown:
            self._shown[alert_id].reschedule(0)


def _id_of(call: Message) -> int:
    record = call.body[0]
    return int(record["id"].value) if "id" in record else 0


def _returned(call: Message, value: Any) -> Message:
    kinds = ALERTS[call.member]
    return Message.new_method_return(call, kinds, [value] if kinds else [])
