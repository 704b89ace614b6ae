# SPDX-License-Identifier: Apache-2.0
"""Going on after a cut: only the rest is fetched, and never a mixture of two files."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scomod.download.part import state_path
from scomod.errors import DownloadError, Reason, VerifyError
from tests.support.fetching import Progress, fetch, request_for, some_octets
from tests.support.package_host import Behaviour, PackageHost

CONTENT = some_octets(1_000_003, seed=2)
CHANGED = some_octets(1_000_003, seed=3)
CUT = 400_000
ROOT = Path(__file__).parents[3]
CHILD = """
import sys
from pathlib import Path
from tests.support.fetching import fetch, request_for, some_octets
fetch(request_for(sys.argv[1], Path(sys.argv[2]), idle_timeout_s=60.0))
"""


def cut(url: str, part: Path, content: bytes | None = CONTENT) -> None:
    """Fetch from a path that cuts its first answer."""
    with pytest.raises(DownloadError):
        fetch(request_for(url, part, content))
    assert part.stat().st_size == CUT


def cut_once(**more: object) -> Behaviour:
    return Behaviour(truncate_after=CUT, times=1, **more)  # type: ignore[arg-type]


def test_only_the_rest_is_fetched_and_progress_counts_on(host: PackageHost, part: Path) -> None:
    url = host.put("/p", CONTENT, cut_once())
    cut(url, part)
    progress = Progress()
    result = fetch(request_for(url, part, CONTENT), progress)
    first, second = host.seen("/p")
    assert part.read_bytes() == CONTENT
    assert result.size_bytes == len(CONTENT)
    assert (first.range, second.range) == ("", f"bytes={CUT}-")
    assert second.sent == len(CONTENT) - CUT
    assert progress.reports[0][0] > CUT
    assert progress.reports[-1] == (len(CONTENT), len(CONTENT))


def test_a_fetch_that_was_killed_is_continued(host: PackageHost, part: Path) -> None:
    url = host.put("/p", CONTENT, Behaviour(stall_after=CUT, times=1))
    child = subprocess.Popen([sys.executable, "-c", CHILD, url, str(part)], cwd=ROOT)
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size == CUT):
        assert time.monotonic() < deadline, "the child fetched nothing"
        assert child.poll() is None, "the child ended by itself"
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert fetch(request_for(url, part, CONTENT)).size_bytes == len(CONTENT)
    assert part.read_bytes() == CONTENT
    assert [one.sent for one in host.seen("/p")] == [CUT, len(CONTENT) - CUT]


def test_a_complete_part_costs_no_request(host: PackageHost, part: Path) -> None:
    url = host.put("/p", CONTENT, Behaviour(content_type="application/x-deb"))
    fetch(request_for(url, part, CONTENT))
    result = fetch(request_for(url, part, CONTENT))
    assert len(host.seen("/p")) == 1
    assert (result.size_bytes, result.content_type) == (len(CONTENT), "application/x-deb")


def test_a_complete_part_of_unknown_digest_is_fetched_again(host: PackageHost, part: Path) -> None:
    url = host.put("/p", CONTENT)
    fetch(request_for(url, part))
    result = fetch(request_for(url, part))
    # the range behind the end is answered with 416
    assert [one.range for one in host.seen("/p")] == ["", f"bytes={len(CONTENT)}-", ""]
    assert result.sha256 == hashlib.sha256(CONTENT).hexdigest()


def test_a_server_without_ranges_sends_all_again(host: PackageHost, part: Path) -> None:
    url = host.put("/p", CONTENT, cut_once())
    cut(url, part)
    host.put("/p", CONTENT, Behaviour(ranges=False))
    fetch(request_for(url, part, CONTENT))
    assert part.read_bytes() == CONTENT
    assert host.seen("/p")[-1].sent == len(CONTENT)


def test_a_file_that_changed_in_between_is_fetched_anew(host: PackageHost, part: Path) -> None:
    url = host.put("/p", CONTENT, cut_once(later=CHANGED))
    cut(url, part)
    fetch(request_for(url, part, CHANGED))
    assert part.read_bytes() == CHANGED


def test_a_server_that_overlooks_if_range_cannot_mix_two_files(
    host: PackageHost, part: Path
) -> None:
    url = host.put("/p", CONTENT, cut_once())
    cut(url, part, content=None)
    host.put("/p", CHANGED, Behaviour(blind_ranges=True))
    fetch(request_for(url, part))
    assert part.read_bytes() == CHANGED


def test_a_mixture_that_only_the_digest_finds_is_fetched_anew(
    host: PackageHost, part: Path
) -> None:
    url = host.put("/p", CONTENT, cut_once(etag=False))
    cut(url, part)
    # same date, no tag: the server itself does not know that the file is another one
    host.put("/p", CHANGED, Behaviour(etag=False))
    fetch(request_for(url, part, CHANGED))
    assert part.read_bytes() == CHANGED
    assert [one.range for one in host.seen("/p")] == ["", f"bytes={CUT}-", ""]


def test_octets_damaged_by_a_power_cut_are_fetched_anew(host: PackageHost, part: Path) -> None:
    url = host.put("/p", CONTENT, cut_once())
    cut(url, part)
    part.write_bytes(bytes(CUT))
    fetch(request_for(url, part, CONTENT))
    assert part.read_bytes() == CONTENT


def test_a_wrong_file_stays_wrong_after_a_resume(host: PackageHost, part: Path) -> None:
    url = host.put("/p", CHANGED, cut_once())
    cut(url, part)
    with pytest.raises(VerifyError) as error:
        fetch(request_for(url, part, CONTENT))
    assert error.value.reason is Reason.DIGEST
    assert not part.exists()


def test_without_digest_only_parts_of_this_boot_are_continued(
    host: PackageHost, part: Path
) -> None:
    url = host.put("/p", CONTENT, Behaviour(truncate_after=CUT, times=2))
    cut(url, part, content=None)
    with pytest.raises(DownloadError):
        fetch(request_for(url, part), boot_id="a later boot")
    fetch(request_for(url, part), boot_id="a later boot")
    assert [one.range for one in host.seen("/p")] == ["", "", f"bytes={CUT}-"]
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
@pytest.mark.parametrize(("content", "second"), [(None, ""), (CONTENT, f"bytes={CUT}-")])
def test_without_a_strong_validator_only_the_digest_allows_to_go_on(
    host: PackageHost, part: Path, etag: str, content: bytes | None, second: str
) -> None:
    headers = {"ETag": etag} if etag else {}
    behaviour = Behaviour(
        truncate_after=CUT, times=1, etag=False, last_modified=False, headers=headers
    )
    url = host.put("/p", CONTENT, behaviour)
    cut(url, part, content)
    fetch(request_for(url, part, content))
    assert [one.range for one in host.seen("/p")] == ["", second]
    assert part.read_bytes() == CONTENT


def test_a_part_of_another_url_is_not_continued(host: PackageHost, part: Path) -> None:
    cut(host.put("/p", CONTENT, cut_once()), part)
    fetch(request_for(host.put("/q", CONTENT), part, CONTENT))
    assert host.seen("/q")[0].range == ""
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"url": 1}', '{"other": "x"}', None])
def test_a_side_file_that_is_none_means_to_start_over(
    host: PackageHost, part: Path, text: str | None
) -> None:
    url = host.put("/p", CONTENT, cut_once())
    cut(url, part)
    if text is None:
        state_path(part).unlink()
    else:
        state_path(part).write_text(text)
    fetch(request_for(url, part, CONTENT))
    assert host.seen("/p")[-1].range == ""
    assert part.read_bytes() == CONTENT


def test_the_side_file_is_written_once(host: PackageHost, part: Path) -> None:
    url = host.put("/p", CONTENT, cut_once())
    cut(url, part)
    before = state_path(part).stat()
    assert json.loads(state_path(part).read_text())["url"] == url
    fetch(request_for(url, part, CONTENT))
    after = state_path(part).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
