# SPDX-License-Identifier: Apache-2.0
"""A whole DownloadInstall, from the acceptance of the Exec to its report, beside bare dpkg."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench import measure
from bench.ground import Device
from bench.verdict import Row
from scomod.lab import packages
from scomod.lab.packages import Payload, Recipe

if TYPE_CHECKING:
    from pathlib import Path

    from bench.ground import Ground

FILES: Final = 400
RUNNERS: Final = ("spool", "direct")
RECIPES: Final = (
    Recipe(
        name="bench-small",
        version="1.0",
        summary="one file",
        files={"usr/share/bench-small/text": "hello\n"},
    ),
    Recipe(
        name="bench-many",
        version="1.0",
        summary=f"{FILES} files",
        files={f"usr/share/bench-many/{n // 20}/{n}": f"{n}\n" * 200 for n in range(FILES)},
    ),
)
ADMIN_FOLDERS: Final = ("info", "updates", "triggers", "parts")
MS: Final = 1000
# runs a program and says what it wrote: the counts of a child go to whoever waited for it
COUNTED: Final = '"$@" >/dev/null; cat /proc/$$/io'


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one installation took."""

    ms: float
    written_bytes: int


async def operation(ground: Ground) -> list[Row]:
    """Each package through each runner, in turn with dpkg alone."""
    payloads = [
        packages.build(recipe, ground.lab.packages.directory, ground.lab.pki) for recipe in RECIPES
    ]
    rows: list[Row] = []
    for runner in RUNNERS:
        async with Device(ground, f"operation-{runner}", runner=runner) as device:
            await device.session()
            for payload in payloads:
                rows += await _alternate(ground, device, payload, runner)
    return rows


async def _alternate(ground: Ground, device: Device, payload: Payload, runner: str) -> list[Row]:
    """Install and remove in turn: ours first in one round, dpkg in the next."""
    url = ground.lab.package_url(payload.path)
    ours: list[Taken] = []
    bare: list[Taken] = []
    await _ours(device, payload, url)  # the first one brings late imports
    for number in range(ground.rounds(6, 4)):
        if number % 2:
            bare.append(await _dpkg(device, ground.directory / "bare", payload))
        ours.append(await _ours(device, payload, url))
        if not number % 2:
            bare.append(await _dpkg(device, ground.directory / "bare", payload))
    name = f"operation/{payload.name.removeprefix('bench-')}, {runner}"
    times = [one.ms for one in ours]
    ratios = [mine.ms / theirs.ms for mine, theirs in zip(ours, bare, strict=True)]
    beyond = [
        mine.written_bytes - theirs.written_bytes - payload.size_bytes
        for mine, theirs in zip(ours, bare, strict=True)
    ]
    dpkg_ms = measure.median([one.ms for one in bare])
    return [
        Row(name=name, value=measure.median(times), unit="ms", note=measure.spread(times)),
        Row(name=f"{name}, dpkg -i", value=dpkg_ms, unit="ms", note="the same package"),
        Row(name=f"{name}:dpkg -i", value=measure.median(ratios), unit="ratio"),
        Row(
            name=f"{name}, written", value=measure.median(beyond), unit="bytes",
            note="beyond the package and what dpkg -i writes",
        ),
    ]  # fmt: skip


async def _ours(device: Device, payload: Payload, url: str) -> Taken:
    """Have the package installed, and removed again off the clock."""
    before = _written(device)
    took_s = await device.operate("install", **payload.order_params(url))
    await device.settle()
    taken = Taken(ms=MS * took_s, written_bytes=_written(device) - before)
    await device.operate("component", id=payload.name, primitive="Remove")
    await device.settle()
    return taken


def _written(device: Device) -> int:
    return sum(measure.written_bytes(pid) for pid in device.pids)


async def _dpkg(device: Device, root: Path, payload: Payload) -> Taken:
    """Install with dpkg alone into a root like the device's, and purge off the clock."""
    admin_dir = root / "var/lib/dpkg"
    for folder in ADMIN_FOLDERS:
        (admin_dir / folder).mkdir(parents=True, exist_ok=True)
    for file in ("status", "available"):
        (admin_dir / file).touch()
    rights = () if os.geteuid() == 0 else ("--force-not-root",)
    command = ("dpkg", f"--root={root}", "--force-script-chrootless", *rights)
    began = time.perf_counter()
    output = await _run("sh", "-ec", COUNTED, "sh", *command, "--install", str(payload.path))
    took_s = time.perf_counter() - began
    await _run(*command, "--purge", payload.name)
    await device.settle()
    return Taken(ms=MS * took_s, written_bytes=measure.written_of(output))


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed")
    return output.decode()
