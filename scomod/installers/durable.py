# SPDX-License-Identifier: Apache-2.0
"""Files that survive a power cut, and files of others read with care.

A durable write is: temporary file in the same directory, flush, rename, flush
the directory.  A careful read follows no link, waits for no pipe and reads no
more than was agreed.
"""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

from scomod.errors import InstallerError, Reason

if TYPE_CHECKING:
    from pathlib import Path


def sync_dir(folder: Path) -> None:
    """Make what was renamed or deleted in a directory permanent."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_json(path: Path, value: object, *, mode: int) -> None:
    """Write a JSON file as a whole or not at all; `mode` are its permission bits."""
    write(path, json.dumps(value, sort_keys=True).encode(), mode=mode)


def write(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file as a whole or not at all; `mode` are its permission bits."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with open(fd, "wb") as file:  # noqa: PTH123 - a descriptor
        os.fchmod(fd, mode)
        file.write(data)
        file.flush()
        os.fsync(fd)
    temporary.rename(path)
    sync_dir(path.parent)


def discard(path: Path) -> None:
    """Delete a file, gone already or not, for good."""
    path.unlink(missing_ok=True)
    sync_dir(path.parent)


def open_regular(path: Path | str, *, dir_fd: int | None = None) -> int:
    """Open a file of somebody else for reading; gives a descriptor.

    Raises `InstallerError`: NOT_PRESENT where nothing has that name, POLICY for a
    link, a pipe, a directory, a device.
    """
    # O_NONBLOCK: opening a pipe or a terminal must not wait for its other end.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, dir_fd=dir_fd)
    except FileNotFoundError as error:
        raise InstallerError(Reason.NOT_PRESENT, f"{path} is not there") from error
    except OSError as error:
        raise InstallerError(Reason.POLICY, f"{path} cannot be taken: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise InstallerError(Reason.POLICY, f"{path} is not a regular file")
    return fd


def read_json(path: Path, *, max_bytes: int) -> dict[str, Any]:
    """Read one JSON object; raises `InstallerError(MALFORMED)` for anything else."""
    with open(open_regular(path), "rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise InstallerError(Reason.MALFORMED, f"{path.name} has more than {max_bytes} octets")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InstallerError(Reason.MALFORMED, f"{path.name} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise InstallerError(Reason.MALFORMED, f"{path.name} holds no object")
    return value
