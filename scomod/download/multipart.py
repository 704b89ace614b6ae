# SPDX-License-Identifier: Apache-2.0
"""The parts of a multipart body, one after the other, while it comes (RFC 2046 §5.1).

Not what the parts mean.  A part of any size passes through a bounded window: what is held
back is what may be the beginning of a boundary.  Lines may end without a CR, as some servers
write them.
"""

from __future__ import annotations

from email.message import Message
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING, Final

from scomod.errors import DownloadError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE_BYTES: Final = 64 * 1024
MAX_HEADER_BYTES: Final = 16 * 1024
MAX_BOUNDARY_CHARACTERS: Final = 70  # RFC 2046 §5.1.1
_CR: Final = 0x0D
_LAST: Final = b"--"  # after the boundary that ends all


class Parts:
    """The parts of a body; `read_into` fills memory with what has arrived, 0 at the end.

    Raises `DownloadError`: DESCRIPTOR for what is no multipart, SERVER_UNAVAILABLE where it
    ends too early.
    """

    def __init__(self, read_into: Callable[[memoryview], int], content_type: str) -> None:
        self._source = read_into
        self._delimiter = b"\n--" + _boundary(content_type)
        self._held = bytearray(b"\n")  # the first boundary may begin the body
        self._room = memoryview(bytearray(PIECE_BYTES))

    def next(self) -> str | None:
        """Go to the next part; returns its media type, "" for none named, None at the end."""
        while self._take(PIECE_BYTES):
            pass
        start = self._held.find(self._delimiter)
        del self._held[: start + len(self._delimiter)]
        while len(self._held) < len(_LAST):
            self._fill()
        if self._held.startswith(_LAST):
            return None
        if self._line(MAX_HEADER_BYTES).strip():
            raise _broken("a boundary is followed by something else")
        headers = self._headers()
        return headers.get_content_type() if "Content-Type" in headers else ""

    def read_into(self, room: memoryview) -> int:
        """Fill memory with what has arrived of the part; 0 means its end."""
        piece = self._take(len(room))
        room[: len(piece)] = piece
        return len(piece)

    def whole(self, max_bytes: int) -> bytes:
        """Read the rest of the part; raises `DownloadError(TOO_LARGE)` for more than is allowed."""
        found = bytearray()
        while piece := self._take(PIECE_BYTES):
            found += piece
            if len(found) > max_bytes:
                raise DownloadError(Reason.TOO_LARGE, f"more than {max_bytes} octets in a part")
        return bytes(found)

    def _take(self, count: int) -> bytes:
        """Take what has arrived of the part, at least one octet; empty at its end."""
        while True:
            start = self._held.find(self._delimiter)
            if start >= 0:
                end = start - 1 if start and self._held[start - 1] == _CR else start
                break
            # what begins a boundary stays, and the CR before it
            end = len(self._held) - len(self._delimiter)
            if end > 0:
                break
            self._fill()
        piece = bytes(self._held[: min(end, count)])
        del self._held[: len(piece)]
        return piece

    def _headers(self) -> Message:
        lines = bytearray()
        while line := self._line(MAX_HEADER_BYTES - len(lines)).rstrip(b"\r\n"):
            lines += line + b"\n"
        return BytesHeaderParser().parsebytes(bytes(lines))

    def _line(self, max_bytes: int) -> bytes:
        while (end := self._held.find(b"\n") + 1) == 0:
            if len(self._held) > max_bytes:
                break
            self._fill()
        if end == 0 or end > max_bytes:
            raise _broken("the header of a part is too long")
        line = bytes(self._held[:end])
        del self._held[:end]
        return line

    def _fill(self) -> None:
        count = self._source(self._room)
        if not count:
            text = "the body ended before the last boundary"
            raise DownloadError(Reason.SERVER_UNAVAILABLE, text, is_retryable=True)
        self._held += self._room[:count]


def _boundary(content_type: str) -> bytes:
    """Read the boundary; raises `DownloadError(DESCRIPTOR)` where there is none of use."""
    message = Message()
    message["Content-Type"] = content_type
    found = message.get_boundary() or ""
    if not 0 < len(found) <= MAX_BOUNDARY_CHARACTERS or not found.isascii():
        raise _broken("no boundary of use")
    return found.encode("ascii")


def _broken(text: str) -> DownloadError:
    return DownloadError(Reason.DESCRIPTOR, f"multipart: {text}")
