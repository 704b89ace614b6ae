# SPDX-License-Identifier: Apache-2.0
"""Conformance of what reaches a device from outside of sessions (omadm §9, §10)."""

import dataclasses
import hashlib
import hmac
from pathlib import Path

import pytest

from scomod.codes import AlertCode
from scomod.dmclient import auth, codec, provisioning, xmltext
from scomod.dmclient.auth import AuthType
from scomod.dmclient.bootstrap import Bootstrap, Enrolled, NotTrusted, Parcel
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Add, Get, Item, Message, Meta, SyncHdr
from scomod.enrolment import Enrolment
from scomod.errors import ScomodError
from scomod.records import Records
from scomod.secret import Secret
from scomod.settings import Paths, Settings
from scomod.wishes import Wish
from tests.support.clocks import FakeClock
from tests.support.ringing import PUSH_HEAD, Hall, Person, notification, trigger
from tests.support.scripted import (
    CLIENT_NAME,
    CLIENT_SECRET,
    READING,
    SERVER_ID,
    Device,
    Say,
    challenge,
    for_server,
    on,
)
from tests.support.tnds_text import document, node

IMSI, PIN = "310004105064640", Secret("1234")
IMSI_OCTETS = bytes.fromhex("3901001450606404")
CP = (Path(__file__).parents[1] / "vectors/provisioning/two-credentials.wbxml").read_bytes()
CP_SERVER = "com.mgmtsrv.manage"


def rung(device: Device, *datagrams: bytes) -> list[Wish]:
    """What a device with a willing person wants after these datagrams."""
    hall = Hall(device, FakeClock(), Person())
    try:
        hall.hear(*datagrams)
    finally:
        hall.end()
    return hall.wishes


GOOD = notification(b"server nonce", trigger())


@pytest.mark.spec("T-37")
@pytest.mark.parametrize("ui_mode", [0, 1, 2, 3])
def test_t37_a_genuine_notification_asks_for_its_session(device: Device, ui_mode: int) -> None:
    body = notification(b"server nonce", trigger(ui_mode=ui_mode))
    (wish,) = rung(device, PUSH_HEAD + body)
    assert (wish.server_id, wish.session_id) == (SERVER_ID, "1234")
    assert wish.trigger == AlertCode.SERVER_INITIATED_MANAGEMENT


@pytest.mark.spec("T-37")
@pytest.mark.parametrize(
    "datagram",
    [
        PUSH_HEAD + notification(b"another nonce", trigger()),
        PUSH_HEAD + notification(b"server nonce", trigger("unknown.example")),
        PUSH_HEAD + GOOD[:-1],
        PUSH_HEAD + notification(b"server nonce", b"\xff" * 8 + SERVER_ID.encode()),
        bytes.fromhex("000603c2af87") + GOOD,
        bytes.fromhex("000603c4af85") + GOOD,
        b"",
    ],
    ids=["digest", "server", "cut", "version", "content type", "application", "empty"],
)
def test_t37_a_bad_notification_is_dropped(device: Device, datagram: bytes) -> None:
    assert rung(device, datagram) == []


@pytest.mark.spec("T-37")
def test_t37_a_repeated_notification_means_one_session_also_after_a_restart(
    device: Device,
) -> None:
    assert len(rung(device, PUSH_HEAD + GOOD, PUSH_HEAD + GOOD)) == 1
    device.restart()
    assert rung(device, PUSH_HEAD + GOOD) == []


@pytest.mark.spec("T-12")
def test_t12_a_notification_is_judged_by_the_nonce_of_the_last_session(device: Device) -> None:
    device.session(Say(commands=(on(Get, "./DevInfo/Man"),)), Say())
    assert device.server_nonce == b"fresh nonce 1"
    fresh = notification(b"fresh nonce 1", trigger())
    assert len(rung(device, PUSH_HEAD + fresh)) == 1


# -- client provisioning ----------------------------------------------------------------------

# SEC: the key, after the table of omadm §9.3
KEYS = {"0": IMSI_OCTETS, "1": b"1234", "2": IMSI_OCTETS + b"1234"}


