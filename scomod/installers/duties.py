# SPDX-License-Identifier: Apache-2.0
"""The duties of a backend as checks that run against one; the kit is `testkit.py`.

Each check begins with the component absent, uses only what `Backend` has, and looks
afterwards at what is there.  Not looked at is what only the source shows: how programs
are started, how output is parsed (docs/backends.md, duties 7 and 10).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import killing
from scomod.installers.base import Discerning, InstalledItem, Presence

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.installers.base import Backend, Facts
    from scomod.installers.kinds import Kind, Place

_RUBBISH: Final = (b"", b"this is no archive\n" * 64, bytes(4096))
_BAD_NAMES: Final = ("../../etc/passwd", "-x", "--all", "a b", "a;b", "a\n", "\u00e4", "a" * 400)
_KILL_SHARES: Final = (0.2, 0.5, 0.8)


class Broken(Exception):  # noqa: N818 - what happened to the duty
    """A duty that is not kept, and how that shows."""


class NotSeen(Exception):  # noqa: N818 - as above
    """A duty that could not be looked at, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Archives of one component: a version, a newer one, one that cannot be installed.

    `config` is a file that the first brings as configuration, below the root; "" for none.
    """

    payload: Path
    newer: Path
    broken: Path | None = None
    config: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One backend on a device of its own, and what is installed with it."""

    backend: Backend
    kind: Kind
    place: Place
    samples: Samples
    scratch: Path
    old: Facts
    new: Facts

    def install(self, *, newer: bool = False, may_downgrade: bool = False) -> None:
        """Install one of the two versions."""
        archive = self.samples.newer if newer else self.samples.payload
        facts = self.new if newer else self.old
        self.backend.install(archive, facts, may_downgrade=may_downgrade)

    @property
    def stranger(self) -> str:
        """Name a component that is not there, in the grammar of the backend."""
        name, colon, rest = self.old.id.partition(":")
        return f"{name}absent{colon}{rest}"

    def clear(self) -> None:
        """Begin with nothing there."""
        self.backend.remove(self.old.id)

    def mark(self) -> str:
        """Return the mark of what is installed."""
        return self.kind.mark(self.place.root, self.place.settings)

    def listed(self) -> dict[str, str]:
        """Return what the inventory says: versions by id."""
        return {item.id: item.version for item in self._items()}

    def agree(self, version: str, when: str) -> None:
        """See that probe, version and inventory say the same; "" as version is absent."""
        wanted = Presence.ACTIVE if version else Presence.ABSENT
        said = {
            "probe of any version": self.backend.probe(self.old.id, "") is wanted,
            "probe of this version": self.backend.probe(self.old.id, version) is wanted,
            "version": self.backend.version(self.old.id) == version,
            "inventory": self.listed().get(self.old.id, "") == version,
        }
        if wrong := [name for name, is_right in said.items() if not is_right]:
            raise Broken(f"{when} it should be {version or 'absent'}; not so: {', '.join(wrong)}")

    def _items(self) -> list[InstalledItem]:
        items = self.backend.inventory()
        if any(item.environment != self.kind.environments[0] for item in items):
            raise Broken("the inventory names another environment than the kind")
        return items


def refused(deed: Callable[..., object], *arguments: object) -> Reason | None:
    """Return why something was refused, None where it was not."""
    try:
        deed(*arguments)
    except InstallerError as error:
        return error.reason
    return None


def _twice(bench: Bench) -> None:
    for deed, version in (
        (bench.install, bench.old.version),
        (partial(bench.backend.withdraw, bench.old.id), ""),
        (bench.install, bench.old.version),
        (partial(bench.backend.remove, bench.old.id), ""),
    ):
        for when in ("the first time", "the second time"):
            deed()
            bench.agree(version, when)


def _absent(bench: Bench) -> None:
    backend = bench.backend
    before = bench.listed()
    for deed in (backend.remove, backend.withdraw):
        if reason := refused(deed, bench.stranger):
            raise Broken(f"taking off what is not there is no failure, it said: {reason}")
    if backend.probe(bench.stranger, "") is not Presence.ABSENT or backend.version(bench.stranger):
        raise Broken("what is not there is not absent")
    if backend.units(bench.stranger) or bench.listed() != before:
        raise Broken("what is not there has services, or something changed")


