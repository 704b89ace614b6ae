# SPDX-License-Identifier: Apache-2.0
"""Messages: order written, disorder read, what is demanded and what is forgiven."""

from typing import Any

import pytest

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient import syncml, wbxml, xmltext
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
from scomod.errors import DecodeError
from tests.support.syncml_samples import LIMITS, VECTORS, binary, xml

HEADER = SyncHdr(session_id="1", msg_id="2", target="https://dm.example/dm", source="IMEI:1")
HEADER_TEXT = (
    "<SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>1</SessionID>"
    "<MsgID>2</MsgID><Target><LocURI>https://dm.example/dm</LocURI></Target>"
    "<Source><LocURI>IMEI:1</LocURI></Source></SyncHdr>"
)


def read(body: str, header: str = HEADER_TEXT) -> Message:
    text = f"<SyncML>{header}<SyncBody>{body}</SyncBody></SyncML>"
    return syncml.decode(xmltext.decode(text.encode(), LIMITS))


def read_one(command: str) -> Any:
    (only,) = read(command).commands
    return only


def outline(element: Element) -> str:
    """Return names in order, nested in brackets."""
    inside = " ".join(map(outline, element.children))
    return f"{element.name}({inside})" if inside else element.name


def write(*commands: Command) -> list[str]:
    root = syncml.encode(Message(header=HEADER, commands=commands, final=False))
    return [outline(child) for child in root.children[1].children]


def test_package_1_is_read_into_values() -> None:
    message = syncml.decode(xmltext.decode(xml("pkg1"), LIMITS))
    assert message == Message(
        header=SyncHdr(
            session_id="1",
            msg_id="1",
            target="https://dm.example/dm",
            source="IMEI:004999010640000",
            source_name="dev1",
            cred=Cred(type="syncml:auth-md5", data="Zz6EivR3yeaaENcRN6lpAQ==", format="b64"),
            meta=Meta(max_msg_size=16384, max_obj_size=1048576),
        ),
        commands=(
            Alert(cmd_id="1", code=AlertCode.CLIENT_INITIATED_MANAGEMENT),
            Replace(
                cmd_id="2",
                items=(
                    Item(
                        source="./DevInfo/DevId",
                        meta=Meta(format="chr", type="text/plain"),
                        data=b"IMEI:004999010640000",
                    ),
                ),
            ),
        ),
        final=True,
    )


@pytest.mark.parametrize("name", ["syncml-004", "syncml-012"])
def test_syncml_1_1_is_read_equal_from_both_syntaxes(name: str) -> None:
    from_xml = syncml.decode(xmltext.decode(xml(name), LIMITS))
    from_wbxml = syncml.decode(wbxml.decode(binary(name), LIMITS))
    assert from_xml.header.ver_dtd == "1.1"
    assert from_wbxml.header == from_xml.header
    assert [type(c) for c in from_wbxml.commands] == [type(c) for c in from_xml.commands]
    assert [c.cmd_id for c in from_wbxml.commands] == [c.cmd_id for c in from_xml.commands]


def test_white_space_around_uris_is_no_part_of_them() -> None:
    (add,) = syncml.decode(xmltext.decode(xml("syncml-012"), LIMITS)).commands
    assert isinstance(add, Add)
    assert add.items[0].target == "./SyncML/DMAcc/UltimateManagement"
    assert add.items[0].data == b""
    assert add.items[2].data is None


@pytest.mark.spec("omadm §2.6")
def test_addresses_of_an_item_may_stand_without_locuri() -> None:
    copy = read_one(
        "<Copy><CmdID>1</CmdID><Item><Target> ./a </Target><Source>./b</Source></Item></Copy>"
    )
    assert (copy.items[0].target, copy.items[0].source) == ("./a", "./b")
    empty = read_one("<Copy><CmdID>1</CmdID><Item><Target></Target></Item></Copy>")
    assert empty.items[0].target is None


def test_data_synchronisation_is_unknown_to_us() -> None:
    message = syncml.decode(xmltext.decode(xml("syncml-005"), LIMITS))
    assert message.commands[2] == Unknown(cmd_id="3", name="Sync")


