# SPDX-License-Identifier: Apache-2.0
"""Choice of syntax, binary values in both, sizes, and what is not imported."""

import subprocess
import sys

import pytest

from scomod.codes import DmStatus
from scomod.dmclient import codec
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import (
    Alert,
    Atomic,
    Command,
    Get,
    Item,
    Message,
    Meta,
    Replace,
    Results,
    Status,
    SyncHdr,
    Unknown,
)
from scomod.errors import DecodeError, LimitExceeded
from tests.support.syncml_samples import LIMITS, binary, xml

HEADER = SyncHdr(session_id="1", msg_id="2", target="https://dm.example/dm", source="IMEI:1")
OCTETS = b"\x00\xff\x10 binary"
BASE64 = b"AP8QIGJpbmFyeQ=="


@pytest.mark.spec("interop 10")
@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        ("application/vnd.syncml.dm+wbxml", Encoding.WBXML),
        ("application/vnd.syncml.dm+xml", Encoding.XML),
        ("application/vnd.syncml+wbxml", Encoding.WBXML),
        ("application/vnd.syncml+xml", Encoding.XML),
        ("application/vnd.syncml.dm+xml; charset=utf-8", Encoding.XML),
        (' Application/VND.SyncML.DM+WBXML ;verproto="DM/1.2"', Encoding.WBXML),
    ],
)
def test_media_types_of_real_peers_are_known(content_type: str, encoding: Encoding) -> None:
    assert codec.encoding_of(content_type) is encoding


@pytest.mark.parametrize("content_type", ["", "text/html; charset=utf-8", "text/xml", ";"])
def test_other_media_types_are_refused(content_type: str) -> None:
    with pytest.raises(DecodeError, match="no media type of SyncML DM"):
        codec.encoding_of(content_type)


def test_package_1_is_the_same_message_in_both_syntaxes() -> None:
    from_xml = codec.decode(xml("pkg1"), Encoding.XML, LIMITS)
    assert codec.decode(binary("pkg1"), Encoding.WBXML, LIMITS) == from_xml
    assert codec.decode(binary("pkg1.nostrtbl"), Encoding.WBXML, LIMITS) == from_xml


@pytest.mark.parametrize("encoding", Encoding)
def test_limits_reach_the_syntax(encoding: Encoding) -> None:
    body = codec.encode(Message(header=HEADER), encoding)
    tight = codec.Limits(max_bytes=len(body), max_depth=3, max_elements=12)
    with pytest.raises(LimitExceeded, match="max_depth"):
        codec.decode(body, encoding, tight)
    with pytest.raises(LimitExceeded, match="max_bytes"):
        codec.decode(body + b" ", encoding, tight)


def through(command: Command, encoding: Encoding) -> Command:
    body = codec.encode(Message(header=HEADER, commands=(command,)), encoding)
    return codec.decode(body, encoding, LIMITS).commands[0]


BINARY = Item(target="./a", meta=Meta(format="bin", type="x/y"), data=OCTETS)
CARRIED = Item(target="./a", meta=Meta(format="b64", type="x/y"), data=BASE64)


