# SPDX-License-Identifier: Apache-2.0
"""./DMAcc and ./SyncML/DMAcc: accounts made, guarded and taken away (omadm §8.3).

Accounts come from bootstrap, or from a server that the ACL lets add them, and are kept
in the tree, secrets too, which no server can read.  The account of a server belongs to
it: it may read, change and delete it (omadm §7.4, last rule), except for what identifies
it.  Not here: provisioning documents; the values that others work with are `account`'s.
"""

from __future__ import annotations

import itertools
from dataclasses import field
from typing import TYPE_CHECKING, Final, Protocol

from scomod.codes import MO_DMACC
from scomod.errors import BadRequest, Forbidden
from scomod.mo import accountvalues, uri
from scomod.mo.account import (
    APP_ID,
    POLL_INTERVAL,
    POLL_WINDOWS,
    SERVER_ID_LEAVES,
    Account,
    Credential,
    accounts,
    by_server,
    paths_of,
    server_id_at,
    set_client_nonce,
    set_server_nonce,
)
from scomod.mo.acl import EVERYONE, Acl, Right, is_server_id
from scomod.mo.handler import Handler
from scomod.mo.registry import DMACC_ROOT
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scomod.mo.tree import Tree
    from scomod.secret import Secret

__all__ = [
    "Account",
    "Credential",
    "DmAcc",
    "NewAccount",
    "accounts",
    "add_account",
    "by_server",
    "install",
    "put_account",
    "set_client_nonce",
    "set_server_nonce",
]

Value = str | bytes
POLL_LEAVES: Final = (f"/{POLL_INTERVAL}", f"/{POLL_WINDOWS}")


class AddressProfile(Protocol):
    """Where a server is, as bootstrap gives it."""

    @property
    def address(self) -> str:
        """Return the URI or IP address."""

    @property
    def type(self) -> str:
        """Return the AddrType: URI, IPv4, IPv6."""

    @property
    def ports(self) -> Sequence[int]:
        """Return the ports, the first one is used."""


class CredentialProfile(Protocol):
    """A credential set as bootstrap gives it; `data` is the decoded nonce."""

    @property
    def level(self) -> str:
        """Return the AAuthLevel: CLCRED, SRVCRED, HTTP, OBEX."""

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
    def addresses(self) -> Sequence[AddressProfile]:
        """Return all addresses, at least one."""

    @property
    def connections(self) -> Sequence[str]:
        """Return references to access points and proxies."""

    @property
    def auth_pref(self) -> str:
        """Return the preferred AAuthType, or empty."""

    @property
    def credentials(self) -> Sequence[CredentialProfile]:
        """Return all credential sets."""


@frozen
class NewAccount:
    """An account as nodes: what its leaves hold and ACLs by path below it ("" is itself).

    `root` tells the layout, `name` is the node name that is wished for.
    """

    root: str
    name: str
    leaves: Mapping[str, Value] = field(repr=False)  # there are secrets among them (I19)
    acls: Mapping[str, str] = field(default_factory=dict)

    @property
    def server_id(self) -> str:
        """Return the server identifier, "" if there is none."""
        return _text(self.leaves.get(SERVER_ID_LEAVES[self.root], ""))


class DmAcc(Handler):
    """Guards what a server may write into accounts, and cleans up after a deleted one."""

    def __init__(self, tree: Tree, min_poll_s: float = 1.0) -> None:
        self._tree = tree
        self._min_poll_s = min_poll_s
        self._leaving: set[str] = set()

    def guard_value(self, path: str, value: bytes) -> None:
        """Refuse what would cut the device off, or pass one server off as another."""
        leaf = uri.name(path)
        accountvalues.check(leaf, value)
        if path.endswith(POLL_LEAVES):
            accountvalues.check_poll(leaf, value, self._min_poll_s)
        if leaf in SERVER_ID_LEAVES.values():
            taken = paths_of(self._tree, _text(value))
            if any(each != uri.parent(path) for each in taken):
                raise Forbidden(f"another account is that of server {_text(value)}")

    def guard_delete(self, path: str) -> None:
        """Note whose account is about to go: afterwards nobody can tell."""
        self._leaving.add(server_id_at(self._tree, path))

    def deleted(self, path: str) -> None:
        """Take servers that lost their last account out of all ACLs (omadm §7.4)."""
        del path
        gone = {each for each in self._leaving if each and not paths_of(self._tree, each)}
        self._leaving.clear()
        self._tree.forget_servers(lambda server_id: server_id in gone)


