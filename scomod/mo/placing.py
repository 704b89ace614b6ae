# SPDX-License-Identifier: Apache-2.0
"""Puts management objects that came as documents where they belong (omadm §8.4).

Each object of a document goes where its identifier belongs, and values that refer to
another object of the same document follow it there.  Not here: who may send objects,
which is the ACL of ./Inbox (`inbox`); bootstrap places them without anybody's right.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scomod.codes import MO_DMACC, MO_W7
from scomod.errors import NodeExists, NotAllowed
from scomod.mo import dmacc, uri
from scomod.mo.account import paths_of
from scomod.mo.dmacc import NewAccount
from scomod.mo.node import Format, Property, decode_base64
from scomod.mo.registry import DMACC_ROOT, INBOX_ROOT
from scomod.mo.tnds import UNNAMED, below, head, is_unnamed, moved

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scomod.mo.tnds import TndsNode
    from scomod.mo.tree import Tree

INBOX_NAME: Final = uri.name(INBOX_ROOT)  # some senders write paths from the root on


def place_new(tree: Tree, document: Sequence[TndsNode]) -> list[str]:
    """Put the objects of a server where they belong; one that is there already is an error."""
    return _place(tree, _objects(document), may_replace=False)


def place(tree: Tree, document: Sequence[TndsNode]) -> list[str]:
    """Put the objects of a bootstrap document where they belong; returns their paths.

    Without a right of anybody, so only for documents that are trusted already.  Objects
    that this device has no place for are passed over, those that are there are replaced.
    Needs a transaction of the caller, who rolls back on an error.  Raises `CommandError`s
    as `dmacc.put_account` does.
    """
    known = {key: nodes for key, nodes in _objects(document).items() if _kind(nodes) in PLACES}
    return _place(tree, known, may_replace=True)


def servers_of(document: Sequence[TndsNode]) -> list[str]:
    """Return whose accounts `place` would make of a document."""
    return [_server_id(n) for n in _objects(document).values() if _kind(n) == MO_DMACC]


def _objects(document: Sequence[TndsNode]) -> dict[str, list[TndsNode]]:
    """Sort the nodes by the object they belong to, which is their first segment.

    An empty name at the top leaves none to tell by: all belong to that one object.
    """
    if any(not node.path for node in document):
        whole = [replace(node, path=f"{UNNAMED}/{node.path}".rstrip("/")) for node in document]
        return {UNNAMED: whole}
    objects: dict[str, list[TndsNode]] = {}
    for node in document:
        is_absolute = head(node) == INBOX_NAME and below(node)
        found = replace(node, path=below(node)) if is_absolute else node
        objects.setdefault(head(found), []).append(found)
    return objects


def _place(tree: Tree, objects: Mapping[str, list[TndsNode]], *, may_replace: bool) -> list[str]:
    """Place all, then turn references among them to where they are now."""
    places: dict[str, str] = {}
    for key, nodes in objects.items():
        put = PLACES.get(_kind(nodes))
        if put is None:
            raise NotAllowed(f"no place for an object {_kind(nodes)!r}")
        places[key] = put(tree, nodes, may_replace)
    addresses = [(uri.join(INBOX_ROOT, key), path) for key, path in places.items()]
    for key, nodes in objects.items():
        for old, new in zip(nodes, moved(nodes, addresses), strict=True):
            if new != old:
                tree.put(uri.join(places[key], below(new)), value=new.value)
    return list(places.values())


def _kind(nodes: Sequence[TndsNode]) -> str:
    """Return the identifier of an object: the type of its first node (omadm §7.7)."""
    kind = next((node.type for node in nodes if not below(node)), None) or ""
    return SYNONYMS.get(kind, kind)


def _place_account(tree: Tree, nodes: Sequence[TndsNode], may_replace: bool) -> str:
    top = nodes[0]
    leaves = {below(node): _octets(node) for node in nodes if node.value is not None}
    acls = {below(node): node.property(Property.ACL) or "" for node in nodes}
    server_id = _server_id(nodes)
    if not may_replace and paths_of(tree, server_id):
        raise NodeExists(f"there is an account of {server_id!r}")
    name = server_id if is_unnamed(top) else head(top)
    given = {path: acl for path, acl in acls.items() if acl}
    dmacc.put_account(tree, NewAccount(root=DMACC_ROOT, name=name, leaves=leaves, acls=given))
    return paths_of(tree, server_id)[0]


def _server_id(nodes: Sequence[TndsNode]) -> str:
    leaves = [node for node in nodes if below(node) == "ServerID" and node.value is not None]
    return _octets(leaves[-1]).decode("utf-8", "replace") if leaves else ""


def _octets(node: TndsNode) -> bytes:
    value = node.value or b""
    return decode_base64(value) if node.format is Format.B64 else value


SYNONYMS: Final[Mapping[str, str]] = {MO_W7: MO_DMACC}
PLACES: Final[Mapping[str, Callable[[Tree, Sequence[TndsNode], bool], str]]] = {
    MO_DMACC: _place_account
}
