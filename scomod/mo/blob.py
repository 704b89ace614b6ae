# SPDX-License-Identifier: Apache-2.0
"""Values too long for a row of the database: one file each, named by its SHA-256.

Not a store of its own: a file counts only while a row of the table of nodes names
it.  Written and flushed first, then named in the transaction; what no row names
after a transaction, or at start, is removed (ADR 0012).  So a file may be there too
long, never too short, whatever dies when.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import weakref
from typing import TYPE_CHECKING, Final

from scomod.errors import DeviceFull, StorageFailed
from scomod.mo.node import Blob, is_long

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600
NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
OLD_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# Flushed as it grows: one flush of everything at the end would stop the loop for long (I16).
FLUSH_BYTES: Final = 4 * 1024 * 1024
NAME: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class FileBody:
    """The octets of one file, read where they are wanted; lives on when its file is removed."""

    __slots__ = ("__weakref__", "_descriptor", "size_bytes")

    def __init__(self, descriptor: int, size_bytes: int) -> None:
        self._descriptor = descriptor
        self.size_bytes = size_bytes
        weakref.finalize(self, os.close, descriptor)

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` octets from `offset`; raises `StorageFailed`."""
        with _translated():
            return os.pread(self._descriptor, count, offset)


class Incoming:
    """A value on its way in: in memory while it is short, then in a file that nobody names yet."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._head = bytearray()
        self._part: _Part | None = None

    def write(self, octets: bytes) -> None:
        """Append; raises `DeviceFull` or `StorageFailed`, after which only `drop` makes sense."""
        if self._part is None:
            self._head += octets
            if not is_long(len(self._head)):
                return
            octets, self._head = bytes(self._head), bytearray()
            self._part = self._blobs.new_part()
        self._part.write(octets)

    def finish(self) -> bytes | Blob:
        """Return the value: octets, or the name of a flushed file; raises as `write` does."""
        if self._part is None:
            return bytes(self._head)
        part, self._part = self._part, None
        return self._blobs.keep_part(part)

    def drop(self) -> None:
        """Forget what came; again or after `finish` it does nothing."""
        self._head = bytearray()
        if self._part is not None:
            self._part.remove()
            self._part = None


class BlobStore:
    """The directory of such files; made with the first of them.

    `reserve_bytes` of the file system stay free for the rest of the device.
    """

    def __init__(self, directory: Path, *, reserve_bytes: int) -> None:
        self._directory = directory
        self._reserve_bytes = reserve_bytes
        self._numbers = itertools.count(1)
        self._kept: set[str] = set()

    @property
    def is_empty(self) -> bool:
        """Tell whether there is no file at all, as on most devices: nothing to compare then."""
        return not self._kept

    def receive(self) -> Incoming:
        """Return the place for a value that arrives piece by piece."""
        return Incoming(self)

    def keep(self, value: bytes) -> Blob:
        """Write a value that is in memory already; raises `DeviceFull`, `StorageFailed`."""
        part = self.new_part()
        try:
            part.write(value)
        except BaseException:
            part.remove()
            raise
        return self.keep_part(part)

    def body(self, blob: Blob) -> FileBody:
        """Open a file for reading; raises `StorageFailed` if it is gone or damaged."""
        with _translated():
            descriptor = os.open(self._directory / blob.sha256, OLD_FILE)
        body = FileBody(descriptor, os.fstat(descriptor).st_size)
        if body.size_bytes != blob.size_bytes:
            raise StorageFailed(f"a value has {body.size_bytes} octets, not {blob.size_bytes}")
        return body

    def require_room(self, size_bytes: int) -> None:
        """Raise `DeviceFull` unless that many octets fit beside the reserve."""
        if is_long(size_bytes) and size_bytes > self._free_bytes():
            raise DeviceFull(f"no room for {size_bytes} octets")

    def sweep(self, named: Collection[str]) -> None:
        """At start: remove every file that is not among `named`."""
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(self._directory):  # noqa: PTH208 - names are what is asked for
                if NAME.fullmatch(name) and name in named:
                    self._kept.add(name)
                else:
                    self._remove(name)

    def keep_only(self, named: Collection[str]) -> None:
        """After a transaction: remove the files that no row names any more."""
        for name in self._kept.difference(named):
            self._remove(name)
            self._kept.discard(name)

    def new_part(self) -> _Part:
        """Create a file that nothing names; raises `DeviceFull`, `StorageFailed`."""
        with _translated():
            if not self._directory.exists():
                self._directory.mkdir(mode=DIRECTORY_MODE, parents=True)
                _flush(self._directory.parent)
            path = self._directory / f"{next(self._numbers)}.part"
            return _Part(path, os.open(path, NEW_FILE, FILE_MODE), self.require_room_left)

    def keep_part(self, part: _Part) -> Blob:
        """Flush a part and give it its name; raises `DeviceFull`, `StorageFailed`."""
        try:
            with _translated():
                blob = part.close()
                part.path.rename(self._directory / blob.sha256)
                self._kept.add(blob.sha256)
                _flush(self._directory)
        except BaseException:
            part.remove()
            raise
        return blob

    def require_room_left(self) -> None:
        """Raise `DeviceFull` when what is free has come down to the reserve."""
        if self._free_bytes() <= 0:
            raise DeviceFull("the room for values is used up")

    def _free_bytes(self) -> int:
        """Return the octets that may still be written, where the directory is or will be."""
        place = self._directory if self._directory.exists() else self._directory.parent
        with _translated():
            found = os.statvfs(place)
        return found.f_bavail * found.f_frsize - self._reserve_bytes

    def _remove(self, name: str) -> None:
        # What cannot be removed now is tried again at the next start.
        with contextlib.suppress(OSError):
            (self._directory / name).unlink(missing_ok=True)


class _Part:
    """An open file that grows, and the digest of what it holds."""

    def __init__(self, path: Path, descriptor: int, check_room: Callable[[], None]) -> None:
        from hashlib import sha256  # noqa: PLC0415 - brings OpenSSL, the waiting daemon needs none

        self.path = path
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._check_room = check_room
        self._digest = sha256()
        self._size_bytes = 0
        self._flushed_bytes = 0

    def write(self, octets: bytes) -> None:
        """Append all of it; raises `DeviceFull`, `StorageFailed`."""
        left = memoryview(octets)
        with _translated():
            while left:
                left = left[self._file.write(left) :]
            self._size_bytes += len(octets)
            self._digest.update(octets)
            if self._size_bytes - self._flushed_bytes >= FLUSH_BYTES:
                self._check_room()
                os.fdatasync(self._file.fileno())
                self._flushed_bytes = self._size_bytes

    def close(self) -> Blob:
        """Make the octets durable; may raise OSError."""
        os.fsync(self._file.fileno())
        self._file.close()
        return Blob(sha256=self._digest.hexdigest(), size_bytes=self._size_bytes)

    def remove(self) -> None:
        """Close and delete, whatever state it is in."""
        with contextlib.suppress(OSError):  # a full disk may say so only now
            self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn what the operating system says into what a command fails with."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DeviceFull("the device has no room for the value") from error
        raise StorageFailed(f"a value cannot be kept or read: {error.strerror}") from error


def _flush(directory: Path) -> None:
    """Make a rename in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
