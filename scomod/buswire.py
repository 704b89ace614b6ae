# SPDX-License-Identifier: Apache-2.0
"""The D-Bus library behind one file: a connection that survives full sockets, and values.

Neither the service (`bus.py`) nor the client (`busclient.py`): what both stand
on.  This module alone imports dbus_next (I15), so that a successor of that
library changes one file.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dbus_next.aio.message_bus import MessageBus
from dbus_next.constants import MessageFlag, MessageType, NameFlag, RequestNameReply
from dbus_next.errors import AuthError, DBusError, InvalidAddressError
from dbus_next.message import Message
from dbus_next.signature import Variant

from scomod.busaddress import ERROR_FAILED, NameTaken, NotReachable, RemoteError, no_bus

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Message",
    "MessageFlag",
    "MessageType",
    "PacedBus",
    "Variant",
    "bus_message",
    "clean",
    "close_files",
    "open_bus",
    "owner_change",
    "owner_rule",
    "pack",
    "take_files",
    "unpack",
]

CONNECT_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 1.0
WAITING_COUNT: Final = 512
BUS: Final = "org.freedesktop.DBus"
_LOST: Final = (OSError, EOFError, ValueError)  # what the library gives to calls cut short


class PacedBus(MessageBus):
    """A connection that hands the library one message at a time.

    The library's writer goes on sending while it has messages, and ends the
    connection when the socket is full in between (EAGAIN).  With one message in
    flight it never meets a full socket.  When `WAITING_COUNT` messages wait
    because the bus stands still, the oldest signal is dropped: signals tell the
    newest state.  Also closes its socket, which the library leaves open, and the files that
    come with messages, but for those that somebody took (`take_files`).
    """

    def __init__(self, address: str) -> None:
        self._outgoing: deque[tuple[Message, asyncio.Future[None]]] = deque()
        self._last_sent: asyncio.Future[None] | None = None
        self._is_sending = False
        self._is_closed = False
        try:
            super().__init__(bus_address=address, negotiate_unix_fd=True)
        except (OSError, ValueError):
            self._release()
            raise

    def send(self, message: Message) -> asyncio.Future[None]:  # type: ignore[override] # as aio
        """Queue a message; the future ends when the kernel has it, or never if the bus is gone.

        Raises `ValueError` for a body that does not fit its signature: later, in
        the middle of the queue, nobody could be told.
        """
        message.signature_tree.verify(message.body)
        if not message.serial:
            message.serial = self.next_serial()
        sent = asyncio.get_running_loop().create_future()
        self._outgoing.append((message, sent))
        self._last_sent = sent
        if not self._is_sending:
            self._send_next()
        elif len(self._outgoing) > WAITING_COUNT:
            self._drop_oldest_signal()
        return sent

    def _send_next(self) -> None:
        self._is_sending = bool(self._outgoing) and not self._is_closed
        if self._is_sending:
            message, sent = self._outgoing.popleft()
            super().send(message).add_done_callback(lambda written: self._sent(written, sent))

    def _sent(self, written: asyncio.Future[None], sent: asyncio.Future[None]) -> None:
        if written.cancelled() or written.exception() is not None:
            sent.cancel()
            return
        if not sent.done():
            sent.set_result(None)
        self._send_next()

    def _drop_oldest_signal(self) -> None:
        for index, (message, sent) in enumerate(self._outgoing):
            if message.message_type is MessageType.SIGNAL:
                del self._outgoing[index]
                sent.cancel()
                return

    def _on_message(self, message: Message) -> None:
        try:
            super()._on_message(message)  # type: ignore[no-untyped-call]
        finally:
            close_files(take_files(message))

    def add_message_handler(self, handler: Callable[[Message], Message | bool | None]) -> None:
        """Have `handler` see every message, before those that are there already.

        The library's own brings `inspect` to look at it, and changes what it walks over.
        """
        self._user_message_handlers = [handler, *self._user_message_handlers]

    def remove_message_handler(self, handler: Callable[[Message], Message | bool | None]) -> None:
        """Have `handler` see nothing any more."""
        left = [each for each in self._user_message_handlers if each != handler]
        self._user_message_handlers = left

    def _call(
        self, message: Message, callback: Callable[[Message | None, Exception | None], None]
    ) -> None:
        # what the library does for a call of ours, but for the same look
        self.send(message)
        self._method_return_handlers[message.serial] = callback

    async def invoke(self, message: Message, gives: str | None = None) -> list[Any]:
        """Call and return the body of the reply; raises `RemoteError`, `NotReachable`.

        A reply with another signature than `gives`, if that is said, is an error too.
        """
        if not self.connected:
            raise NotReachable("the message bus went away: try again when it is back")
        try:
            reply = await self.call(message)
        except _LOST as error:
            raise NotReachable("the message bus went away during the call") from error
        if reply is None:
            raise NotReachable("the connection was closed during the call")
        if reply.message_type is MessageType.ERROR:
            text = reply.body[0] if reply.body and isinstance(reply.body[0], str) else ""
            raise RemoteError(reply.error_name, text or reply.error_name)
        if gives not in (None, reply.signature):
            raise RemoteError(ERROR_FAILED, f"answered with ({reply.signature}), not ({gives})")
        return list(reply.body)

    async def invoke_bus(self, member: str, argument: str) -> Any:
        """Call a method of the bus itself that takes a string; returns its one value or None."""
        body = await self.invoke(bus_message(member, "s", [argument]))
        return body[0] if body else None

    async def claim(self, name: str) -> None:
        """Own a well-known name; raises `NameTaken`, `RemoteError`, `NotReachable`."""
        request = bus_message("RequestName", "su", [name, NameFlag.DO_NOT_QUEUE.value])
        [reply] = await self.invoke(request)
        if reply == RequestNameReply.EXISTS.value:
            raise NameTaken(f"another program already owns {name} on this bus: stop it first")

    def unmatch(self, rule: str) -> None:
        """Take back a match rule, without waiting for the bus."""
        message = bus_message("RemoveMatch", "s", [rule])
        message.flags = MessageFlag.NO_REPLY_EXPECTED
        self.send(message)

    def on_gone(self, callback: Callable[[], None]) -> None:
        """Have `callback` called once when the connection has ended, by either side."""
        self._disconnect_future.add_done_callback(lambda _: callback())

    async def wait_gone(self) -> None:
        """Return when the connection has ended."""
        await asyncio.wait({self._disconnect_future})

    async def close(self) -> None:
        """Let what is queued leave, for a moment, and close; may be called twice."""
        if self._is_closed:
            return
        if self.connected and self._last_sent is not None:
            await asyncio.wait({self._last_sent}, timeout=CLOSE_TIMEOUT_S)
        self._user_disconnect = True
        self._finalize(None)  # type: ignore[no-untyped-call]
        self._disconnect_future.exception()  # seen: closing is no news to us
        self._release()

    def _release(self) -> None:
        self._is_closed = True
        for name in ("_stream", "_sock"):
            with contextlib.suppress(AttributeError, OSError):
                getattr(self, name).close()

    async def _auth_readline(self) -> str:
        # The library's own loop spins for ever when the peer hangs up here.
        line = b""
        while not line.endswith(b"\r\n"):
            octet = await self._loop.sock_recv(self._sock, 1)
            if not octet:
                raise EOFError("hung up during authentication")
            line += octet
        return line[:-2].decode()


def take_files(message: Message) -> list[int]:
    """Return the open files that came with a message: whoever takes them closes them."""
    files, message.unix_fds = list(message.unix_fds), []
    return files


def close_files(files: list[int]) -> None:
    """Close what was taken."""
    for file in files:
        os.close(file)


def bus_message(member: str, signature: str, body: list[Any]) -> Message:
    """Return a call to the bus itself."""
    return Message(
        destination=BUS,
        path="/org/freedesktop/DBus",
        interface=BUS,
        member=member,
        signature=signature,
        body=body,
    )


async def open_bus(address: str) -> PacedBus:
    """Connect; raises `NotReachable` with a sentence that says what to do."""
    try:
        bus = PacedBus(address)
    except (OSError, ValueError, InvalidAddressError) as error:
        raise no_bus(address, _why(error)) from error
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await bus.connect()
    except (OSError, EOFError, ValueError, AuthError, DBusError) as error:
        await bus.close()
        raise no_bus(address, _why(error)) from error
    return bus


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or "it does not answer"


def owner_change(message: Message) -> tuple[str, str] | None:
    """Return (name, new owner or "") if the bus says that a name changed hands, else None."""
    if message.sender == BUS and message.member == "NameOwnerChanged":
        name, _, new = message.body
        return name, new
    return None


def owner_rule(name: str) -> str:
    """Return the match rule for `owner_change` of one name."""
    return f"type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{name}'"


def pack(record: Mapping[str, Any]) -> dict[str, Variant]:
    """Turn a record into a{sv}; None is left out.  Raises `TypeError` for what JSON has not."""
    return {key: _variant(value) for key, value in record.items() if value is not None}


def _variant(value: Any) -> Variant:
    match value:
        case bool():
            return Variant("b", value)
        case int():
            return Variant("x", int(value))
        case float():
            return Variant("d", value)
        case str():
            return Variant("s", clean(value))
        case Mapping():
            return Variant("a{sv}", pack(value))
        case list() | tuple():
            return _array(value)
        case _:
            raise TypeError(f"no D-Bus type for {type(value).__name__}")


def _array(values: list[Any] | tuple[Any, ...]) -> Variant:
    if all(isinstance(value, str) for value in values):
        return Variant("as", [clean(value) for value in values])
    if all(isinstance(value, Mapping) for value in values):
        return Variant("aa{sv}", [pack(value) for value in values])
    if all(type(value) is int for value in values):
        return Variant("ax", list(values))
    return Variant("av", [_variant(value) for value in values])


def clean(text: str) -> str:
    """Replace what D-Bus strings must not contain: the bus hangs up on NUL and on surrogates."""
    return str(text).replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def unpack(value: Any) -> Any:
    """Turn what came over the bus into plain values, the reverse of `pack`."""
    if isinstance(value, Variant):
        return unpack(value.value)
    if isinstance(value, dict):
        return {key: unpack(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unpack(item) for item in value]
    return value
