"""`scomoctl sign`: the text for InstallParams that proves where a package comes from.

Works alone: no daemon, no bus, no configuration; for whoever publishes packages.
Keys come from files.  Tokens (PKCS#11) are not spoken to: what a token signs with other tools
is as good, as the forms of the signatures are theirs (`signature`).
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod import certificates, signature
from scomod.clicall import EXIT_OK, UsageError
from scomod.verify import sha256_of

if TYPE_CHECKING:
    import argparse

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

    from scomod.clicall import Screen

_MAX_BYTES: Final = 1 << 16


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Sign one file; raises `UsageError` for a key or certificate that does not do."""
    key = _private_key(arguments.key, arguments.passphrase_file)
    pairs = {}
    with Path(arguments.file).open("rb") as file:
        pairs["sha256"] = sha256_of(file)
        pairs["size"] = str(file.tell())
    try:
        made = signature.sign(key, bytes.fromhex(pairs["sha256"]))
    except ValueError as error:
        raise UsageError(f"{arguments.key}: {error}") from error
    pairs["signature"] = b64encode(made).decode()
    if arguments.cert:
        pairs["certificate"] = _certificate(arguments.cert, made, pairs["sha256"])
    text = ";".join(f"{name}={value}" for name, value in pairs.items())
    screen.show({**pairs, "install_params": text}, [text])
    return EXIT_OK


def _private_key(name: str, passphrase_name: str) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - heavy
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - heavy
        load_pem_private_key,
    )

    passphrase = _read(passphrase_name).splitlines()[:1] if passphrase_name else [None]
    try:
        return load_pem_private_key(_read(name), *passphrase or [b""])
    except TypeError as error:  # one is missing, or the key has none
        wanted = "has no passphrase" if passphrase_name else "needs --passphrase-file"
        raise UsageError(f"{name}: the key {wanted}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        text = ", or the passphrase is wrong" if passphrase_name else ""
        raise UsageError(f"{name}: this is no private key in PEM{text}") from error


def _certificate(name: str, made: bytes, digest: str) -> str:
    """Return the certificates as `certificate=` has them: one as DER, several as PEM."""
    octets = _read(name)
    try:
        found = certificates.read(octets)
        is_his = signature.is_made_by(found[0].public_key(), made, bytes.fromhex(digest))
    except ValueError as error:
        raise UsageError(f"{name}: this is no certificate in PEM or DER") from error
    if not is_his:
        raise UsageError(f"{name}: the first certificate is not that of the key")
    return b64encode(_packed(found)).decode()


def _packed(certificates: list[Certificate]) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - heavy

    kind = Encoding.DER if len(certificates) == 1 else Encoding.PEM
    return b"".join(each.public_bytes(kind) for each in certificates)


def _read(name: str) -> bytes:
    with Path(name).open("rb") as file:
        return file.read(_MAX_BYTES)
