# SPDX-License-Identifier: Apache-2.0
"""The tree against a plain dict of path and value: any sequence of commands agrees."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from scomod.errors import CommandError, NodeExists, NodeNotFound, NotAllowed
from scomod.mo import uri
from tests.support.trees import Bench, tree_bench

ITEMS = ("a", "aa", "a.b", "a-b", "a0", "%2B%20")
LEAVES = ("Text", "Few/1", "Few/1x", "Deep/Deeper/Leaf")
FIXED = {".": None, "./Toy": None}

items = st.sampled_from(ITEMS)
leaves = st.sampled_from(LEAVES)
places = st.one_of(
    st.builds("./Toy/{}".format, items),
    st.builds("./Toy/{}/{}".format, items, leaves),
    st.builds("./Toy/{}/{}".format, items, st.sampled_from(("Few", "Deep", "Deep/Deeper"))),
)
values = st.text("abc", max_size=3)


def is_leaf(path: str) -> bool:
    return path.split("/", 3)[-1] in LEAVES


def canonical(path: str) -> str:
    return path.replace("%2B", "+")


class TreeAgainstDict(RuleBasedStateMachine):
    """`model` maps canonical paths to values, None for interior nodes."""

    @initialize()
    def open(self) -> None:
        self.stack = ExitStack()
        directory = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.bench: Bench = self.stack.enter_context(tree_bench(Path(directory)))
        self.model: dict[str, str | None] = dict(FIXED)

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    def attempt(self, command: str, path: str, **extra: object) -> type[CommandError] | None:
        try:
            getattr(self.bench.tree, command)(path, "A", **extra)
        except CommandError as error:
            return type(error)
        return None

    def subtree(self, path: str) -> list[str]:
        return [known for known in self.model if uri.is_below(known, path)]

    @rule(path=places, value=values)
    def add(self, path: str, value: str) -> None:
        octets = value.encode() if is_leaf(path) else None
        got = self.attempt("add", path, format=None, type=None, value=octets)
        path = canonical(path)
        assert got is (NodeExists if path in self.model else None)
        if got is None:
            above = path
            while above := uri.parent(above):
                self.model.setdefault(above, None)
            self.model[path] = value if is_leaf(path) else None

    @rule(path=places, value=values)
    def change(self, path: str, value: str) -> None:
        got = self.attempt("replace", path, format=None, type=None, value=value.encode())
        path = canonical(path)
        if path not in self.model:
            assert got is NodeNotFound
        elif is_leaf(path):
            assert got is None
            self.model[path] = value
        else:
            assert got is NotAllowed

    @rule(path=places)
    def delete(self, path: str) -> None:
        got = self.attempt("delete", path)
        path = canonical(path)
        assert got is (None if path in self.model else NodeNotFound)
        for each in self.subtree(path):
            del self.model[each]

    @rule(path=st.builds("./Toy/{}".format, items), name=items)
    def rename(self, path: str, name: str) -> None:
        got = self.attempt(
            "replace", f"{path}?prop=Name", format=None, type=None, value=name.encode()
        )
        path, new_path = canonical(path), canonical(f"./Toy/{name}")
        if path not in self.model:
            assert got is NodeNotFound
        elif path != new_path and new_path in self.model:
            assert got is NodeExists
        else:
            assert got is None
            for each in self.subtree(path):
                self.model[new_path + each.removeprefix(path)] = self.model.pop(each)

    @rule(path=places)
    def drop(self, path: str) -> None:
        self.bench.tree.drop(canonical(path))
        for each in self.subtree(canonical(path)):
            del self.model[each]

    @rule(path=places, value=values)
    def put(self, path: str, value: str) -> None:
        path = canonical(path)
        self.bench.tree.put(path, value=value if is_leaf(path) else None)
        above = path
        while above := uri.parent(above):
            self.model.setdefault(above, None)
        self.model[path] = value if is_leaf(path) else None

    @invariant()
    def nodes_values_and_children_agree(self) -> None:
        if not hasattr(self, "model"):
            return
        tree = self.bench.tree
        found = [".", *self.bench.store.descendants(".")]
        assert {path: tree.value(path) for path in found} == self.model
        for path in self.model:
            names = sorted(uri.name(p) for p in self.model if uri.parent(p) == path)
            assert tree.children(path) == names


TreeAgainstDict.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestTreeAgainstDict = TreeAgainstDict.TestCase
