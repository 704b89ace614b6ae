# SPDX-License-Identifier: Apache-2.0
"""WBXML octets to and from `Element` (omadm §6.2-6.5).

Not a general WBXML codec: the code pages are those of SyncML DM, attributes
are skipped, extensions are refused, and a document inside an OPAQUE stays the
octets it is.  Reading is iterative and every octet read costs bounded memory:
whatever arrives ends in an element, a `DecodeError` or a `LimitExceeded`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from scomod.dmclient import tokens
from scomod.dmclient.element import Element, Space
from scomod.errors import DecodeError, LimitExceeded

_NUMBER_OCTETS: Final = 5  # 32 bits, seven in each octet
_NUMBER_MAX: Final = 0xFFFFFFFF
_TEXT_GROWTH: Final = 4  # text that a string table may unfold to, in messages of full size
_NAME_OCTETS: Final = 64
_NAME: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_.-]*")
_SURROGATES: Final = range(0xD800, 0xE000)
_CODE_POINT_MAX: Final = 0x10FFFF
_FIRST_ATTRIBUTE_VALUE: Final = 0x05
_PAGES: Final = tuple(Space)

# What messages are made of, taken at one look: a page if it changes, a tag with content and,
# if inline text is all there is, that text and the end.
_START: Final = re.compile(rb"(?:\x00([\x00-\x02]))?([\x45-\x7f])(?:\x03([^\x00]*+)\x00\x01)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a message from outside may measure: octets, nesting, elements."""

    max_bytes: int
    max_depth: int
    max_elements: int


def decode(body: bytes, limits: Limits) -> Element:
    """Read one document and return its root; octets behind the root are ignored.

    Text beside child elements is dropped, unknown tags get a made-up name.
    Raises `DecodeError` with the offset, or `LimitExceeded` naming the limit.
    """
    if len(body) > limits.max_bytes:
        raise LimitExceeded("max_bytes", len(body))
    reader = _Reader(body)
    _read_header(reader)
    return _Parser(reader, limits).parse()


def encode(root: Element, *, public_id: int | str = tokens.PUBLIC_ID_1_2) -> bytes:
    """Write one document: WBXML 1.2, UTF-8; a string table only for what has no number.

    A `public_id` without a number is given as its text (omadm §6.2).
    """
    writer = _Writer()
    header = bytearray([tokens.VERSION_1_2])
    if isinstance(public_id, str):
        header += _number(tokens.PUBLIC_ID_IN_TABLE) + _number(writer.index(public_id))
    else:
        header += _number(public_id)
    writer.element(root)
    header += _number(tokens.UTF_8) + _number(len(writer.table))
    return bytes(header + writer.table + writer.body)


class _Reader:
    """A position in octets; each method reads one thing or raises `DecodeError`."""

    __slots__ = ("body", "position", "table")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.position = 0
        self.table = b""

    def fail(self, text: str) -> DecodeError:
        return DecodeError(text, self.position)

    def octet(self) -> int:
        try:
            value = self.body[self.position]
        except IndexError:
            raise self.fail("the document ends too early") from None
        self.position += 1
        return value

    def number(self) -> int:
        """Read an mb_u_int32."""
        value = 0
        for _ in range(_NUMBER_OCTETS):
            octet = self.octet()
            value = value << 7 | octet & 0x7F
            if octet < 0x80:  # noqa: PLR2004 - the continuation bit
                break
        else:
            raise self.fail("number too long")
        if value > _NUMBER_MAX:
            raise self.fail("number too large")
        return value

    def take(self, length: int) -> bytes:
        if length > len(self.body) - self.position:
            raise self.fail(f"{length} octets announced, fewer are there")
        start = self.position
        self.position += length
        return self.body[start : self.position]

    def inline_text(self) -> bytes:
        """Read up to a NUL."""
        end = self.body.find(0, self.position)
        if end < 0:
            raise self.fail("text without end")
        text = self.body[self.position : end]
        self.position = end + 1
        return text

    def table_text(self) -> bytes:
        """Read an index and return the text there; the last one may lack its NUL (interop 8)."""
        return self._table_text(len(self.table))

    def table_name(self) -> str:
        """Read an index and return the name there, as a tag without a token has one."""
        name = self._table_text(_NAME_OCTETS)
        if not _NAME.fullmatch(name):
            raise self.fail("the name of a literal tag is no name")
        return name.decode()

    def _table_text(self, at_most: int) -> bytes:
        index = self.number()
        if index >= len(self.table):
            raise self.fail(f"index {index} is outside of the string table")
        stop = min(index + at_most, len(self.table))
        end = self.table.find(0, index, stop)
        return self.table[index : end if end >= 0 else stop]

    def entity(self) -> bytes:
        code = self.number()
        if code > _CODE_POINT_MAX or code in _SURROGATES:
            raise self.fail(f"{code:#x} is no character")
        return chr(code).encode()

    def opaque(self) -> bytes:
        return self.take(self.number())


