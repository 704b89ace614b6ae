# SPDX-License-Identifier: Apache-2.0
"""The flight recorder's files: a ring of segments of which the oldest goes.

Not what is noted and when (`recorder`).  A segment is only ever appended to, in one write
for all that is noted at a moment.  Each line is the CRC-32 of what follows it, and a JSON
object; one that a power cut tore, or that the disk made of it, is skipped by who reads.
Nothing is flushed to the disk for it (adr/0049).
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from scomod.settings import Recorder

LINE_BYTES: Final = 2048  # a line that is longer is cut to what fits
MOST_BYTES: Final = 64 << 20  # of a file that is read, whoever wrote it
_NAME: Final = re.compile(r"(\d{6,12})\.log")
_LINE: Final = re.compile(rb"([0-9a-f]{8}) (\{.*\})")


class Ring:
    """Where one process appends; raises `OSError` where the disk does."""

    def __init__(self, folder: Path, limits: Recorder) -> None:
        self._folder = folder
        self._limits = limits

    def append(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Write entries, in order; a segment holds at least one line, whatever its limit."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        numbers = _numbers(self._folder)
        number = numbers[-1] if numbers else 1
        used, pending = _size(self._path(number)), b""
        for line in map(line_of, entries):
            if used and used + len(line) > self._limits.segment_bytes:
                self._write(number, pending)
                number, used, pending = number + 1, 0, b""
            used += len(line)
            pending += line
        self._write(number, pending)
        for old in numbers:
            if old <= number - self._limits.segments_count:
                self._path(old).unlink(missing_ok=True)

    def _write(self, number: int, text: bytes) -> None:
        """Append in one write; what an earlier life left torn ends there."""
        if not text:
            return
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self._path(number), flags, 0o600), "r+b", buffering=0) as file:
            end = os.fstat(file.fileno()).st_size
            if end and os.pread(file.fileno(), 1, end - 1) != b"\n":
                text = b"\n" + text
            file.write(text)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06}.log"


def line_of(entry: Mapping[str, Any]) -> bytes:
    """Return an entry as a line; texts of one that is too long are cut."""
    body = _body(entry)
    if len(body) > LINE_BYTES:
        room = LINE_BYTES // (8 * max(1, len(entry)))
        body = _body({key: _cut(value, room) for key, value in entry.items()})
    return b"%08x %s\n" % (crc32(body), body)


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Give the entries of a recorder, oldest first; raises `OSError` where it cannot be read."""
    for number in _numbers(folder):
        with (folder / f"{number:06}.log").open("rb") as file:
            content = file.read(MOST_BYTES)
        for line in content.split(b"\n"):
            entry = entry_of(line)
            if entry is not None:
                yield entry


def entry_of(line: bytes) -> dict[str, Any] | None:
    """Return what a line says, None if it is not as it was written."""
    found = _LINE.fullmatch(line)
    if found is None or int(found[1], 16) != crc32(found[2]):
        return None
    try:
        entry = json.loads(found[2])
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _numbers(folder: Path) -> list[int]:
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    return sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _body(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode("ascii")


def _cut(value: Any, characters: int) -> Any:
    """Cut a text to so many characters, of which JSON makes six octets each at most."""
    if isinstance(value, str) and len(value) > characters:
        return value[: max(1, characters - 3)] + "..."
    return value if isinstance(value, str | int | float | None) else "..."
