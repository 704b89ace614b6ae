# SPDX-License-Identifier: Apache-2.0
"""Reading an .ipk without unpacking it: control fields, scripts, files; no program is run.

Two containers are in the field: `ar` (Yocto, as in a .deb) and a gzipped tar
(OpenWrt, where the data stand before the control part).  Only plain headers are
understood, so that no header makes us hold more than one block; what the fields
mean is `opkg_output`'s affair.  The whole outer container is read, so an archive
that was cut short is found out here: opkg may install what there is of it and say 0.
"""

from __future__ import annotations

import io
import zlib
from contextlib import contextmanager
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
_DATA: Final = frozenset({"data.tar.gz", "data.tar"})
_PLAIN_FILES: Final = (b"0", b"\0")
# Headers that say the name of the member after them: GNU's, and the two of POSIX.
_LONG_NAMES: Final = (b"L", b"x", b"g")
_USTAR: Final = b"ustar\0"
SCRIPTS: Final = ("preinst", "postinst", "prerm", "postrm")
# Name ("" where nobody needs it), size in octets, and where it is read from.
_Member = tuple[str, int, "_Bounded"]


def read_control(payload: Path, *, max_control_bytes: int, max_unpacked_bytes: int) -> str:
    """Return the control file of an archive.

    `max_control_bytes` limits the control part before and after unpacking,
    `max_unpacked_bytes` the gzipped container.  Raises `InstallerError(MALFORMED)`.
    """
    with _complaining():
        part = _control_part(payload, max_control_bytes, max_unpacked_bytes)
        for name, size, inner in _tar_members(_Bounded(_unpacked(part), max_control_bytes)):
            if name == "control":
                return inner.exactly(size).decode()
    raise _malformed("it has no control file")


def script_names(
    payload: Path, *, max_control_bytes: int, max_unpacked_bytes: int
) -> tuple[str, ...]:
    """Name the maintainer scripts of an archive; limits and errors as for `read_control`."""
    with _complaining():
        part = _control_part(payload, max_control_bytes, max_unpacked_bytes)
        inner = _Bounded(_unpacked(part), max_control_bytes)
        names = {name for name, _, _ in _tar_members(inner)}
    return tuple(script for script in SCRIPTS if script in names)


def file_sizes(payload: Path, *, max_unpacked_bytes: int, max_files_count: int) -> dict[str, int]:
    """Return the size in octets of each file of the data part, by its path below the root.

    The data part is read to its end, so that a damaged one is found out.  What is
    packed in another way than by gzip is not looked into; files with names longer
    than a plain header holds are left out.  Raises `InstallerError(MALFORMED)`.
    """
    found: dict[str, int] = {}
    with _complaining(), payload.open("rb") as file:
        outer, members = _container(_Bounded(file, max_unpacked_bytes))
        for name, size, inner in members:
            if name in _DATA:
                data = _Bounded(_unpacking(_Piece(inner, size), name), max_unpacked_bytes)
                found |= _sizes(data, max_files_count)
        outer.to_the_end()
    return found


def _sizes(data: _Bounded, max_files_count: int) -> dict[str, int]:
    found = {}
    for name, size, _ in _tar_members(data):
        if name and ".." not in name.split("/"):
            found[name] = size
        if len(found) > max_files_count:
            raise ValueError("it has more files than allowed")
    data.to_the_end()
    return found


@contextmanager
def _complaining() -> Iterator[None]:
    """Turn what goes wrong with the archive into our error, and nothing else."""
    try:
        yield
    except (EOFError, ValueError, zlib.error) as error:
        raise _malformed(str(error) or "cut short") from error
    except OSError as error:
        # gzip speaks of what it finds by OSError without a number; the others are the disk's.
        if error.errno is not None:
            raise
        raise _malformed(str(error)) from error


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


