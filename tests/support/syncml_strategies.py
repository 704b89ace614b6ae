# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies for messages that both syntaxes can carry without loss."""

from __future__ import annotations

from hypothesis import strategies as st

from scomod.dmclient import tokens
from scomod.dmclient.element import Element, Space
from scomod.dmclient.model import (
    Add,
    Alert,
    Atomic,
    Command,
    Copy,
    Cred,
    Delete,
    Exec,
    Get,
    Item,
    Message,
    Meta,
    Replace,
    Results,
    Sequence,
    Status,
    SyncHdr,
    Unknown,
)

# XML has no control characters; reading strips the white space around short texts.  Without
# surrogates (Cs) it is all that UTF-8 has; naming the codec has hypothesis try each character.
_CHARACTERS = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
_WORDS = st.text(_CHARACTERS, max_size=12).map(str.strip)
_NAMES = _WORDS.filter(bool)
_NUMBERS = st.integers(0, 10**18 - 1)
_FORMATS = st.sampled_from(["chr", "int", "b64", "xml", "node", "bool"])


def _maybe(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    return st.none() | strategy


_METAS = st.builds(
    Meta,
    format=_maybe(_FORMATS),
    type=_maybe(_WORDS),
    mark=_maybe(_WORDS),
    size=st.none() | _NUMBERS,
    next_nonce=_maybe(_WORDS),
    max_msg_size=st.none() | _NUMBERS,
    max_obj_size=st.none() | _NUMBERS,
)
_MAYBE_META = st.none() | _METAS
_LINES = st.text(_CHARACTERS | st.sampled_from("\t<>&]'\""), max_size=40).map(str.encode)
_TEXTS = st.lists(_LINES | st.sampled_from([b"\r", b"\n"]), max_size=4).map(b"".join)

_LEAVES = st.builds(
    Element,
    st.sampled_from(["NodeName", "Value", "MIME", "chr"]),
    st.just(Space.DMDDF),
    data=_TEXTS,
)
_NODES = st.recursive(
    _LEAVES,
    lambda inner: st.builds(
        Element,
        st.sampled_from(["Node", "RTProperties", "Format"]),
        st.just(Space.DMDDF),
        st.lists(inner, max_size=3),
    ),
    max_leaves=6,
)
_TREES = st.builds(
    Element, st.just("MgmtTree"), st.just(Space.DMDDF), st.lists(_NODES, min_size=1, max_size=2)
)

_LEAVES_OF_ONE_LINE = st.builds(
    Element,
    st.sampled_from(sorted(set(tokens.TOKENS[Space.DMDDF]) - {"MgmtTree"})),
    st.just(Space.DMDDF),
    data=_LINES,
)
# Documents of page 2 by themselves, with all its names.
TREE_DOCUMENTS = st.builds(
    Element,
    st.just("MgmtTree"),
    st.just(Space.DMDDF),
    st.lists(
        st.recursive(
            _LEAVES_OF_ONE_LINE,
            lambda inner: st.builds(
                Element,
                st.sampled_from(["Node", "RTProperties", "Format"]),
                st.just(Space.DMDDF),
                st.lists(inner, min_size=1, max_size=4),
            ),
            max_leaves=10,
        ),
        min_size=1,
        max_size=3,
    ),
)

_PLACE = {"target": _maybe(_WORDS), "source": _maybe(_WORDS), "meta": _MAYBE_META}


def _plain(texts: st.SearchStrategy[bytes]) -> st.SearchStrategy[Item]:
    return st.builds(Item, **_PLACE, data=st.none() | texts, more_data=st.booleans())


ITEMS = _plain(_TEXTS) | st.builds(Item, **_PLACE, tree=_TREES)
ITEMS_OF_ONE_LINE = _plain(_LINES)


def _commands(items: st.SearchStrategy[tuple[Item, ...]]) -> st.SearchStrategy[Command]:
    refs = {"cmd_id": _WORDS, "msg_ref": _NAMES, "cmd_ref": _NAMES, "items": items}
    on_items = {"cmd_id": _WORDS, "meta": _MAYBE_META, "items": items}
    texts = st.lists(_WORDS, max_size=2).map(tuple)
    simple = st.one_of(
        st.builds(
            Status,
            **refs,
            cmd=_NAMES,
            code=_NUMBERS,
            target_refs=texts,
            source_refs=texts,
            chal=_MAYBE_META,
        ),
        st.builds(Results, **refs, meta=_MAYBE_META),
        st.builds(Alert, cmd_id=_WORDS, code=_NUMBERS, correlator=_maybe(_WORDS), items=items),
        st.builds(Exec, **on_items, correlator=_maybe(_WORDS)),
        *(st.builds(kind, **on_items) for kind in (Get, Add, Replace, Delete, Copy)),
        st.builds(Unknown, cmd_id=_WORDS, name=st.sampled_from(["Put", "Sync", "X-Own"])),
    )
    return st.recursive(
        simple,
        lambda inner: (
            st.builds(Atomic, cmd_id=_WORDS, commands=st.lists(inner, max_size=3).map(tuple))
            | st.builds(Sequence, cmd_id=_WORDS, commands=st.lists(inner, max_size=3).map(tuple))
        ),
        max_leaves=4,
    )


def messages(*versions: str, items: st.SearchStrategy[Item]) -> st.SearchStrategy[Message]:
    """Build messages of these VerDTD, whose commands hold such items."""
    headers = st.builds(
        SyncHdr,
        ver_dtd=st.sampled_from(versions),
        session_id=_NAMES,
        msg_id=_NAMES,
        target=_NAMES,
        source=_NAMES,
        source_name=_maybe(_WORDS),
        target_name=_maybe(_WORDS),
        resp_uri=_maybe(_WORDS),
        cred=st.none() | st.builds(Cred, type=_WORDS, data=_WORDS, format=_maybe(_FORMATS)),
        meta=_MAYBE_META,
    )
    commands = _commands(st.lists(items, max_size=3).map(tuple))
    return st.builds(
        Message,
        header=headers,
        commands=st.lists(commands, max_size=4).map(tuple),
        final=st.booleans(),
    )
