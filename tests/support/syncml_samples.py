# SPDX-License-Identifier: Apache-2.0
"""Messages that others wrote, and a form in which both syntaxes compare equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scomod.dmclient import wbxml
from scomod.dmclient.element import Element
from scomod.dmclient.wbxml import Limits

VECTORS = Path(__file__).parents[1] / "vectors"
LIMITS = Limits(max_bytes=65536, max_depth=32, max_elements=4000)

# Names of documents that lie in vectors/xml and vectors/wbxml.
PAIRS = sorted(path.stem for path in (VECTORS / "xml").glob("*.xml"))
XML = sorted((VECTORS / "xml").rglob("*.xml"))
WBXML = sorted((VECTORS / "wbxml").glob("*.wbxml"))


def xml(name: str) -> bytes:
    return (VECTORS / "xml" / f"{name}.xml").read_bytes()


def binary(name: str) -> bytes:
    return (VECTORS / "wbxml" / f"{name}.wbxml").read_bytes()


def comparable(element: Element) -> tuple[Any, ...]:
    """Return name, space and content, without what libwbxml changes on its way.

    It strips white space, ends lines with CR LF, turns a media type that ends in
    "+xml" into the other, and packs a document inside of Data into an OPAQUE.
    """
    children = element.children or _nested(element.data)
    if children:
        return element.name, element.space, tuple(map(comparable, children))
    text = element.data.replace(b"\r\n", b"\n").replace(b"+wbxml", b"+xml").strip()
    return element.name, element.space, text


def _nested(data: bytes) -> list[Element]:
    """Return the document that an OPAQUE holds; a foreign one as an element without content."""
    if data[:1] not in (b"\x01", b"\x02", b"\x03"):
        return []
    if b"\x9f\x54" in data[:3]:
        return [Element("DevInf")]
    return [wbxml.decode(data, LIMITS)]


def foreign_emptied(element: Element) -> Element:
    """Drop the content of DevInf, which WBXML holds in code pages that are not ours."""
    if element.name == "DevInf":
        return Element("DevInf")
    children = [foreign_emptied(child) for child in element.children]
    return Element(element.name, element.space, children, element.data)