_TEXTS: Final = {
    tokens.STR_I: _Reader.inline_text,
    tokens.STR_T: _Reader.table_text,
    tokens.ENTITY: _Reader.entity,
    tokens.OPAQUE: _Reader.opaque,
}
_INDEXED: Final = frozenset({tokens.STR_T, tokens.LITERAL})


def _read_header(reader: _Reader) -> None:
    """Read version, document type, character set and string table."""
    version = reader.octet()
    if version not in tokens.VERSIONS:
        raise reader.fail(f"version octet {version:#x} is not WBXML 1.1 to 1.3")
    public_id = reader.number()
    index = reader.number() if public_id == tokens.PUBLIC_ID_IN_TABLE else None
    charset = reader.number()
    if charset not in tokens.CHARSETS:
        raise reader.fail(f"character set {charset} is not UTF-8")
    reader.table = reader.take(reader.number())
    _check_document_type(reader, public_id, index)


def _check_document_type(reader: _Reader, public_id: int, index: int | None) -> None:
    """Refuse documents known to use other code pages."""
    name = tokens.FOREIGN_PUBLIC_IDS.get(public_id, "")
    if index is not None:
        name = reader.table[index:].partition(b"\0")[0].decode("ascii", "replace")
    if name in tokens.FOREIGN_PUBLIC_IDS.values():
        raise reader.fail(f"{name} is no SyncML document")