def install(tree: Tree, servers: Sequence[str] = (EVERYONE,)) -> None:
    """Make the permanent nodes that hold the accounts; only these servers may add some.

    "*" stands for all, and leaves the decision to the ACL of the root.
    """
    acl = "" if EVERYONE in servers else f"Add={'+'.join(servers)}&Get=*"
    for root in SERVER_ID_LEAVES:
        tree.put(root, acl=acl)
    for key in tree.children(DMACC_ROOT):
        _put_poll(tree, uri.join(DMACC_ROOT, key))


def add_account(tree: Tree, profile: Profile) -> Account:
    """Make an account from a profile; see `put_account`."""
    new = NewAccount(root=DMACC_ROOT, name=profile.server_id, leaves=_leaves(profile))
    return put_account(tree, new)


def put_account(tree: Tree, new: NewAccount) -> Account:
    """Make an account, or replace all that the same server has, completely.

    Needs a transaction of the caller, who rolls back on an error.  Raises `BadRequest`
    for a server id that no ACL could name, for a node that an account does not have,
    and if no session could be held with it; `BadFormat` for a value that is none.
    """
    server_id = new.server_id
    if not is_server_id(server_id):
        raise BadRequest(f"not a server identifier: {server_id!r}")
    for leaf, value in new.leaves.items():
        accountvalues.check(uri.name(leaf), _octets(value))
        if f"/{leaf}" in POLL_LEAVES:
            accountvalues.check_poll(uri.name(leaf), _octets(value), 1.0)
    for path in paths_of(tree, server_id):
        tree.drop(path)
    path = _free_path(tree, new)
    rights = Acl.granting(server_id, Right.DELETE, Right.GET, Right.REPLACE)
    tree.put(path, type=_TYPES.get(new.root), acl=new.acls.get("") or str(rights))
    for leaf, value in new.leaves.items():
        _put_leaf(tree, uri.join(path, leaf), value)
    if new.root == DMACC_ROOT:
        _put_poll(tree, path)
    for below, acl in new.acls.items():
        if below:
            tree.put(uri.join(path, below), acl=acl)
    made = by_server(tree, server_id)
    if made is None:
        raise BadRequest(f"the account of {server_id} has no address that can be used")
    return made


_TYPES: Final = {DMACC_ROOT: MO_DMACC}


def _put_leaf(tree: Tree, path: str, value: Value) -> None:
    if not tree.is_described(path):
        raise BadRequest(f"an account has no node {path}")
    tree.put(path, value=value)


def _put_poll(tree: Tree, path: str) -> None:
    """Make the leaves by which a server says how it is called: it may Replace, but not Add."""
    for leaf, value in ((POLL_INTERVAL, "0"), (POLL_WINDOWS, "")):
        if tree.node(f"{path}/{leaf}") is None:
            tree.put(f"{path}/{leaf}", value=value)


def _free_path(tree: Tree, new: NewAccount) -> str:
    """Return where the account goes: an account of another server keeps its name."""
    name = uri.safe_name(new.name)
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    paths = (uri.join(new.root, each) for each in names)
    return next(path for path in paths if tree.node(path) is None)


def _leaves(profile: Profile) -> dict[str, Value]:
    """Return what the leaves of an account hold, by their path below it (omadm §8.3)."""
    leaves: dict[str, Value] = {
        "AppID": APP_ID,
        "ServerID": profile.server_id,
        "Name": profile.name,
        "AAuthPref": profile.auth_pref,
    }
    for number, place in enumerate(profile.addresses, 1):
        leaves[f"AppAddr/{number}/Addr"] = place.address
        leaves[f"AppAddr/{number}/AddrType"] = place.type
        for count, port in enumerate(place.ports, 1):
            leaves[f"AppAddr/{number}/Port/{count}/PortNbr"] = str(port)
    if len(profile.connections) == 1:
        leaves["PrefConRef"] = profile.connections[0]
    elif profile.connections:
        for number, reference in enumerate(profile.connections, 1):
            leaves[f"ToConRef/{number}/ConRef"] = reference
    for number, credential in enumerate(profile.credentials, 1):
        leaves |= _credential_leaves(f"AppAuth/{number}", credential)
    return leaves


def _credential_leaves(base: str, credential: CredentialProfile) -> dict[str, Value]:
    return {
        f"{base}/AAuthLevel": credential.level,
        f"{base}/AAuthType": credential.auth_type,
        f"{base}/AAuthName": credential.name,
        f"{base}/AAuthSecret": credential.secret.reveal(),
        f"{base}/AAuthData": credential.data,
    }


def _octets(value: Value) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _text(value: Value) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
