"""The agent on D-Bus: the program at the device that shows prompts to a person.

Not the policy (`confirm.py`): this registers, asks, tells, and notices when the
agent is gone.  One agent at a time, the newest; one that fails is forgotten.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scomod.busaddress import AGENT_INTERFACE, NotReachable, RemoteError
from scomod.buswire import Message, MessageFlag, PacedBus, owner_rule, pack
from scomod.facade import AgentGone, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Agent:
    """Who answers: `sender` is a unique bus name, `waiting` the asks under way."""

    sender: str
    path: str
    waiting: set[asyncio.Future[bool]] = field(default_factory=set)

    def message(self, member: str, prompt: Mapping[str, Any]) -> Message:
        """Return a call on this agent."""
        return Message(
            destination=self.sender,
            path=self.path,
            interface=AGENT_INTERFACE,
            member=member,
            signature="a{sv}",
            body=[pack(prompt)],
        )


class Agents:
    """An `AgentPort` over one connection; `changed` is called when an agent came or went."""

    def __init__(self, tasks: asyncio.TaskGroup, changed: Callable[[], None]) -> None:
        self._tasks = tasks
        self._changed = changed
        self._bus: PacedBus | None = None
        self._agent: _Agent | None = None

    def attach(self, bus: PacedBus) -> None:
        """Use this connection; when it ends the agent is forgotten."""
        self._bus = bus
        bus.on_gone(self._forget)

    def is_present(self) -> bool:
        """Tell whether an agent is registered."""
        return self._agent is not None

    async def ask(self, prompt: Mapping[str, Any]) -> bool:
        """Show a prompt, return whether it was accepted; raises `AgentGone`."""
        agent = self._agent
        if agent is None:
            raise AgentGone("no agent is registered")
        question = agent.message("Ask", prompt)
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        agent.waiting.add(answer)
        relay = self._tasks.create_task(self._relay(agent, question, answer))
        try:
            return await answer
        finally:
            agent.waiting.discard(answer)
            relay.cancel()

    async def _relay(self, agent: _Agent, question: Message, answer: asyncio.Future[bool]) -> None:
        try:
            [accepted] = await self._attached().invoke(question)
        except (RemoteError, NotReachable, ValueError) as error:
            log.info("agent %s gave no answer: %s", agent.sender, error)
            if agent is self._agent:
                self._forget()
            _fail(answer)
            return
        if not answer.done():
            answer.set_result(accepted is True)

    def inform(self, prompt: Mapping[str, Any]) -> None:
        """Tell the agent, if there is one, without asking."""
        if self._agent is not None and self._bus is not None and self._bus.connected:
            message = self._agent.message("Inform", prompt)
            message.flags = MessageFlag.NO_REPLY_EXPECTED
            self._bus.send(message)

    async def register(self, sender: str, path: str) -> None:
        """Make `sender` the agent; the newest wins, asks at an older one raise `AgentGone`."""
        bus = self._attached()
        await bus.invoke_bus("AddMatch", owner_rule(sender))
        if not await bus.invoke_bus("NameHasOwner", sender):
            bus.unmatch(owner_rule(sender))
            return  # it left before the match was in place
        self._drop()
        self._agent = _Agent(sender, path)
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
            _fail(answer)
        if self._bus is not None and self._bus.connected:
            self._bus.unmatch(owner_rule(agent.sender))

    def _attached(self) -> PacedBus:
        if self._bus is None:
            raise NotReachable("not connected to the message bus")
        return self._bus


def _fail(answer: asyncio.Future[bool]) -> None:
    if not answer.done():
        answer.set_exception(AgentGone("the agent left or gave no answer"))
