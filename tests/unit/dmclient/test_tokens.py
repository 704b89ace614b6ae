# SPDX-License-Identifier: Apache-2.0
"""The token tables against numbers spelled out in the standard."""

import pytest

from scomod.dmclient import tokens
from scomod.dmclient.element import Space


@pytest.mark.spec("omadm 6.3")
@pytest.mark.parametrize(
    ("space", "name", "token"),
    [
        (Space.SYNCML, "Add", 0x05),
        (Space.SYNCML, "Data", 0x0F),
        (Space.SYNCML, "Map", 0x18),
        (Space.SYNCML, "MapItem", 0x19),
        (Space.SYNCML, "Results", 0x22),
        (Space.SYNCML, "Search", 0x23),
        (Space.SYNCML, "SyncHdr", 0x2C),
        (Space.SYNCML, "SyncML", 0x2D),
        (Space.SYNCML, "TargetRef", 0x2F),
        (Space.SYNCML, "VerDTD", 0x31),
        (Space.SYNCML, "Record", 0x37),
        (Space.SYNCML, "FilterType", 0x38),
        (Space.SYNCML, "Correlator", 0x3C),
        (Space.METINF, "Anchor", 0x05),
        (Space.METINF, "Last", 0x0A),
        (Space.METINF, "NextNonce", 0x10),
        (Space.METINF, "MaxObjSize", 0x15),
        (Space.METINF, "IDPair", 0x1A),
        (Space.DMDDF, "AccessType", 0x05),
        (Space.DMDDF, "Copy", 0x0E),
        (Space.DMDDF, "DFType", 0x18),
        (Space.DMDDF, "Mod", 0x22),
        (Space.DMDDF, "Path", 0x2C),
        (Space.DMDDF, "Value", 0x36),
        (Space.DMDDF, "ZeroOrOne", 0x3C),
    ],
)
def test_first_and_last_name_of_each_column_have_the_tokens_of_the_standard(
    space: Space, name: str, token: int
) -> None:
    assert tokens.TOKENS[space][name] == token
    assert tokens.NAMES[space][token] == name


@pytest.mark.spec("omadm 6.3")
def test_reserved_token_has_no_name() -> None:
    assert 0x30 not in tokens.NAMES[Space.SYNCML]


@pytest.mark.parametrize(("space", "count"), [(0, 55), (1, 22), (2, 56)])
def test_pages_are_complete(space: int, count: int) -> None:
    assert len(tokens.TOKENS[Space(space)]) == count


def test_no_tag_collides_with_a_global_token() -> None:
    reserved = {tokens.SWITCH_PAGE, tokens.END, tokens.ENTITY, tokens.STR_I, tokens.LITERAL}
    for names in tokens.NAMES.values():
        assert not reserved & set(names)
        assert max(names) <= tokens.TAG_BITS
