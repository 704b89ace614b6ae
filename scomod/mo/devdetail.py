# SPDX-License-Identifier: Apache-2.0
"""./DevDetail: what the device is made of and what its tree can hold (omadm §8.2).

Stored nodes, written at start when they differ.  LrgObj is true: objects may come and
go in several messages (omadm §5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.mo.registry import DEVDETAIL_ROOT
from scomod.mo.uri import UriLimits

if TYPE_CHECKING:
    from scomod.mo.tree import Tree
    from scomod.settings import Device

LIMITS: Final = UriLimits()


def install(tree: Tree, device: Device) -> None:
    """Bring the nodes up to date."""
    values = {
        "URI/MaxDepth": str(tree.limits.max_depth_count),
        "URI/MaxTotLen": str(tree.limits.max_total_chars),
        "URI/MaxSegLen": str(tree.limits.max_segment_chars),
        "DevTyp": device.device_type,
        "OEM": device.oem,
        "FwV": device.firmware_version,
        "SwV": device.software_version,
        "HwV": device.hardware_version,
        "LrgObj": "true",
    }
    for name, value in values.items():
        tree.put(f"{DEVDETAIL_ROOT}/{name}", value=value)
