# SPDX-License-Identifier: Apache-2.0
"""An order, killed at an instant: the helper, its tool, or both; then started again.

The helper is a fork of this process, so a case costs little more than the tool's own
work.  What must hold afterwards is asked of the tool itself and of its files
(`toolbeds`), not of our parsers.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.installers import helper
from tests.support.helper_device import HelperDevice
from tests.support.toolbeds import BEDS, NEW, OLD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scomod.installers.base import JobResult
    from tests.support.toolbeds import Toolbed

DEEDS: Final = {"install": ("", NEW), "upgrade": (OLD, NEW), "remove": (OLD, "")}
VICTIMS: Final = ("helper", "tool", "both")
CONFIG: Final = """
[verify]
signature = "optional"
[install]
result_timeout_s = 600
[install.dpkg]
lock_wait_s = 60
"""
_LOOK_S: Final = 0.0005
_PATIENCE_S: Final = 300.0
_DEPTH: Final = 6
_TRIES: Final = 5
_EARLIER: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One death; `at` is the instant, as a part of what an undisturbed run takes."""

    bed: str
    deed: str
    victim: str
    at: float

    def __str__(self) -> str:
        return f"{self.bed} {self.deed} {self.victim} {self.at}"

    @classmethod
    def of(cls, text: str) -> Case:
        """Read what `str` wrote."""
        bed, deed, victim, at = text.split()
        return cls(bed=bed, deed=deed, victim=victim, at=float(at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was seen: whether death came before the end, and how the order was answered."""

    was_hit: bool
    is_ok: bool


def cases(seed: int, count: int, beds: tuple[str, ...] = tuple(BEDS)) -> Iterator[Case]:
    """Draw instants for each tool, deed and victim, one in each of `count` equal parts of a run."""
    choice = random.Random(seed)  # noqa: S311 - a seed
    for bed in beds:
        for deed in DEEDS:
            for victim in VICTIMS:
                for part in range(count):
                    at = (part + choice.random()) / count
                    yield Case(bed=bed, deed=deed, victim=victim, at=round(at, 4))


class Ground:
    """Ready devices to copy, one for each tool and state before, and how long a run takes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._beds: dict[str, Toolbed] = {}
        self._times_s: dict[tuple[str, str], float] = {}
        self._count = 0

    def play(self, case: Case) -> Outcome:
        """Let it happen on fresh devices and check what is there; raises AssertionError.

        Where the order was over before its instant, as a busy machine measures badly, it is
        played again with an earlier one.
        """
        bed = self._bed(case.bed)
        at_s = case.at * self._run_s(bed, case.deed)
        for _ in range(_TRIES):
            outcome = self._play(bed, case, at_s)
            if outcome.was_hit:
                break
            at_s *= _EARLIER
        return outcome

    def _play(self, bed: Toolbed, case: Case, at_s: float) -> Outcome:
        device = self._device(bed, case.deed)
        _order(device, bed, case.deed)
        was_hit = _die(device, case, at_s)
        result = device.result("2")
        assert result is not None
        _check(device, bed, case.deed, result)
        shutil.rmtree(device.root)
        return Outcome(was_hit=was_hit, is_ok=result.is_ok)

    def _bed(self, name: str) -> Toolbed:
        if name not in self._beds:
            folder = self._folder / name
            folder.mkdir()
            self._beds[name] = bed = BEDS[name](folder)
            bare = HelperDevice(folder / "bare", backend=bed.backend)
            bare.configure(CONFIG + bed.config)
            bed.furnish(bare)
            shutil.copytree(bare.root, folder / "ready", symlinks=True)
            ready = HelperDevice(folder / "ready", backend=bed.backend)
            result = ready.answered(bed.order(ready, OLD))
            assert result.is_ok, result.detail
        return self._beds[name]

    def _device(self, bed: Toolbed, deed: str) -> HelperDevice:
        before, _ = DEEDS[deed]
        self._count += 1
        root = self._folder / f"device-{self._count}"
        shutil.copytree(bed.folder / ("ready" if before else "bare"), root, symlinks=True)
        return HelperDevice(root, backend=bed.backend)

    def _run_s(self, bed: Toolbed, deed: str) -> float:
        if (bed.name, deed) not in self._times_s:
            device = self._device(bed, deed)
            _order(device, bed, deed)
            began_s = time.monotonic()
            _until_over(_start(device))
            self._times_s[bed.name, deed] = time.monotonic() - began_s
            result = device.result("2")
            assert result is not None
            assert result.is_ok, result.detail
            _check(device, bed, deed, result)
            shutil.rmtree(device.root)
        return self._times_s[bed.name, deed]


def _order(device: HelperDevice, bed: Toolbed, deed: str) -> None:
    device.order_file(bed.order(device, DEEDS[deed][1], "2"))


def _die(device: HelperDevice, case: Case, wait_s: float) -> bool:
    """Run the helper, kill at the instant, run it again to the end; tells whether it was hit."""
    running = _start(device)
    time.sleep(wait_s)
    if case.victim == "tool":
        was_hit = _kill_tool(running)
        _until_over(running)
        return was_hit
    os.kill(running, signal.SIGSTOP)
    tools = _groups_below(running)
    os.kill(running, signal.SIGKILL)
    _, status = os.waitpid(running, 0)
    if case.victim == "both":
        _kill(tools)
    _until_over(_start(device))
    return os.WIFSIGNALED(status)


def _check(device: HelperDevice, bed: Toolbed, deed: str, result: JobResult) -> None:
    """Hold the tool's database, the files, the answer and our own notes against one another."""
    before, after = DEEDS[deed]
    bed.check_database(device.root)
    assert bed.installed(device.root) == (after if result.is_ok else before), result
    assert device.pending() == []
    assert device.names("taken") == device.names("work") == []
    kept = {entry.id: entry for entry in device.entries()}
    is_there = bool(after if result.is_ok else before)
    assert [name in kept for name in bed.components] == [is_there] * len(bed.components)
    if result.is_ok:
        assert all(kept[item.id].item() == item for item in result.components)
    spared = {Path(name).stem for name in device.workshop().plans.archives()}
    assert device.store() <= spared | {entry.digest for entry in kept.values()}


def _start(device: HelperDevice) -> int:
    """Fork a helper; gives its number."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        code = 1
        with contextlib.suppress(BaseException):
            code = helper.main(["--root", str(device.root)])
        os._exit(code)
    return child


def _until_over(running: int) -> None:
    _, status = os.waitpid(running, 0)
    assert status == 0, f"the helper ended with {status}"


def _kill_tool(running: int) -> bool:
    """Kill the tool that runs, or the next one; false when the order is over before."""
    give_up_s = time.monotonic() + _PATIENCE_S
    while not _is_zombie(running):
        if groups := _groups_below(running):
            return _kill(groups)
        assert time.monotonic() < give_up_s
        time.sleep(_LOOK_S)
    return False


def _kill(groups: set[int]) -> bool:
    hits = 0
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
            hits += 1
    return bool(hits)


def _groups_below(number: int) -> set[int]:
    """Give the process groups of the descendants that have one of their own."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = (int(fields[1]), int(fields[2]))
    below, groups = {number}, set()
    for _ in range(_DEPTH):
        below |= {child for child, (parent, _) in parents.items() if parent in below}
        groups = {parents[child][1] for child in below - {number}}
    # Between fork and setsid a child is still in the group of this very process.
    return groups - {os.getpgrp()}


def _is_zombie(number: int) -> bool:
    return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
