# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies for TNDS documents: any nodes, and trees that the toy object takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from scomod.mo.node import Format, Property
from scomod.mo.tnds import TndsNode

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = st.sampled_from(["a", "aa", "a-b", "a.b", "%C3%A4", "x", "Node"])
# XML has no control characters; short texts lose the white space around them.  Without
# surrogates (Cs) it is all that UTF-8 has; naming the codec has hypothesis try each character.
TEXTS = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=8,
)
WORDS = TEXTS.map(str.strip).filter(bool)
PROPERTIES = st.dictionaries(
    st.sampled_from(sorted({*Property} - {Property.FORMAT, Property.TYPE})), WORDS, max_size=3
).map(lambda found: tuple((prop, found[prop]) for prop in Property if prop in found))


@st.composite
def documents(
    draw: Callable[[st.SearchStrategy[object]], object], values: st.SearchStrategy[bytes]
) -> list[TndsNode]:
    """Draw a document of one tree, parents first, as a writer gets it."""
    found: list[TndsNode] = []

    def grow(path: str, depth: int) -> None:
        names = draw(st.lists(NAMES, max_size=3, unique=True)) if depth < 4 else []
        assert isinstance(names, list)
        found.append(_interior(draw, path) if names else _leaf(draw, path, values))
        for name in names:
            grow(f"{path}/{name}", depth + 1)

    grow(str(draw(NAMES)), 0)
    return found


def _interior(draw: Callable[[st.SearchStrategy[object]], object], path: str) -> TndsNode:
    kind = draw(st.sampled_from(["", "urn:oma:mo:x:1.0", None]))
    assert kind is None or isinstance(kind, str)
    properties = draw(PROPERTIES)
    assert isinstance(properties, tuple)
    return TndsNode(
        path=path, is_interior=True, format=Format.NODE, type=kind, properties=properties
    )


def _leaf(
    draw: Callable[[st.SearchStrategy[object]], object],
    path: str,
    values: st.SearchStrategy[bytes],
) -> TndsNode:
    form = draw(st.sampled_from([Format.CHR, Format.BIN, Format.INT, Format.XML, None]))
    assert form is None or isinstance(form, Format)
    value = draw(st.none() | (st.binary(max_size=20) if form is Format.BIN else values))
    assert value is None or isinstance(value, bytes)
    properties = draw(PROPERTIES)
    assert isinstance(properties, tuple)
    return TndsNode(
        path=path, is_binary=form is Format.BIN, format=form, type="text/plain",
        value=value, properties=properties,
    )  # fmt: skip
