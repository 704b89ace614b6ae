# SPDX-License-Identifier: Apache-2.0
"""What udev says of devices that come and go: modems, and media with a file system.

The only room that knows pyudev, which is loaded where the configuration wants to know.
It listens on udev's socket in the loop: no thread, no polling.  Where no udevd runs, the
kernel's own events are heard.  Not who speaks to a modem (`modems`), nor where a medium is
mounted (`mounts`).
"""

from __future__ import annotations

import asyncio
import logging
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

log = logging.getLogger(__name__)

UDEVD: Final = Path("/run/udev/control")
SAID: Final = "SCOMOD"  # the property by which a rule of the device's maker decides


class Kind(StrEnum):
    """What a device is to us; spelled as in the property `SCOMOD`."""

    MODEM = "modem"
    MEDIUM = "medium"


@frozen
class Sign:
    """What a device of a kind looks like: all that is named must fit."""

    kind: Kind
    subsystem: str
    name: str = "*"
    drivers: tuple[str, ...] = ()
    property: tuple[str, str] = ("", "")


# Network interfaces of modems are not asked: each comes with a port that is here.
SIGNS: Final = (
    Sign(kind=Kind.MODEM, subsystem="wwan"),
    Sign(kind=Kind.MODEM, subsystem="usbmisc", name="cdc-wdm*"),
    Sign(
        kind=Kind.MODEM,
        subsystem="tty",
        drivers=("option", "sierra", "qcserial", "hso", "ipw", "moto_modem"),
    ),
    # also what is no modem; ModemManager's rules know better
    Sign(kind=Kind.MODEM, subsystem="tty", drivers=("cdc_acm",), property=("ID_MM_CANDIDATE", "1")),
    Sign(kind=Kind.MEDIUM, subsystem="block", property=("ID_BUS", "usb")),
    Sign(kind=Kind.MEDIUM, subsystem="block", property=("ID_DRIVE_FLASH_SD", "1")),
)
FILE_SYSTEM: Final = ("ID_FS_USAGE", "filesystem")


class Device(NamedTuple):
    """What is known of a device; `driver` is that of its USB interface, "" for none."""

    subsystem: str
    name: str
    driver: str
    properties: Mapping[str, str]


def kind_of(device: Device) -> Kind | None:
    """Return what a device is to us, None for nothing; a rule's word in `SCOMOD` comes first."""
    said = device.properties.get(SAID)
    if said is not None:
        return Kind(said) if said in set(Kind) else None
    kinds = (sign.kind for sign in SIGNS if _fits(sign, device))
    kind = next(kinds, None)
    if kind is Kind.MEDIUM and device.properties.get(FILE_SYSTEM[0]) != FILE_SYSTEM[1]:
        return None
    return kind


def _fits(sign: Sign, device: Device) -> bool:
    key, value = sign.property
    return (
        sign.subsystem == device.subsystem
        and fnmatchcase(device.name, sign.name)
        and (not sign.drivers or device.driver in sign.drivers)
        and (not key or device.properties.get(key) == value)
    )


class Hotplug:
    """Watches devices; `tell[kind](is_here)` is called when the first comes or the last goes.

    Kinds that nobody is told of are not watched.
    """

    def __init__(self, tell: Mapping[Kind, Callable[[bool], None]]) -> None:
        self._tell = tell
        self._here: dict[str, Kind] = {}
        self._context: Any = None
        self._monitor: Any = None
        self._has_udevd = UDEVD.exists()

    def open(self) -> None:
        """Tell what is here, and from now on what comes and goes.

        Where devices cannot be watched, modems are taken to be here.
        """
        try:
            self._watch()
        except (ImportError, OSError) as error:
            log.warning("devices cannot be watched, modems are taken to be here: %s", error)
            self.close()
            if Kind.MODEM in self._tell:
                self._tell[Kind.MODEM](True)
            return
        self._look()

    def close(self) -> None:
        """Watch no longer."""
        if self._monitor is not None:
            asyncio.get_running_loop().remove_reader(self._monitor.fileno())
        self._monitor = self._context = None

    def is_here(self, kind: Kind) -> bool:
        """Tell whether a device of a kind is plugged in."""
        return kind in self._here.values()

    def _watch(self) -> None:
        import pyudev  # noqa: PLC0415 - only where it is switched on

        self._context = pyudev.Context()
        source = "udev" if self._has_udevd else "kernel"
        monitor = pyudev.Monitor.from_netlink(self._context, source=source)
        for subsystem in self._subsystems():
            monitor.filter_by(subsystem)
        # listening begins before looking: nothing comes unseen in between
        monitor.start()
        asyncio.get_running_loop().add_reader(monitor.fileno(), self._read)
        self._monitor = monitor

    def _subsystems(self) -> list[str]:
        return sorted({sign.subsystem for sign in SIGNS if sign.kind in self._tell})

    def _read(self) -> None:
        """Take the events that wait; one that may change something has us look anew."""
        is_news = False
        gone: set[str] = set()
        try:
            while (device := self._monitor.poll(timeout=0)) is not None:
                is_news |= device.sys_path in self._here or self._kind(device) is not None
                (gone.add if device.action == "remove" else gone.discard)(device.sys_path)
        except OSError as error:
            log.debug("events were lost: %s", error)
            is_news = True
        if is_news:
            self._look(gone)

    def _look(self, gone: Collection[str] = ()) -> None:
        """Compare what is here with what was, and tell; what is `gone` may still be listed."""
        found = self._context.list_devices()
        for subsystem in self._subsystems():
            found.match_subsystem(subsystem)
        if self._has_udevd:
            found.match_is_initialized()
        before = set(self._here.values())
        kinds = [(each.sys_path, self._kind(each)) for each in found if each.sys_path not in gone]
        self._here = {path: kind for path, kind in kinds if kind and kind in self._tell}
        for kind in sorted(before ^ set(self._here.values())):
            is_here = self.is_here(kind)
            log.info("a %s is here" if is_here else "no %s is here any more", kind)
            self._tell[kind](is_here)

    def _kind(self, device: Any) -> Kind | None:
        properties = device.properties
        driver = properties.get("ID_USB_DRIVER", "")
        if not driver:
            interface = device.find_parent("usb", "usb_interface")
            driver = interface.driver or "" if interface is not None else ""
        return kind_of(Device(device.subsystem or "", device.sys_name, driver, properties))
