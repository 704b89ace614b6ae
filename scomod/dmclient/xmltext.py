# SPDX-License-Identifier: Apache-2.0
"""XML text to and from `Element`: read by lxml, which is imported on first use.

Not a general XML reader: attributes, comments and processing instructions are
dropped; document type declarations are neither loaded nor followed, entities
are refused.  Octets are fed in pieces, so that a limit is hit before the rest
of a message costs memory.  Name spaces: omadm §2.2.

The form for people is indented and loses nothing: octets that XML cannot carry
stand there in base64, marked with an attribute that no peer sends or gets.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from typing import TYPE_CHECKING, Any, Final

from scomod.dmclient import tokens
from scomod.dmclient.element import Element, Space
from scomod.errors import DecodeError, LimitExceeded

if TYPE_CHECKING:
    from lxml import etree

    from scomod.dmclient.wbxml import Limits

_PIECE_OCTETS: Final = 4096

# Where a child belongs whose name space does not tell (interop 7: bare Type in Meta).
_SPACE_BELOW: Final = {"Meta": Space.METINF}
_SPACE_OF: Final = {"MgmtTree": Space.DMDDF}

_NO_XML_CHARACTER: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
# Besides markup: what a reader would change, and what would drive the terminal of a person.
_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
    | {chr(code): f"&#{code};" for code in (0x0D, *range(0x7F, 0xA0))}
)
_DECLARATION: Final = "<?xml version='1.0' encoding='UTF-8'?>\n"
_INDENT: Final = "  "
_MARK: Final = ("octets", "base64")  # only in the form for people


def decode(body: bytes, limits: Limits, *, for_people: bool = False) -> Element:
    """Read one document and return its root; text beside child elements is dropped.

    Raises `DecodeError`, or `LimitExceeded` naming the limit.
    """
    if len(body) > limits.max_bytes:
        raise LimitExceeded("max_bytes", len(body))
    return _Builder(limits.max_depth, for_people=for_people).element(_parse(body, limits), None)


def encode(
    root: Element,
    *,
    namespace: str = tokens.NAMESPACES[Space.SYNCML],
    for_people: bool = False,
) -> bytes:
    """Write one document in UTF-8; `namespace` is that of the SyncML elements.

    What XML cannot carry (control characters, octets that are no UTF-8) becomes U+FFFD,
    or base64 in the form for people.
    """
    writer = _Writer({**tokens.NAMESPACES, Space.SYNCML: namespace}, for_people=for_people)
    writer.element(root, None, "\n")
    return "".join(writer.parts).encode()


def _parse(body: bytes, limits: Limits) -> etree._Element:
    """Feed a parser in pieces and count what starts in each; it bounds the depth itself."""
    from lxml import etree  # noqa: PLC0415 - an idle daemon must not pay for it

    parser = etree.XMLPullParser(
        events=("start",),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    count = 0
    try:
        for start in range(0, len(body), _PIECE_OCTETS):
            parser.feed(body[start : start + _PIECE_OCTETS])
            for _, node in parser.read_events():
                if not count:
                    _refuse_entities(node)
                count += 1
                if count > limits.max_elements:
                    raise LimitExceeded("max_elements", count)
        return parser.close()
    except etree.XMLSyntaxError as error:
        raise DecodeError(f"not well-formed XML: {error}") from error


def _refuse_entities(root: Any) -> None:
    dtd: Any = root.getroottree().docinfo.internalDTD
    if dtd is not None and any(True for _ in dtd.iterentities()):
        raise DecodeError("the document type declares entities")


class _Builder:
    """Builds elements from nodes; a name is looked up once for each place it has."""

    __slots__ = ("for_people", "max_depth", "names")

    def __init__(self, max_depth: int, *, for_people: bool) -> None:
        self.max_depth = max_depth
        self.for_people = for_people
        self.names: dict[tuple[str, str, Space | None], tuple[str, Space]] = {}

    def element(self, node: etree._Element, parent: Element | None, depth: int = 1) -> Element:
        """Build an element from a node and all below."""
        if depth > self.max_depth:
            raise LimitExceeded("max_depth", depth)
        element = Element(*self._name(node.tag, parent))
        if not len(node):
            element.data = (node.text or "").encode()
            if self.for_people and node.get(_MARK[0]) == _MARK[1]:
                element.data, element.is_opaque = _octets(element), True
            return element
        for child in node:
            if not isinstance(child.tag, str):
                raise DecodeError(f"entity reference in {element.name}")
            element.children.append(self.element(child, element, depth + 1))
        return element

    def _name(self, tag: str, parent: Element | None) -> tuple[str, Space]:
        place = (tag, parent.name, parent.space) if parent else (tag, "", None)
        found = self.names.get(place)
        if found is None:
            namespace, _, name = tag.rpartition("}")
            found = name, _space(namespace.removeprefix("{"), name, parent)
            self.names[place] = found
        return found


def _octets(element: Element) -> bytes:
    try:
        return b64decode(element.data, validate=True)
    except NotBase64 as error:
        raise DecodeError(f"{element.name} is marked as base64 and is none") from error


def _space(namespace: str, name: str, parent: Element | None) -> Space:
    """Tell the space by the name space or, where that says nothing, by the place."""
    if namespace in tokens.SPACES:
        return tokens.SPACES[namespace]
    if name in _SPACE_OF:
        return _SPACE_OF[name]
    if parent is None:
        return Space.SYNCML
    return _SPACE_BELOW.get(parent.name, parent.space)


class _Writer:
    """Collects the text of a document; a name space is declared where it changes.

    No prefixes, as simple peers expect.
    """

    __slots__ = ("for_people", "namespaces", "parts")

    def __init__(self, namespaces: dict[Space, str], *, for_people: bool) -> None:
        self.namespaces = namespaces
        self.for_people = for_people
        self.parts = [_DECLARATION]

    def element(self, element: Element, outer: Space | None, margin: str) -> None:
        """Write an element inside of one of the space `outer`; `margin` begins its line."""
        start = element.name
        if element.space is not outer:
            start += f' xmlns="{self.namespaces[element.space]}"'
        if element.children:
            self.parts.append(f"<{start}>")
            self._children(element, margin)
            self.parts.append(f"</{element.name}>")
        elif not element.data:
            self.parts.append(f"<{start}/>")
        else:
            self._leaf(element, start)

    def _children(self, element: Element, margin: str) -> None:
        inner = margin + _INDENT
        for child in element.children:
            if self.for_people:
                self.parts.append(inner)
            self.element(child, element.space, inner)
        if self.for_people:
            self.parts.append(margin)

    def _leaf(self, element: Element, start: str) -> None:
        text = _text(element.data)
        if self.for_people and text.encode() != element.data:
            start += ' {}="{}"'.format(*_MARK)
            text = b64encode(element.data).decode()
        self.parts.append(f"<{start}>{text.translate(_ESCAPES)}</{element.name}>")


def _text(data: bytes) -> str:
    return _NO_XML_CHARACTER.sub(_REPLACEMENT, data.decode("utf-8", "replace"))
