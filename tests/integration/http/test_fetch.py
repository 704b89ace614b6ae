# SPDX-License-Identifier: Apache-2.0
"""Fetching from a real server: what arrives, and the reason for each way to fail."""

from __future__ import annotations

import hashlib
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from scomod.clock import SystemClock
from scomod.download.http import HttpFetcher
from scomod.download.part import state_path
from scomod.errors import DownloadError, Reason, VerifyError
from tests.support.fetching import BOOT_ID, Progress, fetch, request_for, some_octets
from tests.support.package_host import Behaviour, PackageHost, closed_port

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = some_octets(700_001, seed=1)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def failure(url: str, part: Path, content: bytes | None = CONTENT, **limits: Any) -> DownloadError:
    with pytest.raises(DownloadError) as error:
        fetch(request_for(url, part, content, **limits))
    return error.value


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(),
        Behaviour(chunked=True),
        Behaviour(length=False),
        Behaviour(drip_bytes=100_003),
        Behaviour(content_type="Application/Octet-Stream; charset=x"),
        Behaviour(headers={"Content-Encoding": "gzip"}),
    ],
)
def test_the_file_arrives_whole_however_it_is_framed(
    host: PackageHost, part: Path, behaviour: Behaviour
) -> None:
    result = fetch(request_for(host.put("/p", CONTENT, behaviour), part))
    assert part.read_bytes() == CONTENT
    assert (result.size_bytes, result.sha256) == (len(CONTENT), DIGEST)
    assert result.content_type == "application/octet-stream"


def test_an_empty_file_is_a_file(host: PackageHost, part: Path) -> None:
    assert fetch(request_for(host.put("/p", b""), part, b"")).size_bytes == 0


def test_the_server_is_asked_for_plain_octets(host: PackageHost, part: Path) -> None:
    fetch(request_for(host.put("/p", CONTENT), part))
    headers = host.seen("/p")[0].headers
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"] == "scomod test"


