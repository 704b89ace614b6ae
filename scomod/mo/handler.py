# SPDX-License-Identifier: Apache-2.0
"""What a management object is to the tree.

The tree stores; a handler computes a leaf, guards a change, reacts to a new
node, or executes.  Handlers judge no rights: ACL and access types are the tree's
business (I11); a handler only says by which rules they count in its object, and how
a server with habits of its own spells and reads it.  They are plain functions: Exec
never works, it enqueues (I4).
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from scomod.errors import NotAllowed
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scomod.mo.node import Node
    from scomod.mo.tnds import TndsNode


@frozen
class ExecRequest:
    """What an Exec carried; `server_id` says whom to report to, nothing else.

    `is_confirmed` tells that the person said yes to the server before, in the same session.
    `offer` is what is kept of the offer of a medium, `handed` of a file that somebody at the
    device handed in, {} where a server gave the order itself.
    """

    server_id: str
    correlator: str | None = None
    data: bytes = b""
    is_confirmed: bool = False
    offer: Mapping[str, object] = field(default_factory=dict)
    handed: Mapping[str, object] = field(default_factory=dict)


class Handler:
    """Base of all handlers: everything allowed, nothing executed."""

    # Rules, which the tree applies.

    def real_path(self, path: str, server_id: str) -> str:
        """Return the path of what a server means by a path."""
        del server_id
        return path

    def stands_for(self, server_id: str) -> tuple[str, ...]:
        """Return the other servers whose rights this one has here too."""
        del server_id
        return ()

    def hides_children(self, path: str) -> bool:
        """Tell whether a server that asks for names is told only those it may Get."""
        del path
        return False

    def wants_file(self, path: str) -> bool:
        """Tell whether a binary value is kept as a file, however short it is."""
        del path
        return False

    def shown(self, node: Node, server_id: str) -> Node:
        """Return a leaf with its value as this server wants to read it."""
        del server_id
        return node

    # Values, guards, reactions.

    def compute(self, path: str) -> bytes | None:
        """Return the current value of a leaf that is not stored, or None for the stored one."""
        del path
        return None

    def guard_get(self, path: str) -> None:
        """Raise a `CommandError` if nobody may read here, whether there is a node or not."""
        del path

    def guard_value(self, path: str, value: bytes) -> None:
        """Raise a `CommandError` if a server must not write this value here.

        A long value, which only a binary leaf takes, is not read for it: b"" comes then.
        """
        del path, value

    def guard_delete(self, path: str) -> None:
        """Raise a `CommandError` if the node must not go now."""
        del path

    def guard_rename(self, path: str) -> None:
        """Raise a `CommandError` if the node must not change its name now."""
        self.guard_delete(path)

    def written(self, path: str) -> None:
        """React to a value that a server just wrote."""
        del path

    def added(self, path: str, server_id: str) -> None:
        """React to an interior node that a server just created."""
        del path, server_id

    def deleted(self, path: str) -> None:
        """React to a node that a server just deleted."""
        del path

    def deposit(self, document: Sequence[TndsNode]) -> None:
        """Put objects that a server sent to this address where they belong (omadm §8.4)."""
        del document
        raise NotAllowed("this node takes no objects")

    def execute(self, path: str, request: ExecRequest) -> bool:
        """Start what the node stands for: True if done, False if a report will follow (202)."""
        del path, request
        raise NotAllowed("this node executes nothing")


class Handlers(Protocol):
    """Who answers for a path: the registry, which lies above this layer."""

    def handler_for(self, path: str) -> Handler:
        """Return the handler with the longest matching prefix."""
