# SPDX-License-Identifier: Apache-2.0
"""Each fault of the table, met for real: how a try ends, what it leaves, and what is reported."""

from __future__ import annotations

import hashlib
import socket
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from scomod.download.part import state_path
from scomod.errors import DownloadError, OperationError
from scomod.lab.faults import told
from scomod.net import Access
from scomod.wire import Wire, first_answering
from tests.support.certificates import make_certificates
from tests.support.fault_table import (
    ALL,
    ALL_DEAD,
    CUT_BYTES,
    NO_NAME,
    NOTHING,
    REFUSED_PORT,
    SERVER_ROWS,
    SOME,
    Row,
    check,
)
from tests.support.fetching import fetch, request_for, some_octets
from tests.support.package_host import PackageHost, closed_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.download.job import FetchRequest
    from tests.support.certificates import Certificates

CONTENT = some_octets(200_003, seed=6)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
TOLD: dict[str, Any] = {"sha256": DIGEST, "size_bytes": len(CONTENT)}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def hosts(certificates: Certificates) -> Iterator[dict[bool, PackageHost]]:
    with PackageHost() as plain, PackageHost(certificates) as secure:
        yield {False: plain, True: secure}


def url_of(row: Row, words: str, hosts: dict[bool, PackageHost], name: str) -> str:
    """Have a host serve the content as the words say; a URL of its own for each name."""
    _, behaviour = told(f"{words}/x".lstrip("/"))
    hosts[row.is_tls].put(name, CONTENT, behaviour)
    return hosts[row.is_tls].url(name, "localhost")


def request_of(row: Row, url: str, part: Path, certificates: Certificates) -> FetchRequest:
    own = {key: TOLD[key] for key in row.told} | dict(row.limits)
    access = Access(ca_file=str(certificates.ca_file))
    return request_for(url, part, **own, access=lambda _: access)


def kept_bytes(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


@pytest.mark.parametrize("row", SERVER_ROWS, ids=lambda row: row.what)
def test_a_try_ends_as_the_table_says_and_the_next_one_makes_it_well(
    row: Row, hosts: dict[bool, PackageHost], tmp_path: Path, certificates: Certificates
) -> None:
    part, name = tmp_path / "1.part", f"/{SERVER_ROWS.index(row)}"
    request = request_of(row, url_of(row, row.before, hosts, name), part, certificates)
    if row.before:
        with pytest.raises(DownloadError):
            fetch(request)
        assert part.stat().st_size == CUT_BYTES
    url_of(row, row.words, hosts, name)
    if row.reason is None:
        assert fetch(request).sha256 == DIGEST
        assert part.read_bytes() == CONTENT
        return
    with pytest.raises(OperationError) as error:
        fetch(request)
    check(row, error.value)
    kept = kept_bytes(part)
    assert {NOTHING: kept == 0, SOME: kept == CUT_BYTES, ALL: kept > 0}[row.kept]
    assert CONTENT.startswith(part.read_bytes() if kept else b"")
    url_of(row, "", hosts, name)
    assert fetch(request_of(row, request.url, part, certificates)).sha256 == DIGEST
    # what was kept is not fetched again
    assert hosts[row.is_tls].seen(name)[-1].sent == len(CONTENT) - kept % len(CONTENT)
    assert state_path(part).exists()


def test_retry_after_is_passed_on(hosts: dict[bool, PackageHost], tmp_path: Path) -> None:
    for status in (429, 503):
        _, behaviour = told(f"/status={status}/retry-after=7/x")
        with pytest.raises(DownloadError) as error:
            fetch(request_for(hosts[False].put("/later", b"", behaviour), tmp_path / "p"))
        assert (error.value.is_retryable, error.value.retry_after_s) == (True, 7)


@pytest.mark.parametrize("row", [REFUSED_PORT, NO_NAME], ids=lambda row: row.what)
def test_a_host_that_is_not_there_may_come_back(row: Row, tmp_path: Path) -> None:
    host = f"127.0.0.1:{closed_port()}" if row is REFUSED_PORT else "host.invalid"
    with pytest.raises(DownloadError) as error:
        fetch(request_for(f"http://{host}/p", tmp_path / "p"))
    check(row, error.value)
    assert kept_bytes(tmp_path / "p") == 0


@contextmanager
def silent_port(family: socket.AddressFamily) -> Iterator[int]:
    """Yield a port of the loopback where nobody takes connections and nobody refuses them."""
    address = "::1" if family is socket.AF_INET6 else "127.0.0.1"
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.bind((address, 0))
        listener.listen(0)
        with suppress(TimeoutError):
            while True:  # until its queue is full
                waiting = stack.enter_context(socket.socket(family))
                waiting.settimeout(0.1)
                waiting.connect(listener.getsockname())
        yield listener.getsockname()[1]


def test_an_address_that_is_silent_leaves_time_for_the_next() -> None:
    """The row of a dead IPv6: without a name server, from what one would say."""
    family = socket.AF_INET6 if has_ipv6() else socket.AF_INET
    with silent_port(family) as port, socket.create_server(("127.0.0.1", 0)) as live:
        host = "::1" if family is socket.AF_INET6 else "127.0.0.1"
        dead = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        place = live.getsockname()
        alive = socket.getaddrinfo(place[0], place[1], type=socket.SOCK_STREAM)
        start_s = time.monotonic()
        with first_answering(Wire(Access()), [*dead, *dead, *alive], 2.0) as sock:
            assert sock.getpeername() == live.getsockname()
            assert sock.gettimeout() == 2.0
        assert time.monotonic() - start_s < 2.0
        with pytest.raises(TimeoutError):
            first_answering(Wire(Access()), dead * 3, 0.2)


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_a_host_that_is_silent_is_unreachable_after_the_time_to_connect(tmp_path: Path) -> None:
    with silent_port(socket.AF_INET) as port:
        url = f"http://127.0.0.1:{port}/p"
        with pytest.raises(DownloadError) as error:
            fetch(request_for(url, tmp_path / "p", connect_timeout_s=0.2))
    check(ALL_DEAD, error.value)