def test_proxies_of_the_environment_are_not_used(
    host: PackageHost, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    assert fetch(request_for(host.put("/p", CONTENT), part)).sha256 == DIGEST


def test_the_part_is_for_us_alone(host: PackageHost, part: Path) -> None:
    fetch(request_for(host.put("/p", CONTENT), part))
    for path in (part, state_path(part)):
        assert path.stat().st_mode & 0o077 == 0


def test_progress_ends_at_the_announced_total(host: PackageHost, part: Path) -> None:
    progress = Progress()
    fetch(request_for(host.put("/p", CONTENT), part), progress)
    done = [one for one, _ in progress.reports]
    assert done == sorted(done)
    assert progress.reports[-1] == (len(CONTENT), len(CONTENT))


def test_an_unannounced_total_is_unknown(host: PackageHost, part: Path) -> None:
    progress = Progress()
    fetch(request_for(host.put("/p", CONTENT, Behaviour(chunked=True)), part), progress)
    assert {total for _, total in progress.reports} == {None}


@pytest.mark.parametrize(
    ("status", "reason", "is_retryable"),
    [
        (401, Reason.UNAUTHORISED, False),
        (407, Reason.UNAUTHORISED, False),
        (400, Reason.REFUSED_BY_SERVER, False),
        (403, Reason.UNAUTHORISED, False),
        (404, Reason.REFUSED_BY_SERVER, False),
        (410, Reason.REFUSED_BY_SERVER, False),
        (416, Reason.REFUSED_BY_SERVER, False),
        (204, Reason.REFUSED_BY_SERVER, False),
        (304, Reason.REFUSED_BY_SERVER, False),
        (408, Reason.SERVER_UNAVAILABLE, True),
        (429, Reason.SERVER_UNAVAILABLE, True),
        (503, Reason.SERVER_UNAVAILABLE, True),
        (500, Reason.SERVER_ERROR, True),
        (502, Reason.SERVER_ERROR, True),
        (599, Reason.SERVER_ERROR, True),
    ],
)
def test_each_status_has_its_reason(
    host: PackageHost, part: Path, status: int, reason: Reason, is_retryable: bool
) -> None:
    error = failure(host.put("/p", b"", Behaviour(status=status)), part)
    assert (error.reason, error.is_retryable) == (reason, is_retryable)
    assert f"HTTP {status}" in str(error)


def test_a_closed_port_is_unreachable(part: Path) -> None:
    error = failure(f"http://127.0.0.1:{closed_port()}/p", part)
    assert (error.reason, error.is_retryable) == (Reason.UNREACHABLE, True)
    assert "connection refused" in str(error)


def test_an_unknown_name_is_unreachable(part: Path) -> None:
    error = failure("http://host.invalid/p", part)
    assert (error.reason, error.is_retryable) == (Reason.UNREACHABLE, True)
    assert "name of the host" in str(error)


def test_a_server_that_closes_without_answer_is_unavailable(host: PackageHost, part: Path) -> None:
    error = failure(host.put("/p", b"", Behaviour(no_answer=True)), part)
    assert (error.reason, error.is_retryable) == (Reason.SERVER_UNAVAILABLE, True)


@pytest.mark.parametrize("stall_after", [0, 300_000])
def test_a_stall_is_a_timeout(host: PackageHost, part: Path, stall_after: int) -> None:
    url = host.put("/p", CONTENT, Behaviour(stall_after=stall_after))
    error = failure(url, part, idle_timeout_s=0.2)
    assert (error.reason, error.is_retryable) == (Reason.TIMEOUT, True)
    assert part.stat().st_size == stall_after


def test_a_drip_is_ended_by_the_total_time(host: PackageHost, part: Path) -> None:
    url = host.put("/p", CONTENT, Behaviour(drip_bytes=10, drip_wait_s=0.02))
    start = time.monotonic()
    error = failure(url, part, total_timeout_s=0.3)
    assert (error.reason, error.is_retryable) == (Reason.TIMEOUT, True)
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("fault", ["truncate_after", "reset_after"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_ends_early_may_be_tried_again(
    host: PackageHost, part: Path, fault: str, chunked: bool
) -> None:
    behaviour = Behaviour(chunked=chunked, **{fault: 300_000})  # type: ignore[arg-type]
    error = failure(host.put("/p", CONTENT, behaviour), part)
    assert (error.reason, error.is_retryable) == (Reason.SERVER_UNAVAILABLE, True)


def test_a_short_body_without_length_is_found_by_the_announced_size(
    host: PackageHost, part: Path
) -> None:
    url = host.put("/p", CONTENT, Behaviour(length=False, truncate_after=1000))
    error = failure(url, part, content=None, size_bytes=len(CONTENT))
    assert (error.reason, error.is_retryable) == (Reason.SERVER_UNAVAILABLE, True)


def test_another_size_than_announced_is_refused_before_reading(
    host: PackageHost, part: Path
) -> None:
    error = failure(host.put("/p", CONTENT), part, size_bytes=len(CONTENT) - 1)
    assert error.reason is Reason.NOT_AS_DESCRIBED
    assert part.stat().st_size == 0


def test_what_is_too_large_is_refused_before_reading(host: PackageHost, part: Path) -> None:
    error = failure(host.put("/p", CONTENT), part, max_bytes=len(CONTENT) - 1)
    assert (error.reason, error.is_retryable) == (Reason.TOO_LARGE, False)
    assert part.stat().st_size == 0


@pytest.mark.parametrize(
    ("limit", "reason"),
    [("max_bytes", Reason.TOO_LARGE), ("size_bytes", Reason.NOT_AS_DESCRIBED)],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_an_endless_body_is_stopped_at_the_limit(
    host: PackageHost, part: Path, limit: str, reason: Reason, chunked: bool
) -> None:
    url = host.put("/p", b"", Behaviour(endless=True, chunked=chunked))
    error = failure(url, part, content=None, **{limit: 1_000_000})
    assert (error.reason, error.is_retryable) == (reason, False)
    assert not part.exists()


def test_a_wrong_digest_removes_the_part(host: PackageHost, part: Path) -> None:
    with pytest.raises(VerifyError, match=DIGEST) as error:
        fetch(request_for(host.put("/p", CONTENT[:-1] + b"!"), part, CONTENT))
    assert error.value.reason is Reason.DIGEST
    assert not part.exists()
    assert not state_path(part).exists()
    assert len(host.seen("/p")) == 1


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://host/p", "data:,x", "p.deb", "", "//host/p"]
)
def test_other_schemes_are_refused(part: Path, url: str) -> None:
    error = failure(url, part)
    assert (error.reason, error.is_retryable) == (Reason.INSECURE_URL, False)
    assert "scheme not supported" in str(error)


@pytest.mark.parametrize("url", ["http://", "http:///p", "http://[::1/p", "http://host:port/p"])
def test_unusable_urls_are_refused(part: Path, url: str) -> None:
    error = failure(url, part)
    assert (error.reason, error.is_retryable) == (Reason.INSECURE_URL, False)
    assert "no usable URL" in str(error)


def test_plain_http_is_refused_where_it_is_not_allowed(host: PackageHost, part: Path) -> None:
    error = failure(host.put("/p", CONTENT), part, allow_http=False)
    assert (error.reason, error.is_retryable) == (Reason.INSECURE_URL, False)
    assert host.seen("/p") == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(host: PackageHost, part: Path, status: int) -> None:
    host.put("/real", CONTENT)
    url = host.put("/dir/p", b"", Behaviour(status=status, redirect_to="../real"))
    assert fetch(request_for(url, part, CONTENT)).sha256 == DIGEST


def test_five_redirects_are_followed_and_not_one_more(host: PackageHost, part: Path) -> None:
    for number in range(6):
        host.put(f"/{number}", b"", Behaviour(redirect_to=f"/{number + 1}"))
    host.put("/6", CONTENT)
    assert fetch(request_for(host.url("/1"), part, CONTENT)).sha256 == DIGEST
    error = failure(host.url("/0"), part)
    assert (error.reason, error.is_retryable) == (Reason.REFUSED_BY_SERVER, False)


def test_a_redirect_to_a_file_is_refused(host: PackageHost, part: Path) -> None:
    error = failure(host.put("/p", b"", Behaviour(redirect_to="file:///etc/passwd")), part)
    assert error.reason is Reason.INSECURE_URL


def test_a_redirect_to_nowhere_is_refused(host: PackageHost, part: Path) -> None:
    error = failure(host.put("/p", b"", Behaviour(status=302)), part)
    assert error.reason is Reason.REFUSED_BY_SERVER


def test_credentials_in_the_url_are_used_and_never_shown(host: PackageHost, part: Path) -> None:
    url = host.put("/p", b"", Behaviour(status=403)).replace("//", "//user:secret@") + "?token=abc"
    error = failure(url, part)
    assert host.seen("/p")[0].headers["authorization"] == "Basic dXNlcjpzZWNyZXQ="
    assert "secret" not in str(error)
    assert "abc" not in str(error)


def test_cancel_stops_in_the_middle_and_keeps_the_part(host: PackageHost, part: Path) -> None:
    url = host.put("/p", CONTENT, Behaviour(drip_bytes=1000, drip_wait_s=0.01))
    cancelled = threading.Event()
    fetcher = HttpFetcher(clock=SystemClock(), boot_id=BOOT_ID, user_agent="scomod test")

    def cancel_after_first(_done: int, _total: int | None) -> None:
        cancelled.set()

    with pytest.raises(DownloadError) as error:
        fetcher.fetch(request_for(url, part, CONTENT), cancel_after_first, cancelled.is_set)
    assert error.value.reason is Reason.CANCELLED
    assert 0 < part.stat().st_size < len(CONTENT)


def test_a_link_in_place_of_the_part_is_not_followed(host: PackageHost, part: Path) -> None:
    target = part.with_name("target")
    target.write_bytes(b"keep")
    part.symlink_to(target)
    error = failure(host.put("/p", CONTENT), part)
    assert error.reason is Reason.INTERNAL
    assert target.read_bytes() == b"keep"
