# SPDX-License-Identifier: Apache-2.0
"""A bundle: one Delivery Package with several components (scomo §1.1, "all or nothing").

An uncompressed tar (ustar) of regular files without paths.  The first is
`manifest.json`:

    {"bundle": 1, "scope": "whole" | "part",
     "components": [{"file": "a.deb", "environment": "deb", "sha256": "<hex>"}, …]}

and the others are exactly the files it names.  Everything here comes from
outside: counts and sizes are limited, headers are read by our own few lines, so
that no extension of the format can ask for memory, and a component counts only
when its digest is that of the manifest.  What is in a component its backend says.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, TYPE_CHECKING, Any, Final

from scomod.errors import InstallerError, Reason, VerifyError

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.settings import Bundle as Limits

MANIFEST: Final = "manifest.json"
_FORMAT: Final = 1
_BLOCK_BYTES: Final = 512
_CHUNK_BYTES: Final = 1 << 20
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._~-]{0,99}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_MAGIC: Final = (b"ustar\0", b"ustar ")
_REGULAR: Final = (b"0", b"\0")


class Scope(StrEnum):
    """What a bundle is of its package: all of it, or a part that leaves the others."""

    WHOLE = "whole"
    PART = "part"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One archive of a bundle; `sha256` in lower case hex."""

    file: str
    environment: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A read table of contents; `places` maps a file to its offset and size in octets."""

    scope: Scope
    components: tuple[Component, ...]
    places: dict[str, tuple[int, int]]

    def unpack(self, file: IO[bytes], component: Component, target: Path) -> None:
        """Write one component to a file of ours, for good.

        Raises `VerifyError(DIGEST)` when it is not what the manifest says.
        """
        offset, left_bytes = self.places[component.file]
        file.seek(offset)
        digest = hashlib.sha256()
        with target.open("wb") as copy:
            while left_bytes and (data := file.read(min(left_bytes, _CHUNK_BYTES))):
                left_bytes -= len(data)
                digest.update(data)
                copy.write(data)
            copy.flush()
            os.fsync(copy.fileno())
        if digest.hexdigest() != component.sha256:
            raise VerifyError(Reason.DIGEST, f"{component.file} is not what the manifest says")


def read(file: IO[bytes], limits: Limits) -> Bundle:
    """Read the table of contents of a bundle.  Raises `InstallerError(MALFORMED)`."""
    places = _members(file, limits.max_components_count + 1)
    if next(iter(places), "") != MANIFEST:
        raise _malformed(f"a bundle begins with {MANIFEST}")
    offset, size = places.pop(MANIFEST)
    if size > limits.max_manifest_bytes:
        raise _malformed(f"{MANIFEST} has more than {limits.max_manifest_bytes} octets")
    file.seek(offset)
    scope, components = _manifest(file.read(size))
    if sorted(places) != sorted(component.file for component in components):
        raise _malformed("the files are not those that the manifest names")
    return Bundle(scope=scope, components=components, places=places)


def _malformed(text: str) -> InstallerError:
    return InstallerError(Reason.MALFORMED, text)


# -- the tar ---------------------------------------------------------------------


def _members(file: IO[bytes], max_count: int) -> dict[str, tuple[int, int]]:
    """List the files by name, in their order."""
    end = file.seek(0, os.SEEK_END)
    places: dict[str, tuple[int, int]] = {}
    offset = 0
    while any(header := _block(file, offset)):
        name, size = _header(header)
        offset += _BLOCK_BYTES
        if name in places or len(places) == max_count:
            raise _malformed(f"too many files, or {name} twice")
        if offset + size > end:
            raise _malformed(f"cut short in {name}")
        places[name] = (offset, size)
        offset += -(-size // _BLOCK_BYTES) * _BLOCK_BYTES
    return places


def _block(file: IO[bytes], offset: int) -> bytes:
    file.seek(offset)
    block = file.read(_BLOCK_BYTES)
    if len(block) != _BLOCK_BYTES:
        raise _malformed("cut short, or no tar at all")
    return block


def _header(header: bytes) -> tuple[str, int]:
    """Read name and size of a member that is a regular file without a path."""
    name = header[:100].rstrip(b"\0").decode("ascii", "replace")
    blank = header[:148] + b" " * 8 + header[156:]
    if header[257:263] not in _MAGIC or _octal(header[148:156]) != sum(blank):
        raise _malformed("no plain tar (ustar)")
    if header[156:157] not in _REGULAR or header[345] or not _FILE_NAME.fullmatch(name):
        raise _malformed(f"{name!r:.80} is no regular file without a path")
    return name, _octal(header[124:136])


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0")
    if not re.fullmatch(rb"[0-7]{1,11}", digits):
        raise _malformed("a number in the tar is none")
    return int(digits, 8)


# -- the manifest ----------------------------------------------------------------


def _manifest(data: bytes) -> tuple[Scope, tuple[Component, ...]]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _malformed(f"{MANIFEST} is no JSON: {error}") from error
    if not isinstance(value, dict) or value.keys() - {"bundle", "scope", "components"}:
        raise _malformed(f"{MANIFEST} is no object of the known keys")
    if value.get("bundle") != _FORMAT:
        raise _malformed(f"a bundle of format {value.get('bundle')!r:.80} is not known")
    scope, components = value.get("scope", Scope.WHOLE), value.get("components")
    if scope not in set(Scope):
        raise _malformed(f"the scope {scope!r:.80} is not known")
    if not isinstance(components, list) or not components:
        raise _malformed("the manifest names no components")
    return Scope(scope), tuple(map(_component, components))


def _component(value: Any) -> Component:
    is_complete = isinstance(value, dict) and value.keys() == {"file", "environment", "sha256"}
    if not is_complete or not all(isinstance(text, str) for text in value.values()):
        raise _malformed("a component is file, environment and sha256, all texts")
    found = Component(**{**value, "sha256": value["sha256"].lower()})
    if not _FILE_NAME.fullmatch(found.file) or not _DIGEST.fullmatch(found.sha256):
        raise _malformed(f"a component has an impossible name or digest: {found.file!r:.80}")
    return found
