# SPDX-License-Identifier: Apache-2.0
"""The daemon that does little: how soon it is up, how large, how quiet; what a check-in costs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from bench import measure
from bench.ground import Device, clean_environment
from bench.verdict import Row

if TYPE_CHECKING:
    from bench.ground import Ground

# what is started beside the daemon, in turn with it
BESIDE: Final = {
    "python": "pass",
    "libraries": "import asyncio, dbus_next, sqlite3",
}
PACKAGES: Final = 500
STANZA: Final = """Package: library-number-{number}
Status: install ok installed
Version: 1.2.{number}-3
Architecture: all
Maintainer: nobody <nobody@localhost>
Description: something that the device needs

"""
IDLE_S: Final = (20.0, 5.0)
MS: Final = 1000


async def start(ground: Ground) -> list[Row]:
    """Cold start until the name is owned, beside bare interpreters."""
    times: dict[str, list[float]] = {name: [] for name in ("scomod", *BESIDE)}
    async with Device(ground, "start") as device:
        await device.stop()
        for _ in range(ground.rounds(11, 7)):
            times["scomod"].append(MS * await device.start())
            await device.stop()
            for name, code in BESIDE.items():
                times[name].append(await _python_ms(code))
    rows = [
        Row(name=f"start/{name}", value=measure.median(some), unit="ms", note=measure.spread(some))
        for name, some in times.items()
    ]
    ratio = rows[0].value / rows[2].value
    return [*rows, Row(name="start/scomod:libraries", value=ratio, unit="ratio")]


async def _python_ms(code: str) -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env=clean_environment(), stdin=subprocess.DEVNULL
    )
    await process.wait()
    return MS * (time.perf_counter() - began)


async def idle(ground: Ground) -> list[Row]:
    """Memory before and after the first session and during it; wake-ups while nothing is due."""
    # no helper: a second Python process would share the interpreter, and PSS look small
    async with Device(ground, "idle", runner="direct") as device:
        await device.stop()
        await device.start()  # the second life: accounts and identity are there
        await device.settle()
        rows = [
            _size("pss/waiting", device.pid),
            Row(
                name="pss/waiting, alone", value=measure.alone_mib(device.pid), unit="MiB",
                note="computed from smaps: all but the C library counted whole",
            ),
            _size("rss/waiting", device.pid, "Rss"),
            _size("own/waiting", device.pid, "Private_Dirty"),
        ]  # fmt: skip
        rows.append(await _wakeups(ground, device))
        async with measure.peak_of(device.pid) as peak:
            await device.session()
        rows.append(Row(name="pss/session peak", value=peak.mib, unit="MiB"))
        await device.settle()
        rows.append(_size("pss/after a session", device.pid))
    return [*rows, await _peopled(ground)]


async def _peopled(ground: Ground) -> Row:
    """Look at the same on a device with software that the tree has taken in before."""
    async with Device(ground, "peopled", runner="direct") as device:
        admin_dir = device.root / "var/lib/dpkg"
        admin_dir.mkdir(parents=True)
        stanzas = (STANZA.format(number=number) for number in range(PACKAGES))
        (admin_dir / "status").write_text("".join(stanzas))
        await device.session()  # takes it in
        await device.stop()
        await device.start()
        await device.settle()
        return _size(f"pss/waiting, {PACKAGES} packages", device.pid)


def _size(name: str, pid: int, what: str = "Pss") -> Row:
    return Row(
        name=name, value=measure.memory(pid)[what], unit="MiB", note=f"{what} of smaps_rollup"
    )


async def _wakeups(ground: Ground, device: Device) -> Row:
    seconds = IDLE_S[ground.is_quick]
    before = measure.switches(device.pid)
    await asyncio.sleep(seconds)
    per_minute = (measure.switches(device.pid) - before) * 60 / seconds
    note = f"looked at for {seconds:.0f} s"
    return Row(name="idle/wake-ups per minute", value=per_minute, unit="count", note=note)


async def check_in(ground: Ground) -> list[Row]:
    """Run sessions that bring nothing: trips, octets, time, processor, disk."""
    async with Device(ground, "check-in") as device:
        first = await device.session()
        await device.settle()
        cpu_s = measure.cpu_s(device.pid)
        written = measure.written_bytes(device.pid)
        count = ground.rounds(30, 10)
        records = [await device.session() for _ in range(count)]
        await device.settle()
        cpu_s = (measure.cpu_s(device.pid) - cpu_s) / count
        written = (measure.written_bytes(device.pid) - written) // count
    times = [MS * record["duration_s"] for record in records]
    values: tuple[tuple[str, float, str, str], ...] = (
        ("trips", max(record["messages"] for record in records), "count", "the most of any"),
        ("octets up", records[-1]["bytes_sent"], "bytes", "bodies, without HTTP and TLS"),
        ("octets down", records[-1]["bytes_received"], "bytes", "as above"),
        ("duration", measure.median(times), "ms", measure.spread(times)),
        ("first duration", MS * first["duration_s"], "ms", "with all late imports"),
        ("processor", MS * cpu_s, "ms", f"mean of {count}"),
        ("written", written, "bytes", f"to the disk, mean of {count}"),
    )
    return [Row(name=f"check-in/{name}", value=v, unit=u, note=n) for name, v, u, n in values]
