# SPDX-License-Identifier: Apache-2.0
"""The credentials a session begins with, and what it teaches about them for the next one.

They are kept in the account (`mo.dmacc`); what DMAcc has no place for is kept
beside it: the nonce that the server may or may not have got, and the type it took
last (omadm §4.4, §4.5).  How a proof is made is `auth`, when it is needed `credentials`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.dmclient.auth import AuthType, decode_nonce, encode_nonce, type_named
from scomod.dmclient.credentials import Login
from scomod.dmclient.events import ClientNonce, ServerNonce, TypeAccepted
from scomod.dmclient.notification import RESYNC_NONCE
from scomod.mo import dmacc

if TYPE_CHECKING:
    from scomod.db import Database
    from scomod.mo.dmacc import Account, Credential
    from scomod.mo.tree import Tree
    from scomod.settings import Settings

# DMAcc's words for authentication (omadm §8.3).
AUTH_TYPES: Final = {"BASIC": AuthType.BASIC, "DIGEST": AuthType.MD5, "HMAC": AuthType.MAC}
# With these the transport proves the side: no credentials in the messages (omadm §4.4).
BY_TRANSPORT: Final = ("TRANSPORT", "X509")
# Where what a session taught is kept beside the account, by server.
_PENDING: Final = "pending-nonce"
_RESYNC: Final = "nonce-resync"
_TYPE: Final = "auth-type"


class Logins:
    """The credentials of both sides, by account."""

    def __init__(self, db: Database, tree: Tree, settings: Settings) -> None:
        self._db = db
        self._tree = tree
        self._settings = settings

    def client(self, account: Account) -> Login | None:
        """Return how we prove ourselves; None where the transport does it.

        The first type that is named and spoken here counts: that of the configuration,
        that which the account prefers, that which the server took last, that of the
        credentials; the server may demand another one.
        """
        if account.client is None or account.client.auth_type in BY_TRANSPORT:
            return None
        names = (
            self._settings.server(account.server_id).auth,
            account.auth_pref,
            self._db.meta(_type_key(account)) or "",
            account.client.auth_type,
        )
        return _login(account.client, names, self._resync(account), ())

    def server(self, account: Account) -> Login | None:
        """Return how the server proves itself; None where the transport does it."""
        if account.server is None or account.server.auth_type in BY_TRANSPORT:
            return None
        more = (*self.pending_nonces(account), *self._resync(account))
        return _login(account.server, (account.server.auth_type,), (), more)

    def pending_nonces(self, account: Account) -> tuple[bytes, ...]:
        """Return the nonce that was sent last without a sign that it arrived."""
        kept = self._db.meta(_pending_key(account))
        return (decode_nonce(kept),) if kept else ()

    def keep_pending(self, account: Account, nonce: bytes) -> None:
        """Keep a nonce before it is sent (omadm §4.5 rules 5, 6); a transaction of its own."""
        if self.pending_nonces(account) != (nonce,):
            with self._db.transaction():
                self._db.set_meta(_pending_key(account), encode_nonce(nonce))

    def expect_resync(self, account: Account) -> None:
        """Begin the next sessions with the nonce of a server that lost ours (omadm §10.4).

        A transaction of its own; it holds until the server has a new nonce.
        """
        with self._db.transaction():
            self._db.set_meta(_resync_key(account), "1")

    def _resync(self, account: Account) -> tuple[bytes, ...]:
        return (RESYNC_NONCE,) if self._db.meta(_resync_key(account)) else ()

    def learn(self, account: Account, event: ClientNonce | ServerNonce | TypeAccepted) -> None:
        """Keep what a proven server told; part of the transaction of its message."""
        match event:
            case ClientNonce(nonce):
                dmacc.set_client_nonce(self._tree, account, nonce)
            case ServerNonce(nonce):
                dmacc.set_server_nonce(self._tree, account, nonce)
                if self._resync(account):
                    self._db.set_meta(_resync_key(account), "")
            case TypeAccepted(kind):
                if self._db.meta(_type_key(account)) != kind:
                    self._db.set_meta(_type_key(account), kind.value)


def forget(db: Database, server_id: str) -> None:
    """Let go of what earlier sessions taught: the account is another; needs a transaction."""
    for key in (_PENDING, _RESYNC, _TYPE):
        if db.meta(f"{key}:{server_id}"):
            db.set_meta(f"{key}:{server_id}", "")


def _login(
    credential: Credential,
    type_names: tuple[str, ...],
    first_nonces: tuple[bytes, ...],
    more_nonces: tuple[bytes, ...],
) -> Login:
    """Return one side's login; where no type is spoken here the other side may name one."""
    known = (AUTH_TYPES.get(name.upper()) or type_named(name) for name in type_names)
    return Login(
        auth_type=next((kind for kind in known if kind), AuthType.MD5),
        name=credential.name,
        secret=credential.secret,
        nonces=(*first_nonces, credential.nonce, *more_nonces),
    )


def _pending_key(account: Account) -> str:
    return f"{_PENDING}:{account.server_id}"


def _resync_key(account: Account) -> str:
    return f"{_RESYNC}:{account.server_id}"


def _type_key(account: Account) -> str:
    return f"{_TYPE}:{account.server_id}"
