"""Who is who in one session, seen from the server: the device's credentials and our own.

Rules: omadm §2.7, §4.3 to §4.5.  Takes syncml:auth-md5 and syncml:auth-basic,
always challenges with md5; one doorkeeper per session.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from scomod.codes import DmStatus
from scomod.dmclient import auth
from scomod.dmclient.auth import AuthType
from scomod.dmclient.model import Cred, Meta

if TYPE_CHECKING:
    from scomod.dmclient.model import SyncHdr
    from scomod.lab.devices import Account, Register

REFUSAL_LIMIT: Final = 2  # omadm §1.2: per side, then give up
CHALLENGES: Final = (DmStatus.INVALID_CREDENTIALS, DmStatus.MISSING_CREDENTIALS)


class Doorkeeper:
    """Lets one device in, and proves to it who we are."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self._challenge = b""
        self._cred_type = AuthType.MD5
        self.is_accepted = False
        self.account: Account | None = None
        self.is_admitted = False
        self.refusals = 0
        self.rejections = 0

    @property
    def is_hopeless(self) -> bool:
        """Tell whether one side has failed too often."""
        return max(self.refusals, self.rejections) > REFUSAL_LIMIT

    def admit(self, header: SyncHdr) -> tuple[DmStatus, Meta | None]:
        """Judge the header of a device's message: Status code and challenge for it.

        Once admitted the session stays so.  The first device that proves an
        account nobody is bound to becomes its device.
        """
        if self.is_admitted:
            return DmStatus.OK, None
        account = self._claimed(header)
        self.account = account or self._register.of_device(header.source)
        if account is not None and self._proves(account, header):
            return self._welcome(account, header)
        self.refusals += 1
        code = DmStatus.INVALID_CREDENTIALS if header.cred else DmStatus.MISSING_CREDENTIALS
        if self.is_hopeless:
            return code, None
        self._challenge = self._register.nonce()
        return code, _challenge(self._challenge)

    def cred(self) -> Cred | None:
        """Return our credentials for the next message, None once accepted for the session."""
        account = self.account
        if account is None or self.is_accepted:
            return None
        if self._cred_type is AuthType.BASIC:
            data = auth.basic(account.server_id, account.server_password)
        else:
            data = auth.md5(account.server_id, account.server_password, account.server_nonce)
        return Cred(type=self._cred_type.value, data=data)

    def answered(self, code: int, chal: Meta | None) -> bool:
        """Take an admitted device's Status of our header: True if it wants us to try again."""
        if self.account is not None and chal is not None and chal.next_nonce:
            self.account.server_nonce = auth.decode_nonce(chal.next_nonce)
        if code in CHALLENGES:
            self.rejections += 1
            wants_basic = chal is not None and chal.type == AuthType.BASIC
            self._cred_type = AuthType.BASIC if wants_basic else AuthType.MD5
            return True
        self.is_accepted = code == DmStatus.AUTHENTICATION_ACCEPTED
        return False

    def _claimed(self, header: SyncHdr) -> Account | None:
        """Return the account whose credentials the header claims to carry."""
        if header.cred is None:
            return None
        user = header.source_name
        if header.cred.type == AuthType.BASIC:
            user = _basic_user(header.cred.data)
        return self._register.of_user(user) if user else self._register.of_device(header.source)

    def _proves(self, account: Account, header: SyncHdr) -> bool:
        if header.cred is None or account.device_id not in ("", header.source):
            return False
        if header.cred.type not in (AuthType.BASIC, AuthType.MD5):
            return False
        nonces = tuple(nonce for nonce in (self._challenge, account.client_nonce) if nonce)
        kind = AuthType(header.cred.type)
        return auth.verify(kind, header.cred.data, account.user, account.password, nonces)

    def _welcome(self, account: Account, header: SyncHdr) -> tuple[DmStatus, Meta]:
        self.account = account
        self.is_admitted = True
        account.device_id = header.source
        account.client_nonce = self._register.nonce()
        return DmStatus.AUTHENTICATION_ACCEPTED, _challenge(account.client_nonce)


def _challenge(nonce: bytes) -> Meta:
    return Meta(type=AuthType.MD5.value, format="b64", next_nonce=auth.encode_nonce(nonce))


def _basic_user(data: str) -> str:
    """Return the user name of basic credentials, "" when they are none."""
    try:
        return base64.b64decode(data, validate=True).decode().partition(":")[0]
    except ValueError:
        return ""
