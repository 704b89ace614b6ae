# SPDX-License-Identifier: Apache-2.0
"""Fault switches of the running bench: what its DM server and package server do wrong on demand.

    dm.status=503          every device is answered with HTTP 503
    packages.cut=4096      every package file breaks off after 4096 octets

Says which there are and keeps which are on; what they do stands where it is done
(`dmserver`, `doorkeeper`, `packageserver`).  Nothing is kept beyond the life of the bench.
Faults of one package file alone are the package server's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scomod.errors import ScomodError

if TYPE_CHECKING:
    from collections.abc import Mapping

Wrong = dict[str, int]  # what is wrong with this answer: the last part of a name, its number

DM: Final = "dm"
PACKAGES: Final = "packages"
ON: Final = "on"
OFF: Final = "off"
ALL: Final = "all"
LARGEST: Final = 1 << 31


class SwitchError(ScomodError):
    """No such switch or value; says what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One switch: `unit` says what its number is, "" for one that is only on or off."""

    says: str
    unit: str = ""
    least: int = 0
    most: int = LARGEST


SWITCHES: Final[Mapping[str, Switch]] = {
    "dm.status": Switch(says="an HTTP status in place of the answer; the message is not looked at",
                        unit="status", least=400, most=599),
    "dm.portal": Switch(says="a web page to log in at, as a captive portal has it"),
    "dm.stall": Switch(says="the message is worked on and never answered"),
    "dm.lost": Switch(says="the message is worked on, then the connection breaks: a lost reply"),
    "dm.slow": Switch(says="every answer comes so much later", unit="milliseconds", most=3600000),
    "dm.cut": Switch(says="the connection breaks after so many octets of the answer",
                     unit="octets"),
    "dm.truncate": Switch(says="the answer is only the first octets of a message", unit="octets"),
    "dm.repeat": Switch(says="the answer to the message before is sent again"),
    "dm.password": Switch(says="the server proves itself with a wrong password"),
    "dm.nonce": Switch(says="the server proves itself with a wrong nonce"),
    "dm.refuse": Switch(says="the device's credentials are refused, right or not"),
    "dm.clock": Switch(says="the Date of answers is ahead by so much, or behind with -",
                       unit="seconds", least=-LARGEST),
    "packages.status": Switch(says="an HTTP status in place of every file", unit="status",
                              least=400, most=599),
    "packages.stall": Switch(says="silence after so many octets of a file", unit="octets"),
    "packages.cut": Switch(says="the connection breaks after so many octets of a file",
                           unit="octets"),
    "packages.wrong": Switch(says="one octet of every file differs: the digest is wrong"),
    "packages.slow": Switch(says="files come at this rate", unit="octets per second", least=1),
}  # fmt: skip


@dataclass(slots=True)
class _Setting:
    number: int
    count: int | None


class Switches:
    """Which are on; `count` requests long, None: until switched off."""

    def __init__(self) -> None:
        self._settings: dict[str, _Setting] = {}

    def listed(self) -> list[dict[str, Any]]:
        """Return a row per switch: name, says, unit, value ("off", "on" or a number), count."""
        return [
            {"name": name, "says": switch.says, "unit": switch.unit, **self._state(name)}
            for name, switch in SWITCHES.items()
        ]

    def set(self, name: str, value: str, count: int | None = None) -> None:
        """Switch one on or off, or all off (`all`, `off`); raises `SwitchError`."""
        if (name, value) == (ALL, OFF):
            self._settings.clear()
            return
        number = _number(name, value)
        if count is not None and count < 1:
            raise SwitchError("count is a number of requests, 1 or more")
        if number is None:
            self._settings.pop(name, None)
        else:
            self._settings[name] = _Setting(number, count)

    def taken(self, server: str) -> Wrong:
        """Return what is wrong with this answer of a server (`DM`, `PACKAGES`), counting down."""
        found: Wrong = {}
        for name in [name for name in self._settings if name.startswith(f"{server}.")]:
            setting = self._settings[name]
            found[name.partition(".")[2]] = setting.number
            if setting.count is not None:
                setting.count -= 1
                if not setting.count:
                    del self._settings[name]
        return found

    def _state(self, name: str) -> dict[str, Any]:
        setting = self._settings.get(name)
        if setting is None:
            return {"value": OFF, "count": None}
        return {"value": str(setting.number) if SWITCHES[name].unit else ON, "count": setting.count}


def _number(name: str, value: str) -> int | None:
    """Return what a value means, None for off; raises `SwitchError`."""
    switch = SWITCHES.get(name)
    if switch is None:
        raise SwitchError(f"no switch is called {name!r:.40}; there are: {', '.join(SWITCHES)}")
    if value == OFF:
        return None
    if not switch.unit:
        if value != ON:
            raise SwitchError(f"{name} is {ON} or {OFF}")
        return 1
    try:
        number = int(value)
    except ValueError:
        number = switch.least - 1
    if not switch.least <= number <= switch.most:
        raise SwitchError(
            f"{name} is {OFF}, or {switch.unit}: a number from {switch.least} to {switch.most}"
        )
    return number
