# SPDX-License-Identifier: Apache-2.0
"""Trees to test with: a real database below a real directory, a clock that is moved by hand."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scomod.db import Database
from scomod.errors import Forbidden
from scomod.mo.blob import BlobStore
from scomod.mo.ddf import parse
from scomod.mo.handler import ExecRequest, Handler
from scomod.mo.registry import Registry, load_ddf
from scomod.mo.store import NodeStore
from scomod.mo.tree import Tree
from scomod.mo.uri import UriLimits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.mo.ddf import Ddf

LIMITS = UriLimits()
MONDAY_S = 1_700_000_000


class HandClock:
    """A clock that only the test moves."""

    def __init__(self, now_s: float = MONDAY_S) -> None:
        self.now_s = now_s

    def wall_s(self) -> float:
        return self.now_s

    def monotonic_s(self) -> float:
        return self.now_s


class ToyObject(Handler):
    """A management object with behaviour: it refuses "evil", is busy on demand, counts Execs."""

    def __init__(self) -> None:
        self.tree: Tree | None = None
        self.computed: dict[str, bytes] = {}
        self.busy: set[str] = set()
        self.children_of_new: dict[str, str] = {}
        self.seen: list[tuple[str, ...]] = []
        self.requests: list[ExecRequest] = []

    def compute(self, path: str) -> bytes | None:
        return self.computed.get(path)

    def guard_value(self, path: str, value: bytes) -> None:
        if value == b"evil":
            raise Forbidden(path)

    def guard_delete(self, path: str) -> None:
        if path in self.busy:
            raise Forbidden(path)

    def added(self, path: str, server_id: str) -> None:
        self.seen.append(("added", path, server_id))
        if path in self.children_of_new and self.tree is not None:
            self.tree.put(self.children_of_new[path], value="made")

    def deleted(self, path: str) -> None:
        self.seen.append(("deleted", path))

    def execute(self, path: str, request: ExecRequest) -> bool:
        self.requests.append(request)
        return path.endswith("Now")


ALL = "<Add/><Copy/><Delete/><Exec/><Get/><Replace/>"


def place(
    name: str,
    *inner: str,
    access: str = ALL,
    form: str = "chr",
    mime: str = "text/plain",
    occurrence: str = "<One/>",
    scope: str = "Dynamic",
) -> str:
    """Write one node of a DDF; with inner nodes it is an interior one."""
    form = "node" if inner else form
    kind = "<DDFName/>" if form == "node" else f"<MIME>{mime}</MIME>"
    return (
        f"<Node><NodeName>{name}</NodeName><DFProperties><AccessType>{access}</AccessType>"
        f"<DFFormat><{form}/></DFFormat><Occurrence>{occurrence}</Occurrence>"
        f"<Scope><{scope}/></Scope><DFType>{kind}</DFType></DFProperties>{''.join(inner)}</Node>"
    )


def document(*nodes: str) -> bytes:
    """Wrap nodes into a DDF document."""
    return f"<MgmtTree><VerDTD>1.2</VerDTD>{''.join(nodes)}</MgmtTree>".encode()


TOY = document(
    place(
        "Toy",
        place(
            "",
            place("Text"),
            place("Number", form="int"),
            place("Blob", form="bin", mime=""),
            place("Secret", access="<Add/><Replace/>"),
            place("Shown", access="<Get/>"),
            place("Now", form="null"),
            place("Later", form="null"),
            place("Deep", place("Deeper", place("Leaf")), occurrence="<ZeroOrOne/>"),
            place("Few", place("", occurrence="<ZeroOrN>2</ZeroOrN>")),
            occurrence="<ZeroOrMore/>",
        ),
        place("Holder", place("Fixed", scope="Permanent"), place("Leaf")),
        place("Fixed", scope="Permanent"),
        scope="Permanent",
    )
)


@dataclass(slots=True)
class Bench:
    """A tree with everything around it."""

    db: Database
    tree: Tree
    store: NodeStore
    registry: Registry
    toy: ToyObject
    clock: HandClock = field(default_factory=HandClock)


@contextlib.contextmanager
def tree_bench(directory: Path, limits: UriLimits = LIMITS) -> Iterator[Bench]:
    """Open a tree with the standard objects' rules and a toy object, inside a transaction.

    The root has the default ACL; ./Toy is open to the server "A" only.
    """
    ddf: Ddf = load_ddf("./SCOMO").mount("./Toy", parse(TOY))
    db = Database.open(directory / "state" / "scomod.db")
    try:
        store = NodeStore(db, BlobStore(directory / "state/values", reserve_bytes=0))
        registry = Registry()
        toy = ToyObject()
        registry.register("./Toy", toy)
        clock = HandClock()
        tree = Tree(store, ddf, registry, limits, clock)
        toy.tree = tree
        with db.transaction():
            tree.put("./Toy", acl="Add=A&Delete=A&Exec=A&Get=A&Replace=A")
            yield Bench(db=db, tree=tree, store=store, registry=registry, toy=toy, clock=clock)
    finally:
        db.close()