class Bare:
    """A device without accounts."""

    def __init__(self, root: Path) -> None:
        policy = dataclasses.replace(Settings().bootstrap, imsi=IMSI)
        self.settings = dataclasses.replace(Settings(), bootstrap=policy)
        self.records = Records(self.settings, Paths(root))
        self.enrolled: list[Enrolled] = []
        self.bootstrap = Bootstrap(
            self.records.db, self.records.tree, self.settings, self.enrolled.extend
        )

    @property
    def accounts(self) -> list[str]:
        return self.records.tree.children("./DMAcc")

    def value(self, path: str) -> str | None:
        return self.records.tree.value(path)


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    return Bare(tmp_path)


def mac(key: bytes, document: bytes) -> str:
    return hmac.new(key, document, hashlib.sha1).hexdigest().upper()


@pytest.mark.spec("T-38")
@pytest.mark.parametrize("sec", ["0", "1", "2"])
def test_t38_a_sealed_profile_makes_an_account_with_its_rights(bare: Bare, sec: str) -> None:
    bare.bootstrap.take(Parcel(document=CP, sec=sec, mac=mac(KEYS[sec], CP)), PIN)
    assert bare.accounts == [CP_SERVER]
    top = f"./DMAcc/{CP_SERVER}"
    assert (bare.value(f"{top}/AppID"), bare.value(f"{top}/ServerID")) == ("w7", CP_SERVER)
    levels = {bare.value(f"{top}/AppAuth/{n}/AAuthLevel") for n in "12"}
    assert levels == {"CLCRED", "SRVCRED"}
    account = bare.records.tree.node(top)
    assert account is not None
    assert set(account.acl.split("&")) == {f"{r}={CP_SERVER}" for r in ("Get", "Replace", "Delete")}


@pytest.mark.spec("T-38")
def test_t38_user_pin_mac_carries_the_check_in_what_is_typed(bare: Bare) -> None:
    digits = "".join(str(octet % 10) for octet in hmac.new(b"12345", CP, hashlib.sha1).digest()[:5])
    with pytest.raises(NotTrusted):
        bare.bootstrap.take(Parcel(document=CP, sec="3"), Secret("1234500000"))
    bare.bootstrap.take(Parcel(document=CP, sec="3"), Secret("12345" + digits))
    assert bare.accounts == [CP_SERVER]


@pytest.mark.spec("T-38")
@pytest.mark.parametrize(
    "parcel",
    [
        Parcel(document=CP, sec="0", mac="0" * 40),
        Parcel(document=CP, sec="1", mac=mac(b"4321", CP)),
        Parcel(document=CP + b"\0", sec="0", mac=mac(IMSI_OCTETS, CP)),
        Parcel(document=CP),
    ],
    ids=["wrong MAC", "wrong PIN", "changed", "no SEC"],
)
def test_t38_a_profile_that_is_not_proven_is_rejected(bare: Bare, parcel: Parcel) -> None:
    with pytest.raises(ScomodError):
        bare.bootstrap.take(parcel, PIN)
    assert bare.accounts == []


# -- DM profile -------------------------------------------------------------------------------


def account(name: str, server_id: str, reference: str = "") -> str:
    return node(
        name,
        node("AppID", value="w7"),
        node("ServerID", value=server_id),
        node("PrefConRef", value=reference),
        node("AppAddr", node("1", node("Addr", value=f"https://{server_id}/dm"))),
        kind="urn:oma:mo:oma-dm-dmacc:1.0",
        acl=f"Get={server_id}",
    )


def dm_profile(*accounts: str) -> bytes:
    """A WBXML message with one TNDS for the Inbox."""
    tree = xmltext.decode(document(*accounts).encode(), READING)
    meta = Meta(format="xml", type="application/vnd.syncml.dmtnds+wbxml")
    add = Add(cmd_id="1", items=(Item(target="./Inbox", meta=meta, tree=tree),))
    header = SyncHdr(session_id="0", msg_id="0", target="IMEI:1", source="op.example")
    return codec.encode(Message(header=header, commands=(add,)), Encoding.WBXML)


@pytest.mark.spec("T-39")
def test_t39_objects_for_the_inbox_are_placed_and_references_follow(bare: Bare) -> None:
    body = dm_profile(account("A", "a.example", "./Inbox/B"), account("B", "b.example"))
    bare.bootstrap.take(Parcel(document=body, sec="0", mac=mac(IMSI_OCTETS, body)), PIN)
    places = {bare.value(f"./DMAcc/{name}/ServerID"): name for name in bare.accounts}
    assert set(places) == {"a.example", "b.example"}
    reference = bare.value(f"./DMAcc/{places['a.example']}/PrefConRef")
    assert reference == f"./DMAcc/{places['b.example']}"
    top = bare.records.tree.node(f"./DMAcc/{places['a.example']}")
    assert top is not None
    assert top.acl == "Get=a.example"
    assert {each.server_id for each in bare.enrolled} == {"a.example", "b.example"}


