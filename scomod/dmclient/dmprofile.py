# SPDX-License-Identifier: Apache-2.0
"""Bootstrap by a DM message: what it says of accounts and objects (omadm §9.4).

The message is read like any other, but nobody is answered and nothing is executed:
its Adds become accounts, node by node, and documents for ./Inbox.  What else stands in
it is passed over: this device has no place for it.  Nothing is written here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scomod.dmclient import codec, tnds
from scomod.dmclient.auth import decode_nonce
from scomod.dmclient.model import Add, Atomic, Meta, Replace, Sequence
from scomod.errors import BadRequest
from scomod.mo import tnds as trees
from scomod.mo import uri
from scomod.mo.account import SERVER_ID_LEAVES
from scomod.mo.dmacc import NewAccount
from scomod.mo.node import Format, Property, decode_base64
from scomod.mo.registry import INBOX_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scomod.dmclient.model import Command, Item, ItemCommand
    from scomod.mo.tnds import TndsNode
    from scomod.mo.uri import UriLimits

NONCES: Final = frozenset({"AAuthData", "ServerNonce", "ClientNonce"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of the message, of a TNDS document inside it, of the addresses in both."""

    message: codec.Limits
    tnds_bytes: int
    tnds_nodes_count: int
    tnds_depth_count: int
    uri: UriLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class DmProfile:
    """What a message holds; `passed_over` are addresses for which there is no place."""

    accounts: tuple[NewAccount, ...]
    documents: tuple[list[TndsNode], ...]
    passed_over: tuple[str, ...]


def read(document: bytes, limits: Limits) -> DmProfile:
    """Read a WBXML message.

    Raises `DecodeError` for what is none, `LimitExceeded` beyond a limit, a
    `CommandError` for an Add that nobody could carry out.
    """
    message = codec.decode(document, codec.Encoding.WBXML, limits.message)
    reader = _Reader(limits)
    for command in _flat(message.commands):
        if isinstance(command, Add | Replace):
            reader.take(command)
    return reader.found()


def _flat(commands: Iterable[Command]) -> Iterator[Command]:
    """Yield the commands with those inside containers: all or none is done anyway."""
    for command in commands:
        if isinstance(command, Atomic | Sequence):
            yield from _flat(command.commands)
        else:
            yield command


@dataclass(slots=True)
class _Account:
    """What was read of an account so far."""

    leaves: dict[str, bytes] = field(default_factory=dict, repr=False)  # secrets (I19)
    acls: dict[str, str] = field(default_factory=dict)

    def made(self, path: str) -> NewAccount:
        return NewAccount(
            root=uri.parent(path), name=uri.name(path), leaves=self.leaves, acls=self.acls
        )


class _Reader:
    """Sorts nodes into accounts."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._accounts: dict[str, _Account] = {}
        self._documents: list[list[TndsNode]] = []
        self._passed_over: list[str] = []

    def found(self) -> DmProfile:
        return DmProfile(
            accounts=tuple(each.made(path) for path, each in self._accounts.items()),
            documents=tuple(self._documents),
            passed_over=tuple(self._passed_over),
        )

    def take(self, command: ItemCommand) -> None:
        """Take in the items of one command."""
        for item in command.items:
            meta = _merged(command.meta, item.meta)
            if not item.target:
                raise BadRequest("an item without Target in a bootstrap message")
            if tnds.is_media_type(meta.type):
                self._take_document(item.target, item)
            else:
                self._take_node(item.target, meta, item)

    def _take_node(self, target: str, meta: Meta, item: Item) -> None:
        address = uri.parse(target, self._limits.uri)
        data = item.data or b""
        if address.prop == Property.ACL:
            self._set_acl(address.path, data.decode("utf-8", "replace"))
        elif address.is_plain and (meta.format != Format.NODE or data):
            self._set_value(address.path, _octets(address.path, meta.format, data))
        elif address.is_plain:
            self._account(address.path)

    def _take_document(self, target: str, item: Item) -> None:
        """Take a TNDS: one for ./Inbox as a whole, another node by node."""
        address = uri.parse(target, self._limits.uri).path
        nodes = tnds.decode(
            item.tree if item.tree is not None else item.data or b"",
            max_bytes=self._limits.tnds_bytes,
            max_nodes_count=self._limits.tnds_nodes_count,
            max_depth_count=self._limits.tnds_depth_count,
        )
        if uri.is_below(address, INBOX_ROOT):
            self._documents.append(nodes)
            return
        for path, node in trees.placed(nodes, address, is_target_meant=True):
            if node.value is not None:
                self._set_value(path, _octets(path, node.format, node.value))
            if acl := node.property(Property.ACL):
                self._set_acl(path, acl)

    def _set_value(self, path: str, value: bytes) -> None:
        account, below = self._account(path)
        if account is not None and below:
            account.leaves[below] = value

    def _set_acl(self, path: str, acl: str) -> None:
        account, below = self._account(path)
        if account is not None:
            account.acls[below] = acl

    def _account(self, path: str) -> tuple[_Account | None, str]:
        """Return the account that a node belongs to, and its path below it."""
        for root in SERVER_ID_LEAVES:
            if path.startswith(f"{root}/"):
                name, _, below = path.removeprefix(f"{root}/").partition("/")
                return self._accounts.setdefault(uri.join(root, name), _Account()), below
        if not any(uri.is_below(root, path) for root in SERVER_ID_LEAVES):
            self._passed_over.append(path)
        return None, ""


def _octets(path: str, format_: str | None, data: bytes) -> bytes:
    """Return a value as the device means it.

    Senders disagree on nonces: octets, base64 of them whatever the format says, or a text.
    """
    if uri.name(path) in NONCES:
        return decode_nonce(data.decode("ascii")) if data.isascii() else data
    return decode_base64(data) if format_ == Format.B64 else data


def _merged(outer: Meta | None, inner: Meta | None) -> Meta:
    outer, inner = outer or Meta(), inner or Meta()
    return Meta(format=inner.format or outer.format, type=inner.type or outer.type)
