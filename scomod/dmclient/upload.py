# SPDX-License-Identifier: Apache-2.0
"""A large object on its way to the server: one command, cut into chunks (omadm §5).

Pure: octets come from a `Body`, sizes from whoever encodes.  Only commands with one
item can be cut.  The Size stands in the first chunk alone, MoreData in all but the
last; binary values are cut at multiples of three octets, so that the base64 texts of
the chunks make up that of the whole, and texts between characters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from scomod.dmclient.model import Alert, Meta, Results

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.dmclient.model import Body, Command, Item

LEAST_CHUNK_BYTES: Final = 64  # fewer in each message would not get anywhere
FRAME_BYTES: Final = 8  # what the length of a chunk costs itself, at most
BINARY: Final = "bin"
TRIPLE: Final = 3
CONTINUATION: Final = 0b10  # the upper bits of the octets of a character but the first
UTF8_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Octets:
    """A body that is in memory."""

    data: bytes

    @property
    def size_bytes(self) -> int:
        """How many octets there are."""
        return len(self.data)

    def read(self, offset: int, count: int) -> bytes:
        """Return the octets from `offset`, at most `count`."""
        return self.data[offset : offset + count]


class Upload:
    """One command with one item, of which a part is sent."""

    def __init__(self, command: Results | Alert, item: Item) -> None:
        self._command = command
        self._item = item
        self._body: Body = self._item.body or Octets(self._item.data or b"")
        self._meta = self._item.meta or Meta()
        self._is_binary = self._meta.format == BINARY
        self._done = 0

    @classmethod
    def of(cls, command: Command) -> Self | None:
        """Return a command as an upload, or None for one that cannot be cut."""
        if not isinstance(command, Results | Alert) or len(command.items) != 1:
            return None
        (item,) = command.items
        has_octets = item.tree is None and (item.body is not None or item.data is not None)
        return cls(command, item) if has_octets else None

    @property
    def is_begun(self) -> bool:
        """Tell whether a first chunk has left."""
        return self._done > 0

    @property
    def is_done(self) -> bool:
        """Tell whether the last octet has left."""
        return self._done == self._body.size_bytes

    def next_chunk(self, size_of: Callable[[Command], int], limit_bytes: int) -> Command | None:
        """Return the command with as much as fits into a message, None where nothing does.

        `size_of` gives the octets of the message with a command in it.  What was not cut
        yet and fits as a whole is no chunk.
        """
        left = self._body.size_bytes - self._done
        room = limit_bytes - size_of(self._with(b"", is_last=False))
        count = min(left, room - FRAME_BYTES)
        while count >= min(LEAST_CHUNK_BYTES, left):
            piece = self._piece(count)
            command = self._with(piece, is_last=len(piece) == left)
            excess = size_of(command) - limit_bytes
            if excess <= 0:
                self._done += len(piece)
                return command
            # Escapes and base64 made it grow: take less, in proportion.
            count = min(len(piece) * room // (room + excess), len(piece) - 1)
        return None

    def _piece(self, count: int) -> bytes:
        """Read up to `count` of the next octets, cut where it may be cut."""
        piece = self._body.read(self._done, count)
        if self._done + len(piece) == self._body.size_bytes:
            return piece
        if self._is_binary:
            return piece[: len(piece) - len(piece) % TRIPLE]
        return _without_half_character(piece)

    def _with(self, piece: bytes, *, is_last: bool) -> Command:
        is_first_chunk = not self._done and not is_last
        size = self._body.size_bytes if is_first_chunk else None
        meta = replace(self._meta, size=size)
        item = replace(self._item, body=None, data=piece, more_data=not is_last)
        has_meta = self._item.meta is not None or size is not None
        return replace(self._command, items=(replace(item, meta=meta if has_meta else None),))


def must_be_cut(command: Command) -> bool:
    """Tell a command with a value that is not in memory."""
    return isinstance(command, Results | Alert) and any(i.body is not None for i in command.items)


def _without_half_character(piece: bytes) -> bytes:
    """Cut a UTF-8 character off that does not end in the piece; other octets stay."""
    for back in range(1, min(UTF8_MAX, len(piece)) + 1):
        octet = piece[-back]
        if octet >> 6 == CONTINUATION:
            continue
        length = next((n for n in (2, 3, 4) if octet >> (7 - n) == (1 << (n + 1)) - 2), 1)
        return piece[:-back] if length > back else piece
    return piece
