# SPDX-License-Identifier: Apache-2.0
"""Signatures by a key on a token (PKCS#11), made by `pkcs11-tool` of OpenSC.

The library that we sign with elsewhere speaks to no tokens.  What the tool made is proven
with the public key before it counts.  The PIN goes to it in its environment, which only the
same user can read, never as an argument.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from scomod import signature
from scomod.clicall import UsageError
from scomod.errors import InstallerError, Reason, ScomodError
from scomod.installers import proc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from scomod.pkcs11uri import KeyUri
    from scomod.secret import Secret

PROGRAM: Final = "pkcs11-tool"
TIMEOUT_S: Final = 120.0  # some tokens wait to be touched
_PIN: Final = "SCOMOD_TOKEN_PIN"
_SLOT: Final = re.compile(r"Slot \d+ \((?P<id>0x[0-9a-f]+)\)")
_FIELD: Final = re.compile(r"\s+(?P<name>[\w ]+?)\s*:\s+(?P<value>.*)")
# attributes of a URI and what the tool calls them
_TOKEN_FIELDS: Final[Mapping[str, str]] = {
    "token": "token label",
    "manufacturer": "token manufacturer",
    "model": "token model",
    "serial": "serial num",
}
# what the tool prints when it fails, and what it means to the person
_TROUBLES: Final[Mapping[str, str]] = {
    "CKR_PIN_LOCKED": "the token is locked after too many wrong PINs",
    "CKR_PIN": "the PIN is wrong",
    "Failed to load pkcs11 module": "the module cannot be loaded: name it with ?module-path=",
    "No slots": "no token is there",
}
_RAW_EDWARDS: Final = 32  # octets of an Ed25519 key, which some tokens keep without DER
_RSA: Final = ("--hash-algorithm", "SHA256", "--mgf", "MGF1-SHA256", "--salt-len", "32")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One key on a token; every method raises `UsageError` or `ScomodError` with a sentence."""

    uri: KeyUri
    pin: Secret

    def sign(self, digest: bytes, known: PublicKeyTypes | None) -> bytes:
        """Sign a SHA-256; `known` is the public key, for tokens that do not tell it."""
        slot = ("--slot", self._slot())
        key = ("--id", self._key_id(slot))
        public = self._public(slot, key) or self._listed(slot, key) or known
        if public is None:
            raise UsageError(self._text("its public key is not there: give its --certificate"))
        if weak := signature.weakness(public):
            text = f"the key is too weak to sign packages ({weak}): it must be {signature.WANTED}"
            raise UsageError(self._text(text))
        made = self._made(digest, (*slot, *key, *_mechanism(public)))
        if not signature.is_made_by(public, made, digest):
            raise ScomodError(self._text("the token made a signature that does not fit the key"))
        return made

    def _slot(self) -> str:
        """Return the slot of the one token that is meant."""
        slots = _blocks(self._tool("--list-token-slots").stdout, _SLOT)
        tokens = [each for each in slots if "token label" in each]
        found = [each for each in tokens if self._is_meant(each)]
        if len(found) != 1:
            names = ", ".join(repr(each["token label"]) for each in tokens) or "none"
            text = f"{'no' if not found else 'more than one'} token fits; there are: {names}"
            raise UsageError(self._text(text))
        return found[0]["head"]

    def _is_meant(self, slot: Mapping[str, str]) -> bool:
        wanted = dict(self.uri.token)
        number = wanted.pop("slot-id", "")
        if number and number != str(int(slot["head"], 16)):
            return False
        return all(slot.get(_TOKEN_FIELDS[key]) == value for key, value in wanted.items())

    def _key_id(self, slot: Sequence[str]) -> str:
        """Return the ID of the one private key that is meant; the tool signs by nothing else."""
        done = self._tool(*slot, *self._login(), "--list-objects", "--type", "privkey")
        keys = _blocks(done.stdout, re.compile(r"Private Key Object; (?P<id>\w+)"))
        found = [
            each
            for each in keys
            if self.uri.label in ("", each.get("label"))
            and self.uri.id in ("", each.get("ID", "").lower())
        ]
        if len(found) != 1 or not found[0].get("ID"):
            names = ", ".join(f"{each.get('label', '')!r} ({each.get('ID', '-')})" for each in keys)
            text = f"{'no' if not found else 'more than one'} private key fits"
            raise UsageError(self._text(f"{text}; there are: {names or 'none'}"))
        return found[0]["ID"]

    def _public(self, slot: Sequence[str], key: Sequence[str]) -> PublicKeyTypes | None:
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - heavy
            load_der_public_key,
            load_pem_public_key,
        )

        with TemporaryDirectory() as folder:
            file = Path(folder) / "key"
            wanted = ("--read-object", "--type", "pubkey", "--output-file", str(file))
            self._run(*slot, *key, *wanted)  # that there is none is seen by the file
            octets = file.read_bytes() if file.exists() else b""
        try:  # DER, and PEM for Edwards curves
            return (load_pem_public_key if b"-----" in octets else load_der_public_key)(octets)
        except ValueError:
            return None

    def _listed(self, slot: Sequence[str], key: Sequence[str]) -> PublicKeyTypes | None:
        """Put the key together from the list: OpenSC 0.23 reads no P-384 and few Edwards ones."""
        done = self._run(*slot, "--list-objects", "--type", "pubkey")
        keys = _blocks(done.stdout, re.compile(r"Public Key Object; (?P<id>EC\w*)\s"))
        mine = [each for each in keys if each.get("ID") == key[1]]
        return _key_of(mine[0]) if mine else None

    def _made(self, digest: bytes, words: Sequence[str]) -> bytes:
        with TemporaryDirectory() as folder:
            given, made = Path(folder) / "digest", Path(folder) / "signature"
            given.write_bytes(digest)
            files = ("--input-file", str(given), "--output-file", str(made))
            self._tool(*words, *self._login(), "--sign", *files)
            return made.read_bytes() if made.exists() else b""

    def _login(self) -> tuple[str, ...]:
        return ("--login", "--pin", f"env:{_PIN}")

    def _tool(self, *words: str) -> proc.Completed:
        """Run the tool; raises `UsageError` with its sentence where it says that it failed."""
        done = self._run(*words)
        if done.rc == 0:
            return done
        said = f"{done.stdout}\n{done.stderr}"
        known = (text for sign, text in _TROUBLES.items() if sign in said)
        lines = [line for line in said.splitlines() if line.startswith("error")]
        raise UsageError(self._text(next(known, " ".join(lines) or f"{PROGRAM} failed")))

    def _run(self, *words: str) -> proc.Completed:
        module = ("--module", self.uri.module) if self.uri.module else ()
        # The person's own environment: that is where modules look for their settings.
        env = {**os.environ, "LC_ALL": "C.UTF-8", _PIN: self.pin.reveal()}
        try:
            return proc.run((PROGRAM, *module, *words), timeout_s=TIMEOUT_S, env=env)
        except InstallerError as error:
            need = "; tokens need OpenSC" if error.reason is Reason.UNSUPPORTED_ENV else ""
            raise ScomodError(f"{error}{need}") from error

    def _text(self, text: str) -> str:
        return f"{self.uri.shown}: {text}"


