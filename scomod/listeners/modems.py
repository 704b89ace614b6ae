"""The services that own modems, oFono and ModemManager: each is listened to while it is there.

Not what they say (`ofono`, `modemmanager`), which is imported once one of them is there:
until then this costs a match rule for each name.  No service is started from here, no
modem is switched on, and only who owns the name of the service is believed.
"""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from scomod.busaddress import NotReachable, RemoteError
from scomod.buswire import Message, MessageFlag, MessageType, owner_change, owner_rule
from scomod.listeners.modemservice import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from scomod.buswire import PacedBus
    from scomod.listeners.modemservice import Listener
    from scomod.wakesettings import Modem

OFONO: Final = "org.ofono"
SERVICES: Final = {OFONO: "ofono", "org.freedesktop.ModemManager1": "modemmanager"}
WAITS_S: Final = (None, 5.0, 30.0, 180.0)  # for news, after so many looks that did not go well
IMSI_SHAPE: Final = re.compile("[0-9]{5,15}")
NUMBER_SHAPE: Final = re.compile("[+*#0-9A-Za-z]{1,20}")

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Life:
    """A service from when its name has an owner until it has none, or another."""

    owner: str
    listener: Listener
    news: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Modems:
    """All modems of the device; nothing is watched before `present(True)`.

    `receive(octets, sender)` takes pushes, `start` runs work beside what is done, `on_look`
    hears that something may be known now, as the identity of the subscriber.
    """

    def __init__(
        self,
        settings: Modem,
        bus: PacedBus,
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        receive: Callable[[bytes, str], None],
        on_look: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._start = start
        self._receive = receive
        self._on_look = on_look
        self._services = [
            name for name, word in SERVICES.items() if settings.service in (word, "auto")
        ]
        self._lives: dict[str, _Life] = {}
        self._watch_task: asyncio.Task[None] | None = None
        self._had_modem = False

    def present(self, is_there: bool) -> None:
        """Watch for services from now on, or let go of everything: a modem is there or not."""
        if is_there and self._watch_task is None:
            self._bus.add_message_handler(self._hear)
            self._watch_task = self._start(self._watch())
        elif not is_there and self._watch_task is not None:
            self._watch_task.cancel()
            self._watch_task = None
            self._let_go()

    @property
    def is_listening(self) -> bool:
        """Tell whether a modem is there, or was: one that comes back is heard at once."""
        return self._had_modem

    def imsi(self) -> str:
        """Return the identity of the subscriber, of the first modem that has one, or ""."""
        known = (str(life.listener.imsi) for life in self._lives.values())
        return next((imsi for imsi in known if IMSI_SHAPE.fullmatch(imsi)), "")

    # services

    async def _watch(self) -> None:
        try:
            for name in self._services:
                await self._bus.invoke_bus("AddMatch", owner_rule(name))
                if (owner := await self._owner(name)) and name not in self._lives:
                    self._owned(name, owner)
        except (NotReachable, RemoteError) as error:
            log.warning("modems cannot be watched for: %s", error)

    async def _owner(self, name: str) -> str:
        try:
            return str(await self._bus.invoke_bus("GetNameOwner", name))
        except RemoteError:
            return ""

    def _let_go(self) -> None:
        self._bus.remove_message_handler(self._hear)
        self._had_modem = False
        for name in self._services:
            if life := self._lives.get(name):
                life.listener.leave()
            self._owned(name, "")
            if self._bus.connected:
                self._bus.unmatch(owner_rule(name))

    def _hear(self, message: Message) -> Message | bool | None:
        """See every message; `True` tells the library that it has no work with this one."""
        if change := owner_change(message):
            if change[0] in self._services:
                self._owned(*change)
            return None
        if message.message_type not in (MessageType.SIGNAL, MessageType.METHOD_CALL):
            return None
        for life in self._lives.values():
            if message.sender == life.owner:
                reply = life.listener.hear(message)
                wants_none = message.flags & MessageFlag.NO_REPLY_EXPECTED
                return True if reply is not None and wants_none else reply
        return None

    def _owned(self, name: str, owner: str) -> None:
        """Begin a life of a service when its name has an owner, end the one before."""
        if last := self._lives.pop(name, None):
            if last.task is not None:
                last.task.cancel()
            log.info("%s is gone", name)
        if owner:
            log.info("modems of %s are listened to", name)
            self._lives[name] = life = self._begin(name, owner)
            life.task = self._start(self._follow(life))

    def _begin(self, name: str, owner: str) -> _Life:
        news = asyncio.Event()
        line = Line(self._bus, owner, self._settings.answer_timeout_s)
        listener = _listener(name)(line, self._settings, self._take, news.set)
        return _Life(owner, listener, news)

    async def _follow(self, life: _Life) -> None:
        """Look after news, as long as the service lives."""
        rules = [f"type='signal',sender='{life.owner}',{each}" for each in life.listener.signals]
        try:
            for rule in rules:
                await self._bus.invoke_bus("AddMatch", rule)
            tries = 0
            while True:
                tries = 0 if await self._look(life) else tries + 1
                await _wait(life.news, WAITS_S[tries % len(WAITS_S)])
        except (NotReachable, RemoteError) as error:
            log.warning("a modem is not listened to: %s", error)
        finally:
            if self._bus.connected:
                for rule in rules:
                    self._bus.unmatch(rule)

    async def _look(self, life: _Life) -> bool:
        life.news.clear()
        try:
            is_well = await life.listener.look()
        except TimeoutError:
            is_well = False
            wait_s = self._settings.answer_timeout_s
            log.warning("the service of a modem did not answer in %g s", wait_s)
        self._had_modem |= life.listener.has_modem
        self._on_look()
        return is_well

    def _take(self, octets: bytes, number: object) -> bool:
        """Hand a push on, whatever becomes of it there: a bad message must not come for ever."""
        sender = number if NUMBER_SHAPE.fullmatch(str(number)) else "unknown"
        try:
            self._receive(octets, f"sms:{sender}")
        except Exception:
            log.exception("internal error: push from %s", sender)
            return False
        return True


def _listener(name: str) -> Callable[..., Listener]:
    """Return what knows a service."""
    if name == OFONO:
        from scomod.listeners.ofono import Ofono  # noqa: PLC0415 - where there is such a service

        return Ofono
    from scomod.listeners.modemmanager import ModemManager  # noqa: PLC0415 - the same

    return ModemManager


async def _wait(news: asyncio.Event, at_most_s: float | None) -> None:
    try:
        async with asyncio.timeout(at_most_s):
            await news.wait()
    except TimeoutError:
        return
