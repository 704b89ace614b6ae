# SPDX-License-Identifier: Apache-2.0
"""WBXML as others may write it: the same elements, spelled in every way the format has.

Independent of our encoder but for the code pages.  Texts are cut into pieces, each
inline, in the string table, as entities or opaque; tags are tokens or literals; pages
are switched more often than needed; versions 1.1 to 1.3; the document type is a number
or stands in the string table (omadm §6.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.dmclient import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from scomod.dmclient.element import Element, Space

PUBLIC_ID_TEXT: Final = "-//SYNCML//DTD SyncML 1.2//EN"
MOST_PIECES: Final = 4
SOME, HALF = 0.1, 0.5
INLINE, TABLE, ENTITIES, OPAQUE = "inline", "table", "entities", "opaque"
ALL_FORMS: Final = (INLINE, TABLE, ENTITIES, OPAQUE)


def number(value: int) -> bytes:
    """Write an mb_u_int32."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))


class Speller:
    """Writes one document as `source` throws the dice.

    `forms` are those a text may take, `most_pieces` tells into how many it may be cut.
    """

    def __init__(
        self,
        source: Random,
        forms: Sequence[str] = ALL_FORMS,
        most_pieces: int = MOST_PIECES,
    ) -> None:
        self._source = source
        self._forms = forms
        self._most_pieces = most_pieces
        self._table = bytearray()
        self._page = 0

    def document(self, root: Element) -> bytes:
        """Return the octets of a document."""
        version = self._source.choice(sorted(tokens.VERSIONS))
        kind = number(tokens.PUBLIC_ID_1_2)
        if self._source.random() < HALF:
            kind = b"\0" + number(self._index(PUBLIC_ID_TEXT.encode()))
        body = self._element(root, is_root=True)
        head = bytes([version]) + kind + number(tokens.UTF_8) + number(len(self._table))
        return head + bytes(self._table) + body

    def _index(self, text: bytes) -> int:
        """Return where a text stands in the table, perhaps inside of a longer one."""
        entry = text + b"\0"
        at = self._table.find(entry)
        if at < 0:
            at = len(self._table)
            self._table += entry
        return at

    def _element(self, element: Element, *, is_root: bool = False) -> bytes:
        start = b"" if is_root else self._turn(element.space)
        is_filled = bool(element.children or element.data)
        has_content = is_filled or self._source.random() < SOME
        head = start + self._tag(element, tokens.HAS_CONTENT if has_content else 0)
        if not has_content:
            return head
        text = self._text(element.data.decode())
        return head + text + b"".join(map(self._element, element.children)) + b"\x01"

    def _turn(self, page: Space) -> bytes:
        switch = b""
        if self._source.random() < SOME:
            self._page = self._source.randrange(2)
            switch = bytes([tokens.SWITCH_PAGE, self._page])
        if self._page != page:
            self._page = page
            switch += bytes([tokens.SWITCH_PAGE, page])
        return switch

    def _tag(self, element: Element, flag: int) -> bytes:
        token = tokens.TOKENS[element.space].get(element.name)
        if token is not None:
            return bytes([token | flag])
        return bytes([tokens.LITERAL | flag]) + number(self._index(element.name.encode()))

    def _text(self, text: str) -> bytes:
        written = b""
        pieces = self._source.randint(1, self._most_pieces)
        cuts = sorted(self._source.randint(0, len(text)) for _ in range(pieces - 1))
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            if piece := text[start:end]:
                written += self._piece(piece)
        return written

    def _piece(self, piece: str) -> bytes:
        octets = piece.encode()
        match self._source.choice(self._forms):
            case "inline":
                return bytes([tokens.STR_I]) + octets + b"\0"
            case "table":
                return bytes([tokens.STR_T]) + number(self._index(octets))
            case "entities":
                return b"".join(bytes([tokens.ENTITY]) + number(ord(c)) for c in piece)
            case _:
                return bytes([tokens.OPAQUE]) + number(len(octets)) + octets
