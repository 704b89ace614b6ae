# SPDX-License-Identifier: Apache-2.0
"""The agent on D-Bus: the program at the device that shows prompts and alerts to a person.

Not the policy (`confirm.py`, `interview.py`): this registers, asks, tells, and notices
when the agent is gone.  One agent at a time, the newest; one that fails is forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from scomod.busaddress import (
    AGENT_INTERFACE,
    ERROR_CANCELLED,
    ERROR_DEFERRED,
    ERROR_NOT_SHOWN,
    ERROR_UNKNOWN_METHOD,
    NotReachable,
    RemoteError,
)
from scomod.buswire import Message, MessageFlag, PacedBus, owner_rule, pack
from scomod.facade import AgentGone, Cancelled, Deferred, NotShown, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scomod.errors import ScomodError

log = logging.getLogger(__name__)

# What an agent may reply without being broken: to a prompt, to a user alert.
LATER: Final[Mapping[str, Callable[[str], ScomodError]]] = {ERROR_DEFERRED: Deferred}
REFUSALS: Final[Mapping[str, Callable[[str], ScomodError]]] = {
    ERROR_CANCELLED: Cancelled,
    ERROR_NOT_SHOWN: NotShown,
    ERROR_UNKNOWN_METHOD: NotShown,
}


@dataclass(slots=True, eq=False)
class _Agent:
    """Who answers: `sender` is a unique bus name, `waiting` the asks under way.

    `language` is what is spoken to it, "" for what the device speaks.
    """

    sender: str
    path: str
    identity: str
    language: str = ""
    waiting: set[asyncio.Future[Any]] = field(default_factory=set)

    def message(self, member: str, prompt: Mapping[str, Any]) -> Message:
        """Return a call on this agent."""
        from scomod.language import spoken  # noqa: PLC0415 - when something is shown

        return self._call(member, "a{sv}", pack(spoken(prompt, self.language)))

    def withdrawal(self, member: str, number: int) -> Message:
        """Return the call that takes a user alert (`Withdraw`) or a prompt back."""
        message = self._call(member, "t", number)
        message.flags = MessageFlag.NO_REPLY_EXPECTED
        return message

    def _call(self, member: str, signature: str, argument: Any) -> Message:
        return Message(
            destination=self.sender,
            path=self.path,
            interface=AGENT_INTERFACE,
            member=member,
            signature=signature,
            body=[argument],
        )


class Agents:
    """An `AgentPort` and `AlertPort` over one connection.

    `changed` is called when an agent came or went; `language` is what an agent is spoken
    to in that does not say which.
    """

    def __init__(
        self, tasks: asyncio.TaskGroup, changed: Callable[[], None], language: str
    ) -> None:
        self._tasks = tasks
        self._changed = changed
        self._language = language
        self._bus: PacedBus | None = None
        self._agent: _Agent | None = None

    def attach(self, bus: PacedBus) -> None:
        """Use this connection; when it ends the agent is forgotten."""
        self._bus = bus
        bus.on_gone(self._forget)

    def is_present(self) -> bool:
        """Tell whether an agent is registered."""
        return self._agent is not None

    @property
    def is_asking(self) -> bool:
        """Tell whether the agent is to answer something."""
        return self._agent is not None and bool(self._agent.waiting)

    def identity(self) -> str:
        """Say who the agent is: its bus name, and the user it runs as."""
        return "" if self._agent is None else self._agent.identity

    async def ask(self, prompt: Mapping[str, Any]) -> bool:
        """Show a prompt, return whether it was accepted; raises `AgentGone`, `Deferred`."""
        agent = self._present()
        with self._taken_back(agent, "WithdrawPrompt", prompt["operation"]):
            return bool(await self._put(agent, "Ask", prompt, LATER))

    async def show(self, method: str, alert: Mapping[str, Any]) -> Any:
        """Put a user alert to the agent and return its reply (`AlertPort.show`).

        `alert["id"]` names it when it is taken back: when the agent is replaced, or the
        caller does not wait any longer.
        """
        agent = self._present()
        with self._taken_back(agent, "Withdraw", alert["id"]):
            return await self._put(agent, method, alert, REFUSALS)

    @contextlib.contextmanager
    def _taken_back(self, agent: _Agent, member: str, number: int) -> Iterator[None]:
        """Take a question back where nobody waits for its answer any longer."""
        try:
            yield
        except (AgentGone, asyncio.CancelledError):
            if self._bus is not None and self._bus.connected:
                self._bus.send(agent.withdrawal(member, number))
            raise

    async def _put(
        self,
        agent: _Agent,
        member: str,
        record: Mapping[str, Any],
        refusals: Mapping[str, Callable[[str], ScomodError]],
    ) -> Any:
        """Call the agent; of its errors, `refusals` are raised, others end its being the agent."""
        question = agent.message(member, record)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        agent.waiting.add(answer)
        relay = self._tasks.create_task(self._relay(agent, question, answer, refusals))
        try:
            return await answer
        finally:
            agent.waiting.discard(answer)
            relay.cancel()

    async def _relay(
        self,
        agent: _Agent,
        question: Message,
        answer: asyncio.Future[Any],
        refusals: Mapping[str, Callable[[str], ScomodError]],
    ) -> None:
        try:
            value = _reply(question.member, await self._attached().invoke(question))
        except (RemoteError, NotReachable, ValueError) as error:
            kind = refusals.get(error.name) if isinstance(error, RemoteError) else None
            if kind is not None:
                _fail(answer, kind(str(error)))
                return
            log.info("agent %s gave no answer: %s", agent.sender, error)
            if agent is self._agent:
                self._forget()
            _fail(answer, AgentGone("the agent gave no answer"))
            return
        if not answer.done():
            answer.set_result(value)

    def tell(self, member: str, record: Mapping[str, Any]) -> None:
        """Call a method of the agent, if there is one, that has no answer."""
        if self._agent is not None and self._bus is not None and self._bus.connected:
            message = self._agent.message(member, record)
            message.flags = MessageFlag.NO_REPLY_EXPECTED
            self._bus.send(message)

    async def register(self, sender: str, path: str, language: str = "") -> None:
        """Make `sender` the agent; the newest wins, asks at an older one raise `AgentGone`.

        `language` is as in `$LANGUAGE`, the best first.  One that registers again, as it may
        when it sees the daemon come, keeps what it is asked.
        """
        bus = self._attached()
        await bus.invoke_bus("AddMatch", owner_rule(sender))
        if not await bus.invoke_bus("NameHasOwner", sender):
            bus.unmatch(owner_rule(sender))
            return  # it left before the match was in place
        identity = await who(bus, sender)
        if self._agent is not None and (self._agent.sender, self._agent.path) == (sender, path):
            bus.unmatch(owner_rule(sender))  # there is one already
            self._agent.language = language or self._language
        else:
            self._drop()
            self._agent = _Agent(sender, path, identity, language or self._language)
            log.info("agent %s registered", sender)
        self._changed()

    def unregister(self, sender: str, path: str) -> None:
        """Forget the agent; raises `Unknown` if it is not the registered one."""
        if self._agent is None or (self._agent.sender, self._agent.path) != (sender, path):
            raise Unknown("this agent is not registered, or a newer one took its place")
        self._forget()

    def left(self, sender: str) -> None:
        """Take note that a connection has left the bus."""
        if self._agent is not None and self._agent.sender == sender:
            self._forget()

    def _forget(self) -> None:
        if self._agent is not None:
            self._drop()
            self._changed()

    def _drop(self) -> None:
        agent, self._agent = self._agent, None
        if agent is None:
            return
        for answer in agent.waiting:
            _fail(answer, AgentGone("the agent left"))
        if self._bus is not None and self._bus.connected:
            self._bus.unmatch(owner_rule(agent.sender))

    def _present(self) -> _Agent:
        if self._agent is None:
            raise AgentGone("no agent is registered")
        return self._agent

    def _attached(self) -> PacedBus:
        if self._bus is None:
            raise NotReachable("not connected to the message bus")
        return self._bus


async def who(bus: PacedBus, sender: str) -> str:
    """Say who a connection is: its bus name and its user, if the bus still knows."""
    try:
        return f"{sender} of user {await bus.invoke_bus('GetConnectionUnixUser', sender)}"
    except RemoteError:
        return sender


def _reply(member: str, body: list[Any]) -> Any:
    """Return what a method of the agent replied; raises `ValueError` for what it never gives."""
    match member, body:
        case "Display", []:
            return None
        case "Ask" | "Confirm", [bool(value)]:
            return value
        case "Input", [str(value)]:
            return value
        case "Choose", [list(value)] if all(type(number) is int for number in value):
            return value
    raise ValueError(f"{member} was answered with {len(body)} values of other types")


def _fail(answer: asyncio.Future[Any], error: ScomodError) -> None:
    if not answer.done():
        answer.set_exception(error)
