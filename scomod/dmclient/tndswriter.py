# SPDX-License-Identifier: Apache-2.0
"""TNDS documents written from `TndsNode`s, in both syntaxes (omadm §6.2, §7.8).

One pass: a node is written when it comes, so that a document costs its own octets and
nothing else, however many nodes it has.  Reading is `tnds.py`.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final, Protocol

from scomod.dmclient import tokens
from scomod.dmclient.element import Space
from scomod.dmclient.tnds import ROOT, Syntax
from scomod.errors import TooLarge
from scomod.mo import uri
from scomod.mo.node import Property
from scomod.mo.tnds import UNNAMED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scomod.mo.tnds import TndsNode

VERSION: Final = "1.2"
PUBLIC_ID: Final = b"-//OMA//DTD-DM-DDF 1.2//EN\0"
# In the order of the document type; Format and Type hold elements and are written apart.
BEFORE_TYPE: Final = (Property.NAME, Property.SIZE, Property.TITLE, Property.TSTAMP)


def encode(nodes: Iterable[TndsNode], syntax: Syntax, *, max_bytes: int) -> bytes:
    """Write a document; a node goes below the one before it, or has a Path.

    Parents must come before children.  Raises `TooLarge` as soon as it is.
    """
    writer: _Writer = _XmlWriter() if syntax is Syntax.XML else _WbxmlWriter()
    writer.open(ROOT)
    writer.text("VerDTD", VERSION)
    opened: list[str] = []
    for node in nodes:
        above = uri.parent(node.path)
        while opened and opened[-1] != above:
            opened.pop()
            writer.close("Node")
        _write_node(writer, node, path="" if opened else above)
        opened.append(node.path)
        if len(writer.body) > max_bytes:
            raise TooLarge(f"a TNDS of more than {max_bytes} octets")
    for _ in opened:
        writer.close("Node")
    writer.close(ROOT)
    return bytes(writer.body)


def _write_node(writer: _Writer, node: TndsNode, *, path: str) -> None:
    """Write all of a Node but its end."""
    writer.open("Node")
    if not node.path.startswith(UNNAMED) or "/" in node.path:
        writer.text("NodeName", uri.name(node.path))
    if path:
        writer.text("Path", path)
    writer.open("RTProperties")
    _write_properties(writer, node)
    writer.close("RTProperties")
    if node.value is not None:
        writer.value(node.value, is_binary=node.is_binary)


def _write_properties(writer: _Writer, node: TndsNode) -> None:
    texts = dict(node.properties)

    def write(prop: Property) -> None:
        if prop in texts:
            writer.text(prop, texts[prop])

    write(Property.ACL)
    if node.format is not None:
        writer.open("Format")
        writer.empty(node.format)
        writer.close("Format")
    for prop in BEFORE_TYPE:
        write(prop)
    if node.type is not None:
        writer.open("Type")
        writer.text("DDFName" if node.is_interior else "MIME", node.type)
        writer.close("Type")
    write(Property.VERNO)


class _Writer(Protocol):
    """Appends elements to `body`."""

    body: bytearray

    def open(self, name: str) -> None:
        """Begin an element."""

    def close(self, name: str) -> None:
        """End it."""

    def empty(self, name: str) -> None:
        """Write an element without content."""

    def text(self, name: str, text: str) -> None:
        """Write an element with text, or an empty one."""

    def value(self, octets: bytes, *, is_binary: bool) -> None:
        """Write the value of a node."""


_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_TO_ESCAPE: Final = re.compile("[&<>\r]")
_NO_XML_CHARACTER: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


class _XmlWriter:
    """XML text; what it cannot carry becomes U+FFFD, as in messages."""

    def __init__(self) -> None:
        self.body = bytearray()

    def open(self, name: str) -> None:
        space = f' xmlns="{tokens.NAMESPACES[Space.DMDDF]}"' if name == ROOT else ""
        self.body += f"<{name}{space}>".encode()

    def close(self, name: str) -> None:
        self.body += f"</{name}>".encode()

    def empty(self, name: str) -> None:
        self.body += f"<{name}/>".encode()

    def text(self, name: str, text: str) -> None:
        clean = _NO_XML_CHARACTER.sub(_REPLACEMENT, text)
        escaped = _TO_ESCAPE.sub(lambda match: _ESCAPES[match[0]], clean)
        self.body += f"<{name}>{escaped}</{name}>".encode()

    def value(self, octets: bytes, *, is_binary: bool) -> None:
        text = base64.b64encode(octets) if is_binary else octets
        self.text("Value", text.decode("utf-8", "replace"))


class _WbxmlWriter:
    """A WBXML document of its own: everything is on the one page for it (omadm §6.5)."""

    _TAGS: Final = tokens.TOKENS[Space.DMDDF]

    def __init__(self) -> None:
        head = (tokens.VERSION_1_2, tokens.PUBLIC_ID_IN_TABLE, 0, tokens.UTF_8, len(PUBLIC_ID))
        self.body = bytearray(head) + PUBLIC_ID + bytes((tokens.SWITCH_PAGE, Space.DMDDF))

    def open(self, name: str) -> None:
        self.body.append(self._TAGS[name] | tokens.HAS_CONTENT)

    def close(self, name: str) -> None:
        del name
        self.body.append(tokens.END)

    def empty(self, name: str) -> None:
        self.body.append(self._TAGS[name])

    def text(self, name: str, text: str) -> None:
        self._content(name, text.encode("utf-8", "replace"), is_opaque=False)

    def value(self, octets: bytes, *, is_binary: bool) -> None:
        self._content("Value", octets, is_opaque=is_binary)

    def _content(self, name: str, octets: bytes, *, is_opaque: bool) -> None:
        if not octets:
            self.empty(name)
            return
        self.open(name)
        if is_opaque or 0 in octets:
            self.body.append(tokens.OPAQUE)
            self.body += _number(len(octets)) + octets
        else:
            self.body.append(tokens.STR_I)
            self.body += octets
            self.body.append(0)
        self.body.append(tokens.END)


def _number(value: int) -> bytes:
    """Write an mb_u_int32: seven bits in an octet, all but the last marked."""
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(value & 0x7F | 0x80)
    return bytes(reversed(octets))
