# SPDX-License-Identifier: Apache-2.0
"""X.509: whether a certificate comes, link by link, from an authority that is trusted.

The rules of RFC 5280 §6.1 as far as signing packages needs them: signatures, names, validity,
basic constraints, path length, key usage.  An extension that is critical and not judged here
ends the chain, so that a constraint is never passed over.
Not revocation (nothing is asked for over the network), and not which authorities: `trust`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.certificates import (
    extension,
    has_issued,
    is_authority,
    name_of,
    valid_from,
    valid_until,
)
from scomod.errors import Reason, VerifyError
from scomod.signature import WANTED, weakness

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography.x509 import Certificate

    from scomod.knowntime import UnsetClock

_HASHES: Final = frozenset({"sha256", "sha384", "sha512"})
# 2.5.29: key usage, basic constraints, extended key usage; alternative names say who, not what
_JUDGED: Final = frozenset({"2.5.29.15", "2.5.29.19", "2.5.29.37", "2.5.29.17"})
_CODE_SIGNING: Final = frozenset({"1.3.6.1.5.5.7.3.3", "2.5.29.37.0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Judges chains at the moment `at`; `place` names the authorities' home in sentences.

    If the clock cannot be right, and it is `unset`, `at` is the floor of the time: nothing may be
    over by then, and what has not begun may have since.
    """

    authorities: Sequence[Certificate]
    at: datetime
    max_chain_count: int
    place: str
    unset: UnsetClock | None = None

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
            issuer = next((each for each in links if has_issued(each, below)), None)
            if issuer is None:
                raise _refusal(
                    f"{name_of(below)} was issued by {below.issuer.rfc4514_string()!r:.200},"
                    f" which is no authority in {self.place}"
                )
            self._check_issuer(issuer, depth)
            links.remove(issuer)
            below = issuer
        raise _refusal(f"the chain of {name_of(signer)} has more than {self.max_chain_count} links")

    def _authority_of(self, certificate: Certificate) -> Certificate | None:
        """Find the trusted issuer; of several with one name and key one that is still valid."""
        found = [each for each in self.authorities if has_issued(each, certificate)]
        found.sort(key=valid_until, reverse=True)
        return found[0] if found else None

    def _check_signer(self, signer: Certificate) -> None:
        from cryptography import x509  # noqa: PLC0415 - heavy

        self._check_each(signer)
        if is_authority(signer):
            raise _refusal(f"{name_of(signer)} is that of an authority, which signs no packages")
        usage = extension(signer, x509.KeyUsage)
        if usage is None or not usage.digital_signature:
            raise _refusal(f"{name_of(signer)} is not made for signatures (key usage)")
        purposes = extension(signer, x509.ExtendedKeyUsage)
        if purposes is not None and not _CODE_SIGNING & {each.dotted_string for each in purposes}:
            raise _refusal(f"{name_of(signer)} is not made for signing code (extended key usage)")

    def _check_issuer(self, issuer: Certificate, depth: int) -> None:
        from cryptography import x509  # noqa: PLC0415 - heavy

        self._check_each(issuer)
        constraints = extension(issuer, x509.BasicConstraints)
        if constraints is None or not constraints.ca:
            raise _refusal(f"{name_of(issuer)} is not that of an authority, but issued another")
        if constraints.path_length is not None and depth > constraints.path_length:
            raise _refusal(f"{name_of(issuer)} does not allow so long a chain")
        usage = extension(issuer, x509.KeyUsage)
        if usage is not None and not usage.key_cert_sign:
            raise _refusal(f"{name_of(issuer)} may not issue others (key usage)")

    def _check_each(self, certificate: Certificate) -> None:
        """Hold against the rules what every certificate must keep to."""
        self._check_time(certificate)
        if weak := weakness(certificate.public_key()):
            raise _refusal(f"the key of {name_of(certificate)} is too weak ({weak}), not {WANTED}")
        hashed = certificate.signature_hash_algorithm
        if hashed is not None and hashed.name not in _HASHES:
            raise _refusal(f"{name_of(certificate)} is itself signed with the weak {hashed.name}")
        for each in certificate.extensions:
            if each.critical and each.oid.dotted_string not in _JUDGED:
                raise _refusal(
                    f"{name_of(certificate)} has a critical extension that is not understood"
                    f" ({each.oid.dotted_string})"
                )

    def _check_time(self, certificate: Certificate) -> None:
        begin, end = valid_from(certificate), valid_until(certificate)
        if self.unset and self.unset.is_refused:
            raise _refusal(f"{self.unset}, so {name_of(certificate)} cannot be judged")
        if self.at > end:
            but = f"; {self.unset}" if self.unset else ""
            raise _refusal(f"{name_of(certificate)} expired on {end:%Y-%m-%d %H:%M} UTC{but}")
        if self.at < begin and not self.unset:
            text = f"{name_of(certificate)} is valid only from {begin:%Y-%m-%d %H:%M} UTC on"
            raise _refusal(text)


def _refusal(text: str) -> VerifyError:
    return VerifyError(Reason.SIGNATURE, text)
