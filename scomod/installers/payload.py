# SPDX-License-Identifier: Apache-2.0
"""Taking a payload over from the daemon, so that nobody can change it any more.

Without writing it a second time where that is possible: rename into our
directory, change owner and mode, then ask for a read lease, which the kernel
grants only if nobody holds the file open for writing (fcntl(2), F_SETLEASE).
Where the payload shall stay, or a writer is left, or the file system has no
leases or is another one: a clone (FICLONE), else a copy.
Each stage is a rename, so a kill at any point is resumed where it stopped.
This module does not judge the content; `verify` does, afterwards.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import durable

if TYPE_CHECKING:
    from scomod.installers.base import Job
    from scomod.settings import Paths

FICLONE: Final = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
_CHUNK_BYTES: Final = 1 << 20
_PRIVATE: Final = 0o600
_MAX_DEPTH: Final = 8


class Payloads:
    """Brings payloads of orders from the daemon's directories into `work_dir`."""

    def __init__(self, *, paths: Paths, work_dir: Path, max_bytes: int) -> None:
        self._state_dir = paths.state_dir
        self._sources = (paths.spool_dir, paths.delivered_dir, paths.values_dir)
        self._work_dir = work_dir
        self._max_bytes = max_bytes

    def take(self, job: Job) -> Path:
        """Give the payload's place in our own directory; may be called again after a kill.

        Raises `InstallerError`: NOT_PRESENT when it is neither there nor here,
        POLICY when it is not a regular file of the daemon in one of its three
        directories or exceeds the size limit.  `OSError` when the disk fails.
        """
        folder = self._work_dir / job.id
        folder.mkdir(mode=0o700, exist_ok=True)
        payload, incoming = folder / "payload", folder / "incoming"
        if payload.exists():
            return payload
        if not os.path.lexists(incoming) and self._fetch(job, folder):
            return payload
        if self._make_ours(incoming):
            incoming.rename(payload)
        else:
            self._copy(durable.open_regular(incoming), payload)
            incoming.unlink()
        durable.sync_dir(folder)
        return payload

    def drop(self, job_id: str) -> None:
        """Remove what is left of an order's payload on our side."""
        folder = self._work_dir / job_id
        if folder.exists():
            import shutil  # noqa: PLC0415 - heavy, the waiting daemon needs none

            shutil.rmtree(folder)

    def _fetch(self, job: Job, folder: Path) -> bool:
        """Bring the source here; true when it is a finished copy, false when it was moved."""
        name, dir_fd = self._walk(Path(job.payload))
        try:
            fd = durable.open_regular(name, dir_fd=dir_fd)
            try:
                info = self._check(fd)
                moves = not job.keep_payload and info.st_nlink == 1
                if moves and _move(name, dir_fd, folder / "incoming"):
                    return False
                self._copy(os.dup(fd), folder / "payload")
            finally:
                os.close(fd)
            if not job.keep_payload:
                os.unlink(name, dir_fd=dir_fd)
            return True
        finally:
            os.close(dir_fd)

    def _walk(self, source: Path) -> tuple[str, int]:
        """Open the directory that holds the source, following no link below the daemon's own.

        Gives the file's name and the directory's descriptor.
        """
        base = next((base for base in self._sources if source.is_relative_to(base)), None)
        parts = source.relative_to(base).parts if base is not None else ()
        if base is None or not 0 < len(parts) <= _MAX_DEPTH or ".." in parts:
            raise InstallerError(Reason.POLICY, f"a payload cannot come from {str(source)!r:.200}")
        try:
            return parts[-1], _open_dir(base, parts[:-1])
        except FileNotFoundError as error:
            raise InstallerError(Reason.NOT_PRESENT, f"{source} is not there") from error
        except OSError as error:
            raise InstallerError(
                Reason.POLICY, f"{source} cannot be taken: {error.strerror}"
            ) from error

    def _check(self, fd: int) -> os.stat_result:
        """Refuse a file that is too large or somebody else's.

        A hard link could bring any file of the system into the daemon's directory,
        and the file would become ours with a mode that locks its users out.
        """
        info = os.fstat(fd)
        if info.st_size > self._max_bytes:
            raise InstallerError(
                Reason.POLICY, f"the payload has more than {self._max_bytes} octets"
            )
        owners = {self._state_dir.stat().st_uid}
        if info.st_nlink == 1:
            owners.add(os.geteuid())  # a resumed take-over has changed the owner already
        if info.st_uid not in owners:
            raise InstallerError(Reason.POLICY, "the payload belongs to somebody else")
        return info

    def _make_ours(self, incoming: Path) -> bool:
        """Change owner and mode; tell whether nobody else can still write."""
        fd = durable.open_regular(incoming)
        try:
            if self._check(fd).st_nlink != 1:
                return False
            os.fchown(fd, os.geteuid(), os.getegid())
            os.fchmod(fd, _PRIVATE)
            os.fsync(fd)
            return _has_no_writer(fd)
        finally:
            os.close(fd)

    def _copy(self, source_fd: int, payload: Path) -> None:
        """Make `payload` a file of ours with the source's content; closes the source."""
        temporary = payload.with_name("copy")
        temporary.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with (
            open(source_fd, "rb", buffering=0) as source,
            open(os.open(temporary, flags, _PRIVATE), "wb") as target,  # noqa: PTH123
        ):
            if not _clone(source.fileno(), target.fileno()):
                left_bytes = self._max_bytes
                while data := source.read(_CHUNK_BYTES):
                    left_bytes -= len(data)
                    if left_bytes < 0:
                        raise InstallerError(Reason.POLICY, "the payload grows while it is read")
                    target.write(data)
            target.flush()
            os.fsync(target.fileno())
        temporary.rename(payload)
        durable.sync_dir(payload.parent)


def _open_dir(base: Path, parts: tuple[str, ...]) -> int:
    """Open base/parts[0]/parts[1]…, every one of which must be a real directory."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(base, flags)
    for part in parts:
        try:
            inner = os.open(part, flags, dir_fd=fd)
        finally:
            os.close(fd)
        fd = inner
    return fd


def _move(name: str, dir_fd: int, target: Path) -> bool:
    """Rename across directories; false where they lie on different file systems."""
    try:
        os.rename(name, target, src_dir_fd=dir_fd)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    durable.sync_dir(target.parent)
    return True


def _has_no_writer(fd: int) -> bool:
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError:  # a writer, or a file system that has no leases
        return False
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True


def _clone(source_fd: int, target_fd: int) -> bool:
    try:
        fcntl.ioctl(target_fd, FICLONE, source_fd)
    except OSError:  # another file system, or one without shared extents
        return False
    return True
