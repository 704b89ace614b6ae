# SPDX-License-Identifier: Apache-2.0
"""`scomoctl syncml`: files in, files out, and what it says to the wrong ones."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from scomod import cli
from scomod.dmclient import codec, wbxml, xmltext
from scomod.dmclient.codec import Encoding
from scomod.dmclient.element import Element, Space
from scomod.dmclient.model import Item, Message, Meta, Replace, SyncHdr
from tests.support.syncml_samples import LIMITS, VECTORS, WBXML, binary
from tests.support.syncml_strategies import ITEMS, messages

PROJECT = Path(__file__).parents[2]
HEADER = SyncHdr(session_id="1", msg_id="2", target="t", source="s")
MESSAGES = [path for path in WBXML if not path.stem.startswith("syncml-011")]
TREE = Element(
    "MgmtTree", Space.DMDDF, [Element("VerDTD", Space.DMDDF, data=b"1.2")]
)  # fmt: skip


class Output(io.TextIOWrapper):
    """Standard output that keeps octets."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="ascii", errors="strict")

    @property
    def octets(self) -> bytes:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue()


def ctl(*arguments: str, body: bytes = b"") -> tuple[int, bytes, str]:
    """Run it in this process; returns exit status, standard output and error."""
    before = sys.stdin, sys.stdout, sys.stderr
    output, errors = Output(), io.StringIO()
    sys.stdin, sys.stdout, sys.stderr = io.TextIOWrapper(io.BytesIO(body)), output, errors
    try:
        code = cli.main(arguments)
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
    return code, output.octets, errors.getvalue()


def done(*arguments: str, body: bytes = b"") -> bytes:
    code, output, errors = ctl(*arguments, body=body)
    assert (code, errors) == (0, "")
    return output


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_decoding_and_encoding_gives_an_equal_document(path: Path) -> None:
    again = done("syncml", "encode", "-", body=done("syncml", "decode", str(path)))
    assert plain(wbxml.decode(again, LIMITS)) == plain(wbxml.decode(path.read_bytes(), LIMITS))


def plain(element: Element) -> object:
    """Return all but how WBXML spelled a text."""
    return element.name, element.space, [plain(child) for child in element.children], element.data


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages("1.1", "1.2", items=ITEMS))
def test_any_message_survives_the_way_there_and_back(message: Message) -> None:
    body = codec.encode(message, Encoding.WBXML)
    again = done("syncml", "encode", "-", body=done("syncml", "decode", "-", body=body))
    assert codec.decode(again, Encoding.WBXML, LIMITS) == message


def test_octets_that_xml_cannot_carry_survive() -> None:
    values = [b"\0\1\2", b"\xff\xfe", b"\x1b[2J", b"a\r\nb", b"<&>]]>", "\x9b\u2028\x85".encode()]
    items = tuple(Item(meta=Meta(format="bin"), data=value) for value in values)
    message = Message(header=HEADER, commands=(Replace(cmd_id="1", items=items),))
    text = done("syncml", "decode", "-", body=codec.encode(message, Encoding.WBXML))
    assert b"\x1b" not in text
    assert "\x9b" not in text.decode()
    again = done("syncml", "encode", "-", body=text)
    assert codec.decode(again, Encoding.WBXML, LIMITS) == message


def test_xml_is_indented_and_declares_what_it_is() -> None:
    lines = done("syncml", "decode", str(VECTORS / "wbxml/pkg1.wbxml")).decode().splitlines()
    assert lines[:4] == [
        "<?xml version='1.0' encoding='UTF-8'?>",
        '<SyncML xmlns="SYNCML:SYNCML1.2">',
        "  <SyncHdr>",
        "    <VerDTD>1.2</VerDTD>",
    ]
    assert lines[-1] == "</SyncML>"


@pytest.mark.parametrize(("version", "public_id"), [("1.1", "9f53"), ("1.2", "a401")])
def test_version_of_the_message_decides_the_document_type(version: str, public_id: str) -> None:
    text = f"<SyncML><SyncHdr><VerDTD>{version}</VerDTD></SyncHdr></SyncML>"
    body = done("syncml", "encode", "-", body=text.encode())
    assert body[1:3].hex() == public_id
    namespace = f'<SyncML xmlns="SYNCML:SYNCML{version}">'
    assert namespace.encode() in done("syncml", "decode", "-", body=body)


