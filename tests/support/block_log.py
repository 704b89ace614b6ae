# SPDX-License-Identifier: Apache-2.0
"""A disk that writes down every write and every flush, and what a power cut leaves of it.

`RecordedDisk` is an ext4 file system on a loop device over a file that qemu-storage-daemon
exports by FUSE; its driver blklogwrites keeps the log, in the format of dm-log-writes.  What
was not flushed may be lost: `states` gives what can lie on the disk at each flush.

Mounts: for a process that has a mount and a process namespace of its own only, so that
whatever ends it the kernel takes the mount, the loop device and the export away.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import shutil
import struct
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FLUSH: Final = 1
DISCARD: Final = 4
SECTOR: Final = 512
DRIVER: Final = f"driver=blklogwrites,log-sector-size={SECTOR}"
HEADER: Final = struct.Struct("<QQQQ")
# What is written as a whole or not at all: the page of a flash chip, the block of the file system.
PIECE_BYTES: Final = 4096
_LOG_BYTES: Final = 1 << 30  # sparse
_JOURNAL_MIB: Final = 4
_DEADLINE_S: Final = 60.0
_NEW_MOUNTS: Final = 0x20000  # CLONE_NEWNS


@dataclass(frozen=True, slots=True)
class Entry:
    """One request that the disk answered: a write at an offset in octets, or a flush."""

    flags: int
    offset: int
    data: bytes

    @property
    def is_flush(self) -> bool:
        """Tell whether all that was written before is safe now."""
        return bool(self.flags & FLUSH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """An instant of a log at which the power fails.

    `reach` is how many entries were answered before it: who was promised something by then
    must find it.  `is_torn`: the flush at `index` did not come through, and of what was
    written since the one before it a part is there.
    """

    index: int
    is_torn: bool

    @property
    def reach(self) -> int:
        return self.index + (not self.is_torn)

    def __str__(self) -> str:
        return f"{self.index}{'-torn' if self.is_torn else ''}"

    @classmethod
    def of(cls, text: str) -> Point:
        """Read what `str` wrote."""
        number, _, torn = text.partition("-")
        return cls(index=int(number), is_torn=torn == "torn")


class Log:
    """A log that may still grow; `count` entries were seen in it when it was looked at last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = SECTOR
        self.count = 0

    def position(self) -> int:
        """Say how many entries there are now."""
        for _ in self._next(with_data=False):
            self.count += 1
        return self.count

    def entries(self) -> list[Entry]:
        """Read all of it."""
        return list(Log(self._path)._next(with_data=True))

    def _next(self, *, with_data: bool) -> Iterator[Entry]:
        with self._path.open("rb") as file:
            while True:
                file.seek(self._offset)
                header = file.read(SECTOR)
                sector, sectors, flags, _ = HEADER.unpack(header[: HEADER.size])
                if not (sectors or flags):  # the file is longer than what was written
                    return
                size_bytes = 0 if flags & DISCARD else sectors * SECTOR
                data = file.read(size_bytes) if with_data else b""
                self._offset += SECTOR + size_bytes
                yield Entry(flags, sector * SECTOR, data)


def points(entries: Sequence[Entry]) -> list[Point]:
    """List the instants: each flush, and right before that a torn one if anything was written."""
    found: list[Point] = []
    is_dirty = False
    for index, entry in enumerate(entries):
        is_dirty = is_dirty or bool(entry.data)
        if entry.is_flush:
            found += [Point(index=index, is_torn=True)] * is_dirty
            found.append(Point(index=index, is_torn=False))
            is_dirty = False
    return found


class Disk:
    """What lies on a disk, as pieces over an image that is not touched."""

    def __init__(self, image: Path) -> None:
        self._image = image
        self._pieces: dict[int, bytearray] = {}

    def write(self, offset: int, data: bytes) -> None:
        """Write octets of any length anywhere."""
        while data:
            number, start = divmod(offset, PIECE_BYTES)
            piece = self._piece(number)
            part = data[: PIECE_BYTES - start]
            piece[start : start + len(part)] = part
            offset, data = offset + len(part), data[len(part) :]

    def put(self, target: Path, torn: Sequence[tuple[int, bytes]] = ()) -> None:
        """Make the disk a file, with some more pieces on it."""
        subprocess.run(["cp", "--sparse=always", self._image, target], check=True)
        with target.open("r+b") as file:
            for number in sorted(self._pieces):
                file.seek(number * PIECE_BYTES)
                file.write(self._pieces[number])
            for offset, data in torn:
                file.seek(offset)
                file.write(data)

    def _piece(self, number: int) -> bytearray:
        if number not in self._pieces:
            with self._image.open("rb") as file:
                file.seek(number * PIECE_BYTES)
                self._pieces[number] = bytearray(file.read(PIECE_BYTES))
        return self._pieces[number]


