# SPDX-License-Identifier: Apache-2.0
"""The bench's keys: an authority, the server certificate below it, the key that signs packages.

Made once in a directory and kept.  Not a certificate authority for anything
else: everything is valid for this machine's loopback names only.
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import os
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

NAMES = ("localhost",)
ADDRESSES = ("127.0.0.1", "::1")
LIFETIME = dt.timedelta(days=3650)
CLOCK_SKEW = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pki:
    """Where the files are; `ensure` makes those that are missing."""

    directory: Path

    @property
    def ca_file(self) -> Path:
        """Certificate of the authority: what a device must trust."""
        return self.directory / "ca.pem"

    @property
    def server_file(self) -> Path:
        """Certificate and private key of the server."""
        return self.directory / "server.pem"

    @property
    def signing_file(self) -> Path:
        """Private Ed25519 key that signs packages."""
        return self.directory / "signing.pem"

    @property
    def signing_public_file(self) -> Path:
        """Its public half: what a device keeps in its key directory."""
        return self.directory / "lab.pem"

    def ensure(self) -> None:
        """Make the directory (0700) and what is missing in it."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self.ca_file.exists() and self.server_file.exists()):
            self._make_certificates()
        if not (self.signing_file.exists() and self.signing_public_file.exists()):
            self._make_signing_key()

    def server_context(self) -> ssl.SSLContext:
        """Return the TLS side of the server."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.server_file)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return the TLS side of somebody who trusts this authority and no other."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def sign(self, digest: bytes) -> str:
        """Return base64 of the signature over the 32 octets of a SHA-256 digest."""
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            load_pem_private_key,
        )

        key = load_pem_private_key(self.signing_file.read_bytes(), password=None)
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise TypeError(f"{self.signing_file} holds no Ed25519 key")
        return base64.b64encode(key.sign(digest)).decode()

    def _make_certificates(self) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

        ca_key = ec.generate_private_key(ec.SECP256R1())
        ca = _certificate("scomod-lab authority", ca_key, ca_key, issuer=None)
        key = ec.generate_private_key(ec.SECP256R1())
        server = _certificate("scomod-lab server", key, ca_key, issuer=ca)
        _write(self.server_file, _private_pem(key) + _pem(server), 0o600)
        _write(self.ca_file, _pem(ca), 0o644)

    def _make_signing_key(self) -> None:
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

        key = ed25519.Ed25519PrivateKey.generate()
        _write(self.signing_file, _private_pem(key), 0o600)
        _write(self.signing_public_file, _public_pem(key), 0o644)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
) -> x509.Certificate:
    """Make a certificate: an authority when there is no issuer, else a server below it."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
    )
    for extension, is_critical in _extensions(key, signer, is_authority=issuer is None):
        builder = builder.add_extension(extension, critical=is_critical)
    return builder.sign(signer, hashes.SHA256())


def _extensions(
    key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, *, is_authority: bool
) -> list[tuple[x509.ExtensionType, bool]]:
    """List the extensions; strict verifiers want the key identifiers and usages too."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415

    usage = x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    both: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None), True),
        (usage, True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False),
    ]
    if is_authority:
        return both
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in NAMES]
    names += [x509.IPAddress(ipaddress.ip_address(text)) for text in ADDRESSES]
    server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return [*both, (x509.SubjectAlternativeName(names), False), (server, False)]


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    return certificate.public_bytes(Encoding.PEM)


def _private_pem(key: PrivateKeyTypes) -> bytes:
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public_pem(key: ed25519.Ed25519PrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
    )

    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file that nobody else could read for an instant, all of it or nothing."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    part.replace(path)
