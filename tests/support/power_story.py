# SPDX-License-Identifier: Apache-2.0
"""A story that is played on a recorded disk, and power cuts at the instants of its log.

What the device acknowledges on the way (to a server, to a person, between daemon and helper)
is written down outside of the disk as `Fact`s, each with how far the log was.  After a cut a
fork of this process, in which everything is imported, starts the device on what the disk has
and holds it against the facts of before.
"""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from tests.support import block_log
from tests.support.block_log import RecordedDisk
from tests.support.mortal import live

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.support.block_log import Entry, Point

_RECOVERY_S: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that was acknowledged when the log had `position` entries."""

    position: int
    kind: str
    key: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What was acknowledged before a cut, and what came after it in the undisturbed life."""

    before: tuple[Fact, ...]
    after: tuple[Fact, ...]

    def seen(self, kind: str, key: str | None = None) -> list[str]:
        """List what such facts of before the cut were about."""
        return [fact.key for fact in self.before if fact.kind == kind and key in (None, fact.key)]

    def allowed(self, kind: str, key: str) -> list[Any]:
        """List the values that may be there: the last acknowledged, and one on its way."""
        return [fact.value for fact in self._of(self.before, kind, key)[-1:]] + [
            fact.value for fact in self._of(self.after, kind, key)[:1]
        ]

    @staticmethod
    def _of(facts: Sequence[Fact], kind: str, key: str) -> list[Fact]:
        return [fact for fact in facts if (fact.kind, fact.key) == (kind, key)]


class Tell(Protocol):
    """Writes a fact down."""

    def __call__(self, kind: str, key: str, value: Any = None) -> None: ...


class Story(Protocol):
    """One kind of life; both methods run in forks, `root` is the mounted disk."""

    @property
    def size_mib(self) -> int:
        """Size of the disk."""

    def play(self, root: Path, tell: Tell) -> None:
        """Live, and tell what is acknowledged."""

    def recover(self, root: Path, facts: Facts) -> None:
        """Start the device after a cut; raises AssertionError for what is not as it must be."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A story that was played once; cut, it is mounted there again: orders name paths."""

    story: Story
    folder: Path
    root: Path
    image: Path
    entries: Sequence[Entry]
    facts: Sequence[Fact]

    def cut(self, wanted: Sequence[Point], seed: int) -> Iterator[tuple[Point, str]]:
        """Let the power fail at instants; gives for each what went wrong, "" for nothing."""
        image = self.folder / "cut.image"
        # What the first start imports is there for all others.
        self.story.recover(self.folder / "nothing", Facts((), ()))
        for point in block_log.states(self.image, self.entries, wanted, seed, image):
            yield point, self._recovered(point, image)

    def _recovered(self, point: Point, image: Path) -> str:
        count = sum(fact.position <= point.reach for fact in self.facts)
        facts = Facts(tuple(self.facts[:count]), tuple(self.facts[count:]))

        def recover(_: Callable[[str], None]) -> None:
            signal.alarm(_RECOVERY_S)
            self.story.recover(self.root, facts)

        try:
            with block_log.mounted(image, self.root):
                live(recover)
            block_log.fsck(image)
        except AssertionError as error:
            return str(error)
        return ""


def record(story: Story, folder: Path) -> Recording:
    """Play a story on a new disk in `folder`."""
    told = folder / "facts"
    with RecordedDisk(folder / "recorded", story.size_mib) as disk:

        def play(_: Callable[[str], None]) -> None:
            with disk.mounted(), told.open("w") as facts:

                def tell(kind: str, key: str, value: Any = None) -> None:
                    facts.write(json.dumps([disk.log.position(), kind, key, value]) + "\n")

                story.play(disk.root, tell)

        live(play)
        entries = disk.log.entries()[: disk.log.position()]
    rows = map(json.loads, told.read_text().splitlines())
    names = ("position", "kind", "key", "value")
    facts = [Fact(**dict(zip(names, row, strict=True))) for row in rows]
    return Recording(story, folder, disk.root, disk.image, entries, facts)
