# SPDX-License-Identifier: Apache-2.0
"""Where things stand in the SCOMO object (scomo §1.1): paths in, words out; no nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.operation import PLANS, Branch, operation_leaf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.operation import Operation, Primitive

PRIMITIVES: Final[Mapping[Branch, Mapping[str, Primitive]]] = {
    branch: {operation_leaf(primitive): primitive for at, primitive in PLANS if at is branch}
    for branch in Branch
}
DATA: Final = "/Data"


@dataclass(frozen=True, slots=True)
class Layout:
    """The object at a root."""

    root: str

    def branch(self, branch: Branch) -> str:
        """Return the path of a branch."""
        return f"{self.root}/{branch}"

    def item(self, branch: Branch, name: str) -> str:
        """Return the path of a package or component."""
        return f"{self.root}/{branch}/{name}"

    def item_of(self, operation: Operation) -> str:
        """Return the path of the package or component an operation works on."""
        return self.item(operation.branch, operation.node)

    def branch_at(self, path: str) -> Branch | None:
        """Return which branch a path is itself."""
        name = path.removeprefix(f"{self.root}/")
        return Branch(name) if name in set(Branch) else None

    def branch_of(self, item: str) -> Branch | None:
        """Return the branch of a path if that is one package or component."""
        return self.branch_at(item.rpartition("/")[0])

    def delivery_of(self, path: str) -> str:
        """Return the delivered package that a path is the Data of, "" if it is none."""
        item = path.removesuffix(DATA)
        return item if item != path and self.branch_of(item) is Branch.DELIVERED else ""

    def primitive_of(self, path: str) -> tuple[Branch, str, Primitive] | None:
        """Return branch, name and primitive if a path is an operation leaf."""
        item, separator, verb = path.partition("/Operations/")
        branch = self.branch_of(item)
        primitive = PRIMITIVES[branch].get(f"Operations/{verb}") if branch else None
        if branch is None or primitive is None or not separator:
            return None
        return branch, item.rpartition("/")[2], primitive
