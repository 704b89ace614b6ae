# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of a process: memory, processor time, writes, wake-ups.

All numbers come from /proc of the process itself and are of all its threads; what
was written is also that of children that have ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

MIB: Final = 1024 * 1024
KIB_PER_MIB: Final = 1024
EVERYBODYS: Final = ("libc.so", "libc-", "ld-")  # the C library and its loader
SAMPLE_S: Final = 0.01
UTIME: Final = 11  # fields after the name in parentheses, see proc(5)
STIME: Final = 12

Memory = dict[str, float]


def memory(pid: int) -> Memory:
    """Return Pss, Rss and Private_Dirty (among others) in MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)
    return {name: int(value) / KIB_PER_MIB for name, value in found}


def alone_mib(pid: int) -> float:
    """Return what Pss would be if no other Python program ran.

    Every page counts whole, but for those of the files that any program has; they count as
    they do now.
    """
    kib, is_everybodys = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        name, *values = line.split()
        if not name.endswith(":"):
            is_everybodys = Path(line).name.startswith(EVERYBODYS)
        elif name == ("Pss:" if is_everybodys else "Rss:"):
            kib += int(values[0])
    return kib / KIB_PER_MIB


def cpu_s(pid: int) -> float:
    """Return the processor time so far, user and system; its grain is 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[UTIME]) + int(fields[STIME])) / os.sysconf("SC_CLK_TCK")


def written_bytes(pid: int) -> int:
    """Return what the process has caused to be written to the disk (not: to files)."""
    return written_of(Path(f"/proc/{pid}/io").read_text())


def written_of(text: str) -> int:
    """Read the same out of the text of such a file."""
    return _number(text, "write_bytes")


def peak_mib(pid: int) -> float:
    """Return the largest RSS so far; unlike that of `getrusage` not also that of who started it."""
    text = Path(f"/proc/{pid}/status").read_text().replace(" kB", "")
    return _number(text, "VmHWM") / KIB_PER_MIB


def switches(pid: int) -> int:
    """Return how often its threads went to sleep by themselves: each was a wake-up."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    texts = ((task / "status").read_text() for task in tasks)
    return sum(_number(text, "voluntary_ctxt_switches") for text in texts)


def _number(text: str, name: str) -> int:
    match = re.search(rf"^{name}:\s*(\d+)$", text, re.MULTILINE)
    if match is None:
        raise ValueError(f"nothing is said of {name}")
    return int(match[1])


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Say how many values there are and how far they lie apart."""
    low, high = min(values), max(values)
    return f"median of {len(values)}, {low:.{digits}f} to {high:.{digits}f}"


class Peak:
    """The highest PSS seen by looking all the time; what is over in 10 ms may be missed."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.mib = 0.0

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            self.mib = max(self.mib, memory(self._pid)["Pss"])
            await asyncio.sleep(SAMPLE_S)


@contextlib.asynccontextmanager
async def peak_of(pid: int) -> AsyncIterator[Peak]:
    """Watch the memory of a process while entered."""
    peak = Peak(pid)
    watcher = asyncio.ensure_future(peak.watch())
    try:
        yield peak
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher
