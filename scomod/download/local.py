# SPDX-License-Identifier: Apache-2.0
"""The fetcher for `file:`: payloads on a medium of the device, a stick or a partition.

Only below folders that the configuration names, and a link does not lead out of them.  Not a
shortcut past the part file: the octets are copied and hashed in one pass, as those of a
network, so that what the medium does later changes nothing.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from scomod.download import attempt
from scomod.download.attempt import Answer
from scomod.download.descriptor import type_by_name
from scomod.download.meter import Meter
from scomod.download.part import Origin
from scomod.errors import DownloadError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scomod.clock import Clock
    from scomod.download.job import FetchRequest, FetchResult

# a FIFO must not hold us up before we see what it is
FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
# what reading says when a medium was pulled out under a file that is open
UNPLUGGED: Final = (errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOTCONN)


class FileFetcher:
    """The fetcher for files of this device."""

    def __init__(self, *, clock: Clock, boot_id: str) -> None:
        self._clock = clock
        self._boot_id = boot_id

    def fetch(
        self,
        request: FetchRequest,
        progress: Callable[[int, int | None], None],
        is_cancelled: Callable[[], bool],
    ) -> FetchResult:
        """Copy a file as `job.Fetcher` says."""
        meter = Meter(
            clock=self._clock, request=request, progress=progress, is_cancelled=is_cancelled
        )
        return attempt.run(request, _FileSource(request, self._boot_id), meter, self._boot_id)


class _FileSource:
    """The file that a request names."""

    errors = (OSError,)

    def __init__(self, request: FetchRequest, boot_id: str) -> None:
        self._request = request
        self._boot_id = boot_id

    @contextmanager
    def open(self, start: int, origin: Origin | None) -> Iterator[Answer | None]:
        """Open the file at `start`; see `attempt.Source`."""
        path = _path(self._request.url)
        try:
            file = os.open(path, FLAGS)
        except OSError as error:
            raise self.failure(error) from error
        try:
            _check_place(file, path, self._request.file_dirs)
            yield self._answer(file, start, origin)
        finally:
            os.close(file)

    def failure(self, error: Exception) -> DownloadError:
        """Return the error for a file that cannot be read."""
        text = f"{self._request.url}: {getattr(error, 'strerror', None) or error}"
        if self._is_medium_gone(error):
            return DownloadError(Reason.MEDIUM_GONE, text)
        is_absent = isinstance(error, FileNotFoundError | NotADirectoryError)
        return DownloadError(Reason.REFUSED_BY_SERVER, text, is_absent=is_absent)

    def _is_medium_gone(self, error: Exception) -> bool:
        mark = self._request.medium
        if mark is None:
            return False
        return getattr(error, "errno", None) in UNPLUGGED or not os.access(mark, os.F_OK)

    def _answer(self, file: int, start: int, origin: Origin | None) -> Answer | None:
        found = os.fstat(file)
        url, total = self._request.url, found.st_size
        tag = f'"{found.st_ino}-{found.st_mtime_ns}-{total}"'
        headers = {"ETag": tag, "Content-Type": type_by_name(url)}
        now = Origin.of(url, headers, self._boot_id, total)
        has_digest = self._request.has_digest
        if origin and not origin.is_same_file(url, headers, total, has_digest=has_digest):
            return None
        os.lseek(file, start, os.SEEK_SET)
        return Answer(
            origin=now,
            start=start,
            total_bytes=total,
            read_into=lambda room: os.readv(file, [room]),
        )


def _path(url: str) -> Path:
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc not in {"", "localhost"} or not path.startswith("/") or "\0" in path:
        raise DownloadError(Reason.INSECURE_URL, "no usable URL: a file needs file:///PATH")
    return Path(path)


def _check_place(file: int, path: Path, folders: tuple[Path, ...]) -> None:
    """Refuse what is no plain file, or lies, all links followed, outside of the folders.

    The kernel is asked of the open file: what is swapped for a link meanwhile does not count.
    """
    real = Path(f"/proc/self/fd/{file}").readlink()
    if not any(real.is_relative_to(folder.resolve()) for folder in folders):
        text = f"{path} is not below a folder of download.file_dirs"
        raise DownloadError(Reason.INSECURE_URL, text)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise DownloadError(Reason.REFUSED_BY_SERVER, f"{path} is no plain file")
