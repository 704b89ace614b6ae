# SPDX-License-Identifier: Apache-2.0
"""Conformance of sessions: packages, messages, versions (omadm §1, §2)."""

from pathlib import Path

import pytest

from scomod.codes import AlertCode
from scomod.dmclient import codec, tokens, wbxml, xmltext
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Add, Alert, Get, Message, Meta, Replace, Unknown
from scomod.dmclient.transport import ACCEPTED
from scomod.outbox import AlertItem, OutboxAlert
from tests.support import syncml_samples
from tests.support.scripted import READING, SERVER_ID, Device, Heard, Say, item, on, speaking

LEAVES = {f"./DevInfo/{name}" for name in ("DevId", "Man", "Mod", "DmV", "Lang")}
ABORT = Alert(code=AlertCode.SESSION_ABORT)
NEXT = Alert(code=AlertCode.NEXT_MESSAGE)
REPORTS = 20


def report(number: int) -> OutboxAlert:
    return OutboxAlert(
        operation_id=number,
        server_id=SERVER_ID,
        correlator=f"c-{number}",
        source="./SCOMO/Download/x",
        type="urn:oma:at:scomo:1.0:OperationComplete",
        mark="informational",
        items=(AlertItem(data="1200"),),
        created_s=0.0,
    )


def go_on(heard: Heard) -> Say:
    """Ask for more as long as the package of the device is open."""
    return Say() if heard.message.final else Say(commands=(NEXT,), final=False)


def device_information(message: Message) -> set[str]:
    """The leaves of DevInfo that a package #1 carries, each named by its Source."""
    (replace,) = [c for c in message.commands if isinstance(c, Replace)]
    assert all(leaf.target is None and leaf.data for leaf in replace.items)
    return {leaf.source or "" for leaf in replace.items}


@pytest.mark.spec("T-01")
def test_t01_client_initiated_session_begins_with_1201_and_the_device_information(
    device: Device,
) -> None:
    first = device.session().heard[0]
    header = first.message.header
    assert (header.ver_dtd, header.ver_proto, header.msg_id) == ("1.2", "DM/1.2", "1")
    assert header.source == device.value("./DevInfo/DevId")
    assert first.alerts() == [AlertCode.CLIENT_INITIATED_MANAGEMENT]
    assert device_information(first.message) == LEAVES
    assert first.message.final


@pytest.mark.spec("T-02")
def test_t02_server_initiated_session_begins_with_1200_and_the_id_of_the_notification(
    device: Device,
) -> None:
    trigger = AlertCode.SERVER_INITIATED_MANAGEMENT
    talk = device.session(trigger=trigger, session_id="1234")
    assert talk.heard[0].alerts() == [trigger]
    assert talk.heard[0].message.header.session_id == "1234"


@pytest.mark.spec("T-03")
@pytest.mark.parametrize("spoken", Encoding)
@pytest.mark.parametrize("answered", Encoding)
def test_t03_both_syntaxes_are_spoken_and_understood(
    tmp_path: Path, spoken: Encoding, answered: Encoding
) -> None:
    with Device(tmp_path, speaking(spoken)) as device:
        say = Say(commands=(on(Get, "./DevInfo/Lang"),))
        talk = device.session(say, answers_in=answered)
        assert talk.is_ok
        assert talk.heard[1].results()[0].data == b"en"
        if spoken is Encoding.WBXML:
            assert talk.heard[0].body[0] in (0x02, 0x03)
            assert talk.heard[0].body[1:4] == b"\xa4\x01\x6a"


@pytest.mark.spec("T-03")
def test_t03_string_table_and_public_identifier_as_text_are_understood() -> None:
    plain = codec.decode(syncml_samples.binary("pkg1.nostrtbl"), Encoding.WBXML, READING)
    assert codec.decode(syncml_samples.binary("pkg1"), Encoding.WBXML, READING) == plain
    name = b"-//SYNCML//DTD SyncML 1.2//EN\0"
    body = syncml_samples.binary("pkg1.nostrtbl")[5:]
    by_name = b"\x02\x00\x00\x6a" + bytes([len(name)]) + name + body
    assert codec.decode(by_name, Encoding.WBXML, READING) == plain


@pytest.mark.spec("T-04")
def test_t04_nothing_is_sent_after_an_empty_package_4(device: Device) -> None:
    talk = device.session(Say(commands=(on(Get, "./DevInfo/Man"),)), Say())
    assert talk.is_ok
    assert len(talk.heard) == 2


