# SPDX-License-Identifier: Apache-2.0
"""What is possible at which place of the tree: our own DDF files, read into rules (omadm §7.5).

The XML in `definitions/` is the only truth: it is what a manufacturer publishes,
and a table in Python beside it would be a second one.  It is trusted text of ours,
read by expat, which costs 50 KiB where an element tree library costs 350.
No files here (the registry reads them), and no rights: those are the ACL's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from scomod.errors import LocalProtocolError
from scomod.mo import uri
from scomod.mo.node import Format
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator


class AccessType(StrEnum):
    """Commands that a node may take at all, whoever asks."""

    ADD = "Add"
    COPY = "Copy"
    DELETE = "Delete"
    EXEC = "Exec"
    GET = "Get"
    REPLACE = "Replace"


class Occurrence(StrEnum):
    """How often a node may stand at its place."""

    ONE = "One"
    ZERO_OR_ONE = "ZeroOrOne"
    ZERO_OR_MORE = "ZeroOrMore"
    ONE_OR_MORE = "OneOrMore"
    ZERO_OR_N = "ZeroOrN"
    ONE_OR_N = "OneOrN"


@frozen
class Rule:
    """What the DDF says of one place.

    `access` lists the commands a server may send to a node here (Add: create it, Copy:
    take it as the source), `type` is the MIME type of a leaf ("" takes any) or the id of an
    object, `max_count` limits siblings at a `<x>` place (0: no limit).
    """

    access: frozenset[AccessType]
    format: Format
    type: str = ""
    occurrence: Occurrence = Occurrence.ONE
    max_count: int = 0
    is_permanent: bool = False
    description: str = ""


@dataclass(slots=True, kw_only=True)
class Place:
    """One node of a definition: its rule, and the places below by name; None is `<x>`."""

    rule: Rule
    children: dict[str | None, Place] = field(default_factory=dict)

    def below(self, name: str) -> Place | None:
        """Return the place of a child: a named one wins over `<x>`."""
        return self.children.get(name) or self.children.get(None)


CONTAINER: Final = Rule(
    access=frozenset({AccessType.GET}), format=Format.NODE, is_permanent=True
)  # the root and what lies between it and an object


class Ddf:
    """The rules of a whole tree, made of definitions mounted at paths."""

    def __init__(self) -> None:
        self._root = Place(rule=CONTAINER)

    def mount(self, path: str, definition: Place) -> Self:
        """Put a definition at a path; raises `LocalProtocolError` if something is there."""
        place = self._root
        *between, last = uri.segments(path)
        for name in between:
            place = place.children.setdefault(name, Place(rule=CONTAINER))
        if last in place.children:
            raise LocalProtocolError(f"two objects at {path}")
        place.children[last] = definition
        return self

    def place_for(self, path: str) -> Place | None:
        """Return the place of a canonical path, or None if no node may be there."""
        place: Place | None = self._root
        for name in uri.segments(path):
            place = place.below(name) if place else None
        return place

    def rule_for(self, path: str) -> Rule | None:
        """Return the rule for a canonical path, or None if no node may be there."""
        place = self.place_for(path)
        return place.rule if place else None

    def rules(self) -> Iterator[tuple[str, Rule]]:
        """Yield all places as (pattern, rule), `<x>` for unnamed nodes, parents first."""
        yield from _walk(uri.ROOT, self._root)


def _walk(pattern: str, place: Place) -> Iterator[tuple[str, Rule]]:
    yield pattern, place.rule
    for name, child in place.children.items():
        yield from _walk(uri.join(pattern, name or "<x>"), child)


def parse(document: bytes) -> Place:
    """Read a DDF document of ours and return its one definition, without its name and path."""
    from xml.parsers import expat  # noqa: PLC0415 - only where definitions are read

    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=None)
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.Parse(document, True)
    [definition] = reader.top.children.values()
    return definition


VALUE_IS_AN_ELEMENT: Final = frozenset({"AccessType", "DFFormat", "Occurrence", "Scope"})
VALUE_IS_TEXT: Final = frozenset({"MIME", "DDFName", "ZeroOrN", "OneOrN", "Description"})


class _Reader:
    """Collects properties until a node's DFProperties end, then makes its place."""

    def __init__(self) -> None:
        self.top = Place(rule=CONTAINER)
        self._places = [self.top]
        self._elements: list[str] = []
        self._name: str | None = None
        self._text = ""
        self._facts: dict[str, list[str]] = {}

    def start(self, element: str, _attributes: dict[str, str]) -> None:
        """Note an element; inside these properties it is the value: `<AccessType><Get/>`."""
        if self._elements and self._elements[-1] in VALUE_IS_AN_ELEMENT:
            self._facts.setdefault(self._elements[-1], []).append(element)
        if element == "DFProperties":
            self._facts = {}
        self._elements.append(element)
        self._text = ""

    def text(self, text: str) -> None:
        """Collect what stands in the innermost element."""
        self._text += text

    def end(self, element: str) -> None:
        """Take names and types, which are texts; the end of the properties makes the place."""
        self._elements.pop()
        text = self._text.strip()
        self._text = ""
        if element == "NodeName":
            self._name = text or None
        elif element in VALUE_IS_TEXT:
            self._facts[element] = [text]
        elif element == "DFProperties":
            place = Place(rule=_rule(self._facts))
            self._places[-1].children[self._name] = place
            self._places.append(place)
        elif element == "Node":
            self._places.pop()


def _rule(facts: dict[str, list[str]]) -> Rule:
    [occurrence] = facts.get("Occurrence", [Occurrence.ONE.value])
    [format_] = facts["DFFormat"]
    kind = facts.get("MIME") or facts.get("DDFName") or [""]
    return Rule(
        access=frozenset(map(AccessType, facts["AccessType"])),
        format=Format(format_),
        type=kind[0],
        occurrence=Occurrence(occurrence),
        max_count=int(facts.get(occurrence, ["0"])[0]),
        is_permanent=facts.get("Scope") == ["Permanent"],
        description=facts.get("Description", [""])[0],
    )
