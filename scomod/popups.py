# SPDX-License-Identifier: Apache-2.0
"""Notifications of a desktop: shown, answered by a button, closed, and shown again.

A client of `org.freedesktop.Notifications` (Desktop Notifications Specification 1.2) on a
session bus.  It knows nothing of what is asked (`agentdesktop.py`).  A question stays until
it is answered or its caller gives it up: one that the person or the server only closed comes
again after `REMIND_S`, and at once where the server came anew, as its popups went with it.
"""

from __future__ import annotations

import asyncio
import html
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from scomod.busaddress import NotReachable, RemoteError
from scomod.buswire import (
    Message,
    MessageType,
    PacedBus,
    Variant,
    clean,
    owner_change,
    owner_rule,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

SERVICE: Final = "org.freedesktop.Notifications"
PATH: Final = "/org/freedesktop/Notifications"
PROGRAM: Final = "scomod"
ENTRY: Final = "scomod-agent-desktop"  # its .desktop file, for servers that group by program
REMIND_S: Final = 600.0
NEVER: Final = 0  # an expiry; the server's own is -1
BY_SERVER: Final = -1
LOW, NORMAL, CRITICAL = range(3)
ACTIONS: Final = "actions"
MARKUP: Final = "body-markup"
_EARLY_COUNT: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Popup:
    """What is shown; `actions` are (key, label), `percent` is how far something is."""

    summary: str
    body: str = ""
    actions: tuple[tuple[str, str], ...] = ()
    urgency: int = NORMAL
    stays: bool = True
    percent: int | None = None


class Popups:
    """Shows notifications over one connection; `start` starts a task in the caller's group.

    `remind_s` is how soon a question that was only closed is back.
    """

    def __init__(
        self,
        bus: PacedBus,
        start: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]],
        remind_s: float = REMIND_S,
    ) -> None:
        self._bus = bus
        self._start = start
        self._remind_s = remind_s
        self._open: dict[int, asyncio.Future[str]] = {}
        self._early: dict[int, str] = {}  # news of a popup whose number is on its way to us
        self._placing_count = 0
        self._capabilities: frozenset[str] = frozenset()
        self._here = asyncio.Event()
        self._came = asyncio.Event()

    async def begin(self) -> None:
        """Find the server, or have it started; raises `NotReachable`."""
        self._bus.add_message_handler(self._hear)
        await self._bus.invoke_bus("AddMatch", owner_rule(SERVICE))
        await self._bus.invoke_bus("AddMatch", f"type='signal',interface='{SERVICE}'")
        try:
            await self._learn()
        except RemoteError:
            return  # nothing on this bus shows any: `here` waits for it

    async def here(self) -> None:
        """Return when there is a server."""
        await self._here.wait()

    @property
    def has_buttons(self) -> bool:
        """Whether a person can answer in a notification."""
        return ACTIONS in self._capabilities

    async def ask(self, popup: Popup) -> str:
        """Show a question until it is answered; returns the key of the action."""
        while True:
            number, chosen = await self._placed(popup)
            try:
                if key := await chosen:
                    self.close(number)
                    return key
            except asyncio.CancelledError:
                self.close(number)
                raise
            self._came.clear()
            try:
                async with asyncio.timeout(self._remind_s):
                    await self._came.wait()
            except TimeoutError:
                continue

    async def tell(self, popup: Popup, replaces: int = 0) -> int:
        """Show what needs no answer, in the place of another one if it has a number."""
        if not self._here.is_set():
            return 0  # what is only told is not told again
        return await self._tried(replace(popup, actions=()), replaces)

    def close(self, number: int) -> None:
        """Take a notification off the screen."""
        self._open.pop(number, None)
        if self._bus.connected and self._here.is_set():
            self._bus.send(_call("CloseNotification", "u", [number]))

    async def _placed(self, popup: Popup) -> tuple[int, asyncio.Future[str]]:
        """Show a question as soon as there is a server."""
        while True:
            await self._here.wait()
            number = await self._known(popup)
            if not number:
                self._here.clear()
                continue
            chosen: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            if (early := self._early.pop(number, None)) is not None:
                chosen.set_result(early)
            self._open[number] = chosen
            return number, chosen

    async def _known(self, popup: Popup) -> int:
        """Show a question and return its number; given up meanwhile, it is closed once known."""
        placing = self._start(self._tried(popup, 0))
        self._placing_count += 1
        try:
            return int(await asyncio.shield(placing))
        except asyncio.CancelledError:
            placing.add_done_callback(self._close_late)
            raise
        finally:
            self._placing_count -= 1

    def _close_late(self, placing: asyncio.Task[int]) -> None:
        if not placing.cancelled() and placing.exception() is None:
            self.close(placing.result())

    async def _tried(self, popup: Popup, replaces: int) -> int:
        """Return the number of what is shown now, 0 where the server went away meanwhile."""
        try:
            return await self._notify(popup, replaces)
        except RemoteError:
            return 0

    async def _notify(self, popup: Popup, replaces: int) -> int:
        hints = {
            "urgency": Variant("y", popup.urgency),
            "desktop-entry": Variant("s", ENTRY),
        }
        if popup.percent is not None:
            hints["value"] = Variant("i", popup.percent)
        body = html.escape(popup.body, quote=False) if self._has(MARKUP) else popup.body
        actions = [text for pair in popup.actions for text in pair] if self.has_buttons else []
        [number] = await self._bus.invoke(
            _call(
                "Notify",
                "susssasa{sv}i",
                [
                    PROGRAM,
                    replaces,
                    "",
                    clean(popup.summary),
                    clean(body),
                    [clean(text) for text in actions],
                    hints,
                    NEVER if popup.stays else BY_SERVER,
                ],
            ),
            "u",
        )
        return int(number)

    def _has(self, capability: str) -> bool:
        return capability in self._capabilities

    async def _learn(self) -> None:
        """Ask a server what it can do; that starts one that can be started."""
        [names] = await self._bus.invoke(_call("GetCapabilities", "", []), "as")
        self._capabilities = frozenset(names)
        self._here.set()
        self._came.set()

    def _hear(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if (change := owner_change(message)) and change[0] == SERVICE:
            self._moved(is_here=bool(change[1]))
        elif message.interface == SERVICE and message.signature in ("us", "uu"):
            number, said = message.body
            if message.member == "ActionInvoked":
                self._settle(number, str(said))
            elif message.member == "NotificationClosed":
                self._settle(number, "")

    def _moved(self, *, is_here: bool) -> None:
        if not is_here:
            self._here.clear()
            self._early.clear()  # the next server counts anew
            for number in list(self._open):
                self._settle(number, "")
        else:
            self._start(self._learn_anew())

    async def _learn_anew(self) -> None:
        try:
            await self._learn()
        except (RemoteError, NotReachable):
            self._here.clear()  # gone again: its next coming is heard of

    def _settle(self, number: int, key: str) -> None:
        chosen = self._open.pop(number, None)
        if chosen is None and self._placing_count:
            self._early.setdefault(number, key)  # a button comes before the closing that it brings
            while len(self._early) > _EARLY_COUNT:
                del self._early[next(iter(self._early))]
        elif chosen is None:
            self._early.clear()
        elif not chosen.done():
            chosen.set_result(key)


def _call(member: str, signature: str, body: list[Any]) -> Message:
    return Message(
        destination=SERVICE,
        path=PATH,
        interface=SERVICE,
        member=member,
        signature=signature,
        body=body,
    )
