# SPDX-License-Identifier: Apache-2.0
"""Several addresses of one file: who is asked next, and whose octets are gone on with."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from scomod.errors import DownloadError, Reason, VerifyError
from tests.support.certificates import make_certificates
from tests.support.fetching import fetch, request_for, some_octets
from tests.support.package_host import Behaviour, PackageHost, closed_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.download.job import FetchRequest

CONTENT = some_octets(300_001, seed=31)
OTHER = some_octets(300_001, seed=32)
CUT = 100_000


@pytest.fixture
def first() -> Iterator[PackageHost]:
    with PackageHost() as running:
        yield running


@pytest.fixture
def second() -> Iterator[PackageHost]:
    with PackageHost() as running:
        yield running


def request(part: Path, *urls: str, content: bytes | None = CONTENT, **limits: Any) -> FetchRequest:
    return request_for(urls[0], part, content, mirrors=urls[1:], **limits)


@pytest.mark.parametrize(
    "fault",
    [
        Behaviour(status=404),
        Behaviour(status=403),
        Behaviour(status=410),
        Behaviour(status=503, retry_after_s=100),
        Behaviour(no_answer=True),
        Behaviour(content_type="text/html", content=b"<html>log in"),
        Behaviour(content=OTHER),
    ],
)
def test_the_next_address_is_asked_at_once(
    first: PackageHost, second: PackageHost, part: Path, fault: Behaviour
) -> None:
    urls = first.put("/p", CONTENT, fault), second.put("/p", CONTENT)
    result = fetch(request(part, *urls))
    assert result.url == urls[1]
    assert part.read_bytes() == CONTENT


def test_who_is_not_there_or_not_trusted_is_left(
    second: PackageHost, part: Path, tmp_path: Path
) -> None:
    with PackageHost(make_certificates(tmp_path)) as foreign:
        urls = (
            f"https://127.0.0.1:{closed_port()}/p",
            "http://host.invalid/p",
            "gopher://127.0.0.1/p",
            foreign.put("/p", CONTENT),
            second.put("/p", CONTENT),
        )
        assert fetch(request(part, *urls)).url == urls[-1]
        assert foreign.seen("/p") == []


def test_the_first_address_that_gives_it_is_the_only_one_asked(
    first: PackageHost, second: PackageHost, part: Path
) -> None:
    fetch(request(part, first.put("/p", CONTENT), second.put("/p", CONTENT)))
    assert second.seen("/p") == []


def test_a_cut_is_continued_at_the_next_address_where_the_digest_is_known(
    first: PackageHost, second: PackageHost, part: Path
) -> None:
    url = first.put("/p", CONTENT, Behaviour(truncate_after=CUT))
    # another machine, other validators
    other = second.put("/q", CONTENT, Behaviour(etag=False, headers={"ETag": '"of my own"'}))
    result = fetch(request(part, url, other))
    assert second.seen("/q")[0].range == f"bytes={CUT}-"
    assert (result.url, result.fetched_bytes) == (other, len(CONTENT))
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("mirror", "ranges"),
    [
        (Behaviour(), [f"bytes={CUT}-"]),
        (Behaviour(etag=False), [f"bytes={CUT}-"]),
        (Behaviour(etag=False, blind_ranges=True), [f"bytes={CUT}-", ""]),
        (Behaviour(content=OTHER), [f"bytes={CUT}-"]),
        (Behaviour(content=OTHER, blind_ranges=True), [f"bytes={CUT}-", ""]),
    ],
)
def test_without_digest_only_the_same_tag_and_size_allow_to_go_on(
    first: PackageHost, second: PackageHost, part: Path, mirror: Behaviour, ranges: list[str]
) -> None:
    url = first.put("/p", CONTENT, Behaviour(truncate_after=CUT))
    fetch(request(part, url, second.put("/p", CONTENT, mirror), content=None))
    assert [one.range for one in second.seen("/p")] == ranges
    assert part.read_bytes() in (CONTENT, OTHER)


def test_a_mirror_with_another_file_costs_one_fetch_anew(
    first: PackageHost, second: PackageHost, part: Path
) -> None:
    url = first.put("/p", CONTENT, Behaviour(truncate_after=CUT))
    wrong = second.put("/wrong", OTHER, Behaviour(blind_ranges=True))
    right = second.put("/right", CONTENT)
    fetch(request(part, url, wrong, right))
    assert part.read_bytes() == CONTENT
    assert [one.range for one in second.seen("/wrong")] == [f"bytes={CUT}-", ""]


def test_no_way_from_https_to_http_where_that_is_not_allowed(
    second: PackageHost, part: Path
) -> None:
    urls = f"https://127.0.0.1:{closed_port()}/p", second.put("/p", CONTENT)
    with pytest.raises(DownloadError) as error:
        fetch(request(part, *urls, allow_http=False))
    assert error.value.reason is Reason.UNREACHABLE
    assert second.seen("/p") == []


@pytest.mark.parametrize(
    ("statuses", "reason", "is_retryable"),
    [
        ((404, 503), Reason.SERVER_UNAVAILABLE, True),
        ((503, 401), Reason.SERVER_UNAVAILABLE, True),
        ((404, 401), Reason.UNAUTHORISED, False),
        ((404, 410), Reason.REFUSED_BY_SERVER, False),
    ],
)
def test_of_several_failures_the_most_useful_is_told(
    first: PackageHost,
    part: Path,
    statuses: tuple[int, int],
    reason: Reason,
    is_retryable: bool,
) -> None:
    answers = Behaviour(status=statuses[0], retry_after_s=7), Behaviour(status=statuses[1])
    urls = [first.put(f"/{number}", b"", each) for number, each in enumerate(answers)]
    with pytest.raises(DownloadError) as error:
        fetch(request(part, *urls))
    assert (error.value.reason, error.value.is_retryable) == (reason, is_retryable)
    assert error.value.retry_after_s == 7
    assert error.value.is_absent is (statuses == (404, 410))
    for status in statuses:
        assert f"HTTP {status}" in str(error.value)


def test_a_wrong_file_everywhere_is_a_wrong_file(
    first: PackageHost, second: PackageHost, part: Path
) -> None:
    with pytest.raises(VerifyError) as error:
        fetch(request(part, first.put("/p", OTHER), second.put("/p", OTHER)))
    assert error.value.reason is Reason.DIGEST
    assert not part.exists()


def test_the_time_for_all_holds_for_all_addresses_together(
    first: PackageHost, second: PackageHost, part: Path
) -> None:
    slow = Behaviour(drip_bytes=100, drip_wait_s=0.02)
    urls = first.put("/p", CONTENT, slow), second.put("/p", CONTENT, slow)
    with pytest.raises(DownloadError) as error:
        fetch(request(part, *urls, total_timeout_s=0.3))
    assert error.value.reason is Reason.TIMEOUT
    assert second.seen("/p") == []


def test_a_full_disk_is_not_for_the_next_address(
    first: PackageHost, second: PackageHost, part: Path
) -> None:
    urls = first.put("/p", CONTENT), second.put("/p", CONTENT)
    with pytest.raises(DownloadError) as error:
        fetch(request(part, *urls, reserve_bytes=1 << 60))
    assert error.value.reason is Reason.NO_SPACE
    assert second.seen("/p") == []


def test_what_crossed_the_network_is_counted_over_all_addresses(
    first: PackageHost, second: PackageHost, part: Path
) -> None:
    cut = Behaviour(truncate_after=CUT)
    urls = first.put("/p", CONTENT, cut), second.put("/p", CONTENT, cut)
    with pytest.raises(DownloadError) as error:
        fetch(request(part, *urls))
    assert error.value.fetched_bytes == 2 * CUT
    assert part.stat().st_size == 2 * CUT


def test_both_digests_are_checked_where_both_are_given(first: PackageHost, part: Path) -> None:
    url = first.put("/p", CONTENT)
    right, wrong = (hashlib.sha512(each).hexdigest() for each in (CONTENT, OTHER))
    assert fetch(request(part, url, sha512=right.upper())).size_bytes == len(CONTENT)
    with pytest.raises(VerifyError, match="SHA-512"):
        fetch(request(part, url, sha512=wrong))
    with pytest.raises(VerifyError, match="SHA-512"):
        fetch(request(part, url, content=None, sha512=wrong))
    assert not part.exists()
