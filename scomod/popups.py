# SPDX-License-Identifier: Apache-2.0
"""Notifications of a desktop: shown, answered by a button, closed, and shown again.

A client of `org.freedesktop.Notifications` (Desktop Notifications Specification 1.2) on a
session bus.  It knows nothing of what is asked (`agentdesktop.py`).  A question stays until
it is answered or its caller gives it up: one that the person or the server only closed comes
again after `REMIND_S`, and at once where the server came anew, as its popups went with it.
All that the bus brings is taken in its order, where it comes in (`_hear`): what a task would
learn later could be of a server that is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scomod.busaddress import NotReachable
from scomod.buswire import (
    Message,
    MessageFlag,
    MessageType,
    PacedBus,
    Variant,
    clean,
    owner_change,
    owner_rule,
)

if TYPE_CHECKING:
    from collections.abc import Callable

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
_ENDING_S: Final = 1.0
_REPLIES: Final = frozenset({MessageType.METHOD_RETURN, MessageType.ERROR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Popup:
    """What is shown; `actions` are (key, label), `percent` is how far something is."""

    summary: str
    body: str = ""
    actions: tuple[tuple[str, str], ...] = ()
    urgency: int = NORMAL
    stays: bool = True
    percent: int | None = None


class Place(NamedTuple):
    """Where a notification is: the unique name of its server, and the number it has there."""

    server: str
    number: int


NOWHERE: Final = Place("", 0)


@dataclass(slots=True, eq=False)
class _Question:
    """One that is asked: `chosen` gets the key of its answer, or "" if it was only closed."""

    chosen: asyncio.Future[str]
    place: Place = NOWHERE

    def settle(self, key: str) -> None:
        if not self.chosen.done():
            self.chosen.set_result(key)


class Popups:
    """Shows notifications over one connection; `remind_s` is how soon a closed question is back."""

    def __init__(self, bus: PacedBus, remind_s: float = REMIND_S) -> None:
        self._bus = bus
        self._remind_s = remind_s
        self._server = ""  # its unique name, once it is known what it can do
        self._capabilities: frozenset[str] = frozenset()
        self._learning = 0  # the call that asks the newest server for that
        self._news = asyncio.Event()  # set for a moment when something was answered
        self._calls: dict[int, Callable[[Message], None]] = {}  # what their replies do
        self._open: dict[int, _Question] = {}  # by their numbers at the server

    async def begin(self) -> None:
        """Look for the server, or have it started; raises `NotReachable`."""
        self._bus.add_message_handler(self._hear)
        await self._bus.invoke_bus("AddMatch", owner_rule(SERVICE))
        await self._bus.invoke_bus("AddMatch", f"type='signal',interface='{SERVICE}'")
        self._ask_server(SERVICE)

    async def here(self) -> None:
        """Return when there is a server."""
        await self._until(lambda: bool(self._server))

    @property
    def has_buttons(self) -> bool:
        """Whether a person can answer in a notification."""
        return ACTIONS in self._capabilities

    async def ask(self, popup: Popup) -> str:
        """Show a question until it is answered; returns the key of the action."""
        while True:
            await self.here()
            last = self._server
            if key := await self._asked(popup):
                return key
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._remind_s):
                    await self._until(partial(self._is_other_than, last))

    async def tell(self, popup: Popup, replaces: Place = NOWHERE) -> Place:
        """Show what needs no answer, in the place of another one if that is still its server's.

        Gives where it is: `NOWHERE` without a server, as what is only told is not told again.
        """
        if not self._server:
            return NOWHERE
        shown: asyncio.Future[Place] = asyncio.get_running_loop().create_future()

        def replied(reply: Message) -> None:
            if not shown.done():
                shown.set_result(_place(reply))

        number = replaces.number if replaces.server == self._server else 0
        self._send(self._notify(replace(popup, actions=()), number), replied)
        return await shown

    async def end(self) -> None:
        """Give answers that are under way a moment, so that no given up question stays."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ENDING_S):
                await self._until(lambda: not (self._calls and self._bus.connected))

    async def _asked(self, popup: Popup) -> str:
        """Show a question once; returns what came of it."""
        question = _Question(asyncio.get_running_loop().create_future())
        self._send(self._notify(popup, 0), lambda reply: self._stands(question, reply))
        try:
            return await question.chosen
        finally:
            self._close(question.place)

    def _stands(self, question: _Question, reply: Message) -> None:
        """Take down where a question is; given up meanwhile, it is closed."""
        place = _place(reply)
        if not place.number or place.server != self._server or question.chosen.done():
            self._close(place)
            question.settle("")
        else:
            question.place = place
            self._open[place.number] = question

    def _close(self, place: Place) -> None:
        """Take a notification off the screen."""
        if place.server == self._server:
            self._open.pop(place.number, None)
        if place.number and self._bus.connected:
            close = _call(place.server, "CloseNotification", "u", [place.number])
            close.flags = MessageFlag.NO_REPLY_EXPECTED
            self._bus.send(close)

    def _notify(self, popup: Popup, replaces: int) -> Message:
        hints = {
            "urgency": Variant("y", popup.urgency),
            "desktop-entry": Variant("s", ENTRY),
        }
        if popup.percent is not None:
            hints["value"] = Variant("i", popup.percent)
        has_markup = MARKUP in self._capabilities
        body = html.escape(popup.body, quote=False) if has_markup else popup.body
        actions = [text for pair in popup.actions for text in pair] if self.has_buttons else []
        said = [
            PROGRAM,
            replaces,
            "",
            clean(popup.summary),
            clean(body),
            [clean(text) for text in actions],
            hints,
            NEVER if popup.stays else BY_SERVER,
        ]
        return _call(self._server, "Notify", "susssasa{sv}i", said)

    # -- what the bus brings ----------------------------------------------------------

    def _send(self, call: Message, replied: Callable[[Message], None]) -> int:
        """Call; `replied` is called with the answer, or with the error.  Gives its number."""
        if not self._bus.connected:
            raise NotReachable("the session's message bus went away")
        call.serial = self._bus.next_serial()
        self._calls[call.serial] = replied
        self._bus.send(call)
        return call.serial

    def _hear(self, message: Message) -> None:
        if message.message_type in _REPLIES:
            if (replied := self._calls.pop(message.reply_serial, None)) is not None:
                replied(message)
                self._news.set()
                self._news.clear()
        elif (change := owner_change(message)) and change[0] == SERVICE:
            self._change(change[1])
        elif message.sender == self._server and message.interface == SERVICE:
            match message.member, message.signature, message.body:
                case "ActionInvoked", "us", [number, key]:
                    self._settle(number, key)
                case "NotificationClosed", "uu", [number, _]:
                    self._settle(number, "")

    def _settle(self, number: int, key: str) -> None:
        if (question := self._open.pop(number, None)) is not None:
            if not key:
                question.place = NOWHERE  # it is off the screen already
            question.settle(key)

    def _change(self, owner: str) -> None:
        """Forget the server that was; ask the one that is there now."""
        self._server, self._learning = "", 0
        for number in list(self._open):
            self._settle(number, "")
        if owner:
            self._ask_server(owner)

    def _ask_server(self, name: str) -> None:
        """Ask a server what it can do; that starts one that can be started."""
        self._learning = self._send(_call(name, "GetCapabilities", "", []), self._learned)

    def _learned(self, reply: Message) -> None:
        if reply.reply_serial == self._learning and reply.signature == "as":
            self._server, self._capabilities = reply.sender, frozenset(reply.body[0])

    def _is_other_than(self, server: str) -> bool:
        return self._server not in ("", server)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._news.wait()


def _place(reply: Message) -> Place:
    """Return where a server says that something is shown now; `NOWHERE` if it does not."""
    if reply.message_type is MessageType.ERROR or reply.signature != "u":
        return NOWHERE
    return Place(reply.sender, reply.body[0])


def _call(server: str, member: str, signature: str, body: list[Any]) -> Message:
    return Message(
        destination=server,
        path=PATH,
        interface=SERVICE,
        member=member,
        signature=signature,
        body=body,
    )
