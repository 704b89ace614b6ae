# SPDX-License-Identifier: Apache-2.0
"""Facts of the surroundings from D-Bus: mains power (UPower), metered network (NetworkManager).

Not what follows from them (`admission.py`).  Nothing is read and no signal is wanted
until somebody waits.  Services that do not run are not started for this: then the fact
is unknown.  What a signal says is not believed, it only has the property read again.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from scomod.admission import Facts
from scomod.busaddress import NotReachable, RemoteError
from scomod.busfacts import Source, hearing, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from scomod.buswire import PacedBus

log = logging.getLogger(__name__)

POWER: Final = Source("org.freedesktop.UPower", "/org/freedesktop/UPower", "OnBattery")
NETWORK: Final = Source(
    "org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager", "Metered"
)
METERED: Final = (1, 3)  # NMMetered: yes, and probably yes
UNMETERED: Final = (2, 4)


class BusSurroundings:
    """A `Surroundings` over the daemon's own connection; `on_news` hears that a fact changed."""

    def __init__(
        self,
        bus: PacedBus,
        start: Callable[[Coroutine[Any, Any, None]], object],
        on_news: Callable[[], None],
    ) -> None:
        self._bus = bus
        self._start = start
        self._on_news = on_news
        self._facts: Facts | None = None
        self._who: set[str] = set()
        self._is_following = False
        self._changed = asyncio.Event()

    def watch(self, who: str) -> Facts | None:
        """Return the facts, None if they are on their way; from now on news are told."""
        if not self._who:
            self._changed.set()
        self._who.add(who)
        if not self._is_following:
            self._is_following = True
            self._start(self._follow())
        return self._facts

    def rest(self, who: str) -> None:
        """Let go of everything as soon as nobody wants it any more."""
        if who in self._who:
            self._who.remove(who)
            self._facts = self._facts if self._who else None
            self._changed.set()

    async def now(self) -> Facts:
        """Look once; nothing is known where there is no bus."""
        try:
            return await self._read()
        except NotReachable:
            return Facts()

    async def _follow(self) -> None:
        """Read the facts whenever something may have changed, until nobody waits."""
        try:
            with hearing(self._bus, (POWER, NETWORK), self._changed.set) as rules:
                await self._watch(rules)
        finally:
            self._is_following = False

    async def _watch(self, rules: list[str]) -> None:
        try:
            for rule in rules:
                await self._bus.invoke_bus("AddMatch", rule)
            while await self._is_asked():
                self._learn(await self._read())
        except (NotReachable, RemoteError) as error:
            log.warning("the surroundings cannot be watched: %s", error)
            self._learn(Facts())
            await self._idle()

    async def _idle(self) -> None:
        """Leave it at what is known: trying again at once would not go better."""
        while await self._is_asked():
            pass

    def _learn(self, facts: Facts) -> None:
        if self._who and facts != self._facts:
            self._facts = facts
            self._on_news()

    async def _is_asked(self) -> bool:
        await self._changed.wait()
        self._changed.clear()
        return bool(self._who)

    async def _read(self) -> Facts:
        battery, metered = await value_of(self._bus, POWER), await value_of(self._bus, NETWORK)
        on_mains = not battery if isinstance(battery, bool) else None
        is_known = metered in METERED or metered in UNMETERED
        return Facts(
            on_mains=on_mains,
            on_unmetered=metered in UNMETERED if is_known else None,
        )
