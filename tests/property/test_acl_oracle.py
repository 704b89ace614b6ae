# SPDX-License-Identifier: Apache-2.0
"""The tree's rights against an oracle that was written from the standard (omadm §7.4)."""

import contextlib
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from scomod.errors import (
    BadFormat,
    CommandError,
    NodeExists,
    NodeNotFound,
    NotAllowed,
    PermissionDenied,
)
from scomod.mo.handler import ExecRequest
from tests.support.acl_oracle import Oracle, grants
from tests.support.trees import Bench, tree_bench

RIGHTS = ("Add", "Delete", "Exec", "Get", "Replace")
SERVERS = ("A", "B", "C")
OBJECTS = ("a", "b")
INTERIORS = ("Few", "Deep", "Deep/Deeper")
LEAVES = ("Text", "Number", "Few/1", "Deep/Deeper/Leaf", "Now")
BEGINNING = (".", "./Toy", "./Toy/a", "./Toy/a/Text", "./Toy/a/Deep", "./Toy/a/Deep/Deeper")
OTHER_REFUSALS = (NodeExists, NotAllowed, BadFormat)  # of commands that the ACL permits

servers = st.sampled_from(SERVERS)
objects = st.sampled_from([f"./Toy/{name}" for name in OBJECTS])
leaves = st.builds("{}/{}".format, objects, st.sampled_from(LEAVES))
interiors = st.one_of(objects, st.builds("{}/{}".format, objects, st.sampled_from(INTERIORS)))
places = st.one_of(st.just("./Toy"), interiors, leaves)
entries = st.tuples(
    st.sampled_from(RIGHTS), st.lists(st.sampled_from([*SERVERS, "*"]), max_size=3).map("+".join)
).map("=".join)
acls = st.lists(entries, max_size=4).map("&".join)


def is_leaf(path: str) -> bool:
    return path.split("/", 3)[-1] in LEAVES


class Duel:
    """A tree and its oracle, which must decide alike."""

    def begin(self, own: dict[str, str]) -> None:
        self.stack = ExitStack()
        directory = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.bench: Bench = self.stack.enter_context(tree_bench(Path(directory)))
        root = f"{own['.']}&Add=*".removeprefix("&")
        self.oracle = Oracle(own | {".": root}, is_leaf)
        for path, text in self.oracle.acls.items():
            self.bench.tree.put(path, acl=text)

    def end(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    def is_done(self, command: str, path: str, server: str, extra: str = "") -> bool:
        """Send a command: first existence counts, then the ACL, then everything else."""
        outcome = self.send(command, path, server, extra)
        must_be = extra if command == "Copy" else path
        if (must_be in self.oracle.acls) is (command == "Add"):
            assert outcome in (NodeNotFound, NodeExists)
        elif not self.oracle.may(command, path, server, extra):
            assert outcome is PermissionDenied
        else:
            assert outcome in (None, *OTHER_REFUSALS)
        return outcome is None

    def send(self, command: str, path: str, server: str, extra: str) -> type[CommandError] | None:
        tree = self.bench.tree
        value = (b"7" if path.endswith("Number") else b"") if is_leaf(path) else None
        try:
            with self.bench.db.savepoint():
                match command:
                    case "Get":
                        tree.get(path + extra, server)
                    case "Replace":
                        tree.replace(path + extra, server, format=None, type=None, value=value)
                    case "Rename":
                        self.set_property(f"{path}?prop=Name", server, extra)
                    case "ReplaceAcl":
                        self.set_property(f"{path}?prop=ACL", server, extra)
                    case "Add":
                        tree.add(path, server, format=None, type=None, value=value)
                    case "Delete":
                        tree.delete(path, server)
                    case "Exec":
                        tree.execute(path, ExecRequest(server_id=server))
                    case "Copy":
                        tree.copy(path, extra, server)
        except CommandError as error:
            return type(error)
        return None

    def set_property(self, uri: str, server: str, text: str) -> None:
        self.bench.tree.replace(uri, server, format=None, type=None, value=text.encode())


class RightsAgainstOracle(Duel, RuleBasedStateMachine):
    """Any servers, any ACLs, any commands: 425 exactly where the oracle says no."""

    @initialize(own=st.fixed_dictionaries(dict.fromkeys(BEGINNING, acls)))
    def open(self, own: dict[str, str]) -> None:
        self.begin(own)

    def teardown(self) -> None:
        self.end()

    @rule(path=places, server=servers, prop=st.sampled_from(["", "?prop=ACL", "?prop=Format"]))
    def get(self, path: str, server: str, prop: str) -> None:
        if self.is_done("Get", path, server, prop) and prop == "?prop=ACL":
            text = self.bench.tree.get(path + prop, server).value.decode()
            assert grants(text) == grants(self.oracle.acls[path]), "its own, never an inherited one"

    @rule(path=places, server=servers, prop=st.sampled_from(["", "?prop=Title"]))
    def replace(self, path: str, server: str, prop: str) -> None:
        self.is_done("Replace", path, server, prop)

    @rule(path=places, server=servers, name=st.sampled_from(OBJECTS))
    def rename(self, path: str, server: str, name: str) -> None:
        if self.is_done("Rename", path, server, name):
            self.oracle.renamed(path, f"./Toy/{name}")

    @rule(path=st.one_of(st.just("."), places), server=servers, text=acls)
    def replace_acl(self, path: str, server: str, text: str) -> None:
        if self.is_done("ReplaceAcl", path, server, text):
            self.oracle.acls[path] = text

    @rule(path=places, server=servers)
    def add(self, path: str, server: str) -> None:
        if self.is_done("Add", path, server):
            self.oracle.added(path, server)

    @rule(path=places, server=servers)
    def delete(self, path: str, server: str) -> None:
        if self.is_done("Delete", path, server):
            self.oracle.removed(path)

    @rule(path=places, server=servers)
    def execute(self, path: str, server: str) -> None:
        self.is_done("Exec", path, server)

    @rule(path=places, source=leaves, server=servers)
    def copy(self, path: str, source: str, server: str) -> None:
        if self.is_done("Copy", path, server, source) and path not in self.oracle.acls:
            self.oracle.added(path, server)

    @rule(server=servers)
    def forget(self, server: str) -> None:
        self.bench.tree.forget_servers(lambda known: known == server)
        self.oracle.forgotten(server)

    @rule(path=places, text=acls)
    def device_changes_an_acl(self, path: str, text: str) -> None:
        if path in self.oracle.acls:
            self.bench.tree.put(path, acl=text)
            self.oracle.acls[path] = text

    @invariant()
    def nodes_and_acls_agree(self) -> None:
        if not hasattr(self, "oracle"):
            return
        found = {path: self.bench.tree.node(path) for path in self.bench.store.descendants(".")}
        found["."] = self.bench.tree.node(".")
        own = {path: grants(node.acl) for path, node in found.items() if node is not None}
        assert own == {path: grants(text) for path, text in self.oracle.acls.items()}


RightsAgainstOracle.TestCase.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None
)
TestRightsAgainstOracle = RightsAgainstOracle.TestCase


