# SPDX-License-Identifier: Apache-2.0
"""One node of the tree as a value, its formats and its properties (omadm §7.2).

No storage and no rights.  Values are octets as the device means them: base64 is a
way to carry `bin` in XML and is gone before a node is made.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scomod.errors import BadFormat, NotSupported
from scomod.mo import uri

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

INT_MIN: Final = -(1 << 31)
INT_MAX: Final = (1 << 31) - 1
VERNO_MASK: Final = 0xFFFF
TITLE_OCTETS: Final = 255
# Longer values are files.  One page of the database holds 1 KiB, so a row of this length
# chains 64 of them already; a text that long is no setting any more (ADR 0012).
INLINE_MAX_BYTES: Final = 64 * 1024


class Format(StrEnum):
    """Formats of nodes, spelled as in Meta."""

    B64 = "b64"
    BIN = "bin"
    BOOL = "bool"
    CHR = "chr"
    INT = "int"
    NODE = "node"
    NULL = "null"
    XML = "xml"
    DATE = "date"
    TIME = "time"
    FLOAT = "float"


class Property(StrEnum):
    """Properties of nodes, spelled as behind "?prop="."""

    ACL = "ACL"
    FORMAT = "Format"
    NAME = "Name"
    SIZE = "Size"
    TITLE = "Title"
    TSTAMP = "TStamp"
    TYPE = "Type"
    VERNO = "VerNo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """The name of a value that is kept in a file, and its length."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node; `value` is None for an interior node and octets for a leaf.

    A leaf whose value is in a file has a `blob` and no `value`, so that nobody reads a
    long value by accident.  `acl` is the node's own ACL text ("" inherits), `tstamp_s`
    the last change in seconds since the epoch, `verno` counts value changes modulo 65536,
    `owner` is the server that added it ("" for the device).
    """

    path: str
    format: Format
    type: str = ""
    acl: str = ""
    title: str = ""
    value: bytes | None = field(default=None, repr=False)  # it may be a secret (I19)
    tstamp_s: int = 0
    verno: int = 0
    owner: str = ""
    blob: Blob | None = None

    @property
    def size_bytes(self) -> int:
        """The length of the value, which is not read for it."""
        return self.blob.size_bytes if self.blob else len(self.value or b"")

    @property
    def is_interior(self) -> bool:
        """Tell whether the node may have children."""
        return self.format is Format.NODE


def is_long(size_bytes: int) -> bool:
    """Tell whether a value of that length is kept in a file, which only a binary one can be."""
    return size_bytes > INLINE_MAX_BYTES


def next_verno(verno: int) -> int:
    """Return the version number after one more value change; FFFF wraps to 0."""
    return (verno + 1) & VERNO_MASK


def property_value(node: Node, prop: Property) -> str:
    """Return a property as text; raises `NotSupported` for Size of an interior node."""
    if prop is Property.SIZE and node.is_interior:
        raise NotSupported("an interior node has no Size")
    return PROPERTY_TEXT[prop](node)


def _timestamp(node: Node) -> str:
    return datetime.fromtimestamp(node.tstamp_s, tz=UTC).strftime("%Y%m%dT%H%M%SZ")


PROPERTY_TEXT: Final[Mapping[Property, Callable[[Node], str]]] = {
    Property.ACL: lambda node: node.acl,
    Property.FORMAT: lambda node: node.format,
    Property.NAME: lambda node: uri.name(node.path),
    Property.SIZE: lambda node: str(node.size_bytes),
    Property.TITLE: lambda node: node.title,
    Property.TSTAMP: _timestamp,
    Property.TYPE: lambda node: node.type,
    Property.VERNO: lambda node: str(node.verno),
}

TEXT_SHAPES: Final[Mapping[Format, re.Pattern[str]]] = {
    Format.BOOL: re.compile(r"true|false"),
    Format.INT: re.compile(r"[+-]?[0-9]{1,10}"),
    Format.DATE: re.compile(r"[0-9]{4}-?(0[1-9]|1[0-2])-?(0[1-9]|[12][0-9]|3[01])"),
    Format.TIME: re.compile(r"([01][0-9]|2[0-3]):?[0-5][0-9]:?([0-5][0-9]|60)Z?"),
    Format.FLOAT: re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|-?INF|NaN"),
    Format.NULL: re.compile(r""),
    Format.CHR: re.compile(r"[^\0]*"),
    Format.XML: re.compile(r"[^\0]*"),
}


def check_value(format_: Format, value: bytes) -> None:
    """Raise `BadFormat` if the octets are no value of that leaf format (omadm §7.2)."""
    if format_ is Format.NODE:
        raise BadFormat("an interior node has no value")
    if format_ is Format.BIN:
        return
    if format_ is Format.B64:
        decode_base64(value)
        return
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadFormat(f"a value of format {format_} is not UTF-8") from error
    if not TEXT_SHAPES[format_].fullmatch(text):
        raise BadFormat(f"not a value of format {format_}")
    if format_ is Format.INT and not INT_MIN <= int(text) <= INT_MAX:
        raise BadFormat("an int does not fit into 32 bits")


def decoded_bytes(text_bytes: int) -> int:
    """Return how many octets base64 text of that length can hold at most."""
    return text_bytes // 4 * 3


def decode_base64(value: bytes) -> bytes:
    """Decode base64 text, white space allowed; raises `BadFormat`."""
    from base64 import b64decode  # noqa: PLC0415 - no node of a waiting daemon has it

    try:
        return b64decode(b"".join(value.split()), validate=True)
    except binascii.Error as error:
        raise BadFormat("not base64") from error
