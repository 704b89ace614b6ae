# SPDX-License-Identifier: Apache-2.0
"""Whom a TLS connection trusts, and how we show who we are (omadm §4.6).

Not a connection: `wire` makes those.  Chain and name are always checked; pins come
on top of that, they replace nothing.  Imported only by who really talks: it brings
OpenSSL.
"""

from __future__ import annotations

import os
import ssl
import stat
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scomod.knowntime import in_utc
from scomod.net import AccessRefused, ClockNotSet
from scomod.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from scomod.net import Access

VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
SYSTEM_AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
# who else may do what with a file that holds a secret
# OpenSSL, x509_vfy.h: X509_V_FLAG_NO_CHECK_TIME, and X509_V_ERR_* of what that leaves out
NO_CHECK_TIME: Final = 0x200000
NOT_YET_VALID: Final = 9
EXPIRED: Final = 10
READABLE_BY_ALL: Final = stat.S_IROTH
WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


def context(access: Access) -> ssl.SSLContext:
    """Return a context without authorities: those are loaded for each connection.

    Raises `AccessRefused` for a certificate or key that cannot be used, `ClockNotSet` where
    the time is not known and must be.
    """
    if access.unset and access.unset.is_refused:
        raise ClockNotSet(f"{access.unset} (time.when_unknown)")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks chain and name
    made.minimum_version = VERSIONS[access.min_tls]
    # Python below 3.11.4 takes a connection that was cut for one that ended (gh-95494)
    made.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    if access.unset:
        leave_out_time(made)
    if access.certificate_file:
        _show_certificate(made, access.certificate_file, access.key_file)
    return made


def trusting(access: Access) -> ssl.SSLContext:
    """Return a context with the authorities, for clients that load none; raises as `context`."""
    made = context(access)
    file = authorities(access.ca_file)
    if isinstance(file, str):
        made.load_verify_locations(file)
    else:
        made.load_default_certs()
    return made


def authorities(ca_file: str) -> str | bool:
    """Return what `requests` takes as `verify`: a file, or True for its own collection."""
    if ca_file and not os.access(ca_file, os.R_OK):
        raise AccessRefused(f"the file of certificate authorities cannot be read: {ca_file}")
    if ca_file:
        return ca_file
    return str(SYSTEM_AUTHORITIES) if SYSTEM_AUTHORITIES.exists() else True


def require_private(name: str) -> None:
    """Raise `AccessRefused` if others may read a file, or change it, or if it is not there."""
    try:
        mode = Path(name).stat().st_mode
    except OSError as error:
        raise AccessRefused(f"{name} cannot be read: {error.strerror}") from error
    if mode & READABLE_BY_ALL:
        raise AccessRefused(f"{name} holds a secret, but every user may read it")
    if mode & WRITABLE_BY_OTHERS:
        raise AccessRefused(f"{name} holds a secret, but others than its owner may change it")


def read_login(name: str) -> Secret:
    """Read user:password from a file; raises `AccessRefused` for one that cannot be used."""
    require_private(name)
    try:
        text = Path(name).read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise AccessRefused(f"the login cannot be read: {name}") from error
    if ":" not in text or not text.isprintable():
        raise AccessRefused(f"{name} must hold user:password, in one line")
    return Secret(text)


def check_pins(sock: Any, pins: Collection[str], server: str) -> None:
    """Raise `AccessRefused` unless the checked chain of a connection has one of the pinned keys.

    A pin is the SHA-256 of a SubjectPublicKeyInfo in base64 (as in RFC 7469 §2.4).
    """
    if pins and not {public_key_pin(each) for each in _chain(sock)} & set(pins):
        text = "no public key in its certificate chain is among the pins"
        raise AccessRefused(f"{server}: {text}")


def leave_out_time(made: ssl.SSLContext) -> None:
    """Have chains checked without the clock; who does that owes `check_outlasts`."""
    made.verify_flags |= NO_CHECK_TIME


def spans(sock: Any) -> list[tuple[float, float]]:
    """Return from when to when each certificate of the checked chain is valid, wall time."""
    # read by OpenSSL: the library for certificates would cost 8 MiB in every session
    chain = (each.get_info() for each in sock._sslobj.get_verified_chain())  # noqa: SLF001
    return [(_moment(each["notBefore"]), _moment(each["notAfter"])) for each in chain]


def own_end_s(access: Access) -> float:
    """Return when the certificate ends that we show."""
    import _ssl  # noqa: PLC0415 - OpenSSL reads it, as in `spans`

    decode: Callable[[str], dict[str, str]] = vars(_ssl)["_test_decode_cert"]  # no name of ours
    return _moment(decode(access.certificate_file)["notAfter"])


def check_outlasts(sock: Any, access: Access, server: str) -> None:
    """Raise `AccessRefused` if the clock is not set and a certificate was over at the floor."""
    if access.unset:
        end_s = min(end_s for _, end_s in spans(sock))
        if end_s < access.unset.floor_s:
            text = f"{server}: a certificate expired on {in_utc(end_s)}"
            raise AccessRefused(f"{text}; {access.unset}")


def signed_s(found: Sequence[tuple[float, float]], date: str) -> float:
    """Return the latest moment that has certainly come, by the chain that a server proved to have.

    `found` are the `spans` of it, `date` its header, which is believed as far as they last.
    """
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - only sessions need it

    begun_s, end_s = max(begin_s for begin_s, _ in found), min(end_s for _, end_s in found)
    try:
        said_s = parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return begun_s
    return max(begun_s, min(said_s, end_s))


def _moment(text: str) -> float:
    return float(ssl.cert_time_to_seconds(text))


def public_key_pin(certificate: bytes) -> str:
    """Return the pin of a certificate (DER)."""
    from cryptography import x509  # noqa: PLC0415 - heavy, and few servers are pinned
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
    )

    key = x509.load_der_x509_certificate(certificate).public_key()
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b64encode(sha256(info).digest()).decode()


def _chain(sock: Any) -> list[bytes]:
    """Return the verified chain of a connection, DER: from the server's up to the authority's."""
    if hasattr(sock, "get_verified_chain"):  # Python 3.13
        return list(sock.get_verified_chain())
    chain = sock._sslobj.get_verified_chain()  # noqa: SLF001 - the same, not yet public
    return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in chain]


def _show_certificate(made: ssl.SSLContext, certificate_file: str, key_file: str) -> None:
    """Load our own certificate, with a sentence for each way to fail."""
    holder = key_file or certificate_file
    require_private(holder)

    def no_password() -> str:
        # without this OpenSSL would ask at the terminal
        raise AccessRefused(f"the key in {holder} is locked with a password")

    try:
        made.load_cert_chain(certificate_file, key_file or None, no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            text = f"the key in {holder} does not belong to the certificate {certificate_file}"
        else:
            text = (
                f"no certificate with key in {certificate_file} and {holder} (PEM): {error.reason}"
            )
        raise AccessRefused(text) from error
    except OSError as error:
        text = f"the client certificate cannot be read: {certificate_file}, {holder}"
        raise AccessRefused(f"{text}: {error.strerror}") from error
    made.post_handshake_auth = True  # servers that ask only at some addresses
