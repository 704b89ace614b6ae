"""Bringing one component to where a plan wants it, or back to where it was.

Both ways ask first what is so already, run the tool only where it is needed, and
write the index after the tool.  So either way may be gone again after a kill,
and from wherever the kill left the component.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scomod.errors import InstallerError, Reason
from scomod.installers.base import Presence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.installers.archive import Archives, Entry
    from scomod.installers.base import Backend
    from scomod.installers.plan import Change

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """Runs the tools; `observer` is told "before-tool", "after-tool" and "indexed"."""

    archives: Archives
    backends: Mapping[str, Backend]
    observer: Callable[[str], None]

    def forward(self, change: Change, *, may_downgrade: bool) -> None:
        """Bring a component to its state after the order.  Raises `OperationError`."""
        backend = self.backends[change.backend]
        after = change.after
        if after is None:
            self._with_tool(lambda: backend.remove(change.id))
        elif after.is_active:
            self._switch_on(backend, after, may_downgrade=may_downgrade)
        else:
            self._switch_off(backend, after)
        self._index(backend, change.id, after)

    def back(self, change: Change) -> None:
        """Bring a component to its state before the order, as far as that is kept.

        Raises `OperationError`: NOT_PRESENT where no archive of it is kept, CONFLICT
        where somebody else has put another version there since.
        """
        backend = self.backends[change.backend]
        now = backend.version(change.id)
        known = {"", change.was, change.after.version if change.after else ""}
        if now not in known:
            raise InstallerError(
                Reason.CONFLICT, f"{change.id} {now} has been installed by somebody else"
            )
        if now != change.was or self._is_broken(backend, change):
            self._restore(backend, change)
            log.info("%s is %s again", change.id, backend.version(change.id) or "absent")
        self._index(backend, change.id, change.before)

    def _switch_on(self, backend: Backend, entry: Entry, *, may_downgrade: bool) -> None:
        indexed = self.archives.entry(entry.id)
        is_known = indexed is not None and indexed.digest == entry.digest
        if is_known and backend.probe(entry.id, entry.version) is Presence.ACTIVE:
            return
        archive = self.archives.checked(entry)
        facts = backend.inspect(archive)
        self._with_tool(lambda: backend.install(archive, facts, may_downgrade=may_downgrade))

    def _switch_off(self, backend: Backend, entry: Entry) -> None:
        if backend.probe(entry.id, "") is Presence.ABSENT:
            return
        if backend.probe(entry.id, entry.version) is Presence.ABSENT:
            raise InstallerError(
                Reason.NOT_PRESENT,
                f"kept is {entry.id} {entry.version}, installed is another version",
            )
        self.archives.checked(entry)
        self._with_tool(lambda: backend.withdraw(entry.id))

    def _is_broken(self, backend: Backend, change: Change) -> bool:
        """Tell whether something is left that works no more than nothing would."""
        return not change.was and backend.probe(change.id, "") is not Presence.ABSENT

    def _restore(self, backend: Backend, change: Change) -> None:
        before = change.before
        if before is None:
            if change.was:
                raise InstallerError(
                    Reason.NOT_PRESENT,
                    f"no archive of {change.id} {change.was} is kept: no order brought it",
                )
            self._with_tool(lambda: backend.remove(change.id))
        elif before.is_active:
            archive = self.archives.checked(before)
            facts = backend.inspect(archive)
            self._with_tool(lambda: backend.install(archive, facts, may_downgrade=True))
        else:
            self._with_tool(lambda: backend.withdraw(change.id))

    def _with_tool(self, deed: Callable[[], None]) -> None:
        self.observer("before-tool")
        deed()
        self.observer("after-tool")

    def _index(self, backend: Backend, component_id: str, entry: Entry | None) -> None:
        """Write what is so now; units are known only once the files are there."""
        if entry is None:
            self.archives.drop(component_id)
        else:
            units = backend.units(component_id) if entry.is_active else ()
            current = replace(entry, units=units)
            if self.archives.entry(component_id) != current:
                self.archives.record(current)
        self.observer("indexed")
