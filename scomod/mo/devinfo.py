# SPDX-License-Identifier: Apache-2.0
"""./DevInfo: who the device is (omadm §8.1).

Stored nodes, written at start from the configuration when they differ; servers read
them, and package 1 carries them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod import __version__
from scomod.mo.registry import DEVINFO_ROOT

if TYPE_CHECKING:
    from scomod.mo.tree import Tree
    from scomod.settings import Device


def install(tree: Tree, device: Device, device_id: str) -> None:
    """Bring the nodes up to date; `device_id` is a URN ("IMEI:…", "urn:uuid:…")."""
    values = {
        "DevId": device_id,
        "Man": device.manufacturer,
        "Mod": device.model,
        "DmV": f"scomod {__version__}",
        "Lang": device.language,
    }
    for name, value in values.items():
        tree.put(f"{DEVINFO_ROOT}/{name}", value=value)