@pytest.mark.spec("interop 2")
def test_children_are_read_in_any_order() -> None:
    status = read_one(
        "<Status><Data>200</Data><SourceRef>s</SourceRef><MsgRef>1</MsgRef><TargetRef>t</TargetRef>"
        "<TargetRef> u </TargetRef><CmdRef>3</CmdRef><CmdID>9</CmdID><Cmd>Replace</Cmd></Status>"
    )
    assert status == Status(
        cmd_id="9",
        msg_ref="1",
        cmd_ref="3",
        cmd="Replace",
        code=DmStatus.OK,
        target_refs=("t", "u"),
        source_refs=("s",),
    )


def test_body_before_header_is_read() -> None:
    text = f"<SyncML><SyncBody><Final/></SyncBody>{HEADER_TEXT}</SyncML>"
    assert syncml.decode(xmltext.decode(text.encode(), LIMITS)) == Message(header=HEADER)


@pytest.mark.spec("interop 3")
def test_duplicate_command_ids_are_kept() -> None:
    body = "<Get><CmdID>1</CmdID></Get><Get><CmdID>1</CmdID></Get>"
    assert [command.cmd_id for command in read(body).commands] == ["1", "1"]


@pytest.mark.spec("interop 6")
def test_header_is_read_in_full() -> None:
    header = HEADER_TEXT.replace(
        "</SyncHdr>",
        "<RespURI> https://dm.example/dm?s=1 </RespURI><NoResp/>"
        "<Cred><Data>abc=</Data></Cred><Meta><MaxMsgSize>5000</MaxMsgSize></Meta></SyncHdr>",
    ).replace("</LocURI></Target>", "</LocURI><LocName>srv</LocName></Target>")
    assert read("", header).header == SyncHdr(
        session_id="1",
        msg_id="2",
        target="https://dm.example/dm",
        target_name="srv",
        source="IMEI:1",
        resp_uri="https://dm.example/dm?s=1",
        cred=Cred(type="", data="abc=", format=None),
        meta=Meta(max_msg_size=5000),
    )


@pytest.mark.parametrize(
    "name", ["VerDTD", "VerProto", "SessionID", "MsgID", "Target", "Source", "LocURI"]
)
def test_missing_header_element_is_named(name: str) -> None:
    root = xmltext.decode(f"<SyncML>{HEADER_TEXT}<SyncBody/></SyncML>".encode(), LIMITS)
    header = root.children[0]
    parent = header.children[4] if name == "LocURI" else header
    parent.children = [child for child in parent.children if child.name != name]
    with pytest.raises(DecodeError, match=f"has no {name}"):
        syncml.decode(root)


