# SPDX-License-Identifier: Apache-2.0
"""The part file of one fetch: octets on disk, their digest, and what allows to go on with them.

Beside the file lies `<part>.state`, written once before the first octet: which
URL the octets came from, the size of the whole and the validator of RFC 9110 §8.8 the
server gave.  Without it, or where it does not fit, a fetch starts over.  The state of a
hash cannot be saved, so going on means reading the part again.

Octets are received into the buffer that they are written and hashed from: a piece is on
its way to the disk before the next is asked for, and nothing is copied.
"""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Self

from scomod.download.digests import Digests
from scomod.errors import DownloadError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

# Two threads meet once for each: of a quarter of that they are busier meeting (docs/bench.md).
BUFFER_BYTES: Final = 1024 * 1024
# A TLS record is never longer: where less room is left a read would only be cut in two.
ROOM_BYTES: Final = 16 * 1024
SPACE_CHECK_BYTES: Final = 4 * 1024 * 1024
STATE_MAX_BYTES: Final = 64 * 1024
FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the octets of a part come from; `boot_id` names the boot they were written in.

    `total_bytes` is the size of the whole file, None where the server did not say.
    """

    url: str
    total_bytes: int | None = None
    etag: str = ""
    last_modified: str = ""
    content_type: str = ""
    boot_id: str = ""

    @classmethod
    def of(
        cls, url: str, headers: Mapping[str, str], boot_id: str, total_bytes: int | None = None
    ) -> Self:
        """Build the origin from the headers of an answer."""
        etag = headers.get("ETag", "")
        return cls(
            url=url,
            total_bytes=total_bytes,
            # a weak tag promises no equal octets and must not stand in If-Range (RFC 9110 §13.1.5)
            etag="" if etag.startswith("W/") else etag,
            last_modified=headers.get("Last-Modified", ""),
            content_type=headers.get("Content-Type", ""),
            boot_id=boot_id,
        )

    @property
    def media_type(self) -> str:
        """The media type without parameters, "" where none was named."""
        return self.content_type.partition(";")[0].strip().lower()

    @property
    def validator(self) -> str:
        """What If-Range carries; "" means that nothing allows to go on."""
        return self.etag or self.last_modified

    def may_continue(self, urls: Collection[str], boot_id: str, *, has_digest: bool) -> bool:
        """Tell whether a part from here may be continued with what lies at `urls`.

        What was not flushed before a power cut may have become zeros.  A digest
        finds that out; without one only parts of the same boot, with a strong
        tag, are used.
        """
        return self.url in urls and (has_digest or bool(self.etag and boot_id == self.boot_id))

    def condition(self, url: str, *, has_digest: bool) -> str:
        """Return what If-Range carries to `url`, "" for nothing.

        The validators of one server say nothing to another, unless tag and size agree; with a
        digest nothing else is needed there.
        """
        if url == self.url:
            return self.validator
        return "" if has_digest else self.etag

    def is_same_file(
        self, url: str, headers: Mapping[str, str], total_bytes: int | None, *, has_digest: bool
    ) -> bool:
        """Tell whether a partial answer is about the file we have the beginning of.

        Some servers honour Range and overlook If-Range.
        """
        sizes = (self.total_bytes, total_bytes)
        if url == self.url:
            ours = ((self.etag, "ETag"), (self.last_modified, "Last-Modified"))
            is_same = all(not value or headers.get(name, value) == value for value, name in ours)
            return is_same and (None in sizes or sizes[0] == sizes[1])
        if has_digest:
            return None in sizes or sizes[0] == sizes[1]
        return None not in sizes and sizes[0] == sizes[1] and headers.get("ETag") == self.etag


class PartFile:
    """An open part file, positioned at its end, with the digests of what it holds.

    `digests` names those that are made besides SHA-256.
    """

    def __init__(self, path: Path, reserve_bytes: int, digests: Collection[str] = ()) -> None:
        self._path = path
        self._state = state_path(path)
        self._reserve_bytes = reserve_bytes
        self._names = ("sha256", *digests)
        self._unchecked_bytes = 0
        try:
            self._file = os.open(path, FLAGS, 0o600)
        except OSError as error:
            raise _storing_error(error) from error
        # two: while one is hashed the other is filled
        self._buffer, self._other = (memoryview(bytearray(BUFFER_BYTES)) for _ in range(2))
        self._filled = 0
        self.size_bytes = 0
        self._digests = Digests(self._names)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._digests.close()
        os.close(self._file)

    def origin(self) -> Origin | None:
        """Return what the side file says, or None where there is none that can be read."""
        try:
            file = os.open(self._state, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(file, "rb") as stream:
                return Origin(**json.loads(stream.read(STATE_MAX_BYTES)))
        except (OSError, ValueError, TypeError):
            return None

    def reread(self, check: Callable[[], None]) -> None:
        """Hash what an earlier fetch left; `check` is called for each piece and may raise."""
        while count := self._read_into(self.room()):
            check()
            self._taken(count)

    def restart(self, origin: Origin) -> None:
        """Drop all octets and remember where the next ones come from."""
        self._digests.close()
        self._digests = Digests(self._names)
        self.size_bytes = self._filled = 0
        try:
            self._state.unlink(missing_ok=True)
            os.ftruncate(self._file, 0)
            os.lseek(self._file, 0, os.SEEK_SET)
            self._write_state(origin)
        except OSError as error:
            raise self._given_up(error) from error

    def room(self) -> memoryview:
        """Return where the next piece goes; never empty."""
        return self._buffer[self._filled :]

    def append(self, count: int) -> None:
        """Write and hash the first octets of the room.

        Raises `DownloadError(NO_SPACE)`, then the part is gone: the journal needs room to
        note the failure.
        """
        self._unchecked_bytes += count
        if self._unchecked_bytes >= SPACE_CHECK_BYTES:
            self._unchecked_bytes = 0
            self._keep_reserve()
        view = self._buffer[self._filled : self._filled + count]
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            raise self._given_up(error) from error
        self._taken(count)

    def hexdigest(self, name: str = "sha256") -> str:
        """Return a digest of all octets."""
        self._digests.add(self._buffer[: self._filled])
        self._turn()
        return self._digests.hexdigest(name)

    def require_space(self, wanted_bytes: int) -> None:
        """Raise `DownloadError(NO_SPACE)` unless so much, and the reserve, is free."""
        require_room(self._path.parent, wanted_bytes, self._reserve_bytes)

    def flush(self) -> None:
        """Bring all octets to the disk."""
        try:
            os.fsync(self._file)
        except OSError as error:
            raise self._given_up(error) from error

    def remove(self) -> None:
        """Delete the file and its side files; the room is given back when the file is closed."""
        for path in (self._path, self._state, _draft(self._state)):
            with suppress(OSError):  # a disk that cannot be written keeps what it has
                path.unlink(missing_ok=True)
        with suppress(OSError):
            os.ftruncate(self._file, 0)

    def _taken(self, count: int) -> None:
        self.size_bytes += count
        self._filled += count
        if self._filled > BUFFER_BYTES - ROOM_BYTES:
            self._digests.add(self._buffer[: self._filled])
            self._turn()

    def _turn(self) -> None:
        """Fill the other buffer: this one is being hashed."""
        self._buffer, self._other, self._filled = self._other, self._buffer, 0

    def _keep_reserve(self) -> None:
        try:
            self.require_space(0)
        except DownloadError:
            self.remove()
            raise

    def _read_into(self, buffer: memoryview) -> int:
        try:
            return os.readv(self._file, [buffer])
        except OSError as error:
            raise self._given_up(error) from error

    def _given_up(self, error: OSError) -> DownloadError:
        """Give the room back, and return the error for storing that failed."""
        self.remove()
        return _storing_error(error)

    def _write_state(self, origin: Origin) -> None:
        draft = _draft(self._state)
        draft.unlink(missing_ok=True)
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            json.dump(asdict(origin), stream)
        draft.replace(self._state)


def _draft(state: Path) -> Path:
    return state.with_name(state.name + ".new")


def _storing_error(error: OSError) -> DownloadError:
    """Return the error for storing that failed."""
    reason = Reason.NO_SPACE if error.errno in NO_ROOM else Reason.INTERNAL
    return DownloadError(reason, f"cannot store the file: {error.strerror}")


def state_path(part: Path) -> Path:
    """Return the path of the side file."""
    return part.with_name(part.name + ".state")


def require_room(directory: Path, wanted_bytes: int, reserve_bytes: int) -> None:
    """Raise `DownloadError(NO_SPACE)` unless so much, and the reserve, is free."""
    free = free_bytes(directory)
    if free < wanted_bytes + reserve_bytes:
        text = f"{wanted_bytes} octets to store, {free} free, {reserve_bytes} reserved"
        raise DownloadError(Reason.NO_SPACE, text)


def free_bytes(directory: Path) -> int:
    """Return how many octets an ordinary user may still write below `directory`."""
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize
