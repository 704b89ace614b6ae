# SPDX-License-Identifier: Apache-2.0
"""A desktop: a notification server on a bus, in a thread, and the person in front of it.

It behaves as the Desktop Notifications Specification says: numbers, replacing, buttons,
closing with a reason.  What is on its screen goes with it.  A later one takes its name over.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dbus_next.constants import NameFlag

from scomod.buswire import Message, MessageType, PacedBus, open_bus, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TAKEN_OVER = NameFlag.ALLOW_REPLACEMENT | NameFlag.REPLACE_EXISTING | NameFlag.DO_NOT_QUEUE
NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
DISMISSED, CLOSED = 2, 3
PATIENCE_S = 100.0


@dataclass
class Shown:
    """One notification on the screen."""

    number: int
    summary: str
    body: str
    actions: list[str]
    hints: dict[str, Any]
    expires_ms: int

    @property
    def labels(self) -> dict[str, str]:
        return dict(zip(self.actions[::2], self.actions[1::2], strict=True))


@dataclass
class Desktop:
    """What the person sees; `past` is all that was ever shown, also what was replaced."""

    capabilities: list[str]
    screen: dict[int, Shown] = field(default_factory=dict)
    past: list[Shown] = field(default_factory=list)
    before_answer: Callable[[], None] = lambda: None
    _last: int = 0
    _bus: PacedBus | None = None
    _loop: asyncio.AbstractEventLoop | None = None

    # -- the person ---------------------------------------------------------------

    def wait_for(self, condition: Callable[[Shown], bool]) -> Shown:
        """Wait until something is on the screen."""
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            for shown in list(self.screen.values()):
                if condition(shown):
                    return shown
            time.sleep(0.005)
        raise AssertionError(f"not on the screen, but {self.screen}")

    def wait_until_gone(self, number: int) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while number in self.screen:
            assert time.monotonic() < end_s, f"still there: {self.screen[number]}"
            time.sleep(0.005)

    def press(self, shown: Shown, key: str) -> None:
        assert key in shown.labels, f"no such button: {shown.labels}"
        self._do(lambda: self._signal("ActionInvoked", "us", [shown.number, key]))
        self._do(lambda: self._close(shown.number, DISMISSED))

    def dismiss(self, shown: Shown) -> None:
        self._do(lambda: self._close(shown.number, DISMISSED))

    def rest(self) -> None:
        """Return when the server has done what it is at."""
        self._do(lambda: None)

    def _do(self, work: Callable[[], None]) -> None:
        done: Future[None] = Future()

        def run() -> None:
            work()
            done.set_result(None)

        assert self._loop is not None
        self._loop.call_soon_threadsafe(run)
        done.result(timeout=PATIENCE_S)

    # -- the server -----------------------------------------------------------------

    async def open(self, address: str) -> PacedBus:
        self._loop, self._bus = asyncio.get_running_loop(), await open_bus(address)
        self._bus.add_message_handler(self._on_message)
        await self._bus.request_name(NAME, TAKEN_OVER)
        return self._bus

    def _on_message(self, call: Message) -> Message | bool | None:
        if call.message_type is not MessageType.METHOD_CALL or call.interface != NAME:
            return None
        match call.member, call.signature:
            case "GetCapabilities", "":
                return Message.new_method_return(call, "as", [self.capabilities])
            case "Notify", "susssasa{sv}i":
                return Message.new_method_return(call, "u", [self._notify(*call.body)])
            case "CloseNotification", "u":
                self._close(call.body[0], CLOSED)
                return Message.new_method_return(call, "", [])
        return Message.new_error(call, "org.freedesktop.DBus.Error.UnknownMethod", "no such method")

    def _notify(self, *said: Any) -> int:
        _, replaces, _, summary, body, actions, hints, expires_ms = said
        assert not actions or "actions" in self.capabilities, "buttons nobody can press"
        if replaces:
            number = replaces
        else:
            self._last += 1
            number = self._last
        shown = Shown(number, summary, body, actions, unpack(hints), expires_ms)
        self.past.append(shown)
        self.before_answer()
        self.screen[number] = shown
        return int(number)

    def _close(self, number: int, reason: int) -> None:
        if self.screen.pop(number, None) is not None:
            self._signal("NotificationClosed", "uu", [number, reason])

    def _signal(self, member: str, signature: str, body: list[Any]) -> None:
        assert self._bus is not None
        self._bus.send(Message.new_signal(PATH, NAME, member, signature, body))


@contextlib.contextmanager
def desktop(
    address: str, capabilities: tuple[str, ...] = ("actions", "body", "body-markup")
) -> Iterator[Desktop]:
    """Have a notification server on the bus at `address`."""
    screen = Desktop(list(capabilities))
    opened: Future[asyncio.Event] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        bus = await screen.open(address)
        opened.set_result(stop)
        await stop.wait()
        screen.screen.clear()
        await bus.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        stop = opened.result(timeout=PATIENCE_S)
        try:
            yield screen
        finally:
            assert screen._loop is not None
            screen._loop.call_soon_threadsafe(stop.set)
    finally:
        thread.join(timeout=PATIENCE_S)
        assert not thread.is_alive()
