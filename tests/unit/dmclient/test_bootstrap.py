# SPDX-License-Identifier: Apache-2.0
"""Bootstrap documents of both profiles: who may send them, and what they make of the tree."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from scomod.dmclient import seal
from scomod.dmclient.bootstrap import (
    Bootstrap,
    Enrolled,
    NotTrusted,
    Parcel,
    WrongPin,
)
from scomod.dmclient.provisioning import BadProfile
from scomod.dmclient.seal import BadSeal, Method, Profile
from scomod.errors import CommandError, LimitExceeded, ProtocolError, ScomodError
from scomod.mo import dmacc
from scomod.records import Records
from scomod.secret import Secret
from scomod.settings import Paths, Settings

VECTORS = Path(__file__).parents[2] / "vectors"
IMSI = "310004105064640"
PIN = Secret("1234")
CP = (VECTORS / "provisioning/two-credentials.wbxml").read_bytes()
TWO = (VECTORS / "provisioning/two-servers.xml").read_bytes()
PLAIN = (VECTORS / "bootstrap/dm-plain-11.wbxml").read_bytes()
INBOX = (VECTORS / "bootstrap/dm-inbox.wbxml").read_bytes()
DEFAULTS = Settings()


class Device:
    """The records of one device and the bootstrap that writes them."""

    def __init__(self, root: Path, **policy: Any) -> None:
        settings = replace(DEFAULTS, bootstrap=replace(DEFAULTS.bootstrap, **policy))
        self.records = Records(settings, Paths(root))
        self.tree = self.records.tree
        self.heard: list[Enrolled] = []
        self.bootstrap = Bootstrap(self.records.db, self.tree, settings, self.heard.extend)

    def apply(self, document: bytes) -> list[Enrolled]:
        return self.bootstrap.take(Parcel(document=document, is_local=True))

    def servers(self) -> set[str]:
        return {account.server_id for account in dmacc.accounts(self.tree)}

    def nodes(self) -> dict[str, bytes | None]:
        """Everything in the tree."""
        found: dict[str, bytes | None] = {}
        waiting = ["."]
        while waiting:
            path = waiting.pop()
            node = self.tree.node(path)
            assert node is not None
            found[path] = node.value
            waiting += [f"{path}/{name}" for name in self.tree.children(path)]
        return found


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    made = Device(tmp_path, imsi=IMSI)
    yield made
    made.records.db.close()


def sealed(
    document: bytes, method: Method, pin: Secret = PIN, kind: Profile = Profile.CP
) -> Parcel:
    mac = seal.mac_of(seal.key_of(method, kind, IMSI, pin), document)
    return Parcel(document=document, sec=method.value, mac=mac)


# client provisioning


@pytest.mark.spec("T-38")
@pytest.mark.parametrize("method", [Method.NETWPIN, Method.USERPIN, Method.USERNETWPIN])
def test_sealed_document_makes_an_account_that_belongs_to_its_server(
    device: Device, method: Method
) -> None:
    assert device.bootstrap.take(sealed(CP, method), PIN) == [
        Enrolled(server_id="com.mgmtsrv.manage")
    ]
    node = device.tree.node("./DMAcc/com.mgmtsrv.manage")
    assert node is not None
    rights = "Delete={0}&Get={0}&Replace={0}".format("com.mgmtsrv.manage")
    assert node.acl == rights
    account = dmacc.by_server(device.tree, "com.mgmtsrv.manage")
    assert account is not None
    assert account.client is not None
    assert account.server is not None
    assert (account.client.name, account.server.nonce) == ("dev1", bytes(4))


@pytest.mark.spec("T-38")
def test_user_pin_mac_document_makes_an_account(device: Device) -> None:
    parcel = Parcel(document=CP, sec="3")
    with pytest.raises(WrongPin):
        device.bootstrap.take(parcel, Secret("1234544128"))
    assert device.bootstrap.take(parcel, Secret("1234544129"))


@pytest.mark.spec("T-38")
def test_wrong_mac_is_discarded(device: Device) -> None:
    before = device.nodes()
    with pytest.raises(NotTrusted, match="the MAC is wrong"):
        device.bootstrap.take(replace(sealed(CP, Method.NETWPIN), mac="0" * 40))
    with pytest.raises(WrongPin):
        device.bootstrap.take(sealed(CP, Method.USERPIN), Secret("4321"))
    with pytest.raises(BadSeal):
        device.bootstrap.take(Parcel(document=CP, sec="9", mac="00", is_local=True))
    assert device.nodes() == before


def test_network_seal_without_an_imsi_says_what_to_do(tmp_path: Path) -> None:
    device = Device(tmp_path)
    with pytest.raises(NotTrusted, match=r"set \[bootstrap\] imsi"):
        device.bootstrap.take(sealed(CP, Method.NETWPIN))
    device.records.db.close()


@pytest.mark.spec("T-38")
def test_without_a_mac_only_local_documents_are_taken(device: Device) -> None:
    with pytest.raises(NotTrusted, match='unsigned is "refuse"'):
        device.bootstrap.take(Parcel(document=CP))
    assert device.bootstrap.take(Parcel(document=CP, is_local=True))


def test_policy_may_accept_documents_without_a_mac(tmp_path: Path) -> None:
    device = Device(tmp_path, unsigned="accept")
    assert device.bootstrap.take(Parcel(document=CP))
    device.records.db.close()


def test_seal_of_a_local_document_counts_too(device: Device) -> None:
    with pytest.raises(NotTrusted):
        device.bootstrap.take(Parcel(document=CP, sec="0", mac="0" * 40, is_local=True))


def test_init_asks_for_a_session(device: Device) -> None:
    assert [each.asks_session for each in device.apply(TWO)] == [True, False]
    assert [each.server_id for each in device.heard] == ["first.example", "second.example"]


def test_document_larger_than_the_limit_is_refused_by_name(tmp_path: Path) -> None:
    device = Device(tmp_path, max_document_bytes=1024)
    with pytest.raises(LimitExceeded, match=r"bootstrap\.max_document_bytes"):
        device.apply(CP + bytes(1024))
    device.records.db.close()


def test_second_account_that_is_bad_takes_the_first_with_it(device: Device) -> None:
    device.apply(CP)
    before = device.nodes()
    bad = TWO.replace(b'value="second.example"', b'value="second example"')
    with pytest.raises(CommandError, match="not a server identifier"):
        device.apply(bad)
    assert device.nodes() == before


# DM messages


@pytest.mark.spec("omadm 9.4")
def test_plain_nodes_of_dm_1_1_make_an_account(device: Device) -> None:
    assert device.apply(PLAIN) == [Enrolled(server_id="old.example")]
    account = dmacc.by_server(device.tree, "old.example")
    assert account is not None
    assert (account.key, account.address, account.port) == ("Old", "http://old.example/dm", 8080)
    assert account.client is not None
    assert account.server is not None
    assert (account.client.name, account.client.nonce) == ("user", bytes((4, 5, 6, 7)))
    assert (account.server.secret, account.server.nonce) == (Secret("spw"), bytes((0, 1, 2, 3)))


@pytest.mark.spec("T-39")
def test_tnds_for_the_inbox_makes_an_account(device: Device) -> None:
    assert device.apply(INBOX) == [Enrolled(server_id="com.operatorx.dm")]
    account = dmacc.by_server(device.tree, "com.operatorx.dm")
    assert account is not None
    assert (account.key, account.address, account.port) == (
        "OperatorX",
        "https://dm.operatorx.example/dm",
        443,
    )
    assert account.client is not None
    assert (account.client.name, account.client.nonce) == ("dev1", bytes((0, 1, 2, 3)))
    node = device.tree.node("./DMAcc/OperatorX")
    assert node is not None
    assert node.acl == "Get=com.operatorx.dm&Replace=com.operatorx.dm"
    assert device.tree.children("./Inbox") == []


@pytest.mark.spec("omadm 9.4")
@pytest.mark.parametrize("document", [PLAIN, INBOX])
def test_sealed_message_is_taken_with_the_keys_of_the_dm_profile(
    device: Device, document: bytes
) -> None:
    for method in (Method.NETWPIN, Method.USERPIN, Method.USERNETWPIN):
        assert device.bootstrap.take(sealed(document, method, kind=Profile.DM), PIN)
    with pytest.raises(WrongPin):
        device.bootstrap.take(sealed(document, Method.USERNETWPIN, kind=Profile.CP), PIN)


def test_same_server_keeps_one_account_whatever_brings_it(device: Device) -> None:
    device.apply(INBOX)
    device.apply(INBOX)
    assert device.tree.children("./DMAcc") == ["OperatorX"]
    device.apply(CP.replace(b"com.mgmtsrv.manage", b"com.operatorx.dm"))
    assert device.tree.children("./DMAcc") == ["com.operatorx.dm"]
    assert device.servers() == {"com.operatorx.dm"}


def test_message_without_an_account_is_refused(device: Device) -> None:
    before = device.nodes()
    nothing = PLAIN.replace(b"./SyncML/DMAcc/", b"./SyncML/Other/")
    with pytest.raises(BadProfile, match="no DM account in the message"):
        device.apply(nothing)
    assert device.nodes() == before


def test_message_with_a_node_that_no_account_has_leaves_nothing_behind(device: Device) -> None:
    before = device.nodes()
    with pytest.raises(CommandError):
        device.apply(PLAIN.replace(b"Old/UserName", b"Old/UserNome"))
    assert device.nodes() == before


@pytest.mark.parametrize("text", [b"", b"\x02", b"\x02\xa4\x01\x6a\x00", b"rubbish", b"<SyncML/>"])
def test_what_is_no_document_is_refused(device: Device, text: bytes) -> None:
    with pytest.raises(ProtocolError):
        device.apply(text)


# anything at all


@profile(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_document_is_taken_whole_or_not_at_all(device: Device, data: st.DataObject) -> None:
    document = bytearray(data.draw(st.sampled_from([CP, PLAIN, INBOX])))
    for _ in range(data.draw(st.integers(1, 3))):
        document[data.draw(st.integers(0, len(document) - 1))] = data.draw(st.integers(0, 255))
    before = device.nodes()
    try:
        device.apply(bytes(document))
    except ScomodError:
        assert device.nodes() == before
    else:
        assert device.servers()


def test_printed_parcel_shows_no_secret() -> None:
    assert "pw2" not in repr(Parcel(document=CP))
