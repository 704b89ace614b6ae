# SPDX-License-Identifier: Apache-2.0
"""Accounts of DM servers as values, read from the tree in either layout (omadm §8.3).

The layouts: ./DMAcc of OMA DM 1.2 and ./SyncML/DMAcc of SyncML DM 1.1.2.  What is not
complete, because a server has only begun to add it, is no account.  Not here: making
accounts and guarding them (`dmacc`), and how credentials are used.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Final

from scomod.mo import accountvalues, uri
from scomod.mo.registry import DMACC11_ROOT, DMACC_ROOT
from scomod.secret import Secret
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scomod.mo.tree import Tree

APP_ID: Final = "w7"
CLIENT_LEVEL: Final = "CLCRED"  # how we prove ourselves to the server
SERVER_LEVEL: Final = "SRVCRED"  # how the server proves itself to us
HTTP_LEVEL: Final = "HTTP"  # how we prove ourselves to the web server before it
HTTP_SCHEMES: Final = ("http://", "https://")
HTTP_11: Final = "1"  # AddrType of the older layout
# AuthPref of the older layout -> AAuthType of the newer one
AUTH_PREFS: Final = {
    "syncml:auth-basic": "BASIC",
    "syncml:auth-md5": "DIGEST",
    "syncml:auth-mac": "HMAC",
}
POLL_INTERVAL: Final = "Ext/Poll/Interval"
POLL_WINDOWS: Final = "Ext/Poll/Windows"
SERVER_ID_LEAVES: Final = {DMACC_ROOT: "ServerID", DMACC11_ROOT: "ServerId"}


@frozen
class Credential:
    """One side's credentials: AAuthType, name, password and the next nonce (octets)."""

    auth_type: str
    name: str
    secret: Secret
    nonce: bytes = field(default=b"", repr=False)


@frozen
class Account:
    """One account; `key` is its node name, `client` and `server` the credentials of each side.

    `http` are ours towards the web server, apart from those of the messages.
    `address` is the first URL that HTTP can use, `port` the first port named for it.
    """

    key: str
    server_id: str
    name: str
    address: str
    port: int | None = None
    auth_pref: str = ""
    client: Credential | None = None
    server: Credential | None = None
    http: Credential | None = None


@frozen
class PollWish:
    """How a server wants to be called; 0 and no windows mean as the device is configured."""

    interval_s: float = 0.0
    windows: tuple[str, ...] = ()


def accounts(tree: Tree) -> list[Account]:
    """Return all complete accounts, one for a server, ./DMAcc first, by node name."""
    found: dict[str, Account] = {}
    for path in _paths(tree):
        account = _READERS[uri.parent(path)](tree, path)
        if account.server_id and account.address:
            found.setdefault(account.server_id, account)
    return list(found.values())


def by_server(tree: Tree, server_id: str) -> Account | None:
    """Return the account of a server."""
    return next((each for each in accounts(tree) if each.server_id == server_id), None)


def paths_of(tree: Tree, server_id: str) -> list[str]:
    """Return where a server has its accounts, complete or not."""
    return [path for path in _paths(tree) if server_id_at(tree, path) == server_id]


def server_id_at(tree: Tree, path: str) -> str:
    """Return the server identifier of the account at a path, "" if it has none."""
    leaf = SERVER_ID_LEAVES.get(uri.parent(path), "")
    return tree.value(f"{path}/{leaf}") or ""


def poll_of(tree: Tree, server_id: str) -> PollWish:
    """Return how a server wishes to be called; only the newer layout has a place for that."""
    found = [p for p in paths_of(tree, server_id) if uri.parent(p) == DMACC_ROOT][:1]
    interval = next((tree.value(f"{path}/{POLL_INTERVAL}") for path in found), None)
    windows = next((tree.value(f"{path}/{POLL_WINDOWS}") for path in found), None)
    return PollWish(interval_s=float(interval or 0), windows=accountvalues.windows(windows or ""))


def set_client_nonce(tree: Tree, account: Account, nonce: bytes) -> None:
    """Keep the nonce for our next credentials; nothing if the account has gone meanwhile."""
    _set_nonce(tree, account, CLIENT_LEVEL, nonce)


def set_server_nonce(tree: Tree, account: Account, nonce: bytes) -> None:
    """Keep the nonce that the server's next credentials must use."""
    _set_nonce(tree, account, SERVER_LEVEL, nonce)


def _paths(tree: Tree) -> Iterator[str]:
    for root in SERVER_ID_LEAVES:
        for key in tree.children(root):
            yield uri.join(root, key)


# ./DMAcc


