# SPDX-License-Identifier: Apache-2.0
"""Changes along the structure of a message: elements are doubled, dropped, moved, refilled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, seed, settings

from scomod.dmclient.element import Element, Space
from tests.support.fuzzing import damaged

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from hypothesis.strategies import SearchStrategy

    from scomod.dmclient.model import Message

SAMPLES = 20
NAMES = (
    "Data", "Item", "Meta", "Target", "Source", "LocURI", "CmdID", "Status", "Atomic", "Sequence",
    "MoreData", "Size", "Format", "Type", "Alert", "Results", "Final", "Chal", "NextNonce",
    "MgmtTree", "Node", "NodeName", "RTProperties", "Value", "Path", "X-unknown",
)  # fmt: skip


def reshaped(root: Element, source: random.Random) -> Element:
    """Change one to three elements of a tree in place and return it."""
    for _ in range(source.randint(1, 3)):
        every = list(_walk(root))
        victim, other = source.choice(every), source.choice(every)
        match source.randrange(6):
            case 0 if victim.children:
                del victim.children[source.randrange(len(victim.children))]
            case 1 if victim.children:
                child = source.choice(victim.children)
                victim.children.insert(source.randrange(len(victim.children)), child)
            case 2:
                victim.name = source.choice(NAMES)
            case 3:
                victim.space = source.choice(list(Space))
            case 4 if not any(inner is victim for inner in _walk(other)):
                victim.children.append(other)
            case _:
                victim.data = damaged(victim.data, source)
                victim.is_opaque = source.random() < 0.5
    return root


def _walk(element: Element) -> Iterator[Element]:
    yield element
    for child in element.children:
        yield from _walk(child)


def drawn(strategy: SearchStrategy[Message]) -> list[Message]:
    """Return the same few messages of a strategy each time."""
    found: list[Message] = []

    @seed(1)
    @settings(
        max_examples=SAMPLES, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def collect(message: Message) -> None:
        found.append(message)

    collect()
    return found
