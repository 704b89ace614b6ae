# SPDX-License-Identifier: Apache-2.0
"""File systems of one test process, as small as wanted; for root.

    with mounted(place, 64 * PAGE_BYTES):
        ...
        resize(place, 80 * PAGE_BYTES)

To be used in a child (`tests.support.mortal.live`) after `alone()`: nobody else sees them.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
LOOPS = Path("/dev/loop-control")
QUOTA_DISK_BYTES = 128 << 20  # about the least that btrfs takes; mostly a hole
CLONE_NEWNS = 0x00020000  # linux/sched.h


@cache
def may_mount() -> bool:
    """Tell whether this user can make file systems of its own."""
    command = ["unshare", "-m", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def may_have_quotas() -> bool:
    """Tell whether the kernel has what `under_quota` needs."""
    return "\tbtrfs\n" in Path("/proc/filesystems").read_text() and LOOPS.exists()


def alone() -> None:
    """Let this process mount without anybody noticing."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    _run("mount", "--make-rprivate", "/")


@contextmanager
def mounted(place: Path, size_bytes: int) -> Iterator[None]:
    """Have a file system of that size at a new directory."""
    place.mkdir(mode=0o755)
    _run("mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "scomod-test", str(place))
    try:
        yield
    finally:
        _run("umount", str(place))
        place.rmdir()


@contextmanager
def under_quota(place: Path, size_bytes: int) -> Iterator[Path]:
    """Have a roomy disk; yields a folder there whose quota is of that size.

    A quota of btrfs, for a folder: kernels without quota files (`CONFIG_QFMT_V2`) know none of
    users, and whoever writes is answered the same.
    """
    disk = place.with_suffix(".btrfs")
    with disk.open("wb") as file:
        file.truncate(QUOTA_DISK_BYTES)
    _run("mkfs.btrfs", "--quiet", str(disk))
    place.mkdir()
    _run("mount", "-o", "loop", str(disk), str(place))
    folder = place / "limited"
    try:
        _run("btrfs", "quota", "enable", str(place))
        _run("btrfs", "subvolume", "create", str(folder))
        _run("btrfs", "qgroup", "limit", str(size_bytes), str(folder))
        yield folder
    finally:
        _run("umount", str(place))


def resize(place: Path, size_bytes: int) -> None:
    """Make it larger or smaller, never smaller than what is in it."""
    _run("mount", "-o", f"remount,size={size_bytes}", str(place))


def make_read_only(place: Path) -> None:
    """Take no more writes."""
    _run("mount", "-o", "remount,ro", str(place))


def used_bytes(place: Path) -> int:
    """Return how much of it is used."""
    found = os.statvfs(place)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
