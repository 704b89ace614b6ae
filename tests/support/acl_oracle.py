# SPDX-License-Identifier: Apache-2.0
"""Who may do what, written from the text of omadm §7.4 alone; knows nothing of the product.

A tree is a dict of path ("." is the root, "./A/B" below it) and own ACL text; which paths
are leaves, `is_leaf` tells.  Existence, access types and values are no concern of an ACL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Grants = dict[str, set[str]]
ROOT_DEFAULT = "Add=*&Get=*"


def grants(text: str) -> Grants:
    """Read an ACL that is known to be one: each command with its ids, "*" overrides the others."""
    found: Grants = {}
    for entry in filter(None, text.split("&")):
        command, _, ids = entry.partition("=")
        found.setdefault(command, set()).update(filter(None, ids.split("+")))
    return {command: {"*"} if "*" in ids else ids for command, ids in found.items() if ids}


def above(path: str) -> str:
    return path.rpartition("/")[0]


class Oracle:
    """The ACLs of one tree and what becomes of them."""

    def __init__(self, acls: dict[str, str], is_leaf: Callable[[str], bool]) -> None:
        self.acls = acls
        self.is_leaf = is_leaf

    def has(self, right: str, path: str, server: str) -> bool:
        """Walk to the root; the first non-empty ACL decides alone."""
        while path and not grants(self.acls[path]):
            path = above(path)
        ids = grants(self.acls[path]).get(right, set()) if path else set()
        return "*" in ids or server in ids

    def nearest(self, path: str) -> str:
        """Return the nearest ancestor that exists."""
        path = above(path)
        return path if path in self.acls else self.nearest(path)

    def may(self, command: str, path: str, server: str, source: str = "") -> bool:
        """Decide on Get, Replace, Rename, ReplaceAcl, Add, Delete, Exec or Copy."""
        match command:
            case "Get" | "Replace" | "Delete" | "Exec":
                return self.has(command, path, server)
            case "Rename":
                return self.has("Replace", path, server)
            case "ReplaceAcl":
                by_parent = path != "." and self.has("Replace", above(path), server)
                return by_parent or (not self.is_leaf(path) and self.has("Replace", path, server))
            case "Add":
                return self.has("Add", self.nearest(path), server)
            case _:
                put = "Replace" if path in self.acls else "Add"
                return self.has("Get", source, server) and self.may(put, path, server)

    def added(self, path: str, server: str) -> None:
        """Note a new node and, before it, its missing parents: the creator's exception applies."""
        if above(path) not in self.acls:
            self.added(above(path), server)
        is_lent = self.is_leaf(path) or self.has("Replace", above(path), server)
        self.acls[path] = "" if is_lent else f"Add={server}&Delete={server}&Replace={server}"

    def removed(self, path: str) -> None:
        """Note a deleted node and all below."""
        for known in [p for p in self.acls if p == path or p.startswith(f"{path}/")]:
            del self.acls[known]

    def renamed(self, path: str, new_path: str) -> None:
        """Note a new name: ACLs go with their nodes."""
        for known in [p for p in self.acls if p == path or p.startswith(f"{path}/")]:
            self.acls[new_path + known.removeprefix(path)] = self.acls.pop(known)

    def forgotten(self, server: str) -> None:
        """Take a server out of all ACLs; on the root an emptied command gets its default."""
        for path, text in self.acls.items():
            left = {command: ids - {server} for command, ids in grants(text).items()}
            if path == ".":
                defaults = grants(ROOT_DEFAULT)
                left = {
                    command: ids or defaults.get(command, set()) for command, ids in left.items()
                }
            self.acls[path] = "&".join(f"{c}={'+'.join(sorted(i))}" for c, i in left.items() if i)
