# SPDX-License-Identifier: Apache-2.0
"""What one order costs the installing side: time beside the bare tool, and its peak memory.

An order is an upgrade, given as a file to a helper that starts for it and ends after it, as
by systemd; the same archive goes into an equal device with the tool alone.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from bench import measure
from bench.ground import ROOT, clean_environment
from bench.measure import MIB
from bench.verdict import Row
from scomod.clock import SystemClock
from scomod.installers.base import Action
from scomod.installers.runner import open_runner
from scomod.settings import Install, Paths, Settings
from tests.support.helper_device import HelperDevice
from tests.support.toolbeds import BEDS, NEW, OLD

if TYPE_CHECKING:
    from pathlib import Path

    from bench.ground import Ground
    from tests.support.toolbeds import Toolbed

# The bed, and the size of a large package in MiB: flatpak packs with LZMA, 64 take minutes.
TOOLS: Final = {"dpkg": ("dpkg", 64), "flatpak": ("flatpak", 4), "opkg": ("opkg-lede", 64)}
MS: Final = 1000
PACKAGES: Final = 1000
CONFIG: Final = '[verify]\nsignature = "optional"\n'
# Runs the helper and says the most memory that it ever had.
PEAK: Final = """
import sys
from scomod.installers import helper
from tests.support import memory
memory.forget_peak()
code = helper.main(["--root", sys.argv[1]])
print(memory.peak_bytes())
sys.exit(code)
"""


async def order(ground: Ground) -> list[Row]:
    """Each tool: an upgrade by order and by the tool alone in turn, then the peaks by size."""
    rows: list[Row] = []
    growths = []
    for tool, (bed_name, large_mib) in TOOLS.items():
        folder = ground.directory / f"order-{tool}"
        folder.mkdir()
        bed = BEDS[bed_name](folder, pause_s=0)
        rows += await _in_turn(ground, tool, bed, _ready(bed))
        large_folder = folder / "large"
        large_folder.mkdir()
        large = BEDS[bed_name](large_folder, pause_s=0, bulk_bytes=large_mib * MIB)
        peaks = [await _peak(one, _ready(one)) for one in (bed, large)]
        growths.append(peaks[1] - peaks[0])
        sizes = zip(("small", f"{large_mib} MiB"), peaks, strict=True)
        rows += [
            Row(name=f"order/{tool}, peak, {size}", value=peak, unit="MiB") for size, peak in sizes
        ]
        shutil.rmtree(folder)
    note = "a large package against a small one, the worst of the tools"
    return [
        *rows,
        Row(name="order/peak, growth with size", value=max(growths), unit="MiB", note=note),
    ]


async def _in_turn(ground: Ground, tool: str, bed: Toolbed, ready: Path) -> list[Row]:
    ours: list[float] = []
    bare: list[float] = []
    for number in range(ground.rounds(6, 3)):
        deeds = [(ours, _by_order), (bare, _by_tool)]
        for times, deed in deeds if number % 2 else reversed(deeds):
            times.append(await deed(bed, ready))
    ratios = [mine / theirs for mine, theirs in zip(ours, bare, strict=True)]
    name = f"order/{tool}"
    return [
        Row(name=name, value=measure.median(ours), unit="ms", note=measure.spread(ours)),
        Row(name=f"{name}, bare", value=measure.median(bare), unit="ms", note="the same archive"),
        Row(name=f"{name}:bare", value=measure.median(ratios), unit="ratio"),
    ]


def _ready(bed: Toolbed) -> Path:
    """Make a device that has the old version, by order."""
    device = HelperDevice(bed.folder / "ready", backend=bed.backend)
    device.configure(CONFIG + bed.config)
    bed.furnish(device)
    result = device.answered(device.order(Action.INSTALL, bed.archives[OLD]))
    if not result.is_ok:
        raise RuntimeError(result.detail)
    return device.root


def _device(bed: Toolbed, ready: Path) -> HelperDevice:
    root = bed.folder / "device"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(ready, root, symlinks=True)
    return HelperDevice(root, backend=bed.backend)


async def _by_order(bed: Toolbed, ready: Path) -> float:
    device = _device(bed, ready)
    device.order_file(device.order(Action.INSTALL, bed.archives[NEW], id="2"))
    began = time.perf_counter()
    await _run(sys.executable, "-m", "scomod.installers.helper", "--root", str(device.root))
    took_s = time.perf_counter() - began
    _check(device)
    return MS * took_s


async def _by_tool(bed: Toolbed, ready: Path) -> float:
    device = _device(bed, ready)
    argv, environment = bed.bare(device.root, bed.archives[NEW])
    began = time.perf_counter()
    await _run(*argv, env=environment)
    return MS * (time.perf_counter() - began)


async def _peak(bed: Toolbed, ready: Path) -> float:
    device = _device(bed, ready)
    device.order_file(device.order(Action.INSTALL, bed.archives[NEW], id="2"))
    said = await _run(sys.executable, "-c", PEAK, str(device.root))
    _check(device)
    return int(said) / MIB


def _check(device: HelperDevice) -> None:
    result = device.result("2")
    if result is None or not result.is_ok:
        raise RuntimeError(f"the order failed: {result}")


async def packages(ground: Ground) -> list[Row]:
    """List the packages of a real database, in turn with dpkg-query alone."""
    root = ground.directory / "packages"
    admin_dir = root / "var/lib/dpkg"
    (admin_dir / "updates").mkdir(parents=True)
    (admin_dir / "status").write_text(_real_status())
    paths, clock = Paths(root), SystemClock()
    settings = Settings(install=Install(runner="direct", backends=("dpkg",)))
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(ground.rounds(6, 3)):
        runner = open_runner(settings, paths, clock)
        began = time.perf_counter()
        found = len(runner.inventory())
        ours.append(MS * (time.perf_counter() - began))
        began = time.perf_counter()
        await _run("dpkg-query", f"--admindir={admin_dir}", "-W")
        bare.append(MS * (time.perf_counter() - began))
    ratios = [mine / theirs for mine, theirs in zip(ours, bare, strict=True)]
    note = f"{found} packages"
    return [
        Row(name="packages/inventory", value=measure.median(ours), unit="ms", note=note),
        Row(name="packages/dpkg-query -W", value=measure.median(bare), unit="ms"),
        Row(name="packages/inventory:dpkg-query", value=measure.median(ratios), unit="ratio"),
    ]


def _real_status() -> str:
    """Take this machine's own packages, again under other names until there are enough."""
    with open("/var/lib/dpkg/status", encoding="utf-8") as file:  # noqa: PTH123
        real = [
            part for part in file.read().split("\n\n") if "\nStatus: install ok installed" in part
        ]
    if not real:
        raise RuntimeError("dpkg knows no package of this machine")
    made = [
        real[number % len(real)].replace("Package: ", f"Package: x{number // len(real)}-", 1)
        if number >= len(real) else real[number]
        for number in range(PACKAGES)
    ]  # fmt: skip
    return "\n\n".join(made) + "\n"


async def _run(*command: str, env: dict[str, str] | None = None) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=env or clean_environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    output, said = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:3])} failed: {said.decode()[-500:]}")
    return output.decode()
