# SPDX-License-Identifier: Apache-2.0
"""A readable outline of messages: commands, numbers with their names, URIs, sizes, values.

Pure; not a syntax of its own and not the place where messages are kept
(`trace.py`).  Trees inside of a value (TNDS, omadm §6.2) are drawn as trees, base64
is shown as what it means.

Where an outline is blanked, no secret is in it: neither credentials and nonces, nor
what hangs on a leaf that is known to hold one, nor a text somebody typed, nor a
document whose inside we cannot tell, nor a part of anything.  What is left out shows
as `***` or by its size.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Final

from scomod import clifmt
from scomod.codes import AlertCode, DmStatus, ResultCode
from scomod.dmclient import tokens, wbxml, xmltext
from scomod.dmclient.model import (
    Alert,
    Atomic,
    Exec,
    Item,
    ItemCommand,
    Meta,
    Results,
    Sequence,
    Status,
    name_of,
)
from scomod.dmclient.wbxml import Limits
from scomod.errors import DecodeError, LimitExceeded
from scomod.secret import SHOWN, is_secret_uri, without_passwords

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scomod.dmclient.element import Element
    from scomod.dmclient.model import Command, Message, SyncHdr

LIMITS: Final = Limits(max_bytes=1 << 24, max_depth=64, max_elements=1 << 18)
INDENT: Final = "    "
_TREE: Final = "MgmtTree"
_BASE64: Final = "b64"
_PICTURED_OCTETS: Final = 16
_URIS_IN_LINE: Final = 3
_SHORTEST_DOCUMENT: Final = 16
# Fields of Meta in the order they are told, with the words before them.
_META_WORDS: Final = {
    "format": "",
    "type": "",
    "size": "size ",
    "mark": "mark ",
    "max_msg_size": "MaxMsgSize ",
    "max_obj_size": "MaxObjSize ",
    "next_nonce": "next nonce ",
}


def code_name(code: int, *families: type[DmStatus | AlertCode | ResultCode]) -> str:
    """Return a number with its name: "202 accepted for processing"."""
    for family in families:
        if code in list(family):
            return f"{code} {family(code).name.lower().replace('_', ' ')}"
    return str(code)


@dataclass(slots=True, kw_only=True)
class Outline:
    """How to outline the messages of one direction of a session, one after the other.

    Without `has_data` every command is one line and no value is told.  An object that
    comes in parts goes on over messages, so an instance remembers whether it is inside one.
    """

    has_data: bool = True
    is_blanked: bool = True
    max_characters: int = 4096
    _is_inside: bool = field(default=False, init=False)

    def message(self, message: Message) -> Iterator[str]:
        """Yield the lines of a message: its header, its commands, its end."""
        yield from self._header(message.header)
        for command in message.commands:
            yield from self.command(command)
        yield "Final" if message.final else "more messages follow"

    def command(self, command: Command) -> Iterator[str]:
        """Yield the line of a command and, indented, what is in it."""
        head = f"{command.cmd_id or '?'} {name_of(command)}{self._about(command)}"
        items: tuple[Item, ...] = getattr(command, "items", ())
        if not self.has_data:
            yield self._line(head + _uris(items))
            return
        found = [list(self._item(item, command)) for item in items]
        if len(found) == 1:
            head = f"{head} {found[0].pop(0)}"
        yield self._line(head)
        for line in (line for lines in found for line in lines):
            yield INDENT + self._line(line)
        if isinstance(command, Atomic | Sequence):
            for inner in command.commands:
                yield from (INDENT + line for line in self.command(inner))

    # -- the parts of a command --------------------------------------------------

    def _header(self, header: SyncHdr) -> Iterator[str]:
        yield self._line(
            f"message {header.msg_id} of session {header.session_id}, "
            f"{header.ver_proto}, DTD {header.ver_dtd}"
        )
        for word, uri, name in (
            ("to", header.target, header.target_name),
            ("from", header.source, header.source_name),
            ("answers to", header.resp_uri, None),
        ):
            if uri is not None:
                yield self._line(f"{word} {uri}" + (f" ({name})" if name else ""))
        if header.cred is not None:
            shown = SHOWN if self.is_blanked else self._text(header.cred.data.encode(), _BASE64)[0]
            yield self._line(f"credentials {header.cred.type}: {shown}")
        if header.meta is not None:
            yield self._line(f"meta{self._meta(header.meta)}")

    def _about(self, command: Command) -> str:
        match command:
            case Status():
                refs = " ".join((*command.target_refs, *command.source_refs))
                about = f"{command.cmd} {refs}".rstrip()
                chal = "" if command.chal is None else f", challenge{self._meta(command.chal)}"
                code = code_name(command.code, DmStatus)
                return f" to {command.msg_ref}/{command.cmd_ref} {about}: {code}{chal}"
            case Results():
                return f" to {command.msg_ref}/{command.cmd_ref}{self._meta(command.meta)}"
            case Alert():
                return f" {code_name(command.code, AlertCode)}{_correlator(command)}"
            case Exec():
                return self._meta(command.meta) + _correlator(command)
            case ItemCommand():
                return self._meta(command.meta)
        return ""

    def _meta(self, meta: Meta | None) -> str:
        if meta is None:
            return ""
        told = {
            each.name: getattr(meta, each.name)
            for each in fields(meta)
            if getattr(meta, each.name) is not None
        }
        if "next_nonce" in told and self.is_blanked:
            told["next_nonce"] = SHOWN
        words = [f"{word}{told[name]}" for name, word in _META_WORDS.items() if name in told]
        return f" [{', '.join(words)}]" if words else ""

    def _item(self, item: Item, command: Command) -> Iterator[str]:
        """Yield the line of an item, then those of a tree in it."""
        uri = " → ".join(part for part in (item.source, item.target) if part is not None)
        head = f"{uri}{self._meta(item.meta)}".strip()
        first, *rest = self._value(item, command) or [""]
        yield f"{head} = {first}" if first else head
        yield from rest

    def _value(self, item: Item, command: Command) -> list[str]:
        """Return the lines of a value, none if there is none."""
        is_part = item.more_data or self._is_inside
        if item.data is None and item.tree is None:
            return ["(part without data)"] if item.more_data else []
        self._is_inside = item.more_data
        if self.is_blanked:
            if _is_secret(item, command):
                return [SHOWN]
            if is_part:
                return [f"a part of {clifmt.size(len(item.data or b''))}"]
        return self._data(item, command) + (["(more data follows)"] if item.more_data else [])

    def _data(self, item: Item, command: Command) -> list[str]:
        meta = item.meta or Meta()
        kind = meta.format or getattr(getattr(command, "meta", None), "format", None)
        document = item.tree or _document(item.data or b"")
        if document is not None and document.name != _TREE:
            document = document.find(_TREE)
        if document is not None:
            return ["a tree", *self.tree(document, 1)]
        if item.data is None:
            return ["elements"]
        return self._text(item.data, kind)

    def tree(self, element: Element, depth: int = 0) -> Iterator[str]:
        """Yield the nodes of a TNDS, or below one of its nodes, one a line (omadm §7.8)."""
        for node in (child for child in element.children if child.name == "Node"):
            names = [child.data.decode("utf-8", "replace") for child in node.children
                     if child.name == "NodeName"]  # fmt: skip
            value = node.find("Value")
            text = ""
            if value is not None:
                is_hidden = self.is_blanked and any(map(is_secret_uri, names))
                text = " = " + (SHOWN if is_hidden else self._text(value.data, None)[0])
            yield INDENT * depth + self._line(f"{names[0] if names else '(no name)'}{text}")
            yield from self.tree(node, depth + 1)

    def _text(self, data: bytes, kind: str | None) -> list[str]:
        """Return a value as lines: as text, or by its first octets."""
        inner = _unwrapped(data)
        octets = (inner if kind == _BASE64 else None) or data
        if self.is_blanked and (_is_document(octets) or _may_be_document(inner)):
            return [f"a document of {clifmt.size(len(octets))}"]
        try:
            text = octets.decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            picture = "" if self.is_blanked else f": {octets[:_PICTURED_OCTETS].hex(' ')}"
            more = " ..." if picture and len(octets) > _PICTURED_OCTETS else ""
            return [f"{clifmt.size(len(octets))}{picture}{more}"]
        cut = text[: self.max_characters]
        more = f" ... ({clifmt.size(len(octets))})" if cut != text else ""
        return ((cut + more).splitlines() or [""]) if cut else ['""']

    def _line(self, text: str) -> str:
        """Return one line that can be shown anywhere."""
        return clifmt.printable(without_passwords(text) if self.is_blanked else text)


def _correlator(command: Alert | Exec) -> str:
    return f", correlator {command.correlator}" if command.correlator else ""


def _uris(items: tuple[Item, ...]) -> str:
    """Name the nodes of a command in one line."""
    uris = [uri for item in items if (uri := item.target or item.source)]
    more = f" and {len(uris) - _URIS_IN_LINE} more" if len(uris) > _URIS_IN_LINE else ""
    return "".join(f" {uri}" for uri in uris[:_URIS_IN_LINE]) + more


def _is_secret(item: Item, command: Command) -> bool:
    """Tell what must not be seen whole: a secret leaf, or what a person typed (omadm §1.4)."""
    is_typed = isinstance(command, Status) and command.cmd == Alert.__name__
    return is_typed or any(is_secret_uri(uri) for uri in (item.target, item.source) if uri)


def _unwrapped(data: bytes) -> bytes | None:
    """Return what base64 means, or None where it is none."""
    try:
        return b64decode(b"".join(data.split()), validate=True)
    except NotBase64:
        return None


def _is_document(data: bytes) -> bool:
    """Tell markup and WBXML by their beginning."""
    return data.lstrip().startswith(b"<") or (data[:1] != b"" and data[0] in tokens.VERSIONS)


def _may_be_document(octets: bytes | None) -> bool:
    """Tell the same of what may be base64 or just a word."""
    return octets is not None and len(octets) >= _SHORTEST_DOCUMENT and _is_document(octets)


def _document(data: bytes) -> Element | None:
    """Read a document inside of a value, in base64 or not; None where there is none."""
    for octets in (data, _unwrapped(data)):
        if octets and _is_document(octets):
            decode = wbxml.decode if octets[0] in tokens.VERSIONS else xmltext.decode
            try:
                return decode(octets.strip(), LIMITS)
            except (DecodeError, LimitExceeded):
                return None
    return None
