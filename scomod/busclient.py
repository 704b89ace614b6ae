# SPDX-License-Identifier: Apache-2.0
"""Typed calls on a running daemon for the command line and the bench.

Not the service (`bus.py`).  Values come and go as plain Python; the method
names are those of `Facade`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final, Self

from scomod.busaddress import (
    AGENT_INTERFACE,
    AGENT_PATH,
    BUS_NAME,
    CONTROL_INTERFACE,
    ERROR_ACCESS_DENIED,
    OBJECT_PATH,
    STATUS_INTERFACE,
    TRACE_INTERFACE,
    TREE_INTERFACE,
    NotReachable,
    RemoteError,
    no_bus,
    no_daemon,
)
from scomod.busdesk import Desk, shows_nothing
from scomod.buswire import (
    BUS,
    Message,
    MessageFlag,
    MessageType,
    PacedBus,
    clean,
    open_bus,
    owner_change,
    owner_rule,
    pack,
    unpack,
)
from scomod.secret import Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from scomod.facade import Record

CALL_TIMEOUT_S: Final = 30.0
_ABSENT: Final = (
    f"{BUS}.Error.ServiceUnknown",
    f"{BUS}.Error.NameHasNoOwner",
    f"{BUS}.Error.NoReply",
    f"{BUS}.Error.TimedOut",
    f"{BUS}.Error.Spawn.",
)
_SIGNAL_RULE: Final = f"type='signal',sender='{BUS_NAME}',path='{OBJECT_PATH}'"
_DAEMON_CAME: Final = object()
# Where polkit is asked, a person may have to find a password.
_SILENTLY: Final = MessageFlag.NONE
_BY_PERSON: Final = MessageFlag.ALLOW_INTERACTIVE_AUTHORIZATION
PERSON_TIMEOUT_S: Final = 200.0
_NO_PIN: Final = Secret("")


class Client:
    """One connection to the bus, used by one caller; `async with await Client.connect(...)`."""

    def __init__(self, bus: PacedBus, address: str) -> None:
        self._bus = bus
        self._address = address
        self._owner = ""  # unique name of the daemon, known once we follow it

    @classmethod
    async def connect(cls, address: str) -> Self:
        """Connect to the bus (not yet to the daemon); raises `NotReachable`."""
        return cls(await open_bus(address), address)

    async def close(self) -> None:
        """End the connection; what waits on it ends with `NotReachable`."""
        await self._bus.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def status(self) -> Record:
        """`Facade.status`; like all calls raises `RemoteError` and `NotReachable`."""
        return dict(await self._call(STATUS_INTERFACE, "GetStatus"))

    async def inventory(self) -> Record:
        """`Facade.inventory`."""
        return dict(await self._call(STATUS_INTERFACE, "GetInventory"))

    async def baseline(self) -> Record:
        """`Facade.baseline`."""
        return dict(await self._call(STATUS_INTERFACE, "GetBaseline"))

    async def operations(self) -> list[Record]:
        """`Facade.operations`."""
        return list(await self._call(STATUS_INTERFACE, "GetOperations"))

    async def reasons(self, operation_id: int) -> Record:
        """`Facade.reasons`."""
        return dict(await self._call(STATUS_INTERFACE, "GetReasons", "t", operation_id))

    async def plan(self, operation_id: int) -> Record:
        """`Facade.plan`."""
        return dict(await self._call(STATUS_INTERFACE, "GetPlan", "t", operation_id))

    async def checkup(self) -> list[Record]:
        """`Facade.checkup`."""
        return list(await self._call(STATUS_INTERFACE, "GetCheckup"))

    async def may_steer(self) -> bool:
        """Tell whether the bus lets us change something, by what is of no consequence."""
        try:
            body = (f"{AGENT_PATH}/nobody",)
            await self._call(CONTROL_INTERFACE, "UnregisterAgent", "o", *body, flags=_SILENTLY)
        except RemoteError as error:
            return error.name != ERROR_ACCESS_DENIED
        return True

    async def prompts(self) -> list[Record]:
        """`Facade.prompts`."""
        return list(await self._call(STATUS_INTERFACE, "GetPrompts"))

    async def run_session(self, server_id: str) -> Record:
        """`Facade.run_session`; returns when the session has ended, however long it takes."""
        call = self._call(CONTROL_INTERFACE, "RunSession", "s", server_id, timeout_s=None)
        return dict(await call)

    async def one_operation(self, operation_id: int) -> Record:
        """`Facade.one_operation`."""
        return dict(await self._call(STATUS_INTERFACE, "GetOperation", "t", operation_id))

    async def history(self) -> list[Record]:
        """`Facade.history`."""
        return list(await self._call(STATUS_INTERFACE, "GetHistory"))

    async def cancel(self, operation_id: int) -> str:
        """`Facade.cancel`."""
        return str(await self._call(CONTROL_INTERFACE, "Cancel", "t", operation_id))

    async def request(self, kind: str, component: str, server_id: str) -> Record:
        """`Facade.request`; a session may take long."""
        body = (kind, component, server_id)
        call = self._call(CONTROL_INTERFACE, "Request", "sss", *body, timeout_s=None)
        return dict(await call)

    async def answer(self, operation_id: int, *, is_accepted: bool) -> None:
        """`Facade.answer`."""
        await self._call(CONTROL_INTERFACE, "Answer", "tb", operation_id, is_accepted)

    async def defer(self, operation_id: int, when: str) -> float:
        """`Facade.defer`."""
        return float(await self._call(CONTROL_INTERFACE, "Defer", "ts", operation_id, when))

    async def bootstrap(
        self, document: bytes, sec: str = "", mac: str = "", pin: Secret = _NO_PIN
    ) -> list[str]:
        """`Facade.bootstrap`."""
        arguments = (document, sec, mac, pin.reveal())
        return list(await self._call(CONTROL_INTERFACE, "Bootstrap", "aysss", *arguments))

    async def push(self, kind: str, octets: bytes, sender: str) -> None:
        """`Facade.push`."""
        await self._call(CONTROL_INTERFACE, "Push", "says", kind, octets, sender)

    async def install(self, file: int, signature: bytes, what: Record) -> int:
        """`Facade.install`; returns when the file is copied and judged, however long it takes."""
        body = (0, signature, pack(what))  # the number of the file among those that come along
        call = self._call(
            CONTROL_INTERFACE, "Install", "haya{sv}", *body, timeout_s=None, files=[file]
        )
        return int(await call)

    async def tree_children(self, uri: str) -> list[str]:
        """`Facade.tree_children`."""
        return list(await self._call(TREE_INTERFACE, "Children", "s", uri))

    async def tree_node(self, uri: str) -> Record:
        """`Facade.tree_node`."""
        return dict(await self._call(TREE_INTERFACE, "Node", "s", uri))

    async def tree_octets(self, uri: str, offset: int) -> bytes:
        """`Facade.tree_octets`."""
        return bytes(await self._call(TREE_INTERFACE, "Read", "st", uri, offset))

    async def traces(self) -> list[Record]:
        """`Facade.traces`."""
        return list(await self._call(TRACE_INTERFACE, "List"))

    async def trace(self, number: int) -> Record:
        """`Facade.trace`."""
        return dict(await self._call(TRACE_INTERFACE, "Read", "t", number))

    async def subscribe(self, came: str = "") -> AsyncIterator[tuple[str, Record]]:
        """Return an iterator over (signal name, record) from this moment on.

        It survives restarts of the daemon, which are events `came`, if that is said, with an
        empty record, and raises `NotReachable` when the bus goes.
        """
        events: asyncio.Queue[Any] = asyncio.Queue()
        await self._follow_owner(lambda owner: events.put_nowait(came) if owner and came else None)
        self._on_message(MessageType.SIGNAL, STATUS_INTERFACE, events.put_nowait)
        self._bus.on_gone(lambda: events.put_nowait(None))
        await self._bus.invoke_bus("AddMatch", _SIGNAL_RULE)
        return self._records(events, came)

    async def _records(
        self, events: asyncio.Queue[Any], came: str
    ) -> AsyncIterator[tuple[str, Record]]:
        while (message := await events.get()) is not None:
            yield (message, {}) if message == came else (message.member, _record_of(message))
        raise no_bus(self._address, "it went away")

    async def serve_agent(
        self,
        ask: Callable[[Record], Awaitable[bool]],
        inform: Callable[[Record], None],
        ready: Callable[[], None],
        show: Callable[[str, Record], Awaitable[Any]] = shows_nothing,
        completed: Callable[[Record], None] = lambda _: None,
        *,
        language: str = "",
        start: Callable[[Coroutine[Any, Any, None]], object] | None = None,
    ) -> None:
        """Be the agent until cancelled; raises `NotReachable`, or `RemoteError` if refused.

        `ask` answers one prompt at a time or raises `AgentGone` or `Deferred`; `inform`
        tells, `completed` how it ended; `show` puts a user alert to the person
        (`AlertPort.show`).  `ask` and `show` may be cancelled while they wait.
        Prompts are in `language` (as `$LANGUAGE`, "" for that of the device).  With `start`
        questions do not wait for one another, each is answered in a task that it starts.
        Whenever the daemon comes (back) the agent is registered and `ready` called; to be
        asked what waits the daemon is started once, and never for the agent's sake again.
        """
        desk = Desk(ask, inform, show, completed)
        turns: asyncio.Queue[Any] = asyncio.Queue()

        def take(call: Message) -> None:
            if desk.lines_up(call):
                turns.put_nowait(call)
            elif error := desk.take(call):
                self._bus.send(error)

        def moved(owner: str) -> None:
            desk.clear()  # nobody waits for these answers any longer
            if owner:
                turns.put_nowait(_DAEMON_CAME)

        self._bus.on_gone(lambda: turns.put_nowait(None))
        self._on_message(MessageType.METHOD_CALL, AGENT_INTERFACE, take)
        await self._follow_owner(moved)
        await self.register_agent(language)
        ready()
        while (turn := await turns.get()) is not None:
            if turn is _DAEMON_CAME:
                with contextlib.suppress(NotReachable):  # gone again: it will be back
                    await self.register_agent(language, MessageFlag.NO_AUTOSTART)
                    ready()
            elif start is not None:
                start(self._reply(desk, turn))
            else:
                await self._reply(desk, turn)
        desk.clear()
        raise no_bus(self._address, "it went away")

    async def _reply(self, desk: Desk, call: Message) -> None:
        answer = await desk.answer(call)
        if self._bus.connected:
            self._bus.send(answer)

    async def register_agent(self, language: str, flags: MessageFlag = MessageFlag.NONE) -> None:
        """Be the agent, from now on or again; `serve_agent` answers."""
        await self._call(
            CONTROL_INTERFACE, "RegisterAgentIn", "os", AGENT_PATH, language, flags=flags
        )

    async def _follow_owner(self, changed: Callable[[str], None]) -> None:
        """Learn and keep up who owns the daemon's name: only its owner is listened to."""

        def take(message: Message) -> None:
            if (change := owner_change(message)) and change[0] == BUS_NAME:
                self._owner = change[1]
                changed(self._owner)

        self._bus.add_message_handler(take)
        await self._bus.invoke_bus("AddMatch", owner_rule(BUS_NAME))
        with contextlib.suppress(RemoteError):  # nobody owns it yet
            self._owner = await self._bus.invoke_bus("GetNameOwner", BUS_NAME)

    def _on_message(
        self, kind: MessageType, interface: str, take: Callable[[Message], None]
    ) -> None:
        """Give `take` what the daemon sends of a kind on an interface."""

        def handle(message: Message) -> bool:
            is_ours = message.message_type is kind and message.interface == interface
            if is_ours and message.sender == self._owner:
                take(message)
                return True
            return False

        self._bus.add_message_handler(handle)

    async def _call(
        self,
        interface: str,
        member: str,
        signature: str = "",
        *body: Any,
        timeout_s: float | None = CALL_TIMEOUT_S,
        flags: MessageFlag = _BY_PERSON,
        files: list[int] | None = None,
    ) -> Any:
        if timeout_s is not None and interface != STATUS_INTERFACE and flags is _BY_PERSON:
            timeout_s = PERSON_TIMEOUT_S
        message = Message(
            destination=BUS_NAME,
            path=OBJECT_PATH,
            interface=interface,
            member=member,
            signature=signature,
            body=[clean(value) if isinstance(value, str) else value for value in body],
            flags=flags,
            unix_fds=files or [],
        )
        try:
            async with asyncio.timeout(timeout_s):
                reply = await self._bus.invoke(message)
        except TimeoutError as error:
            raise NotReachable(
                f"scomod did not answer for {timeout_s:.0f} s: see its log"
            ) from error
        except RemoteError as error:
            if error.name.startswith(_ABSENT):
                raise no_daemon(self._address) from error
            raise
        return unpack(reply[0]) if reply else None


def _record_of(message: Message) -> Record:
    """Return the record of a signal; Progress carries its three numbers bare."""
    if message.member == "Progress":
        return dict(zip(("id", "done", "total"), message.body, strict=True))
    return dict(unpack(message.body[0]))
