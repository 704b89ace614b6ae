"""./DMAcc: the accounts of DM servers (omadm §8.3).

Accounts come from bootstrap and are kept in the tree, secrets too, which no server
can read.  The account of a server belongs to it: it may read, change and delete it
(omadm §7.4, last rule), except for what identifies it.  Not here: provisioning
documents, and how credentials are used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from scomod.codes import MO_DMACC
from scomod.errors import BadFormat, BadRequest
from scomod.mo import uri
from scomod.mo.acl import Acl, Right, is_server_id
from scomod.mo.handler import Handler
from scomod.mo.registry import DMACC_ROOT
from scomod.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scomod.mo.tree import Tree

APP_ID: Final = "w7"
CLIENT_LEVEL: Final = "CLCRED"  # how we prove ourselves to the server
SERVER_LEVEL: Final = "SRVCRED"  # how the server proves itself to us
ADDRESS_TYPE: Final = "URI"
ADDRESS_SHAPE: Final = re.compile(rb"https?://[\x21-\x7e]+")
PORT_SHAPE: Final = re.compile(rb"[1-9][0-9]{0,4}")
PORT_MAX: Final = 65535


class CredentialProfile(Protocol):
    """A credential set as bootstrap gives it; `data` is the decoded nonce."""

    @property
    def level(self) -> str:
        """Return the AAuthLevel: CLCRED, SRVCRED, HTTP."""

    @property
    def auth_type(self) -> str:
        """Return the AAuthType: BASIC, DIGEST, HMAC, …."""

    @property
    def name(self) -> str:
        """Return the user or server name."""

    @property
    def secret(self) -> Secret:
        """Return the password."""

    @property
    def data(self) -> bytes:
        """Return the first nonce."""


class Profile(Protocol):
    """An account as bootstrap gives it."""

    @property
    def server_id(self) -> str:
        """Return the identifier that ACLs and notifications use."""

    @property
    def name(self) -> str:
        """Return the display name."""

    @property
    def address(self) -> str:
        """Return the URI of the server."""

    @property
    def port(self) -> int | None:
        """Return the port if the address does not say it."""

    @property
    def auth_pref(self) -> str:
        """Return the preferred AAuthType, or empty."""

    @property
    def credentials(self) -> Sequence[CredentialProfile]:
        """Return all credential sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One side's credentials: AAuthType, name, password and the next nonce (octets)."""

    auth_type: str
    name: str
    secret: Secret
    nonce: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account; `key` is its node name, `client` and `server` the credentials of each side."""

    key: str
    server_id: str
    name: str
    address: str
    port: int | None = None
    auth_pref: str = ""
    client: Credential | None = None
    server: Credential | None = None


class DmAcc(Handler):
    """Guards what a server may write into its account, and cleans up after a deleted one."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def guard_value(self, path: str, value: bytes) -> None:
        """Refuse an address or port that would cut the device off."""
        leaf = uri.name(path)
        if leaf == "Addr" and not ADDRESS_SHAPE.fullmatch(value):
            raise BadFormat("an address is an http or https URI")
        if leaf == "PortNbr" and not (PORT_SHAPE.fullmatch(value) and int(value) <= PORT_MAX):
            raise BadFormat("a port is a number up to 65535")

    def deleted(self, path: str) -> None:
        """Take the server of a deleted account out of all ACLs (omadm §7.4)."""
        self._tree.forget_servers(lambda server_id: _path(server_id) == path)


def install(tree: Tree) -> None:
    """Make the permanent node that holds the accounts."""
    tree.put(DMACC_ROOT)


def add_account(tree: Tree, profile: Profile) -> Account:
    """Make an account, or replace the one of the same server completely.

    Raises `BadRequest` for a server id that no ACL could name, `BadFormat` for an
    address or port that is none.
    """
    if not is_server_id(profile.server_id):
        raise BadRequest(f"not a server identifier: {profile.server_id!r}")
    path = _path(profile.server_id)
    values = _leaves(profile)
    guard = DmAcc(tree)
    for leaf, value in values.items():
        guard.guard_value(leaf, value.encode() if isinstance(value, str) else value)
    tree.drop(path)
    rights = Acl.granting(profile.server_id, Right.DELETE, Right.GET, Right.REPLACE)
    tree.put(path, type=MO_DMACC, acl=str(rights))
    for leaf, value in values.items():
        tree.put(f"{path}/{leaf}", value=value)
    return _account(tree, path)


