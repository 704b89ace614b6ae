# SPDX-License-Identifier: Apache-2.0
"""Which boot of the device this is: one name as long as it runs, another after a restart.

A device in a directory says so in `run/scomod/boot-id`; else the kernel does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_KERNEL: Final = Path("/proc/sys/kernel/random/boot_id")
_FILE: Final = "run/scomod/boot-id"


def boot_id(root: Path) -> str:
    """Return the name of the running boot of the device below `root`."""
    try:
        return (root / _FILE).read_text().strip()
    except FileNotFoundError:
        return _KERNEL.read_text().strip()
