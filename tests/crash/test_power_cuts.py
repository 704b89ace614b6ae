# SPDX-License-Identifier: Apache-2.0
"""The power fails at instants of a block log: what was acknowledged is there, and work goes on.

A slice; `script/power-cut` plays every instant.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import block_log
from tests.support.block_log import DISCARD, FLUSH, HEADER, SECTOR, Entry, Log, Point

if TYPE_CHECKING:
    from collections.abc import Callable

ISOLATED = (
    "setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child",
    "--mount-proc",
)  # fmt: skip
DEVICES = ("/dev/fuse", "/dev/loop-control")
mounts = pytest.mark.skipif(
    os.getuid() != 0 or not all(os.access(name, os.W_OK) for name in DEVICES),
    reason=f"mounts file systems: root, {' and '.join(DEVICES)}",
)


def played(*options: str) -> tuple[int, str]:
    done = subprocess.run(
        [*ISOLATED, sys.executable, "-m", "tests.crash.power", *options],
        check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return done.returncode, done.stdout


@mounts
def test_the_device_comes_back_from_a_cut_at_any_point() -> None:
    code, said = played("--points", "2", "--seed", "1")
    assert code == 0, said
    assert "life: 2 cuts, 2 recovered" in said
    assert "install: 2 cuts, 2 recovered" in said


@mounts
def test_points_fail_where_the_database_does_not_flush() -> None:
    code, said = played("--weak", "--story", "life", "--points", "2", "--seed", "1")
    assert code == 1, said
    assert "FAULT life" in said


WAITS = """
import os, sys, time
from pathlib import Path
from tests.support.block_log import RecordedDisk
with RecordedDisk(Path(sys.argv[1]), 16) as disk:
    if not os.fork():
        with disk.mounted():
            time.sleep(1000)
    os.wait()
"""


@mounts
def test_nothing_is_left_of_a_recording_that_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    with subprocess.Popen([*ISOLATED, sys.executable, "-c", WAITS, folder]) as recording:
        until(lambda: folder / "exported" in behind_loops())
        recording.kill()
    until(lambda: folder / "exported" not in behind_loops())


def behind_loops() -> set[Path]:
    """What lies behind the loop devices of this machine."""
    said = subprocess.run(["losetup", "--list", "--noheadings", "--output", "BACK-FILE"],
                          check=True, capture_output=True, text=True)  # fmt: skip
    return {Path(line) for line in said.stdout.splitlines()}


def until(condition: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.02)


# -- the log ------------------------------------------------------------------------------


def logged(path: Path, *rows: tuple[int, int, bytes]) -> Log:
    """Write a log of (flags, sector, data), in the format of dm-log-writes."""
    with path.open("wb") as file:
        file.truncate(1 << 20)
        file.seek(SECTOR)
        for flags, sector, data in rows:
            header = HEADER.pack(sector, len(data) // SECTOR, flags, 0)
            file.write(header.ljust(SECTOR, b"\0") + (b"" if flags & DISCARD else data))
    return Log(path)


def test_a_log_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    page = b"a" * 4096
    log = logged(tmp_path / "log", (0, 8, page), (DISCARD, 8, page), (FLUSH, 0, b""))
    assert log.position() == 3
    assert log.entries() == [Entry(0, 4096, page), Entry(DISCARD, 4096, b""), Entry(FLUSH, 0, b"")]


def test_points_are_the_flushes_and_before_them_what_is_torn() -> None:
    flush, write = Entry(FLUSH, 0, b""), Entry(0, 0, b"a" * 512)
    found = block_log.points([flush, write, write, flush, flush])
    assert [str(point) for point in found] == ["0", "3-torn", "3", "4"]
    assert [Point.of(str(point)) for point in found] == found
    # what is acknowledged before a flush is through must be there without it
    assert [point.reach for point in found] == [1, 3, 4, 5]


def test_a_cut_keeps_all_that_was_flushed_and_a_part_of_the_rest(tmp_path: Path) -> None:
    old, new, later = (bytes([value]) * 4096 for value in b"onl")
    image, target = tmp_path / "image", tmp_path / "target"
    image.write_bytes(old * 16)
    entries = [Entry(0, 0, new * 8), Entry(FLUSH, 0, b""), Entry(0, 0, later * 16)]
    entries.append(Entry(FLUSH, 0, b""))
    seen = {}
    for seed in range(6):
        for point in block_log.states(image, entries, block_log.points(entries), seed, target):
            seen[seed, str(point)] = target.read_bytes()
    for seed in range(6):
        assert seen[seed, "1"] == new * 8 + old * 8
        assert seen[seed, "3"] == later * 16
        torn = [seen[seed, "3-torn"][at : at + 4096] for at in range(0, 16 * 4096, 4096)]
        assert set(torn[:8]) <= {new, later}
        assert set(torn[8:]) <= {old, later}
    assert len({seen[seed, "3-torn"] for seed in range(6)}) > 4, "each seed tears otherwise"


def test_a_disk_that_goes_on_has_what_the_cut_left(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(16 * 4096))
    entries = [Entry(0, 0, b"a" * 4096), Entry(FLUSH, 0, b""), Entry(0, 4096, b"b" * 40960)]
    pending, lost = block_log.fail(image, entries, seed=1, number=1)
    found = image.read_bytes()
    assert pending == 10
    assert found.count(b"b") == (10 - lost) * 4096
    assert found.count(b"a") == 4096
