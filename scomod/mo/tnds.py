# SPDX-License-Identifier: Apache-2.0
"""A serialised sub-tree (TNDS) as values: its nodes, and where a command puts them (omadm §7.8).

Pure, and without syntax: `dmclient.tnds` reads and writes the documents.  Not here
either: what exists, and who may do what with it (`subtree.py`, `listing.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from scomod.errors import BadRequest, NotSupported
from scomod.mo import uri
from scomod.mo.node import Format, Node, Property, property_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

VALUE: Final = "Value"
SELECTABLE: Final = frozenset({*(prop.value for prop in Property), VALUE})
# What a receiver can see for itself, and Size, which only a leaf has, must be asked for.
ASKED_FOR: Final = frozenset({Property.NAME.value, Property.SIZE.value})
# Begins the first segment of a node without NodeName; no name of a node contains it.
UNNAMED: Final = "?"


@dataclass(frozen=True, slots=True, kw_only=True)
class TndsNode:
    """One node of a document; what is None did not stand there, or shall not.

    `path` is relative and in normal form: "B/C", "" for an empty NodeName at the top,
    and "?0/C" where the first top node has no NodeName at all.  `value` holds octets as
    the device means them, `is_binary` tells that a syntax of text needs base64 for them;
    `properties` holds what else RTProperties did, as texts.
    """

    path: str
    is_interior: bool = False
    is_binary: bool = False
    format: Format | None = None
    type: str | None = None
    value: bytes | None = field(default=None, repr=False)  # it may be a secret (I19)
    properties: tuple[tuple[Property, str], ...] = ()

    def property(self, prop: Property) -> str | None:
        """Return the text of a property other than Format and Type."""
        return dict(self.properties).get(prop)


def selection(attribute: str) -> frozenset[str]:
    """Return what "TNDS", "TNDS+ACL+Value" or "TNDS-ACL" asks for (omadm §7.3).

    Raises `NotSupported` for another word or an unknown property, `BadRequest` where
    "+" and "-" are mixed.
    """
    word, *rest = re.split("[+-]", attribute)
    if word != "TNDS":
        raise NotSupported(f"?list={attribute} is not supported")
    if "+" in attribute and "-" in attribute:
        raise BadRequest("properties are either included or excluded")
    names = frozenset(rest)
    if not names <= SELECTABLE:
        raise NotSupported(f"no such properties: {' '.join(sorted(names - SELECTABLE))}")
    return names if "+" in attribute else SELECTABLE - ASKED_FOR - names


def described(node: Node, start: str, wanted: frozenset[str]) -> TndsNode:
    """Return a node of the tree as part of a document whose first node is `start`.

    Empty properties are left out, but for the type of an interior node, which is
    mandatory and may be empty.
    """
    texts = (
        (prop, property_value(node, prop))
        for prop in Property
        if prop in wanted and prop not in (Property.FORMAT, Property.TYPE)
        if not (prop is Property.SIZE and node.is_interior)
    )
    return TndsNode(
        path=relative(node.path, start),
        is_interior=node.is_interior,
        is_binary=node.format is Format.BIN,
        format=node.format if Property.FORMAT in wanted else None,
        type=node.type if Property.TYPE in wanted else None,
        value=node.value if VALUE in wanted else None,
        properties=tuple((prop, text) for prop, text in texts if text),
    )


def relative(path: str, start: str) -> str:
    """Return a path as a document writes it: from the parent of its first node on."""
    above = uri.parent(start)
    return path.removeprefix(f"{above}/") if above else path


def placed(
    nodes: Sequence[TndsNode], target: str, *, is_target_meant: bool
) -> list[tuple[str, TndsNode]]:
    """Return (canonical path, node) for a command on `target`, parents before children.

    Paths are relative to the target.  `is_target_meant` says that a document which
    describes one node of the target's name is about the target itself, as an answer to
    a Get is; otherwise such a node lies below.  Raises `BadRequest` for a document
    without nodes, or with one node twice.
    """
    if not nodes:
        raise BadRequest("a TNDS without nodes")
    last = uri.name(target)
    is_whole = is_target_meant and all(head(node) == last for node in nodes)
    base = uri.parent(target) if is_whole else target
    found = [(_absolute(base, target, node.path), node) for node in nodes]
    if len({path for path, _ in found}) < len(found):
        raise BadRequest("a TNDS describes a node twice")
    return sorted(found, key=lambda each: each[0].count("/")) if _is_mixed(found) else found


def head(node: TndsNode) -> str:
    """Return the first segment of a node's path."""
    return node.path.partition("/")[0]


def below(node: TndsNode) -> str:
    """Return a node's path below the first segment, "" for that itself."""
    return node.path.partition("/")[2]


def is_unnamed(node: TndsNode) -> bool:
    """Tell whether only its type says where the node belongs."""
    return node.path.startswith(UNNAMED)


def moved(nodes: Iterable[TndsNode], places: Iterable[tuple[str, str]]) -> list[TndsNode]:
    """Rewrite values that refer to other objects of the document (omadm §8.4).

    `places` gives (address below ./Inbox, final path); a value that is such an address,
    or lies below one, is changed.
    """
    known = [(old.encode(), new.encode()) for old, new in places]
    return [_rewritten(node, known) for node in nodes]


def _rewritten(node: TndsNode, places: list[tuple[bytes, bytes]]) -> TndsNode:
    value = node.value
    for old, new in places:
        if value is not None and (value == old or value.startswith(old + b"/")):
            return replace(node, value=new + value[len(old) :])
    return node


def _absolute(base: str, target: str, path: str) -> str:
    if not path:
        return target
    return f"{base}/{path}" if base else path


def _is_mixed(found: list[tuple[str, TndsNode]]) -> bool:
    """Tell whether a node stands before its parent, as Path elements allow."""
    places = {path: number for number, (path, _) in enumerate(found)}
    return any(places.get(uri.parent(path), -1) > number for number, (path, _) in enumerate(found))
