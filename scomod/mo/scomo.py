# SPDX-License-Identifier: Apache-2.0
"""The SCOMO management object: what servers may do with it, and what an Exec means (scomo §3).

Exec copies what the operation needs into a `Subject`, writes a journal row and sets the
Status node: nothing is done here (I4).  Its nodes are made by `packages`, operations are
shown by `projection`, whose a package is says `ownership`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from scomod import errors
from scomod.mo import ownership, subjects
from scomod.mo import uri as uris
from scomod.mo.handler import ExecRequest, Handler
from scomod.mo.layout import Layout
from scomod.mo.packages import Packages
from scomod.mo.projection import Projection
from scomod.operation import Branch, Cancel, cancel_of, cancelled
from scomod.quirk import Quirk

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.clock import Clock
    from scomod.journal import Journal
    from scomod.mo.execs import Execs
    from scomod.mo.node import Node
    from scomod.mo.tree import Tree
    from scomod.operation import Extra, Operation
    from scomod.settings import Settings

DELETES: Final = (Cancel.CANCELLED, Cancel.UNDONE)  # how an operation ends whose node is deleted
BY_SERVER: Final = "server"


class Scomo(Handler):
    """The handler below the SCOMO root.

    `extras_for(operation)` says which steps a plan has beside those of its primitive.
    `on_queued` is told that the journal has news, `on_deleted` that a payload may have
    lost its node; both inside the transaction that may still be undone.
    """

    def __init__(
        self,
        tree: Tree,
        journal: Journal,
        clock: Clock,
        settings: Settings,
        *,
        extras_for: Callable[[Operation], frozenset[Extra]],
        on_queued: Callable[[], None],
    ) -> None:
        self._tree = tree
        self._journal = journal
        self._clock = clock
        self._settings = settings
        self._extras_for = extras_for
        self._on_queued = on_queued
        self.on_deleted: Callable[[], object] = lambda: None
        self.layout = Layout(settings.scomo.root)
        self.packages = Packages(tree, self.layout)
        self.projection = Projection(tree, self.layout, self.packages, self._is_kept)

    @cached_property
    def _execs(self) -> Execs:
        from scomod.mo.execs import Execs  # noqa: PLC0415 - the waiting daemon takes no orders

        return Execs(
            self._tree,
            self._journal,
            self._clock,
            self.layout,
            shared=self._settings.scomo.download_nodes,
            extras_for=self._extras_for,
        )

    def install(self) -> None:
        """Make the nodes that are always there, writing only what is missing or differs."""
        self.packages.install(self._settings)

    # -- rules (see `Handler`) -------------------------------------------------

    def real_path(self, path: str, server_id: str) -> str:
        """Understand how a server with such quirks spells nodes."""
        habits = self._quirks(server_id)
        if not habits or not path.startswith(f"{self.layout.root}/"):
            return path
        from scomod.mo import quirks  # noqa: PLC0415 - few servers have any

        names = path[len(self.layout.root) + 1 :].split("/")
        return "/".join((self.layout.root, *quirks.real_names(names, habits)))

    def stands_for(self, server_id: str) -> tuple[str, ...]:
        """Let a server act for those it manages (ADC-3)."""
        return self._settings.server(server_id).manages

    def hides_children(self, path: str) -> bool:
        """Show a server only the packages and components that it may know of (ADC-3)."""
        return self.layout.branch_at(path) is not None

    def wants_file(self, path: str) -> bool:
        """Keep every package as a file, which then can be handed to who installs it."""
        return bool(self.layout.delivery_of(path))

    def shown(self, node: Node, server_id: str) -> Node:
        """Show leaves as a server with such quirks reads them."""
        habits = self._quirks(server_id)
        item, _, leaf = node.path.rpartition("/")
        branch = self.layout.branch_of(item) if habits else None
        if branch is None:
            return node
        from scomod.mo import quirks  # noqa: PLC0415 - few servers have any

        return quirks.as_read(node, branch, leaf, habits)

    # -- reactions to what servers do ------------------------------------------

    def added(self, path: str, server_id: str) -> None:
        """Complete a package node that a server created (scomo §3.5 a)."""
        branch = self.layout.branch_of(path)
        if branch in (Branch.DOWNLOAD, Branch.DELIVERED):
            for operation in self._working_on(path):  # its node was deleted, it has not ended yet
                raise errors.Conflict(f"operation {operation.id} is still at work")
            self.packages.complete(path, branch, ownership.owner_acl(server_id))

    def guard_value(self, path: str, value: bytes) -> None:
        """Refuse what is too long, and another package under an operation at work."""
        subjects.check_length(uris.name(path), value, self._settings.scomo)
        for operation in self._working_on(self.layout.delivery_of(path)):
            raise errors.Forbidden(f"operation {operation.id} works on it")

    def written(self, path: str) -> None:
        """Take Data that is complete for what it is: a delivery (scomo §6.3)."""
        item = self.layout.delivery_of(path)
        node = self._tree.node(path) if item else None
        if node is not None and node.blob is not None:
            self.packages.delivered(item)
            self.on_deleted()  # the package that Data held before

    def guard_delete(self, path: str) -> None:
        """Refuse to lose what an operation works on, unless that can be cancelled (scomo T10)."""
        self._guard_predefined(path)
        for operation in self._working_on(path):
            if operation.branch is not Branch.DOWNLOAD or cancel_of(operation) not in DELETES:
                raise errors.Forbidden(f"operation {operation.id} works on it")

    def guard_rename(self, path: str) -> None:
        """Refuse another name while an operation knows this one."""
        self._guard_predefined(path)
        for operation in self._working_on(path):
            raise errors.Forbidden(f"operation {operation.id} works on it")

    def deleted(self, path: str) -> None:
        """Have the operation cancelled that worked on a package; its payload is not needed."""
        for operation in self._working_on(path):
            self._journal.update(cancelled(operation, BY_SERVER))
            self._on_queued()
        self.on_deleted()

    def execute(self, path: str, request: ExecRequest) -> bool:
        """Queue the operation that an operation leaf stands for; a report follows (202)."""
        habits = self._quirks(request.server_id)
        real = self.real_path(path, request.server_id)
        operation = self._execs.take(real, path, request, habits)
        if operation is not None:
            self.projection.show_progress(operation)
            self._on_queued()
        return Quirk.NO_202 in habits

    # -- parts of the above ----------------------------------------------------

    def payloads(self) -> set[str]:
        """Return the SHA-256 of each package that a node or an operation still needs."""
        base = self.layout.branch(Branch.DELIVERED)
        data = [self._tree.node(f"{base}/{name}/Data") for name in self._tree.children(base)]
        live = [(each.subject.digest, each.data.get("sha256")) for each in self._journal.live()]
        kept = {node.blob.sha256 for node in data if node is not None and node.blob}
        return kept | {str(digest) for pair in live for digest in pair if digest}

    def _quirks(self, server_id: str) -> frozenset[Quirk]:
        return frozenset(map(Quirk, self._settings.server(server_id).quirks))

    def _working_on(self, item: str) -> list[Operation]:
        """Return the live operations on a package or component."""
        if not item:
            return []
        return [each for each in self._journal.live() if self.layout.item_of(each) == item]

    def _guard_predefined(self, path: str) -> None:
        if self.layout.branch_of(path) is Branch.DOWNLOAD and (
            uris.name(path) in self._settings.scomo.download_nodes
        ):
            raise errors.NotAllowed(f"{path} is permanent")

    def _is_kept(self, operation: Operation) -> bool:
        """Tell whether a download node is used again (scomo §3.5 b, §9)."""
        is_wanted = Quirk.KEEP_DOWNLOAD in self._quirks(operation.server_id)
        return is_wanted or operation.node in self._settings.scomo.download_nodes
