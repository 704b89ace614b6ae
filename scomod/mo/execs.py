# SPDX-License-Identifier: Apache-2.0
"""From an Exec to a row of the journal (scomo §3): preconditions, subject, plan.

Nothing is done here (I4).  What is refused is refused now, with a status; what is
accepted ends with a report.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scomod import errors
from scomod.mo import ownership, subjects
from scomod.operation import CONFIRMED, HANDED, OFFER, Operation, plan_for
from scomod.quirk import Quirk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from scomod.clock import Clock
    from scomod.journal import Journal
    from scomod.mo.handler import ExecRequest
    from scomod.mo.layout import Layout
    from scomod.mo.tree import Tree
    from scomod.operation import Branch, Extra, Subject


class Execs:
    """Takes orders; `shared` are the download nodes that belong to nobody alone.

    `extras_for(operation)` says which steps its plan has beside those of the primitive.
    """

    def __init__(
        self,
        tree: Tree,
        journal: Journal,
        clock: Clock,
        layout: Layout,
        *,
        shared: Collection[str],
        extras_for: Callable[[Operation], frozenset[Extra]],
    ) -> None:
        self._tree = tree
        self._journal = journal
        self._clock = clock
        self._layout = layout
        self._shared = shared
        self._extras_for = extras_for

    def take(
        self, path: str, asked: str, request: ExecRequest, quirks: Collection[Quirk]
    ) -> Operation | None:
        """Queue the operation that an operation leaf stands for; None if it is queued already.

        `asked` is the path as the server wrote it: its report will name it so.  Raises
        `NotAllowed` (405), `NodeNotFound` (404), `Conflict` (500, scomo §3.3).
        """
        meant = self._layout.primitive_of(path)
        if meant is None:
            raise errors.NotAllowed("no operation of SCOMO")
        branch, node, primitive = meant
        if self._journal.has_unreported(asked, request.server_id, request.correlator):
            return None  # the server never got our 202, and asks again
        self._check_idle(branch, node, quirks)
        now = self._clock.wall_s()
        operation = Operation(
            id=0,
            branch=branch,
            primitive=primitive,
            node=node,
            exec_uri=asked,
            server_id=request.server_id,
            correlator=request.correlator,
            subject=self._subject(branch, node, request.server_id),
            data=_notes(request),
            created_s=now,
            changed_s=now,
        )
        return self._journal.insert(_planned(operation, self._extras_for(operation)))

    def _subject(self, branch: Branch, node: str, server_id: str) -> Subject:
        """Copy what the operation needs; what becomes of a package has its ACL (scomo §7.2)."""
        item = self._layout.item(branch, node)
        known = self._tree.node(item)
        own = known.acl if known is not None and node not in self._shared else ""
        return subjects.read(self._tree, item, branch, ownership.moved_acl(own, server_id))

    def _check_idle(self, branch: Branch, node: str, quirks: Collection[Quirk]) -> None:
        """One live operation per package and component (design §7)."""
        for operation in self._journal.live():
            if (operation.branch, operation.node) == (branch, node):
                text = f"operation {operation.id} is still at work"
                raise errors.Forbidden(text) if Quirk.BUSY_403 in quirks else errors.Conflict(text)


def _notes(request: ExecRequest) -> dict[str, object]:
    """Return what the steps must know of how the order came."""
    notes: dict[str, object] = {CONFIRMED: True} if request.is_confirmed else {}
    brought = {OFFER: request.offer, HANDED: request.handed}
    return notes | {key: dict(what) for key, what in brought.items() if what}


def _planned(operation: Operation, extras: frozenset[Extra]) -> Operation:
    return replace(operation, steps=plan_for(operation.branch, operation.primitive, extras))
