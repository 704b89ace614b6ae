# SPDX-License-Identifier: Apache-2.0
"""Our codecs against libwbxml, an independent implementation, in both directions.

Needs `xml2wbxml` and `wbxml2xml` (Debian: libwbxml2-utils); without them these
tests fail, as an unchecked codec is no checked codec.
"""

import subprocess
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scomod.clisyncml import TNDS_PUBLIC_ID
from scomod.dmclient import codec, syncml, tokens, wbxml, xmltext
from scomod.dmclient.codec import Encoding
from scomod.dmclient.element import Element, Space
from scomod.dmclient.model import Message
from tests.support.syncml_samples import LIMITS, PAIRS, comparable, foreign_emptied, xml
from tests.support.syncml_strategies import ITEMS_OF_ONE_LINE, TREE_DOCUMENTS, messages
from tests.support.wbxml_spelling import INLINE, TABLE, Speller

PUBLIC_ID_1_1 = 0x0FD3
NAMESPACE_1_1 = "SYNCML:SYNCML1.1"

# libwbxml reads inline trees of page 2 as "unknown" and code pages of DevInf are not ours.
OURS = [name for name in PAIRS if name not in ("tnds", "syncml_with_ddf-001")]
NO_DEVINF = [name for name in OURS if name not in ("syncml-003", "syncml-004")]


def run(program: str, *options: str, body: bytes) -> bytes:
    """Run a tool of libwbxml as a filter."""
    result = subprocess.run(
        [program, *options, "-o", "-", "-"],
        input=body,
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def is_old(root: Element) -> bool:
    """Tell SyncML 1.1 documents; some samples have no header and are 1.1 all the same."""
    header = root.find("SyncHdr")
    return header is None or header.text("VerDTD") == "1.1"


@pytest.mark.parametrize("options", [[], ["-n"], ["-v", "1.1"], ["-v", "1.2", "-n"]], ids=" ".join)
@pytest.mark.parametrize("name", PAIRS)
def test_what_libwbxml_writes_is_what_we_read_from_the_xml(name: str, options: list[str]) -> None:
    root = xmltext.decode(xml(name), LIMITS)
    theirs = wbxml.decode(run("xml2wbxml", *options, body=xml(name)), LIMITS)
    assert comparable(theirs) == comparable(foreign_emptied(root))


@pytest.mark.parametrize("name", NO_DEVINF)
def test_libwbxml_reads_what_we_write(name: str) -> None:
    root = xmltext.decode(xml(name), LIMITS)
    public_id = PUBLIC_ID_1_1 if is_old(root) else 0x1201
    theirs = run("wbxml2xml", "-m", "0", "-k", body=wbxml.encode(root, public_id=public_id))
    assert comparable(xmltext.decode(theirs, LIMITS)) == comparable(root)


@pytest.mark.parametrize("name", NO_DEVINF)
def test_libwbxml_converts_our_xml(name: str) -> None:
    root = xmltext.decode(xml(name), LIMITS)
    namespace = NAMESPACE_1_1 if is_old(root) else "SYNCML:SYNCML1.2"
    theirs = run("xml2wbxml", body=xmltext.encode(root, namespace=namespace))
    assert comparable(wbxml.decode(theirs, LIMITS)) == comparable(root)


# Messages of 1.2, as 1.1 has no Correlator; items of one line, as libwbxml ends lines
# with CR LF and reads no inline tree.


@settings(max_examples=40, deadline=None)
@given(messages("1.2", items=ITEMS_OF_ONE_LINE))
def test_libwbxml_agrees_on_any_message(message: Message) -> None:
    ours = codec.encode(message, Encoding.WBXML)
    theirs = run("wbxml2xml", "-m", "0", "-k", body=ours)
    assert codec.decode(theirs, Encoding.XML, LIMITS) == message


@settings(max_examples=40, deadline=None)
@given(messages("1.2", items=ITEMS_OF_ONE_LINE))
def test_libwbxml_agrees_on_any_xml(message: Message) -> None:
    ours = codec.encode(message, Encoding.XML)
    theirs = codec.decode(run("xml2wbxml", "-k", body=ours), Encoding.WBXML, LIMITS)
    assert theirs == message


# Names of data synchronisation that libwbxml has no tokens for (omadm §6.4).
UNKNOWN_TO_THEM = {"FP", "ID", "IDContainer", "IDPair"}
NAMES = [
    (name, space)
    for space in (Space.SYNCML, Space.METINF)
    for name in tokens.TOKENS[space]
    if name not in UNKNOWN_TO_THEM
]
ALL_NAMES = Element(
    "SyncML",
    children=[Element("SyncBody", children=[Element(n, space, data=b"x") for n, space in NAMES])],
)
ALL_NAMES_OF_TREES = Element(
    "MgmtTree",
    Space.DMDDF,
    [Element(n, Space.DMDDF, data=b"x") for n in tokens.TOKENS[Space.DMDDF] if n != "MgmtTree"],
)


def test_every_name_of_messages_has_the_token_that_libwbxml_gives_it() -> None:
    assert len(NAMES) == 73  # omadm §6.3: so many were compared there
    theirs = xmltext.decode(run("wbxml2xml", "-m", "0", body=wbxml.encode(ALL_NAMES)), LIMITS)
    assert comparable(theirs) == comparable(ALL_NAMES)
    theirs = wbxml.decode(run("xml2wbxml", "-n", body=xmltext.encode(ALL_NAMES)), LIMITS)
    assert comparable(theirs) == comparable(ALL_NAMES)


def test_every_name_of_trees_has_the_token_that_libwbxml_gives_it() -> None:
    ours = wbxml.encode(ALL_NAMES_OF_TREES, public_id=TNDS_PUBLIC_ID)
    theirs = run("xml2wbxml", "-n", "-v", "1.2", body=xmltext.encode(ALL_NAMES_OF_TREES))
    assert sorted(tokens.TOKENS[Space.DMDDF].values()) == list(range(0x05, 0x3D))
    assert ours == theirs


@settings(max_examples=15, deadline=None)
@given(TREE_DOCUMENTS)
def test_libwbxml_agrees_on_any_tree(tree: Element) -> None:
    assume(b"]]&gt;" not in xmltext.encode(tree))
    ours = wbxml.encode(tree, public_id=TNDS_PUBLIC_ID)
    theirs = xmltext.decode(run("wbxml2xml", "-m", "0", "-k", body=ours), LIMITS)
    assert comparable(theirs) == comparable(tree)
    theirs = wbxml.decode(run("xml2wbxml", "-k", body=xmltext.encode(tree)), LIMITS)
    assert comparable(theirs) == comparable(tree)


# String tables, literal tags, needless pages, document types in words.  Not opaque texts
# outside of Data nor entities beyond ASCII, which libwbxml loses, and no "]]>" nor texts in
# pieces, as it spoils its CDATA sections with them.


@settings(max_examples=25, deadline=None)
@given(messages("1.2", items=ITEMS_OF_ONE_LINE), st.randoms(use_true_random=False))
def test_libwbxml_reads_any_spelling_as_we_do(message: Message, source: Random) -> None:
    body = Speller(source, (INLINE, TABLE), most_pieces=1).document(syncml.encode(message))
    assume(b"]]&gt;" not in codec.encode(message, Encoding.XML))
    theirs = run("wbxml2xml", "-m", "0", "-k", body=body)
    assert codec.decode(theirs, Encoding.XML, LIMITS) == message
    assert codec.decode(body, Encoding.WBXML, LIMITS) == message