def test_empty_header_element_is_as_good_as_missing() -> None:
    with pytest.raises(DecodeError, match="SyncHdr has no MsgID"):
        read("", HEADER_TEXT.replace("<MsgID>2</MsgID>", "<MsgID> </MsgID>"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<Message/>", "the root is Message"),
        ("<SyncML><SyncBody/></SyncML>", "SyncML has no SyncHdr"),
        (f"<SyncML>{HEADER_TEXT}</SyncML>", "SyncML has no SyncBody"),
    ],
)
def test_what_is_no_message_is_refused(text: str, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        syncml.decode(xmltext.decode(text.encode(), LIMITS))


@pytest.mark.parametrize("path", sorted((VECTORS / "xml/invalid").iterdir()), ids=lambda p: p.stem)
def test_invalid_samples_are_refused(path: Any) -> None:
    with pytest.raises(DecodeError):
        syncml.decode(xmltext.decode(path.read_bytes(), LIMITS))


@pytest.mark.spec("omadm 2.4")
def test_what_a_command_lacks_is_left_to_the_executor() -> None:
    assert read_one("<Get/>") == Get(cmd_id="")
    assert read_one("<Status/>") == Status(msg_ref="", cmd_ref="", cmd="", code=0)
    assert read_one("<Results/>") == Results(msg_ref="1", cmd_ref="")
    assert read_one("<Alert/>") == Alert(code=0)


@pytest.mark.parametrize("number", ["", "x", "-1", "1_0", "\u0661", "1" * 19, "1" * 5000])
def test_number_that_is_none_counts_as_absent(number: str) -> None:
    alert = read_one(
        f"<Alert><Data>{number}</Data><Item><Meta><Size>{number}</Size></Meta></Item></Alert>"
    )
    assert alert.code == 0
    assert alert.items[0].meta == Meta()


def test_number_may_stand_between_white_space() -> None:
    assert read_one("<Alert><Data>\n 1226 </Data></Alert>").code == AlertCode.GENERIC_ALERT


def test_meta_may_be_wrapped_in_metinf() -> None:
    get = read_one("<Get><Meta><MetInf><Type>a/b</Type><Mark>m</Mark></MetInf></Meta></Get>")
    assert get.meta == Meta(type="a/b", mark="m")


def test_challenge_is_read_from_its_meta() -> None:
    status = read_one(
        "<Status><Chal><Meta><Format>b64</Format><Type>syncml:auth-md5</Type>"
        "<NextNonce> Tm9uY2U= </NextNonce></Meta></Chal><Data>407</Data></Status>"
    )
    assert status.chal == Meta(format="b64", type="syncml:auth-md5", next_nonce="Tm9uY2U=")


def test_data_of_an_item_is_kept_octet_by_octet() -> None:
    item = read_one("<Add><Item><Data> a&#13;\n</Data><MoreData/></Item></Add>").items[0]
    assert item == Item(data=b" a\r\n", more_data=True)


def test_markup_in_data_becomes_a_tree() -> None:
    item = read_one(
        "<Add><Item><Data>\n<MgmtTree><VerDTD>1.2</VerDTD></MgmtTree>\n</Data></Item></Add>"
    )
    tree = Element("MgmtTree", Space.DMDDF, [Element("VerDTD", Space.DMDDF, data=b"1.2")])
    assert item.items[0] == Item(tree=tree)


def test_several_elements_in_data_stay_together() -> None:
    item = read_one("<Add><Item><Data><a/><b/></Data></Item></Add>").items[0]
    assert outline(item.tree) == "Data(a b)"
    assert write(Add(cmd_id="1", items=(item,))) == ["Add(CmdID Item(Data(a b)))"]


@pytest.mark.spec("omadm 2.1")
@pytest.mark.parametrize(
    "alert",
    [
        "<Alert><Correlator>c</Correlator><Data>1226</Data></Alert>",
        "<Alert><Data>1226</Data><Correlator>c</Correlator></Alert>",
    ],
)
def test_correlator_is_read_before_and_behind_data(alert: str) -> None:
    assert read_one(alert) == Alert(code=AlertCode.GENERIC_ALERT, correlator="c")


def test_exec_is_read_with_its_correlator() -> None:
    command = read_one(
        "<Exec><CmdID>7</CmdID><Correlator>c</Correlator><Meta><Type>a/b</Type></Meta>"
        "<Item><Target><LocURI>./SCM/Download</LocURI></Target></Item></Exec>"
    )
    assert command == Exec(
        cmd_id="7",
        correlator="c",
        meta=Meta(type="a/b"),
        items=(Item(target="./SCM/Download"),),
    )


def test_commands_inside_of_atomic_and_sequence_are_read_in_order() -> None:
    atomic = read_one(
        "<Atomic><CmdID>1</CmdID><NoResp/><Meta/><Add><CmdID>2</CmdID></Add>"
        "<Sequence><CmdID>3</CmdID><Own><CmdID>4</CmdID></Own><Delete/></Sequence></Atomic>"
    )
    inner = Sequence(cmd_id="3", commands=(Unknown(cmd_id="4", name="Own"), Delete()))
    assert atomic == Atomic(cmd_id="1", commands=(Add(cmd_id="2"), inner))


def test_final_is_told_by_its_presence() -> None:
    assert read("<Final/>").final
    assert not read("<Get/>").final


META = Meta(
    format="chr",
    type="text/plain",
    mark="m",
    size=1,
    next_nonce="n",
    max_msg_size=2,
    max_obj_size=3,
)
META_OUTLINE = "Meta(Format Type Mark Size NextNonce MaxMsgSize MaxObjSize)"
ITEM = Item(target="t", source="s", meta=Meta(format="chr"), data=b"d", more_data=True)
ITEM_OUTLINE = "Item(Target(LocURI) Source(LocURI) Meta(Format) Data MoreData)"
STATUS_OUTLINE = (
    "Status(CmdID MsgRef CmdRef Cmd TargetRef TargetRef SourceRef "
    f"Chal({META_OUTLINE}) Data {ITEM_OUTLINE})"
)


@pytest.mark.spec("omadm 2.1")
@pytest.mark.parametrize(
    ("command", "written"),
    [
        (
            Status(
                cmd_id="1",
                msg_ref="1",
                cmd_ref="2",
                cmd="Get",
                code=DmStatus.OK,
                target_refs=("a", "b"),
                source_refs=("c",),
                chal=META,
                items=(ITEM,),
            ),
            STATUS_OUTLINE,
        ),
        (
            Results(cmd_id="1", msg_ref="1", cmd_ref="2", meta=META, items=(ITEM,)),
            f"Results(CmdID MsgRef CmdRef {META_OUTLINE} {ITEM_OUTLINE})",
        ),
        (
            Alert(cmd_id="1", code=AlertCode.GENERIC_ALERT, correlator="c", items=(ITEM,)),
            f"Alert(CmdID Data Correlator {ITEM_OUTLINE})",
        ),
        (
            Exec(cmd_id="1", meta=META, correlator="c", items=(ITEM,)),
            f"Exec(CmdID {META_OUTLINE} Correlator {ITEM_OUTLINE})",
        ),
        (
            Copy(cmd_id="1", meta=Meta(), items=(ITEM, Item())),
            f"Copy(CmdID Meta {ITEM_OUTLINE} Item)",
        ),
        (
            Atomic(cmd_id="1", commands=(Get(cmd_id="2"), Sequence(cmd_id="3"))),
            "Atomic(CmdID Get(CmdID) Sequence(CmdID))",
        ),
        (Unknown(cmd_id="1", name="Own"), "Own(CmdID)"),
        (Get(), "Get"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_children_are_written_in_the_order_of_the_standard(command: Command, written: str) -> None:
    assert write(command) == [written]


@pytest.mark.spec("omadm 2.1")
def test_header_is_written_in_the_order_of_the_standard() -> None:
    header = SyncHdr(
        session_id="1",
        msg_id="2",
        target="t",
        target_name="tn",
        source="s",
        source_name="sn",
        resp_uri="r",
        cred=Cred(type="syncml:auth-md5", data="d"),
        meta=Meta(max_msg_size=1),
    )
    assert outline(syncml.encode(Message(header=header))) == (
        "SyncML(SyncHdr(VerDTD VerProto SessionID MsgID Target(LocURI LocName) "
        "Source(LocURI LocName) RespURI Cred(Meta(Format Type) Data) Meta(MaxMsgSize)) "
        "SyncBody(Final))"
    )


@pytest.mark.parametrize(
    ("own", "inherited", "is_opaque"),
    [("bin", None, True), (None, "bin", True), ("chr", "bin", False), (None, None, False)],
)
def test_binary_items_are_marked_opaque(own: str, inherited: str, is_opaque: bool) -> None:
    item = Item(meta=Meta(format=own), data=b"text")
    command = Replace(cmd_id="1", meta=Meta(format=inherited), items=(item,))
    root = syncml.encode(Message(header=HEADER, commands=(command,)))
    data = root.children[1].children[0].children[2].find("Data")
    assert data is not None
    assert data.is_opaque is is_opaque


def test_text_that_is_no_unicode_does_not_stop_a_message() -> None:
    root = syncml.encode(Message(header=HEADER, commands=(Unknown(cmd_id="\ud800", name="Own"),)))
    assert root.children[1].children[0].text("CmdID") == "?"
