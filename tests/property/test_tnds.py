# SPDX-License-Identifier: Apache-2.0
"""Any tree as a document, and back: the same nodes, in both syntaxes, in another tree."""

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scomod.dmclient import tnds, tndswriter
from scomod.dmclient.tnds import Syntax
from scomod.errors import CommandError
from scomod.mo.node import Node
from scomod.mo.tnds import TndsNode, described, selection
from tests.support.tnds_documents import TEXTS, documents
from tests.support.trees import Bench, tree_bench


def read(octets: bytes) -> list[TndsNode]:
    return tnds.decode(octets, max_bytes=1 << 20, max_nodes_count=1000, max_depth_count=16)


@pytest.mark.parametrize("syntax", Syntax)
@settings(max_examples=100, deadline=None)
@given(documents(TEXTS.map(str.encode)))
def test_what_is_written_is_read(syntax: Syntax, document: list[TndsNode]) -> None:
    assert read(tndswriter.encode(document, syntax, max_bytes=1 << 20)) == document


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.builds(b"<MgmtTree>%b</MgmtTree>".__mod__, st.binary()))
def test_no_octets_do_more_than_fail_the_command(data: bytes) -> None:
    with contextlib.suppress(CommandError):
        read(data)


# Trees of the toy object: what the DDF allows, whatever the values and the order.

TOYS = st.dictionaries(
    st.sampled_from(["x", "x-y", "x.y", "%C3%A4"]),
    st.dictionaries(
        st.sampled_from(["Text", "Deep/Deeper/Leaf", "Few/1", "Few/1-2"]),
        TEXTS,
        max_size=4,
    ),
    min_size=1,
)
BLOBS = st.binary(max_size=30)


def grow(bench: Bench, toys: dict[str, dict[str, str]], blob: bytes) -> None:
    for name, leaves in toys.items():
        bench.tree.put(f"./Toy/{name}", acl="Add=A&Delete=A&Get=A&Replace=A")
        bench.tree.put(f"./Toy/{name}/Blob", value=blob, type="image/png")
        for leaf, value in leaves.items():
            bench.tree.put(f"./Toy/{name}/{leaf}", value=value)


def picture(bench: Bench) -> list[tuple[object, ...]]:
    return [facts(node) for node in bench.tree.listing("./Toy", "A")]


def facts(node: Node) -> tuple[object, ...]:
    return node.path, node.format, node.type, node.value, node.acl, node.title


def copied(bench: Bench, syntax: Syntax) -> list[TndsNode]:
    """Return the toy object as it comes over the wire."""
    nodes = bench.tree.listing("./Toy", "A")
    found = (described(node, "./Toy", selection("TNDS")) for node in nodes)
    return read(tndswriter.encode(found, syntax, max_bytes=1 << 20))


@settings(max_examples=15, deadline=None)
@given(TOYS, TOYS, BLOBS, st.sampled_from(Syntax))
@example({"x.y": {}}, {"x": {}, "x-y": {}}, b"", Syntax.XML)  # "x-y" sorts before "x/..."
def test_a_tree_sent_to_another_device_replaces_its_own(
    toys: dict[str, dict[str, str]], others: dict[str, dict[str, str]], blob: bytes, syntax: Syntax
) -> None:
    with (
        tempfile.TemporaryDirectory() as one,
        tempfile.TemporaryDirectory() as two,
        tree_bench(Path(one)) as here,
        tree_bench(Path(two)) as there,
    ):
        grow(here, toys, blob)
        grow(there, others, b"other")
        there.tree.replace_tnds("./Toy", "A", copied(here, syntax))
        assert picture(there) == picture(here)
