# SPDX-License-Identifier: Apache-2.0
"""The file that carries a package's signature beside it: `<package>.sig`.

Base64 of the signature, in lines of any length, then, where a certificate proves the key, PEM
certificates with the signer's first.  The bare octets that other tools write are taken too.
Not whose signature counts (`trust`), and not how the file gets here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from scomod.errors import Reason, VerifyError

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.trust import Proof

SUFFIX: Final = ".sig"
_PEM: Final = b"-----BEGIN "
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]+={0,2}")


def url_of(url: str) -> str:
    """Return where the signature of what lies at a URL is: the path with `.sig`, query kept."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path + SUFFIX, fragment=""))


def path_of(path: Path) -> Path:
    """Return where the signature of a file is."""
    return path.with_name(path.name + SUFFIX)


def written(proof: Proof) -> bytes:
    """Return the content of the file; `proof.certificate` must be base64 of PEM."""
    from base64 import b64decode  # noqa: PLC0415 - who only names the file has no memory for it

    return proof.signature.encode() + b"\n" + b64decode(proof.certificate)


def read(octets: bytes) -> Proof:
    """Return what a file says; raises `VerifyError(SIGNATURE)` where that is no signature."""
    from base64 import b64encode  # noqa: PLC0415 - the same

    from scomod.trust import Proof  # noqa: PLC0415 - the same

    head, mark, tail = octets.partition(_PEM)
    text = b"".join(head.split())
    if _BASE64.fullmatch(text):
        return Proof(signature=text.decode(), certificate=b64encode(mark + tail).decode())
    if mark or not text:
        raise VerifyError(Reason.SIGNATURE, "the file beside the package holds no signature")
    return Proof(signature=b64encode(octets).decode())
