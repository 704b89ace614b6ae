# SPDX-License-Identifier: Apache-2.0
"""One transaction for journal row, nodes and alert (I5): every transition goes through here.

Nothing else writes an operation after its Exec.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scomod.codes import ResultCode
from scomod.mo.ownership import moved_acl
from scomod.operation import NOTIFY_URL, Branch, Operation, Phase
from scomod.report import Places, component_ids, report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scomod.clock import Clock
    from scomod.db import Database
    from scomod.journal import Journal
    from scomod.mo.inventory import Inventory, InventoryItem
    from scomod.mo.scomo import Scomo
    from scomod.outbox import Outbox, OutboxAlert

TIMELINE_COUNT: Final = 64  # moments of an operation that are kept
PIECE_COUNT: Final = 50  # components that one transaction writes: the loop stands for that long


class Ledger:
    """Writes transitions; tells `on_change` about each after its commit.

    `quirks(server_id)` names what that server expects of its reports (`quirk`).
    """

    def __init__(
        self,
        *,
        db: Database,
        journal: Journal,
        outbox: Outbox,
        scomo: Scomo,
        inventory: Inventory,
        clock: Clock,
        on_change: Callable[[Operation], None],
        quirks: Callable[[str], frozenset[str]],
    ) -> None:
        self._db = db
        self._journal = journal
        self._outbox = outbox
        self._scomo = scomo
        self._inventory = inventory
        self._clock = clock
        self._on_change = on_change
        self._quirks = quirks

    def record(self, operation: Operation) -> Operation:
        """Write a transition of a live operation, with its Status node."""
        with self._db.transaction():
            known = self._with_versions(operation, "before")
            stored = self._journal.update(self._stamped(known))
            self._scomo.projection.show_progress(stored)
        self._on_change(stored)
        return stored

    def succeed(
        self, operation: Operation, items: Sequence[InventoryItem] | None, mark: str = ""
    ) -> Operation:
        """End an operation well: result 1200, inventory (if `items` are given), alert.

        `mark` is that of the device when the items were read.
        """
        done = self._stamped(
            replace(operation, phase=Phase.SUCCEEDED, result=ResultCode.SUCCESSFUL)
        )
        with self._db.transaction():
            stored = self._with_versions(done, "before")
            self._scomo.projection.show_success(stored)
            if items is not None:
                self._show(stored, items, mark)
            stored = self._journal.update(self._with_versions(stored, "after"))
            self._report(stored)
        self._on_change(stored)
        return stored

    def fail(self, operation: Operation, result: ResultCode) -> Operation:
        """End an operation badly: its result, Status node and alert."""
        with self._db.transaction():
            stored = self._journal.update(
                self._stamped(replace(operation, phase=Phase.FAILED, result=result))
            )
            self._scomo.projection.show_failure(stored)
            self._report(stored)
        self._on_change(stored)
        return stored

    def mirror(self, items: Sequence[InventoryItem], mark: str) -> Iterator[None]:
        """Mirror what changed on the device without us (scomo T12), piece by piece.

        Yields after each transaction but the last.  If something else was written to the
        inventory meanwhile it ends early: then the mark is not kept and the next look goes on.
        """
        changes = self._inventory.changes(items, {})
        for start in range(0, len(changes) or 1, PIECE_COUNT):
            with self._db.transaction():
                self._inventory.write(changes[start : start + PIECE_COUNT])
                if start + PIECE_COUNT >= len(changes):
                    self._inventory.remember(mark)
                    return
            count = self._inventory.writes_count
            yield
            if self._inventory.writes_count != count:
                return

    def _show(self, operation: Operation, items: Sequence[InventoryItem], mark: str) -> None:
        """Show what the operation did, and as much else as fits into one transaction."""
        acls = self._new_acls(operation)
        first = {*acls, operation.subject.component_id}
        changes = self._inventory.changes(items, acls)
        changes.sort(key=lambda change: change.id not in first)
        self._inventory.write(changes[: max(PIECE_COUNT, len(first))])
        self._inventory.remember(mark if len(changes) <= PIECE_COUNT else "")

    def _stamped(self, operation: Operation) -> Operation:
        return _noted(replace(operation, changed_s=self._clock.wall_s()))

    def _new_acls(self, operation: Operation) -> dict[str, str]:
        """Give the server that brought a component the right to operate it."""
        if operation.branch is Branch.DEPLOYED:
            return {}
        acl = moved_acl(operation.subject.acl, operation.server_id)
        return dict.fromkeys(component_ids(operation), acl)

    def _report(self, operation: Operation) -> None:
        """Owe the end of an operation to its server, and to whoever else asked for it; count it."""
        from scomod.tally import count_operation  # noqa: PLC0415 - only operations need it

        count_operation(self._db, operation)
        self._outbox.insert(self._alert(operation))
        if operation.data.get(NOTIFY_URL):
            from scomod.notice import notice_of  # noqa: PLC0415 - only descriptors ask for it
            from scomod.notices import Notices  # noqa: PLC0415 - the same

            Notices(self._db).insert(notice_of(operation))
        self._journal.prune()

    def _alert(self, operation: Operation) -> OutboxAlert:
        """Build the report, with the places of the results as the tree has them now."""
        names = component_ids(operation)
        places = Places(
            item=self._scomo.layout.item_of(operation),
            delivered=self._scomo.layout.item(Branch.DELIVERED, operation.node),
            components={name: self._inventory.uri_of(name) or "" for name in names},
        )
        return report(operation, places, self._quirks(operation.server_id))

    def _with_versions(self, operation: Operation, key: str) -> Operation:
        """Note which versions the produced components have in the inventory now."""
        names = component_ids(operation)
        if not names or key in operation.data:
            return operation
        versions = {name: self._inventory.version_of(name) for name in names}
        return replace(operation, data={**operation.data, key: versions})


def _noted(operation: Operation) -> Operation:
    """Add to the timeline where the operation stands, unless it says so already."""
    live = operation.phase.is_live
    moment = (operation.changed_s, str(operation.phase), str(operation.step) if live else "")
    if operation.timeline and operation.timeline[-1][1:] == moment[1:]:
        return operation
    begin, rest = operation.timeline[:1], operation.timeline[1:]
    return replace(operation, timeline=(*begin, *rest[-(TIMELINE_COUNT - 2) :], moment))
