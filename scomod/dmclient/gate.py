# SPDX-License-Identifier: Apache-2.0
"""What comes before a server reads the inventory: a look at the device, and somebody's yes.

Knows which commands read there, by whatever way, and whether this session may (ADC-1,
USA-1).  Who looks and who is asked is the caller's business: the executor yields a
`Glance` and is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.dmclient.model import Copy, Get
from scomod.errors import CommandError, Forbidden

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scomod.dmclient.model import Command, Item
    from scomod.mo.tree import Tree

INVENTORY: Final = "Inventory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """The inventory is about to be read; `is_first` in this session, so that policy decides."""

    is_first: bool


class Gate:
    """The gate before the inventory for one server, one session long."""

    def __init__(self, tree: Tree, *, server_id: str, scomo_root: str) -> None:
        self._tree = tree
        self._server_id = server_id
        self._place = f"{scomo_root}/{INVENTORY}"
        self._may_read: bool | None = None
        self._seen_msg_ref: str | None = None

    def glance(self, msg_ref: str, command: Command) -> Glance | None:
        """Return what has to come before a command; None for nothing.

        Once in a message: what its commands read is then of one moment.
        """
        if self._may_read is False or msg_ref == self._seen_msg_ref:
            return None
        if not any(self._is_shown_by(uri) for uri in _read_by(command)):
            return None
        self._seen_msg_ref = msg_ref
        return Glance(is_first=self._may_read is None)

    def answered(self, *, may_read: bool) -> None:
        """Take what came of a glance; it holds for the rest of the session."""
        self._may_read = may_read

    def check(self, uri: str) -> None:
        """Raise `Forbidden` for a URI that this session must not read."""
        if self._may_read is not True and self._is_shown_by(uri):
            raise Forbidden("the inventory is not shown to this server now")

    def _is_shown_by(self, uri: str) -> bool:
        try:
            return self._tree.shows_below(uri, self._server_id, self._place)
        except CommandError:
            return False  # no URI at all; whoever reads it says so


def _read_by(command: Command) -> Iterator[str]:
    """Yield the URIs that a command reads."""
    if isinstance(command, Get):
        yield from (item.target for item in command.items if item.target)
    elif isinstance(command, Copy):
        yield from (source_of(item) for item in command.items)


def source_of(item: Item) -> str:
    """Return the URI that an item of a Copy is to be read from (omadm §2.4)."""
    return item.source or (item.data or b"").decode("utf-8", "replace")
