# SPDX-License-Identifier: Apache-2.0
"""Takes the baseline at the first start, shows it in the tree, compares it when asked.

`baseline.py` knows what a baseline is; here is when it is taken: before any operation,
and never after one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from scomod import baseline
from scomod.errors import ScomodError
from scomod.installers import registry
from scomod.installers.archive import Archives

if TYPE_CHECKING:
    from scomod.baseline import Baseline, Packages
    from scomod.clock import Clock
    from scomod.facade import Record
    from scomod.records import Records
    from scomod.settings import Paths, Settings

log = logging.getLogger(__name__)


class Factory:
    """What the factory left on one device."""

    def __init__(self, settings: Settings, paths: Paths, store: Records, clock: Clock) -> None:
        self._settings = settings
        self._paths = paths
        self._store = store
        self._clock = clock

    async def first_start(self) -> None:
        """Take the baseline if there is none and none was missed, and show what is known."""
        known = baseline.load(self._paths.baseline)
        if known is None and self._is_untouched():
            known = await self._take()
        with self._store.db.transaction():
            baseline.show(self._store.tree, self._settings.scomo.root, known)

    async def record(self) -> Record:
        """Return the baseline and what has changed since; raises `InstallerError`."""
        known = await asyncio.to_thread(baseline.load, self._paths.baseline)
        now = baseline.identity(self._paths.root)
        packages = await asyncio.to_thread(self._packages) if known else {}
        return baseline.record(known, now, packages)

    def _is_untouched(self) -> bool:
        """Tell whether no order was ever carried out here, also before a database was lost."""
        if self._paths.baseline.exists():
            return False  # a damaged one: what there is now is not what it was
        return not (self._store.journal.all() or Archives(self._paths.install_dir).entries())

    async def _take(self) -> Baseline | None:
        try:
            return await asyncio.to_thread(self._read_and_keep)
        except (ScomodError, OSError) as error:
            log.error("the baseline cannot be taken, the next start tries again: %s", error)
            return None

    def _read_and_keep(self) -> Baseline:
        found = baseline.taken(self._paths.root, self._packages(), self._clock.wall_s())
        kept = baseline.keep(
            self._paths.baseline, found, self._settings.inventory.max_baseline_bytes
        )
        log.info("the baseline is %s, %d packages", kept.digest, kept.count)
        return kept

    def _packages(self) -> Packages:
        stock = registry.stock(self._settings, self._paths, self._clock)
        return baseline.packages_of(stock.all_active())
