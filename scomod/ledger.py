"""One transaction for journal row, nodes and alert (I5): every transition goes through here.

Nothing else writes an operation after its Exec.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scomod.codes import ALERT_TYPE_OPERATION_COMPLETE, ResultCode
from scomod.mo.scomo import component_acl
from scomod.operation import Branch, Operation, Phase, Primitive
from scomod.outbox import OutboxAlert

try:
    from _blake2 import blake2b  # hashlib would bring OpenSSL, the waiting daemon needs none
except ImportError:  # an interpreter may do without it
    from hashlib import blake2b

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scomod.clock import Clock
    from scomod.db import Database
    from scomod.journal import Journal
    from scomod.mo.inventory import Inventory, InventoryItem
    from scomod.mo.scomo import Scomo
    from scomod.outbox import Outbox

MARK_SUCCESS: Final = "informational"  # scomo §4.1: a failure must not be informational
MARK_FAILURE: Final = "critical"
MARK_KEY: Final = "inventory-mark"  # digest of what Inventory/Deployed shows


class Ledger:
    """Writes transitions; tells `on_change` about each after its commit."""

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
    ) -> None:
        self._db = db
        self._journal = journal
        self._outbox = outbox
        self._scomo = scomo
        self._inventory = inventory
        self._clock = clock
        self._on_change = on_change

    def record(self, operation: Operation) -> Operation:
        """Write a transition of a live operation, with its Status node."""
        with self._db.transaction():
            stored = self._journal.update(self._stamped(operation))
            self._scomo.show_progress(stored)
        self._on_change(stored)
        return stored

    def succeed(self, operation: Operation, items: Sequence[InventoryItem] | None) -> Operation:
        """End an operation well: result 1200, inventory (if `items` are given), alert."""
        done = self._stamped(
            replace(operation, phase=Phase.SUCCEEDED, result=ResultCode.SUCCESSFUL)
        )
        with self._db.transaction():
            stored = self._journal.update(done)
            self._scomo.show_success(stored)
            if items is not None:
                self._inventory.reconcile(items, self._new_acls(stored))
                self._db.set_meta(MARK_KEY, _mark(items))
            self._outbox.insert(self._alert(stored))
            self._journal.prune()
        self._on_change(stored)
        return stored

    def fail(self, operation: Operation, result: ResultCode) -> Operation:
        """End an operation badly: its result, Status node and alert."""
        with self._db.transaction():
            stored = self._journal.update(
                self._stamped(replace(operation, phase=Phase.FAILED, result=result))
            )
            self._scomo.show_failure(stored)
            self._outbox.insert(self._alert(stored))
            self._journal.prune()
        self._on_change(stored)
        return stored

    def reconcile(self, items: Sequence[InventoryItem]) -> None:
        """Mirror what changed on the device without us (scomo T12); nothing if nothing did."""
        mark = _mark(items)
        if self._db.meta(MARK_KEY) == mark:
            return
        with self._db.transaction():
            self._inventory.reconcile(items, {})
            self._db.set_meta(MARK_KEY, mark)

    def _stamped(self, operation: Operation) -> Operation:
        return replace(operation, changed_s=self._clock.wall_s())

    def _new_acls(self, operation: Operation) -> dict[str, str]:
        """Give the server that delivered a component the right to operate it."""
        return {name: component_acl(operation.server_id) for name in component_ids(operation)}

    def _alert(self, operation: Operation) -> OutboxAlert:
        """Build the OperationComplete alert (scomo §4.1)."""
        is_ok = operation.phase is Phase.SUCCEEDED
        code = int(operation.result or ResultCode.UNDEFINED_ERROR)
        identifier = _escaped(_identifier(operation))
        return OutboxAlert(
            operation_id=operation.id,
            server_id=operation.server_id,
            correlator=operation.correlator,
            source=operation.exec_uri,
            target=self._target(operation),
            type=ALERT_TYPE_OPERATION_COMPLETE,
            mark=MARK_SUCCESS if is_ok else MARK_FAILURE,
            data=f"<ResultCode>{code}</ResultCode><Identifier>{identifier}</Identifier>",
            created_s=operation.changed_s,
        )

    def _target(self, operation: Operation) -> str:
        """Return the URI of what represents the result now (scomo §4.1)."""
        if operation.phase is Phase.SUCCEEDED and operation.branch is not Branch.DEPLOYED:
            for component_id in component_ids(operation):
                return self._inventory.uri_of(component_id) or self._scomo.item_uri(operation)
            if operation.primitive is Primitive.DOWNLOAD:
                return f"{self._scomo.root}/{Branch.DELIVERED}/{operation.node}"
        return self._scomo.item_uri(operation)


def _mark(items: Sequence[InventoryItem]) -> str:
    """Return a digest that differs when the inventory does, also in a later life."""
    return blake2b(repr(tuple(items)).encode()).hexdigest()


def _escaped(text: str) -> str:
    """Return a text as XML content; xml.sax.saxutils would bring an HTTP client along."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def component_ids(operation: Operation) -> list[str]:
    """Return the ids of the components an install-type operation has produced."""
    found = operation.data.get("components", [])
    return [str(name) for name in found] if isinstance(found, list) else []


def _identifier(operation: Operation) -> str:
    """Return the Identifier of the alert (scomo §4.1, the table below it)."""
    if operation.branch is Branch.DEPLOYED:
        return operation.subject.component_id
    ids = component_ids(operation)
    if ids and operation.phase is Phase.SUCCEEDED:
        return ids[0]
    return operation.subject.pkg_id
