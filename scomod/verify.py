# SPDX-License-Identifier: Apache-2.0
"""Digest, signature and policy of a payload: the same check for the daemon and the root helper.

Not a parser of packages: the octets of an open file are judged, whatever they
are.  Whose signature counts is said by `trust`; here is only whether one must be there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, cast

from scomod.errors import Reason, VerifyError
from scomod.trust import Proof

if TYPE_CHECKING:
    from io import BufferedReader

    from scomod.trust import Trust

# the digests a server may give, and how many characters they have in hex
DIGESTS = {"sha256": 64, "sha512": 128}
HEX = re.compile(r"[0-9a-fA-F]+", re.ASCII)
# a new pair begins after ; & or a line's end, or after a space that a "key=" follows
SEPARATOR = re.compile(r"[;&\r\n]+|\s+(?=[A-Za-z][\w.-]*\s*=)", re.ASCII)
# "ed25519" is what the signature was called when there was one kind only
OURS = {"sha256": "sha256", "sha512": "sha512", "signature": "signature", "ed25519": "signature",
        "certificate": "certificate"}  # fmt: skip
PAIR = re.compile(r"\s*(?P<key>[A-Za-z][\w.-]*)\s*=(?P<value>.*)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallParams:
    """What InstallParams said: digests (hex, lower case), the proof (base64), other pairs."""

    sha256: str
    signature: str
    sha512: str = ""
    certificate: str = ""
    rest: dict[str, str] = field(default_factory=dict)

    @property
    def proof(self) -> Proof:
        """Signature and certificate together."""
        return Proof(signature=self.signature, certificate=self.certificate)


def parse_install_params(text: str) -> InstallParams:
    """Read `sha256=<hex>;sha512=<hex>;signature=<base64>;certificate=<base64>;other=x`.

    Separators may also be & or line ends; `ed25519=` is another word for `signature=`.

    What is no pair is ignored, markup altogether, as the leaf is opaque text of the
    server's choice (scomo §6.1).  Raises `VerifyError(MALFORMED)` for a digest that is none, or
    for two digests, signatures or certificates that differ.
    """
    pairs: dict[str, str] = {}
    fragments = [] if text.lstrip().startswith("<") else SEPARATOR.split(text)
    for match in filter(None, map(PAIR.fullmatch, fragments)):
        key, value = match["key"], match["value"].strip()
        if key.lower() in OURS:
            key, value = OURS[key.lower()], "".join(value.split())
            if pairs.get(key, value) != value:
                raise VerifyError(Reason.MALFORMED, f"install parameters give {key} twice")
        pairs[key] = value
    digests = {name: pairs.pop(name, "") for name in DIGESTS}
    return InstallParams(
        **{name: _digest(text, name) if text else "" for name, text in digests.items()},
        signature=pairs.pop("signature", ""),
        certificate=pairs.pop("certificate", ""),
        rest=pairs,
    )


def sha256_of(file: BinaryIO) -> str:
    """Return the SHA-256 (hex) of a whole open file, from its beginning."""
    return digest_of(file, "sha256")


def digest_of(file: BinaryIO, name: str) -> str:
    """Return one of `DIGESTS` (hex) of a whole open file, from its beginning."""
    import hashlib  # noqa: PLC0415 - brings OpenSSL, the waiting daemon needs none

    file.seek(0)
    # BinaryIO does not promise readinto, every file that open() gives has it
    return hashlib.file_digest(cast("BufferedReader", file), name).hexdigest()


def check_digest(file: BinaryIO, expected: str, name: str = "sha256") -> str:
    """Return a digest of a file; raises `VerifyError(DIGEST)` unless it is `expected` (hex)."""
    wanted, found = _digest(expected, name), digest_of(file, name)
    if found != wanted:
        raise VerifyError(Reason.DIGEST, f"{spoken(name)} is {found}, expected {wanted}")
    return found


def spoken(name: str) -> str:
    """Return what people call a digest: SHA-256."""
    return name.replace("sha", "SHA-")


def require_signature(signature: str, *, is_required: bool) -> None:
    """Raise `VerifyError(POLICY)` for a package without the signature that policy demands."""
    if is_required and not signature:
        raise VerifyError(Reason.POLICY, "the package is not signed, and signatures are required")


def verify(
    file: BinaryIO, *, digest: str, proof: Proof, signature_required: bool, trust: Trust
) -> str:
    """Judge an open file and return its SHA-256 (hex).

    `digest` and the signature are "" where the server gave none; what is given is
    always checked.  Raises `VerifyError` with DIGEST, SIGNATURE, MALFORMED, or
    POLICY where a signature is required and absent.
    """
    require_signature(proof.signature, is_required=signature_required)
    found = check_digest(file, digest) if digest else sha256_of(file)
    if proof.signature:
        trust.check(found, proof)
    return found


def _digest(text: str, name: str) -> str:
    if len(text) != DIGESTS[name] or not HEX.fullmatch(text):
        raise VerifyError(Reason.MALFORMED, f"not a {spoken(name)} in hex: {text[:80]!r}")
    return text.lower()
