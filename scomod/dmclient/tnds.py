# SPDX-License-Identifier: Apache-2.0
"""TNDS documents read into `TndsNode` lists (omadm §6.2, §7.8).

Not the tree: paths stay relative, nobody's rights are known; and not the writing
(`tndswriter.py`).  All four forms that senders use are taken: elements inside the
message, a nested WBXML document, XML as text, and base64 of either.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scomod.dmclient import tokens, wbxml, xmltext
from scomod.dmclient.wbxml import Limits
from scomod.errors import BadFormat, BadRequest, DecodeError, LimitExceeded, TooLarge
from scomod.mo import uri
from scomod.mo.node import Format, Property, decode_base64
from scomod.mo.tnds import UNNAMED, TndsNode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scomod.dmclient.element import Element

ROOT: Final = "MgmtTree"
ELEMENTS_PER_NODE: Final = 20  # a Node with all its properties has 16
DEPTH_BESIDE_NODES: Final = 4  # MgmtTree, and below a Node: RTProperties, Type, MIME
FORMATS: Final = frozenset(each.value for each in Format)


class Syntax(StrEnum):
    """The two syntaxes; the value is the media type."""

    XML = "application/vnd.syncml.dmtnds+xml"
    WBXML = "application/vnd.syncml.dmtnds+wbxml"

    @property
    def carried_as(self) -> Format:
        """The Format that goes with it in Meta (omadm §7.8)."""
        return Format.XML if self is Syntax.XML else Format.BIN


MEDIA_TYPES: Final = frozenset(syntax.value for syntax in Syntax)


def is_media_type(text: str | None) -> bool:
    """Tell whether a Meta Type announces TNDS, whatever its parameters and case."""
    return (text or "").partition(";")[0].strip().lower() in MEDIA_TYPES


def is_document(element: Element) -> bool:
    """Tell whether an element that stood in Data is, or holds, a document."""
    return element.name == ROOT or element.find(ROOT) is not None


def decode(
    data: bytes | Element, *, max_bytes: int, max_nodes_count: int, max_depth_count: int
) -> list[TndsNode]:
    """Read a document, or the element that stood in the message; nodes come as they stand.

    Raises `BadFormat` for what is no TNDS, `BadRequest` for one that is malformed,
    `TooLarge` beyond a limit.
    """
    limits = Limits(
        max_bytes=max_bytes,
        max_depth=max_depth_count + DEPTH_BESIDE_NODES,
        max_elements=max_nodes_count * ELEMENTS_PER_NODE,
    )
    try:
        root = _root(_parsed(data, limits) if isinstance(data, bytes) else data)
    except LimitExceeded as error:
        raise TooLarge(str(error)) from error
    except DecodeError as error:
        raise BadRequest(f"a malformed TNDS: {error}") from error
    found = list(_Reader(max_nodes_count, max_depth_count).document(root))
    if not found:
        raise BadRequest("a TNDS without nodes")
    return found


def _parsed(data: bytes, limits: Limits) -> Element:
    """Pick the syntax by the first octets: what the sender said of it is often wrong."""
    if len(data) > limits.max_bytes:
        raise LimitExceeded("max_bytes", len(data))
    data = _plain(data)
    if data[:1] and data[0] in tokens.VERSIONS:
        return wbxml.decode(data, limits)
    return xmltext.decode(data.strip(), limits)


def _plain(data: bytes) -> bytes:
    """Return a document that is WBXML or XML, out of base64 if need be."""
    for octets in (data, _from_base64(data)):
        if octets[:1] and (octets[0] in tokens.VERSIONS or octets.lstrip().startswith(b"<")):
            return octets
    raise BadFormat("neither XML nor WBXML")


def _from_base64(data: bytes) -> bytes:
    try:
        return decode_base64(data)
    except BadFormat:
        return b""


def _root(element: Element) -> Element:
    """Return the MgmtTree, which may stand in a Data that held more than one element."""
    found = element if element.name == ROOT else element.find(ROOT)
    if found is None:
        raise BadFormat(f"{element.name} is no TNDS")
    return found


class _Reader:
    """Walks the Nodes of a document, within the limits."""

    def __init__(self, max_nodes_count: int, max_depth_count: int) -> None:
        self._left = max_nodes_count
        self._max_depth_count = max_depth_count

    def document(self, root: Element) -> Iterator[TndsNode]:
        for number, element in enumerate(_nodes(root)):
            yield from self._node(element, None, f"{UNNAMED}{number}")

    def _node(self, element: Element, above: str | None, unnamed: str) -> Iterator[TndsNode]:
        """Yield a Node and all below; `above` is the path of its parent, None at the top."""
        path = _path(element, above, unnamed)
        self._left -= 1
        if self._left < 0 or path.count("/") >= self._max_depth_count:
            raise TooLarge("a TNDS with too many nodes, or too deep")
        inner = list(_nodes(element))
        yield _read(element, path, has_children=bool(inner))
        for child in inner:
            yield from self._node(child, path, "")


def _nodes(element: Element) -> Iterator[Element]:
    return (child for child in element.children if child.name == "Node")


def _path(element: Element, above: str | None, unnamed: str) -> str:
    """Return the relative path of a Node: its Path starts over, wherever it stands."""
    name, path = element.text("NodeName"), element.text("Path")
    base = above if path is None else _normal(path)
    if name is None and above is None and path is None:
        return unnamed
    if not name:
        if above is None and not base and name is not None:
            return ""
        raise BadRequest("only the first node of a TNDS may be without a name")
    if name == uri.ROOT and not base:
        return name
    return f"{base}/{uri.segment(name)}" if base else uri.segment(name)


def _normal(path: str) -> str:
    """Return a Path element as a relative path in normal form."""
    names = path.removeprefix("./").strip("/")
    return "" if names in ("", uri.ROOT) else "/".join(map(uri.segment, names.split("/")))


def _read(element: Element, path: str, *, has_children: bool) -> TndsNode:
    properties = element.find("RTProperties")
    format_ = None if properties is None else _format(properties)
    kind = None if properties is None else properties.find("Type")
    is_object = kind is not None and kind.find("DDFName") is not None
    return TndsNode(
        path=path,
        is_binary=format_ is Format.BIN,
        is_interior=format_ is Format.NODE or (format_ is None and (has_children or is_object)),
        format=format_,
        type=None if kind is None else _type(kind),
        value=_value(element, format_),
        properties=() if properties is None else tuple(_texts(properties)),
    )


def _format(properties: Element) -> Format | None:
    element = properties.find("Format")
    if element is None:
        return None
    name = element.children[0].name if element.children else properties.text("Format")
    if not name:
        return None
    if name not in FORMATS:
        raise BadFormat(f"no format {name}")
    return Format(name)


def _type(kind: Element) -> str:
    for name in ("MIME", "DDFName"):
        text = kind.text(name)
        if text is not None:
            return text
    return kind.data.decode("utf-8", "replace").strip()


def _texts(properties: Element) -> Iterator[tuple[Property, str]]:
    for prop in Property:
        text = properties.text(prop)
        if text is not None and prop not in (Property.FORMAT, Property.TYPE):
            yield prop, text


def _value(element: Element, format_: Format | None) -> bytes | None:
    """Return the value; binary ones are octets where they came as such, else base64."""
    value = element.find("Value")
    if value is None:
        return None
    if value.children:
        raise BadFormat("markup is not taken as a value")
    if format_ is Format.BIN and not value.is_opaque:
        return decode_base64(value.data)
    return value.data
