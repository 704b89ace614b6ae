# SPDX-License-Identifier: Apache-2.0
"""News of the network from services on a real bus, heard only while somebody waits for it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from scomod.buswire import Variant, open_bus
from scomod.network import MANAGER, NETWORKD, Network
from tests.support.private_bus import PrivateBus, private_bus
from tests.support.quiet_services import QuietService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from scomod.busfacts import Source

PATIENCE_S = 100.0


@pytest.fixture(scope="module")
def bus() -> Iterator[PrivateBus]:
    with private_bus() as started:
        yield started


@contextlib.asynccontextmanager
async def waiting(address: str) -> AsyncIterator[tuple[Network, asyncio.Queue[None]]]:
    ups: asyncio.Queue[None] = asyncio.Queue()
    async with asyncio.TaskGroup() as tasks:
        connection = await open_bus(address)
        network = Network(connection, tasks.create_task, lambda: ups.put_nowait(None))
        network.watch(is_wanted=True)
        try:
            yield network, ups
        finally:
            network.watch(is_wanted=False)
            await asyncio.sleep(0.05)
            await connection.close()


def play(story: Callable[[], Awaitable[None]]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await story()

    asyncio.run(in_time())


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("source", "kind", "states"),
    [(MANAGER, "u", (20, 40, 70)), (NETWORKD, "s", ("off", "carrier", "routable"))],
    ids=["NetworkManager", "systemd-networkd"],
)
def test_a_network_that_comes_up_is_told_once(
    bus: PrivateBus, source: Source, kind: str, states: tuple[object, ...]
) -> None:
    down, halfway, up = states

    async def story() -> None:
        service = await QuietService.start(bus.address, source, Variant(kind, down))
        async with waiting(bus.address) as (network, ups):
            await until(lambda: network.is_down)
            asked = service.asked
            service.change(halfway)
            await until(lambda: service.asked > asked)
            service.change(up)
            await ups.get()
            assert not network.is_down
            asked = service.asked
            service.change(up)
            await until(lambda: service.asked > asked)
        assert ups.empty()
        await service.close()

    play(story)


def test_without_such_services_nobody_knows_until_one_comes(bus: PrivateBus) -> None:
    async def story() -> None:
        async with waiting(bus.address) as (network, ups):
            await asyncio.sleep(0.2)
            assert not network.is_down
            service = await QuietService.start(bus.address, MANAGER, Variant("u", 20))
            await until(lambda: network.is_down)
            service.change(60)
            await ups.get()
            await service.close()

    play(story)


def test_nothing_is_asked_while_nobody_waits(bus: PrivateBus) -> None:
    async def story() -> None:
        service = await QuietService.start(bus.address, MANAGER, Variant("u", 20))
        async with waiting(bus.address) as (network, ups):
            await until(lambda: network.is_down)
            network.watch(is_wanted=False)
            await asyncio.sleep(0.1)
            asked = service.asked
            service.change(70)
            await asyncio.sleep(0.2)
            assert service.asked == asked
            assert ups.empty()
        await service.close()

    play(story)
