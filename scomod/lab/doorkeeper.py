# SPDX-License-Identifier: Apache-2.0
"""Who is who in one session, seen from the server: the device's credentials and our own.

Rules: omadm §2.7, §4.2 to §4.5.  An account with md5 takes basic too, with basic or a
MAC nothing else; a MAC is looked at in every message.  One doorkeeper per session.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scomod.codes import DmStatus
from scomod.dmclient import auth
from scomod.dmclient.auth import AuthType, MacHeader
from scomod.dmclient.model import Cred, Meta
from scomod.secret import Secret

if TYPE_CHECKING:
    from scomod.dmclient.model import SyncHdr
    from scomod.lab.devices import Account, Register
    from scomod.lab.switches import Wrong

REFUSAL_LIMIT: Final = 2  # omadm §1.2: per side, then give up
WRONG_PASSWORD: Final = Secret("a wrong password")
WRONG_NONCE: Final = b"a wrong nonce"
CHALLENGES: Final = (DmStatus.INVALID_CREDENTIALS, DmStatus.MISSING_CREDENTIALS)
TYPES: Final = {"md5": AuthType.MD5, "basic": AuthType.BASIC, "mac": AuthType.MAC}
TAKEN: Final = {
    AuthType.MD5: (AuthType.MD5, AuthType.BASIC),
    AuthType.BASIC: (AuthType.BASIC,),
    AuthType.MAC: (),
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """The octets of a device's message, and the value of x-syncml-hmac that came with them."""

    body: bytes = field(default=b"", repr=False)
    seal: str = ""


class Doorkeeper:
    """Lets one device in, and proves to it who we are."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self._challenge = b""
        self._own_type: AuthType | None = None  # that of the account, until the device objects
        self.wrong: Wrong = {}  # what we do wrong on demand with this message (`switches`)
        self.is_accepted = False
        self.account: Account | None = None
        self.is_admitted = False
        self.refusals = 0
        self.rejections = 0

    @property
    def is_hopeless(self) -> bool:
        """Tell whether one side has failed too often."""
        return max(self.refusals, self.rejections) > REFUSAL_LIMIT

    def admit(self, header: SyncHdr, envelope: Envelope) -> tuple[DmStatus, Meta | None]:
        """Judge the header of a device's message: Status code and challenge for it.

        Once admitted the session stays so, but for a MAC: without a right one in each
        message it is over.  The first device that proves an account nobody is bound to
        becomes its device.
        """
        seal = auth.read_mac_header(envelope.seal)
        if self.is_admitted and self._demanded() is not AuthType.MAC:
            return DmStatus.OK, None
        account = self.account if self.is_admitted else self._claimed(header, seal)
        self.account = account or self._register.of_device(header.source)
        if account is not None and self._proves(account, header, seal, envelope.body):
            return self._welcome(account, header)
        self.refusals = REFUSAL_LIMIT + 1 if self.is_admitted else self.refusals + 1
        self.is_admitted = False
        is_tried = header.cred or envelope.seal
        code = DmStatus.INVALID_CREDENTIALS if is_tried else DmStatus.MISSING_CREDENTIALS
        if self.is_hopeless:
            return code, None
        self._challenge = self._register.nonce()
        return code, self._chal(self._challenge)

    def cred(self) -> Cred | None:
        """Return our credentials for the next message, None once accepted for the session."""
        account, kind = self.account, self._type()
        if account is None or self.is_accepted or kind is AuthType.MAC:
            return None
        if kind is AuthType.BASIC:
            data = auth.basic(account.server_id, self._password(account))
        else:
            data = auth.md5(account.server_id, self._password(account), self._nonce(account))
        return Cred(type=kind.value, data=data)

    def seal(self, body: bytes) -> str:
        """Return the value of x-syncml-hmac for our message, "" where none is wanted."""
        account = self.account
        if account is None or self._type() is not AuthType.MAC:
            return ""
        secret, nonce = self._password(account), self._nonce(account)
        mac = auth.mac(account.server_id, secret, nonce, body)
        return auth.write_mac_header(MacHeader(user=account.server_id, mac=mac))

    def answered(self, code: int, chal: Meta | None) -> bool:
        """Take an admitted device's Status of our header: True if it wants us to try again."""
        if self.account is not None and chal is not None and chal.next_nonce:
            self.account.server_nonce = auth.decode_nonce(chal.next_nonce)
        if code in CHALLENGES:
            self.rejections += 1
            demanded = auth.type_named(chal.type if chal and chal.type else "")
            self._own_type = demanded or AuthType.MD5
            return True
        self.is_accepted = code == DmStatus.AUTHENTICATION_ACCEPTED
        return False

    def _password(self, account: Account) -> Secret:
        return WRONG_PASSWORD if "password" in self.wrong else account.server_password

    def _nonce(self, account: Account) -> bytes:
        return WRONG_NONCE if "nonce" in self.wrong else account.server_nonce

    def _demanded(self) -> AuthType:
        return AuthType.MD5 if self.account is None else TYPES[self.account.auth]

    def _type(self) -> AuthType:
        return self._own_type or self._demanded()

    def _claimed(self, header: SyncHdr, seal: MacHeader | None) -> Account | None:
        """Return the account whose credentials the message claims to carry."""
        if header.cred is None and seal is None:
            return None
        user = header.source_name
        if header.cred is not None and header.cred.type == AuthType.BASIC:
            user = _basic_user(header.cred.data)
        elif header.cred is None and seal is not None:
            user = seal.user
        return self._register.of_user(user) if user else self._register.of_device(header.source)

    def _proves(
        self, account: Account, header: SyncHdr, seal: MacHeader | None, body: bytes
    ) -> bool:
        if "refuse" in self.wrong or account.device_id not in ("", header.source):
            return False
        nonces = tuple(nonce for nonce in (self._challenge, account.client_nonce) if nonce)
        user, password, demanded = account.user, account.password, TYPES[account.auth]
        if demanded is AuthType.MAC:
            return seal is not None and auth.verify(
                AuthType.MAC, seal.mac, user, password, nonces, body=body
            )
        kind = auth.type_named(header.cred.type) if header.cred else None
        if header.cred is None or kind not in TAKEN[demanded]:
            return False
        return auth.verify(kind, header.cred.data, user, password, nonces)

    def _welcome(self, account: Account, header: SyncHdr) -> tuple[DmStatus, Meta]:
        self.account = account
        self.is_admitted = True
        account.device_id = header.source
        account.client_nonce = self._register.nonce()
        self._challenge = b""
        is_mac = self._demanded() is AuthType.MAC
        code = DmStatus.OK if is_mac else DmStatus.AUTHENTICATION_ACCEPTED
        return code, self._chal(account.client_nonce)

    def _chal(self, nonce: bytes) -> Meta:
        kind = self._demanded()
        return Meta(type=kind.value, format="b64", next_nonce=auth.encode_nonce(nonce))


def _basic_user(data: str) -> str:
    """Return the user name of basic credentials, "" when they are none."""
    try:
        return base64.b64decode(data, validate=True).decode().partition(":")[0]
    except ValueError:
        return ""
