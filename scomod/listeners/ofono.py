# SPDX-License-Identifier: Apache-2.0
"""oFono: an agent of ours at every modem that can give pushes (org.ofono.PushNotification).

Not a decoder: oFono puts messages of several parts together, and looks at the ports.
After each signal all modems are read again: what a signal says is only that they changed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from scomod.buswire import Message, MessageType, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.listeners.modemservice import Line
    from scomod.wakesettings import Modem

AGENT_PATH: Final = "/org/scomod1/push"  # the path of the modem comes after it
AGENT: Final = "org.ofono.PushNotificationAgent"
MODEM: Final = "org.ofono.Modem"
PUSH: Final = "org.ofono.PushNotification"
SIM: Final = "org.ofono.SimManager"

log = logging.getLogger(__name__)


class Ofono:
    """A `Listener` of one life of ofonod."""

    signals = (
        "interface='org.ofono.Manager'",
        f"interface='{MODEM}',member='PropertyChanged',arg0='Interfaces'",
        f"interface='{SIM}',member='PropertyChanged',arg0='SubscriberIdentity'",
    )

    def __init__(
        self,
        line: Line,
        settings: Modem,
        take: Callable[[bytes, object], bool],
        on_news: Callable[[], None],
    ) -> None:
        self._line = line
        self._settings = settings
        self._take = take
        self._on_news = on_news
        self._agents: set[str] = set()  # the modems that have ours
        self.has_modem = False
        self.imsi: object = ""

    def hear(self, message: Message) -> Message | None:
        """Take a signal, or a call on an agent."""
        if message.message_type is MessageType.SIGNAL:
            self._changed(message)
            return None
        if message.interface != AGENT or not message.path.startswith(AGENT_PATH):
            return None
        match message.member, message.signature:
            case "ReceiveNotification", "aya{sv}":
                octets, facts = unpack(message.body)
                self._take(octets, facts.get("Sender"))
            case "Release", "":
                self._agents.discard(message.path.removeprefix(AGENT_PATH))
                self._on_news()
            case _:
                return None
        return Message.new_method_return(message)

    def _changed(self, signal: Message) -> None:
        """Forget the agent where the interface went: a new one wants a new agent."""
        match signal.interface, signal.member, signal.signature:
            case _, "ModemRemoved", "o":
                self._agents.discard(signal.body[0])
            case "org.ofono.Modem", "PropertyChanged", "sv":
                if PUSH not in _words(unpack(signal.body[1])):
                    self._agents.discard(signal.path)
        self._on_news()

    async def look(self) -> bool:
        """Read all modems, and register with those that have no agent of ours yet."""
        found = await self._line.ask("/", "org.ofono.Manager.GetModems", gives="a(oa{sv})")
        if found is None:
            return False
        modems = {
            path: _words(facts.get("Interfaces"))
            for path, facts in found[: self._settings.max_modems_count]
        }
        able = [path for path, interfaces in modems.items() if PUSH in interfaces]
        self.has_modem = bool(able)
        self._agents.intersection_update(able)
        await self._identify([path for path, interfaces in modems.items() if SIM in interfaces])
        return all([await self._register(path) for path in able if path not in self._agents])

    async def _identify(self, paths: list[str]) -> None:
        for path in paths:
            facts = await self._line.ask(path, f"{SIM}.GetProperties", gives="a{sv}") or {}
            if identity := facts.get("SubscriberIdentity"):
                self.imsi = identity
                return
        self.imsi = ""

    async def _register(self, path: str) -> bool:
        self._agents.add(path)  # at once: what takes it back may be heard before we go on
        answer = None
        try:
            place = AGENT_PATH + path
            answer = await self._line.ask(path, f"{PUSH}.RegisterAgent", place, takes="o")
        finally:
            if answer is None:
                self._agents.discard(path)
        if answer is not None:
            log.info("modem %s gives its pushes to us", path)
        return answer is not None

    def leave(self) -> None:
        """Take the agents back."""
        for path in self._agents:
            self._line.tell(path, f"{PUSH}.UnregisterAgent", AGENT_PATH + path, takes="o")


def _words(value: object) -> list[object]:
    return value if isinstance(value, list) else []
