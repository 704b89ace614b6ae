# SPDX-License-Identifier: Apache-2.0
"""What of a message is blanked in a recording, and that the rest is as it was spelled."""

from __future__ import annotations

import base64

import pytest

from scomod.dmclient import codec
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import (
    Add,
    Cred,
    Item,
    Message,
    Meta,
    Replace,
    Status,
    SyncHdr,
)
from scomod.errors import DecodeError
from scomod.lab import recordblank

SECRET = "hush-hush"
TNDS = (
    "<MgmtTree xmlns='syncml:dmddf1.2'><VerDTD>1.2</VerDTD><Node><NodeName>AAuthSecret</NodeName>"
    f"<Value>{SECRET}</Value></Node><Node><NodeName>Name</NodeName><Value>kept</Value></Node>"
    "</MgmtTree>"
)
COMMANDS = (
    Status(
        cmd_id="1", msg_ref="1", cmd_ref="0", cmd="SyncHdr", code=401,
        chal=Meta(type="syncml:auth-md5", format="b64", next_nonce=SECRET),
    ),
    Status(cmd_id="2", msg_ref="1", cmd_ref="2", cmd="Alert", code=200,
           items=(Item(data=SECRET.encode()),)),
    Add(cmd_id="3", items=(Item(target="./DMAcc/x/AppAuth/1/AAuthSecret", data=SECRET.encode()),)),
    Replace(cmd_id="4", items=(Item(target="./A/Name", data=b"kept"),)),
    Add(cmd_id="5", items=(Item(target="./B", meta=Meta(type="application/vnd.syncml.dmtnds+xml"),
                                data=TNDS.encode()),)),
    Add(cmd_id="6", items=(Item(target="./C", data=base64.b64encode(TNDS.encode())),)),
    Add(cmd_id="7", items=(Item(target="./D", data=f"https://u:{SECRET}@h/x".encode()),)),
)  # fmt: skip
MESSAGE = Message(
    header=SyncHdr(
        session_id="1", msg_id="2", target="a", source="b",
        cred=Cred(type="syncml:auth-basic", data=SECRET),
    ),
    commands=COMMANDS,
)  # fmt: skip


@pytest.mark.parametrize("encoding", list(Encoding), ids=lambda encoding: encoding.name)
def test_secrets_go_and_nothing_else(encoding: Encoding) -> None:
    body = codec.encode(MESSAGE, encoding)
    blanked, text = recordblank.without_secrets(body, encoding)
    assert len(blanked) == len(body)
    for octets in (blanked, text.encode()):
        assert SECRET.encode() not in octets
    found = codec.decode(blanked, encoding, recordblank.LIMITS)
    assert found.header.cred is not None
    assert found.header.cred.data == "*" * len(SECRET)
    assert [type(command) for command in found.commands] == [type(c) for c in COMMANDS]
    inner = found.commands[5]
    assert isinstance(inner, Add)
    tree = base64.b64decode(inner.items[0].data or b"").decode()
    assert f"<Value>{'*' * len(SECRET)}</Value>" in tree
    assert "<Value>kept</Value>" in tree


def test_the_spelling_stays() -> None:
    """Odd white space and comments are what servers differ in."""
    message = Message(header=MESSAGE.header, commands=COMMANDS[:4])
    body = codec.encode(message, Encoding.XML).replace(b"<Final", b"  <!-- odd -->\n<Final")
    blanked, _ = recordblank.without_secrets(body, Encoding.XML)
    assert b"  <!-- odd -->\n<Final" in blanked


def test_a_secret_that_stands_elsewhere_too_has_the_message_written_anew() -> None:
    """A password "1" is in every message; putting asterisks everywhere would spoil it."""
    command = Add(cmd_id="1", items=(Item(target="./x/Secret", data=b"1"),))
    body = codec.encode(Message(header=MESSAGE.header, commands=(command,)), Encoding.WBXML)
    blanked, _ = recordblank.without_secrets(body, Encoding.WBXML)
    found = codec.decode(blanked, Encoding.WBXML, recordblank.LIMITS)
    assert found.commands[0] == Add(cmd_id="1", items=(Item(target="./x/Secret", data=b"*"),))
    assert found.header.session_id == "1"


def test_what_is_no_message_is_told() -> None:
    with pytest.raises(DecodeError):
        recordblank.without_secrets(b"<html>", Encoding.XML)
