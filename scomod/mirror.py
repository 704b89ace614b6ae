# SPDX-License-Identifier: Apache-2.0
"""Looks at the device and keeps Inventory/Deployed equal to it (scomo T12).

Where nothing changed a look costs a few stats: no program, no thread, no write.  Else
the backends are read in a thread and what differs is written in pieces, between which
the loop turns (I16).  What differs is `mo.inventory`'s business, the transactions are
the `ledger`'s; this does not run while an operation changes the device.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from scomod.errors import ScomodError
from scomod.mo.inventory import InventoryItem

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.installers.base import InstalledItem, Runner
    from scomod.ledger import Ledger
    from scomod.mo.inventory import Inventory

log = logging.getLogger(__name__)


class Mirror:
    """The device's mirror; `is_held` tells that what backends report now is not settled."""

    def __init__(
        self, runner: Runner, inventory: Inventory, ledger: Ledger, is_held: Callable[[], bool]
    ) -> None:
        self._runner = runner
        self._inventory = inventory
        self._ledger = ledger
        self._is_held = is_held
        self._lock = asyncio.Lock()

    async def look(self) -> None:
        """Make the inventory say what the device has, if it does not; a failure is logged."""
        async with self._lock:
            mark = self._runner.mark()
            if self._is_held() or self._inventory.is_current(mark):
                return
            try:
                items = await read(self._runner)
            except ScomodError as error:
                log.error("the inventory cannot be read: %s", error)
                return
            if not self._is_held():
                for _ in self._ledger.mirror(items, mark):
                    await asyncio.sleep(0)


async def read(runner: Runner) -> tuple[InventoryItem, ...]:
    """Return what is on the device in the words of the tree; raises `InstallerError`."""
    return await asyncio.to_thread(lambda: tuple(map(_item, runner.inventory())))


def _item(found: InstalledItem) -> InventoryItem:
    return InventoryItem(
        id=found.id,
        version=found.version,
        environment=found.environment,
        is_active=found.is_active,
        name=found.name,
        description=found.description,
        pkg_id_ref=found.package_id,
        owner=found.owner,
        is_startable=bool(found.units) or found.is_startable,
    )
