# SPDX-License-Identifier: Apache-2.0
"""X.509 certificates, read alike with every version of the library that devices have.

Debian 12 has cryptography 38, without names for several things that newer versions call for, and
the newest has no longer what 38 called them.  What differs is bridged here and nowhere else.
Not whether a chain counts: that is `chain`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar, cast

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, ExtensionType

    Extension = TypeVar("Extension", bound=ExtensionType)

PEM_HEAD: Final = b"-----BEGIN CERTIFICATE-----"
_PEM: Final = re.compile(PEM_HEAD + b".*?-----END CERTIFICATE-----", re.DOTALL)


def read(octets: bytes) -> list[Certificate]:
    """Return the certificates of a PEM text, or the one of DER, in their order.

    Raises `ValueError` where there is none or one is damaged.
    """
    from cryptography import x509  # noqa: PLC0415 - heavy

    if PEM_HEAD not in octets:
        return [x509.load_der_x509_certificate(octets)]
    texts = _PEM.findall(octets)
    if len(texts) != octets.count(PEM_HEAD):
        raise ValueError("a certificate has no end")
    return [x509.load_pem_x509_certificate(each) for each in texts]


def valid_from(certificate: Certificate) -> datetime:
    """Return the first moment at which a certificate is valid, in UTC."""
    return _moment(certificate, "not_valid_before")


def valid_until(certificate: Certificate) -> datetime:
    """Return the last moment at which a certificate is valid, in UTC."""
    return _moment(certificate, "not_valid_after")


def _moment(certificate: Certificate, name: str) -> datetime:
    """Read a time; the name without `_utc` gives it without a zone, and warns since 42."""
    if hasattr(certificate, f"{name}_utc"):
        return cast("datetime", getattr(certificate, f"{name}_utc"))
    return cast("datetime", getattr(certificate, name)).replace(tzinfo=UTC)


def has_issued(issuer: Certificate, certificate: Certificate) -> bool:
    """Tell whether a certificate names that issuer and is signed with its key."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - heavy

    try:
        if hasattr(certificate, "verify_directly_issued_by"):  # since 40
            certificate.verify_directly_issued_by(issuer)
        else:
            check_issued(issuer, certificate)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def check_issued(issuer: Certificate, certificate: Certificate) -> None:
    """Do what `verify_directly_issued_by` does, for the keys that may sign packages.

    Raises `InvalidSignature`, `ValueError` for another issuer, `TypeError` for other keys.
    """
    from cryptography.hazmat.primitives.asymmetric import (  # noqa: PLC0415 - heavy
        ec,
        ed25519,
        padding,
        rsa,
    )

    if certificate.issuer != issuer.subject:
        raise ValueError("the issuer has another name")
    key, octets = issuer.public_key(), certificate.tbs_certificate_bytes
    hashed = certificate.signature_hash_algorithm
    match key:
        case ed25519.Ed25519PublicKey():
            key.verify(certificate.signature, octets)
        case ec.EllipticCurvePublicKey() if hashed is not None:
            key.verify(certificate.signature, octets, ec.ECDSA(hashed))
        case rsa.RSAPublicKey() if hashed is not None:
            key.verify(certificate.signature, octets, padding.PKCS1v15(), hashed)
        case _:
            raise TypeError("a key of another kind")


def extension(certificate: Certificate, kind: type[Extension]) -> Extension | None:
    """Return the extension of a kind, None where there is none."""
    from cryptography import x509  # noqa: PLC0415 - heavy

    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def is_authority(certificate: Certificate) -> bool:
    """Tell whether a certificate says that it may issue others."""
    from cryptography import x509  # noqa: PLC0415 - heavy

    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def name_of(certificate: Certificate) -> str:
    """Return whose certificate it is, as sentences say it."""
    return f"the certificate of {certificate.subject.rfc4514_string()!r:.200}"
