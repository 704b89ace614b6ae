# SPDX-License-Identifier: Apache-2.0
"""Messages to and from octets: picks the syntax by media type.

Not the transport: it gets a content type and a body.  WBXML alone never loads
the XML library.  Media types: omadm §2.2, interop 10.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scomod.dmclient import syncml, tokens, wbxml, xmltext
from scomod.dmclient.model import Alert, Atomic, ItemCommand, Meta, Results, Sequence, Status
from scomod.dmclient.wbxml import Limits
from scomod.errors import DecodeError

if TYPE_CHECKING:
    from scomod.dmclient.model import Command, Item, Message

__all__ = ["Encoding", "Limits", "decode", "encode", "encoded_size", "encoding_of"]

_BINARY: Final = "bin"
_BASE64: Final = "b64"
_LATEST: Final = "1.2"


class Encoding(StrEnum):
    """The two syntaxes; the value is the media type that we send."""

    WBXML = "application/vnd.syncml.dm+wbxml"
    XML = "application/vnd.syncml.dm+xml"


_MEDIA_TYPES: Final = {
    Encoding.WBXML.value: Encoding.WBXML,
    Encoding.XML.value: Encoding.XML,
    "application/vnd.syncml+wbxml": Encoding.WBXML,
    "application/vnd.syncml+xml": Encoding.XML,
}


def encoding_of(content_type: str) -> Encoding:
    """Tell the syntax by a Content-Type, whatever its parameters and case.

    Raises `DecodeError` for any other media type.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    try:
        return _MEDIA_TYPES[media_type]
    except KeyError:
        raise DecodeError(f"{media_type!r} is no media type of SyncML DM") from None


def decode(body: bytes, encoding: Encoding, limits: Limits) -> Message:
    """Read a message; base64 in items stays as carried.

    Raises `DecodeError` or `LimitExceeded`, nothing else.
    """
    syntax = wbxml if encoding is Encoding.WBXML else xmltext
    return syncml.decode(syntax.decode(body, limits))


def encode(message: Message, encoding: Encoding) -> bytes:
    """Write a message; VerDTD decides the document type (omadm §2.2)."""
    version = message.header.ver_dtd
    if encoding is Encoding.WBXML:
        public_id = tokens.PUBLIC_IDS.get(version, tokens.PUBLIC_IDS[_LATEST])
        return wbxml.encode(syncml.encode(message), public_id=public_id)
    namespace = tokens.ROOT_NAMESPACES.get(version, tokens.ROOT_NAMESPACES[_LATEST])
    textual = replace(message, commands=tuple(map(_textual, message.commands)))
    return xmltext.encode(syncml.encode(textual), namespace=namespace)


def encoded_size(message: Message, encoding: Encoding) -> int:
    """Return the octets that `encode` gives, exactly; costs as much as encoding."""
    return len(encode(message, encoding))


def carried_bytes(size_bytes: int, format_: str, encoding: Encoding) -> int:
    """Return the length of a value as it is carried, which is what Size counts (omadm §5)."""
    is_text = encoding is Encoding.XML and format_ == _BINARY
    return base64_bytes(size_bytes) if is_text else size_bytes


def base64_bytes(size_bytes: int) -> int:
    """Return the length of base64 text without line breaks."""
    return (size_bytes + 2) // 3 * 4


def _textual(command: Command) -> Command:
    """Return the command as XML can carry it."""
    match command:
        case Atomic() | Sequence():
            return replace(command, commands=tuple(map(_textual, command.commands)))
        case ItemCommand() | Results():
            items = tuple(_carried(item, command.meta) for item in command.items)
            return replace(command, items=items)
        case Alert() | Status():
            items = tuple(_carried(item, None) for item in command.items)
            return replace(command, items=items)
        case _:
            return command


def _carried(item: Item, meta: Meta | None) -> Item:
    """Return a binary item as base64 (omadm §6.2); `meta` is that of the command."""
    own = item.meta or Meta()
    inherited = meta.format if meta else None
    if item.data is None or (own.format or inherited) != _BINARY:
        return item
    size = None if own.size is None else base64_bytes(own.size)
    meta = replace(own, format=_BASE64, size=size)
    return replace(item, data=b64encode(item.data), meta=meta)
