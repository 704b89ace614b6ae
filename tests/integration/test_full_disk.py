# SPDX-License-Identifier: Apache-2.0
"""A disk that is full at any write of a download: a clear result, nothing left, and it goes on.

Each size of a small file system, page by page, makes another write the first that fails: of
the part, of its side file, or of the database.  `SCOMOD_DISK_STEP=1` tries every page.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod.download.part import SPACE_CHECK_BYTES, free_bytes
from scomod.errors import DownloadError, StoreFull
from tests.support.clocks import FakeClock
from tests.support.fault_table import FULL, QUOTA, READ_ONLY, RESERVE, check
from tests.support.fetching import fetch, request_for, some_octets
from tests.support.mortal import live
from tests.support.online import Online, online_settings, order_download
from tests.support.package_host import Behaviour, PackageHost
from tests.support.shelf import Shelf
from tests.support.small_disk import (
    PAGE_BYTES,
    alone,
    make_read_only,
    may_have_quotas,
    may_mount,
    mounted,
    resize,
    under_quota,
    used_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT = some_octets(10 * PAGE_BYTES, seed=4)
SUCCESS, NO_ROOM = 1200, int(FULL.result or 0)
PARAMS = f"sha256={hashlib.sha256(CONTENT).hexdigest()}"
ROOMY_BYTES = 16 << 20
RESERVE_BYTES = 8 << 20
QUOTA_BYTES = 2 << 20
STEP = int(os.environ.get("SCOMOD_DISK_STEP", "3"))
ROOT = Path(__file__).parents[2]
# what system calls answer to one fetch after the other: the side file of the first cannot be
# renamed, the part of the second (after two side files) not written, that of the third not flushed
DISK_ANSWERS = {
    "/^rename:error=ENOSPC:when=1": (FULL, errno.ENOSPC),
    "write:error=EDQUOT:when=3": (QUOTA, errno.EDQUOT),
    "fsync:error=EIO:when=1": (READ_ONLY, errno.EIO),
}
CHILD = """
import sys
from pathlib import Path
from scomod.errors import DownloadError
from tests.support.fetching import fetch, request_for
url, part = sys.argv[1], Path(sys.argv[2])
for _ in range(3):
    try:
        fetch(request_for(url, part))
    except DownloadError as error:
        left = len(list(part.parent.iterdir()))
        print(error.reason, error.is_retryable, error, left, sep="|")
"""


def in_a_child(play: Callable[[], None]) -> None:
    """Do something in a process that mounts for itself alone."""
    if not may_mount():
        pytest.skip("needs the right to mount")

    def life(_: Callable[[str], None]) -> None:
        alone()
        play()

    live(life)


def one_device(place: Path, url: str, spare_pages: int) -> int:
    """Download with so much room left, then give it room; returns the first result, 0 for none.

    Without room for the database the daemon cannot go on, and is started again.
    """
    root = place / "device"
    clock, settings = FakeClock(), online_settings()
    with closing(Online(root, Shelf(), clock, settings=settings)) as device:
        order_download(device, "x", url, PARAMS)
        resize(place, used_bytes(place) + spare_pages * PAGE_BYTES)
        with suppress(StoreFull):
            device.settle()
        ended = [int(operation.result or 0) for operation in device.finished]
        assert not ended or device.leftovers()["spool"] == []
    resize(place, ROOMY_BYTES)
    with closing(sqlite3.connect(root / "var/lib/scomod/scomod.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with closing(Online(root, Shelf(), clock, settings=settings)) as device:
        device.settle()
        assert device.records.journal.live() == []
        after = [int(operation.result or 0) for operation in device.finished]
        assert [*ended, *after] in ([SUCCESS], [NO_ROOM])
        assert device.leftovers()["spool"] == []
        assert len(device.leftovers()["delivered"]) == (SUCCESS in (*ended, *after))
        assert len(device.reports("srv")) == 1
    return ended[0] if ended else 0


def test_the_disk_is_full_at_any_write_of_a_download(tmp_path: Path) -> None:
    def play() -> None:
        results: list[int] = []
        with PackageHost() as host:
            url = host.put("/p", CONTENT)
            while SUCCESS not in results:
                with mounted(tmp_path / "disk", ROOMY_BYTES):
                    results.append(one_device(tmp_path / "disk", url, len(results) * STEP))
        # no room for the journal, none for the payload, none for the journal again, enough
        assert set(results) == {0, NO_ROOM, SUCCESS}
        assert results[0] == 0

    in_a_child(play)


def test_the_reserve_is_kept_whatever_the_server_says_of_the_size(tmp_path: Path) -> None:
    def play() -> None:
        place = tmp_path / "disk"
        least_free = [ROOMY_BYTES]

        def look(_done: int, _total: int | None) -> None:
            least_free.append(free_bytes(place))

        with PackageHost() as host, mounted(place, ROOMY_BYTES):
            url = host.put("/p", bytes(ROOMY_BYTES), Behaviour(chunked=True))
            request = request_for(url, place / "1.part", reserve_bytes=RESERVE_BYTES)
            with pytest.raises(DownloadError) as error:
                fetch(request, look)
            check(FULL, error.value)
            assert min(least_free) >= RESERVE_BYTES - SPACE_CHECK_BYTES
            host.put("/p", bytes(ROOMY_BYTES))
            with pytest.raises(DownloadError) as error:
                fetch(request, look)
            check(RESERVE, error.value)
            assert request.part.stat().st_size == 0

    in_a_child(play)


@pytest.mark.skipif(not may_have_quotas(), reason="needs btrfs and loop devices")
def test_a_quota_that_is_used_up_is_named_and_nothing_stays(tmp_path: Path) -> None:
    def play() -> None:
        content = some_octets(2 * QUOTA_BYTES, seed=4)
        with PackageHost() as host, under_quota(tmp_path / "disk", QUOTA_BYTES) as folder:
            request = request_for(host.put("/p", content), folder / "1.part")
            assert free_bytes(folder) > len(content), "the disk is not what is full"
            with pytest.raises(DownloadError, match=os.strerror(errno.EDQUOT)) as error:
                fetch(request)
            check(QUOTA, error.value)
            assert list(folder.iterdir()) == []
            host.put("/p", CONTENT)
            assert fetch(request).size_bytes == len(CONTENT)

    in_a_child(play)


def test_a_read_only_disk_is_named(tmp_path: Path) -> None:
    def play() -> None:
        place = tmp_path / "disk"
        with PackageHost() as host, mounted(place, ROOMY_BYTES):
            make_read_only(place)
            with pytest.raises(DownloadError, match="Read-only file system") as error:
                fetch(request_for(host.put("/p", CONTENT), place / "1.part"))
            check(READ_ONLY, error.value)
            assert host.seen("/p") == []

    in_a_child(play)


def test_what_the_disk_answers_in_the_middle_is_named_and_nothing_stays(tmp_path: Path) -> None:
    part = tmp_path / "1.part"
    paths = [f"--trace-path={one}" for one in (part, f"{part}.state.new")]
    faults = [f"--inject={one}" for one in DISK_ANSWERS]
    tracer = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", *paths, *faults]
    with PackageHost() as host:
        command = [*tracer, sys.executable, "-c", CHILD, host.put("/p", CONTENT), str(part)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [line.split("|") for line in done.stdout.splitlines()]
    for (reason, is_retried, text, left), (row, number) in zip(
        lines, DISK_ANSWERS.values(), strict=True
    ):
        assert (reason, is_retried) == (row.reason, str(row.is_retried))
        assert os.strerror(number) in text
        assert left == "0"
