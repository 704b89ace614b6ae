# SPDX-License-Identifier: Apache-2.0
"""The daemon that is not there: what that costs, a day with one call, and how soon it hears.

What a service manager does is done here by hand: a socket that is passed, a start.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import measure
from bench.ground import DEADLINE_S, Device, clean_environment
from bench.verdict import Row
from scomod.lab import push

if TYPE_CHECKING:
    from bench.ground import Ground

LOOPBACK: Final = "127.0.0.1"
DAY: Final = """
[daemon]
idle_exit_s = 0.2
min_absence_s = 0.1
[poll]
interval_s = 600
min_interval_s = 1
spread_s = 0
boot_delay_s = 0
at_boot = "always"
on_network = false
"""
SLEEPER: Final = "[daemon]\nidle_exit_s = 0.2\n"
# what any program needs that hears a datagram and asks a server over HTTPS about it
LIBRARIES: Final = "import asyncio, dbus_next, sqlite3, requests, lxml.etree"
MS: Final = 1000
# The daemon with a socket as its third file; what it wrote is the shell's when it has ended.
AS_SERVICE: Final = """exec 3<&"$1"; shift
sh -c 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"' sh "$@"
cat /proc/$$/io"""
COUNTED: Final = '"$@"; cat /proc/$$/io'


async def gone(ground: Ground) -> list[Row]:
    """Nothing of it runs; a day of one call; from a datagram to the server, both ways."""
    async with Device(ground, "sleeper") as device:
        heard = _Heard(ground, device)
        await device.session()  # the first one pays for much
        resident = [await heard.after_ms(device) for _ in range(ground.rounds(11, 5))]
        await device.stop()
        device.configure(DAY)
        written = [await _day(device) for _ in range(ground.rounds(5, 3))]
        device.configure(SLEEPER)
        started: list[float] = []
        libraries: list[float] = []
        for _ in range(ground.rounds(11, 5)):
            started.append(await heard.by_socket_ms(device))
            libraries.append(await _libraries_ms())
        left = [number for number in _processes() if _is_of(number, device)]
    ratios = [ours / theirs for ours, theirs in zip(started, libraries, strict=True)]
    return [
        Row(name="gone/processes", value=len(left), unit="count", note="their memory: none"),
        Row(
            name="gone/day, written", value=measure.median(written), unit="bytes",
            note=f"start, empty call, end; {measure.spread(written)}",
        ),
        Row(name="wake/resident", value=measure.median(resident), unit="ms",
            note=measure.spread(resident)),
        Row(name="wake/started", value=measure.median(started), unit="ms",
            note=measure.spread(started)),
        Row(name="wake/libraries", value=measure.median(libraries), unit="ms",
            note=measure.spread(libraries)),
        Row(name="wake/started:libraries", value=measure.median(ratios), unit="ratio"),
    ]  # fmt: skip


class _Heard:
    """When the server reads the first message of a session that it asked for."""

    def __init__(self, ground: Ground, device: Device) -> None:
        self._ground = ground
        self._account = device.account
        self._came: asyncio.Future[float] | None = None
        ground.lab.register.observe(self._note)

    def _note(self, account: object, record: dict[str, object]) -> None:
        is_it = account is self._account and record["what"] == "start"
        if is_it and self._came is not None and not self._came.done():
            self._came.set_result(time.perf_counter())

    async def after_ms(self, device: Device) -> float:
        """Ask a daemon that is there."""
        took_ms = await self._ask(self._ground.stage.udp_port)
        await device.settle()
        return took_ms

    async def by_socket_ms(self, device: Device) -> float:
        """Ask one that is not: the datagram lies in a socket which it is started with."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
            port.bind((LOOPBACK, 0))
            asked = asyncio.ensure_future(self._ask(port.getsockname()[1]))
            await asyncio.sleep(0)
            command = ("sh", "-c", AS_SERVICE, "sh", str(port.fileno()))
            await device.short_life(*command, pass_fds=(port.fileno(),))
        return await asked

    async def _ask(self, port: int) -> float:
        self._came = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        push.ask(self._ground.lab.register, self._account, LOOPBACK, port)
        async with asyncio.timeout(DEADLINE_S):
            return MS * (await self._came - began)


async def _day(device: Device) -> int:
    """Return what start, call and end of a daemon cause to be written."""
    return measure.written_of(await device.short_life("sh", "-c", COUNTED, "sh"))


async def _libraries_ms() -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LIBRARIES, env=clean_environment(), stdin=asyncio.subprocess.DEVNULL
    )
    await process.wait()
    return MS * (time.perf_counter() - began)


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _is_of(number: int, device: Device) -> bool:
    try:
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return str(device.root).encode() in words and b"--watch" not in words
