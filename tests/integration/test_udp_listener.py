# SPDX-License-Identifier: Apache-2.0
"""The UDP listener on real sockets: what arrives, what is dropped, whose socket it is."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from scomod.listeners import udp
from scomod.listeners.udp import (
    AWAY_S,
    BURST_COUNT,
    MAX_DATAGRAM_BYTES,
    READ_COUNT,
    UdpListener,
    passed_socket,
)

HOST = "127.0.0.1"


class SteppedClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def wall_s(self) -> float:
        return self.now_s

    def monotonic_s(self) -> float:
        return self.now_s


class Scene:
    """An open listener, somebody who sends to it, and what came through."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.received: list[tuple[bytes, str]] = []
        self.arrived = asyncio.Event()
        self.rests_count = 0
        self.listener = UdpListener(self._receive, self.clock, self._rest, {})
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sender.bind((HOST, 0))

    def _receive(self, datagram: bytes, sender: str) -> None:
        self.received.append((datagram, sender))
        self.arrived.set()

    def _rest(self) -> None:
        self.rests_count += 1

    def send(self, datagram: bytes) -> None:
        self.sender.sendto(datagram, (HOST, self.listener.port))

    async def settle(self) -> list[bytes]:
        """Wait until nothing more comes: one host delivers in order and at once."""
        for _ in range(20):
            await asyncio.sleep(0.001)
        return [datagram for datagram, _ in self.received]


@asynccontextmanager
async def listening() -> AsyncIterator[Scene]:
    scene = Scene()
    await scene.listener.open(HOST, 0)
    try:
        yield scene
    finally:
        scene.listener.close()
        scene.sender.close()
        await asyncio.sleep(0)


def test_datagram_and_sender_are_handed_over() -> None:
    async def scenario() -> None:
        async with listening() as scene:
            assert scene.listener.port > 0
            scene.send(b"\x01\x06")
            await asyncio.wait_for(scene.arrived.wait(), 5)
            sender = f"{HOST}:{scene.sender.getsockname()[1]}"
            assert scene.received == [(b"\x01\x06", sender)]

    asyncio.run(scenario())


def test_datagram_above_the_limit_is_dropped() -> None:
    async def scenario() -> None:
        async with listening() as scene:
            scene.send(bytes(MAX_DATAGRAM_BYTES + 1))
            scene.send(bytes(MAX_DATAGRAM_BYTES))
            assert await scene.settle() == [bytes(MAX_DATAGRAM_BYTES)]

    asyncio.run(scenario())


def test_flood_is_cut_to_a_burst_and_then_one_a_second_and_costs_little() -> None:
    """While a flood goes on the port is looked at now and then; the kernel drops the rest."""

    async def scenario() -> None:
        async with listening() as scene:
            for number in range(2 * BURST_COUNT):
                scene.send(b"%d" % number)
            assert await scene.settle() == [b"%d" % number for number in range(BURST_COUNT)]
            scene.clock.now_s += 2.0
            for _ in range(READ_COUNT):
                scene.send(b"later")
            assert len(await scene.settle()) == BURST_COUNT
            await asyncio.sleep(AWAY_S)
            assert (await scene.settle())[BURST_COUNT:] == [b"later"] * 2

    asyncio.run(scenario())


def test_quiet_hour_allows_no_more_than_a_burst() -> None:
    async def scenario() -> None:
        async with listening() as scene:
            scene.clock.now_s += 3600.0
            for _ in range(2 * BURST_COUNT):
                scene.send(b"x")
            assert len(await scene.settle()) == BURST_COUNT

    asyncio.run(scenario())


def test_listener_is_pressed_until_it_was_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "QUIET_S", 0.05)

    async def scenario() -> None:
        async with listening() as scene:
            assert not scene.listener.is_pressed
            scene.send(b"x")
            await asyncio.wait_for(scene.arrived.wait(), 5)
            assert (scene.listener.is_pressed, scene.rests_count) == (True, 0)
            await asyncio.sleep(0.1)
            assert (scene.listener.is_pressed, scene.rests_count) == (False, 1)

    asyncio.run(scenario())


def test_closed_listener_frees_its_port() -> None:
    async def scenario() -> None:
        async with listening() as scene:
            port = scene.listener.port
            scene.listener.close()
            scene.listener.close()
            await asyncio.sleep(0)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.bind((HOST, port))
            with pytest.raises(RuntimeError, match="not open"):
                _ = scene.listener.port

    asyncio.run(scenario())


def test_port_that_is_taken_cannot_be_had() -> None:
    async def scenario() -> None:
        async with listening() as scene:
            second = UdpListener(scene._receive, scene.clock, scene._rest, {})
            with pytest.raises(OSError, match="in use"):
                await second.open(HOST, scene.listener.port)

    asyncio.run(scenario())


ACTIVATED = """
import asyncio, json, os
from scomod.clock import SystemClock
from scomod.listeners.udp import UdpListener

async def main():
    arrived = asyncio.get_running_loop().create_future()
    environ = {"LISTEN_FDS": "2", "LISTEN_PID": str(os.getpid())}
    receive = lambda data, _: arrived.set_result(data.decode())
    listener = UdpListener(receive, SystemClock(), lambda: None, environ)
    await listener.open("127.0.0.1", 9)
    data = await asyncio.wait_for(arrived, 5)
    os.fstat(3)  # somebody else's is still open
    print(json.dumps({"port": listener.port, "data": data, "inherited": os.get_inheritable(4)}))
    listener.close()

asyncio.run(main())
"""


def test_socket_of_the_service_manager_is_used() -> None:
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as passed,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        passed.bind((HOST, 0))
        sender.sendto(b"waited", passed.getsockname())
        # a shell puts the two sockets where a service manager would: 3 and 4
        first, second = other.fileno(), passed.fileno()
        shell = f'exec 8<&{first} 9<&{second} && exec 3<&8 4<&9 8<&- 9<&- && exec "$@"'
        done = subprocess.run(
            ["bash", "-c", shell, "bash", sys.executable, "-c", ACTIVATED],
            pass_fds=(first, second),
            capture_output=True,
            check=False,
            text=True,
        )
        port = passed.getsockname()[1]
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"port": port, "data": "waited", "inherited": False}


DROPPING = """
import asyncio, os, select
from scomod.clock import SystemClock
from scomod.listeners.udp import UdpListener
from scomod.settings import Notification

async def main():
    environ = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
    quiet = asyncio.get_running_loop().create_future()
    listener = UdpListener(
        lambda *_: quiet.cancel(), SystemClock(), lambda: quiet.set_result(None), environ
    )
    await listener.try_open(Notification(udp=False))
    await asyncio.wait_for(quiet, 30)
    print(select.select([3], [], [], 0)[0])
    listener.close()

asyncio.run(main())
"""


def test_socket_of_the_service_manager_is_emptied_where_nobody_listens() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as passed,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        passed.bind((HOST, 0))
        sender.sendto(b"starts us again", passed.getsockname())
        shell = f'exec 3<&{passed.fileno()} && exec "$@"'
        done = subprocess.run(
            ["bash", "-c", shell, "bash", sys.executable, "-c", DROPPING],
            pass_fds=(passed.fileno(),),
            capture_output=True,
            check=False,
            text=True,
        )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "0", "LISTEN_PID": str(os.getpid())},
        {"LISTEN_FDS": "x", "LISTEN_PID": str(os.getpid())},
    ],
)
def test_sockets_of_others_are_not_taken(environ: dict[str, str]) -> None:
    assert passed_socket(environ, os.getpid()) is None
