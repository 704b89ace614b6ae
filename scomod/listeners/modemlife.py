# SPDX-License-Identifier: Apache-2.0
"""One life of a service that owns modems: from when its name has an owner until it has not.

Not what it says (`ofono`, `modemmanager`): when it is looked at, by whom it is heard, and
what of it is believed.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Final

from scomod.busaddress import NotReachable, RemoteError
from scomod.buswire import Message, MessageFlag, MessageType
from scomod.listeners.modemservice import Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.buswire import PacedBus
    from scomod.listeners.modemservice import Listener
    from scomod.wakesettings import Modem

WAITS_S: Final = (None, 5.0, 30.0, 180.0)  # for news, after so many looks that did not go well
IMSI_SHAPE: Final = re.compile("[0-9]{5,15}")
NUMBER_SHAPE: Final = re.compile("[+*#0-9A-Za-z]{1,20}")

log = logging.getLogger(__name__)


class Life:
    """The service that `owner` is; `kind` makes its listener, `receive` and `on_look` as `Modems`.

    `task` is what runs `follow`, kept here for who ends it.
    """

    task: asyncio.Task[None]

    def __init__(
        self,
        kind: Callable[..., Listener],
        owner: str,
        settings: Modem,
        bus: PacedBus,
        *,
        receive: Callable[[bytes, str], None],
        on_look: Callable[[], None],
    ) -> None:
        self._owner = owner
        self._timeout_s = settings.answer_timeout_s
        self._bus = bus
        self._receive = receive
        self._on_look = on_look
        self._news = asyncio.Event()
        line = Line(bus, owner, self._timeout_s)
        self._listener = kind(line, settings, self._take, self._news.set)
        self.had_modem = False

    @property
    def imsi(self) -> str:
        """The identity of the subscriber, "" if none is known."""
        imsi = str(self._listener.imsi)
        return imsi if IMSI_SHAPE.fullmatch(imsi) else ""

    def hear(self, message: Message) -> Message | bool | None:
        """See every message; `True` tells the library that it has no work with this one."""
        is_news = message.message_type in (MessageType.SIGNAL, MessageType.METHOD_CALL)
        if message.sender != self._owner or not is_news:
            return None
        reply = self._listener.hear(message)
        wants_none = message.flags & MessageFlag.NO_REPLY_EXPECTED
        return True if reply is not None and wants_none else reply

    def leave(self) -> None:
        """Take back what the service was asked for."""
        self._listener.leave()

    async def follow(self) -> None:
        """Look after news, until cancelled."""
        rules = [f"type='signal',sender='{self._owner}',{each}" for each in self._listener.signals]
        try:
            for rule in rules:
                await self._bus.invoke_bus("AddMatch", rule)
            tries = 0
            while True:
                tries = 0 if await self._look() else tries + 1
                await self._wait(WAITS_S[tries % len(WAITS_S)])
        except (NotReachable, RemoteError) as error:
            log.warning("a modem is not listened to: %s", error)
        finally:
            if self._bus.connected:
                for rule in rules:
                    self._bus.unmatch(rule)

    async def _look(self) -> bool:
        self._news.clear()
        try:
            is_well = await self._listener.look()
        except TimeoutError:
            is_well = False
            log.warning("the service of a modem did not answer in %g s", self._timeout_s)
        self.had_modem |= self._listener.has_modem
        self._on_look()
        return is_well

    async def _wait(self, at_most_s: float | None) -> None:
        try:
            async with asyncio.timeout(at_most_s):
                await self._news.wait()
        except TimeoutError:
            return

    def _take(self, octets: bytes, number: object) -> bool:
        """Hand a push on, whatever becomes of it there: a bad message must not come for ever."""
        sender = number if NUMBER_SHAPE.fullmatch(str(number)) else "unknown"
        try:
            self._receive(octets, f"sms:{sender}")
        except Exception:
            log.exception("internal error: push from %s", sender)
            return False
        return True
