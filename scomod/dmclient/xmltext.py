"""XML text to and from `Element` by lxml, which is imported on first use.

Not a general XML reader: attributes, comments and processing instructions are
dropped; document type declarations are neither loaded nor followed, entities
are refused.  Octets are fed in pieces, so that a limit is hit before the rest
of a message costs memory.  Name spaces: omadm §2.2.
"""

from __future__ import annotations

import re
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


def decode(body: bytes, limits: Limits) -> Element:
    """Read one document and return its root; text beside child elements is dropped.

    Raises `DecodeError`, or `LimitExceeded` naming the limit.
    """
    if len(body) > limits.max_bytes:
        raise LimitExceeded("max_bytes", len(body))
    return _element(_parse(body, limits), None)


def encode(root: Element, *, namespace: str = tokens.NAMESPACES[Space.SYNCML]) -> bytes:
    """Write one document in UTF-8; `namespace` is that of the SyncML elements.

    What XML cannot carry (control characters, octets that are no UTF-8) becomes U+FFFD.
    """
    from lxml import etree  # noqa: PLC0415 - an idle daemon must not pay for it

    namespaces = {**tokens.NAMESPACES, Space.SYNCML: namespace}
    top = etree.Element(_tag(root, namespaces), nsmap=_default(root, namespaces))
    _fill(top, root, namespaces)
    return etree.tostring(top, xml_declaration=True, encoding="UTF-8")


def _parse(body: bytes, limits: Limits) -> etree._Element:
    """Feed a parser in pieces and check each start against the limits."""
    from lxml import etree  # noqa: PLC0415 - an idle daemon must not pay for it

    parser = etree.XMLPullParser(
        events=("start", "end"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    guard = _Guard(limits)
    try:
        for start in range(0, len(body), _PIECE_OCTETS):
            parser.feed(body[start : start + _PIECE_OCTETS])
            for event, node in parser.read_events():
                guard.see(event, node)
        return parser.close()
    except etree.XMLSyntaxError as error:
        raise DecodeError(f"not well-formed XML: {error}") from error


class _Guard:
    """Counts what a document contains; refuses declarations of entities."""

    __slots__ = ("count", "depth", "limits")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.count = 0
        self.depth = 0

    def see(self, event: str, node: Any) -> None:
        if event == "end":
            self.depth -= 1
            return
        if not self.count:
            _refuse_entities(node)
        self.count += 1
        self.depth += 1
        if self.count > self.limits.max_elements:
            raise LimitExceeded("max_elements", self.count)
        if self.depth > self.limits.max_depth:
            raise LimitExceeded("max_depth", self.depth)


def _refuse_entities(root: etree._Element) -> None:
    dtd: Any = root.getroottree().docinfo.internalDTD
    if dtd is not None and any(True for _ in dtd.iterentities()):
        raise DecodeError("the document type declares entities")


def _element(node: etree._Element, parent: Element | None) -> Element:
    """Build an element from a node and all below; depth is limited already."""
    namespace, _, name = node.tag.rpartition("}")
    element = Element(name, _space(namespace.removeprefix("{"), name, parent))
    texts = [node.text or ""]
    for child in node:
        if not isinstance(child.tag, str):
            raise DecodeError(f"entity reference in {name}")
        element.children.append(_element(child, element))
        texts.append(child.tail or "")
    if not element.children:
        element.data = "".join(texts).encode()
    return element


def _space(namespace: str, name: str, parent: Element | None) -> Space:
    """Tell the space by the name space or, where that says nothing, by the place."""
    if namespace in tokens.SPACES:
        return tokens.SPACES[namespace]
    if name in _SPACE_OF:
        return _SPACE_OF[name]
    if parent is None:
        return Space.SYNCML
    return _SPACE_BELOW.get(parent.name, parent.space)


def _fill(node: etree._Element, element: Element, namespaces: dict[Space, str]) -> None:
    from lxml import etree  # noqa: PLC0415 - loaded by the caller

    if not element.children and element.data:
        node.text = _text(element.data)
    for child in element.children:
        below = etree.SubElement(node, _tag(child, namespaces), nsmap=_default(child, namespaces))
        _fill(below, child, namespaces)


def _tag(element: Element, namespaces: dict[Space, str]) -> str:
    return f"{{{namespaces[element.space]}}}{element.name}"


def _default(element: Element, namespaces: dict[Space, str]) -> dict[Any, str]:
    """Declare the name space without a prefix, as simple peers expect."""
    return {None: namespaces[element.space]}


def _text(data: bytes) -> str:
    return _NO_XML_CHARACTER.sub(_REPLACEMENT, data.decode("utf-8", "replace"))
