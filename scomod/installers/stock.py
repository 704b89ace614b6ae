# SPDX-License-Identifier: Apache-2.0
"""What is on the device: what the backends report, joined with what is kept, as far as it is shown.

A backend's word outranks the index: what it lists is active, whatever an entry
says.  What an order brought is always shown, whatever the filter says of it.
Reading needs no privilege, so the daemon does it itself.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from scomod.errors import InstallerError, Reason
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from scomod.installers.archive import Archives, Entry
    from scomod.installers.base import Backend, Facts, InstalledItem
    from scomod.installers.kinds import Kind
    from scomod.settings import Settings


@frozen
class Stock:
    """Reads the inventory; `is_shown(id)` judges what no order ever brought.

    `kinds` are all that the device takes, also those whose tool is not there (yet).
    `open_backends` makes the backends when they are first asked; `watch` gives the marks of
    what they report without them, so that a look at what did not change loads none.
    """

    kinds: tuple[Kind, ...]
    open_backends: Callable[[], Iterable[Backend]]
    watch: Callable[[], Iterable[str]]
    archives: Archives
    is_shown: Callable[[str], bool]

    def items(self) -> list[InstalledItem]:
        """List active and inactive items by id; raises `InstallerError` from the tools."""
        entries = {entry.id: entry for entry in self.archives.entries()}
        found = {item.id: item for item in self.all_active()}
        items = [
            _joined(item, entries.get(item.id))
            for item in found.values()
            if item.id in entries or self.is_shown(item.id)
        ]
        items += [
            entry.item()
            for entry in entries.values()
            if not entry.is_active and entry.id not in found
        ]
        return sorted(items, key=lambda item: item.id)

    def all_active(self) -> list[InstalledItem]:
        """List what the backends report, shown or not; raises as `items`."""
        return [item for backend in self.open_backends() for item in backend.inventory()]

    def inspect(self, backend: str, payload: Path) -> Facts:
        """Read an archive as its backend would; raises `InstallerError`."""
        for each in self.open_backends():
            if each.name == backend:
                return each.inspect(payload)
        raise InstallerError(Reason.UNSUPPORTED_ENV, f"no backend {backend!r:.80} here")

    def mark(self) -> str:
        """Return what is another text after any change of what `items` would list."""
        return " ".join([*self.watch(), self.archives.mark()])


def shown_by(settings: Settings) -> Callable[[str], bool]:
    """Return what tells by a component's id whether policy shows it."""
    if settings.install.dpkg.inventory == "managed":
        return lambda _component_id: False
    show, hide = (_any_of(each) for each in (settings.inventory.show, settings.inventory.hide))
    return lambda component_id: bool(show(component_id)) and not hide(component_id)


def _any_of(patterns: Sequence[str]) -> Callable[[str], object]:
    """Return what matches an id against all patterns at once; none matches nothing."""
    return re.compile("|".join(map(fnmatch.translate, patterns)) or "(?!)").match


def _joined(item: InstalledItem, entry: Entry | None) -> InstalledItem:
    """Say whose an active item is, and where it came from if it still is what was brought.

    A component that the person upgraded by hand stays its server's (ADC-3).
    """
    if entry is None or entry.environment != item.environment:
        return item
    if entry.version != item.version:
        return replace(item, owner=entry.owner)
    return replace(
        item,
        digest=entry.digest,
        package_id=entry.package_id,
        owner=entry.owner,
        units=entry.units,
        permissions=item.permissions or entry.permissions,
    )
