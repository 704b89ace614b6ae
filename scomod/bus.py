# SPDX-License-Identifier: Apache-2.0
"""The D-Bus service `org.scomod1`: exports a `Facade`, tells its news, reaches the agent.

Not the daemon: it decides nothing.  Calls are served from one table by one
wrapper instead of the library's service classes, which send tracebacks to
callers and do not say who calls (I15, testbed §3).  Three interfaces, split by
right; the bus policy grants them (design §11).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final

from scomod.busaddress import (
    BUS_NAME,
    ERROR_ACCESS_DENIED,
    ERROR_FAILED,
    ERROR_REFUSED,
    ERROR_UNKNOWN,
    ERROR_WRONG_PIN,
    OBJECT_PATH,
    STATUS_INTERFACE,
    NameTaken,
    NotReachable,
    RemoteError,
)
from scomod.busagent import Agents, who
from scomod.busmethods import METHODS, SIGNALS, Export, introspection
from scomod.buswire import (
    Message,
    MessageFlag,
    MessageType,
    PacedBus,
    clean,
    close_files,
    open_bus,
    owner_change,
    pack,
    take_files,
)
from scomod.errors import ScomodError
from scomod.facade import AccessDenied, Refused, Unknown, WrongPin

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from scomod.clock import Clock
    from scomod.facade import Facade

log = logging.getLogger(__name__)

PROGRESS_INTERVAL_S: Final = 1.0
REGISTER: Final = ("RegisterAgent", "RegisterAgentIn")
_INTROSPECTABLE: Final = "org.freedesktop.DBus.Introspectable"
_PEER: Final = "org.freedesktop.DBus.Peer"
_ERROR: Final = "org.freedesktop.DBus.Error."
_NEUTRAL: Final = "scomod could not do that; its log says why"

_ERROR_NAMES: Final[tuple[tuple[type[ScomodError], str], ...]] = (
    (AccessDenied, ERROR_ACCESS_DENIED),
    (WrongPin, ERROR_WRONG_PIN),
    (Refused, ERROR_REFUSED),
    (Unknown, ERROR_UNKNOWN),
)


class BusServer:
    """The service on one connection; also the daemon's `AgentPort` and `AlertPort`.

    `tasks` is the daemon's task group: each call is served by a task in it.
    `on_agent_change` are called after an agent came, left or was replaced, `on_rest`
    after a call was served or a question was answered.  While `is_open` is not set, only
    agents are let in.  `language` is that of the device.
    """

    def __init__(
        self, facade: Facade, tasks: asyncio.TaskGroup, clock: Clock, language: str = ""
    ) -> None:
        self.facade = facade
        self.on_agent_change: list[Callable[[], None]] = []
        self._tasks = tasks
        self._clock = clock
        self._bus: PacedBus | None = None
        self.agents = Agents(tasks, self._agent_changed, language)
        self._language = language
        self._progress_s: dict[int, float] = {}
        self.on_rest: Callable[[], None] = lambda: None
        self.is_open = asyncio.Event()
        self.is_open.set()
        self._calls_count = 0

    async def connect(self, address: str) -> None:
        """Connect, serve, and take the name; raises `NotReachable` and `NameTaken`."""
        bus = await open_bus(address)
        bus.add_message_handler(self._on_message)
        self._bus = bus
        self.agents.attach(bus)
        try:
            await bus.claim(BUS_NAME)
        except (NameTaken, RemoteError, NotReachable) as error:
            await self.close()
            raise _name_error(error, address) from error

    async def close(self) -> None:
        """Leave the bus; pending asks raise `AgentGone`."""
        if self._bus is not None:
            await self._bus.close()
            self._bus = None

    async def on_disconnect(self) -> None:
        """Return when the connection has ended, by either side; pending asks are over then."""
        if self._bus is not None:
            await self._bus.wait_gone()

    @property
    def connection(self) -> PacedBus:
        """The connection; raises `NotReachable` where there is none."""
        if self._bus is None:
            raise NotReachable("not connected to the message bus")
        return self._bus

    @property
    def is_busy(self) -> bool:
        """Tell whether a call is being served, or the agent is being asked."""
        return self._calls_count > 0 or self.agents.is_asking

    async def release(self) -> None:
        """Give the name back: from now on calls start a new daemon; what came before is here."""
        await self.connection.invoke_bus("ReleaseName", BUS_NAME)

    async def who(self, sender: str) -> str:
        """Say who a caller is, for the history."""
        return await who(self.connection, sender)

    def emit(self, event: str, record: Mapping[str, Any]) -> None:
        """Send the signal `event` (a key of `SIGNALS`), if we are on the bus.

        Progress takes `{"id", "done", "total"}`: octets, total None while unknown (sent
        as 0), or thousandths of a change; it leaves once a second per operation at most.
        """
        signature = SIGNALS[event]
        if self._bus is None or not self._bus.connected:
            return
        if event == "Progress" and not self._is_progress_due(record["id"]):
            return
        self._bus.send(
            Message.new_signal(
                OBJECT_PATH,
                STATUS_INTERFACE,
                event,
                "".join(kind for _, kind in signature),
                _signal_body(event, self.spoken(record) if event == "PromptChanged" else record),
            )
        )

    def spoken(self, prompt: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a prompt as everybody reads it: in the language of the device."""
        from scomod.language import spoken  # noqa: PLC0415 - when something is shown

        return spoken(prompt, self._language)

    def _is_progress_due(self, operation_id: int) -> bool:
        now_s = self._clock.monotonic_s()
        recent = {
            key: sent_s
            for key, sent_s in self._progress_s.items()
            if now_s - sent_s < PROGRESS_INTERVAL_S
        }
        is_due = operation_id not in recent
        self._progress_s = recent if not is_due else {**recent, operation_id: now_s}
        return is_due

    # calls

    def _on_message(self, message: Message) -> Message | bool | None:
        """See every message: calls are ours; `True` tells the library that it has no work."""
        if message.message_type is MessageType.SIGNAL:
            if (change := owner_change(message)) and not change[1]:
                self.agents.left(change[0])
            return None
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        if message.interface == _PEER and message.member == "Ping":
            return None
        reply = self._begin(message)
        return True if reply is None or _wants_no_reply(message) else reply

    def _begin(self, call: Message) -> Message | None:
        """Return the answer to a call, or None when a task will give it."""
        if (call.interface, call.member, call.signature) == (_INTROSPECTABLE, "Introspect", ""):
            return Message.new_method_return(call, "s", [introspection(call.path)])
        export = METHODS.get((call.interface, call.member))
        if export is None or call.path != OBJECT_PATH:
            return _error(call, f"{_ERROR}UnknownMethod", "no such method on this object")
        if call.signature != export.signature:
            text = f"{call.member} takes ({export.signature}), not ({call.signature})"
            return _error(call, f"{_ERROR}InvalidArgs", text)
        files = take_files(call) if export.takes_files else []
        return self._spawn(call, self._serve(call, export, files), files)

    def _spawn(
        self, call: Message, work: Coroutine[Any, Any, None], files: list[int]
    ) -> Message | None:
        try:
            self._tasks.create_task(work)
            self._calls_count += 1
        except RuntimeError:  # the group is on its way down
            work.close()
            close_files(files)
            return _error(call, ERROR_FAILED, "scomod is stopping: try again in a moment")
        return None

    async def _serve(self, call: Message, export: Export, files: list[int]) -> None:
        """Serve one call: the wrapper through which no exception text or traceback leaves."""
        try:
            if call.interface != STATUS_INTERFACE:
                from scomod.busrights import check  # noqa: PLC0415 - who looks needs no right

                await check(self.connection, call)
            if call.member not in REGISTER:
                await self.is_open.wait()
            result = export.serve(self, call.sender, *export.arguments(call.body, files))
            if isinstance(result, Awaitable):
                result = await result
            kinds = "".join(kind for _, kind in export.gives)
            self._send(call, Message.new_method_return(call, kinds, [result] if kinds else []))
        except Exception as error:  # noqa: BLE001 - the D-Bus seam (design §15.7)
            self._send(call, _failure(call, error))
        finally:
            close_files(files)
            self._calls_count -= 1
            self.on_rest()

    def _send(self, call: Message, reply: Message) -> None:
        if self._bus is not None and self._bus.connected and not _wants_no_reply(call):
            self._bus.send(reply)

    # AgentPort, AlertPort

    def _agent_changed(self) -> None:
        for hear in self.on_agent_change:
            hear()

    def is_present(self) -> bool:
        """Tell whether an agent is registered."""
        return self.agents.is_present()

    def identity(self) -> str:
        """Say who the agent is, for the history."""
        return self.agents.identity()

    async def ask(self, prompt: Mapping[str, Any]) -> bool:
        """Show a prompt to the agent, return the answer; raises `AgentGone`, `Deferred`."""
        try:
            return await self.agents.ask(prompt)
        finally:
            self.on_rest()

    def inform(self, prompt: Mapping[str, Any]) -> None:
        """Tell the agent, if there is one, without asking."""
        self.agents.tell("Inform", prompt)

    def completed(self, operation: Mapping[str, Any]) -> None:
        """Tell the agent, if there is one, how an operation ended."""
        self.agents.tell("Completed", operation)

    async def show(self, method: str, alert: Mapping[str, Any]) -> Any:
        """Put a user alert to the agent; raises `AgentGone`, `Cancelled`, `NotShown`."""
        try:
            return await self.agents.show(method, alert)
        finally:
            self.on_rest()


