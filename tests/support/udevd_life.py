# SPDX-License-Identifier: Apache-2.0
"""A udevd of our own in namespaces of its own, with the rules that are shipped.

Run by `unshare` as root (see `COMMAND`), it prints what happened as one JSON document.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from scomod.listeners.hotplug import Hotplug, Kind
from tests.support.device_bed import DeviceBed

RULES = Path(__file__).resolve().parents[2] / "systemd/85-scomod.rules"
COMMAND = (
    "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
    sys.executable, "-m", "tests.support.udevd_life",
)  # fmt: skip
FOLDER = Path("/run/udev/rules.d")
DEVICE = "/sys/class/tty/tty"
DEADLINE_S = 60.0


def _run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, env={**os.environ, **environment}, check=True, capture_output=True, text=True
    )
    return done.stdout


def _furnish() -> None:
    _run("mount", "-t", "sysfs", "sysfs", "/sys")
    _run("mount", "-t", "tmpfs", "tmpfs", "/run")
    FOLDER.mkdir(parents=True)
    shutil.copy(RULES, FOLDER)


def _rule(word: str) -> None:
    text = f'SUBSYSTEM=="tty", KERNEL=="tty", ENV{{SCOMOD}}="{word}"\n'
    (FOLDER / "10-test.rules").write_text(text)


def _wants(path: str, **environment: str) -> bool:
    said = _run("udevadm", "test", "--action=add", path, **environment)
    return "SYSTEMD_WANTS=scomod.service" in said.splitlines()


def _judged() -> dict[str, bool]:
    """Say which devices the shipped rules start the service for."""
    with DeviceBed() as bed:
        modem, adapter = bed.usb_interface("option"), bed.usb_interface("ch341", "other")
        devices = {
            "option": bed.add("tty", "ttyUSB0", modem),
            "ch341": bed.add("tty", "ttyUSB1", adapter),
            "wwan": bed.add("wwan", "wwan0at0"),
            "cdc-wdm": bed.add("usbmisc", "cdc-wdm0", modem),
            "stick": bed.add("block", "sda1", ID_BUS="usb", ID_FS_USAGE="filesystem"),
        }
        return {name: _wants(path, **bed.environment) for name, path in devices.items()}


async def _live() -> dict[str, Any]:
    told: list[bool] = []
    news = asyncio.Event()

    def on_modem(is_here: bool) -> None:
        told.append(is_here)
        news.set()

    hotplug = Hotplug({Kind.MODEM: on_modem})
    hotplug.open()
    found: dict[str, Any] = {}
    for word in ("modem", "none"):
        news.clear()
        _rule(word)
        _run("udevadm", "control", "--reload")
        _run("udevadm", "trigger", "--action=add", DEVICE)
        async with asyncio.timeout(DEADLINE_S):
            await news.wait()
        found[word] = _run("udevadm", "info", "--query=property", DEVICE).splitlines()
    hotplug.close()
    return {**found, "told": told}


def _main() -> None:
    _furnish()
    judged = _judged()
    # it ends with the namespace of processes, whose first one is this
    _run("/lib/systemd/systemd-udevd", "--daemon")
    print(json.dumps({**asyncio.run(_live()), "judged": judged}))


if __name__ == "__main__":
    _main()
