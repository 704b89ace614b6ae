# SPDX-License-Identifier: Apache-2.0
"""Our TNDS documents against libwbxml, in both directions and both syntaxes."""

import subprocess

from hypothesis import given, settings

from scomod.dmclient import tnds, tndswriter
from scomod.dmclient.tnds import Syntax
from scomod.mo.node import Format
from scomod.mo.tnds import TndsNode
from tests.support.tnds_documents import WORDS, documents

SIZE = 1 << 20


def run(program: str, *options: str, body: bytes) -> bytes:
    """Run a tool of libwbxml (Debian: libwbxml2-utils) as a filter."""
    result = subprocess.run(
        [program, *options, "-o", "-", "-"],
        input=body,
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def read(octets: bytes) -> list[TndsNode]:
    return tnds.decode(octets, max_bytes=SIZE, max_nodes_count=1000, max_depth_count=16)


def is_textual(document: list[TndsNode]) -> bool:
    """Tell documents that libwbxml carries: octets become XML text as they are there."""
    return all(node.format is not Format.BIN for node in document)


@settings(max_examples=30, deadline=None)
@given(documents(WORDS.map(str.encode)))
def test_what_libwbxml_makes_of_our_xml_says_the_same(document: list[TndsNode]) -> None:
    theirs = run("xml2wbxml", body=tndswriter.encode(document, Syntax.XML, max_bytes=SIZE))
    assert read(theirs) == document


@settings(max_examples=30, deadline=None)
@given(documents(WORDS.map(str.encode)).filter(is_textual))
def test_what_libwbxml_makes_of_our_wbxml_says_the_same(document: list[TndsNode]) -> None:
    ours = tndswriter.encode(document, Syntax.WBXML, max_bytes=SIZE)
    assert read(run("wbxml2xml", "-m", "0", "-k", body=ours)) == document


def test_libwbxml_finds_the_document_type_by_its_name() -> None:
    ours = tndswriter.encode([TndsNode(path="A")], Syntax.WBXML, max_bytes=SIZE)
    assert b'PUBLIC "-//OMA//DTD-DM-DDF 1.2//EN"' in run("wbxml2xml", body=ours)