def accounts(tree: Tree) -> list[Account]:
    """Return all accounts, by node name."""
    return [_account(tree, uri.join(DMACC_ROOT, key)) for key in tree.children(DMACC_ROOT)]


def by_server(tree: Tree, server_id: str) -> Account | None:
    """Return the account of a server."""
    path = _path(server_id)
    return None if tree.node(path) is None else _account(tree, path)


def set_client_nonce(tree: Tree, account: Account, nonce: bytes) -> None:
    """Keep the nonce for our next credentials."""
    _set_nonce(tree, account, CLIENT_LEVEL, nonce)


def set_server_nonce(tree: Tree, account: Account, nonce: bytes) -> None:
    """Keep the nonce that the server's next credentials must use."""
    _set_nonce(tree, account, SERVER_LEVEL, nonce)


def _path(server_id: str) -> str:
    return uri.join(DMACC_ROOT, uri.safe_name(server_id))


def _leaves(profile: Profile) -> dict[str, str | bytes]:
    """Return what the leaves of an account hold, by their path below it."""
    leaves: dict[str, str | bytes] = {
        "AppID": APP_ID,
        "ServerID": profile.server_id,
        "Name": profile.name,
        "AppAddr/1/Addr": profile.address,
        "AppAddr/1/AddrType": ADDRESS_TYPE,
        "AAuthPref": profile.auth_pref,
    }
    if profile.port is not None:
        leaves["AppAddr/1/Port/1/PortNbr"] = str(profile.port)
    for number, credential in enumerate(profile.credentials, 1):
        base = f"AppAuth/{number}"
        leaves[f"{base}/AAuthLevel"] = credential.level
        leaves[f"{base}/AAuthType"] = credential.auth_type
        leaves[f"{base}/AAuthName"] = credential.name
        leaves[f"{base}/AAuthSecret"] = credential.secret.reveal()
        leaves[f"{base}/AAuthData"] = credential.data
    return leaves


def _account(tree: Tree, path: str) -> Account:
    address = f"{path}/AppAddr/1"
    port = tree.value(f"{address}/Port/1/PortNbr")
    return Account(
        key=uri.name(path),
        server_id=tree.value(f"{path}/ServerID") or "",
        name=tree.value(f"{path}/Name") or "",
        address=tree.value(f"{address}/Addr") or "",
        port=int(port) if port else None,
        auth_pref=tree.value(f"{path}/AAuthPref") or "",
        client=_credential(tree, _credential_path(tree, path, CLIENT_LEVEL)),
        server=_credential(tree, _credential_path(tree, path, SERVER_LEVEL)),
    )


def _credential_path(tree: Tree, path: str, level: str) -> str | None:
    """Return the set to use on a level: that of the preferred type, else the first."""
    base = f"{path}/AppAuth"
    numbers = sorted(tree.children(base), key=lambda name: (len(name), name))
    found = [f"{base}/{n}" for n in numbers if tree.value(f"{base}/{n}/AAuthLevel") == level]
    preferred = tree.value(f"{path}/AAuthPref")
    liked = [each for each in found if tree.value(f"{each}/AAuthType") == preferred]
    return next(iter(liked + found), None)


def _credential(tree: Tree, path: str | None) -> Credential | None:
    if path is None:
        return None
    data = tree.node(f"{path}/AAuthData")
    return Credential(
        auth_type=tree.value(f"{path}/AAuthType") or "",
        name=tree.value(f"{path}/AAuthName") or "",
        secret=Secret(tree.value(f"{path}/AAuthSecret") or ""),
        nonce=(data.value if data else None) or b"",
    )


def _set_nonce(tree: Tree, account: Account, level: str, nonce: bytes) -> None:
    path = _credential_path(tree, uri.join(DMACC_ROOT, account.key), level)
    if path is not None:
        tree.put(f"{path}/AAuthData", value=nonce)
