# SPDX-License-Identifier: Apache-2.0
"""What the bench has read of a device, put together as a tree; what of it is software.

The tree is made of the answers to all orders, oldest first: a listing says which children
there are, a deletion takes them away, what was written is unknown until it is read again.
Nothing here asks a device, and nothing is believed but as text of limited size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from scomod.codes import (
    ComponentState,
    DeliveredStatus,
    DeployedStatus,
    DmStatus,
    DownloadStatus,
    PackageState,
    is_success,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from enum import IntEnum

    from scomod.lab.devices import Account, Record

MAX_DEPTH: Final = 32
MAX_NODES_COUNT: Final = 20000
VALUE_CHARACTERS: Final = 2000
ROOT: Final = "."
BRANCHES: Final[Mapping[str, tuple[str, ...]]] = {
    "deployed": ("Inventory", "Deployed"),
    "delivered": ("Inventory", "Delivered"),
    "download": ("Download",),
}
WORDS: Final[Mapping[tuple[str, str], type[IntEnum]]] = {
    ("deployed", "State"): ComponentState,
    ("deployed", "Status"): DeployedStatus,
    ("delivered", "State"): PackageState,
    ("delivered", "Status"): DeliveredStatus,
    ("download", "Status"): DownloadStatus,
}


@dataclass(slots=True, kw_only=True)
class Node:
    """A node as far as it is known: `value` None was never read, `code` is of its last Get."""

    value: str | None = None
    is_interior: bool = False
    code: int = 0
    order: int = 0
    children: dict[str, Node] = field(default_factory=dict)

    def at(self, *names: str) -> Node | None:
        """Return a node below this one, None if none is known."""
        found: Node | None = self
        for name in names:
            found = found.children.get(name) if found else None
        return found


class Tree:
    """All that is known; `root` is `.`."""

    def __init__(self) -> None:
        self.root = Node(is_interior=True)
        self._count = 0

    def take(self, order: int, step: Record) -> None:
        """Take one command of an order and what came back."""
        uri, code = step["uri"], step["code"]
        if step["command"] == "Get":
            self._read(order, step)
        elif step["command"] == "Delete" and (is_success(code) or code == DmStatus.NOT_FOUND):
            self._drop(uri)
        elif step["command"] in ("Add", "Replace") and is_success(code):
            node = self._grow(uri)
            if node is not None:
                node.value, node.code, node.order = None, 0, order

    def _read(self, order: int, step: Record) -> None:
        interior = step.get("interior", ())
        for uri, value in step["values"].items():
            node = self._grow(uri)
            if node is not None:
                node.value, node.code, node.order = value, step["code"], order
                node.is_interior = uri in interior
                names = [name for name in value.split("/") if name] if node.is_interior else []
                self._list(node, names)
        if step["code"] == DmStatus.NOT_FOUND:
            self._drop(step["uri"])
        elif step["code"] and not is_success(step["code"]):
            node = self._grow(step["uri"])
            if node is not None:
                node.code, node.order = step["code"], order

    def _list(self, node: Node, names: list[str]) -> None:
        """Have exactly these children."""
        wanted = set(names)
        kept = {name: child for name, child in node.children.items() if name in wanted}
        self._count -= sum(
            _size(child) for name, child in node.children.items() if name not in wanted
        )
        room = max(MAX_NODES_COUNT - self._count, 0)
        added = [name for name in names if name not in kept][:room]
        self._count += len(added)
        known = kept | {name: Node() for name in added}
        node.children = {name: known[name] for name in names if name in known}

    def _grow(self, uri: str) -> Node | None:
        """Return the node of a URI, with those above it; None for one that is none."""
        names = _names(uri)
        node: Node | None = self.root
        for name in names or ():
            if node is None or (name not in node.children and self._count >= MAX_NODES_COUNT):
                return None
            node.is_interior = True
            if name not in node.children:
                self._count += 1
                node.children[name] = Node()
            node = node.children[name]
        return node if names is not None else None

    def _drop(self, uri: str) -> None:
        names = _names(uri)
        above = self.root.at(*names[:-1]) if names else None
        dropped = above.children.pop(names[-1], None) if above and names else None
        if dropped is not None:
            self._count -= _size(dropped)


def tree_of(account: Account) -> Tree:
    """Put together what a device answered so far."""
    tree = Tree()
    for order in account.orders:
        for step in order.steps:
            tree.take(order.id, step)
    return tree


def as_rows(node: Node, uri: str = ROOT) -> Iterator[dict[str, Any]]:
    """Yield a node and all below it, flat: a parent stands before its children."""
    value = node.value
    yield {
        "uri": uri,
        "value": value[:VALUE_CHARACTERS] if value is not None else None,
        "length": len(value or ""),
        "is_interior": node.is_interior or bool(node.children),
        "code": node.code,
        "order": node.order,
    }
    for name, child in node.children.items():
        yield from as_rows(child, f"{uri}/{name}")


def inventory(tree: Tree) -> list[dict[str, Any]]:
    """Return the software of every SCOMO object that is known, wherever it hangs."""
    return [
        {"root": uri, **{branch: list(_entries(node, uri, branch)) for branch in BRANCHES}}
        for uri, node in _walk(tree.root, ROOT)
        if node.at("Inventory", "Deployed") or node.at("Inventory", "Delivered")
    ]


def _entries(root: Node, uri: str, branch: str) -> Iterator[dict[str, Any]]:
    above = root.at(*BRANCHES[branch])
    for name, node in above.children.items() if above else ():
        leaves = {
            leaf: child.value[:VALUE_CHARACTERS]
            for leaf, child in node.children.items()
            if child.value is not None and not child.is_interior
        }
        yield {
            "uri": "/".join((uri, *BRANCHES[branch], name)),
            "leaves": leaves,
            "words": {leaf: _word(branch, leaf, value) for leaf, value in leaves.items()},
            "extensions": _extensions(node),
        }


def _extensions(node: Node) -> list[str]:
    """Return a vendor's own operations; only those that were seen."""
    found = node.at("Operations", "Ext")
    return list(found.children) if found else []


def _word(branch: str, leaf: str, value: str) -> str:
    """Return what a number means, "" if it has no meaning."""
    meanings = WORDS.get((branch, leaf))
    if meanings is None or not value.isdecimal() or int(value) not in list(meanings):
        return ""
    return meanings(int(value)).name.lower().replace("_", " ")


def _walk(node: Node, uri: str) -> Iterator[tuple[str, Node]]:
    yield uri, node
    for name, child in node.children.items():
        yield from _walk(child, f"{uri}/{name}")


def _size(node: Node) -> int:
    return 1 + sum(map(_size, node.children.values()))


def _names(uri: str) -> list[str] | None:
    """Return the names below the root; None for what is no plain URI, or too deep."""
    first, *names = uri.rstrip("/").split("/")
    if first != ROOT or "?" in uri or len(names) > MAX_DEPTH:
        return None
    return names
