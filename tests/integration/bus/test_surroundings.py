# SPDX-License-Identifier: Apache-2.0
"""Facts of the surroundings from services on a real bus: read when wanted, again after news."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from scomod.admission import Facts
from scomod.buswire import open_bus
from scomod.surroundings import BusSurroundings
from tests.support.private_bus import PrivateBus, private_bus
from tests.support.quiet_services import network_manager, upower

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

PATIENCE_S = 100.0


@pytest.fixture(scope="module")
def bus() -> Iterator[PrivateBus]:
    with private_bus() as started:
        yield started


class Watch:
    """Somebody who waits; `next` is what is known after news."""

    def __init__(self, surroundings: BusSurroundings, news: asyncio.Event) -> None:
        self.surroundings = surroundings
        self._news = news

    async def next(self) -> Facts | None:
        async with asyncio.timeout(PATIENCE_S):
            await self._news.wait()
        self._news.clear()
        return self.surroundings.watch("test")


@contextlib.asynccontextmanager
async def watching(address: str) -> AsyncIterator[Watch]:
    news = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        connection = await open_bus(address)
        watch = Watch(BusSurroundings(connection, tasks.create_task, news.set), news)
        assert watch.surroundings.watch("test") is None, "they are on their way"
        try:
            yield watch
        finally:
            watch.surroundings.rest("test")
            await asyncio.sleep(0.05)
            await connection.close()


def play(story: Callable[[], Awaitable[None]]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await story()

    asyncio.run(in_time())


def test_services_that_are_not_there_are_unknown(bus: PrivateBus) -> None:
    async def story() -> None:
        async with watching(bus.address) as watch:
            assert await watch.next() == Facts()

    play(story)


@pytest.mark.parametrize(
    ("metered", "on_unmetered"),
    [(0, None), (1, False), (2, True), (3, False), (4, True), (9, None)],
)
def test_what_network_manager_says_of_metering(
    bus: PrivateBus, metered: int, on_unmetered: bool | None
) -> None:
    async def story() -> None:
        service = await network_manager(bus.address, metered)
        async with watching(bus.address) as watch:
            assert await watch.next() == Facts(on_unmetered=on_unmetered)
        await service.close()

    play(story)


def test_news_are_told_as_they_come_and_nothing_is_read_without_any(bus: PrivateBus) -> None:
    async def story() -> None:
        power = await upower(bus.address, on_battery=True)
        async with watching(bus.address) as watch:
            assert await watch.next() == Facts(on_mains=False)
            await asyncio.sleep(0.1)
            assert power.asked == 1
            power.change(value=False)
            assert await watch.next() == Facts(on_mains=True)
            network = await network_manager(bus.address, 1)
            assert await watch.next() == Facts(on_mains=True, on_unmetered=False)
            await power.close()
            assert await watch.next() == Facts(on_unmetered=False)
            await network.close()
            assert await watch.next() == Facts()

    play(story)


def test_whoever_rests_hears_and_asks_nothing_and_may_watch_again(bus: PrivateBus) -> None:
    async def story() -> None:
        power = await upower(bus.address, on_battery=True)
        async with watching(bus.address) as watch:
            await watch.next()
            watch.surroundings.rest("test")
            await asyncio.sleep(0.05)
            power.change(value=False)
            await asyncio.sleep(0.1)
            assert power.asked == 1
            assert watch.surroundings.watch("test") is None
            assert await watch.next() == Facts(on_mains=True)
        await power.close()

    play(story)