def _read(tree: Tree, path: str) -> Account:
    address, port = _address(tree, path)
    return Account(
        key=uri.name(path),
        server_id=server_id_at(tree, path),
        name=tree.value(f"{path}/Name") or "",
        address=address,
        port=port,
        auth_pref=tree.value(f"{path}/AAuthPref") or "",
        client=_credential(tree, _credential_path(tree, path, CLIENT_LEVEL)),
        server=_credential(tree, _credential_path(tree, path, SERVER_LEVEL)),
        http=_credential(tree, _credential_path(tree, path, HTTP_LEVEL)),
    )


def _address(tree: Tree, path: str) -> tuple[str, int | None]:
    """Return the first usable URL and its first port."""
    for base in _numbered(tree, f"{path}/AppAddr"):
        url = _url(tree.value(f"{base}/Addr") or "", tree.value(f"{base}/AddrType") or "")
        ports = (tree.value(f"{each}/PortNbr") for each in _numbered(tree, f"{base}/Port"))
        if url:
            return url, _number(next(ports, None))
    return "", None


def _url(address: str, kind: str) -> str:
    """Return an address as a URL; "" where it does not fit its type."""
    if address.lower().startswith(HTTP_SCHEMES):
        return address if kind in ("", "URI") else ""
    return {"IPv4": f"https://{address}", "IPv6": f"https://[{address}]"}.get(kind, "")


def _numbered(tree: Tree, base: str) -> list[str]:
    """Return the children of a node, 2 before 10."""
    names = sorted(tree.children(base), key=lambda name: (len(name), name))
    return [uri.join(base, name) for name in names]


def _credential_path(tree: Tree, path: str, level: str) -> str | None:
    """Return the set to use on a level: that of the preferred type, else the first."""
    sets = _numbered(tree, f"{path}/AppAuth")
    found = [each for each in sets if tree.value(f"{each}/AAuthLevel") == level]
    preferred = tree.value(f"{path}/AAuthPref")
    liked = [each for each in found if tree.value(f"{each}/AAuthType") == preferred]
    return next(iter(liked + found), None)


def _credential(tree: Tree, path: str | None) -> Credential | None:
    if path is None:
        return None
    return Credential(
        auth_type=tree.value(f"{path}/AAuthType") or "",
        name=tree.value(f"{path}/AAuthName") or "",
        secret=Secret(tree.value(f"{path}/AAuthSecret") or ""),
        nonce=_octets(tree, f"{path}/AAuthData"),
    )


# ./SyncML/DMAcc


def _read_11(tree: Tree, path: str) -> Account:
    server_id = server_id_at(tree, path)
    address = tree.value(f"{path}/Addr") or ""
    is_usable = tree.value(f"{path}/AddrType") in (None, HTTP_11)
    auth_type = AUTH_PREFS.get((tree.value(f"{path}/AuthPref") or "").lower(), "")
    user = tree.value(f"{path}/UserName")
    client = _credential_11(tree, f"{path}/Client", auth_type, user)
    server = _credential_11(tree, f"{path}/Server", auth_type, server_id)
    return Account(
        key=uri.name(path),
        server_id=server_id,
        name=tree.value(f"{path}/Name") or "",
        address=address if is_usable else "",
        port=_number(tree.value(f"{path}/PortNbr")),
        auth_pref=auth_type,
        client=client,
        server=server,
    )


def _credential_11(tree: Tree, prefix: str, auth_type: str, name: str | None) -> Credential | None:
    """Return one side's credentials, None if there is no password for it."""
    secret = tree.value(f"{prefix}PW")
    if secret is None:
        return None
    return Credential(
        auth_type=auth_type or AUTH_PREFS["syncml:auth-md5"],
        name=name or "",
        secret=Secret(secret),
        nonce=_octets(tree, f"{prefix}Nonce"),
    )


_READERS: Final[Mapping[str, Callable[[Tree, str], Account]]] = {
    DMACC_ROOT: _read,
    DMACC11_ROOT: _read_11,
}
_NONCES_11: Final = {CLIENT_LEVEL: "ClientNonce", SERVER_LEVEL: "ServerNonce"}


def _set_nonce(tree: Tree, account: Account, level: str, nonce: bytes) -> None:
    for path in paths_of(tree, account.server_id)[:1]:
        if uri.parent(path) == DMACC11_ROOT:
            tree.put(f"{path}/{_NONCES_11[level]}", value=nonce)
        elif base := _credential_path(tree, path, level):
            tree.put(f"{base}/AAuthData", value=nonce)


def _octets(tree: Tree, path: str) -> bytes:
    node = tree.node(path)
    return (node.value if node else None) or b""


def _number(text: str | None) -> int | None:
    return int(text) if text else None