@pytest.mark.spec("omadm 6.2")
@pytest.mark.parametrize(
    ("command", "in_xml"),
    [
        (
            Replace(cmd_id="1", items=(BINARY,)),
            Replace(cmd_id="1", items=(CARRIED,)),
        ),
        (
            Results(cmd_id="1", msg_ref="1", cmd_ref="2", items=(BINARY,)),
            Results(cmd_id="1", msg_ref="1", cmd_ref="2", items=(CARRIED,)),
        ),
        (
            Replace(cmd_id="1", meta=Meta(format="bin"), items=(Item(data=OCTETS),)),
            Replace(
                cmd_id="1",
                meta=Meta(format="bin"),
                items=(Item(meta=Meta(format="b64"), data=BASE64),),
            ),
        ),
        (
            Atomic(cmd_id="1", commands=(Get(cmd_id="2"), Replace(cmd_id="3", items=(BINARY,)))),
            Atomic(cmd_id="1", commands=(Get(cmd_id="2"), Replace(cmd_id="3", items=(CARRIED,)))),
        ),
        (Alert(cmd_id="1", code=0, items=(BINARY,)), Alert(cmd_id="1", code=0, items=(CARRIED,))),
        (
            Status(msg_ref="1", cmd_ref="1", cmd="Get", code=DmStatus.OK, items=(BINARY,)),
            Status(msg_ref="1", cmd_ref="1", cmd="Get", code=DmStatus.OK, items=(CARRIED,)),
        ),
    ],
    ids=["item", "results", "inherited", "atomic", "alert", "status"],
)
def test_binary_values_are_octets_in_wbxml_and_base64_in_xml(
    command: Command, in_xml: Command
) -> None:
    assert through(command, Encoding.WBXML) == command
    assert through(command, Encoding.XML) == in_xml


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize(
    "item",
    [
        CARRIED,
        Item(meta=Meta(format="bin")),
        Item(meta=Meta(format="chr"), data=b"text"),
    ],
    ids=["base64 already", "no data", "text"],
)
def test_other_items_are_carried_as_they_are(item: Item, encoding: Encoding) -> None:
    command = Replace(cmd_id="1", items=(item,))
    assert through(command, encoding) == command


@pytest.mark.parametrize("encoding", Encoding)
def test_unknown_command_keeps_its_name(encoding: Encoding) -> None:
    command = Unknown(cmd_id="1", name="X-Own")
    assert through(command, encoding) == command


def test_own_format_beats_that_of_the_command() -> None:
    item = Item(meta=Meta(format="chr"), data=b"text")
    command = Replace(cmd_id="1", meta=Meta(format="bin"), items=(item,))
    assert through(command, Encoding.XML) == command


@pytest.mark.spec("omadm 2.2")
@pytest.mark.parametrize(
    ("version", "public_id", "namespace"),
    [
        ("1.1", b"\x9f\x53", b"SYNCML:SYNCML1.1"),
        ("1.2", b"\xa4\x01", b"SYNCML:SYNCML1.2"),
        ("2.0", b"\xa4\x01", b"SYNCML:SYNCML1.2"),
    ],
)
def test_version_decides_document_type_and_name_space(
    version: str, public_id: bytes, namespace: bytes
) -> None:
    header = SyncHdr(ver_dtd=version, session_id="1", msg_id="1", target="t", source="s")
    message = Message(header=header)
    assert codec.encode(message, Encoding.WBXML)[1:3] == public_id
    assert b'<SyncML xmlns="' + namespace + b'">' in codec.encode(message, Encoding.XML)
    assert codec.decode(codec.encode(message, Encoding.XML), Encoding.XML, LIMITS) == message


@pytest.mark.parametrize("encoding", Encoding)
def test_size_is_that_of_the_octets(encoding: Encoding) -> None:
    message = Message(header=HEADER, commands=(Replace(cmd_id="1", items=(BINARY,)),))
    assert codec.encoded_size(message, encoding) == len(codec.encode(message, encoding))
    smaller = Message(header=HEADER)
    assert codec.encoded_size(smaller, encoding) < codec.encoded_size(message, encoding)


USE = """
import sys
from scomod.dmclient import codec
body = bytes.fromhex({body!r})
limits = codec.Limits(max_bytes=9999, max_depth=32, max_elements=999)
message = codec.decode(body, codec.Encoding.{encoding}, limits)
codec.encoded_size(message, codec.Encoding.{encoding})
print("lxml" in sys.modules)
"""


@pytest.mark.parametrize(
    ("encoding", "body", "is_loaded"),
    [(Encoding.WBXML, binary("pkg1"), "False"), (Encoding.XML, xml("pkg1"), "True")],
)
def test_wbxml_alone_does_not_load_the_xml_library(
    encoding: Encoding, body: bytes, is_loaded: str
) -> None:
    program = USE.format(body=body.hex(), encoding=encoding.name)
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == is_loaded
