# SPDX-License-Identifier: Apache-2.0
"""TLS on a device that does not know the time: what certificates are still held against.

The clock of this process cannot be set, so certificates come from the past and the future.
"""

from __future__ import annotations

import time
from datetime import timedelta
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING

import pytest

from scomod import certificates, settings, tls
from scomod.dmclient.transport import HttpTransport
from scomod.errors import DownloadError, Reason
from scomod.knowntime import UnsetClock, in_utc
from scomod.net import Access
from tests.support.certificates import (
    Certificates,
    make_certificates,
    make_client_file,
    server_context,
)
from tests.support.exchanging import LIMITS, USER_AGENT, exchange, failure
from tests.support.fetching import fetch, request_for
from tests.support.package_host import PackageHost
from tests.support.raw_server import Conversation, RawServer

if TYPE_CHECKING:
    from pathlib import Path

DAY = timedelta(days=1)
DAY_S = 86400.0
NOW_S = time.time()
TOLD_S = float(int(NOW_S)) - 3600.0


def fine(conversation: Conversation, date_s: float = TOLD_S) -> None:
    conversation.message(b"hello", f"Date: {formatdate(date_s, usegmt=True)}")


def clock(floor_s: float, *, is_refused: bool = False) -> UnsetClock:
    return UnsetClock(says_s=600.0, floor_s=floor_s, is_refused=is_refused)


def transport(
    made: Certificates,
    unset: UnsetClock | None,
    told: list[float] | None = None,
    pins: tuple[str, ...] = (),
) -> HttpTransport:
    return HttpTransport(
        settings.Transport(**LIMITS),
        Access(ca_file=str(made.ca_file), unset=unset, pins=pins),
        max_reply_bytes=1000,
        user_agent=USER_AGENT,
        on_peer=None if told is None else lambda signed_s, _: told.append(signed_s),
    )


def span(made: Certificates) -> tuple[float, float]:
    """When a server's certificate begins and ends, wall time."""
    first = certificates.read(made.server_file.read_bytes())[0]
    return (
        certificates.valid_from(first).timestamp(),
        certificates.valid_until(first).timestamp(),
    )


def over(directory: Path) -> Certificates:
    """Make a server whose certificate ended yesterday."""
    return make_certificates(directory, valid_from=-3 * DAY, valid_until=-DAY)


def serve(made: Certificates, **answers: object) -> RawServer:
    return RawServer({"/": fine, **answers}, server_context(made))  # type: ignore[dict-item]


@pytest.mark.parametrize("days", [(-3, -1), (-1, 1), (1, 3)], ids=["past", "now", "future"])
def test_any_certificate_counts_that_may_be_valid(tmp_path: Path, days: tuple[int, int]) -> None:
    begin, end = days
    made = make_certificates(tmp_path, valid_from=begin * DAY, valid_until=end * DAY)
    with serve(made) as server:
        sender = transport(made, clock(NOW_S - 5 * DAY_S))
        assert exchange(sender, server.url("/", "localhost")).body == b"hello"
        sender.close()


def test_one_that_was_over_at_the_floor_is_told_from_a_clock_that_is_not_set(
    tmp_path: Path,
) -> None:
    made = over(tmp_path)
    with serve(made) as server:
        error = failure(transport(made, clock(NOW_S)), server.url("/", "localhost"))
        assert server.conversations == []
    assert not error.is_retryable
    assert f"a certificate expired on {in_utc(span(made)[1])}" in str(error)
    assert "the clock of this device is not set: it says 1970-01-01 00:10 UTC" in str(error)


def test_with_a_clock_that_is_set_it_says_when_the_certificate_expired(tmp_path: Path) -> None:
    made = over(tmp_path)
    with serve(made) as server:
        error = failure(transport(made, None), server.url("/", "localhost"))
        assert server.conversations == []
    assert not error.is_retryable
    assert str(error).endswith(f"the certificate has expired on {in_utc(span(made)[1])}")


def test_and_from_when_on_one_is_valid_that_is_not_yet(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, valid_from=DAY, valid_until=2 * DAY)
    with serve(made) as server:
        error = failure(transport(made, None), server.url("/", "localhost"))
    assert error.is_retryable
    words = f"is valid only from {in_utc(span(made)[0])} on; is the clock of this device right?"
    assert words in str(error)


