# SPDX-License-Identifier: Apache-2.0
"""A fetch between two hosts whose network fails in the middle: it goes on where it was."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from scomod.errors import DownloadError
from scomod.lab.faultserver import DirectoryServer
from scomod.net import Access
from tests.support.fetching import fetch, request_for, some_octets
from tests.support.proxy import Proxy
from tests.support.small_disk import alone
from tests.support.two_hosts import CABLE, NETWORK, Host, may_have_hosts, two_hosts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = some_octets(600_000, seed=5)
SOME_BYTES = 50_000
PORT, PROXY_PORT = 8080, 3128
PATIENCE_S = 60.0
NAME = "packages.example"
SILENT_NETWORK = "fd5c:6f6d:6f64::"
SILENT = f"{SILENT_NETWORK}9"
CONNECT_S = 4.0
# the first answer is slow enough to be met in the middle: 160 KB a second
PATH = "/drip=8000/first=1/p"


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    """A device, and a server that serves one file."""
    if not may_have_hosts():
        pytest.skip("needs the right to make network namespaces")
    (tmp_path / "p").write_bytes(CONTENT)

    def serve() -> None:
        with DirectoryServer(tmp_path, host=f"{NETWORK}.2", port=PORT):
            signal.pause()

    with two_hosts() as (device, server):
        server.run(serve)
        yield device, server


def keep_trying(part: Path, proxy: str) -> None:
    """Fetch as the daemon does, with little patience; no octet may come twice."""
    access = Access(proxy=proxy)
    request = request_for(
        f"http://{NETWORK}.2:{PORT}{PATH}",
        part,
        CONTENT,
        connect_timeout_s=0.5,
        idle_timeout_s=0.5,
        access=lambda _: access,
    )
    fetched, end_s = 0, time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        try:
            fetched += fetch(request).fetched_bytes
        except DownloadError as error:
            if not error.is_retryable:
                raise
            fetched += error.fetched_bytes
            time.sleep(0.1)
        else:
            break
    assert fetched == len(CONTENT)


@contextmanager
def met_in_the_middle(device: Host, part: Path, proxy: str = "") -> Iterator[None]:
    """Do the block when some of the file has come; in the end all of it must be there."""
    fetcher = device.run(lambda: keep_trying(part, proxy))
    end_s = time.monotonic() + PATIENCE_S
    while not (part.exists() and part.stat().st_size >= SOME_BYTES):
        assert time.monotonic() < end_s
        time.sleep(0.02)
    yield
    assert part.stat().st_size < len(CONTENT)
    device.wait(fetcher)
    assert part.read_bytes() == CONTENT


def test_the_cable_is_out_for_a_while(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    device, _ = hosts
    with met_in_the_middle(device, tmp_path / "1.part"):
        device.ip("link", "set", CABLE, "down")
        time.sleep(1.0)
        device.ip("link", "set", CABLE, "up")


def test_the_device_gets_another_address(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    device, _ = hosts
    with met_in_the_middle(device, tmp_path / "1.part"):
        device.ip("address", "flush", "dev", CABLE)
        device.ip("address", "add", f"{NETWORK}.77/24", "dev", CABLE)


def test_the_proxy_dies_and_is_started_again(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    device, _ = hosts

    def forward() -> None:
        with Proxy(port=PROXY_PORT):
            signal.pause()

    first = device.run(forward)
    with met_in_the_middle(device, tmp_path / "1.part", f"http://127.0.0.1:{PROXY_PORT}"):
        device.kill(first)
        device.run(forward)


def fetch_by_name(part: Path, names: Path) -> None:
    """Fetch from a host whose first address is silent; the machine's own resolver says both."""
    alone()
    subprocess.run(["mount", "--bind", str(names), "/etc/hosts"], check=True)
    found = socket.getaddrinfo(NAME, PORT, type=socket.SOCK_STREAM)
    assert [where[0] for _, _, _, _, where in found] == [SILENT, f"{NETWORK}.2"]
    begun_s = time.monotonic()
    request = request_for(f"http://{NAME}:{PORT}/p", part, CONTENT, connect_timeout_s=CONNECT_S)
    result = fetch(request)
    assert result.fetched_bytes == len(CONTENT)
    assert time.monotonic() - begun_s >= CONNECT_S / 2, "the silent address had its turn"


def test_an_address_of_ipv6_that_is_silent_leaves_time_for_the_next(
    hosts: tuple[Host, Host], tmp_path: Path
) -> None:
    device, _ = hosts
    device.ip("address", "add", f"{SILENT_NETWORK}1/64", "dev", CABLE, "nodad")
    # a neighbour that nobody has, so that nothing comes back, not even that nobody is there
    device.ip("neighbour", "add", SILENT, "lladdr", "02:00:00:00:00:99", "dev", CABLE)
    names = tmp_path / "hosts"
    names.write_text(f"{SILENT} {NAME}\n{NETWORK}.2 {NAME}\n")
    device.wait(device.run(lambda: fetch_by_name(tmp_path / "1.part", names)))
    assert (tmp_path / "1.part").read_bytes() == CONTENT
