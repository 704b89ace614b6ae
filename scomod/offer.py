# SPDX-License-Identifier: Apache-2.0
"""An offer: the file in the root of a removable medium that says what lies there for whom.

Read from outside, so in this order: plain files only, of limited size; then the signature;
then what it says.  Not what becomes of it (`offers`), and not whose signature counts (`trust`).
"""

from __future__ import annotations

import hashlib
import os
import stat
import tomllib
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from scomod import sigfile
from scomod.errors import OperationError
from scomod.facade import Refused
from scomod.value import frozen
from scomod.verify import parse_install_params

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scomod.trust import Trust

NAME: Final = "scomod-offer.toml"
# a FIFO must not hold us up, and a link leads nowhere
FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
MAX_NAME: Final = 255  # what file systems take

# Keys of the file: the field, and its type.
NEEDED: Final[Mapping[str, tuple[str, type]]] = {
    "server": ("server_id", str),
    "package_id": ("pkg_id", str),
    "name": ("name", str),
    "version": ("version", str),
    "file": ("file", str),
    "size": ("size_bytes", int),
    "sha256": ("sha256", str),
}
OPTIONAL: Final[Mapping[str, tuple[str, type]]] = {
    "description": ("description", str),
    "environment": ("environment", str),
    "package_type": ("pkg_type", str),
    "install_params": ("install_params", str),
    "expires": ("expires", datetime),
}
KEYS: Final = {**NEEDED, **OPTIONAL}


@frozen
class Found:
    """What lies on a medium: the octets of the offer and of its signature, b"" for none."""

    octets: bytes
    signature: bytes

    @property
    def digest(self) -> str:
        """The SHA-256 (hex) of the offer: what it is known by."""
        return hashlib.sha256(self.octets).hexdigest()


@frozen
class Offer:
    """What an offer says; `file` is a name beside it, of `size_bytes` octets and that SHA-256."""

    server_id: str
    pkg_id: str
    name: str
    version: str
    file: str
    size_bytes: int
    sha256: str
    description: str = ""
    environment: str = ""
    pkg_type: str = ""
    install_params: str = ""
    expires: datetime | None = None

    @property
    def params(self) -> str:
        """What InstallParams of its package are."""
        ours = f"sha256={self.sha256};size={self.size_bytes}"
        return ";".join(filter(None, (ours, self.install_params)))


def find(place: Path, *, max_offer_bytes: int, max_signature_bytes: int) -> Found | None:
    """Read the offer of the medium that is mounted at `place`, None if there is none.

    Raises `Refused` for what is no plain file or too large, `OSError`.
    """
    folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        octets = _content(folder, NAME, max_offer_bytes)
        if octets is None:
            return None
        signature = _content(folder, NAME + sigfile.SUFFIX, max_signature_bytes)
    finally:
        os.close(folder)
    return Found(octets=octets, signature=signature or b"")


def judged(found: Found, trust: Trust) -> Offer:
    """Return what an offer says that somebody trusted has signed.

    Raises `Refused`: no signature, one that does not count, or no offer.
    """
    if not found.signature:
        raise Refused(f"no signature in {NAME}{sigfile.SUFFIX}: an offer must be signed")
    try:
        trust.check(found.digest, sigfile.read(found.signature))
    except OperationError as error:
        raise Refused(str(error)) from error
    return read(found.octets)


def check_file(place: Path, offer: Offer) -> None:
    """Raise `Refused` unless the package lies beside its offer, a plain file of the right size."""
    try:
        found = os.lstat(place / offer.file)
    except OSError as error:
        raise Refused(f"{offer.file}: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise Refused(f"{offer.file} is no plain file")
    if found.st_size != offer.size_bytes:
        raise Refused(f"{offer.file} has {found.st_size} octets, offered were {offer.size_bytes}")


def read(octets: bytes) -> Offer:
    """Return what the text of an offer says; raises `Refused`."""
    try:
        said = tomllib.loads(octets.decode())
    except (ValueError, RecursionError) as error:
        raise Refused(f"no TOML: {error}") from error
    if unknown := sorted(said.keys() - KEYS.keys()):
        raise Refused(f"unknown key {unknown[0]!r:.80}")
    if missing := [key for key in NEEDED if key not in said]:
        raise Refused(f"{missing[0]} is missing")
    offer = Offer(**{KEYS[key][0]: _value(key, content) for key, content in said.items()})
    _check(offer)
    return offer


def _value(key: str, content: Any) -> Any:
    kind = KEYS[key][1]
    if type(content) is not kind:
        raise Refused(f"{key} must be {'text' if kind is str else kind.__name__}")
    return content


def _check(offer: Offer) -> None:
    """Raise `Refused` for what has the right type and is wrong all the same."""
    blank = [
        key for key, (name, kind) in NEEDED.items() if kind is str and not getattr(offer, name)
    ]
    if blank:
        raise Refused(f"{blank[0]} is empty")
    name = offer.file
    if "/" in name or name in (".", "..") or len(name) > MAX_NAME or not name.isprintable():
        raise Refused(f"file must be a name beside the offer, not {name!r:.80}")
    if offer.size_bytes <= 0:
        raise Refused("size must be above 0")
    if offer.install_params.lstrip().startswith("<"):
        raise Refused("install_params of an offer are pairs KEY=VALUE")
    if offer.expires is not None and offer.expires.tzinfo is None:
        raise Refused("expires needs a time zone, as in 2030-01-31T00:00:00Z")
    _check_params(offer)


def _check_params(offer: Offer) -> None:
    """Raise `Refused` unless the parameters that are made of an offer say what it says."""
    try:
        params = parse_install_params(offer.params)
    except OperationError as error:
        raise Refused(str(error)) from error
    if params.sha256 != offer.sha256.lower():
        raise Refused("sha256 is not what the parameters of its package would say")


def _content(folder: int, name: str, max_bytes: int) -> bytes | None:
    """Read a plain file of an open folder, None if it is not there."""
    try:
        # looked at before it is opened: opening a device may do something
        is_plain = stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
        file = os.open(name, FLAGS, dir_fd=folder) if is_plain else -1
    except FileNotFoundError:
        return None
    if file < 0:
        raise Refused(f"{name} is no plain file")
    with open(file, "rb") as opened:  # noqa: PTH123 - an open file
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise Refused(f"{name} is no plain file")
        octets = opened.read(max_bytes + 1)
    if len(octets) > max_bytes:
        raise Refused(f"{name} has more than {max_bytes} octets")
    return octets
