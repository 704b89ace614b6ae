"""Reading an .ipk: its control fields, without unpacking it; no program is run.

Two containers are in the field: `ar` (Yocto, as in a .deb) and a gzipped tar
(OpenWrt, where the data stand before the control part).  Only plain headers are
understood, so that no header makes us hold more than one block; what the fields
mean is `opkg_output`'s affair.  The whole outer container is read, so an archive
that was cut short is found out here.
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final

from scomod.errors import InstallerError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_AR_MAGIC: Final = b"!<arch>\n"
_AR_HEADER_BYTES: Final = 60
_GZIP_MAGIC: Final = b"\x1f\x8b"
_BLOCK_BYTES: Final = 512
_CHUNK_BYTES: Final = 1 << 16
_CONTROLS: Final = frozenset({"control.tar.gz", "control.tar"})


def read_control(payload: Path, *, max_control_bytes: int, max_unpacked_bytes: int) -> str:
    """Return the control file of an archive.

    `max_control_bytes` limits the control part before and after unpacking,
    `max_unpacked_bytes` the gzipped container.  Raises `InstallerError(MALFORMED)`.
    """
    try:
        with payload.open("rb") as file:
            part = _control_part(_Bounded(file, max_unpacked_bytes), max_control_bytes)
        for name, size, inner in _tar_members(_Bounded(_unpacked(part), max_control_bytes)):
            if name == "control":
                return inner.exactly(size).decode()
    except (EOFError, ValueError, zlib.error) as error:
        raise _malformed(str(error) or "cut short") from error
    except OSError as error:
        # gzip speaks of what it finds by OSError without a number; the others are the disk's.
        if error.errno is not None:
            raise
        raise _malformed(str(error)) from error
    raise _malformed("it has no control file")


class _Bounded:
    """A stream of which only so much may be read; a missing end is an error."""

    def __init__(self, file: BinaryIO, limit_bytes: int) -> None:
        self._file = file
        self._left_bytes = limit_bytes

    @property
    def file(self) -> BinaryIO:
        return self._file

    @property
    def left_bytes(self) -> int:
        return self._left_bytes

    def some(self, size: int) -> bytes:
        data = self._file.read(size)
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise ValueError("it is larger than allowed")
        return data

    def exactly(self, size: int) -> bytes:
        if size > self._left_bytes:
            raise ValueError("it is larger than allowed")
        data = self.some(size)
        if len(data) != size:
            raise EOFError
        return data

    def skip(self, size: int) -> None:
        while size > 0:
            size -= len(self.exactly(min(size, _CHUNK_BYTES)))

    def to_the_end(self) -> None:
        while self.some(_CHUNK_BYTES):
            pass


def _control_part(outer: _Bounded, max_bytes: int) -> bytes:
    """Find the packed control part, and see the container to its end."""
    magic = outer.file.read(len(_AR_MAGIC))
    outer.file.seek(0)
    if magic == _AR_MAGIC:
        members = _ar_members(outer)
    elif magic.startswith(_GZIP_MAGIC):
        outer = _Bounded(_unpacking(outer.file, magic), outer.left_bytes)
        members = _tar_members(outer)
    else:
        raise ValueError("it is neither an ar nor a gzipped tar archive")
    found = None
    for name, size, inner in members:
        if name in _CONTROLS and found is None:
            if size > max_bytes:
                raise ValueError("its control part is larger than allowed")
            found = inner.exactly(size)
    outer.to_the_end()
    if found is None:
        raise ValueError("it has no control part")
    return found


def _ar_members(file: _Bounded) -> Iterator[tuple[str, int, _Bounded]]:
    """Go through an ar archive; the taker reads a member whole or not at all."""
    file.skip(len(_AR_MAGIC))
    while header := file.some(_AR_HEADER_BYTES):
        if len(header) != _AR_HEADER_BYTES or not header.endswith(b"`\n"):
            raise EOFError
        size = int(header[48:58])
        yield from _member(file, header[:16].decode().strip().rstrip("/"), size, size % 2)


def _tar_members(file: _Bounded) -> Iterator[tuple[str, int, _Bounded]]:
    """Go through a tar archive; the taker reads a member whole or not at all."""
    while (header := file.exactly(_BLOCK_BYTES)).strip(b"\0"):
        size = int(header[124:136].strip(b"\0 ") or b"0", 8)
        is_file = header[156:157] in (b"0", b"\0")
        name = header[:100].rstrip(b"\0").decode().removeprefix("./") if is_file else ""
        yield from _member(file, name, size, -size % _BLOCK_BYTES)


def _member(
    file: _Bounded, name: str, size: int, padding: int
) -> Iterator[tuple[str, int, _Bounded]]:
    if size < 0:
        raise ValueError("a member has a negative size")
    before = file.left_bytes
    yield name, size, file
    file.skip(size - (before - file.left_bytes))
    # The padding of the last ar member may be missing.
    file.some(padding)


def _unpacked(part: bytes) -> BinaryIO:
    return _unpacking(io.BytesIO(part), part)


def _unpacking(file: BinaryIO, magic: bytes) -> BinaryIO:
    """Return what reads a packed stream; gzip is loaded when there is one."""
    if magic.startswith(_GZIP_MAGIC):
        import gzip  # noqa: PLC0415 - as said

        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]  # reads as one
    return file


def _malformed(why: str) -> InstallerError:
    return InstallerError(Reason.MALFORMED, f"the archive cannot be read: {why:.200}")
