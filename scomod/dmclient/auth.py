# SPDX-License-Identifier: Apache-2.0
"""Proofs of identity in SyncML DM: Basic, MD5 and HMAC as values (omadm §4.1, §4.2).

Not a conversation: who challenges whom is `credentials`.  A nonce is always the
decoded octets; texts are UTF-8.  MD5 is what the standard prescribes, TLS is
what protects.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scomod.secret import Secret


class AuthType(StrEnum):
    """Types of credentials, as Meta/Type names them."""

    BASIC = "syncml:auth-basic"
    MD5 = "syncml:auth-md5"
    MAC = "syncml:auth-MAC"


def type_named(name: str) -> AuthType | None:
    """Return the type of that name, whatever its case; None for one not spoken here."""
    return next((kind for kind in AuthType if kind.lower() == name.lower()), None)


def hash_b64(octets: bytes) -> bytes:
    """Return B64(H(octets)) of omadm §4.1: 24 ASCII octets."""
    import hashlib  # noqa: PLC0415 - brings OpenSSL, the waiting daemon needs none

    return b64encode(hashlib.md5(octets, usedforsecurity=False).digest())


def identity_hash(name: str, password: Secret) -> bytes:
    """Return B64(H(name:password)), the part that all digests share."""
    return hash_b64(f"{name}:{password.reveal()}".encode())


def basic(user: str, password: Secret) -> str:
    """Return Cred/Data of syncml:auth-basic."""
    return b64encode(f"{user}:{password.reveal()}".encode()).decode()


def md5(user: str, password: Secret, nonce: bytes) -> str:
    """Return Cred/Data of syncml:auth-md5: the digest in base64."""
    return hash_b64(identity_hash(user, password) + b":" + nonce).decode()


def mac(user: str, password: Secret, nonce: bytes, body: bytes) -> str:
    """Return the `mac` of header x-syncml-hmac for a body, exactly as transmitted."""
    parts = (identity_hash(user, password), nonce, hash_b64(body))
    return hash_b64(b":".join(parts)).decode()


def encode_nonce(nonce: bytes) -> str:
    """Return a nonce as NextNonce carries it."""
    return b64encode(nonce).decode()


def decode_nonce(text: str) -> bytes:
    """Return the octets of NextNonce or AAUTHDATA; what is no base64 is taken literally.

    Some provisioning systems deliver a literal nonce (omadm §4.5 rule 7).
    """
    stripped = text.strip()
    try:
        return b64decode(stripped, validate=True)
    except (binascii.Error, ValueError):
        return stripped.encode("utf-8", "replace")


def verify(
    auth_type: AuthType,
    data: str,
    user: str,
    password: Secret,
    nonces: Iterable[bytes],
    *,
    body: bytes = b"",
) -> bool:
    """Tell whether received credentials are right for one of the nonces.

    `body` is what a MAC covers; Basic looks at no nonce.  The time taken does
    not depend on where the texts differ.  Missing padding is tolerated (omadm §4.2).
    """
    from hmac import compare_digest  # noqa: PLC0415 - as above

    received = _without_padding(data)
    is_right = False
    for expected in _expected(auth_type, user, password, nonces, body):
        is_right |= compare_digest(received, _without_padding(expected))
    return is_right


def _expected(
    auth_type: AuthType, user: str, password: Secret, nonces: Iterable[bytes], body: bytes
) -> list[str]:
    """Return every proof that would do."""
    if auth_type is AuthType.BASIC:
        return [basic(user, password)]
    if auth_type is AuthType.MD5:
        return [md5(user, password, nonce) for nonce in nonces]
    return [mac(user, password, nonce, body) for nonce in nonces]


def _without_padding(text: str) -> bytes:
    """Return base64 text in the one form that is compared."""
    return text.strip().rstrip("=").encode("utf-8", "replace")


# The header that carries a MAC (omadm §4.2)

MAC_HEADER: Final = "x-syncml-hmac"
_MAC_ALGORITHM: Final = "MD5"
_MAC_PART: Final = re.compile(r'\s*([A-Za-z]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^",\s]+)\s*(?:,|$)')


@dataclass(frozen=True, slots=True, kw_only=True)
class MacHeader:
    """What the header says: who proves itself, and the `mac` as carried (base64)."""

    user: str
    mac: str


def write_mac_header(header: MacHeader) -> str:
    """Return the value of x-syncml-hmac, as text of which each character is one octet."""
    quoted = re.sub(r'(["\\])', r"\\\1", header.user).encode().decode("latin-1")
    return f'algorithm={_MAC_ALGORITHM}, username="{quoted}", mac={header.mac}'


def read_mac_header(text: str) -> MacHeader | None:
    """Read the value of x-syncml-hmac; None where a part is missing, double or not known.

    Parts may stand in any order, the algorithm may be left out, `mac` may be quoted.
    """
    parts: dict[str, str] = {}
    position = 0
    while position < len(text):
        part = _MAC_PART.match(text, position)
        if part is None or part[1].lower() in parts:
            return None
        parts[part[1].lower()] = _unquoted(part[2])
        position = part.end()
    if parts.get("algorithm", _MAC_ALGORITHM).upper() != _MAC_ALGORITHM:
        return None
    if not parts.get("username") or not parts.get("mac"):
        return None
    return MacHeader(user=parts["username"], mac=parts["mac"])


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
