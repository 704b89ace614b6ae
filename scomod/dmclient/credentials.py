# SPDX-License-Identifier: Apache-2.0
"""Who is who in one session: our credentials, and the server's.

Pure: nonces come in as values, fresh ones from a callable.  Rules: omadm §2.7,
§4.2 to §4.5.  Basic and md5 travel in the header of a message; a MAC covers the
octets of the whole message and travels beside it, in `Envelope.headers`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scomod.codes import DmStatus, is_success
from scomod.dmclient import auth
from scomod.dmclient.auth import AuthType, MacHeader
from scomod.dmclient.model import Cred, Meta

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.secret import Secret

CHALLENGE_LIMIT: Final = 2  # omadm §1.2: failed authentications per side, then give up
CHALLENGES: Final = (DmStatus.INVALID_CREDENTIALS, DmStatus.MISSING_CREDENTIALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One side's name and password; `nonces` in order of likelihood, the first is ours to use."""

    auth_type: AuthType
    name: str
    secret: Secret
    nonces: tuple[bytes, ...] = (b"",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """How a message came: its exact octets, and the transport's headers in lower case."""

    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class ClientAuth:
    """How we prove ourselves to the server."""

    def __init__(self, login: Login | None) -> None:
        self._login = login
        self._type = login.auth_type if login else None
        self._nonce = login.nonces[0] if login else b""
        self._is_accepted = False
        self._challenges = 0
        self.refusal = ""  # why the server has refused us for good in this session
        self.next_nonce: bytes | None = None  # for later credentials, once the server is trusted
        self.accepted_type: AuthType | None = None  # the same for the type it took

    @property
    def name(self) -> str | None:
        """The LocName of our Source, which md5 and MAC need (omadm §2.3)."""
        return self._login.name if self._login else None

    def cred(self) -> Cred | None:
        """Return the credentials for the next message, None once accepted for the session."""
        if self._login is None or self._is_accepted or self._type in (None, AuthType.MAC):
            return None
        if self._type is AuthType.BASIC:
            data = auth.basic(self._login.name, self._login.secret)
        else:
            data = auth.md5(self._login.name, self._login.secret, self._nonce)
        return Cred(type=self._type or "", data=data)

    def headers(self, body: bytes) -> dict[str, str]:
        """Return the headers for a message of these octets: with MAC every one is proven."""
        if self._login is None or self._type is not AuthType.MAC:
            return {}
        mac = auth.mac(self._login.name, self._login.secret, self._nonce, body)
        header = MacHeader(user=self._login.name, mac=mac)
        return {auth.MAC_HEADER: auth.write_mac_header(header)}

    def answered(self, code: int, chal: Meta | None) -> bool:
        """Take the Status of our header; returns True if we must start over with new credentials.

        Raises nothing: a demand we cannot meet shows as `refusal`.
        """
        if code in CHALLENGES:
            return self._challenged(chal)
        if is_success(code):
            self._take_nonce(chal)
            self.accepted_type = self._type
            self._is_accepted = code == DmStatus.AUTHENTICATION_ACCEPTED
        return False

    def _challenged(self, chal: Meta | None) -> bool:
        """Prepare the credentials that were demanded, or find out that we cannot (omadm §2.7)."""
        self._challenges += 1
        self._is_accepted = False
        demanded = auth.type_named(chal.type if chal and chal.type else "")
        if self._login is None:
            self.refusal = "the server demands credentials and the account has none"
        elif self._challenges > CHALLENGE_LIMIT:
            self.refusal = "the server refuses our credentials"
        elif chal is None or not chal.type:
            self.refusal = "the server refuses our credentials and says no kind it takes"
        elif demanded is None:
            self.refusal = f"the server demands {chal.type}, which is not spoken here"
        elif self.accepted_type not in (None, demanded):
            self.refusal = "the server demands other credentials than it took before"
        if self.refusal:
            return False
        self._type = demanded
        self._take_nonce(chal)
        return True

    def _take_nonce(self, chal: Meta | None) -> None:
        if chal is not None and chal.next_nonce:
            self._nonce = self.next_nonce = auth.decode_nonce(chal.next_nonce)


class ServerAuth:
    """How the server proves itself to us; without a login the transport's word counts."""

    def __init__(self, login: Login | None, fresh_nonce: Callable[[], bytes]) -> None:
        self._login = login
        self._fresh_nonce = fresh_nonce
        self._type = login.auth_type if login else None
        self._nonces = login.nonces if login else ()
        self._is_accepted = False  # by basic or md5: for the whole session
        self._is_sealed = False  # by MAC: every message anew
        self._challenges = 0
        self._issued: bytes | None = None  # goes out with our next message
        self._is_told = False
        self.in_flight: bytes | None = None  # went out, not known to have arrived
        self.is_refused = False

    def check(self, cred: Cred | None, envelope: Envelope) -> DmStatus:
        """Judge the credentials of one server message; the Status code for its header."""
        if self._login is None:
            return DmStatus.OK
        if self._is_accepted:
            return DmStatus.AUTHENTICATION_ACCEPTED
        seal = envelope.headers.get(auth.MAC_HEADER)
        if self._type is AuthType.MAC or (cred is None and seal is not None):
            code = self._judge_seal(self._login, seal, envelope.body)
        else:
            code = self._judge_cred(self._login, cred)
        if code in CHALLENGES:
            self._challenges += 1
            # Once every message is proven, one that is not ends the session (omadm §4.2).
            self.is_refused = self._is_sealed or self._challenges > CHALLENGE_LIMIT
        return code

    def _judge_cred(self, login: Login, cred: Cred | None) -> DmStatus:
        """Compare with every nonce the server may hold."""
        if cred is None:
            return DmStatus.MISSING_CREDENTIALS
        kind = auth.type_named(cred.type)
        if kind is None or kind is AuthType.MAC:
            return DmStatus.INVALID_CREDENTIALS
        if not auth.verify(kind, cred.data, login.name, login.secret, self._nonces):
            return DmStatus.INVALID_CREDENTIALS
        self._type, self._is_accepted = kind, True
        return DmStatus.AUTHENTICATION_ACCEPTED

    def _judge_seal(self, login: Login, seal: str | None, body: bytes) -> DmStatus:
        """Compare the MAC of a message's octets; a header that lacks a part is a failure."""
        if seal is None:
            return DmStatus.MISSING_CREDENTIALS
        header = auth.read_mac_header(seal)
        if header is None or not auth.verify(
            AuthType.MAC, header.mac, login.name, login.secret, self._nonces, body=body
        ):
            return DmStatus.INVALID_CREDENTIALS
        self._type, self._is_sealed = AuthType.MAC, True
        return DmStatus.OK

    def challenge(self, code: DmStatus) -> Meta | None:
        """Return the Chal for our Status of the header, with a nonce (omadm §4.3, §4.5 rule 4).

        Beside 401, 407 and a MAC that was right it is for the server's next message;
        beside 212 for its next session, once.
        """
        is_for_next_session = code == DmStatus.AUTHENTICATION_ACCEPTED
        if self._login is None or self._type is None or (is_for_next_session and self._is_told):
            return None
        if not is_for_next_session and code not in (*CHALLENGES, DmStatus.OK):
            return None
        self._is_told = is_for_next_session
        self._issued = self._fresh_nonce()
        if not is_for_next_session:
            self._nonces = (self._issued,)
        nonce = auth.encode_nonce(self._issued)
        return Meta(type=self._type.value, format="b64", next_nonce=nonce)

    def sent(self) -> None:
        """Note that what was issued is on its way (omadm §4.5 rule 5)."""
        if self._issued is not None:
            self.in_flight, self._issued = self._issued, None

    def confirmed(self) -> bytes | None:
        """Return the nonce that the server, now proven, has got; once."""
        nonce, self.in_flight = self.in_flight, None
        return nonce
