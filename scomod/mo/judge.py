# SPDX-License-Identifier: Apache-2.0
"""May a server's command be done at a place: ACL, access type, format (omadm §7.4 to §7.6).

Reads nodes and rules, changes nothing.  The order in which a command asks these
questions is the tree's: existence, ACL, access type, parameters.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from scomod.errors import (
    BadFormat,
    DeviceFull,
    NodeNotFound,
    NotAllowed,
    PermissionDenied,
    TooLarge,
)
from scomod.mo import acl, uri
from scomod.mo.ddf import AccessType
from scomod.mo.node import Blob, Format, Node, check_value, decode_base64, is_long

if TYPE_CHECKING:
    from scomod.mo.acl import Acl, Right
    from scomod.mo.ddf import Ddf, Rule
    from scomod.mo.handler import Handlers
    from scomod.mo.store import NodeStore

BINARY_TYPE: Final = "application/octet-stream"  # of a binary leaf that nobody gave a type


class Judge:
    """Answers by raising the `CommandError` that says why not."""

    def __init__(self, store: NodeStore, ddf: Ddf, handlers: Handlers) -> None:
        self._store = store
        self._ddf = ddf
        self._handlers = handlers

    def existing(self, path: str) -> Node:
        """Return the node; raises `NodeNotFound`."""
        node = self._store.get(path)
        if node is None:
            raise NodeNotFound(f"no node {path}")
        return node

    def nearest(self, path: str) -> Node:
        """Return the nearest ancestor that exists."""
        while path := uri.parent(path):
            node = self._store.get(path)
            if node is not None:
                return node
        raise NodeNotFound("the tree has no root")

    def allows(self, right: Right, path: str, server_id: str) -> bool:
        """Tell whether the effective ACL of a node grants a right."""
        return self.grants(acl.effective(self._store.acl_chain(path)), right, path, server_id)

    def grants(self, known: Acl, right: Right, path: str, server_id: str) -> bool:
        """Tell whether the ACL in force at a node grants a right, also through another server."""
        if known.allows(right, server_id):
            return True
        others = self._handlers.handler_for(path).stands_for(server_id)
        return any(known.allows(right, other) for other in others)

    def readable_children(self, path: str, server_id: str) -> list[str]:
        """Return the names below a node that a server may Get, by ACL."""
        inherited = acl.effective(self._store.acl_chain(path))
        judged: dict[str, bool] = {}  # most have the same few ACLs
        names = []
        for name, own in self._store.children_acls(path):
            if own not in judged:
                known = acl.Acl.parse(own) if own else inherited
                judged[own] = self.grants(known, acl.Right.GET, path, server_id)
            if judged[own]:
                names.append(name)
        return names

    def require(self, right: Right, path: str, server_id: str) -> None:
        """Raise `PermissionDenied` unless the effective ACL grants the right."""
        if not self.allows(right, path, server_id):
            raise PermissionDenied(f"{server_id} has no {right} right on {path}")

    def require_access(self, access: AccessType, path: str) -> None:
        """Raise `NotAllowed` unless the DDF lists the command for this place."""
        if access not in self.rule(path).access:
            raise NotAllowed(f"{path} takes no {access}")

    def require_dynamic(self, path: str) -> None:
        """Raise `NotAllowed` for a permanent node, or one that holds a permanent node."""
        for each in (path, *self._store.descendants(path)):
            rule = self._ddf.rule_for(each)
            if rule is not None and rule.is_permanent:
                raise NotAllowed(f"{each} is permanent")

    def require_addable(self, path: str) -> None:
        """Raise `NotAllowed` or `DeviceFull` if a server cannot make a node here."""
        self.require_access(AccessType.ADD, path)
        rule = self.rule(path)
        if rule.is_permanent:
            raise NotAllowed(f"{path} is permanent")
        if rule.max_count and self._store.count_children(uri.parent(path)) >= rule.max_count:
            raise DeviceFull(f"{uri.parent(path)} holds {rule.max_count} nodes already")

    def rule(self, path: str) -> Rule:
        """Return what the DDF says of a place; raises `NotAllowed` where no node can be."""
        rule = self._ddf.rule_for(path)
        if rule is None:
            raise NotAllowed(f"no node can be at {path}")
        return rule

    def is_same_place(self, path: str, other: str) -> bool:
        """Tell whether one rule of the DDF describes both: names may differ at a `<x>`."""
        return self._ddf.rule_for(path) is self._ddf.rule_for(other)

    def is_base64(self, path: str, format_: str | None) -> bool:
        """Tell whether a value for this place comes as base64 text that is not the value itself."""
        return self.rule(path).format is Format.BIN and format_ == Format.B64

    def require_length(self, path: str, size_bytes: int) -> None:
        """Raise `TooLarge` for a length that only files have, where the value is no file."""
        if is_long(size_bytes) and self.rule(path).format is not Format.BIN:
            raise TooLarge(f"{path} takes no {size_bytes} octets")

    def described(
        self, path: str, format_: str | None, type_: str | None, value: bytes | Blob | None
    ) -> Node:
        """Return the node that format, type and value of a command describe.

        What is None comes from the DDF; base64 text for a `bin` node is decoded, that of
        a blob was decoded on its way in.  Raises `BadFormat` for what the place does not
        take, `TooLarge` for a text that is none any more.
        """
        rule = self.rule(path)
        if isinstance(value, Blob):
            self.require_length(path, value.size_bytes)
            node = self.described(path, format_, type_, b"")
            return dataclasses.replace(node, value=None, blob=value)
        if rule.format is Format.NODE:
            if format_ not in (None, Format.NODE) or value:
                raise BadFormat(f"{path} is an interior node")
            return Node(path=path, format=rule.format, type=rule.type)
        octets = value or b""
        if rule.format is Format.BIN and format_ == Format.B64:
            octets = decode_base64(octets)
        elif format_ not in (None, rule.format):
            raise BadFormat(f"{path} has format {rule.format}, not {format_}")
        self.require_length(path, len(octets))
        check_value(rule.format, octets)
        return Node(path=path, format=rule.format, type=_leaf_type(rule, type_), value=octets)


def _leaf_type(rule: Rule, given: str | None) -> str:
    """Return the type of a leaf; parameters such as a charset do not make a difference."""
    if not rule.type:
        return given or BINARY_TYPE
    if given and given.partition(";")[0].strip().lower() != rule.type:
        raise BadFormat(f"type {rule.type} expected, not {given}")
    return rule.type
