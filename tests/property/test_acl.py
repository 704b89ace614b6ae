# SPDX-License-Identifier: Apache-2.0
"""ACLs against a plain model: a set of (right, server) pairs."""

from hypothesis import given
from hypothesis import strategies as st

from scomod.mo import acl
from scomod.mo.acl import Acl, Right

SERVERS = ("A", "B", "com.example.dm", "x:1/y?z")
ids = st.lists(st.sampled_from([*SERVERS, "*"]), max_size=4)
entries = st.lists(st.tuples(st.sampled_from(Right), ids), max_size=6)


def text_of(pairs: list[tuple[Right, list[str]]]) -> str:
    return "&".join(f"{right}={'+'.join(names)}" for right, names in pairs)


def model_allows(pairs: list[tuple[Right, list[str]]], right: Right, server: str) -> bool:
    return any(right is r and (server in names or "*" in names) for r, names in pairs)


@given(entries)
def test_decisions_agree_with_the_model(pairs: list[tuple[Right, list[str]]]) -> None:
    known = Acl.parse(text_of(pairs))
    for right in Right:
        for server in (*SERVERS, "stranger"):
            assert known.allows(right, server) == model_allows(pairs, right, server)


@given(entries)
def test_printed_acl_is_a_fixed_point(pairs: list[tuple[Right, list[str]]]) -> None:
    known = Acl.parse(text_of(pairs))
    assert Acl.parse(str(known)) == known
    assert str(Acl.parse(str(known))) == str(known)


@given(entries, st.sampled_from(SERVERS))
def test_removed_server_loses_what_was_given_by_name_and_others_lose_nothing(
    pairs: list[tuple[Right, list[str]]], gone: str
) -> None:
    known = Acl.parse(text_of(pairs))
    rest = known.without(gone)
    for right in Right:
        assert rest.allows(right, gone) == known.allows(right, "stranger")
        for server in set(SERVERS) - {gone}:
            assert rest.allows(right, server) == known.allows(right, server)
    assert gone not in rest.server_ids()


@given(st.lists(entries, max_size=4))
def test_nearest_own_acl_counts_alone(chain: list[list[tuple[Right, list[str]]]]) -> None:
    texts = [str(Acl.parse(text_of(pairs))) for pairs in chain]
    nearest = next((text for text in texts if text), acl.ROOT_ACL)
    assert acl.effective(texts) == Acl.parse(nearest)
