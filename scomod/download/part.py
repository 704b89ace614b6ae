"""The part file of one fetch: octets on disk, their digest, and what allows to go on with them.

Beside the file lies `<part>.state`, written once before the first octet: which
URL the octets came from and the validator of RFC 9110 §8.8 the server gave.
Without it, or where it does not fit, a fetch starts over.  The state of a hash
cannot be saved, so going on means reading the part again.
"""

from __future__ import annotations

import errno
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from scomod.errors import DownloadError, Reason

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

PIECE_BYTES = 256 * 1024
SPACE_CHECK_BYTES = 4 * 1024 * 1024
STATE_MAX_BYTES = 64 * 1024
FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the octets of a part come from; `boot_id` names the boot they were written in."""

    url: str
    etag: str = ""
    last_modified: str = ""
    content_type: str = ""
    boot_id: str = ""

    @classmethod
    def of(cls, url: str, headers: Mapping[str, str], boot_id: str) -> Self:
        """Build the origin from the headers of an answer."""
        etag = headers.get("ETag", "")
        return cls(
            url=url,
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

    def may_continue(self, url: str, boot_id: str, *, has_digest: bool) -> bool:
        """Tell whether a part from here may be continued.

        What was not flushed before a power cut may have become zeros.  A digest
        finds that out; without one only parts of the same boot, with a strong
        tag, are used.
        """
        is_sure = has_digest or bool(self.etag and boot_id == self.boot_id)
        return self.url == url and bool(self.validator) and is_sure

    def is_same_file(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a partial answer is about the file we have the beginning of.

        Some servers honour Range and overlook If-Range.
        """
        ours = ((self.etag, "ETag"), (self.last_modified, "Last-Modified"))
        return all(not value or headers.get(name, value) == value for value, name in ours)


class PartFile:
    """An open part file, positioned at its end, with the digest of what it holds."""

    def __init__(self, path: Path, reserve_bytes: int) -> None:
        self._path = path
        self._state = state_path(path)
        self._reserve_bytes = reserve_bytes
        self._unchecked_bytes = 0
        with _storing(None):
            self._file = os.open(path, FLAGS, 0o600)
        self.size_bytes = 0
        self.digest = _sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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
        buffer = memoryview(bytearray(PIECE_BYTES))
        while count := self._read_into(buffer):
            check()
            self.digest.update(buffer[:count])
            self.size_bytes += count

    def restart(self, origin: Origin) -> None:
        """Drop all octets and remember where the next ones come from."""
        self.size_bytes = 0
        self.digest = _sha256()
        with _storing(self):
            self._state.unlink(missing_ok=True)
            os.ftruncate(self._file, 0)
            os.lseek(self._file, 0, os.SEEK_SET)
            self._write_state(origin)

    def append(self, piece: bytes) -> None:
        """Write and hash one piece; raises `DownloadError(NO_SPACE)`, then the part is gone."""
        with _storing(self):
            self._unchecked_bytes += len(piece)
            if self._unchecked_bytes >= SPACE_CHECK_BYTES:
                self.require_space(0)
                self._unchecked_bytes = 0
            view = memoryview(piece)
            while view:
                view = view[os.write(self._file, view) :]
        self.digest.update(piece)
        self.size_bytes += len(piece)

    def require_space(self, wanted_bytes: int) -> None:
        """Raise `DownloadError(NO_SPACE)` unless so much, and the reserve, is free."""
        free = free_bytes(self._path.parent)
        if free < wanted_bytes + self._reserve_bytes:
            raise DownloadError(
                Reason.NO_SPACE,
                f"{wanted_bytes} octets to store, {free} free, {self._reserve_bytes} reserved",
            )

    def flush(self) -> None:
        """Bring all octets to the disk."""
        with _storing(self):
            os.fsync(self._file)

    def remove(self) -> None:
        """Delete the file and its side file; the room is given back when the file is closed."""
        os.ftruncate(self._file, 0)
        self._path.unlink(missing_ok=True)
        self._state.unlink(missing_ok=True)

    def _read_into(self, buffer: memoryview) -> int:
        with _storing(self):
            return os.readv(self._file, [buffer])

    def _write_state(self, origin: Origin) -> None:
        draft = self._state.with_name(self._state.name + ".new")
        draft.unlink(missing_ok=True)
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            json.dump(asdict(origin), stream)
        draft.replace(self._state)


def _sha256() -> hashlib._Hash:
    import hashlib  # noqa: PLC0415 - brings OpenSSL, the waiting daemon needs none

    return hashlib.sha256()


@contextmanager
def _storing(part: PartFile | None) -> Iterator[None]:
    """Turn errors of storing into `DownloadError`, and give a full disk its room back.

    The journal needs room to note the failure, so the part cannot stay.
    """
    try:
        yield
    except (OSError, DownloadError) as error:
        if part is not None:
            part.remove()
        if isinstance(error, DownloadError):
            raise
        reason = Reason.NO_SPACE if error.errno in NO_ROOM else Reason.INTERNAL
        raise DownloadError(reason, f"cannot store the file: {error.strerror}") from error


def state_path(part: Path) -> Path:
    """Return the path of the side file."""
    return part.with_name(part.name + ".state")


def free_bytes(directory: Path) -> int:
    """Return how many octets an ordinary user may still write below `directory`."""
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize
