# SPDX-License-Identifier: Apache-2.0
"""A package that no server announced: the device does it in a server's name, and orders it.

From then on it is an operation like all others, with that server's rights, and its end is
told to that server.  Nodes, operation and what the caller keeps are one transaction, so that
a kill leaves all of them or none.  Not where a package comes from: a medium (`offers`), or
a person with a file (`handin`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.mo import ownership, subjects
from scomod.operation import Branch, Primitive, operation_leaf
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.db import Database
    from scomod.journal import Journal
    from scomod.mo.handler import ExecRequest
    from scomod.mo.scomo import Scomo
    from scomod.mo.tree import Tree
    from scomod.settings import Settings


@frozen
class Announcing:
    """Announces; `observer` is told each boundary."""

    db: Database
    tree: Tree
    journal: Journal
    scomo: Scomo
    settings: Settings
    observer: Callable[[str], None]

    def order(
        self,
        name: str,
        leaves: Mapping[str, str],
        request: ExecRequest,
        keep: Callable[[int], None],
    ) -> int:
        """Write node `name` with its leaves and its operation; returns its number.

        `keep(number)` is what else belongs into the transaction.  Raises `CommandError`.
        """
        item = self.scomo.layout.item(Branch.DOWNLOAD, name)
        for leaf, value in leaves.items():
            subjects.check_length(leaf, value.encode(), self.settings.scomo)
        with self.db.transaction():
            self.tree.drop(item)  # of a try that failed
            acl = ownership.owner_acl(request.server_id)
            self.scomo.packages.complete(item, Branch.DOWNLOAD, acl)
            for leaf, value in leaves.items():
                if value:
                    self.tree.put(f"{item}/{leaf}", value=value)
            self.observer("announced")
            self.scomo.execute(f"{item}/{operation_leaf(Primitive.DOWNLOAD_INSTALL)}", request)
            number = self.journal.live()[-1].id
            keep(number)
            self.observer("queued")
        return number
