"""What a management object is to the tree.

The tree stores; a handler computes a leaf, guards a change, reacts to a new
node, or executes.  Handlers see no principal: ACL and access types are the
tree's business (I11).  They are plain functions: Exec never works, it enqueues
(I4).
"""

from __future__ import annotations

from dataclasses import dataclass

from scomod.errors import NotAllowed


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

    def guard_value(self, path: str, value: bytes) -> None:
        """Raise a `CommandError` if a server must not write this value here."""
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

    def execute(self, path: str, request: ExecRequest) -> bool:
        """Start what the node stands for: True if done, False if a report will follow (202)."""
        del path, request
        raise NotAllowed("this node executes nothing")
