"""Digest, signature and policy of a payload: the same check for the daemon and the root helper.

Not a parser of packages: the octets of an open file are judged, whatever they
are.  Only the standard library is needed, and `cryptography` once a signature
is to be checked.  A signature is Ed25519 (RFC 8032) over the 32 octets of the
SHA-256 of the file, so signing needs no access to the whole file.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from scomod.errors import Reason, VerifyError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY_MAX_BYTES = 16 * 1024
DIGEST = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
# a new pair begins after ; & or a line's end, or after a space that a "key=" follows
SEPARATOR = re.compile(r"[;&\r\n]+|\s+(?=[A-Za-z][\w.-]*\s*=)", re.ASCII)
PAIR = re.compile(r"\s*(?P<key>[A-Za-z][\w.-]*)\s*=(?P<value>.*)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallParams:
    """What InstallParams said: digest (hex, lower case), signature (base64), other pairs."""

    sha256: str
    signature: str
    rest: dict[str, str]


def parse_install_params(text: str) -> InstallParams:
    """Read `sha256=<hex>;ed25519=<base64>;other=x`; separators may also be & or line ends.

    What is no pair is ignored, markup altogether, as the leaf is opaque text of the
    server's choice (scomo §6.1).  Raises `VerifyError(MALFORMED)` for a digest that is none, or
    for two digests or signatures that differ.
    """
    pairs: dict[str, str] = {}
    fragments = [] if text.lstrip().startswith("<") else SEPARATOR.split(text)
    for match in filter(None, map(PAIR.fullmatch, fragments)):
        key, value = match["key"], match["value"].strip()
        if key.lower() in {"sha256", "ed25519"}:
            key, value = key.lower(), "".join(value.split())
            if pairs.get(key, value) != value:
                raise VerifyError(Reason.MALFORMED, f"install parameters give {key} twice")
        pairs[key] = value
    sha256, signature = pairs.pop("sha256", ""), pairs.pop("ed25519", "")
    return InstallParams(sha256=_digest(sha256) if sha256 else "", signature=signature, rest=pairs)


def sha256_of(file: BinaryIO) -> str:
    """Return the SHA-256 (hex) of a whole open file, from its beginning."""
    import hashlib  # noqa: PLC0415 - brings OpenSSL, the waiting daemon needs none

    file.seek(0)
    # BinaryIO does not promise readinto, every file that open() gives has it
    return hashlib.file_digest(cast("BufferedReader", file), "sha256").hexdigest()


def check_digest(file: BinaryIO, expected: str) -> str:
    """Return the digest of a file; raises `VerifyError(DIGEST)` unless it is `expected` (hex)."""
    wanted, found = _digest(expected), sha256_of(file)
    if found != wanted:
        raise VerifyError(Reason.DIGEST, f"SHA-256 is {found}, expected {wanted}")
    return found


def check_signature(digest: str, signature: str, key_dir: Path) -> None:
    """Raise `VerifyError(SIGNATURE)` unless a key of `key_dir` made `signature` over `digest`.

    `digest` is hex, `signature` base64; each `*.pem` file with an Ed25519 public
    key counts, other files are passed over and named when nothing fits.
    """
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415

    octets = _signature_octets(signature)
    skipped: list[str] = []
    tried = 0
    for key in _keys(key_dir, skipped):
        tried += 1
        try:
            key.verify(octets, bytes.fromhex(digest))
        except InvalidSignature:
            continue
        return
    unusable = f" (no Ed25519 public key: {', '.join(skipped)})" if skipped else ""
    if not tried:
        raise VerifyError(Reason.SIGNATURE, f"no keys are installed in {key_dir}{unusable}")
    text = f"the signature fits none of the {tried} keys in {key_dir}{unusable}"
    raise VerifyError(Reason.SIGNATURE, text)


def require_signature(signature: str, *, is_required: bool) -> None:
    """Raise `VerifyError(POLICY)` for a package without the signature that policy demands."""
    if is_required and not signature:
        raise VerifyError(Reason.POLICY, "the package is not signed, and signatures are required")


def verify(
    file: BinaryIO, *, digest: str, signature: str, signature_required: bool, key_dir: Path
) -> str:
    """Judge an open file and return its SHA-256 (hex).

    `digest` and `signature` are "" where the server gave none; what is given is
    always checked.  Raises `VerifyError` with DIGEST, SIGNATURE, MALFORMED, or
    POLICY where a signature is required and absent.
    """
    require_signature(signature, is_required=signature_required)
    found = check_digest(file, digest) if digest else sha256_of(file)
    if signature:
        check_signature(found, signature, key_dir)
    return found


def _digest(text: str) -> str:
    if not DIGEST.fullmatch(text):
        raise VerifyError(Reason.MALFORMED, f"not a SHA-256 in hex: {text[:80]!r}")
    return text.lower()


def _signature_octets(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError) as error:
        raise VerifyError(Reason.SIGNATURE, "the signature is not base64") from error


def _keys(key_dir: Path, skipped: list[str]) -> Iterator[Ed25519PublicKey]:
    """Yield the usable keys; the names of the other files go to `skipped`."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PublicKey,
    )
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    for path in sorted(key_dir.glob("*.pem")):
        try:
            with path.open("rb") as file:
                key = load_pem_public_key(file.read(KEY_MAX_BYTES))
        except (OSError, ValueError, UnsupportedAlgorithm):
            key = None
        if isinstance(key, Ed25519PublicKey):
            yield key
        else:
            skipped.append(path.name)
