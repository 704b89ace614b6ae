# SPDX-License-Identifier: Apache-2.0
"""./Inbox: an address that takes management objects and keeps none (omadm §8.4).

Who may send objects here is the ACL of ./Inbox.  Where each goes: `placing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.errors import NotAllowed
from scomod.mo.handler import Handler
from scomod.mo.registry import INBOX_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scomod.mo.tnds import TndsNode
    from scomod.mo.tree import Tree

NOBODY: Final = "Get=*"  # an ACL without Add; an empty one would inherit that of the root


class Inbox(Handler):
    """Refuses every Get, and places what servers add."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def guard_get(self, path: str) -> None:
        """Refuse: what was sent here is somewhere else."""
        raise NotAllowed(f"{path} cannot be read")

    def deposit(self, document: Sequence[TndsNode]) -> None:
        """Place the objects of a server; one that is there already is not touched."""
        from scomod.mo import placing  # noqa: PLC0415 - few servers send objects

        placing.place_new(self._tree, document)


def install(tree: Tree, servers: Iterable[str]) -> None:
    """Make the node; only these servers may send objects, "*" stands for all."""
    ids = "+".join(servers)
    tree.put(INBOX_ROOT, acl=f"Add={ids}" if ids else NOBODY)
