# SPDX-License-Identifier: Apache-2.0
"""Bootstrap documents by push: who may come, who is asked for the PIN, and what waits."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scomod.enrolment import WAITING_KEY
from scomod.mo import dmacc
from scomod.parceltalk import documents
from scomod.secret import Secret
from scomod.settings import Session
from tests.support.clocks import FakeClock
from tests.support.doorsteps import GONE, IMSI, MUTE, SILENT, Person, PushedDevice, pushed

VECTORS = Path(__file__).parents[1] / "vectors"
CP = (VECTORS / "provisioning/two-credentials.wbxml").read_bytes()
TWO = (VECTORS / "provisioning/two-servers.xml").read_bytes()
DM = (VECTORS / "bootstrap/dm-inbox.wbxml").read_bytes()
OLD_DM = (VECTORS / "bootstrap/dm-plain-11.wbxml").read_bytes()
SERVER = "com.mgmtsrv.manage"
IMSI_KEY = bytes.fromhex("3901001450606404")
DAY_S, NOW_S = 86400.0, 1_800_000_000.0
BY_PIN = pushed(CP, "1", b"1234")
BY_NETWORK = pushed(CP, "0", IMSI_KEY)

Make = Callable[..., PushedDevice]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[PushedDevice] = []

    def make(**policy: Any) -> PushedDevice:
        clock = FakeClock()
        clock.advance(NOW_S)
        made.append(PushedDevice(tmp_path / str(len(made)), clock, **policy))
        return made[-1]

    yield make
    for device in made:
        device.close()


# taken


@pytest.mark.spec("omadm 9.3")
@pytest.mark.parametrize(
    ("datagram", "server_id"),
    [
        (BY_NETWORK, SERVER),
        (pushed(TWO, "0", IMSI_KEY), "first.example"),
        (pushed(OLD_DM, "0", IMSI_KEY), "old.example"),
    ],
    ids=["CP in WBXML", "CP in XML", "DM"],
)
def test_network_sealed_document_is_taken_without_a_person(
    make: Make, datagram: bytes, server_id: str
) -> None:
    device = make(imsi=IMSI)
    device.push(datagram)
    assert server_id in device.servers()
    assert server_id in device.wanted
    assert device.waiting() == 0


@pytest.mark.spec("omadm 9.3", "omadm 9.4")
@pytest.mark.parametrize(
    ("datagram", "typed"),
    [
        (BY_PIN, "1234"),
        (pushed(CP, "2", IMSI_KEY + b"1234"), "1234"),
        (pushed(CP, "3"), "1234544129"),
        (pushed(DM, "1", b"1234"), "1234"),
        (pushed(DM, "2", b"1234:" + IMSI_KEY), "1234"),
    ],
    ids=["USERPIN", "USERNETWPIN", "USERPINMAC", "DM USERPIN", "DM USERNETWPIN"],
)
def test_document_with_a_pin_is_taken_once_the_person_entered_it(
    make: Make, datagram: bytes, typed: str
) -> None:
    device = make(imsi=IMSI)
    device.push(datagram)
    assert device.servers() == set()
    person = Person(typed)
    device.greet(person)
    assert device.servers() == set(device.wanted) != set()
    assert len(person.asked) == 1
    assert device.waiting() == 0


def test_all_accounts_of_a_document_come_at_once(make: Make) -> None:
    device = make()
    device.greet(Person("77"))
    device.push(pushed(TWO, "1", b"77"))
    assert device.servers() == set(device.wanted) == {"first.example", "second.example"}


def test_person_reads_who_sent_it_for_which_server_and_how_many_tries_are_left(make: Make) -> None:
    device, person = make(pin_timeout_s=90.0), Person("1", "2", "1234")
    device.greet(person)
    device.push(BY_PIN, "sms:+4917012345")
    texts = [alert["text"] for alert in person.asked]
    assert [text.startswith("That PIN was wrong. ") for text in texts] == [False, True, True]
    assert all("sms:+4917012345" in text and SERVER in text for text in texts)
    assert [f"Tries left: {n}." in text for n, text in zip((3, 2, 1), texts, strict=True)] == [
        True
    ] * 3
    assert person.asked[0]["deadline"] == NOW_S + 90
    assert person.asked[0]["server"] == SERVER
    assert device.servers() == {SERVER}


def test_names_that_a_stranger_chose_do_not_fill_the_screen(make: Make) -> None:
    device, person = make(), Person(None)
    device.greet(person)
    names = [f"{letter}" * 1000 for letter in "abcdef"]
    device.push(pushed(document_of(*names), "1", b"1"))
    assert person.asked[0]["server"] == f"{'a' * 64}, {'b' * 64}, {'c' * 64}, {'d' * 64} and 2 more"


def document_of(*servers: str, name: str = "") -> bytes:
    """A document for these servers."""
    accounts = (
        '<characteristic type="APPLICATION"><parm name="APPID" value="w7"/>'
        f'<parm name="PROVIDER-ID" value="{each}"/><parm name="NAME" value="{name}"/>'
        '<parm name="ADDR" value="https://dm.example"/></characteristic>'
        for each in servers
    )
    return f"<wap-provisioningdoc>{''.join(accounts)}</wap-provisioningdoc>".encode()


def test_nobody_can_read_the_pin_in_the_log(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    device = make()
    device.greet(Person("987654321", "1234"))
    device.push(BY_PIN)
    assert "does not fit" in caplog.text
    assert not {"987654321", "1234"} & set(caplog.text.replace(":", " ").split())


# not taken


def test_three_wrong_pins_end_it(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    device, person = make(), Person("1", "2", "3", "1234")
    device.greet(person)
    device.push(BY_PIN)
    assert device.servers() == set()
    assert device.wanted == []
    assert len(person.asked) == 3
    assert "wrong too often" in caplog.text
    device.restart()
    device.greet(person)
    assert device.servers() == set()


def test_what_was_wrong_before_a_restart_is_counted(make: Make) -> None:
    device = make()
    device.greet(Person("1", "2", GONE))
    device.push(BY_PIN)
    device.restart()
    person = Person("3", "1234")
    device.greet(person)
    assert len(person.asked) == 1
    assert device.servers() == set()


@pytest.mark.parametrize(
    ("datagram", "said"),
    [
        (pushed(CP, ""), "there is no MAC"),
        (pushed(CP, "0", b"wrong"), "the MAC is wrong"),
        (pushed(CP, "1"), "without a MAC"),
        (pushed(TWO.replace(b'"w7"', b'"w9"'), "1", b"1234"), "no APPLICATION with APPID w7"),
        (pushed(DM[:-9], "1", b"1234"), "is not taken"),
        (pushed(TWO.replace(b"first.", b"fi st."), "1", b"1"), "not a server identifier: 'fi st."),
        (pushed(CP + bytes(4096), "1", b"1234"), "max_document_bytes"),
    ],
    ids=["no seal", "MAC", "half a seal", "no account", "cut", "name", "too large"],
)
def test_bad_document_is_dropped_and_nobody_is_asked(
    make: Make, caplog: pytest.LogCaptureFixture, datagram: bytes, said: str
) -> None:
    device, person = make(imsi=IMSI, max_document_bytes=4096), Person("1234")
    device.greet(person)
    device.push(datagram)
    assert person.asked == []
    assert device.servers() == set()
    assert device.waiting() == 0
    assert said in caplog.text


def test_document_without_a_seal_is_taken_where_that_is_configured(make: Make) -> None:
    device = make(unsigned="accept")
    device.push(pushed(CP, ""))
    assert device.servers() == {SERVER}


def test_person_who_declines_is_not_asked_again(make: Make, caplog: Any) -> None:
    device = make()
    device.greet(Person(None))
    device.push(BY_PIN)
    assert "declined" in caplog.text
    again = Person("1234")
    device.greet(again)
    assert again.asked == []
    device.push(BY_PIN)
    assert device.servers() == {SERVER}, "a document that is sent anew is another question"


# waiting for a person


def test_document_waits_for_somebody_over_restarts(make: Make) -> None:
    device = make()
    device.push(BY_PIN)
    assert not device.doorstep.is_asking
    device.restart()
    device.restart()
    device.greet(Person("1234"))
    assert device.servers() == {SERVER}
    assert device.wanted == [SERVER]


@pytest.mark.parametrize("first", [GONE, SILENT, MUTE])
def test_question_that_nobody_answered_comes_again_with_the_next_agent(
    make: Make, first: str
) -> None:
    device = make(pin_timeout_s=600.0)
    device.greet(Person(first))
    device.push(BY_PIN)
    device.settle(601)
    assert not device.doorstep.is_asking
    assert device.waiting() == 1
    device.greet(Person("1234"))
    assert device.servers() == {SERVER}


def test_one_is_asked_after_the_other_and_late_ones_line_up(make: Make) -> None:
    device, person = make(), Person(SILENT, "77", "1234")
    device.greet(person)
    device.push(pushed(DM, "1", b"1"))
    device.push(pushed(TWO, "1", b"77"))
    device.push(BY_PIN)
    assert len(person.asked) == 1
    device.settle(601)
    assert [alert["server"] for alert in person.asked[1:]] == [
        "first.example, second.example",
        SERVER,
    ]
    assert device.servers() == {"first.example", "second.example", SERVER}
    assert device.waiting() == 1


def test_same_document_twice_is_one_question(make: Make) -> None:
    device, person = make(), Person("1234")
    device.push(BY_PIN, "sms:+1")
    device.push(BY_PIN, "sms:+2")
    assert device.waiting() == 1
    device.greet(person)
    assert len(person.asked) == 1


def test_document_that_was_taken_is_not_taken_again(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    device = make(imsi=IMSI, push_existing="replace")
    device.push(BY_NETWORK)
    with device.records.db.transaction():
        account = dmacc.by_server(device.records.tree, SERVER)
        assert account is not None
        dmacc.set_server_nonce(device.records.tree, account, b"of the last session")
    device.restart()
    device.push(BY_NETWORK)
    device.greet(Person("1234"))
    device.push(BY_PIN)
    account = dmacc.by_server(device.records.tree, SERVER)
    assert account is not None
    assert account.server is not None
    assert account.server.nonce == b"of the last session"
    assert "it was taken before" in caplog.text


def test_one_document_too_many_is_dropped(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    device = make(max_waiting_count=2)
    for pin in (b"1", b"2", b"3"):
        device.push(pushed(TWO, "1", pin))
    assert device.waiting() == 2
    assert "max_waiting_count" in caplog.text


def test_document_waits_for_so_long_and_no_longer(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    device, person = make(max_waiting_s=2 * DAY_S), Person("1234")
    device.push(BY_PIN)
    device.settle(2 * DAY_S + 1)
    device.restart()
    device.greet(person)
    assert person.asked == []
    assert "max_waiting_s" in caplog.text
    assert device.waiting() == 0


def test_time_before_the_clock_was_set_does_not_count(tmp_path: Path) -> None:
    device = PushedDevice(tmp_path, max_waiting_s=2 * DAY_S)
    device.push(BY_PIN)
    device.clock.now_s = NOW_S
    device.restart()
    assert device.waiting() == 1
    device.settle(2 * DAY_S)
    device.restart()
    assert device.waiting() == 0
    device.close()


def no_room(device: PushedDevice) -> None:
    (pages,) = device.records.db.execute("PRAGMA page_count").fetchone()
    device.records.db.execute(f"PRAGMA max_page_count={pages}")


def room(device: PushedDevice) -> None:
    device.records.db.execute(f"PRAGMA max_page_count={1 << 30}")


def test_document_for_which_there_is_no_room_is_lost_and_the_log_says_so(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    device = make()
    no_room(device)
    device.push(pushed(TWO + b" " * 20000, "1", b"1"))
    assert device.waiting() == 0
    assert "document from sms:+4917012345 is lost: " in caplog.text
    room(device)
    device.greet(Person("1234"))
    device.push(BY_PIN)
    assert device.servers() == {SERVER}


def test_document_waits_where_there_is_no_room_for_its_accounts(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    device, person = make(), Person("1234", "1234")
    device.push(BY_PIN)
    person.hear = lambda word: no_room(device) if word == "asked" else None
    device.greet(person)
    assert "until they are asked about again" in caplog.text
    assert (device.servers(), device.waiting()) == (set(), 1)
    person.hear = lambda _: None
    room(device)
    device.greet(person)
    assert (device.servers(), device.waiting()) == ({SERVER}, 0)


# waiting for the IMSI


def test_document_waits_until_the_imsi_is_known(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    device, person = make(), Person("1234")
    device.greet(person)
    device.push(BY_NETWORK)
    device.push(pushed(OLD_DM, "2", b"1234:" + IMSI_KEY))
    assert "until the IMSI is known: [bootstrap] imsi, or a modem tells it" in caplog.text
    assert person.asked == []
    device.restart()
    assert device.servers() == set()
    device.modem_imsi = IMSI
    device.greet(person)
    assert device.servers() == {SERVER, "old.example"}


def test_modem_that_goes_while_the_pin_is_asked_for_leaves_the_document(make: Make) -> None:
    device, person = make(), Person("1234", "1234")
    device.modem_imsi = IMSI
    person.hear = lambda _: setattr(device, "modem_imsi", "")
    device.greet(person)
    device.push(pushed(CP, "2", IMSI_KEY + b"1234"))
    assert (device.servers(), device.waiting()) == (set(), 1)
    person.hear = lambda _: None
    device.modem_imsi = IMSI
    device.greet(person)
    assert device.servers() == {SERVER}


def test_what_waits_can_be_asked_for(make: Make) -> None:
    device = make(max_waiting_s=DAY_S)
    device.push(BY_PIN, "sms:+1")
    device.push(BY_NETWORK, "192.0.2.1:9200")
    found = [each.record() for each in documents(device.records.db, WAITING_KEY, DAY_S)]
    assert [(each["why"], each["since"], each["until"]) for each in found] == [
        ("document", NOW_S, NOW_S + DAY_S)
    ] * 2
    assert found[0]["text"].startswith("A bootstrap document from sms:+1 waits since ")
    assert "a person with its PIN" in found[0]["text"]
    assert "for the IMSI: [bootstrap] imsi, or a modem; it is" in found[1]["text"]


def test_configured_imsi_goes_before_that_of_the_modem(make: Make) -> None:
    device = make(imsi=IMSI)
    device.modem_imsi = "262010000000000"
    device.push(BY_NETWORK)
    assert device.servers() == {SERVER}


# who may come


@pytest.mark.parametrize(
    ("servers", "taken"),
    [(("*",), True), ((SERVER, "x"), True), (("x",), False), ((), False)],
    ids=["all", "named", "another", "nobody"],
)
def test_only_servers_that_may_come_by_push_do(
    make: Make, servers: tuple[str, ...], *, taken: bool
) -> None:
    device, person = make(push_servers=servers), Person("1234")
    device.greet(person)
    device.push(BY_PIN)
    assert device.servers() == ({SERVER} if taken else set())
    assert len(person.asked) == taken


def test_document_with_one_server_too_many_is_not_taken_at_all(make: Make) -> None:
    device = make(push_servers=("first.example",))
    device.greet(Person("1"))
    device.push(pushed(TWO, "1", b"1"))
    assert device.servers() == set()
    assert device.waiting() == 0


@pytest.mark.parametrize(
    ("existing", "datagram", "is_replaced"),
    [
        ("refuse", BY_PIN, False),
        ("refuse", BY_NETWORK, False),
        ("pin", BY_PIN, True),
        ("pin", BY_NETWORK, False),
        ("replace", BY_PIN, True),
        ("replace", BY_NETWORK, True),
    ],
)
def test_account_that_is_there_is_replaced_as_policy_says(
    make: Make, existing: str, datagram: bytes, *, is_replaced: bool
) -> None:
    device, person = make(imsi=IMSI, push_existing=existing), Person("1234")
    given(device)
    device.greet(person)
    device.push(datagram)
    account = dmacc.by_server(device.records.tree, SERVER)
    assert account is not None
    assert (account.name == "given") != is_replaced
    assert len(person.asked) == (is_replaced and datagram == BY_PIN)


def given(device: PushedDevice) -> None:
    """The server has an account already, with what its sessions taught."""
    device.enrolment.document(document_of(SERVER, name="given"), "", "", Secret(""))
    device.wanted.clear()
    with device.records.db.transaction():
        for key in ("pending-nonce", "nonce-resync", "auth-type"):
            device.records.db.set_meta(f"{key}:{SERVER}", "syncml:auth-basic")


def test_replaced_account_begins_anew_and_its_server_keeps_what_is_elsewhere(make: Make) -> None:
    device = make(imsi=IMSI, push_existing="replace")
    given(device)
    tree = device.records.tree
    with device.records.db.transaction():
        tree.put("./DMAcc", acl=f"Add={SERVER}&Get=*")
    device.push(BY_NETWORK)
    account = tree.node(f"./DMAcc/{SERVER}")
    others = tree.node("./DMAcc")
    assert account is not None
    assert others is not None
    assert (account.acl.count(SERVER), others.acl) == (3, f"Add={SERVER}&Get=*")
    kept = (device.records.db.meta(f"{k}:{SERVER}") for k in ("pending-nonce", "auth-type"))
    assert not any(kept)
    assert device.wanted == [SERVER]


def test_account_made_while_the_pin_was_asked_for_counts(make: Make) -> None:
    device, person = make(imsi=IMSI), Person("1234")
    person.hear = lambda word: given(device) if word == "asked" else None
    device.greet(person)
    device.push(BY_PIN)
    account = dmacc.by_server(device.records.tree, SERVER)
    assert account is not None
    assert account.name == "given"


def test_longest_pin_is_that_of_every_typed_text(make: Make) -> None:
    device, person = make(), Person(None)
    device.greet(person)
    device.push(BY_PIN)
    assert person.asked[0]["max_length"] == Session().max_input_count
    assert json.dumps(dict(person.asked[0]))
