# SPDX-License-Identifier: Apache-2.0
"""SyncML DM messages as frozen values, without syntax (omadm §2).

Field names follow the elements of the standard.  Numbers that a peer may send
freely (status and alert codes) stay plain integers; `codes` names those we know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from scomod.dmclient.element import Element


class Body(Protocol):
    """The octets of a value that is not in memory: read piece by piece when it is sent."""

    @property
    def size_bytes(self) -> int:
        """How many octets there are."""

    def read(self, offset: int, count: int) -> bytes:
        """Return the octets from `offset`, at most `count`; fewer only at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """Meta of a header, command or item; `next_nonce` is the text as carried (base64)."""

    format: str | None = None
    type: str | None = None
    mark: str | None = None
    size: int | None = None
    next_nonce: str | None = None
    max_msg_size: int | None = None
    max_obj_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cred:
    """Credentials in a header: `data` is the text as carried (base64)."""

    type: str
    data: str
    format: str | None = "b64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of a command; `data` is what stood in the message, octets as carried.

    `tree` holds an element instead when Data contained markup (inline TNDS).  `body` only
    stands in items that wait to be sent: `outgoing` cuts it into items with `data`.
    """

    target: str | None = None
    source: str | None = None
    meta: Meta | None = None
    data: bytes | None = None
    tree: Element | None = None
    body: Body | None = None
    more_data: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncHdr:
    """The header of a message; MsgID and SessionID are texts, as some peers send no numbers."""

    ver_dtd: str = "1.2"
    ver_proto: str = "DM/1.2"
    session_id: str
    msg_id: str
    target: str
    source: str
    source_name: str | None = None
    target_name: str | None = None
    resp_uri: str | None = None
    cred: Cred | None = None
    meta: Meta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What all commands share; an absent CmdID arrives as "" (answered with 400)."""

    cmd_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Command):
    """Answer to one command; `cmd` is the name of the answered element."""

    msg_ref: str
    cmd_ref: str
    cmd: str
    code: int
    target_refs: tuple[str, ...] = ()
    source_refs: tuple[str, ...] = ()
    chal: Meta | None = None
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Results(Command):
    """Values that a Get asked for."""

    msg_ref: str
    cmd_ref: str
    meta: Meta | None = None
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert(Command):
    """Client, server and generic alerts; `code` 0 means that Data was absent."""

    code: int
    correlator: str | None = None
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemCommand(Command):
    """A command on items, with a Meta that applies to all of them (omadm §2.4)."""

    meta: Meta | None = None
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Get(ItemCommand):
    """Read nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(ItemCommand):
    """Create nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace(ItemCommand):
    """Change nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(ItemCommand):
    """Delete nodes with all below them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(ItemCommand):
    """Copy leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec(ItemCommand):
    """Start what a node stands for; the correlator comes back in the alert."""

    correlator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Atomic(Command):
    """All or nothing."""

    commands: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence(Command):
    """In this order."""

    commands: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown(Command):
    """A command element we do not know; answered with 501 (omadm §2.3)."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One SyncML message."""

    header: SyncHdr
    commands: tuple[Command, ...] = ()
    final: bool = True


def name_of(command: Command) -> str:
    """Return the element name of a command, as Status/Cmd wants it."""
    return command.name if isinstance(command, Unknown) else type(command).__name__