class _Piece(io.RawIOBase):
    """One member of a container as a file of its own."""

    def __init__(self, outer: _Bounded, size: int) -> None:
        self._outer = outer
        self._left_bytes = size

    def read(self, size: int = -1, /) -> bytes:
        wanted = min(size, self._left_bytes) if size >= 0 else self._left_bytes
        data = self._outer.exactly(wanted)
        self._left_bytes -= wanted
        return data


def _control_part(payload: Path, max_bytes: int, max_unpacked_bytes: int) -> bytes:
    """Find the packed control part, and see the container to its end."""
    found = None
    with payload.open("rb") as file:
        outer, members = _container(_Bounded(file, max_unpacked_bytes))
        for name, size, inner in members:
            if name in _CONTROLS and found is None:
                if size > max_bytes:
                    raise ValueError("its control part is larger than allowed")
                found = inner.exactly(size)
        outer.to_the_end()
    if found is None:
        raise ValueError("it has no control part")
    return found


def _container(file: _Bounded) -> tuple[_Bounded, Iterator[_Member]]:
    """Tell which container it is; gives what is left of it, and its members."""
    magic = file.file.read(len(_AR_MAGIC))
    file.file.seek(0)
    if magic == _AR_MAGIC:
        return file, _ar_members(file)
    if not magic.startswith(_GZIP_MAGIC):
        raise ValueError("it is neither an ar nor a gzipped tar archive")
    unpacked = _Bounded(_gunzipping(file.file), file.left_bytes)
    return unpacked, _tar_members(unpacked)


def _ar_members(file: _Bounded) -> Iterator[_Member]:
    """Go through an ar archive; the taker reads as much of a member as it likes."""
    file.skip(len(_AR_MAGIC))
    while header := file.some(_AR_HEADER_BYTES):
        if len(header) != _AR_HEADER_BYTES or not header.endswith(b"`\n"):
            raise EOFError
        size = int(header[48:58])
        yield from _member(file, header[:16].decode().strip().rstrip("/"), size, size % 2)


def _tar_members(file: _Bounded) -> Iterator[_Member]:
    """Go through a tar archive; what is no file, or has a long name, has the name ""."""
    is_named_before = False
    while (header := file.exactly(_BLOCK_BYTES)).strip(b"\0"):
        size = int(header[124:136].strip(b"\0 ") or b"0", 8)
        kind = header[156:157]
        name = "" if is_named_before or kind not in _PLAIN_FILES else _tar_name(header)
        is_named_before = kind in _LONG_NAMES
        yield from _member(file, name, size, -size % _BLOCK_BYTES)


def _tar_name(header: bytes) -> str:
    name = header[:100].rstrip(b"\0").decode()
    prefix = header[345:500].rstrip(b"\0").decode() if header[257:263] == _USTAR else ""
    return (f"{prefix}/{name}" if prefix else name).removeprefix("./").lstrip("/")


def _member(file: _Bounded, name: str, size: int, padding: int) -> Iterator[_Member]:
    if size < 0:
        raise ValueError("a member has a negative size")
    before = file.left_bytes
    yield name, size, file
    file.skip(size - (before - file.left_bytes))
    # The padding of the last ar member may be missing.
    file.some(padding)


def _unpacked(part: bytes) -> BinaryIO:
    packed = io.BytesIO(part)
    return _gunzipping(packed) if part.startswith(_GZIP_MAGIC) else packed


def _unpacking(piece: _Piece, name: str) -> BinaryIO:
    packed: BinaryIO = piece  # type: ignore[assignment]  # as far as it is used here
    return _gunzipping(packed) if name.endswith(".gz") else packed


def _gunzipping(file: BinaryIO) -> BinaryIO:
    """Return what reads a gzipped stream; gzip is loaded when there is one."""
    import gzip  # noqa: PLC0415 - as said

    return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]  # reads as one


def _malformed(why: str) -> InstallerError:
    return InstallerError(Reason.MALFORMED, f"the archive cannot be read: {why:.200}")
