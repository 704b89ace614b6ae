# SPDX-License-Identifier: Apache-2.0
"""A program of its own: a device with many packages is looked at, and its inventory read.

Prints JSON: times in ms, each beside a `dpkg-query -W` of the same database measured in
turn with it, processor time where sizes are compared, and memory beyond what was there.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.clock import SystemClock
from scomod.dmclient import codec
from scomod.dmclient.awaited import Awaited
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Results, SyncHdr
from scomod.dmclient.outgoing import Outgoing
from scomod.dmclient.subtreecommands import SubtreeCommands
from scomod.installers.runner import open_runner
from scomod.mirror import Mirror
from scomod.paths import Paths
from scomod.records import Records
from scomod.settings import Install, Settings, Subtree
from scomod.shapes import GIB

if TYPE_CHECKING:
    from collections.abc import Callable

STATUS: Final = Path("/proc/self/status")
DEPLOYED: Final = "./SCOMO/Inventory/Deployed"
ROUNDS: Final = 3
MESSAGE_BYTES: Final = 65536
KIB: Final = 1024
MS: Final = 1000
ROW: Final = """Package: package-{number:05}
Status: install ok installed
Architecture: all
Version: {version}
Maintainer: Bench <bench@example.org>
Description: package number {number} of the bench, with a line of text

"""


class Subject:
    """A device that has COUNT packages, as an image has them."""

    def __init__(self, directory: Path, count: int) -> None:
        self._count = count
        self._admin = directory / "var/lib/dpkg"
        (self._admin / "updates").mkdir(parents=True, exist_ok=True)
        settings, paths, clock = (
            Settings(install=Install(runner="direct")),
            Paths(directory),
            SystemClock(),
        )
        self.write("1")
        self.store = store = Records(settings, paths)
        ledger = store.ledger(clock)
        runner = open_runner(settings, paths, clock)
        self.mirror = Mirror(runner, store.inventory, ledger, is_held=lambda: False)
        self.longest_ms = 0.0

    def write(self, version: str) -> None:
        """Write the package database as dpkg does; one package has this version."""
        middle = self._count // 2
        rows = (
            ROW.format(number=number, version=version if number == middle else "1")
            for number in range(self._count)
        )
        new = self._admin / "status-new"
        new.write_text("".join(rows))
        new.rename(self._admin / "status")

    def query_ms(self) -> float:
        """Have dpkg-query list the database."""
        command = ["dpkg-query", f"--admindir={self._admin}", "-W"]
        return _timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))

    async def look_ms(self) -> float:
        """Look as a session does, while something else wants its turn on the loop."""
        other = asyncio.create_task(self._watch())
        await asyncio.sleep(0)
        began = time.perf_counter()
        await self.mirror.look()
        took = MS * (time.perf_counter() - began)
        other.cancel()
        return took

    async def _watch(self) -> None:
        self.longest_ms, last = 0.0, time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            self.longest_ms, last = max(self.longest_ms, MS * (now - last)), now

    def rows_written(self) -> int:
        """Return how many rows the database has taken so far."""
        return int(self.store.db.execute("SELECT total_changes()").fetchone()[0])

    def names_ms(self) -> float:
        """Answer a Get of the branch: the names."""
        return _timed(lambda: self.store.tree.get(DEPLOYED, "srv"))

    def whole_ms(self) -> float:
        """Answer a Get of the whole branch, packed into messages."""
        return _timed(self._pack_all)

    def _pack_all(self) -> None:
        commands = SubtreeCommands(
            self.store.tree, server_id="srv", encoding=Encoding.WBXML,
            limits=Subtree(max_listed_bytes=GIB),
        )  # fmt: skip
        parts = commands.get(f"{DEPLOYED}?list=StructData", MESSAGE_BYTES - KIB) or []
        out = Outgoing(lambda message: codec.encoded_size(message, Encoding.WBXML), Awaited())
        for items in parts:
            out.owe(Results(msg_ref="1", cmd_ref="1", items=items))
        header = SyncHdr(session_id="1", msg_id="1", target="https://x.example", source="device")
        while out.is_waiting:
            out.pack(header, MESSAGE_BYTES, may_end=True)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return MS * (time.perf_counter() - began)


def _forget_peak() -> int:
    """Have the kernel measure the peak of this process anew; returns what it has now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory_kib("VmRSS")


def _memory_kib(name: str) -> int:
    [line] = [line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1])


async def measure(directory: Path, count: int) -> dict[str, float]:
    """Fill the inventory, then look with nothing and with one package changed, then read."""
    subject = Subject(directory, count)
    base_kib, cpu_s = _forget_peak(), time.process_time()
    found = {"fill_ms": await subject.look_ms(), "fill_stop_ms": subject.longest_ms}
    found["fill_cpu_ms"] = MS * (time.process_time() - cpu_s)
    found["peak_bytes"] = KIB * (_memory_kib("VmHWM") - base_kib)
    names = ("same", "one", "names")
    ratios: dict[str, list[float]] = {name: [] for name in names}
    times: dict[str, list[float]] = {name: [] for name in (*names, "query")}
    for number in range(ROUNDS):
        query = subject.query_ms()
        took = {"same": await subject.look_ms()}
        subject.write(f"2.{number}")
        before = subject.rows_written()
        took["one"] = await subject.look_ms()
        found["one_rows"] = subject.rows_written() - before
        took["names"] = subject.names_ms()
        for name, value in took.items():
            times[name].append(value)
            ratios[name].append(value / query)
        times["query"].append(query)
    found |= {f"{name}_ms": statistics.median(values) for name, values in times.items()}
    found |= {f"{name}_ratio": statistics.median(values) for name, values in ratios.items()}
    cpu_s = time.process_time()
    found["whole_ms"] = subject.whole_ms()
    found["whole_cpu_ms"] = MS * (time.process_time() - cpu_s)
    subject.store.db.close()
    return found


def main() -> None:
    """`DIRECTORY COUNT`."""
    directory, count = sys.argv[1:]
    print(json.dumps(asyncio.run(measure(Path(directory), int(count)))))


if __name__ == "__main__":
    main()
