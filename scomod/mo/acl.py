# SPDX-License-Identifier: Apache-2.0
"""Access control lists: who may do what (omadm §7.4).

Pure: texts in, decisions out.  Which node's right a command needs, and the walk up
the tree, is the tree's business.  The standard has two surprises that live there
too: the ACL of a leaf is changed by a right on its parent only, and the creator of
an interior node below a parent it cannot Replace receives an ACL of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from scomod.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EVERYONE: Final = "*"
FORBIDDEN_IN_ID: Final = frozenset("=&*+")


class Right(StrEnum):
    """Commands an ACL can grant; Copy is judged by the others."""

    ADD = "Add"
    DELETE = "Delete"
    EXEC = "Exec"
    GET = "Get"
    REPLACE = "Replace"


RIGHT_NAMES: Final = frozenset(right.value for right in Right)


@dataclass(frozen=True, slots=True)
class Acl:
    """A parsed ACL: for each right the ids in the order given, or only "*"."""

    entries: Mapping[Right, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an ACL; raises `BadRequest` on a syntax error.

        Entries of one command are merged, an entry without ids is dropped, and "*"
        swallows the ids beside it.
        """
        entries: dict[Right, tuple[str, ...]] = {}
        for entry in text.split("&") if text else ():
            right, ids = _entry(entry)
            entries[right] = _merged(entries.get(right, ()), ids)
        return cls({right: ids for right, ids in entries.items() if ids})

    @classmethod
    def granting(cls, server_id: str, *rights: Right) -> Self:
        """Return an ACL that gives these rights to one server."""
        return cls(dict.fromkeys(rights, (server_id,)))

    def __str__(self) -> str:
        return "&".join(f"{right}={'+'.join(ids)}" for right, ids in self.entries.items())

    def allows(self, right: Right, server_id: str) -> bool:
        """Decide; a right that is not mentioned belongs to nobody."""
        ids = self.entries.get(right, ())
        return EVERYONE in ids or server_id in ids

    def joined(self, other: Self) -> Self:
        """Return the ACL that grants what either grants."""
        entries = dict(self.entries)
        for right, ids in other.entries.items():
            entries[right] = _merged(entries.get(right, ()), ids)
        return type(self)(entries)

    def without(self, server_id: str) -> Self:
        """Return the ACL after that server has gone; emptied entries disappear."""
        kept = {
            right: tuple(known for known in ids if known != server_id)
            for right, ids in self.entries.items()
        }
        return type(self)({right: ids for right, ids in kept.items() if ids})

    def server_ids(self) -> set[str]:
        """Return the servers mentioned by name."""
        return {known for ids in self.entries.values() for known in ids} - {EVERYONE}


ROOT_ACL: Final = "Add=*&Get=*"


def effective(own_acls: Iterable[str]) -> Acl:
    """Return the ACL that counts: the first non-empty of node, parent, … root, unmerged."""
    return Acl.parse(next((text for text in own_acls if text), ROOT_ACL))


def for_creator(server_id: str) -> Acl:
    """Return the ACL of a new interior node whose creator may not Replace its parent."""
    return Acl.granting(server_id, Right.ADD, Right.DELETE, Right.REPLACE)


def root_without(acl: Acl, server_id: str) -> Acl:
    """Remove a server from the root's ACL: a right that ends there falls back to the default.

    The standard would also allow "*"; we do not open a right because its owner left.
    """
    default = Acl.parse(ROOT_ACL).entries
    rest = acl.without(server_id).entries
    emptied = {right: default[right] for right in acl.entries if right in default}
    return Acl({**emptied, **rest})


def _entry(text: str) -> tuple[Right, tuple[str, ...]]:
    command, equals, id_list = text.partition("=")
    if not equals or command not in RIGHT_NAMES:
        raise BadRequest(f"not an ACL entry: {text!r}")
    ids = tuple(id_list.split("+")) if id_list else ()
    for known in ids:
        if known != EVERYONE and not is_server_id(known):
            raise BadRequest(f"not a server id in an ACL: {known!r}")
    return Right(command), ids


def is_server_id(text: str) -> bool:
    """Tell whether an ACL can name this server."""
    return bool(text) and not any(
        char in FORBIDDEN_IN_ID or char.isspace() or not char.isprintable() for char in text
    )


def _merged(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    both = tuple(dict.fromkeys(first + second))
    return (EVERYONE,) if EVERYONE in both else both