def test_refusing_is_a_failure_that_may_pass(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    with serve(made) as server:
        sender = transport(made, clock(NOW_S, is_refused=True))
        error = failure(sender, server.url("/", "localhost"))
        assert server.connections == 0
    assert error.is_retryable
    assert "the clock of this device is not set" in str(error)
    assert "time.when_unknown" in str(error)


def test_nothing_but_the_time_is_left_out(tmp_path: Path) -> None:
    ours, theirs, elsewhere = (tmp_path / name for name in ("ours", "theirs", "elsewhere"))
    for folder in (ours, theirs, elsewhere):
        folder.mkdir()
    made, unset = make_certificates(ours), clock(NOW_S)
    stranger = make_certificates(theirs, authority="another")
    other = make_certificates(elsewhere, names=("elsewhere.example",))
    for server_of, trusted, pins, words in (
        (stranger, made, (), "is not trusted"),
        (other, other, (), "is for another name"),
        (made, made, ("A" * 43 + "=",), "among the pins"),
    ):
        with serve(server_of) as server:
            error = failure(transport(trusted, unset, pins=pins), server.url("/", "localhost"))
            assert server.conversations == []
        assert words in str(error)


def test_a_session_tells_the_time_that_its_server_says(tmp_path: Path) -> None:
    made, told = make_certificates(tmp_path), list[float]()
    with serve(made, **{"/none": lambda c: c.message(b"hello")}) as server:
        sender = transport(made, clock(NOW_S - 5 * DAY_S), told)
        exchange(sender, server.url("/", "localhost"))
        exchange(sender, server.url("/none", "localhost"))
        sender.close()
    assert told[0] == TOLD_S
    assert told[1] == span(made)[0]


def test_a_server_without_tls_tells_no_time() -> None:
    told: list[float] = []
    with RawServer({"/": fine}) as server:
        sender = HttpTransport(
            settings.Transport(**LIMITS, allow_http=True),
            Access(),
            max_reply_bytes=1000,
            user_agent=USER_AGENT,
            on_peer=lambda signed_s, _: told.append(signed_s),
        )
        exchange(sender, server.url("/"))
        sender.close()
    assert told == []


@pytest.mark.parametrize(
    ("date_s", "learned_s"),
    [(150.0, 150.0), (50.0, 100.0), (10_000.0, 190.0), (None, 100.0)],
    ids=["within", "before it began", "after it ends", "no date"],
)
def test_a_server_is_believed_as_far_as_its_certificates_last(
    date_s: float | None, learned_s: float
) -> None:
    chain = [(100.0, 200.0), (50.0, 190.0)]
    date = "" if date_s is None else formatdate(date_s, usegmt=True)
    assert tls.signed_s(chain, date) == learned_s


@pytest.mark.parametrize(
    ("floor_s", "is_refused", "words", "is_retryable"),
    [
        (NOW_S, False, "a certificate expired on", False),
        (NOW_S - 5 * DAY_S, True, "the clock of this device is not set", True),
    ],
    ids=["over at the floor", "refused"],
)
def test_packages_are_fetched_by_the_same_rules(
    tmp_path: Path, floor_s: float, is_refused: bool, words: str, is_retryable: bool
) -> None:
    made, content = over(tmp_path), b"package"
    with PackageHost(made) as host:
        url = host.put("/p", content)
        ask = partial(request_for, url, tmp_path / "p", content)
        for unset in (clock(floor_s, is_refused=is_refused), None):
            access = Access(ca_file=str(made.ca_file), unset=unset)
            with pytest.raises(DownloadError) as error:
                fetch(ask(access=lambda _, access=access: access))
            assert error.value.reason is Reason.INSECURE_URL
            if unset:
                assert error.value.is_retryable is is_retryable
                assert words in str(error.value)
        access = Access(ca_file=str(made.ca_file), unset=clock(NOW_S - 5 * DAY_S))
        assert fetch(ask(access=lambda _: access)).size_bytes == len(content)


def test_the_ends_of_certificates_met_are_told(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    client = make_client_file(tmp_path, made)
    met: list[tuple[str, float]] = []
    with serve(made) as server:
        sender = HttpTransport(
            settings.Transport(**LIMITS),
            Access(ca_file=str(made.ca_file), certificate_file=str(client)),
            max_reply_bytes=1000,
            user_agent=USER_AGENT,
            on_peer=lambda _, ends: met.extend(ends),
        )
        exchange(sender, server.url("/", "localhost"))
        sender.close()
    names = [name for name, _ in met]
    assert names == ["a certificate of the server", f"our certificate {client}"]
    assert met[0][1] == span(made)[1]
    assert met[1][1] > NOW_S