@pytest.mark.spec("T-39")
def test_t39_a_new_account_wants_a_session_of_the_client(bare: Bare) -> None:
    wanted: list[str] = []
    records = bare.records
    enrolment = Enrolment(records.db, records.tree, bare.settings, wanted.append)
    body = dm_profile(account("A", "a.example"))
    enrolment.document(body, "0", mac(IMSI_OCTETS, body), PIN)
    assert wanted == ["a.example"]


# -- requirements -----------------------------------------------------------------------------


@pytest.mark.spec("R-29")
def test_r29_the_id_of_the_session_is_written_in_hexadecimal_without_zeros(
    device: Device,
) -> None:
    body = notification(b"server nonce", trigger(session=0x000A))
    (wish,) = rung(device, PUSH_HEAD + body)
    assert wish.session_id == "A"
    assert device.settings.notification.udp_port == 2948


@pytest.mark.spec("R-30")
def test_r30_a_server_that_lost_its_nonce_may_begin_with_zeros(tmp_path: Path) -> None:
    with Device(tmp_path, for_server(nonce_resync=True)) as device:
        assert len(rung(device, PUSH_HEAD + notification(bytes(4), trigger()))) == 1
        fresh = challenge(AuthType.MD5, b"n")
        first = Say(nonce=bytes(4), chal=fresh, commands=(on(Get, "./DevInfo/Man"),))
        talk = device.session(first)
        ours = talk.heard[0].message.header.cred
        assert ours is not None
        assert ours.data == auth.md5(CLIENT_NAME, CLIENT_SECRET, bytes(4))
        assert talk.heard[1].header_status().code == 212
        again = device.session(Say(nonce=bytes(4), commands=(on(Get, "./DevInfo/Man"),)))
        assert again.heard[1].header_status().code == 401, "zeros are good for one session"


@pytest.mark.spec("R-30")
def test_r30_zeros_are_refused_unless_configured_and_only_now_and_then(tmp_path: Path) -> None:
    zeros = [notification(bytes(4), trigger(session=number)) for number in (1, 2)]
    with Device(tmp_path / "strict") as strict:
        assert rung(strict, *zeros) == []
    with Device(tmp_path / "lenient", for_server(nonce_resync=True)) as lenient:
        assert [wish.session_id for wish in rung(lenient, *zeros)] == ["1"]


@pytest.mark.spec("R-31")
def test_r31_a_w7_application_becomes_an_account(bare: Bare) -> None:
    (profile,) = provisioning.parse(CP)
    assert profile.server_id == CP_SERVER
    bare.bootstrap.take(Parcel(document=CP, is_local=True))
    assert bare.value(f"./DMAcc/{CP_SERVER}/AppAddr/1/AddrType") == "URI"
    assert bare.enrolled == [Enrolled(server_id=CP_SERVER)]


@pytest.mark.spec("R-32")
@pytest.mark.parametrize(
    ("sec", "key"),
    [
        ("NETWORKID", IMSI_OCTETS),
        ("USERPIN", b"1234"),
        ("USERPIN_NETWORKID", b"1234:" + IMSI_OCTETS),
    ],
)
def test_r32_a_dm_message_is_taken_with_either_seal(bare: Bare, sec: str, key: bytes) -> None:
    body = dm_profile(account("A", "a.example"))
    with pytest.raises(ScomodError):
        bare.bootstrap.take(Parcel(document=body, sec=sec, mac=mac(b"wrong", body)), PIN)
    bare.bootstrap.take(Parcel(document=body, sec=sec, mac=mac(key, body)), PIN)
    assert len(bare.accounts) == 1


@pytest.mark.spec("R-34")
def test_r34_nobody_is_answered(bare: Bare) -> None:
    """Bootstrap has no transport to answer with: the session that follows is another thing."""
    body = dm_profile(account("A", "a.example"))
    found = bare.bootstrap.take(Parcel(document=body, sec="0", mac=mac(IMSI_OCTETS, body)), PIN)
    assert [each.server_id for each in found] == ["a.example"]
    assert not bare.records.outbox.waiting()
