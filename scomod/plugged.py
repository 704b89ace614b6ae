# SPDX-License-Identifier: Apache-2.0
"""What happens when something is plugged in, put together: a modem, a medium with an offer.

A part of the composition root (`waking`), made where the configuration asks for it.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from scomod.listeners.hotplug import Hotplug, Kind

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from scomod.clock import Clock
    from scomod.listeners.mounts import Mounts
    from scomod.offers import Offers
    from scomod.records import Records
    from scomod.settings import Paths, Settings

log = logging.getLogger(__name__)


class Plugged:
    """Watches; `on_modem` is told whether there is a modem, None where nobody asks.

    `rest` is called when `needs_process` may have become false.
    """

    def __init__(
        self,
        settings: Settings,
        paths: Paths,
        clock: Clock,
        store: Records,
        *,
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        rest: Callable[[], None],
        on_modem: Callable[[bool], None] | None,
    ) -> None:
        self._start = start
        self._rest = rest
        self._offers: Offers | None = None
        self._mounts: Mounts | None = None
        tell: dict[Kind, Callable[[bool], None]] = {}
        if on_modem is not None:
            tell[Kind.MODEM] = self._followed(on_modem)
        if settings.media.offers:
            self._open_shop(settings, paths, clock, store)
            tell[Kind.MEDIUM] = self._followed(lambda _: None)  # it is looked at once mounted
        self._hotplug = Hotplug(tell)

    def _open_shop(self, settings: Settings, paths: Paths, clock: Clock, store: Records) -> None:
        from scomod.listeners.mounts import Mounts  # noqa: PLC0415 - off by default
        from scomod.offers import Offers  # noqa: PLC0415 - the same
        from scomod.trust import trust_of  # noqa: PLC0415 - the same

        self._offers = Offers(
            db=store.db,
            tree=store.tree,
            journal=store.journal,
            scomo=store.scomo,
            settings=settings,
            now_s=store.known_time.now_s,
            trust=trust_of(settings, paths, clock, partial(store.unset_clock, clock)),
        )
        self._mounts = Mounts(
            [paths.below_root(name) for name in settings.media.dirs],
            self._look,
        )

    def _followed(self, tell: Callable[[bool], None]) -> Callable[[bool], None]:
        def told(is_here: bool) -> None:
            tell(is_here)
            self._rest()

        return told

    def _look(self, place: Path) -> None:
        if self._offers is not None:
            task = self._start(self._offers.look(place))
            task.add_done_callback(lambda _: self._rest())

    def open(self) -> None:
        """Look what is plugged in, and watch from now on."""
        self._hotplug.open()
        try:
            if self._mounts is not None:
                self._mounts.open()
        except OSError as error:
            log.warning("media cannot be watched: %s", error)

    def close(self) -> None:
        """Watch no longer."""
        self._hotplug.close()
        if self._mounts is not None:
            self._mounts.close()

    @property
    def needs_process(self) -> bool:
        """Tell whether something is plugged in that is listened to, or may be mounted yet."""
        is_looking = self._offers is not None and self._offers.looking_count > 0
        return is_looking or any(map(self._hotplug.is_here, Kind))
