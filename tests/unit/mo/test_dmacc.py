from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from scomod.errors import BadFormat, BadRequest, NotAllowed, PermissionDenied
from scomod.mo import dmacc
from scomod.mo.dmacc import Account, Credential, DmAcc
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
class Profile:
    server_id: str = SERVER
    name: str = "Example"
    address: str = "https://dm.example.com/dm"
    port: int | None = 8443
    auth_pref: str = ""
    credentials: tuple[Login, ...] = (
        Login(level="CLCRED", auth_type="DIGEST"),
        Login(level="SRVCRED", auth_type="DIGEST", name="server", data=b"other"),
    )


PROFILE = Profile()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with tree_bench(tmp_path) as made:
        made.registry.register("./DMAcc", DmAcc(made.tree))
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
    account = dmacc.add_account(bench.tree, Profile(port=None, credentials=()))
    assert (account.port, account.client, account.server) == (None, None, None)


@pytest.mark.spec("DM-STD 7.1.3.1")
def test_account_is_found_by_type_and_has_the_standard_nodes(bench: Bench) -> None:
    dmacc.add_account(bench.tree, PROFILE)

    def read(path: str) -> str:
        return bench.tree.get(f"{BASE}{path}", SERVER).value.decode()

    assert read("?prop=Type") == "urn:oma:mo:oma-dm-dmacc:1.0"
    assert read("") == "AAuthPref/AppAddr/AppAuth/AppID/Name/ServerID"
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
    again = Profile(address="https://new.example.com", port=None, credentials=())
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
        (Profile(address="dm.example.com"), BadFormat),
        (Profile(port=70000), BadFormat),
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


def test_servers_cannot_add_accounts(bench: Bench) -> None:
    with pytest.raises(NotAllowed):
        bench.tree.add("./DMAcc/mine", "A", format="node", type=None, value=None)


def test_printed_account_shows_no_secret(bench: Bench) -> None:
    text = repr(dmacc.add_account(bench.tree, PROFILE))
    assert "pass word" not in text
    assert "nonce'" not in text
