# SPDX-License-Identifier: Apache-2.0
"""ModemManager: the short messages it keeps; ours are read, handed on and deleted.

Others are never touched.  ModemManager says nothing of ports, so ours are told by their
content (`pushes.is_ours`).  It keeps messages until somebody deletes them: those that came
while nobody listened are found at the start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scomod.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.buswire import Message
    from scomod.listeners.modemservice import Line
    from scomod.wakesettings import Modem

ROOT: Final = "/org/freedesktop/ModemManager1"
MODEM: Final = "org.freedesktop.ModemManager1.Modem"
MESSAGING: Final = "org.freedesktop.ModemManager1.Modem.Messaging"
SMS: Final = "org.freedesktop.ModemManager1.Sms"
SIM: Final = "org.freedesktop.ModemManager1.Sim"
OBJECTS: Final = "org.freedesktop.DBus.ObjectManager"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"
UNKNOWN, RECEIVING, RECEIVED = 0, 2, 3  # MMSmsState, as far as it is about what comes in


class ModemManager:
    """A `Listener` of one life of ModemManager.

    `_settled` are messages that are not looked at again, `_taken` those still to be deleted;
    their paths are not used twice in one life.
    """

    signals = (
        f"path='{ROOT}',interface='{OBJECTS}'",
        f"interface='{MESSAGING}',member='Added'",
        f"interface='{PROPERTIES}',member='PropertiesChanged',arg0='{SMS}'",
        f"interface='{PROPERTIES}',member='PropertiesChanged',arg0='{SIM}'",
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
        self._settled: set[str] = set()
        self._taken: set[str] = set()
        self.has_modem = False
        self.imsi: object = ""

    def hear(self, _message: Message) -> None:
        """Take a signal; ModemManager calls nobody."""
        self._on_news()

    def leave(self) -> None:
        """Have nothing to take back."""

    async def look(self) -> bool:
        """Look at every message that is new, the oldest first."""
        found = await self._line.ask(ROOT, f"{OBJECTS}.GetManagedObjects", gives="a{oa{sa{sv}}}")
        if found is None:
            return False
        modems = [
            (path, interfaces) for path, interfaces in found.items() if MESSAGING in interfaces
        ][: self._settings.max_modems_count]
        self.has_modem = bool(modems)
        await self._identify([each.get(MODEM, {}).get("Sim") for _, each in modems])
        messages = {
            message: modem
            for modem, interfaces in modems
            for message in self._newest(interfaces[MESSAGING].get("Messages"))
        }
        self._settled.intersection_update(messages)
        self._taken.intersection_update(messages)
        new = [each for each in messages if each not in self._settled]
        return all([await self._look_at(messages[message], message) for message in new])

    async def _identify(self, sims: list[Any]) -> None:
        for path in sims:
            if isinstance(path, str) and path != "/":
                self.imsi = await self._property(path)
                return
        self.imsi = ""

    async def _property(self, path: str) -> Any:
        return await self._line.ask(path, f"{PROPERTIES}.Get", SIM, "Imsi", takes="ss", gives="v")

    def _newest(self, paths: object) -> list[str]:
        known = paths if isinstance(paths, list) else []
        return sorted(known, key=_number)[-self._settings.max_messages_count :]

    async def _look_at(self, modem: str, path: str) -> bool:
        if path not in self._taken:
            facts = await self._line.ask(
                path, f"{PROPERTIES}.GetAll", SMS, takes="s", gives="a{sv}"
            )
            if facts is None:
                return False
            if facts.get("State") in (UNKNOWN, RECEIVING):
                return True  # it is told when that changes
            if not self._takes(facts):
                self._settled.add(path)
                return True
            self._taken.add(path)
        return await self._line.ask(modem, f"{MESSAGING}.Delete", path, takes="o") is not None

    def _takes(self, facts: dict[str, Any]) -> bool:
        octets = facts.get("Data")
        if facts.get("State") != RECEIVED or not isinstance(octets, bytes) or not _is_ours(octets):
            return False
        return self._take(octets, facts.get("Number"))


def _is_ours(octets: bytes) -> bool:
    """Tell by its content whether a message is a push for device management."""
    from scomod import pushes  # noqa: PLC0415 - for the first message
    from scomod.dmclient import push  # noqa: PLC0415 - the same

    try:
        return pushes.is_ours(push.parse_push(octets))
    except RemoteProtocolError:
        return False


def _number(path: str) -> tuple[int, str]:
    """Return by what to sort messages: they are numbered in the order in which they came."""
    digits = path.rpartition("/")[2]
    return (int(digits) if digits.isdecimal() else 0, path)
