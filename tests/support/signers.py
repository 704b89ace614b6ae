# SPDX-License-Identifier: Apache-2.0
"""Who signs packages in tests: keys of every kind, authorities, certificates of signers."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from scomod.knowntime import unset
from scomod.settings import Time
from scomod.signature import sign
from scomod.trust import Trust

if TYPE_CHECKING:
    from pathlib import Path

DAY = timedelta(days=1)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
NO_USAGE: tuple[str, ...] = ()
USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@cache
def key_of(kind: str) -> Any:
    """Make a private key, once for each kind: "ed25519", "secp256r1" …, "rsa3072" …"""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    if kind.startswith("ed25519"):  # "ed25519 other" is another one
        return ed25519.Ed25519PrivateKey.generate()
    curve = getattr(ec, kind.upper())
    return ec.generate_private_key(curve())


def install(folder: Path, name: str, key: Any) -> None:
    """Put the public half of a key into a folder."""
    folder.mkdir(exist_ok=True)
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / name).write_bytes(pem)


def trusting(
    *folders: Path, at: datetime = NOW, chain: int = 4, policy: Time | None = None
) -> Trust:
    """Make the judge of a device with these folders."""
    return Trust(
        folders=folders,
        wall_s=at.timestamp,
        max_certificate_bytes=16384,
        max_chain_count=chain,
        unset=lambda: unset(at.timestamp(), policy or Time()),
    )


def signed(key: Any, digest: str) -> str:
    """Sign as `scomoctl sign` does; gives base64."""
    return base64.b64encode(sign(key, bytes.fromhex(digest))).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Somebody with a key and a certificate."""

    key: Any
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def party(
    name: str,
    issuer: Party | None = None,
    *,
    kind: str = "secp256r1",
    is_authority: bool = False,
    valid: tuple[datetime, datetime] = (NOW - DAY, NOW + DAY),
    usage: tuple[str, ...] | None = None,
    path_length: int | None = None,
    purpose: x509.ObjectIdentifier | None = None,
    extension: x509.ExtensionType | None = None,
) -> Party:
    """Make a key with its certificate, self-signed where there is no issuer."""
    key = ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else key_of(kind)
    if kind == "secp256r1":  # each its own
        key = ec.generate_private_key(ec.SECP256R1())
    signer = key if issuer is None else issuer.key
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    if usage is None:
        usage = ("key_cert_sign",) if is_authority else ("digital_signature",)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=path_length), True)
    )
    if usage:
        wanted = {each: each in usage for each in USAGES}
        builder = builder.add_extension(x509.KeyUsage(**wanted), True)
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), False)
    if extension is not None:
        builder = builder.add_extension(extension, True)
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Party(key=key, certificate=builder.sign(signer, algorithm))


def packed(*parties: Party) -> str:
    """Give certificates as `certificate=` has them."""
    return base64.b64encode(b"".join(each.pem for each in parties)).decode()
