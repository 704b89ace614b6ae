# SPDX-License-Identifier: Apache-2.0
"""Bringing components to where a plan wants them, or back to where they were.

Both ways ask first what is so already, run the tool only where it is needed, and
write the index after the tool.  So either way may be gone again after a kill,
and from wherever the kill left the components.

Neighbours in a plan that one tool serves go through one run of it where it can take
several (`Batching`), so that they may need each other: first what becomes active, then
what goes.  Whether a component came through is what the tool's database says of it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from scomod.errors import InstallerError, OperationError, Reason
from scomod.installers.base import Batching, Preparing, Presence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from scomod.installers.archive import Archives, Entry
    from scomod.installers.base import Backend, Facts
    from scomod.installers.gauge import Gauge
    from scomod.installers.plan import Change

    Archive = tuple[Path, Facts]
    Troubles = dict[str, OperationError | OSError]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """Runs the tools; `observer` is told "before-tool", "after-tool" and "indexed".

    `gauge` learns which share of the way forward a run of a tool is.
    """

    archives: Archives
    backends: Mapping[str, Backend]
    gauge: Gauge
    observer: Callable[[str], None]

    # -- forward -------------------------------------------------------------------

    def forward(self, changes: Sequence[Change], *, may_downgrade: bool) -> None:
        """Bring components to their state after the order.  Raises `OperationError`."""
        done = 0
        for backend, part in self._parts(changes, _ends_active):
            with self.gauge.part(done / len(changes), (done + len(part)) / len(changes)):
                if _ends_active(part[0]):
                    self._switch_on(backend, part, may_downgrade=may_downgrade)
                else:
                    self._switch_off(backend, part)
            for change in part:
                self._index(backend, change.id, change.after)
            done += len(part)

    def _switch_on(
        self, backend: Backend, changes: Sequence[Change], *, may_downgrade: bool
    ) -> None:
        entries = [change.after for change in changes if change.after is not None]
        archives = [
            self._archive(backend, entry) for entry in entries if not self._is_there(backend, entry)
        ]
        if archives:
            self._with_tool(
                lambda: _install(backend, archives, may_downgrade=may_downgrade),
            )

    def _is_there(self, backend: Backend, entry: Entry) -> bool:
        indexed = self.archives.entry(entry.id)
        is_known = indexed is not None and indexed.digest == entry.digest
        return is_known and backend.probe(entry.id, entry.version) is Presence.ACTIVE

    def _switch_off(self, backend: Backend, changes: Sequence[Change]) -> None:
        going = [change for change in changes if self._must_go(backend, change)]
        if going:
            self._with_tool(
                lambda: _take_off(backend, {change.id: change.after for change in going})
            )

    def _must_go(self, backend: Backend, change: Change) -> bool:
        """Tell whether the tool has to take a component off; an Inactive one gets ready here."""
        entry = change.after
        if entry is None:
            return True
        if backend.probe(entry.id, "") in (Presence.ABSENT, Presence.INACTIVE):
            if not change.was and isinstance(backend, Preparing):
                archive = self._archive(backend, entry)
                self._with_tool(lambda: backend.prepare(*archive))
            return False
        if backend.probe(entry.id, entry.version) is Presence.ABSENT:
            raise InstallerError(
                Reason.NOT_PRESENT,
                f"kept is {entry.id} {entry.version}, installed is another version",
            )
        self.archives.checked(entry)
        return True

    # -- back ----------------------------------------------------------------------

    def back(self, changes: Sequence[Change]) -> Troubles:
        """Bring components to their state before the order, in reverse, as far as that is kept.

        Gives what went wrong, by component: NOT_PRESENT where no archive of it is kept,
        CONFLICT where somebody else has put another version there since; the others are
        brought back all the same.
        """
        troubles: Troubles = {}
        for name, together in groupby(reversed(changes), key=lambda change: change.backend):
            neighbours = list(together)
            found = self._return(self.backends[name], neighbours)
            if found and len({_began_active(change) for change in neighbours}) > 1:
                # What had to go may have stood in the way of what came back before it.
                found = self._return(self.backends[name], neighbours)
            troubles |= found
        return troubles

    def _return(self, backend: Backend, changes: Sequence[Change]) -> Troubles:
        troubles: Troubles = {}
        on_first = sorted(changes, key=_began_active, reverse=True)
        for _, part in self._parts(on_first, _began_active):
            ready: dict[str, Change] = {}
            archives: list[Archive] = []
            for change in part:
                try:
                    if not self._is_back(backend, change):
                        archives += self._kept(backend, change)
                        ready[change.id] = change
                except (OperationError, OSError) as error:
                    troubles[change.id] = error
            troubles |= self._bring_back(backend, ready, archives)
        for change in changes:
            if change.id not in troubles:
                self._index(backend, change.id, change.before)
        return troubles

    def _bring_back(
        self, backend: Backend, ready: Mapping[str, Change], archives: Sequence[Archive]
    ) -> Troubles:
        if not ready:
            return {}
        failure: OperationError | OSError = InstallerError(Reason.INTERNAL, "it is not there")
        try:
            if archives:
                self._with_tool(lambda: _install(backend, archives, may_downgrade=True))
            else:
                off = {change.id: change.before for change in ready.values()}
                self._with_tool(lambda: _take_off(backend, off))
        except (OperationError, OSError) as error:
            failure = error
        troubles: Troubles = {}
        for change in ready.values():
            if self._is_back(backend, change):
                log.info("%s is %s again", change.id, backend.version(change.id) or "absent")
            else:
                troubles[change.id] = failure
        return troubles

    def _is_back(self, backend: Backend, change: Change) -> bool:
        """Tell whether nothing has to be done; raises `InstallerError(CONFLICT)` where none may."""
        now, before = backend.version(change.id), change.before
        active = {before.version} if before is not None and before.is_active else set()
        if now not in {"", change.was, change.after.version if change.after else "", *active}:
            raise InstallerError(
                Reason.CONFLICT, f"{change.id} {now} has been installed by somebody else"
            )
        if now:
            return now in {change.was, *active}
        # Something may be left that works no more than nothing would.
        rest = {Presence.ABSENT} if before is None else {Presence.ABSENT, Presence.INACTIVE}
        return not change.was and backend.probe(change.id, "") in rest

    def _kept(self, backend: Backend, change: Change) -> list[Archive]:
        """Give the archive that brings a component back, none where it only has to go."""
        if change.before is not None:
            return [self._archive(backend, change.before)] if change.before.is_active else []
        if change.was:
            raise InstallerError(
                Reason.NOT_PRESENT,
                f"no archive of {change.id} {change.was} is kept: no order brought it",
            )
        return []

    # -- both ------------------------------------------------------------------------

    def _parts(
        self, changes: Iterable[Change], is_on: Callable[[Change], bool]
    ) -> Iterator[tuple[Backend, list[Change]]]:
        """Yield what goes through one run of a tool; alone where that takes one at a time."""
        for (name, _), together in groupby(changes, key=lambda each: (each.backend, is_on(each))):
            backend, neighbours = self.backends[name], list(together)
            at_once = len(neighbours) if isinstance(backend, Batching) else 1
            for start in range(0, len(neighbours), at_once):
                yield backend, neighbours[start : start + at_once]

    def _archive(self, backend: Backend, entry: Entry) -> Archive:
        path = self.archives.checked(entry)
        return path, backend.inspect(path)

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


def _ends_active(change: Change) -> bool:
    return change.after is not None and change.after.is_active


def _began_active(change: Change) -> bool:
    return change.before is not None and change.before.is_active


def _install(backend: Backend, archives: Sequence[Archive], *, may_downgrade: bool) -> None:
    if isinstance(backend, Batching):
        backend.install_all(archives, may_downgrade=may_downgrade)
    else:
        for path, facts in archives:
            backend.install(path, facts, may_downgrade=may_downgrade)


def _take_off(backend: Backend, components: Mapping[str, Entry | None]) -> None:
    """Take components off: those without an entry wholly, the others so that they may return."""
    if isinstance(backend, Batching) and len(components) > 1:
        backend.withdraw_all(list(components))
    for component_id, entry in components.items():
        if entry is None:
            backend.remove(component_id)
        else:
            backend.withdraw(component_id)
