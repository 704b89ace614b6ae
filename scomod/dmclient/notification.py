# SPDX-License-Identifier: Apache-2.0
"""Package #0: the notification that asks for a session (omadm §10.1, §10.2).

Pure octets in, a value out.  Not here: how it arrived (`push`), which account it
means, duplicates, and the special nonce of a server that lost its own (omadm §10.4):
callers put that among the nonces.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from scomod.dmclient import auth
from scomod.errors import DecodeError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scomod.secret import Secret

MAX_BODY_BYTES: Final = 4096
VERSIONS: Final = range(10, 13)  # the text demands 11, peers also send 10 and 12 (omadm §10.1)
VERSION_SENT: Final = 11
RESYNC_NONCE: Final = bytes(4)  # what 0x00000000 means on the wire (omadm §10.4)

_DIGEST_BYTES: Final = 16
_FIXED_BYTES: Final = 8  # version .. length-identifier
_MIN_BYTES: Final = _DIGEST_BYTES + _FIXED_BYTES + 1

# where the fields lie in the 64 bits after the digest: (shift, mask)
_VERSION: Final = (54, 0x3FF)
_UI_MODE: Final = (52, 0x3)
_INITIATOR: Final = (51, 0x1)
_SESSION_ID: Final = (8, 0xFFFF)
_ID_LENGTH: Final = (0, 0xFF)


class UiMode(IntEnum):
    """What the person at the device shall notice."""

    NOT_SPECIFIED = 0
    BACKGROUND = 1
    INFORMATIVE = 2
    USER_INTERACTION = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A notification that is well formed, which says nothing about who sent it.

    `trigger` is all after the digest, vendor part included: what the digest covers.
    """

    version: int
    ui_mode: UiMode
    initiator_is_server: bool
    session_id: int
    server_id: str
    vendor: bytes
    digest: bytes
    trigger: bytes


def parse(body: bytes) -> Notification:
    """Read the octets of a notification.

    Raises `DecodeError` for what is none, `LimitExceeded` above `MAX_BODY_BYTES`.
    """
    if len(body) > MAX_BODY_BYTES:
        raise LimitExceeded("notification.MAX_BODY_BYTES", len(body))
    if len(body) < _MIN_BYTES:
        raise DecodeError(f"notification of {len(body)} octets, at least {_MIN_BYTES} needed")
    digest, trigger = body[:_DIGEST_BYTES], body[_DIGEST_BYTES:]
    bits = int.from_bytes(trigger[:_FIXED_BYTES], "big")
    end = _FIXED_BYTES + _field(bits, _ID_LENGTH)
    return Notification(
        version=_version(bits),
        ui_mode=UiMode(_field(bits, _UI_MODE)),
        initiator_is_server=bool(_field(bits, _INITIATOR)),
        session_id=_session_id(bits),
        server_id=_server_id(trigger[_FIXED_BYTES:end], _field(bits, _ID_LENGTH)),
        vendor=trigger[end:],
        digest=digest,
        trigger=trigger,
    )


def is_authentic(
    notification: Notification, names: Iterable[str], password: Secret, nonces: Iterable[bytes]
) -> bool:
    """Tell whether the digest fits a name and a nonce; the time taken does not tell which.

    Names: the server id first, then AAuthName, which some servers hash instead (omadm §10.1).
    """
    from hmac import compare_digest  # noqa: PLC0415 - brings OpenSSL, the waiting daemon needs none

    nonces = tuple(nonces)
    is_right = False
    for name in names:
        for nonce in nonces:
            expected = digest_of(name, password, nonce, notification.trigger)
            is_right |= compare_digest(expected, notification.digest)
    return is_right


def digest_of(name: str, password: Secret, nonce: bytes, trigger: bytes) -> bytes:
    """Return the 16 octets H(B64(H(name:password)):nonce:B64(H(trigger)))."""
    from hashlib import md5  # noqa: PLC0415 - as above

    parts = (auth.identity_hash(name, password), nonce, auth.hash_b64(trigger))
    return md5(b":".join(parts), usedforsecurity=False).digest()


def build(
    *,
    server_id: str,
    password: Secret,
    nonce: bytes,
    session_id: int,
    ui_mode: UiMode = UiMode.BACKGROUND,
    initiator_is_server: bool = True,
    vendor: bytes = b"",
) -> bytes:
    """Write the octets of a notification, as a server does; `parse` reads them back.

    Raises `ValueError` for an id of more than 255 octets or a session id outside 1..FFFF.
    """
    identifier = server_id.encode()
    fields = (
        (VERSION_SENT, _VERSION),
        (ui_mode, _UI_MODE),
        (int(initiator_is_server), _INITIATOR),
        (session_id, _SESSION_ID),
        (len(identifier), _ID_LENGTH),
    )
    if any(value > mask for value, (_, mask) in fields) or session_id < 1 or not identifier:
        raise ValueError("server id of 1..255 octets and session id of 1..FFFF needed")
    bits = sum(value << shift for value, (shift, _) in fields)
    trigger = bits.to_bytes(_FIXED_BYTES, "big") + identifier + vendor
    return digest_of(server_id, password, nonce, trigger) + trigger


def session_id_text(session_id: int) -> str:
    """Return the SessionID of the session asked for: hexadecimal, 0x000A is "A" (omadm §10.2)."""
    return f"{session_id:X}"


def _field(bits: int, place: tuple[int, int]) -> int:
    """Cut one field out of the fixed part."""
    shift, mask = place
    return bits >> shift & mask


def _version(bits: int) -> int:
    """Return the version field, or refuse one we cannot read."""
    version = _field(bits, _VERSION)
    if version not in VERSIONS:
        raise DecodeError(f"notification version {version} is not known", _DIGEST_BYTES)
    return version


def _session_id(bits: int) -> int:
    """Return the session id; 0 is reserved."""
    session_id = _field(bits, _SESSION_ID)
    if not session_id:
        raise DecodeError("notification with session id 0", _DIGEST_BYTES + 5)
    return session_id


def _server_id(octets: bytes, length: int) -> str:
    """Return the server identifier, which must be all there."""
    if not length or len(octets) < length:
        raise DecodeError("notification with a cut server identifier", _DIGEST_BYTES + 7)
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        raise DecodeError("server identifier is no UTF-8", _DIGEST_BYTES + 8) from error
