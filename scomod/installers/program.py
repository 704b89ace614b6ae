# SPDX-License-Identifier: Apache-2.0
"""A backend that is a program: `NAME VERB ARGUMENTS`, one JSON object on standard output.

Not the words of its answers (`answers.py`) nor where it is found (`thirdparty.py`).
The program is trusted to change the device, not to be right: what it says is checked,
and what it did is looked at again, so that a wrong word ends the order with a reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import answers, proc
from scomod.installers.base import Presence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from scomod.installers.base import Facts, InstalledItem
    from scomod.settings import Program

MAY_DOWNGRADE: Final = "--may-downgrade"
_SAID_WELL: Final = 0
_SAID_WHY_NOT: Final = 1


class ProgramBackend:
    """Asks a program; whatever it does wrong is an `InstallerError` with a reason."""

    def __init__(
        self, *, name: str, environment: str, program: Path, root: Path, settings: Program
    ) -> None:
        self.name = name
        self.environment = environment
        self._program = program
        self._settings = settings
        self._env = {**proc.ENVIRONMENT, "SCOMOD_ROOT": str(root.absolute())}

    def inspect(self, payload: Path) -> Facts:
        """Read an archive; raises `InstallerError(MALFORMED)` or `(UNSUPPORTED_ENV)`."""
        return answers.facts(self._ask("inspect", str(payload.absolute())))

    def install(self, payload: Path, facts: Facts, *, may_downgrade: bool = False) -> None:
        """Install an archive and see that it is there."""
        leave = (MAY_DOWNGRADE,) if may_downgrade else ()
        self._change("install", str(payload.absolute()), *leave)
        self._expect(facts.id, facts.version, Presence.ACTIVE)

    def remove(self, component_id: str) -> None:
        """Take the software off, its configuration too."""
        self._change("remove", _named(component_id))
        self._expect(component_id, "", Presence.ABSENT)

    def withdraw(self, component_id: str) -> None:
        """Take the software off, keep its configuration."""
        self._change("withdraw", _named(component_id))
        self._expect(component_id, "", Presence.ABSENT)

    def probe(self, component_id: str, version: str) -> Presence:
        """Say what is really there; "" as version means any."""
        return answers.presence(self._ask("probe", _named(component_id), version))

    def version(self, component_id: str) -> str:
        """Say which version is installed and works, "" where none does."""
        return answers.version(self._ask("version", _named(component_id)))

    def units(self, component_id: str) -> tuple[str, ...]:
        """Name the services that an installed component brought."""
        return answers.units(self._ask("units", _named(component_id)))

    def inventory(self) -> list[InstalledItem]:
        """List what is installed and works."""
        return answers.items(
            self._ask("inventory"), self.environment, self._settings.max_items_count
        )

    def _expect(self, component_id: str, version: str, wanted: Presence) -> None:
        found = self.probe(component_id, version)
        if found is not wanted:
            raise InstallerError(
                Reason.INTERNAL, f"{self.name} says it is done, but {component_id} is {found}"
            )

    def _change(self, *arguments: str) -> None:
        self._run(self._settings.timeout_s, *arguments)

    def _ask(self, *arguments: str) -> dict[str, Any]:
        return self._run(self._settings.query_timeout_s, *arguments)

    def _run(self, timeout_s: float, *arguments: str) -> dict[str, Any]:
        done = proc.run(
            (str(self._program), *arguments),
            timeout_s=timeout_s,
            env=self._env,
            kept_bytes=self._settings.max_output_bytes,
        )
        if done.is_truncated:
            raise answers.wrong(f"more than {self._settings.max_output_bytes} octets")
        if done.rc not in (_SAID_WELL, _SAID_WHY_NOT):
            how = f"killed by signal {-done.rc}" if done.rc < 0 else f"ended with {done.rc}"
            raise InstallerError(Reason.INTERNAL, f"{self.name} {arguments[0]} {how}")
        said = answers.table(done.stdout)
        if done.rc == _SAID_WHY_NOT:
            last = done.stderr.strip().rpartition("\n")[2]
            raise answers.failure(said, f"{self.name} {arguments[0]} failed: {last}")
        return said


class _Discerning(ProgramBackend):
    """One that tells what a policy asks."""

    def is_older(self, version: str, than: str) -> bool:
        """Tell whether one version is older than another."""
        return answers.yes_or_no(self._ask("is-older", version, than))

    def is_essential(self, component_id: str) -> bool:
        """Tell whether the system does not work without an installed component."""
        return answers.yes_or_no(self._ask("is-essential", _named(component_id)))

    def scripts(self, archive: Path) -> tuple[str, ...]:
        """Name the scripts that an archive would run with our rights."""
        return answers.scripts(self._ask("scripts", str(archive.absolute())))


class _Attending(ProgramBackend):
    """One that starts and stops its software itself."""

    def start(self, component_id: str) -> None:
        """Start an installed component."""
        self._change("start", _named(component_id))

    def stop(self, component_id: str) -> None:
        """Stop all that runs of it."""
        self._change("stop", _named(component_id))


class _Preparing(ProgramBackend):
    """One that fetches what its archives only name."""

    def prepare(self, payload: Path, facts: Facts) -> None:
        """Fetch what an archive names and deploy nothing."""
        del facts
        self._change("prepare", str(payload.absolute()))


_CLASSES: Final[Mapping[str, type[ProgramBackend]]] = {
    "discerning": _Discerning,
    "attending": _Attending,
    "preparing": _Preparing,
}


def with_abilities(words: Iterable[str]) -> type[ProgramBackend]:
    """Return the class that has what a declaration says the program can besides."""
    bases = tuple(_CLASSES[word] for word in sorted(set(words)))
    return type("ProgramBackend", bases or (ProgramBackend,), {})


def _named(component_id: str) -> str:
    if not answers.COMPONENT.fullmatch(component_id):
        raise InstallerError(Reason.POLICY, f"no component can be called {component_id!r:.80}")
    return component_id
