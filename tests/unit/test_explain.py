# SPDX-License-Identifier: Apache-2.0
"""The outline of messages: numbers have names, trees are trees, and no secret leaves."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scomod import clifmt
from scomod.codes import AlertCode, DmStatus
from scomod.dmclient import wbxml, xmltext
from scomod.dmclient.element import Element, Space
from scomod.dmclient.model import (
    Add,
    Alert,
    Atomic,
    Command,
    Cred,
    Exec,
    Get,
    Item,
    Message,
    Meta,
    Replace,
    Results,
    Status,
    SyncHdr,
)
from scomod.explain import Outline, code_name
from tests.support.syncml_strategies import ITEMS, messages

PASSWORD = "hunter2-and-more"
HEADER = SyncHdr(session_id="3A7", msg_id="2", target="https://dm.example/", source="urn:1")


CHALLENGE = ", challenge [syncml:auth-md5, next nonce ***]"


def lines(command: Command, **how: bool) -> list[str]:
    return list(Outline(**how).command(command))


def leaf(uri: str, data: bytes, format_: str = "chr") -> Item:
    return Item(target=uri, meta=Meta(format=format_), data=data)


def node(name: str, *children: Element, value: str | None = None) -> Element:
    parts = [Element("NodeName", Space.DMDDF, data=name.encode())]
    if value is not None:
        parts.append(Element("Value", Space.DMDDF, data=value.encode()))
    return Element("Node", Space.DMDDF, [*parts, *children])


TREE = Element(
    "MgmtTree",
    Space.DMDDF,
    [node("AppAuth", node("AAuthName", value="dev1"), node("AAuthSecret", value=PASSWORD))],
)
FORMS = {
    "inline": Item(tree=TREE),
    "several elements": Item(tree=Element("Data", children=[Element("Junk"), TREE])),
    "WBXML": Item(data=wbxml.encode(TREE)),
    "XML": Item(data=xmltext.encode(TREE)),
    "XML after blanks": Item(data=b" \r\n" + xmltext.encode(TREE)),
    "base64 of WBXML": leaf("./Inbox", base64.b64encode(wbxml.encode(TREE)), "b64"),
    "base64 of XML": leaf("./Inbox", base64.encodebytes(xmltext.encode(TREE)), "b64"),
    "base64 that is not announced": Item(data=base64.b64encode(xmltext.encode(TREE))),
}


def test_numbers_have_their_names() -> None:
    assert code_name(DmStatus.OK, DmStatus) == "200 ok"
    assert code_name(299, DmStatus, AlertCode) == "299"


def test_message_is_told_from_its_header_to_its_end() -> None:
    header = SyncHdr(
        session_id="3A7",
        msg_id="2",
        target="https://dm.example/",
        source="urn:1",
        source_name="dev1",
        resp_uri="https://dm.example/x",
        cred=Cred(type="syncml:auth-basic", data=base64.b64encode(b"dev1:pw").decode()),
        meta=Meta(max_msg_size=4096),
    )
    message = Message(header=header, commands=(Get(cmd_id="1"),), final=False)
    assert list(Outline(is_blanked=False).message(message)) == [
        "message 2 of session 3A7, DM/1.2, DTD 1.2",
        "to https://dm.example/",
        "from urn:1 (dev1)",
        "answers to https://dm.example/x",
        "credentials syncml:auth-basic: dev1:pw",
        "meta [MaxMsgSize 4096]",
        "1 Get",
        "more messages follow",
    ]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            Status(cmd_id="1", msg_ref="2", cmd_ref="3", cmd="Get", code=404, target_refs=("./A",)),
            ["1 Status to 2/3 Get ./A: 404 not found"],
        ),
        (
            Status(msg_ref="1", cmd_ref="0", cmd="SyncHdr", code=401,
                   chal=Meta(type="syncml:auth-md5", next_nonce="bm9uY2U=")),
            [f"? Status to 1/0 SyncHdr: 401 invalid credentials{CHALLENGE}"],
        ),
        (Alert(cmd_id="1", code=1201), ["1 Alert 1201 client initiated management"]),
        (
            Exec(cmd_id="4", correlator="c7", items=(Item(target="./SCOMO/x"),)),
            ["4 Exec, correlator c7 ./SCOMO/x"],
        ),
        (
            Replace(cmd_id="5", items=(leaf("./A", b"1"), leaf("./B", b"", "node"))),
            ["5 Replace", "    ./A [chr] = 1", '    ./B [node] = ""'],
        ),
        (
            Results(cmd_id="6", msg_ref="1", cmd_ref="2",
                    items=(Item(source="./A", meta=Meta(format="bin"), data=b"\x00\x01"),)),
            ["6 Results to 1/2 ./A [bin] = 2 B"],
        ),
        (
            Atomic(cmd_id="7", commands=(Get(cmd_id="8", items=(Item(target="./A"),)),)),
            ["7 Atomic", "    8 Get ./A"],
        ),
    ],
)  # fmt: skip
def test_command_is_told_with_its_names(command: Command, told: list[str]) -> None:
    assert lines(command) == told


def test_without_values_a_command_is_one_line() -> None:
    items = tuple(leaf(f"./N{n}", PASSWORD.encode()) for n in range(5))
    assert lines(Add(cmd_id="1", items=items), has_data=False) == [
        "1 Add ./N0 ./N1 ./N2 and 2 more"
    ]


@pytest.mark.parametrize("form", FORMS)
def test_tree_in_a_value_is_drawn_as_a_tree(form: str) -> None:
    told = lines(Add(cmd_id="1", items=(FORMS[form],)), is_blanked=False)
    assert told[0].endswith("= a tree")
    assert [line.strip() for line in told[1:]] == [
        "AppAuth", "AAuthName = dev1", f"AAuthSecret = {PASSWORD}",
    ]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_secret_in_a_tree_is_blanked(form: str) -> None:
    told = lines(Add(cmd_id="1", items=(FORMS[form],)))
    assert told[-1].strip() == "AAuthSecret = ***"
    assert PASSWORD not in str(told)


PROFILE = (
    f'<wap-provisioningdoc><parm name="AAUTHSECRET" value="{PASSWORD}"/></wap-provisioningdoc>'
)
SECRETS: dict[str, Command] = {
    "leaf": Replace(items=(leaf("./DMAcc/a/AppAuth/b/AAuthSecret", PASSWORD.encode()),)),
    "leaf, spelled strangely": Replace(items=(leaf("DMAcc/%41AuthSecre%74", PASSWORD.encode()),)),
    "leaf that was read": Results(
        msg_ref="1", cmd_ref="1",
        items=(Item(source="./DMAcc/a/AAuthData?prop=Value", data=PASSWORD.encode()),),
    ),
    "leaf of DM 1.1": Add(items=(leaf("./SyncML/DMAcc/a/ClientPW", PASSWORD.encode()),)),
    "leaf of another object": Add(items=(leaf("./Wifi/a/Password", PASSWORD.encode()),)),
    "unnamed node": Add(
        items=(Item(target="./DMAcc/a/AAuthSecret", tree=Element(
            "MgmtTree", Space.DMDDF, [node("", value=PASSWORD)])),)
    ),
    "typed": Status(
        msg_ref="1", cmd_ref="2", cmd="Alert", code=200, items=(Item(data=PASSWORD.encode()),)
    ),
    "profile": Add(items=(leaf("./Inbox/x", PROFILE.encode(), "xml"),)),
    "profile in base64": Add(items=(leaf("./x", base64.b64encode(PROFILE.encode()), "b64"),)),
    "cut document": Add(items=(Item(data=xmltext.encode(TREE)[:-20]),)),
    "cut WBXML": Add(items=(Item(data=wbxml.encode(TREE)[:-2]),)),
    "cut base64": Add(items=(Item(data=base64.b64encode(xmltext.encode(TREE)[:-20])),)),
    "address": Replace(items=(leaf("./a", f"https://dev:{PASSWORD}@dm.example/".encode()),)),
    "address in a reference": Status(
        msg_ref="1", cmd_ref="1", cmd="Get", code=200, target_refs=(f"ftp://x:{PASSWORD}@y",)
    ),
    "inside of Atomic": Atomic(commands=(Add(items=(FORMS["XML"],)),)),
}  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
def test_secret_is_not_told(name: str) -> None:
    told = "\n".join(lines(SECRETS[name]))
    assert PASSWORD not in told
    assert base64.b64encode(PASSWORD.encode()).decode()[:16] not in told


def test_part_of_an_object_is_told_by_its_size_also_in_the_next_message() -> None:
    whole = xmltext.encode(TREE)
    outline = Outline()
    first = Replace(cmd_id="1", items=(Item(target="./Inbox", data=whole[:99], more_data=True),))
    last = Replace(cmd_id="1", items=(Item(target="./Inbox", data=whole[99:]),))
    after = Replace(cmd_id="2", items=(leaf("./A", b"shown again"),))
    told = [line for command in (first, last, after) for line in outline.command(command)]
    assert told[:2] == [
        "1 Replace ./Inbox = a part of 99 B",
        f"1 Replace ./Inbox = a part of {len(whole) - 99} B",
    ]
    assert told[2] == "2 Replace ./A [chr] = shown again"


def test_long_text_is_cut_and_lines_stay_lines() -> None:
    outline = Outline(max_characters=6)
    item = leaf("./A", b"one\ntwo\x1b[2Jthree")
    assert list(outline.command(Replace(cmd_id="1", items=(item,)))) == [
        "1 Replace ./A [chr] = one",
        "    tw ... (16 B)",
    ]


@settings(max_examples=30, deadline=None)
@given(messages("1.1", "1.2", items=ITEMS), st.booleans(), st.booleans())
def test_any_message_has_an_outline_that_cannot_drive_a_terminal(
    message: Message, has_data: bool, is_blanked: bool
) -> None:
    told = list(Outline(has_data=has_data, is_blanked=is_blanked).message(message))
    assert len(told) >= 4
    assert [clifmt.printable(line) for line in told] == told
    assert is_blanked is False or message.header.cred is None or any("***" in s for s in told)
