# SPDX-License-Identifier: Apache-2.0
"""Takes the secrets out of a message's octets, and leaves everything else as it was spelled.

Each secret becomes as many asterisks, in place, so that a recording still shows how a server
writes its WBXML.  Where that cannot be done the message is written anew.  What is blanked:
credentials, nonces, values of leaves whose name says that they are secret, also inside of a
TNDS, what a person typed, user parts of URLs.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import partial
from typing import TYPE_CHECKING, Final

from scomod.dmclient import tokens, wbxml, xmltext
from scomod.dmclient.codec import Encoding
from scomod.dmclient.element import Element, Space
from scomod.dmclient.wbxml import Limits
from scomod.errors import DecodeError, LimitExceeded
from scomod.secret import is_secret_uri

if TYPE_CHECKING:
    from collections.abc import Callable

    Pairs = list[tuple[bytes, bytes]]

LIMITS: Final = Limits(max_bytes=1 << 24, max_depth=64, max_elements=1 << 18)
UNREADABLE: Final = (DecodeError, LimitExceeded)
HMAC_SECRET: Final = re.compile(r"(mac\s*=\s*)[^,\s]+", re.IGNORECASE)
_URL_USER: Final = re.compile(rb"(?<=://)[^/@\s]+(?=@)")
_TREE: Final = "MgmtTree"
_TREE_ID: Final = "-//OMA//DTD-DM-DDF 1.2//EN"


def without_secrets(body: bytes, encoding: Encoding) -> tuple[bytes, str]:
    """Return the octets of a message and its XML for people, both without secrets.

    Raises `DecodeError` or `LimitExceeded` for what is no message.
    """
    root = read(body, encoding)
    pairs: Pairs = []
    _blank(root, pairs)
    octets = _patched(body, root, pairs, lambda data: read(data, encoding))
    return (write(root, encoding) if octets is None else octets), for_people(root)


def read(body: bytes, encoding: Encoding) -> Element:
    """Read octets of one syntax; raises `DecodeError` or `LimitExceeded`."""
    if encoding is Encoding.WBXML:
        return wbxml.decode(body, LIMITS)
    return xmltext.decode(body, LIMITS)


def write(root: Element, encoding: Encoding) -> bytes:
    """Write the octets of a message."""
    if encoding is Encoding.WBXML:
        return wbxml.encode(root, public_id=tokens.PUBLIC_IDS.get(_version(root), _LATEST))
    return xmltext.encode(root, namespace=_namespace(root))


def for_people(root: Element) -> str:
    """Return indented XML, of which the same message can be read again."""
    return xmltext.encode(root, namespace=_namespace(root), for_people=True).decode()


_LATEST: Final = tokens.PUBLIC_IDS["1.2"]


def _version(root: Element) -> str:
    header = root.find("SyncHdr")
    return (header.text("VerDTD") if header else None) or ""


def _namespace(root: Element) -> str:
    return tokens.ROOT_NAMESPACES.get(_version(root), tokens.NAMESPACES[Space.SYNCML])


def _patched(
    octets: bytes, root: Element, pairs: Pairs, read_again: Callable[[bytes], Element]
) -> bytes | None:
    """Return the octets with each old text replaced by the new one; None where it cannot be."""
    for old, new in pairs:
        octets = octets.replace(old, new)
    try:
        return octets if read_again(octets) == root else None
    except UNREADABLE:
        return None


def _blank(element: Element, pairs: Pairs) -> None:
    """Blank what is below an element."""
    if element.name == "Cred":
        _hide(element.find("Data"), pairs)
    elif element.name == "NextNonce":
        _hide(element, pairs)
    elif element.name == "Item":
        _blank_item(element, pairs)
    else:
        if element.name == "Status" and element.text("Cmd") == "Alert":
            for item in (child for child in element.children if child.name == "Item"):
                _hide(item.find("Data"), pairs)
        for child in element.children:
            _blank(child, pairs)


def _blank_item(item: Element, pairs: Pairs) -> None:
    data = item.find("Data")
    if data is None:
        return
    places = (item.find("Target"), item.find("Source"))
    uris = [place.text("LocURI") or "" for place in places if place is not None]
    if any(map(is_secret_uri, uris)):
        _hide(data, pairs)
    elif data.children:
        _blank_tree(data, pairs)
    else:
        _exchange(data, _without_inner(data.data), pairs)


def _without_inner(data: bytes) -> bytes:
    """Return a value without what is secret inside of it: a TNDS, a URL."""
    for unwrap, wrap in ((bytes, bytes), (_unwrapped, base64.b64encode)):
        octets = unwrap(data)
        if octets[:1] == b"<" or (octets[:1] and octets[0] in tokens.VERSIONS):
            syntax = xmltext if octets[:1] == b"<" else wbxml
            try:
                root = syntax.decode(octets, LIMITS)
            except UNREADABLE:
                return data
            pairs: Pairs = []
            _blank_tree(root, pairs)
            found = _patched(octets, root, pairs, partial(syntax.decode, limits=LIMITS))
            return data if not pairs else wrap(found if found is not None else _anew(root, octets))
    return _URL_USER.sub(lambda match: b"*" * len(match[0]), data)


def _anew(root: Element, octets: bytes) -> bytes:
    if octets[:1] == b"<":
        return xmltext.encode(root, namespace=tokens.NAMESPACES[Space.DMDDF])
    return wbxml.encode(root, public_id=_TREE_ID)


def _blank_tree(element: Element, pairs: Pairs) -> None:
    """Blank the values of secret nodes of a TNDS (omadm §7.8)."""
    if element.name == "Node" and is_secret_uri(element.text("NodeName") or ""):
        _hide(element.find("Value"), pairs)
    for child in element.children:
        _blank_tree(child, pairs)


def _hide(element: Element | None, pairs: Pairs) -> None:
    """Put asterisks in place of all that is in an element."""
    if element is not None:
        _exchange(element, b"*" * len(element.data), pairs)
        for child in element.children:
            _hide(child, pairs)


def _exchange(element: Element, new: bytes, pairs: Pairs) -> None:
    if element.data != new:
        pairs.append((element.data, new))
        element.data = new


def _unwrapped(data: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error:
        return b""
