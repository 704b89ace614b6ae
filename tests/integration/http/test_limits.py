# SPDX-License-Identifier: Apache-2.0
"""A full disk and flat memory, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scomod.download.part import free_bytes
from scomod.errors import DownloadError, Reason
from tests.support.fetching import fetch, request_for
from tests.support.package_host import Behaviour, PackageHost
from tests.support.small_disk import may_mount

MIB = 1 << 20
ROOT = Path(__file__).parents[3]
# fetches under a limit on file sizes and tells how it ended; 0 means no limit
CHILD = """
import json, resource, sys
from pathlib import Path
from scomod.errors import DownloadError
from tests.support.fetching import fetch, request_for

def peak_kib():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

url, part, limit = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
reason = ""
try:
    fetch(request_for(url, part, total_timeout_s=240.0, idle_timeout_s=60.0))
except DownloadError as error:
    reason = error.reason
print(json.dumps({"reason": reason, "peak_kib": peak_kib(), "exists": part.exists()}))
"""
# the same on a file system of one MiB that only this process sees
MOUNT = 'mount -t tmpfs -o size=1m scomod-test "$1" && exec "$2" -c "$3" "$4" "$1/1.part" 0'


def report(command: list[str]) -> dict[str, object]:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def fetch_in_child(url: str, part: Path, limit: int = 0) -> dict[str, object]:
    return report([sys.executable, "-c", CHILD, url, str(part), str(limit)])


def fetch_on_small_disk(url: str, directory: Path) -> dict[str, object]:
    """Fetch onto a tmpfs in a mount name space of its own."""
    script = ["sh", "-c", MOUNT, "sh", str(directory), sys.executable, CHILD, url]
    return report(["unshare", "--mount", *script])


def fetch_on_full_disk(url: str, directory: Path) -> dict[str, object]:
    """Use a small file system where we may mount one, else a limit that fails the same way."""
    if may_mount():
        return fetch_on_small_disk(url, directory)
    return fetch_in_child(url, directory / "1.part", MIB)


@pytest.mark.parametrize("behaviour", [Behaviour(endless=True), Behaviour(chunked=True)])
def test_a_disk_that_fills_up_while_writing_gets_its_room_back(
    host: PackageHost, tmp_path: Path, behaviour: Behaviour
) -> None:
    url = host.put("/p", bytes(3 * MIB), behaviour)
    found = fetch_on_full_disk(url, tmp_path)
    assert found["reason"] == Reason.NO_SPACE
    assert found["exists"] is False


def test_a_limit_on_file_sizes_counts_as_no_space(host: PackageHost, tmp_path: Path) -> None:
    found = fetch_in_child(host.put("/p", bytes(3 * MIB)), tmp_path / "1.part", MIB)
    assert found["reason"] == Reason.NO_SPACE
    assert found["exists"] is False


def test_an_announced_size_is_held_against_the_free_space_first(
    host: PackageHost, tmp_path: Path
) -> None:
    # all that is free is reserved, so the smallest file is too much
    reserve = free_bytes(tmp_path) + (1 << 40)
    with pytest.raises(DownloadError) as error:
        fetch(request_for(host.put("/p", b"x"), tmp_path / "p", reserve_bytes=reserve))
    assert (error.value.reason, error.value.is_retryable) == (Reason.NO_SPACE, False)
    assert "reserved" in str(error.value)
    assert (tmp_path / "p").stat().st_size == 0


def test_memory_does_not_grow_with_the_file(host: PackageHost, tmp_path: Path) -> None:
    peaks = []
    for mib in (8, 64):
        url = host.put(f"/{mib}", bytes(mib * MIB))
        found = fetch_in_child(url, tmp_path / str(mib))
        assert found["reason"] == ""
        assert (tmp_path / str(mib)).stat().st_size == mib * MIB
        peaks.append(int(str(found["peak_kib"])))
    assert peaks[1] - peaks[0] < 2048
