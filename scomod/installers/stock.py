"""What is on the device: what the backends report, joined with what is kept.

A backend's word outranks the index: what it lists is active, whatever an entry
says.  Reading needs no privilege, so the daemon does it itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scomod.installers.archive import Archives, Entry
    from scomod.installers.base import Backend, InstalledItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """Reads the inventory; `is_managed_only` leaves out what no order ever brought."""

    backends: Iterable[Backend]
    archives: Archives
    is_managed_only: bool

    def items(self) -> list[InstalledItem]:
        """List active and inactive items by id; raises `InstallerError` from the tools."""
        entries = {entry.id: entry for entry in self.archives.entries()}
        found = {item.id: item for backend in self.backends for item in backend.inventory()}
        items = [
            _joined(item, entries.get(item.id))
            for item in found.values()
            if not self.is_managed_only or item.id in entries
        ]
        items += [
            entry.item()
            for entry in entries.values()
            if not entry.is_active and entry.id not in found
        ]
        return sorted(items, key=lambda item: item.id)


def _joined(item: InstalledItem, entry: Entry | None) -> InstalledItem:
    """Say where an active item came from, if it is still the one that was brought."""
    if entry is None or entry.version != item.version or entry.environment != item.environment:
        return item
    return replace(item, digest=entry.digest, package_id=entry.package_id)