def _signal_body(event: str, record: Mapping[str, Any]) -> list[Any]:
    if event == "Progress":
        return [record["id"], record["done"], record["total"] or 0]
    return [pack(record)]


def _wants_no_reply(call: Message) -> bool:
    return bool(call.flags & MessageFlag.NO_REPLY_EXPECTED)


def _error(call: Message, name: str, text: str) -> Message:
    return Message.new_error(call, name, clean(text))


def _failure(call: Message, error: Exception) -> Message:
    """Turn an exception into what the caller may know; the rest goes to the log."""
    for kind, name in _ERROR_NAMES:
        if isinstance(error, kind):
            return _error(call, name, str(error))
    if isinstance(error, ScomodError):
        log.warning("%s over d-bus failed: %s", call.member, error)
    else:
        log.error("internal error: %s over d-bus", call.member, exc_info=error)
    return _error(call, ERROR_FAILED, _NEUTRAL)


def _name_error(error: ScomodError, address: str) -> ScomodError:
    if not isinstance(error, RemoteError):
        return error
    if error.name == ERROR_ACCESS_DENIED:
        return NameTaken(
            f"the message bus at {address} does not let this user own {BUS_NAME}: "
            "install the policy file org.scomod1.conf and start scomod as the user it names"
        )
    return NameTaken(str(error))
