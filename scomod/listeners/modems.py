# SPDX-License-Identifier: Apache-2.0
"""The services that own modems, oFono and ModemManager: each is listened to while it is there.

Not what is done with one (`modemlife`), which is imported once one of them is there: until
then this costs a match rule for each name.  No service is started from here, no modem is
switched on, and only who owns the name of the service is believed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from scomod.busaddress import NotReachable, RemoteError
from scomod.buswire import owner_change, owner_rule

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from scomod.buswire import Message, PacedBus
    from scomod.listeners.modemlife import Life
    from scomod.listeners.modemservice import Listener
    from scomod.wakesettings import Modem

OFONO: Final = "org.ofono"
SERVICES: Final = {OFONO: "ofono", "org.freedesktop.ModemManager1": "modemmanager"}

log = logging.getLogger(__name__)


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
        self._lives: dict[str, Life] = {}
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
        return self._had_modem or any(life.had_modem for life in self._lives.values())

    def imsi(self) -> str:
        """Return the identity of the subscriber, of the first modem that has one, or ""."""
        return next((life.imsi for life in self._lives.values() if life.imsi), "")

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
        for name in self._services:
            if life := self._lives.get(name):
                life.leave()
            self._owned(name, "")
            if self._bus.connected:
                self._bus.unmatch(owner_rule(name))
        self._had_modem = False

    def _hear(self, message: Message) -> Message | bool | None:
        """See every message; `True` tells the library that it has no work with this one."""
        if change := owner_change(message):
            if change[0] in self._services:
                self._owned(*change)
            return None
        for life in self._lives.values():
            if reply := life.hear(message):
                return reply
        return None

    def _owned(self, name: str, owner: str) -> None:
        """Begin a life of a service when its name has an owner, end the one before."""
        if last := self._lives.pop(name, None):
            last.task.cancel()
            self._had_modem |= last.had_modem
            log.info("modems of %s are not listened to any more", name)
        if owner:
            from scomod.listeners.modemlife import Life  # noqa: PLC0415 - where a service is

            log.info("modems of %s are listened to", name)
            self._lives[name] = life = Life(
                _listener(name),
                owner,
                self._settings,
                self._bus,
                receive=self._receive,
                on_look=self._on_look,
            )
            life.task = self._start(life.follow())


def _listener(name: str) -> Callable[..., Listener]:
    """Return what knows a service."""
    if name == OFONO:
        from scomod.listeners.ofono import Ofono  # noqa: PLC0415 - where there is such a service

        return Ofono
    from scomod.listeners.modemmanager import ModemManager  # noqa: PLC0415 - the same

    return ModemManager
