"""X.509: whether a certificate comes, link by link, from an authority that is trusted.

The rules of RFC 5280 §6.1 as far as signing packages needs them: signatures, names, validity,
basic constraints, path length, key usage.  An extension that is critical and not judged here
ends the chain, so that a constraint is never passed over.
Not revocation (nothing is asked for over the network), and not which authorities: `trust`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from scomod.errors import Reason, VerifyError
from scomod.signature import WANTED, weakness

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography.x509 import Certificate, ExtensionType

_Extension = TypeVar("_Extension", bound="ExtensionType")
_PEM_HEAD: Final = b"-----BEGIN CERTIFICATE-----"
_HASHES: Final = frozenset({"sha256", "sha384", "sha512"})
# 2.5.29: key usage, basic constraints, extended key usage; alternative names say who, not what
_JUDGED: Final = frozenset({"2.5.29.15", "2.5.29.19", "2.5.29.37", "2.5.29.17"})
_CODE_SIGNING: Final = frozenset({"1.3.6.1.5.5.7.3.3", "2.5.29.37.0"})


def read(octets: bytes) -> list[Certificate]:
    """Return the certificates of a PEM text, or the one of DER, in their order.

    Raises `ValueError` where there is none or one is damaged.
    """
    from cryptography import x509  # noqa: PLC0415 - heavy

    if _PEM_HEAD in octets:
        return x509.load_pem_x509_certificates(octets)
    return [x509.load_der_x509_certificate(octets)]


def is_authority(certificate: Certificate) -> bool:
    """Tell whether a certificate says that it may issue others."""
    from cryptography import x509  # noqa: PLC0415 - heavy

    constraints = _extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Judges chains at the moment `at`; `place` names the authorities' home in sentences."""

    authorities: Sequence[Certificate]
    at: datetime
    max_chain_count: int
    place: str

    def check(self, chain: Sequence[Certificate]) -> None:
        """Raise `VerifyError(SIGNATURE)` unless the first may sign packages for an authority.

        The others, in any order, may link it to one.
        """
        signer, *links = chain
        self._check_signer(signer)
        below = signer
        for depth in range(self.max_chain_count):
            if authority := self._authority_of(below):
                self._check_issuer(authority, depth)
                return
            issuer = next((each for each in links if _has_issued(each, below)), None)
            if issuer is None:
                raise _refusal(
                    f"{_name(below)} was issued by {below.issuer.rfc4514_string()!r:.200},"
                    f" which is no authority in {self.place}"
                )
            self._check_issuer(issuer, depth)
            links.remove(issuer)
            below = issuer
        raise _refusal(f"the chain of {_name(signer)} has more than {self.max_chain_count} links")

    def _authority_of(self, certificate: Certificate) -> Certificate | None:
        """Find the trusted issuer; of several with one name and key one that is still valid."""
        found = [each for each in self.authorities if _has_issued(each, certificate)]
        found.sort(key=lambda each: each.not_valid_after_utc, reverse=True)
        return found[0] if found else None

    def _check_signer(self, signer: Certificate) -> None:
        from cryptography import x509  # noqa: PLC0415 - heavy

        self._check_each(signer)
        if is_authority(signer):
            raise _refusal(f"{_name(signer)} is that of an authority, which signs no packages")
        usage = _extension(signer, x509.KeyUsage)
        if usage is None or not usage.digital_signature:
            raise _refusal(f"{_name(signer)} is not made for signatures (key usage)")
        purposes = _extension(signer, x509.ExtendedKeyUsage)
        if purposes is not None and not _CODE_SIGNING & {each.dotted_string for each in purposes}:
            raise _refusal(f"{_name(signer)} is not made for signing code (extended key usage)")

    def _check_issuer(self, issuer: Certificate, depth: int) -> None:
        from cryptography import x509  # noqa: PLC0415 - heavy

        self._check_each(issuer)
        constraints = _extension(issuer, x509.BasicConstraints)
        if constraints is None or not constraints.ca:
            raise _refusal(f"{_name(issuer)} is not that of an authority, but issued another")
        if constraints.path_length is not None and depth > constraints.path_length:
            raise _refusal(f"{_name(issuer)} does not allow so long a chain")
        usage = _extension(issuer, x509.KeyUsage)
        if usage is not None and not usage.key_cert_sign:
            raise _refusal(f"{_name(issuer)} may not issue others (key usage)")

    def _check_each(self, certificate: Certificate) -> None:
        """Hold against the rules what every certificate must keep to."""
        if self.at > certificate.not_valid_after_utc:
            when = certificate.not_valid_after_utc
            raise _refusal(f"{_name(certificate)} expired on {when:%Y-%m-%d %H:%M} UTC")
        if self.at < certificate.not_valid_before_utc:
            when = certificate.not_valid_before_utc
            raise _refusal(f"{_name(certificate)} is valid only from {when:%Y-%m-%d %H:%M} UTC on")
        if weak := weakness(certificate.public_key()):
            raise _refusal(f"the key of {_name(certificate)} is too weak ({weak}), not {WANTED}")
        hashed = certificate.signature_hash_algorithm
        if hashed is not None and hashed.name not in _HASHES:
            raise _refusal(f"{_name(certificate)} is itself signed with the weak {hashed.name}")
        for each in certificate.extensions:
            if each.critical and each.oid.dotted_string not in _JUDGED:
                raise _refusal(
                    f"{_name(certificate)} has a critical extension that is not understood"
                    f" ({each.oid.dotted_string})"
                )


def _has_issued(issuer: Certificate, certificate: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - heavy

    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _extension(certificate: Certificate, kind: type[_Extension]) -> _Extension | None:
    from cryptography import x509  # noqa: PLC0415 - heavy

    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _name(certificate: Certificate) -> str:
    return f"the certificate of {certificate.subject.rfc4514_string()!r:.200}"


def _refusal(text: str) -> VerifyError:
    return VerifyError(Reason.SIGNATURE, text)
