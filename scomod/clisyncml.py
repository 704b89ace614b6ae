# SPDX-License-Identifier: Apache-2.0
"""`scomoctl syncml`: message files between WBXML and XML, and their outline.

Works alone: no daemon, no bus, no configuration.  Nothing is hidden in what it shows,
it is the user's own file.
"""

from __future__ import annotations

import sys
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import quoteattr

from scomod.clicall import EXIT_OK, UsageError
from scomod.dmclient import provwbxml, syncml, tokens, wbxml, xmltext
from scomod.dmclient.element import Space
from scomod.errors import DecodeError, LimitExceeded
from scomod.explain import INDENT, LIMITS, Outline

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from scomod.clicall import Screen
    from scomod.dmclient.element import Element

STANDARD_INPUT: Final = "-"
# The document type of a TNDS by itself; it has no number (omadm §6.5).
TNDS_PUBLIC_ID: Final = "-//OMA//DTD-DM-DDF 1.2//EN"
PROFILE_TYPE: Final = b"-//WAPFORUM//DTD PROV 1.0//EN"
_HEAD_OCTETS: Final = 64
_MESSAGE: Final = "SyncML"
_TREE: Final = "MgmtTree"


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Convert one file; raises `UsageError` for the wrong syntax, `DecodeError` for damage."""
    body = _read(arguments.file)
    if len(body) > LIMITS.max_bytes:
        raise LimitExceeded("octets of the file", LIMITS.max_bytes)
    is_binary = body[:1] != b"" and body[0] in tokens.VERSIONS
    if arguments.explain:
        lines = list(_outline(body, is_binary=is_binary))
        screen.show({"outline": lines}, lines)
        return EXIT_OK
    if arguments.what == "decode":
        _need(is_binary, f"{arguments.file} is no WBXML: if it is XML, 'encode' takes it")
        text = _decoded(body)
        return _write_text(text, screen)
    _need(not is_binary, f"{arguments.file} is WBXML already: 'decode' takes it")
    return _write(_encoded(body), arguments, screen)


def _read(name: str) -> bytes:
    """Read a file, or as much of it as shows that it is too large."""
    most = LIMITS.max_bytes + 1
    if name == STANDARD_INPUT:
        return sys.stdin.buffer.read(most)
    with Path(name).open("rb") as file:
        return file.read(most)


def _need(is_met: bool, text: str) -> None:
    if not is_met:
        raise UsageError(text)


def _write(octets: bytes, arguments: argparse.Namespace, screen: Screen) -> int:
    if screen.is_json:
        screen.show({"base64": b64encode(octets).decode()}, [])
        return EXIT_OK
    is_fine = arguments.force or not sys.stdout.isatty()
    _need(is_fine, "WBXML is nothing for a terminal: send it to a file, or use --force")
    sys.stdout.buffer.write(octets)
    sys.stdout.buffer.flush()
    return EXIT_OK


def _write_text(text: str, screen: Screen) -> int:
    if screen.is_json:
        screen.show({"xml": text}, [])
    else:  # in the encoding that the document declares, whatever the locale
        sys.stdout.buffer.write(f"{text}\n".encode())
        sys.stdout.buffer.flush()
    return EXIT_OK


def _decoded(body: bytes) -> str:
    """Return a WBXML document as indented XML."""
    if _is_profile(body):
        return "\n".join(_profile(body))
    root = _known(wbxml.decode(body, LIMITS))
    namespace = tokens.ROOT_NAMESPACES.get(_version(root), tokens.NAMESPACES[Space.SYNCML])
    return xmltext.encode(root, namespace=namespace, for_people=True).decode()


def _encoded(body: bytes) -> bytes:
    """Return an XML document as WBXML."""
    root = _known(xmltext.decode(body, LIMITS, for_people=True))
    if root.name == _TREE:
        return wbxml.encode(root, public_id=TNDS_PUBLIC_ID)
    public_id = tokens.PUBLIC_IDS.get(_version(root), tokens.PUBLIC_ID_1_2)
    return wbxml.encode(root, public_id=public_id)


def _known(root: Element) -> Element:
    if root.name not in (_MESSAGE, _TREE):
        raise DecodeError(f"the root is {root.name}: neither a SyncML message nor a TNDS document")
    return root


def _version(root: Element) -> str:
    header = root.find("SyncHdr")
    return (header.text("VerDTD") if header else None) or ""


def _outline(body: bytes, *, is_binary: bool) -> Iterator[str]:
    if is_binary and _is_profile(body):
        yield from _profile(body)
        return
    if is_binary:
        root = wbxml.decode(body, LIMITS)
    else:
        root = xmltext.decode(body, LIMITS, for_people=True)
    outline = Outline(is_blanked=False)
    if _known(root).name == _TREE:
        yield from outline.tree(root)
    else:
        yield from outline.message(syncml.decode(root))


def _is_profile(body: bytes) -> bool:
    """Tell a client provisioning document (omadm §9.2) by its document type."""
    return body[1:2] == bytes([provwbxml.PUBLIC_ID]) or PROFILE_TYPE in body[:_HEAD_OCTETS]


def _profile(body: bytes) -> Iterator[str]:
    """Yield the lines of a provisioning document as XML."""
    events = list(provwbxml.events(body))
    open_tags: list[str] = []
    for event, following in zip(events, [*events[1:], None], strict=True):
        if event is None:
            name = open_tags.pop()
            if name:
                yield f"{INDENT * len(open_tags)}</{name}>"
            continue
        name, attributes = event
        told = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
        is_empty = following is None
        yield f"{INDENT * len(open_tags)}<{name}{told}{'/' if is_empty else ''}>"
        open_tags.append("" if is_empty else name)
