# SPDX-License-Identifier: Apache-2.0
"""Which boot of the device this is: one name as long as it runs, another after a restart.

A device in a directory says so in `run/scomod/boot-id`; else the service manager that
started us, by a variable; else the kernel.  In a container the kernel's name is hidden behind
one of its own, which a service with a /proc of its own does not see.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_KERNEL: Final = Path("/proc/sys/kernel/random/boot_id")
_FILE: Final = "run/scomod/boot-id"
_VARIABLE: Final = "SCOMOD_BOOT_ID"  # 32 digits, as systemd writes it; set by the unit


def boot_id(root: Path) -> str:
    """Return the name of the running boot of the device below `root`."""
    # On a device of its own that place is the daemon's, which the root helper does not trust.
    if root != Path("/"):
        with suppress(FileNotFoundError):
            return (root / _FILE).read_text().strip()
    told = os.environ.get(_VARIABLE, "")
    return _as_kernel(told) if told else _KERNEL.read_text().strip()


def _as_kernel(told: str) -> str:
    """Write the name as the kernel does, with dashes."""
    return f"{told[:8]}-{told[8:12]}-{told[12:16]}-{told[16:20]}-{told[20:]}"
