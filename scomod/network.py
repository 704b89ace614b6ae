# SPDX-License-Identifier: Apache-2.0
"""Whether the network came up: from NetworkManager or systemd-networkd, while somebody waits.

Only while a session failed and is to be tried again; then signals are heard, and nothing is
asked but after one of them.  Services that do not run are not started for this: then nobody
knows, and tries come at their own moments.  Not which network that is (`surroundings`).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from scomod.busaddress import NotReachable, RemoteError
from scomod.busfacts import Source, hearing, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from scomod.buswire import PacedBus

log = logging.getLogger(__name__)

MANAGER: Final = Source(
    "org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager", "State"
)
NETWORKD: Final = Source(
    "org.freedesktop.network1",
    "/org/freedesktop/network1",
    "OperationalState",
    "org.freedesktop.network1.Manager",
)
SOURCES: Final = (MANAGER, NETWORKD)
# NMState: from "connected site" on there is more than this device; "global" is better
SITE: Final = 60
GLOBAL: Final = 70
ROUTABLE: Final = "routable"


class Network:
    """Tells `on_up` when the network became better than it was; `watch` begins and ends that."""

    def __init__(
        self,
        bus: PacedBus,
        start: Callable[[Coroutine[Any, Any, None]], object],
        on_up: Callable[[], None],
    ) -> None:
        self._bus = bus
        self._start = start
        self._on_up = on_up
        self._is_wanted = False
        self._is_following = False
        self._level: int | None = None
        self._news = asyncio.Event()

    @property
    def is_down(self) -> bool:
        """Tell whether it is watched, and known that there is no network."""
        return self._is_wanted and self._level is not None and self._level < SITE

    def watch(self, *, is_wanted: bool) -> None:
        """Say whether somebody waits for the network."""
        self._is_wanted = is_wanted
        self._news.set()
        if is_wanted and not self._is_following:
            self._is_following = True
            self._start(self._follow())

    async def _follow(self) -> None:
        try:
            with hearing(self._bus, SOURCES, self._news.set) as rules:
                for rule in rules:
                    await self._bus.invoke_bus("AddMatch", rule)
                while self._is_wanted:
                    self._news.clear()
                    self._learn(await self._read())
                    await self._news.wait()
        except (NotReachable, RemoteError) as error:
            log.warning("the network cannot be watched: %s", error)
        finally:
            self._is_following, self._level = False, None

    def _learn(self, level: int | None) -> None:
        before, self._level = self._level, level
        if before is not None and level is not None and level > before and level >= SITE:
            log.info("the network came up: what failed is tried again")
            self._on_up()

    async def _read(self) -> int | None:
        """Return how good the network is as an NMState, None where nobody knows."""
        state = await value_of(self._bus, MANAGER)
        operational = await value_of(self._bus, NETWORKD)
        levels = [state] if isinstance(state, int) else []
        if isinstance(operational, str):
            levels.append(GLOBAL if operational == ROUTABLE else 0)
        return max(levels, default=None)
