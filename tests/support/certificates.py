# SPDX-License-Identifier: Apache-2.0
"""A certificate authority, a server certificate and those of clients, made on the spot."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """`ca_file` is what a client must trust, `server_file` holds certificate and key (PEM).

    `ca_key_file` is for `make_client_file`.
    """

    ca_file: Path
    server_file: Path
    ca_key_file: Path | None = None


def make_certificates(
    directory: Path,
    *,
    names: tuple[str, ...] = ("localhost", "127.0.0.1"),
    valid_from: timedelta = -DAY,
    valid_until: timedelta = DAY,
    authority: str = "test authority",
) -> Certificates:
    """Make both files in `directory`; the times count from now."""
    now = datetime.now(UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    server_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, authority)])
    ca = (
        _certificate(ca_name, ca_name, ca_key.public_key(), now - DAY * 30, now + DAY * 30)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    server = (
        _certificate(name, ca_name, server_key.public_key(), now + valid_from, now + valid_until)
        .add_extension(
            x509.SubjectAlternativeName([_general_name(n) for n in names]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    key_file = directory / "ca.key"
    made = Certificates(
        ca_file=directory / "ca.pem",
        server_file=directory / "server.pem",
        ca_key_file=key_file,
    )
    made.ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(_key_in_pem(ca_key))
    made.server_file.write_bytes(
        server.public_bytes(serialization.Encoding.PEM) + _key_in_pem(server_key)
    )
    return made


def server_context(certificates: Certificates, *, client_ca: Path | None = None) -> ssl.SSLContext:
    """Return what a server speaks TLS with; with `client_ca` it wants certificates of that."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server_file)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


def make_client_file(directory: Path, certificates: Certificates, password: str = "") -> Path:
    """Make a certificate for a client and put it with its key into one file, as it should lie."""
    now = datetime.now(UTC)
    assert certificates.ca_key_file is not None
    ca_key = serialization.load_pem_private_key(certificates.ca_key_file.read_bytes(), None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    issuer = x509.load_pem_x509_certificate(certificates.ca_file.read_bytes()).subject
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a device")])
    key = ec.generate_private_key(ec.SECP256R1())
    made = _certificate(name, issuer, key.public_key(), now - DAY, now + DAY).sign(
        ca_key, hashes.SHA256()
    )
    file = directory / "client.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + _key_in_pem(key, password))
    file.chmod(0o600)
    return file


def _key_in_pem(key: ec.EllipticCurvePrivateKey, password: str = "") -> bytes:
    lock = (
        serialization.BestAvailableEncryption(password.encode())
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    start: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
