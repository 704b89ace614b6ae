# SPDX-License-Identifier: Apache-2.0
"""What this process has and had of memory, by the kernel's account.

Not by `getrusage`: its `ru_maxrss` begins with what the parent had before the program
was executed, and a large parent hides every growth.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Final

_PEAK: Final = re.compile(r"VmHWM:\s+(\d+)")
_NOW: Final = re.compile(r"VmRSS:\s+(\d+)")


def peak_bytes() -> int:
    """Return the most memory this process ever had, or had since `forget_peak`."""
    return _bytes(_PEAK)


def now_bytes() -> int:
    """Return the memory this process has."""
    return _bytes(_NOW)


def forget_peak() -> None:
    """Let the peak begin anew, where the system lets us."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _bytes(field: re.Pattern[str]) -> int:
    found = field.search(Path("/proc/self/status").read_text())
    assert found, "/proc/self/status tells no memory"
    return int(found[1]) << 10
