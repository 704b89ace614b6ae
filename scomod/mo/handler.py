"""What a management object is to the tree.

The tree stores; a handler computes a leaf, guards a change, reacts to a new
node, or executes.  Handlers see no principal: ACL and access types are the
tree's business (I11).  They are plain functions: Exec never works, it enqueues
(I4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scomod.errors import NotAllowed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scomod.mo.tnds import TndsNode


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecRequest:
    """What an Exec carried; `server_id` says whom to report to, nothing else."""

    server_id: str
    correlator: str | None = None
    data: bytes = b""


class Handler:
    """Base of all handlers: everything allowed, nothing executed."""

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
