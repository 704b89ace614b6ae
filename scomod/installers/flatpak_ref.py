# SPDX-License-Identifier: Apache-2.0
"""What a .flatpakref file says: a piece of software by its name, and the remote that has it.

An ini file (flatpak-flatpakref(5)), small, so read whole; pure but for reading it.  Only
what we use is read: other keys (`RuntimeRepo` with one more remote, `Homepage`) are not
obeyed.  Whether its remote can be trusted is `flatpak_remote`'s affair.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import flatpak_output, flatpak_permissions

if TYPE_CHECKING:
    from pathlib import Path

_GROUP: Final = "Flatpak Ref"
_LIMIT_BYTES: Final = 64 << 10
_START: Final = re.compile(rb"(?:\s|#[^\n]*\n)*\[Flatpak Ref\]")
_URL: Final = re.compile(r"(?:https?://|file:///)[!-~]{1,1000}")
_SUMMARY_CHARACTERS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """`digest` is the SHA-256 of the file (hex), `key` a GPG keyring or b""."""

    digest: str
    kind: str
    name: str
    branch: str
    url: str
    key: bytes
    summary: str

    @property
    def id(self) -> str:
        """Name of the component."""
        return f"{self.name}:{self.branch}"

    def full(self, architecture: str) -> str:
        """Name that flatpak takes for this ref and no other."""
        return f"{self.kind}/{self.name}/{architecture}/{self.branch}"


def read(path: Path) -> Ref | None:
    """Read a file; None for what is none.  Raises `InstallerError(MALFORMED)` for a bad one."""
    with path.open("rb") as file:
        data = file.read(_LIMIT_BYTES + 1)
    if not _START.match(data):
        return None
    if len(data) > _LIMIT_BYTES:
        raise _malformed(f"it has more than {_LIMIT_BYTES} octets")
    try:
        values = flatpak_permissions.groups(data.decode())[_GROUP]
        key = base64.b64decode("".join(values.get("GPGKey", "").split()), validate=True)
    except (UnicodeDecodeError, binascii.Error) as error:
        raise _malformed(str(error)) from error
    found = Ref(
        digest=hashlib.sha256(data).hexdigest(),
        kind="runtime" if values.get("IsRuntime", "").lower() in ("true", "1") else "app",
        name=values.get("Name", ""),
        branch=values.get("Branch", "master"),
        url=values.get("Url", ""),
        key=key,
        summary=(values.get("Comment") or values.get("Title", ""))[:_SUMMARY_CHARACTERS],
    )
    if not flatpak_output.is_component_id(found.id):
        raise _malformed(f"it names {found.id!r:.80}")
    if not _URL.fullmatch(found.url):
        raise _malformed(f"no remote can be at {found.url!r:.80}")
    return found


def _malformed(text: str) -> InstallerError:
    return InstallerError(Reason.MALFORMED, f"no good .flatpakref: {text}")