def states(
    image: Path, entries: Sequence[Entry], wanted: Sequence[Point], seed: int, target: Path
) -> Iterator[Point]:
    """Make `target` the disk at each wanted instant, one after the other."""
    disk = Disk(image)
    pending: list[tuple[int, bytes]] = []
    chosen = set(wanted)
    for index, entry in enumerate(entries):
        if entry.is_flush:
            torn, whole = (Point(index=index, is_torn=is_torn) for is_torn in (True, False))
            if torn in chosen:
                disk.put(target, survivors(pending, seed, index))
                yield torn
            for offset, data in pending:
                disk.write(offset, data)
            pending = []
            if whole in chosen:
                disk.put(target)
                yield whole
        pending += pieces(entry)


def pieces(entry: Entry) -> Iterator[tuple[int, bytes]]:
    """Cut a write where a power cut may: at the pieces of the disk."""
    offset, data = entry.offset, entry.data
    while data:
        length = PIECE_BYTES - offset % PIECE_BYTES
        yield offset, data[:length]
        offset, data = offset + length, data[length:]


def survivors(
    pending: Sequence[tuple[int, bytes]], seed: int, index: int
) -> list[tuple[int, bytes]]:
    """Draw which unflushed pieces come through a power cut; the same for the same numbers."""
    choice = random.Random(f"{seed} {index}")  # noqa: S311 - a seed
    share = choice.random()
    return [piece for piece in pending if choice.random() < share]


def fail(image: Path, entries: Sequence[Entry], seed: int, number: int) -> tuple[int, int]:
    """Leave on an image what a power cut at the end of the log leaves.

    Returns how many pieces had not been flushed, and how many of them are lost.
    """
    pending: list[tuple[int, bytes]] = []
    with image.open("r+b") as file:

        def write(those: Sequence[tuple[int, bytes]]) -> None:
            for offset, data in those:
                file.seek(offset)
                file.write(data)

        for entry in entries:
            if entry.is_flush:
                write(pending)
                pending = []
            pending += pieces(entry)
        kept = survivors(pending, seed, number)
        write(kept)
    return len(pending), len(pending) - len(kept)


class RecordedDisk:
    """Entered, it can be `mounted` at `root`; `image` is how the log begins."""

    def __init__(self, folder: Path, size_mib: int) -> None:
        folder.mkdir()
        self._folder = folder
        self._size_mib = size_mib
        self.image = folder / "image"
        self.root = folder / "root"
        self._exported = folder / "exported"
        self.log = Log(folder / "log")
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self.root.mkdir()
        make_ext4(self.image, self._size_mib)
        shutil.copyfile(self.image, self._folder / "disk")
        with (self._folder / "log").open("wb") as log:
            log.truncate(_LOG_BYTES)
        self._exported.touch()
        self._stack.enter_context(_export(self._folder, self._exported))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        """Mount it at `root`, for this process alone and its children: for a fork.

        Who serves the disk must not see the mount: killed with all others, it would wait in
        its own end for the file system to be written to the disk that it serves no more.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.unshare(_NEW_MOUNTS) == 0, os.strerror(ctypes.get_errno())
        with mounted(self._exported, self.root):
            yield


def make_ext4(image: Path, size_mib: int) -> None:
    """Make an empty file system, complete: the kernel has nothing to write by itself later."""
    subprocess.run(
        ["mke2fs", "-q", "-F", "-t", "ext4", "-b", str(PIECE_BYTES), "-J", f"size={_JOURNAL_MIB}",
         "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", image, f"{size_mib}M"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


@contextlib.contextmanager
def mounted(image: Path, root: Path) -> Iterator[None]:
    """Mount an image, which replays its journal; the loop device goes with the mount."""
    subprocess.run(["mount", "-t", "ext4", "-o", "loop,noatime", image, root], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", root], check=True)


def fsck(image: Path) -> None:
    """Check a file system whose journal was replayed; raises AssertionError with what is wrong."""
    done = subprocess.run(
        ["e2fsck", "-f", "-n", image], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"e2fsck says {done.returncode}: {done.stdout}{done.stderr}"


@contextlib.contextmanager
def _export(folder: Path, exported: Path) -> Iterator[None]:
    """Serve the disk as a file, each request of which goes into the log."""
    daemon = subprocess.Popen(
        ["qemu-storage-daemon",
         "--blockdev", f"driver=file,node-name=disk,filename={folder / 'disk'}",
         "--blockdev", f"driver=file,node-name=log,filename={folder / 'log'}",
         "--blockdev", f"{DRIVER},node-name=both,file=disk,log=log",
         "--export", f"type=fuse,id=disk,node-name=both,mountpoint={exported},writable=on"],
        start_new_session=True,
    )  # fmt: skip
    try:
        give_up_s = time.monotonic() + _DEADLINE_S
        while not os.stat(exported).st_size:  # noqa: PTH116 - the mount comes over it
            assert daemon.poll() is None, "qemu-storage-daemon has ended"
            assert time.monotonic() < give_up_s, "qemu-storage-daemon does not begin"
            time.sleep(0.02)
        yield
    finally:
        daemon.terminate()
        daemon.wait(_DEADLINE_S)
