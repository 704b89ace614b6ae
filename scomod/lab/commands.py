# SPDX-License-Identifier: Apache-2.0
"""The words of an order: DM commands, what came back for them, and how to read a device.

Nothing here knows what SCOMO orders there are (`scomo.py`), nor of messages and
credentials (`conversation.py`).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Final

from scomod.codes import DmStatus, is_success
from scomod.dmclient.model import Add, Exec, Get, Item, Meta, Replace
from scomod.errors import ScomodError
from scomod.lab.outgoing import Sendable

TEXT: Final = Meta(format="chr", type="text/plain")
ROOT: Final = "./SCOMO"
NOT_READ: Final = ("Operations", "Data")  # nothing to see, and Data has no Get (scomo §1.2)
MAX_NODES_COUNT: Final = 20000
COMPONENT_LEAVES: Final = ("ID", "PkgIDRef", "Name", "Version", "State", "Status", "EnvType")


class OrderError(ScomodError):
    """An order cannot be carried out; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """The value of one node as a device reported it."""

    format: str = "chr"
    type: str = "text/plain"
    data: bytes = b""

    @property
    def text(self) -> str:
        """The value for people."""
        return self.data.decode("utf-8", "replace")

    @property
    def children(self) -> list[str]:
        """Names below an interior node (omadm §7.3); [] for a leaf."""
        return [name for name in self.text.split("/") if name] if self.format == "node" else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came back for one command; `code` is 0 when the device never answered it."""

    command: Sendable
    code: int = 0
    values: Mapping[str, Value] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        """The node that the command was for."""
        return self.command.items[0].target or ""

    @property
    def is_ok(self) -> bool:
        """Tell whether the device did it."""
        return is_success(self.code)


Batch = list[Sendable]
Plan = Generator[Batch, list[Outcome], str]  # what it returns is a sentence for people
Steps = Generator[Batch, list[Outcome], None]


def get(uri: str) -> Get:
    """Read a node."""
    return Get(items=(Item(target=uri),))


def add(uri: str, value: str) -> Add:
    """Create a text leaf."""
    return Add(items=(Item(target=uri, meta=TEXT, data=value.encode()),))


def replace(uri: str, value: str) -> Replace:
    """Change a text leaf."""
    return Replace(items=(Item(target=uri, meta=TEXT, data=value.encode()),))


def execute(uri: str, correlator: str) -> Exec:
    """Start what a node stands for."""
    return Exec(correlator=correlator or None, items=(Item(target=uri),))


def walk(*roots: str) -> Generator[Batch, list[Outcome], dict[str, Value]]:
    """Read everything below some nodes, level by level; returns URI → value.

    What a device refuses to show is left out.
    """
    found: dict[str, Value] = {}
    level = list(roots)
    while level:
        outcomes = yield [get(uri) for uri in level]
        level = []
        for outcome in outcomes:
            found |= outcome.values
            level += [
                f"{uri}/{name}"
                for uri, value in outcome.values.items()
                for name in value.children
                if name not in NOT_READ
            ]
        if len(found) + len(level) > MAX_NODES_COUNT:
            raise OrderError(f"more than {MAX_NODES_COUNT} nodes below {', '.join(roots)}")
    return found


def components(found: Mapping[str, Value]) -> list[dict[str, str]]:
    """Make a table of a walked inventory: one row per deployed component, by ID."""
    base = f"{ROOT}/Inventory/Deployed"
    names = found[base].children if base in found else []
    empty = Value()
    rows = [
        {"node": f"{base}/{name}"}
        | {leaf: found.get(f"{base}/{name}/{leaf}", empty).text for leaf in COMPONENT_LEAVES}
        for name in names
    ]
    return sorted(rows, key=lambda row: row["ID"])


def write(parent: str, **leaves: str) -> Steps:
    """Add leaves, and replace those that are there already; empty ones are left out."""
    wanted = {f"{parent}/{name}": value for name, value in leaves.items() if value}
    outcomes = yield [add(uri, value) for uri, value in wanted.items()]
    known = [outcome.uri for outcome in outcomes if outcome.code == DmStatus.ALREADY_EXISTS]
    demand([outcome for outcome in outcomes if outcome.uri not in known])
    if known:
        demand((yield [replace(uri, wanted[uri]) for uri in known]))


def demand(outcomes: list[Outcome]) -> list[Outcome]:
    """Raise `OrderError` unless the device did everything."""
    for outcome in outcomes:
        if not outcome.is_ok:
            verb = type(outcome.command).__name__
            raise OrderError(f"{verb} {outcome.uri} was answered with {outcome.code}")
    return outcomes
