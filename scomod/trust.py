# SPDX-License-Identifier: Apache-2.0
"""Whose signature on a package counts: the keys and authorities in the device's folders.

Each `*.pem` file of a folder holds a public key, or certificates.  A certificate of an authority
is what chains must end at; another one is that of a signer whose packages bring none themselves.
Files are read when a signature is checked, so that what is taken away counts no longer.
Not the mathematics (`signature`), not the chain (`chain`), and not trust in DM servers.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scomod import knowntime
from scomod.errors import Reason, VerifyError
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
    from cryptography.x509 import Certificate

    from scomod.clock import Clock
    from scomod.knowntime import UnsetClock
    from scomod.settings import Paths, Settings


@frozen
class Proof:
    """What came with a package: signature and certificates (base64 of PEM or DER), "" if none."""

    signature: str
    certificate: str = ""


@dataclass(slots=True)
class _Found:
    """What the folders hold; `unusable` says of which files what is wrong."""

    keys: list[PublicKeyTypes] = field(default_factory=list)
    authorities: list[Certificate] = field(default_factory=list)
    signers: list[Certificate] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)


@frozen
class Trust:
    """Judges signatures; `wall_s` is the time that certificates are held against.

    Where `unset` says that it cannot be right they are held against the floor of the time.
    """

    folders: tuple[Path, ...]
    wall_s: Callable[[], float]
    max_certificate_bytes: int
    max_chain_count: int
    unset: Callable[[], UnsetClock | None] = knowntime.believed

    def check(self, digest: str, proof: Proof) -> None:
        """Raise `VerifyError(SIGNATURE)` unless somebody trusted signed the digest (hex)."""
        signature, octets = _octets(proof.signature), bytes.fromhex(digest)
        found = self._found()
        if proof.certificate:
            self._check_with(self._delivered(proof.certificate), found, signature, octets)
        else:
            self._check_without(found, signature, octets)

    def ends_s(self, certificate: str) -> float:
        """Return when the first of the certificates of a package ends, in wall time.

        Raises `VerifyError(SIGNATURE)` for what is none.
        """
        from scomod.certificates import valid_until  # noqa: PLC0415 - heavy

        try:
            return min(valid_until(each).timestamp() for each in self._delivered(certificate))
        except _unreadable() as error:
            raise _refusal("the certificate cannot be read") from error

    def _check_with(
        self, chain: list[Certificate], found: _Found, signature: bytes, digest: bytes
    ) -> None:
        """Judge a signature whose certificate is known."""
        from scomod.chain import Judge  # noqa: PLC0415 - heavy
        from scomod.signature import is_made_by  # noqa: PLC0415 - heavy

        unset = self.unset()
        judge = Judge(
            authorities=found.authorities,
            at=datetime.fromtimestamp(unset.floor_s if unset else self.wall_s(), UTC),
            max_chain_count=self.max_chain_count,
            place=self._place(),
            unset=unset,
        )
        try:
            judge.check(chain)
            is_his = is_made_by(chain[0].public_key(), signature, digest)
        except _unreadable() as error:
            raise _refusal("the certificate cannot be read") from error
        if not is_his:
            who = chain[0].subject.rfc4514_string()
            raise _refusal(f"the signature was not made with the key of {who!r:.200}")

    def _check_without(self, found: _Found, signature: bytes, digest: bytes) -> None:
        """Look for the key, or the certificate kept here, that the signature fits."""
        from scomod.signature import is_made_by  # noqa: PLC0415 - heavy

        if any(is_made_by(key, signature, digest) for key in found.keys):
            return
        for signer in found.signers:
            if is_made_by(signer.public_key(), signature, digest):
                self._check_with([signer], found, signature, digest)
                return
        unusable = f" (not usable: {', '.join(found.unusable)})" if found.unusable else ""
        count = len(found.keys) + len(found.signers)
        if not count:
            raise _refusal(f"no keys are installed in {self._place()}{unusable}")
        raise _refusal(f"the signature fits none of the {count} keys in {self._place()}{unusable}")

    def _delivered(self, certificate: str) -> list[Certificate]:
        from scomod.certificates import read  # noqa: PLC0415 - heavy

        if len(certificate) > self.max_certificate_bytes:
            text = f"the certificate has more than {self.max_certificate_bytes} octets"
            raise _refusal(text)
        try:
            return read(base64.b64decode(certificate, validate=True))
        except ValueError as error:  # also what binascii raises
            raise _refusal("the certificate cannot be read") from error

    def _found(self) -> _Found:
        found = _Found()
        for folder in self.folders:
            for path in sorted(folder.glob("*.pem")):
                self._add(path, found)
        return found

    def _add(self, path: Path, found: _Found) -> None:
        from scomod.certificates import is_authority  # noqa: PLC0415 - heavy
        from scomod.signature import weakness  # noqa: PLC0415 - heavy

        try:
            keys, certificates = self._read(path)
            authorities = [each for each in certificates if is_authority(each)]
            weak = next(filter(None, map(weakness, keys)), "")
        except _unreadable():
            found.unusable.append(path.name)
            return
        if weak:
            found.unusable.append(f"{path.name}: {weak}")
            return
        found.keys += keys
        found.authorities += authorities
        found.signers += [each for each in certificates if each not in authorities]

    def _read(self, path: Path) -> tuple[list[PublicKeyTypes], list[Certificate]]:
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - heavy
            load_pem_public_key,
        )

        from scomod.certificates import read  # noqa: PLC0415 - heavy

        with path.open("rb") as file:
            text = file.read(self.max_certificate_bytes)
        if b"BEGIN CERTIFICATE" in text:
            return [], read(text)
        return [load_pem_public_key(text)], []

    def _place(self) -> str:
        return " or ".join(map(str, self.folders))


def trust_of(
    settings: Settings,
    paths: Paths,
    clock: Clock,
    unset: Callable[[], UnsetClock | None] | None = None,
) -> Trust:
    """Make the judge of a device from its settings.

    Who knows no more of the time than when this software was made gives no `unset`.
    """
    policy = settings.verify
    folders = dict.fromkeys((policy.trust_dir, policy.key_dir))
    return Trust(
        folders=tuple(paths.below_root(folder) for folder in folders if folder),
        wall_s=clock.wall_s,
        max_certificate_bytes=policy.max_certificate_bytes,
        max_chain_count=policy.max_chain_count,
        unset=unset or (lambda: knowntime.unset(clock.wall_s(), settings.time)),
    )


def _octets(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refusal("the signature is not base64") from error


def _unreadable() -> tuple[type[Exception], ...]:
    """Name what reading a damaged or unknown key or certificate raises, also late."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - heavy
    from cryptography.x509 import DuplicateExtension  # noqa: PLC0415 - heavy

    return OSError, ValueError, UnsupportedAlgorithm, DuplicateExtension


def _refusal(text: str) -> VerifyError:
    return VerifyError(Reason.SIGNATURE, text)
