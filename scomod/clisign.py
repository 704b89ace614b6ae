# SPDX-License-Identifier: Apache-2.0
"""`scomoctl sign`: the text for InstallParams, and the file, that prove where a package comes from.

Works alone: no daemon, no bus, no configuration; for whoever publishes packages.
Keys come from files, or stay on tokens (`clitoken`).
"""

from __future__ import annotations

import asyncio
import sys
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from scomod import certificates, pkcs11uri, sigfile, signature
from scomod.clicall import EXIT_OK, UsageError
from scomod.secret import Secret
from scomod.trust import Proof
from scomod.verify import sha256_of

if TYPE_CHECKING:
    import argparse

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

    from scomod.clicall import Screen

_MAX_BYTES: Final = 1 << 16


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Sign one file; raises `UsageError` for a key or certificate that does not do."""
    found = _certificates(arguments.certificate) if arguments.certificate else []
    pairs = {}
    with Path(arguments.file).open("rb") as file:
        pairs["sha256"] = sha256_of(file)
        pairs["size"] = str(file.tell())
    digest = bytes.fromhex(pairs["sha256"])
    made = _signature(arguments, digest, found)
    if found and not signature.is_made_by(found[0].public_key(), made, digest):
        text = "the first certificate is not that of the key"
        raise UsageError(f"{arguments.certificate}: {text}")
    pairs["signature"] = b64encode(made).decode()
    if found:
        pairs["certificate"] = b64encode(_packed(found)).decode()
    if arguments.output:
        _write(arguments.output, pairs["signature"], found)
    text = ";".join(f"{name}={value}" for name, value in pairs.items())
    screen.show({**pairs, "install_params": text}, [text])
    return EXIT_OK


def _signature(arguments: argparse.Namespace, digest: bytes, found: list[Certificate]) -> bytes:
    if arguments.key.startswith(pkcs11uri.SCHEME):
        return _by_token(arguments, digest, found)
    if arguments.pin_file:
        raise UsageError("--pin-file is for keys on tokens (pkcs11:)")
    key = _private_key(arguments.key, arguments.passphrase_file)
    try:
        return signature.sign(key, digest)
    except ValueError as error:
        raise UsageError(f"{arguments.key}: {error}") from error


def _by_token(arguments: argparse.Namespace, digest: bytes, found: list[Certificate]) -> bytes:
    from scomod.clitoken import Token  # noqa: PLC0415 - few keys are on tokens

    uri = pkcs11uri.parse(arguments.key)
    if arguments.passphrase_file:
        raise UsageError("--passphrase-file is for keys in files; tokens have a PIN")
    token = Token(uri=uri, pin=_pin(uri, arguments.pin_file))
    return token.sign(digest, found[0].public_key() if found else None)


def _pin(uri: pkcs11uri.KeyUri, pin_name: str) -> Secret:
    """Return the PIN: from --pin-file, the URI, or whoever sits at the terminal."""
    name = pin_name or _source(uri)
    if name:
        return Secret("".join(_read(name).decode("utf-8", "replace").splitlines()[:1]))
    if uri.pin_value:
        return Secret(uri.pin_value)
    if not sys.stdin.isatty():
        text = "the token needs a PIN, and there is no terminal: give it with --pin-file"
        raise UsageError(f"{uri.shown}: {text}")
    from scomod import terminal  # noqa: PLC0415 - only who is asked needs it

    typed = asyncio.run(terminal.read_line(f"PIN of {uri.shown}: ", is_hidden=True))
    return Secret(typed or "")


def _source(uri: pkcs11uri.KeyUri) -> str:
    """Return the file that pin-source names: a path, or a URI of one."""
    parts = urlsplit(uri.pin_source)
    if parts.scheme not in ("", "file") or uri.pin_source.startswith("|"):
        raise UsageError(f"{uri.shown}: pin-source must be a file")
    return unquote(parts.path) if parts.scheme else uri.pin_source


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


def _certificates(name: str) -> list[Certificate]:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - heavy

    try:
        found = certificates.read(_read(name))
        found[0].public_key()  # a damaged one is noticed only now
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{name}: this is no certificate in PEM or DER") from error
    return found


def _packed(found: list[Certificate]) -> bytes:
    """Return the certificates as `certificate=` has them: one as DER, several as PEM."""
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - heavy

    kind = Encoding.DER if len(found) == 1 else Encoding.PEM
    return b"".join(each.public_bytes(kind) for each in found)


def _write(name: str, made: str, found: list[Certificate]) -> None:
    """Write the file that is put beside the package."""
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - heavy

    pem = b"".join(each.public_bytes(Encoding.PEM) for each in found)
    proof = Proof(signature=made, certificate=b64encode(pem).decode())
    Path(name).write_bytes(sigfile.written(proof))


def _read(name: str) -> bytes:
    with Path(name).open("rb") as file:
        return file.read(_MAX_BYTES)