@pytest.mark.spec("T-04")
def test_t04_nothing_is_sent_after_an_empty_package_2(device: Device) -> None:
    talk = device.session(Say())
    assert talk.is_ok
    assert len(talk.heard) == 1


@pytest.mark.spec("T-13")
def test_t13_the_next_message_goes_to_resp_uri_and_the_account_keeps_its_address(
    device: Device,
) -> None:
    elsewhere = "https://other.example/s?id=1"
    say = Say(commands=(on(Get, "./DevInfo/Man"),), resp_uri=elsewhere)
    talk = device.session(say, Say(commands=(on(Get, "./DevInfo/Mod"),)))
    assert [heard.url for heard in talk.heard[1:]] == [elsewhere] * 2
    assert device.session().heard[0].url == talk.heard[0].url


@pytest.mark.spec("T-30")
def test_t30_a_package_in_several_messages_is_asked_for_with_1222(device: Device) -> None:
    talk = device.session(
        Say(commands=(on(Add, "./Toy/x/Text", "1"),), final=False),
        Say(commands=(on(Add, "./Toy/y/Text", "2"),), final=True),
    )
    assert talk.is_ok
    _, between, last = talk.heard
    assert between.codes() == [200]
    assert between.alerts() == [AlertCode.NEXT_MESSAGE]
    assert not between.message.final
    assert (last.codes(), last.alerts(), last.message.final) == ([200], [], True)
    assert (device.value("./Toy/x/Text"), device.value("./Toy/y/Text")) == ("1", "2")


@pytest.mark.spec("T-31")
@pytest.mark.parametrize("encoding", Encoding)
def test_t31_answers_that_do_not_fit_are_split_and_only_the_last_message_is_final(
    tmp_path: Path, encoding: Encoding
) -> None:
    limit = 3000
    with Device(tmp_path, speaking(encoding)) as device:
        for name in "abcd":
            device.put(f"./Toy/{name}/Text", value=name * 1000)
        gets = tuple(on(Get, f"./Toy/{name}/Text") for name in "abcd")
        say = Say(commands=gets, meta=Meta(max_msg_size=limit))
        talk = device.session(say, *[go_on] * 8)
    answers = talk.heard[1:]
    assert len(answers) > 1
    assert all(len(heard.body) <= limit for heard in answers)
    assert [heard.message.final for heard in answers] == [False] * (len(answers) - 1) + [True]
    assert [i.data for heard in answers for i in heard.results()] == [
        name.encode() * 1000 for name in "abcd"
    ]
    assert talk.is_ok


@pytest.mark.spec("T-34")
def test_t34_an_abort_of_the_server_ends_the_session_without_an_answer(device: Device) -> None:
    talk = device.session(Say(commands=(on(Add, "./Toy/x/Text", "1"), ABORT)))
    assert len(talk.heard) == 1
    assert not talk.is_ok


@pytest.mark.spec("T-34")
def test_t34_an_object_that_is_open_at_an_abort_is_not_written(device: Device) -> None:
    half = Add(items=(item("./Toy/x/Text", "ab", meta=Meta(size=4), more_data=True),))
    talk = device.session(Say(commands=(half,), final=False), Say(commands=(ABORT,)))
    assert talk.heard[1].codes() == [213]
    assert len(talk.heard) == 2
    assert not device.exists("./Toy/x")


@pytest.mark.spec("T-42")
@pytest.mark.parametrize(
    ("header", "code"), [({"ver_dtd": "9.9"}, 505), ({"ver_proto": "DM/9.9"}, 513)]
)
def test_t42_another_version_is_refused_with_the_versions_that_are_spoken(
    device: Device, header: dict[str, str], code: int
) -> None:
    say = Say(commands=(on(Add, "./Toy/x/Text", "1"),), header=header)
    talk = device.session(say)
    status = talk.heard[1].header_status()
    assert status.code == code
    spoken = {i.data for i in status.items}
    assert (b"1.2" if "ver_dtd" in header else b"DM/1.2") in spoken
    assert not device.exists("./Toy/x")


@pytest.mark.spec("T-43")
def test_t43_an_unknown_command_and_one_without_cmd_id_get_their_own_status(
    device: Device,
) -> None:
    heard = device.does(
        Unknown(name="Fly"),
        Unknown(name="Put"),
        Get(cmd_id="-", items=(item("./DevInfo/Man"),)),
        on(Get, "./DevInfo/Man"),
    )
    assert heard.statuses()[:2] == [("Fly", 501), ("Put", 406)]
    nameless = [c for c in heard.message.commands if getattr(c, "code", 0) == 400]
    assert [getattr(c, "cmd_ref", "") for c in nameless] == ["0"]
    assert heard.codes()[-1] == 200


