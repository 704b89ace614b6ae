# SPDX-License-Identifier: Apache-2.0
"""What a single-file flatpak bundle says of itself, read without installing it.

A bundle is an OSTree static delta: its superblock is one GVariant of the type
`(a{sv}tayay(a{sv}aya(say)sstayay)aya...)`, whose first member names the ref and holds
the metadata file.  flatpak itself can tell only after having unpacked all of it into
a repository, which a device has no room for.  Only what we need is decoded, and every
offset is held against the piece that it points into.  No signature is checked here.
"""

from __future__ import annotations

import mmap
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_CHECKSUM_BYTES: Final = 32
_ALIGNMENT: Final = 8
_TIME_BYTES: Final = 8
# Limits of what is copied out of an archive; the archive itself has its own limit.
_VALUE_LIMIT_BYTES: Final = 256 << 10
_APPDATA_LIMIT_BYTES: Final = 1 << 20
# Keys of a bundle, and of a commit.
_WANTED: Final = (b"ref", b"metadata", b"appdata", b"xa.ref", b"xa.metadata")
_ENTRIES_LIMIT: Final = 100_000
_GZIP_WINDOW: Final = 31
# Frame offsets that each tuple has at its end, one for each member but the last
# whose size is not fixed.
_SUPERBLOCK_OFFSETS: Final = 6
_COMMIT_OFFSETS: Final = 6
# Widths in octets of a frame offset, by the size of what it frames.
_WIDTHS: Final = ((1 << 8, 1), (1 << 16, 2), (1 << 32, 4))
_WIDEST: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """A bundle's ref, its metadata file, its AppStream XML ("" if none), commit and its time."""

    ref: str
    metadata: str
    appdata: str
    commit: str
    made_s: int


def read(path: Path) -> Contents:
    """Read the head of a bundle; raises `InstallerError(MALFORMED)` for anything else."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _contents(data)
    except (ValueError, zlib.error) as error:
        raise InstallerError(Reason.MALFORMED, f"no flatpak bundle: {error}") from error


def read_commit(path: Path) -> Contents:
    """Read a commit that lies in a repository ("objects/ab/cd....commit"); raises as `read`."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            whole = range(len(data))
            ends = _ends(data, whole, _COMMIT_OFFSETS)
            wanted = dict(_wanted(data, _span(whole, 0, ends[0])))
            return Contents(
                ref=_text(wanted.get(b"xa.ref", b"")),
                metadata=_text(wanted.get(b"xa.metadata", b"")),
                appdata="",
                commit=path.parent.name + path.stem,
                made_s=_time(data, whole),
            )
    except ValueError as error:
        raise InstallerError(Reason.MALFORMED, f"no flatpak commit: {error}") from error


def _contents(data: mmap.mmap) -> Contents:
    whole = range(len(data))
    ends = _ends(data, whole, _SUPERBLOCK_OFFSETS)
    from_start = _aligned(ends[0]) + _TIME_BYTES
    target = _part(data, _span(whole, ends[1], ends[2]))
    if len(target) != _CHECKSUM_BYTES or ends[1] < from_start:
        raise ValueError("it names no commit")
    commit = _span(whole, _aligned(ends[2]), ends[3])
    wanted = dict(_wanted(data, _span(whole, 0, ends[0])))
    return Contents(
        ref=_text(wanted.get(b"ref", b"")),
        metadata=_text(wanted.get(b"metadata", b"")),
        appdata=_unzipped(wanted.get(b"appdata", b"")),
        commit=target.hex(),
        made_s=_time(data, commit),
    )


def _time(data: mmap.mmap, commit: range) -> int:
    """Read when a commit was made, the only number in it."""
    ends = _ends(data, commit, _COMMIT_OFFSETS)
    start = _aligned(ends[4])
    return int.from_bytes(_part(data, _span(commit, start, start + _TIME_BYTES)), "big")


def _wanted(data: mmap.mmap, table: range) -> Iterator[tuple[bytes, bytes]]:
    """Give key and value (without its type) of the entries of an `a{sv}` that we need."""
    width = _width(len(table))
    if not table:
        return
    first_offset = table.start + _number(data, table, len(table) - width, width)
    count = (table.stop - first_offset) // width
    if not 0 < count <= _ENTRIES_LIMIT:
        raise ValueError("its table cannot be read")
    start = table.start
    for index in range(count):
        place = first_offset - table.start + index * width
        end = table.start + _number(data, table, place, width)
        entry = _span(table, _aligned(start), end)
        key_end = _ends(data, entry, 1)[0]
        key = _part(data, _span(entry, entry.start, min(key_end, entry.start + 32)))
        if (name := key.rstrip(b"\0")) in _WANTED:
            value = _span(entry, _aligned(key_end), entry.stop - _width(len(entry)))
            yield name, _part(data, value).rpartition(b"\0")[0]
        start = end


def _ends(data: mmap.mmap, frame: range, count: int) -> Sequence[int]:
    """Read the frame offsets of a tuple, from the end backwards, as places in the file."""
    width = _width(len(frame))
    return [
        frame.start + _number(data, frame, len(frame) - (index + 1) * width, width)
        for index in range(count)
    ]


def _number(data: mmap.mmap, frame: range, place: int, width: int) -> int:
    """Read a frame offset at a place within its frame; it points into the same frame."""
    found = int.from_bytes(
        _part(data, _span(frame, frame.start + place, frame.start + place + width)), "little"
    )
    if found > len(frame):
        raise ValueError("an offset points outside")
    return found


def _width(size: int) -> int:
    return next((width for limit, width in _WIDTHS if size < limit), _WIDEST)


def _aligned(place: int) -> int:
    """Round up; every frame that is read here begins at a multiple of the alignment."""
    return -(-place // _ALIGNMENT) * _ALIGNMENT


def _span(frame: range, start: int, stop: int) -> range:
    if not frame.start <= start <= stop <= frame.stop:
        raise ValueError("it is cut short or damaged")
    return range(start, stop)


def _part(data: mmap.mmap, span: range) -> bytes:
    if len(span) > _VALUE_LIMIT_BYTES:
        raise ValueError("a value is too long")
    return data[span.start : span.stop]


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode()


def _unzipped(value: bytes) -> str:
    """Unpack the AppStream file, no more of it than the limit."""
    if not value:
        return ""
    return zlib.decompressobj(_GZIP_WINDOW).decompress(value, _APPDATA_LIMIT_BYTES).decode()