def _key_of(listed: Mapping[str, str]) -> PublicKeyTypes | None:
    """Return the key of a listed object; None for one of a curve that signs no packages."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415 - heavy

    point = bytes.fromhex(listed.get("EC_POINT", ""))
    if len(point) != _RAW_EDWARDS:
        point = point[2:]  # past tag and length of DER
    if listed["head"] == "EC_EDWARDS" and len(point) == _RAW_EDWARDS:
        return ed25519.Ed25519PublicKey.from_public_bytes(point)
    curves = {"06082a8648ce3d030107": ec.SECP256R1(), "06052b81040022": ec.SECP384R1()}
    curve = curves.get(listed.get("EC_PARAMS", "").partition(" ")[0])
    return None if curve is None else ec.EllipticCurvePublicKey.from_encoded_point(curve, point)


def _mechanism(key: PublicKeyTypes) -> tuple[str, ...]:
    """Return the words that make the tool sign a digest in the form of `signature`."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415 - heavy

    match key:
        case rsa.RSAPublicKey():
            return ("--mechanism", "RSA-PKCS-PSS", *_RSA)
        case ec.EllipticCurvePublicKey():
            return ("--mechanism", "ECDSA", "--signature-format", "openssl")
        case _:
            return ("--mechanism", "EDDSA")


def _blocks(text: str, head: re.Pattern[str]) -> list[dict[str, str]]:
    """Read a list of the tool: lines that begin a thing, "head", and its indented fields."""
    found: list[dict[str, str]] = []
    for line in text.splitlines():
        if begun := head.match(line):
            found.append({"head": begun["id"]})
        elif found and (field := _FIELD.fullmatch(line)):
            found[-1].setdefault(field["name"], field["value"].strip())
        elif not line.startswith(" "):
            found.append({"head": ""})  # a thing of another kind: its fields are not ours
    return [each for each in found if each["head"]]
