"""Who is who in one session: our credentials, and the server's.

Pure: nonces come in as values, fresh ones from a callable.  Rules: omadm §2.7,
§4.3 to §4.5.  MAC (HMAC) is not offered: a server that demands it ends the session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.codes import DmStatus
from scomod.dmclient import auth
from scomod.dmclient.auth import AuthType
from scomod.dmclient.model import Cred, Meta

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.secret import Secret

CHALLENGE_LIMIT: Final = 2  # omadm §1.2: failed authentications per side, then give up


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One side's name and password; `nonces` in order of likelihood, the first is ours to use."""

    auth_type: AuthType
    name: str
    secret: Secret
    nonces: tuple[bytes, ...] = (b"",)


class ClientAuth:
    """How we prove ourselves to the server."""

    def __init__(self, login: Login | None) -> None:
        self._login = login
        self._type = login.auth_type if login else None
        self._nonce = login.nonces[0] if login else b""
        self._is_accepted = False
        self.challenges = 0
        self.next_nonce: bytes | None = None  # for the next session, once the server is trusted

    @property
    def name(self) -> str | None:
        """The LocName of our Source, which md5 needs (omadm §2.3)."""
        return self._login.name if self._login else None

    def cred(self) -> Cred | None:
        """Return the credentials for the next message, None once accepted for the session."""
        if self._login is None or self._is_accepted or self._type is None:
            return None
        if self._type is AuthType.BASIC:
            data = auth.basic(self._login.name, self._login.secret)
        else:
            data = auth.md5(self._login.name, self._login.secret, self._nonce)
        return Cred(type=self._type.value, data=data)

    def answered(self, code: int, chal: Meta | None) -> bool:
        """Take the Status of our header; returns True if we must start over with new credentials.

        Raises nothing: a demand we cannot meet shows as `challenges` above the limit.
        """
        nonce = auth.decode_nonce(chal.next_nonce) if chal and chal.next_nonce else None
        if code in (DmStatus.INVALID_CREDENTIALS, DmStatus.MISSING_CREDENTIALS):
            return self._challenged(chal, nonce)
        if nonce is not None:
            self._nonce = self.next_nonce = nonce
        if code == DmStatus.AUTHENTICATION_ACCEPTED:
            self._is_accepted = True
        return False

    def _challenged(self, chal: Meta | None, nonce: bytes | None) -> bool:
        """Prepare the credentials that were demanded."""
        self.challenges += 1
        if self._login is None or chal is None or chal.type not in (AuthType.BASIC, AuthType.MD5):
            self.challenges = CHALLENGE_LIMIT + 1
            return False
        self._type = AuthType(chal.type)
        if nonce is not None:
            self._nonce = self.next_nonce = nonce
        return self.challenges <= CHALLENGE_LIMIT

    @property
    def is_refused(self) -> bool:
        """Tell whether the server has refused us for good in this session."""
        return self.challenges > CHALLENGE_LIMIT


class ServerAuth:
    """How the server proves itself to us; without a login the transport's word counts."""

    def __init__(self, login: Login | None, fresh_nonce: Callable[[], bytes]) -> None:
        self._login = login
        self._fresh_nonce = fresh_nonce
        self._nonces = login.nonces if login else ()
        self._is_accepted = False
        self.is_trusted = login is None
        self.challenges = 0
        self.issued: bytes | None = None  # nonce sent to the server, not yet confirmed

    def check(self, cred: Cred | None) -> DmStatus:
        """Judge the credentials of one server message; the Status code for its header."""
        if self._login is None:
            return DmStatus.OK
        if self._is_accepted:
            return DmStatus.AUTHENTICATION_ACCEPTED
        code = self._judge(self._login, cred)
        self.is_trusted = self._is_accepted = code == DmStatus.AUTHENTICATION_ACCEPTED
        if not self.is_trusted:
            self.challenges += 1
        return code

    def _judge(self, login: Login, cred: Cred | None) -> DmStatus:
        """Compare with every nonce the server may hold."""
        if cred is None:
            return DmStatus.MISSING_CREDENTIALS
        if cred.type not in (AuthType.BASIC, AuthType.MD5):
            return DmStatus.INVALID_CREDENTIALS
        if auth.verify(AuthType(cred.type), cred.data, login.name, login.secret, self._nonces):
            return DmStatus.AUTHENTICATION_ACCEPTED
        return DmStatus.INVALID_CREDENTIALS

    def challenge(self) -> Meta | None:
        """Return the Chal for our Status of the header: a fresh nonce (omadm §4.3, §4.5 rule 4)."""
        if self._login is None:
            return None
        if self.issued is None:
            self.issued = self._fresh_nonce()
            self._nonces = (self.issued, *self._nonces)
        kind = self._login.auth_type if self._login.auth_type is AuthType.BASIC else AuthType.MD5
        return Meta(type=kind.value, format="b64", next_nonce=auth.encode_nonce(self.issued))

    @property
    def is_refused(self) -> bool:
        """Tell whether the server has failed too often."""
        return self.challenges > CHALLENGE_LIMIT
