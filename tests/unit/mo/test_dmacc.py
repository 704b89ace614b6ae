# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from scomod.errors import BadFormat, BadRequest, Forbidden, NotAllowed, PermissionDenied
from scomod.mo import dmacc
from scomod.mo.dmacc import Account, Credential, DmAcc, NewAccount
from scomod.secret import Secret
from tests.support.trees import Bench, tree_bench

SERVER = "com.example.dm"
BASE = f"./DMAcc/{SERVER}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    level: str
    auth_type: str
    name: str = "user"
    secret: Secret = Secret("pass word")  # noqa: RUF009 - immutable
    data: bytes = b"\x00\xffnonce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    address: str = "https://dm.example.com/dm"
    type: str = "URI"
    ports: tuple[int, ...] = (8443,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    server_id: str = SERVER
    name: str = "Example"
    addresses: tuple[Place, ...] = (Place(),)
    connections: tuple[str, ...] = ()
    auth_pref: str = ""
    credentials: tuple[Login, ...] = (
        Login(level="CLCRED", auth_type="DIGEST"),
        Login(level="SRVCRED", auth_type="DIGEST", name="server", data=b"other"),
    )


PROFILE = Profile()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with tree_bench(tmp_path) as made:
        for root in ("./DMAcc", "./SyncML/DMAcc"):
            made.registry.register(root, DmAcc(made.tree))
        dmacc.install(made.tree)
        yield made


def change(bench: Bench, path: str, value: bytes, server: str = SERVER) -> None:
    bench.tree.replace(path, server, format=None, type=None, value=value)


def test_account_comes_back_as_it_was_given(bench: Bench) -> None:
    secret = Secret("pass word")
    account = Account(
        key=SERVER,
        server_id=SERVER,
        name="Example",
        address="https://dm.example.com/dm",
        port=8443,
        client=Credential(auth_type="DIGEST", name="user", secret=secret, nonce=b"\x00\xffnonce"),
        server=Credential(auth_type="DIGEST", name="server", secret=secret, nonce=b"other"),
    )
    assert dmacc.add_account(bench.tree, PROFILE) == account
    assert dmacc.accounts(bench.tree) == [account]
    assert dmacc.by_server(bench.tree, SERVER) == account
    assert dmacc.by_server(bench.tree, "other") is None


def test_account_without_port_and_credentials(bench: Bench) -> None:
    account = dmacc.add_account(bench.tree, Profile(addresses=(Place(ports=()),), credentials=()))
    assert (account.port, account.client, account.server) == (None, None, None)


@pytest.mark.spec("DM-STD 7.1.3.1")
def test_account_is_found_by_type_and_has_the_standard_nodes(bench: Bench) -> None:
    dmacc.add_account(bench.tree, PROFILE)

    def read(path: str) -> str:
        return bench.tree.get(f"{BASE}{path}", SERVER).value.decode()

    assert read("?prop=Type") == "urn:oma:mo:oma-dm-dmacc:1.0"
    assert read("") == "AAuthPref/AppAddr/AppAuth/AppID/Ext/Name/ServerID"
    assert read("/AppID") == "w7"
    assert read("/AppAddr/1/AddrType") == "URI"
    assert read("/AppAddr/1/Port/1/PortNbr") == "8443"
    assert read("/AppAuth/2/AAuthLevel") == "SRVCRED"


@pytest.mark.spec("DM-BOOT 3.1.3.4")
def test_account_belongs_to_its_server(bench: Bench) -> None:
    dmacc.add_account(bench.tree, PROFILE)
    assert bench.tree.get(f"{BASE}?prop=ACL", SERVER).value.decode() == (
        f"Delete={SERVER}&Get={SERVER}&Replace={SERVER}"
    )
    change(bench, f"{BASE}/Name", b"New name")
    with pytest.raises(PermissionDenied):
        bench.tree.get(f"{BASE}/Name", "other")
    with pytest.raises(PermissionDenied):
        change(bench, f"{BASE}/AppAddr/1/Addr", b"https://evil.example", "other")


@pytest.mark.parametrize("leaf", ["AAuthSecret", "AAuthData"])
@pytest.mark.spec("DM-STD 7.1.3.1")
def test_secrets_are_written_but_never_read(bench: Bench, leaf: str) -> None:
    dmacc.add_account(bench.tree, PROFILE)
    path = f"{BASE}/AppAuth/1/{leaf}"
    with pytest.raises(NotAllowed):
        bench.tree.get(path, SERVER)
    with pytest.raises(NotAllowed):
        bench.tree.get(f"{path}?prop=Size", SERVER)
    change(bench, path, b"new")
    account = dmacc.by_server(bench.tree, SERVER)
    assert account is not None
    assert account.client is not None
    assert "new" in (account.client.secret.reveal(), account.client.nonce.decode("latin-1"))


@pytest.mark.parametrize("leaf", ["ServerID", "AppID", "AppAuth/1/AAuthLevel"])
def test_what_identifies_the_account_is_fixed(bench: Bench, leaf: str) -> None:
    dmacc.add_account(bench.tree, PROFILE)
    with pytest.raises(NotAllowed):
        change(bench, f"{BASE}/{leaf}", b"x")


@pytest.mark.parametrize(
    ("leaf", "value"),
    [
        ("AppAddr/1/Addr", b"ftp://x"),
        ("AppAddr/1/Addr", b""),
        ("AppAddr/1/Addr", b"https://a b"),
        ("AppAddr/1/Port/1/PortNbr", b"0"),
        ("AppAddr/1/Port/1/PortNbr", b"65536"),
        ("AppAddr/1/Port/1/PortNbr", b"80a"),
    ],
)
def test_address_that_would_cut_the_device_off_is_refused(
    bench: Bench, leaf: str, value: bytes
) -> None:
    dmacc.add_account(bench.tree, PROFILE)
    with pytest.raises(BadFormat):
        change(bench, f"{BASE}/{leaf}", value)


def test_bootstrap_of_a_known_server_replaces_its_account(bench: Bench) -> None:
    dmacc.add_account(bench.tree, PROFILE)
    dmacc.add_account(bench.tree, Profile(server_id="other"))
    again = Profile(addresses=(Place(address="https://new.example.com", ports=()),), credentials=())
    dmacc.add_account(bench.tree, again)
    found = {account.server_id: account for account in dmacc.accounts(bench.tree)}
    assert set(found) == {SERVER, "other"}
    assert found[SERVER].address == "https://new.example.com"
    assert (found[SERVER].port, found[SERVER].client) == (None, None)


@pytest.mark.parametrize(
    ("profile", "error"),
    [
        (Profile(server_id=""), BadRequest),
        (Profile(server_id="*"), BadRequest),
        (Profile(server_id="a+b"), BadRequest),
        (Profile(server_id="a b"), BadRequest),
        (Profile(addresses=(Place(address="dm.example.com"),)), BadFormat),
        (Profile(addresses=(Place(ports=(70000,)),)), BadFormat),
    ],
)
def test_profile_that_makes_no_account_leaves_the_old_one(
    bench: Bench, profile: Profile, error: type[Exception]
) -> None:
    old = dmacc.add_account(bench.tree, PROFILE)
    with pytest.raises(error):
        dmacc.add_account(bench.tree, profile)
    assert dmacc.accounts(bench.tree) == [old]


def test_server_id_that_is_no_node_name_is_found_again(bench: Bench) -> None:
    account = dmacc.add_account(bench.tree, Profile(server_id="https://dm/x?y"))
    assert "/" not in account.key
    assert dmacc.by_server(bench.tree, "https://dm/x?y") == account


def test_nonces_are_kept_apart(bench: Bench) -> None:
    account = dmacc.add_account(bench.tree, PROFILE)
    assert account.client is not None
    assert account.server is not None
    dmacc.set_client_nonce(bench.tree, account, b"c\x00")
    dmacc.set_server_nonce(bench.tree, account, b"s\xff")
    expected = replace(
        account,
        client=replace(account.client, nonce=b"c\x00"),
        server=replace(account.server, nonce=b"s\xff"),
    )
    assert dmacc.by_server(bench.tree, SERVER) == expected


def test_nonce_of_missing_credentials_is_dropped(bench: Bench) -> None:
    account = dmacc.add_account(bench.tree, Profile(credentials=()))
    dmacc.set_client_nonce(bench.tree, account, b"c")
    assert dmacc.by_server(bench.tree, SERVER) == account


def test_preferred_type_chooses_among_credentials(bench: Bench) -> None:
    logins = (
        Login(level="CLCRED", auth_type="BASIC", name="first"),
        Login(level="CLCRED", auth_type="HMAC", name="second"),
        Login(level="SRVCRED", auth_type="DIGEST", name="server"),
    )
    account = dmacc.add_account(bench.tree, Profile(auth_pref="HMAC", credentials=logins))
    assert account.client is not None
    assert account.server is not None
    assert (account.client.name, account.server.name) == ("second", "server")
    dmacc.set_client_nonce(bench.tree, account, b"new")
    again = dmacc.by_server(bench.tree, SERVER)
    assert again is not None
    assert again.client == replace(account.client, nonce=b"new")


def test_first_credentials_count_when_nothing_is_preferred(bench: Bench) -> None:
    logins = tuple(
        Login(level="CLCRED", auth_type="DIGEST", name=str(number)) for number in range(1, 12)
    )
    account = dmacc.add_account(bench.tree, Profile(credentials=logins))
    assert account.client is not None
    assert account.client.name == "1"


@pytest.mark.spec("DM-TND 8.3.7.1.4")
def test_deleted_account_takes_its_server_out_of_all_acls(bench: Bench) -> None:
    dmacc.add_account(bench.tree, PROFILE)
    bench.tree.put("./Toy", acl=f"Get=A+{SERVER}&Exec={SERVER}")
    bench.tree.delete(BASE, SERVER)
    toy = bench.tree.node("./Toy")
    assert toy is not None
    assert toy.acl == "Get=A"
    assert dmacc.accounts(bench.tree) == []


def test_printed_account_shows_no_secret(bench: Bench) -> None:
    text = repr(dmacc.add_account(bench.tree, PROFILE))
    assert "pass word" not in text
    assert "nonce'" not in text
    assert "pass word" not in repr(NewAccount(root="./DMAcc", name="x", leaves={"a": "pass word"}))


# several of everything (omadm §8.3)


@pytest.mark.spec("DM-STD 7.1.3.1")
def test_several_addresses_and_ports_are_kept_and_the_first_counts(bench: Bench) -> None:
    places = (Place(ports=(1, 2)), Place(address="2001:db8::1", type="IPv6", ports=()))
    account = dmacc.add_account(bench.tree, Profile(addresses=places))
    assert (account.address, account.port) == ("https://dm.example.com/dm", 1)
    assert bench.tree.value(f"{BASE}/AppAddr/1/Port/2/PortNbr") == "2"
    assert bench.tree.value(f"{BASE}/AppAddr/2/AddrType") == "IPv6"


@pytest.mark.parametrize(
    ("place", "url"),
    [
        (Place(address="192.0.2.1", type="IPv4"), "https://192.0.2.1"),
        (Place(address="2001:db8::1", type="IPv6"), "https://[2001:db8::1]"),
        (Place(type=""), "https://dm.example.com/dm"),
    ],
)
def test_address_of_every_type_becomes_a_url(bench: Bench, place: Place, url: str) -> None:
    assert dmacc.add_account(bench.tree, Profile(addresses=(place,))).address == url


def test_address_that_does_not_fit_its_type_makes_no_account(bench: Bench) -> None:
    place = Place(address="https://dm.example.com", type="IPv4")
    with pytest.raises(BadRequest, match="no address that can be used"):
        dmacc.add_account(bench.tree, Profile(addresses=(place,)))


@pytest.mark.spec("omadm 8.3")
def test_one_connection_is_preferred_and_several_are_a_list(bench: Bench) -> None:
    dmacc.add_account(bench.tree, Profile(connections=("NAP1",)))
    assert bench.tree.value(f"{BASE}/PrefConRef") == "NAP1"
    dmacc.add_account(bench.tree, Profile(connections=("PX", "NAP1")))
    assert bench.tree.node(f"{BASE}/PrefConRef") is None
    assert bench.tree.value(f"{BASE}/ToConRef/2/ConRef") == "NAP1"


# accounts that a server adds


def add(bench: Bench, path: str, value: bytes | None = None, server: str = SERVER) -> None:
    bench.tree.add(path, server, format="node" if value is None else None, type=None, value=value)


def add_12(bench: Bench, base: str, server_id: bytes) -> None:
    add(bench, base)
    add(bench, f"{base}/AppID", b"w7")
    add(bench, f"{base}/ServerID", server_id)
    add(bench, f"{base}/AppAddr/a/Addr", b"https://second.example")
    add(bench, f"{base}/AppAddr/a/AddrType", b"URI")
    add(bench, f"{base}/AppAuth/a/AAuthLevel", b"CLCRED")
    add(bench, f"{base}/AppAuth/a/AAuthType", b"DIGEST")
    add(bench, f"{base}/AppAuth/a/AAuthSecret", b"pw")


def test_server_adds_the_account_of_another_one_under_any_name(bench: Bench) -> None:
    add_12(bench, "./DMAcc/mine", b"second")
    account = dmacc.by_server(bench.tree, "second")
    assert account is not None
    assert (account.key, account.address) == ("mine", "https://second.example")
    assert account.client == Credential(auth_type="DIGEST", name="", secret=Secret("pw"))
    dmacc.set_client_nonce(bench.tree, account, b"n")
    changed = dmacc.by_server(bench.tree, "second")
    assert changed is not None
    assert changed.client is not None
    assert changed.client.nonce == b"n"


def test_unfinished_account_is_none_yet(bench: Bench) -> None:
    add(bench, "./DMAcc/mine")
    assert dmacc.accounts(bench.tree) == []
    add(bench, "./DMAcc/mine/ServerID", b"second")
    assert dmacc.accounts(bench.tree) == []


@pytest.mark.parametrize("path", ["./DMAcc/evil/ServerID", "./SyncML/DMAcc/evil/ServerId"])
def test_no_server_can_make_itself_another_one(bench: Bench, path: str) -> None:
    dmacc.add_account(bench.tree, PROFILE)
    with pytest.raises(Forbidden):
        add(bench, path, SERVER.encode(), server="evil")
    with pytest.raises(BadFormat):
        add(bench, path, b"*", server="evil")


def test_acl_decides_who_may_add_accounts(bench: Bench) -> None:
    dmacc.install(bench.tree, (SERVER, "second"))
    for root in ("./DMAcc", "./SyncML/DMAcc"):
        with pytest.raises(PermissionDenied):
            add(bench, f"{root}/mine", server="other")
        add(bench, f"{root}/mine")
    dmacc.install(bench.tree, ())
    with pytest.raises(PermissionDenied):
        add(bench, "./DMAcc/yours")
    dmacc.install(bench.tree, ("*",))
    add(bench, "./DMAcc/yours", server="other")


def test_renamed_account_is_found_and_keeps_its_nonces(bench: Bench) -> None:
    account = dmacc.add_account(bench.tree, PROFILE)
    bench.tree.replace(f"{BASE}?prop=Name", SERVER, format=None, type=None, value=b"renamed")
    dmacc.set_client_nonce(bench.tree, account, b"new")
    found = dmacc.by_server(bench.tree, SERVER)
    assert found is not None
    assert found.client is not None
    assert (found.key, found.client.nonce) == ("renamed", b"new")


def test_bootstrap_takes_another_name_where_one_is_taken(bench: Bench) -> None:
    add_12(bench, BASE, b"second")
    account = dmacc.add_account(bench.tree, PROFILE)
    assert account.key == f"{SERVER}-2"
    assert {each.server_id for each in dmacc.accounts(bench.tree)} == {SERVER, "second"}


@pytest.mark.spec("DM-TND 8.3.7.1.4")
def test_server_of_a_deleted_account_of_any_name_leaves_the_acls(bench: Bench) -> None:
    add_12(bench, "./DMAcc/mine", b"second")
    bench.tree.put("./Toy", acl="Get=A+second&Exec=second+mine")
    bench.tree.delete("./DMAcc/mine", SERVER)
    toy = bench.tree.node("./Toy")
    assert toy is not None
    assert toy.acl == "Get=A&Exec=mine"


# the layout of SyncML DM 1.1.2

OLD = "./SyncML/DMAcc/old"
LEAVES_11: dict[str, bytes] = {
    "Addr": b"http://old.example/dm",
    "AddrType": b"1",
    "PortNbr": b"8080",
    "ConRef": b"NAP1",
    "ServerId": b"old.example",
    "ServerPW": b"server pw",
    "ServerNonce": b"\x00s",
    "UserName": b"user",
    "ClientPW": b"client pw",
    "ClientNonce": b"\x00c",
    "AuthPref": b"syncml:auth-MAC",
    "Name": b"Old",
}
ACCOUNT_11 = Account(
    key="old",
    server_id="old.example",
    name="Old",
    address="http://old.example/dm",
    port=8080,
    auth_pref="HMAC",
    client=Credential(auth_type="HMAC", name="user", secret=Secret("client pw"), nonce=b"\x00c"),
    server=Credential(
        auth_type="HMAC", name="old.example", secret=Secret("server pw"), nonce=b"\x00s"
    ),
)


@pytest.mark.spec("omadm 8.3")
def test_account_of_dm_1_1_is_one_like_others(bench: Bench) -> None:
    for leaf, value in LEAVES_11.items():
        add(bench, f"{OLD}/{leaf}", value)
    assert dmacc.accounts(bench.tree) == [ACCOUNT_11]
    assert dmacc.by_server(bench.tree, "old.example") == ACCOUNT_11
    bench.tree.put(OLD, acl="Get=*")
    for leaf in ("ServerPW", "ServerNonce", "ClientPW", "ClientNonce"):
        with pytest.raises(NotAllowed):
            bench.tree.get(f"{OLD}/{leaf}", SERVER)
    dmacc.set_client_nonce(bench.tree, ACCOUNT_11, b"c2")
    dmacc.set_server_nonce(bench.tree, ACCOUNT_11, b"s2")
    again = dmacc.by_server(bench.tree, "old.example")
    assert again is not None
    assert again.client is not None
    assert again.server is not None
    assert (again.client.nonce, again.server.nonce) == (b"c2", b"s2")


def test_bootstrap_in_the_old_layout(bench: Bench) -> None:
    new = NewAccount(root="./SyncML/DMAcc", name="old", leaves=LEAVES_11)
    assert dmacc.put_account(bench.tree, new) == ACCOUNT_11
    assert bench.tree.get(f"{OLD}/UserName", "old.example").value == b"user"
    with pytest.raises(PermissionDenied):
        bench.tree.get(f"{OLD}/UserName", SERVER)


def test_account_moves_from_the_old_layout_to_the_new_one(bench: Bench) -> None:
    new = NewAccount(root="./SyncML/DMAcc", name="old", leaves=LEAVES_11)
    dmacc.put_account(bench.tree, new)
    made = dmacc.add_account(bench.tree, Profile(server_id="old.example"))
    assert dmacc.accounts(bench.tree) == [made]
    assert bench.tree.node(OLD) is None


def test_old_account_that_is_not_for_http_is_none(bench: Bench) -> None:
    leaves = {leaf: value for leaf, value in LEAVES_11.items() if leaf != "AuthPref"}
    with pytest.raises(BadFormat):
        add(bench, f"{OLD}/AddrType", b"2")
    for leaf, value in leaves.items():
        add(bench, f"{OLD}/{leaf}", value)
    account = dmacc.by_server(bench.tree, "old.example")
    assert account is not None
    assert account.client is not None
    assert (account.auth_pref, account.client.auth_type) == ("", "DIGEST")


# what makes no account


def test_unknown_node_of_an_account_is_refused(bench: Bench) -> None:
    leaves = {**LEAVES_11, "Colour": b"red"}
    with pytest.raises(BadRequest, match=r"an account has no node \./SyncML/DMAcc/old/Colour"):
        dmacc.put_account(bench.tree, NewAccount(root="./SyncML/DMAcc", name="old", leaves=leaves))


def test_acls_of_a_new_account_are_set(bench: Bench) -> None:
    acls = {"": "Get=*", "Name": "Replace=x"}
    new = NewAccount(root="./SyncML/DMAcc", name="old", leaves=LEAVES_11, acls=acls)
    dmacc.put_account(bench.tree, new)
    assert [getattr(bench.tree.node(path), "acl", None) for path in (OLD, f"{OLD}/Name")] == [
        "Get=*",
        "Replace=x",
    ]