class _Undo(Exception):  # noqa: N818 - leaves a savepoint, nothing more
    pass


# What is tried of every server on every tree: command, path, and what else it says.
EVERY = [
    *((c, p, "") for c in ("Get", "Replace", "Delete", "Exec") for p in BEGINNING[1:]),
    *(("ReplaceAcl", path, "Add=*") for path in BEGINNING),
    *(("Rename", path, "b") for path in BEGINNING[1:]),
    *(("Add", path, "") for path in ("./Toy/b", "./Toy/a/Now", "./Toy/a/Deep/Deeper/Leaf")),
    *(("Copy", path, "./Toy/a/Text") for path in ("./Toy/b/Text", "./Toy/a/Text", "./Toy/a/Now")),
]


@settings(max_examples=30, deadline=None)
@given(own=st.fixed_dictionaries(dict.fromkeys(BEGINNING, acls)))
def test_every_command_of_every_server_is_decided_as_the_oracle_does(own: dict[str, str]) -> None:
    duel = Duel()
    try:
        duel.begin(own)
        for command, path, extra in EVERY:
            for server in SERVERS:
                with contextlib.suppress(_Undo), duel.bench.db.savepoint():
                    duel.is_done(command, path, server, extra)
                    raise _Undo
    finally:
        duel.end()


# -- the oracle itself against the example in the standard --------------------------------

SELF_CHECK = {
    ".": "Add=*&Get=*",
    "./NodeA": "Get=C&Replace=C",
    "./NodeA/Node1": "Get=*",
    "./NodeB": "Get=A&Replace=A",
    "./NodeB/Node3": "Get=B&Replace=B&Delete=B",
    "./NodeB/Node3/Node4": "",
    "./NodeB/Node3/Node5": "Get=A&Replace=A&Get=B",
}
DECISIONS = [
    ("Get", "./NodeA/Node1", "ABCX"),
    ("ReplaceAcl", "./NodeA/Node1", "C"),
    ("Replace", "./NodeA/Node1", ""),
    ("Delete", "./NodeA/Node1", ""),
    ("Get", "./NodeB/Node3/Node4", "B"),
    ("Delete", "./NodeB/Node3/Node4", "B"),
    ("Replace", "./NodeB/Node3/Node5", "A"),
    ("Get", "./NodeB/Node3/Node5", "AB"),
    ("ReplaceAcl", "./NodeB/Node3/Node5", "B"),
    ("ReplaceAcl", "./NodeB/Node3", "AB"),
    ("Add", "./NodeC", "ABCX"),
    ("Add", "./NodeB/Node3/Node6", ""),
    ("ReplaceAcl", ".", ""),
]


@pytest.mark.spec("DM-TND 8.3.7.1.6")
@pytest.mark.parametrize(("command", "path", "allowed"), DECISIONS)
def test_oracle_decides_as_the_example_of_the_standard(
    command: str, path: str, allowed: str
) -> None:
    oracle = Oracle(dict(SELF_CHECK), lambda p: p.rpartition("/")[2] in ("Node1", "Node4", "Node5"))
    assert "".join(server for server in "ABCX" if oracle.may(command, path, server)) == allowed