def test_tree_by_itself_is_taken_both_ways() -> None:
    body = done("syncml", "encode", "-", body=xmltext.encode(TREE))
    assert body.startswith(bytes.fromhex("0200006a1b") + b"-//OMA//DTD-DM-DDF 1.2//EN\0")
    assert wbxml.decode(body, LIMITS) == TREE
    text = done("syncml", "decode", "-", body=body)
    assert xmltext.decode(text, LIMITS) == TREE


def test_provisioning_profile_becomes_xml() -> None:
    from lxml import etree  # noqa: PLC0415 - to compare two documents

    folder = VECTORS / "provisioning"
    for name in ("two-credentials.wbxml", "two-servers.string-table.wbxml"):
        ours = etree.fromstring(done("syncml", "decode", str(folder / name)))
        source = (folder / f"{name.partition('.')[0]}.xml").read_bytes()
        theirs = etree.fromstring(source, etree.XMLParser(load_dtd=False))
        found, wanted = (
            [(node.tag, dict(node.attrib)) for node in root.iter(etree.Element)]
            for root in (ours, theirs)
        )
        assert found == wanted


def test_outline_takes_either_syntax_and_hides_nothing() -> None:
    of_wbxml = done("syncml", "decode", "--explain", str(VECTORS / "wbxml/pkg1.wbxml"))
    of_xml = done("syncml", "encode", "--explain", str(VECTORS / "xml/pkg1.xml"))
    assert of_wbxml == of_xml
    assert b"1 Alert 1201 client initiated management\n" in of_xml
    assert b"***" not in of_xml
    assert b"AppID = w7" in done("syncml", "decode", "--explain", str(VECTORS / "wbxml/tnds.wbxml"))


def test_json_gives_one_document() -> None:
    file = str(VECTORS / "wbxml/pkg1.wbxml")
    text = json.loads(done("--json", "syncml", "decode", file))["xml"]
    found = json.loads(done("--json", "syncml", "encode", "-", body=text.encode()))["base64"]
    assert codec.decode(b64decode(found), Encoding.WBXML, LIMITS) == codec.decode(
        binary("pkg1"), Encoding.WBXML, LIMITS
    )
    outline = json.loads(done("--json", "syncml", "decode", "--explain", file))["outline"]
    assert outline[-1] == "Final"


@pytest.mark.parametrize(
    ("what", "body", "code", "said"),
    [
        ("decode", b"<SyncML/>", 2, "- is no WBXML: if it is XML, 'encode' takes it"),
        ("decode", b"", 2, "- is no WBXML"),
        ("encode", binary("pkg1"), 2, "- is WBXML already: 'decode' takes it"),
        ("decode", binary("pkg1")[:100], 1, "ends too early (at octet 100)"),
        ("decode", binary("syncml-011"), 1, "DevInf 1.1//EN is no SyncML document"),
        ("decode", b"\x02", 1, "ends too early (at octet 1)"),
        ("decode", b"\x03\x0b\x6a\x00\x45", 1, "ends too early (at octet 5)"),
        ("encode", b"<SyncML>\n<a></SyncML>", 1, "line 2, column"),
        ("encode", b"<html/>", 1, "the root is html"),
        ("encode", b"<SyncML octets='base64'>?</SyncML>", 1, "marked as base64"),
        ("encode", b"<!DOCTYPE a [<!ENTITY b 'c'>]><SyncML/>", 1, "declares entities"),
    ],
)
def test_wrong_and_broken_files_are_told(what: str, body: bytes, code: int, said: str) -> None:
    found, output, errors = ctl("syncml", what, "-", body=body)
    assert (found, output) == (code, b"")
    assert errors.startswith("scomoctl: ")
    assert said in errors
    assert errors.count("\n") == 1


def test_file_that_is_not_there_or_too_large_is_told(tmp_path: Path) -> None:
    code, _, errors = ctl("syncml", "decode", str(tmp_path / "none"))
    assert (code, "No such file" in errors) == (1, True)
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 25)
    code, _, errors = ctl("syncml", "decode", str(tmp_path / "large"))
    assert (code, "exceeded" in errors) == (1, True)


@pytest.mark.parametrize(("options", "code"), [([], 2), (["--force"], 0)])
def test_terminal_gets_wbxml_only_by_force(options: list[str], code: int) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "scomod.cli", "syncml", "encode", *options]
    try:
        found = subprocess.run(
            [*command, str(VECTORS / "xml/pkg1.xml")],
            cwd=PROJECT,
            stdout=theirs,
            stderr=subprocess.PIPE,
            timeout=200,
            check=False,
        )
    finally:
        os.close(theirs)
        os.close(ours)
    assert found.returncode == code
    assert (b"nothing for a terminal" in found.stderr) is (code != 0)