def _upgrade(bench: Bench) -> None:
    bench.install()
    bench.agree(bench.old.version, "once installed")
    bench.install(newer=True)
    bench.agree(bench.new.version, "once upgraded")
    if bench.backend.probe(bench.old.id, bench.old.version) is Presence.ACTIVE:
        raise Broken("the earlier version is said to be active beside the newer one")


def _older(bench: Bench) -> None:
    bench.install(newer=True)
    reason = refused(bench.install)
    if reason is not Reason.POLICY:
        raise Broken(f"an older version over a newer one: {reason or 'not refused'}, not policy")
    bench.agree(bench.new.version, "after the refusal")
    bench.install(may_downgrade=True)
    bench.agree(bench.old.version, "once that is allowed")


def _rubbish(bench: Bench) -> None:
    before = bench.listed()
    for number, octets in enumerate(_RUBBISH):
        archive = bench.scratch / f"rubbish-{number}"
        archive.write_bytes(octets)
        reason = refused(bench.backend.inspect, archive)
        if reason is not Reason.MALFORMED:
            raise Broken(f"inspecting rubbish: {reason or 'nothing said'}, not malformed package")
    whole = bench.samples.payload.read_bytes()
    cut = bench.scratch / f"cut{bench.samples.payload.suffix}"
    cut.write_bytes(whole[: len(whole) // 2])
    reason = refused(lambda: bench.backend.install(cut, bench.backend.inspect(cut)))
    if reason is not Reason.MALFORMED:
        raise Broken(f"an archive cut short: {reason or 'nothing said'}, not malformed package")
    if bench.listed() != before:
        raise Broken("rubbish changed what is installed")
    bench.agree("", "after an archive that was cut short")


def _failed(bench: Bench) -> None:
    archive = bench.samples.broken
    if archive is None:
        raise NotSeen("give an archive whose installation fails: --broken FILE")
    component_id = _id_of(bench, archive)
    reason = refused(lambda: bench.backend.install(archive, bench.backend.inspect(archive)))
    if reason is None:
        raise Broken("an archive that cannot be installed is said to be")
    if component_id and bench.backend.probe(component_id, "") is not Presence.ABSENT:
        raise Broken(f"a first installation that failed ({reason}) left something")


def _id_of(bench: Bench, archive: Path) -> str:
    try:
        return bench.backend.inspect(archive).id
    except InstallerError:
        return ""


def _killed(bench: Bench) -> None:
    whole_s = killing.timed(bench.install)
    killed_count = 0
    for share in _KILL_SHARES:
        for is_upgrade in (False, True):
            bench.clear()
            if is_upgrade:
                bench.install()
            killed_count += killing.kill_during(
                partial(bench.install, newer=is_upgrade), share * whole_s
            )
            _see_after_kill(bench)
            version = bench.new.version if is_upgrade else bench.old.version
            bench.install(newer=is_upgrade)
            bench.agree(version, f"installed again after a kill at {share:.0%}")
    if not killed_count:
        raise NotSeen("no program of it ran when it was to be killed")


def _see_after_kill(bench: Bench) -> None:
    """Whatever is left is called by its name: partial, or all agree on what there is."""
    found = bench.backend.probe(bench.old.id, "")
    if found is Presence.PARTIAL:
        if bench.old.id in bench.listed() or bench.backend.version(bench.old.id):
            raise Broken("what a kill left is partial, and yet listed")
    else:
        bench.agree(bench.backend.version(bench.old.id), "after a kill")


def _withdrawn(bench: Bench) -> None:
    bench.install()
    config = bench.place.root / bench.samples.config.lstrip("/")
    changed = b"# changed on the device\n"
    if bench.samples.config:
        if not config.is_file():
            raise Broken(f"{bench.samples.config} is not there once it is installed")
        config.write_bytes(config.read_bytes() + changed)
    bench.backend.withdraw(bench.old.id)
    bench.agree("", "once withdrawn")
    if bench.samples.config and not (config.is_file() and config.read_bytes().endswith(changed)):
        raise Broken("withdrawing takes the configuration away")
    bench.install()
    bench.agree(bench.old.version, "once installed again")
    bench.backend.remove(bench.old.id)
    if bench.samples.config and config.exists():
        raise Broken("removing leaves the configuration")


def _names(bench: Bench) -> None:
    before = bench.listed()
    for name in _BAD_NAMES:
        for deed in (bench.backend.remove, bench.backend.withdraw, bench.backend.version):
            refused(deed, name)
        try:
            found = bench.backend.probe(name, "")
        except InstallerError:
            continue
        if found is not Presence.ABSENT:
            raise Broken(f"{name!r:.40} is said to be {found}")
    if bench.listed() != before:
        raise Broken("a name that is none changed what is installed")


def _marked(bench: Bench) -> None:
    marks = [bench.mark()]
    for what, deed in (
        ("an installation", bench.install),
        ("an upgrade", partial(bench.install, newer=True)),
        ("a removal", bench.clear),
    ):
        deed()
        marks.append(bench.mark())
        if marks[-1] in marks[:-1]:
            raise Broken(f"the mark is the same after {what}: `watched` lacks a file")
    bench.listed()
    bench.backend.probe(bench.old.id, "")
    bench.backend.inspect(bench.samples.payload)
    if bench.mark() != marks[-1]:
        raise Broken("the mark is another one although nothing changed")


def _discerning(bench: Bench) -> None:
    backend = bench.backend
    if not isinstance(backend, Discerning):
        raise NotSeen("it does not tell what a policy asks, so that a strict policy refuses it")
    old, new = bench.old.version, bench.new.version
    if (backend.is_older(old, new), backend.is_older(new, old), backend.is_older(old, old)) != (
        True,
        False,
        False,
    ):
        raise Broken(f"which of {old} and {new} is older is told wrongly")
    bench.install()
    if backend.is_essential(bench.old.id) not in (True, False):
        raise Broken("whether it is essential is neither true nor false")
    scripts = backend.scripts(bench.samples.payload)
    if not isinstance(scripts, tuple) or not all(isinstance(each, str) for each in scripts):
        raise Broken("the names of scripts are no texts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """A row of the kit; `number` is that of docs/backends.md."""

    number: int
    name: str
    words: str
    check: Callable[[Bench], None]


DUTIES: Final = (
    Duty(number=1, name="twice", words="every verb twice ends the same", check=_twice),
    Duty(number=1, name="absent", words="what is not there is absent", check=_absent),
    Duty(number=2, name="upgrade", words="what is there is what it says", check=_upgrade),
    Duty(number=3, name="killed", words="a kill is seen and repaired", check=_killed),
    Duty(number=4, name="failed", words="a failed installation leaves nothing", check=_failed),
    Duty(number=5, name="older", words="no older version in silence", check=_older),
    Duty(number=6, name="rubbish", words="rubbish is malformed, changes nothing", check=_rubbish),
    Duty(number=8, name="names", words="names that are none do nothing", check=_names),
    Duty(number=11, name="withdrawn", words="withdrawn comes back as it was", check=_withdrawn),
    Duty(number=12, name="marked", words="the mark changes with each change", check=_marked),
    Duty(number=13, name="discerning", words="what a policy asks is told", check=_discerning),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a duty is kept: True, False, or None where nobody could look."""

    number: int
    name: str
    words: str
    is_kept: bool | None
    why: str = ""


def examine(bench: Bench, duty: Duty) -> Verdict:
    """Check one duty; whatever the backend raises is an answer."""
    is_kept: bool | None = False
    why = ""
    try:
        bench.clear()
        duty.check(bench)
        is_kept = True
    except NotSeen as reason:
        is_kept, why = None, str(reason)
    except Broken as reason:
        why = str(reason)
    except InstallerError as error:
        why = f"refused: {error.reason}: {error}"
    except Exception as error:  # noqa: BLE001 - seam: somebody else's code
        why = f"{type(error).__name__} is no InstallerError: {error}"
    return Verdict(number=duty.number, name=duty.name, words=duty.words, is_kept=is_kept, why=why)
