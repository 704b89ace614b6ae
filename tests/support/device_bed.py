# SPDX-License-Identifier: Apache-2.0
"""Devices that are not there: a test bed of umockdev, which programs of a test take for real.

The bed needs Debian's Python with GObject (`gir1.2-umockdev-1.0`); it is served by this file
in a process of its own, that makes and takes away devices as lines of JSON tell it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

PRELOAD = "libumockdev-preload.so.0"


class DeviceBed:
    """Entered, it has no devices; `environment` lets a program see its devices and no others."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["umockdev-wrapper", "/usr/bin/python3", "-I", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.root = Path(self._answer())
        self.environment = {"UMOCKDEV_DIR": str(self.root), "LD_PRELOAD": PRELOAD}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def add(
        self, subsystem: str, name: str, parent: str = "", driver: str = "", **properties: str
    ) -> str:
        """Make a device with its event; gives its path in sysfs."""
        return self._do(
            subsystem=subsystem, name=name, parent=parent, driver=driver, properties=properties
        )

    def usb_interface(self, driver: str, name: str = "usb-interface") -> str:
        """Make a USB device with one interface, of which a driver has taken hold."""
        usb = self.add("usb", f"{name}-device", DEVTYPE="usb_device")
        return self.add("usb", name, usb, driver, DEVTYPE="usb_interface")

    def remove(self, path: str) -> None:
        """Take a device away, with its event."""
        self._do(gone=path)

    def _do(self, **order: Any) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def _serve() -> None:
    import gi  # noqa: PLC0415 - only Debian's Python has it

    gi.require_version("UMockdev", "1.0")
    from gi.repository import UMockdev  # noqa: PLC0415 - as above

    bed = UMockdev.Testbed.new()
    print(bed.get_root_dir(), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if path := order.get("gone"):
            bed.uevent(path, "remove")
            bed.remove_device(path)
        else:
            pairs = [text for pair in order["properties"].items() for text in pair]
            parent = order["parent"] or None
            path = bed.add_device(order["subsystem"], order["name"], parent, [], pairs)
            if order["driver"]:
                bed.set_attribute_link(path, "driver", f"../drivers/{order['driver']}")
            bed.uevent(path, "add")
        print(path, flush=True)


if __name__ == "__main__":
    _serve()
