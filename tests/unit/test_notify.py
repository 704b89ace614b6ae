# SPDX-License-Identifier: Apache-2.0
"""sd_notify against a real datagram socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from scomod.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@scomod-{os.getpid()}"


@pytest.fixture
def service_manager(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + address[1:] if address.startswith("@") else address)
        listening.settimeout(5)
        yield listening


def test_every_message_arrives_by_itself(service_manager: socket.socket, address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address}, 1)
    notifier.ready()
    notifier.status("session with\nsrv")
    notifier.watchdog()
    notifier.stopping()
    received = [service_manager.recv(4096) for _ in range(4)]
    assert received == [b"READY=1", b"STATUS=session with srv", b"WATCHDOG=1", b"STOPPING=1"]


def test_without_service_manager_nothing_is_said() -> None:
    notifier = Notifier({}, 1)
    notifier.ready()
    notifier.stopping()
    assert notifier.watchdog_s is None


@pytest.mark.parametrize(
    "name", ["/nowhere/notify", "@nobody-listens-there", "vsock:2:1", "/" * 500]
)
def test_service_manager_that_is_gone_stops_nobody(name: str) -> None:
    Notifier({"NOTIFY_SOCKET": name}, 1).ready()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": ""}, None),
    ],
)
def test_watchdog_is_due_as_the_service_manager_says(
    environ: dict[str, str], seconds: float | None
) -> None:
    assert Notifier(environ, 7).watchdog_s == seconds