# -- requirements ---------------------------------------------------------------------------


@pytest.mark.spec("R-01")
@pytest.mark.parametrize("encoding", Encoding)
def test_r01_the_common_elements_pass_both_ways(tmp_path: Path, encoding: Encoding) -> None:
    with Device(tmp_path, speaking(encoding)) as device:
        talk = device.session(Say(commands=(on(Get, "./DevInfo/Man"),)))
    for heard in talk.heard:
        syntax = wbxml if encoding is Encoding.WBXML else xmltext
        root = syntax.decode(heard.body, READING)
        header, body = root.children
        assert [child.name for child in header.children[:6]] == [
            "VerDTD", "VerProto", "SessionID", "MsgID", "Target", "Source",
        ]  # fmt: skip
        assert body.children[-1].name == "Final"
    status = talk.heard[1].header_status()
    assert (status.msg_ref, status.cmd_id) == ("1", "1")
    assert status.target_refs
    assert status.source_refs


@pytest.mark.spec("R-02")
@pytest.mark.parametrize("version", [0x01, 0x02, 0x03])
def test_r02_both_media_types_are_known_and_any_wbxml_1_is_read(version: int) -> None:
    assert set(ACCEPTED) == {encoding.value for encoding in Encoding}
    body = bytes([version]) + syncml_samples.binary("pkg1.nostrtbl")[1:]
    assert codec.decode(body, Encoding.WBXML, READING).header.ver_proto == "DM/1.2"
    assert tokens.PUBLIC_ID_1_2 == 0x1201


@pytest.mark.spec("R-06")
@pytest.mark.parametrize("encoding", Encoding)
def test_r06_meta_information_is_sent_and_the_size_of_messages_is_kept(
    tmp_path: Path, encoding: Encoding
) -> None:
    with Device(tmp_path, speaking(encoding)) as device:
        for name in "abc":
            device.put(f"./Toy/{name}/Text", value=name * 700)
        gets = tuple(on(Get, f"./Toy/{name}/Text") for name in "abc")
        talk = device.session(Say(commands=gets, meta=Meta(max_msg_size=2048, max_obj_size=5000)))
    own = talk.heard[0].message.header.meta
    assert own is not None
    assert own.max_msg_size
    assert own.max_obj_size
    assert all(len(heard.body) <= 2048 for heard in talk.heard[1:])
    (first, *_) = talk.heard[1].results()
    assert first.meta == Meta(format="chr", type="text/plain")


@pytest.mark.spec("R-08")
def test_r08_the_first_message_holds_alert_and_device_information_even_with_many_reports(
    tmp_path: Path,
) -> None:
    with Device(tmp_path, speaking(Encoding.WBXML, max_msg_bytes=2048)) as device:
        with device.records.db.transaction():
            for number in range(REPORTS):
                device.records.outbox.insert(report(number))
        talk = device.session(*[go_on] * REPORTS)
    first = talk.heard[0]
    assert first.alerts()[0] == AlertCode.CLIENT_INITIATED_MANAGEMENT
    assert device_information(first.message) == LEAVES
    assert not first.message.final
    assert sum(heard.alerts().count(1226) for heard in talk.heard) == REPORTS
    assert talk.report.alerts_delivered == REPORTS


@pytest.mark.spec("R-09")
def test_r09_no_final_before_the_final_of_the_server(device: Device) -> None:
    part = Say(commands=(on(Get, "./DevInfo/Man"),), final=False)
    talk = device.session(part, part, Say(commands=(on(Get, "./DevInfo/Mod"),)))
    assert [heard.message.final for heard in talk.heard] == [True, False, False, True]
    assert [heard.alerts() for heard in talk.heard[1:]] == [[1222], [1222], []]
    assert [heard.message.header.msg_id for heard in talk.heard] == ["1", "2", "3", "4"]


@pytest.mark.spec("R-10")
def test_r10_an_abort_of_the_device_says_1223_and_final(tmp_path: Path) -> None:
    with Device(tmp_path, speaking(Encoding.WBXML, max_messages_count=4)) as device:
        endless = Say(commands=(on(Get, "./DevInfo/Man"),))
        talk = device.session(*[endless] * 10)
    assert len(talk.heard) == 4
    assert talk.heard[-1].alerts() == [AlertCode.SESSION_ABORT]
    assert talk.heard[-1].message.final
    assert not talk.is_ok