class _Parser:
    """The body of a document, token by token; `stack` holds the open elements."""

    __slots__ = ("count", "limits", "page", "reader", "stack", "text_left", "texts")

    def __init__(self, reader: _Reader, limits: Limits) -> None:
        self.reader = reader
        self.limits = limits
        self.page = Space.SYNCML
        self.stack: list[Element] = []
        self.texts: list[bytearray] = []
        self.count = 0
        self.text_left = limits.max_bytes * _TEXT_GROWTH

    def parse(self) -> Element:
        while True:
            if self.stack:
                self._usual()
            token = self.reader.octet()
            if token == tokens.END:
                root = self._close()
            elif token == tokens.SWITCH_PAGE:
                self._switch_page()
                continue
            elif token in _TEXTS:
                self._text(token)
                continue
            elif token == tokens.PI:
                self._skip_attributes()
                continue
            else:
                root = self._tag(token)
            if root is not None:
                return root

    def _usual(self) -> None:
        """Take the elements that start in the usual form, up to the first token that does not.

        Inline text needs no count: it is there octet by octet.
        """
        reader, stack = self.reader, self.stack
        names = tokens.NAMES[self.page]
        while start := _START.match(reader.body, reader.position):
            page, tag, text = start.groups()
            if page is not None:
                self.page = _PAGES[page[0]]
                names = tokens.NAMES[self.page]
            name = names.get(tag[0] & tokens.TAG_BITS)
            if name is None:
                return
            self._count()
            element = Element(name, self.page, [], text or b"")
            stack[-1].children.append(element)
            if text is None:
                stack.append(element)
                self.texts.append(bytearray())
            reader.position = start.end()

    def _switch_page(self) -> None:
        page = self.reader.octet()
        try:
            self.page = _PAGES[page]
        except IndexError:
            raise self.reader.fail(f"unknown code page {page}") from None

    def _text(self, token: int) -> None:
        text = _TEXTS[token](self.reader)
        if not self.stack:
            raise self.reader.fail("text outside of the root")
        self.text_left -= len(text)
        if self.text_left < 0:
            raise LimitExceeded("max_bytes", self.limits.max_bytes * _TEXT_GROWTH - self.text_left)
        self.texts[-1] += text
        if token == tokens.OPAQUE:
            self.stack[-1].is_opaque = True

    def _tag(self, token: int) -> Element | None:
        """Open an element; an empty root is complete at once and returned."""
        if token in tokens.EXTENSIONS:
            raise self.reader.fail(f"extension token {token:#x}")
        self._count()
        element = Element(self._name(token & tokens.TAG_BITS), self.page)
        if self.stack:
            self.stack[-1].children.append(element)
        if token & tokens.HAS_ATTRIBUTES:
            self._skip_attributes()
        if token & tokens.HAS_CONTENT:
            self.stack.append(element)
            self.texts.append(bytearray())
            return None
        return None if self.stack else element

    def _name(self, tag: int) -> str:
        if tag == tokens.LITERAL:
            return self.reader.table_name()
        # A newer page may name what we do not know: it is skipped or answered, as any unknown.
        return tokens.NAMES[self.page].get(tag) or f"unknown-{self.page:d}-{tag:02X}"

    def _count(self) -> None:
        """Count one more element, within the limits."""
        self.count += 1
        if self.count > self.limits.max_elements:
            raise LimitExceeded("max_elements", self.count)
        if len(self.stack) >= self.limits.max_depth:
            raise LimitExceeded("max_depth", len(self.stack) + 1)

    def _close(self) -> Element | None:
        """End the innermost element; return it if it is the root."""
        if not self.stack:
            raise self.reader.fail("end without a beginning")
        element = self.stack.pop()
        text = self.texts.pop()
        if element.children:
            element.is_opaque = False
        else:
            element.data = bytes(text)
        return None if self.stack else element

    def _skip_attributes(self) -> None:
        """Skip an attribute list or processing instruction, up to its END."""
        reader = self.reader
        while (token := reader.octet()) != tokens.END:
            if token in _INDEXED:
                reader.number()
            elif token in _TEXTS:
                _TEXTS[token](reader)
            elif token == tokens.SWITCH_PAGE:
                reader.octet()
            elif token in tokens.EXTENSIONS or token & tokens.TAG_BITS < _FIRST_ATTRIBUTE_VALUE:
                raise reader.fail(f"token {token:#x} in an attribute")


def _number(value: int) -> bytes:
    """Write an mb_u_int32."""
    octets = bytearray([value & 0x7F])
    while value := value >> 7:
        octets.insert(0, value & 0x7F | 0x80)
    return bytes(octets)


class _Writer:
    """Grows the body and, for names without a token, the string table."""

    __slots__ = ("body", "page", "table", "texts")

    def __init__(self) -> None:
        self.body = bytearray()
        self.table = bytearray()
        self.texts: dict[str, int] = {}
        self.page = Space.SYNCML

    def element(self, element: Element) -> None:
        body = self.body
        if element.space is not self.page:
            self.page = element.space
            body += bytes([tokens.SWITCH_PAGE, self.page])
        has_content = bool(element.children or element.data)
        flag = tokens.HAS_CONTENT if has_content else 0
        token = tokens.TOKENS[self.page].get(element.name)
        if token is None:
            body.append(tokens.LITERAL | flag)
            body += _number(self.index(element.name))
        else:
            body.append(token | flag)
        if not has_content:
            return
        for child in element.children:
            self.element(child)
        if not element.children:
            self._data(element)
        body.append(tokens.END)

    def index(self, text: str) -> int:
        """Return where a text stands in the string table, once there."""
        if text not in self.texts:
            self.texts[text] = len(self.table)
            self.table += text.encode() + b"\0"
        return self.texts[text]

    def _data(self, element: Element) -> None:
        data = element.data
        if element.is_opaque or 0 in data or not _is_text(data):
            self.body.append(tokens.OPAQUE)
            self.body += _number(len(data))
            self.body += data
        else:
            self.body += b"\x03%b\0" % data


def _is_text(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
