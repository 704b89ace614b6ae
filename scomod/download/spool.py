# SPDX-License-Identifier: Apache-2.0
"""Where part files lie and where finished payloads go; not how they are fetched or checked.

One part per operation, one payload per digest.  Links are never followed: what
is no plain file is refused, or removed as itself.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from scomod.errors import StoreError
from scomod.sigfile import path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

DIRECTORY_MODE = 0o700
PART_NAME = re.compile(
    r"(?P<id>\d+)\.part(\.sig|\.delta)?(\.state(\.new)?|\.piece|\.patched)?", re.ASCII
)
DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
PAYLOAD_NAME = re.compile(r"(?P<digest>[0-9a-f]{64})(\.sig)?", re.ASCII)


class Spool:
    """The two directories of payloads; both must lie in one file system."""

    def __init__(self, directory: Path, delivered: Path) -> None:
        self._directory = directory
        self._delivered = delivered
        for one in (directory, delivered):
            _make_private(one)

    def part(self, operation_id: int) -> Path:
        """Return the path of an operation's part file, whether it exists or not."""
        return self._directory / f"{operation_id}.part"

    def piece(self, operation_id: int) -> Path:
        """Return the path for what is taken out of an operation's payload to be looked at."""
        return self._directory / f"{operation_id}.part.piece"

    def fetched_bytes(self, operation_id: int) -> int:
        """Return how much of an operation's package, or of a delta to it, has come."""
        part = self.part(operation_id)
        return max(_size(part), _size(delta_path(part)))

    def promote(self, part: Path, sha256: str) -> Path:
        """Move a finished part to `delivered/<sha256>`, durably; may be called twice (I6).

        The signature that was fetched beside it goes along.  The octets must be on disk
        already.  Raises `StoreError` where there is neither the part nor the payload, or
        where one of them is no plain file.
        """
        if not DIGEST.fullmatch(sha256):
            raise StoreError(f"not a SHA-256: {sha256[:80]!r}")
        payload = self._delivered / sha256
        signature = path_of(part)
        if _is_plain(signature):
            signature.rename(path_of(payload))
        if _is_plain(part):
            _is_plain(payload)
            part.rename(payload)
            _flush(self._delivered)
        elif not _is_plain(payload):
            raise StoreError(f"nothing to deliver: {part} is missing")
        from scomod.download.part import state_path  # noqa: PLC0415 - when something was fetched

        for each in (part, signature):
            state_path(each).unlink(missing_ok=True)
        _flush(part.parent)
        return payload

    def hand_over(self, from_id: int, to_id: int) -> None:
        """Make what is complete for one operation that of another, durably."""
        from scomod.download.part import state_path  # noqa: PLC0415 - as above

        source, target = self.part(from_id), self.part(to_id)
        with state_path(source).open("rb") as state:
            os.fsync(state.fileno())
        state_path(source).rename(state_path(target))
        source.rename(target)
        _flush(self._directory)

    def discard(self, operation_id: int) -> None:
        """Remove what an operation left in the spool; nothing there is fine."""
        self._remove(lambda found: found == operation_id)

    def sweep(self, live_ids: Collection[int]) -> None:
        """Remove the leftovers of all operations that are not live any more."""
        self._remove(lambda found: found not in live_ids)

    def keep_only(self, wanted: Callable[[], Collection[str]]) -> None:
        """Remove the payloads that are not `wanted`, by digest; asks only if there are any."""
        names = [path.name for path in self._delivered.iterdir()]
        found = [match for match in map(PAYLOAD_NAME.fullmatch, names) if match]
        kept = wanted() if found else ()
        for match in found:
            if match["digest"] not in kept:
                (self._delivered / match[0]).unlink(missing_ok=True)

    def _remove(self, is_unwanted: Callable[[int], bool]) -> None:
        for path in self._directory.iterdir():
            match = PART_NAME.fullmatch(path.name)
            if match and is_unwanted(int(match["id"])):
                # unlink removes a link as itself; a directory of that name is not ours
                with suppress(IsADirectoryError):
                    path.unlink(missing_ok=True)


def delta_path(part: Path) -> Path:
    """Return where the delta is fetched to that a part is made of."""
    return part.with_name(part.name + ".delta")


def patched_path(part: Path) -> Path:
    """Return where what a delta makes is written before it is the part."""
    return part.with_name(part.name + ".patched")


def _make_private(directory: Path) -> None:
    """Create a directory for us alone, or take an existing one and close it to others."""
    directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise StoreError(f"{directory} is no directory")
    if stat.S_IMODE(found.st_mode) != DIRECTORY_MODE:
        directory.chmod(DIRECTORY_MODE)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _is_plain(path: Path) -> bool:
    """Tell whether a plain file is there; raises `StoreError` when it is something else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        raise StoreError(f"{path} is no plain file")
    return True


def _flush(directory: Path) -> None:
    """Make renames in a directory durable."""
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
