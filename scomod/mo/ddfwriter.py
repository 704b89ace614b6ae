# SPDX-License-Identifier: Apache-2.0
"""Writes the description of the tree as a manufacturer publishes it: one DDF document.

The counterpart of `ddf.parse`; elements stand in the order of the DTD (omadm §7.8).
What is written is what the tree is judged by, so it cannot say anything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from scomod.errors import NodeNotFound
from scomod.mo import uri
from scomod.mo.ddf import AccessType
from scomod.mo.node import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scomod.mo.ddf import Ddf, Place, Rule

NAMESPACE: Final = "syncml:dmddf1.2"
VERSION: Final = "1.2"
DOCTYPE: Final = (
    '<!DOCTYPE MgmtTree PUBLIC "-//OMA//DTD-DM-DDF 1.2//EN"'
    ' "http://www.openmobilealliance.org/tech/DTD/dm_ddf-v1_2.dtd">'
)
INDENT: Final = "  "


def document(rules: Ddf, path: str, *, manufacturer: str, model: str) -> str:
    """Return the document for the place of a canonical path and all below.

    Raises `NodeNotFound` if no node can be there.
    """
    place = rules.place_for(path)
    if place is None:
        raise NodeNotFound(f"no node can be at {path}")
    above = rules.place_for(uri.parent(path)) if uri.parent(path) else None
    is_named = above is None or uri.name(path) in above.children
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        DOCTYPE,
        f'<MgmtTree xmlns="{NAMESPACE}">',
        f"{INDENT}{_text('VerDTD', VERSION)}",
        f"{INDENT}{_text('Man', manufacturer)}",
        f"{INDENT}{_text('Mod', model)}",
        *_indented(_node(uri.name(path) if is_named else "", place, uri.parent(path))),
        "</MgmtTree>",
    ]
    return "\n".join(lines) + "\n"


def _node(name: str, place: Place, above: str = "") -> Iterator[str]:
    """Yield a Node; only the first one says where it stands."""
    yield "<Node>"
    yield f"{INDENT}{_text('NodeName', name)}"
    if above:
        yield f"{INDENT}{_text('Path', above)}"
    yield from _indented(_properties(place.rule))
    for child, inner in place.children.items():
        yield from _indented(_node(child or "", inner))
    yield "</Node>"


def _properties(rule: Rule) -> Iterator[str]:
    access = "".join(f"<{each}/>" for each in AccessType if each in rule.access)
    kind = _text("DDFName" if rule.format is Format.NODE else "MIME", rule.type)
    occurrence = _text(rule.occurrence, str(rule.max_count) if rule.max_count else "")
    yield "<DFProperties>"
    yield f"{INDENT}<AccessType>{access}</AccessType>"
    if rule.description:
        yield f"{INDENT}{_text('Description', rule.description)}"
    yield f"{INDENT}<DFFormat><{rule.format}/></DFFormat>"
    yield f"{INDENT}<Occurrence>{occurrence}</Occurrence>"
    yield f"{INDENT}<Scope><{'Permanent' if rule.is_permanent else 'Dynamic'}/></Scope>"
    yield f"{INDENT}<DFType>{kind}</DFType>"
    yield "</DFProperties>"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"{INDENT}{line}" for line in lines)


def _text(element: str, text: str) -> str:
    return f"<{element}>{escape(text)}</{element}>" if text else f"<{element}/>"
