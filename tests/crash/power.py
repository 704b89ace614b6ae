# SPDX-License-Identifier: Apache-2.0
"""Power cuts at the instants of a block log: `script/power-cut [--points N] [--seed N]`.

Each story is played once on a recorded disk; then the power fails at every flush, and right
before it with a part of what was not flushed.  What does not recover is printed as a point that
`--story NAME --point POINT --seed N` plays again; the exit code is 1 then.  `--weak` leaves out
flushes on purpose while a story is played: then points must fail.
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support import block_log, power_story
from tests.support.block_log import Point
from tests.support.power_install import Installing
from tests.support.power_life import Life
from tests.support.toolbeds import DpkgBed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.support.power_story import Recording, Story

SHOWN = 1500


def _life(_folder: Path, *, is_weak: bool) -> Story:
    return Life("PRAGMA synchronous=NORMAL" if is_weak else "")


def _install(folder: Path, *, is_weak: bool) -> Story:
    bed = folder / "bed"
    bed.mkdir()
    return Installing(DpkgBed(bed, pause_s=0.0), _leave_flushes_out if is_weak else _nothing)


def _nothing() -> None:
    """Change nothing."""


def _leave_flushes_out() -> None:
    """Have this process flush nothing from now on."""
    os.fsync = lambda fd: None  # noqa: ARG005 - the name that fsync has


STORIES: Mapping[str, Callable[..., Story]] = {"life": _life, "install": _install}


def main(arguments: list[str]) -> int:
    """Run the campaign in namespaces of its own; 0 if everything recovered."""
    parser = argparse.ArgumentParser(
        prog="script/power-cut", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31), metavar="N")
    parser.add_argument("--points", type=int, default=0, metavar="N", help="of each story; 0: all")
    parser.add_argument("--story", choices=STORIES, action="append")
    parser.add_argument("--point", type=Point.of, action="append", help='"17" or "17-torn"')
    parser.add_argument("--weak", action="store_true", help="leave flushes out: points must fail")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="scomod-power-") as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", folder], check=True)
        try:
            names = options.story or list(STORIES)
            faults = sum(_run(name, Path(folder, name), options) for name in names)
        finally:
            subprocess.run(["umount", folder], check=True)
    return int(faults > 0)


def _run(name: str, folder: Path, options: Any) -> int:
    """Play one story and cut it; returns how often the device did not come back right."""
    folder.mkdir()
    recording = power_story.record(STORIES[name](folder, is_weak=options.weak), folder)
    every = block_log.points(recording.entries)
    chosen = options.point or _slice(every, options.points, options.seed)
    flushes = sum(entry.is_flush for entry in recording.entries)
    size_kib = sum(len(entry.data) for entry in recording.entries) >> 10
    print(
        f"{name}: {len(recording.entries)} requests, {flushes} flushes, {size_kib} KiB, "
        f"{len(recording.facts)} facts acknowledged, {len(every)} points",
        flush=True,
    )
    return _cut(name, recording, chosen, options.seed)


def _cut(name: str, recording: Recording, chosen: Sequence[Point], seed: int) -> int:
    began_s, faults = time.monotonic(), 0
    for point, trouble in recording.cut(chosen, seed):
        if trouble:
            faults += 1
            print(f"FAULT {name} {point}\n{trouble[-SHOWN:]}", flush=True)
    spent_s = time.monotonic() - began_s
    print(f"{name}: {len(chosen)} cuts, {len(chosen) - faults} recovered, {faults} faults, "
          f"{spent_s:.0f} s", flush=True)  # fmt: skip
    return faults


def _slice(every: Sequence[Point], count: int, seed: int) -> Sequence[Point]:
    """Take `count` points at even distances, all for 0; another seed begins elsewhere."""
    if not 0 < count < len(every):
        return every
    return [every[(index * len(every) + seed % len(every)) // count] for index in range(count)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
