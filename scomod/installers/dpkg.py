# SPDX-License-Identifier: Apache-2.0
"""The dpkg backend: Debian packages on the device or in a scratch root.

Success is never an exit code: it is the package database, read again, saying
`installed` with the wanted version (docs/backends.md has the table this follows).
What a killed dpkg leaves behind is healed by installing the archive again, never
by `dpkg --configure -a`, which repairs none of it and says 0.
Several archives go through one run, so that they may need each other in any order.
It does not fetch and knows no repository: what may is `apt`, where that is wished.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import dpkg_output, proc
from scomod.installers.base import Facts, InstalledItem, Presence
from scomod.installers.dpkg_database import Database, ask
from scomod.installers.dpkg_tool import FORCES, Tool, failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from scomod.clock import Clock
    from scomod.installers.dpkg_output import Row
    from scomod.installers.kinds import Place
    from scomod.settings import Dpkg

    Archive = tuple[Path, Facts]

log = logging.getLogger(__name__)

_ESSENTIAL_FORCES: Final = ("--force-remove-essential", "--force-remove-protected")
_RUNS_AFTER_KILL: Final = 2
_REMOVALS: Final = {"purge": "--purge", "keep": "--remove"}


class DpkgBackend:
    """Installs, withdraws and removes with dpkg; every verb may be called twice."""

    name = "dpkg"
    environment = "deb"

    def __init__(
        self,
        *,
        root: Path,
        settings: Dpkg,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
        may_remove_essential: Callable[[], bool] = lambda: False,
        may_use_network: Callable[[], bool] = lambda: False,
        progress: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._database = Database(root.absolute())
        self._tool = Tool(root=root.absolute(), settings=settings, clock=clock, sleep=sleep)
        self._settings = settings
        self._may_use_network = may_use_network
        self._may_remove_essential = may_remove_essential
        self._progress = progress

    def inspect(self, payload: Path) -> Facts:
        """Read name, version and architecture of an archive.

        Raises `InstallerError`: MALFORMED when it is no Debian package,
        UNSUPPORTED_ENV when it is one for another machine.
        """
        done = ask("dpkg-deb", "-f", str(payload.absolute()), *dpkg_output.FACT_FIELDS)
        if done.rc != 0:
            raise InstallerError(Reason.MALFORMED, dpkg_output.detail_of(done.stderr))
        native = self._database.native
        facts = dpkg_output.parse_fields(done.stdout, native)
        if facts.architecture not in ("all", native) and not self._tool.takes(facts.architecture):
            raise InstallerError(
                Reason.UNSUPPORTED_ENV,
                f"{facts.id} is for {facts.architecture}, this device is {native}",
            )
        return facts

    def install(self, payload: Path, facts: Facts, *, may_downgrade: bool = False) -> None:
        """Install an archive and see that it is there, as `install_all`."""
        self.install_all([(payload, facts)], may_downgrade=may_downgrade)

    def install_all(self, archives: Sequence[Archive], *, may_downgrade: bool) -> None:
        """Install archives that may need each other, and see that all of them are there.

        Of those that fail, a first installation is taken off again; a failed upgrade is
        left to the caller, who may have the earlier archive, and so are those that came
        through.  Raises `InstallerError` with the reason, POLICY for an older version
        that nobody allowed.
        """
        self._database.make()
        ids = [facts.id for _, facts in archives]
        before = self._database.rows_of(ids)
        for _, facts in archives:
            self._check_direction(before.get(facts.id), facts, may_downgrade=may_downgrade)
        try:
            self._bring(archives)
        except InstallerError:
            self._clear_away(ids, before)
            raise

    def remove(self, component_id: str) -> None:
        """Take a package off, and its configuration as the settings say; what a kill left too."""
        self._take_off([component_id], _REMOVALS[self._settings.remove])

    def withdraw(self, component_id: str) -> None:
        """Take a package off and keep its configuration."""
        self._take_off([component_id], "--remove")

    def withdraw_all(self, component_ids: Sequence[str]) -> None:
        """Take packages off that may need each other, and keep their configuration."""
        self._take_off(component_ids, "--remove")

    def probe(self, component_id: str, version: str) -> Presence:
        """Say what the database says; "" as version means any."""
        row = self._database.row(component_id)
        return Presence.ABSENT if row is None else row.presence(version)

    def version(self, component_id: str) -> str:
        """Say which version is installed and works, "" where none does."""
        row = self._database.row(component_id)
        return row.version if row is not None and row.is_installed else ""

    def units(self, component_id: str) -> tuple[str, ...]:
        """Name the services among a package's files; needs no privilege."""
        return self._database.units(component_id)

    def inventory(self) -> list[InstalledItem]:
        """List what is installed and usable; needs no privilege."""
        return [
            InstalledItem(
                id=self._database.component_id(row),
                name=row.name,
                version=row.version,
                environment=self.environment,
                description=row.summary,
            )
            for row in self._database.rows()
            if row.is_installed
        ]

    # -- what a policy asks ------------------------------------------------------

    def is_older(self, version: str, than: str) -> bool:
        """Tell whether one version is older than another."""
        return ask("dpkg", "--compare-versions", version, "lt", than).rc == 0

    def is_essential(self, component_id: str) -> bool:
        """Tell whether dpkg would refuse to remove an installed package."""
        row = self._database.row(component_id)
        return row is not None and self._database.is_essential(row)

    def scripts(self, archive: Path) -> tuple[str, ...]:
        """Name the maintainer scripts of an archive; raises `InstallerError(MALFORMED)`."""
        done = ask("dpkg-deb", "-I", str(archive.absolute()))
        if done.rc != 0 or done.is_truncated:
            text = dpkg_output.detail_of(done.stderr) or "its description is too long to be read"
            raise InstallerError(Reason.MALFORMED, text)
        return dpkg_output.scripts_in(done.stdout)

    # -- without us --------------------------------------------------------------

    def owner_of(self, file: Path) -> str:
        """Name the installed package that has a file, "" where none has."""
        return self._database.owner_of(file)

    def repack(self, component_id: str, target: Path) -> None:
        """Make an archive of what is installed; raises `InstallerError(NOT_PRESENT)`."""
        from scomod.installers import dpkg_repack  # noqa: PLC0415 - for upgrades of ourselves

        dpkg_repack.repack(self._database, component_id, target)

    def restoring(self, archive: Path) -> tuple[str, ...]:
        """Give the program that installs an archive, also over a newer or a broken one."""
        return ("dpkg", *self._tool.options(), *FORCES, "--install", str(archive))

    def showing(self, component_id: str) -> tuple[str, ...]:
        """Give the program that prints state and version."""
        folder = f"--admindir={self._database.folder}"
        return ("dpkg-query", folder, "-W", "-f", "${Status} ${Version}\n", component_id)

    # -- changes ---------------------------------------------------------------

    def _check_direction(self, before: Row | None, facts: Facts, *, may_downgrade: bool) -> None:
        """Refuse what dpkg does with a mere warning: an older version over a newer one."""
        if before is None or not before.is_installed:
            return
        is_older = self.is_older(facts.version, before.version)
        if is_older and not may_downgrade:
            raise InstallerError(
                Reason.POLICY,
                f"{facts.id} {before.version} is newer than {facts.version} and no downgrade"
                " is allowed",
            )
        if is_older:
            log.info("downgrading %s from %s to %s", facts.id, before.version, facts.version)

    def _bring(self, archives: Sequence[Archive]) -> None:
        """Run dpkg until all archives are installed, or a run brings none nearer to that.

        One run sees to the order of what needs each other once it is unpacked; what must
        be there before (Pre-Depends, Breaks) is, for the next one.  So is what a kill left.
        """
        hears = self._hearing(archives)
        left = list(archives)
        for _ in range(len(archives) + 1):
            files = [str(payload.absolute()) for payload, _ in left]
            done = self._tool.run("--status-fd", proc.STATUS_FD, "--install", *files, hears=hears)
            missing = self._missing(left)
            if not missing:
                return
            if done.rc >= 0 and len(missing) == len(left):
                break
            left = missing
        error = failure(done)
        if error.reason is Reason.DEPENDENCY and self._settings.resolve == "apt":
            error = self._resolve([payload for payload, _ in left])
            if not self._missing(archives):
                return
        raise error

    def _resolve(self, payloads: Sequence[Path]) -> InstallerError:
        """Let apt bring what archives lack; gives the error that holds if it did not."""
        from scomod.installers.apt import Apt  # noqa: PLC0415 - few devices let it

        apt = Apt(
            root=self._database.root,
            settings=self._settings,
            dpkg_options=(*self._tool.options(), *FORCES),
            may_use_network=self._may_use_network,
        )
        return apt.bring(payloads)

    def _missing(self, archives: Sequence[Archive]) -> list[Archive]:
        rows = self._database.rows_of([facts.id for _, facts in archives])
        return [
            (payload, facts)
            for payload, facts in archives
            if facts.id not in rows or rows[facts.id].presence(facts.version) is not Presence.ACTIVE
        ]

    def _hearing(self, archives: Sequence[Archive]) -> Callable[[str], None]:
        """Make what hears dpkg's status lines and tells how much of the archives is done."""
        shares: Mapping[str, float] = {facts.id.partition(":")[0]: 0.0 for _, facts in archives}

        def hear(line: str) -> None:
            nonlocal shares
            shares = dpkg_output.advanced(shares, line)
            self._progress(sum(shares.values()) / len(shares))

        return hear

    def _clear_away(self, component_ids: Sequence[str], before: Mapping[str, Row]) -> None:
        """Leave nothing half installed of packages that did not work before either.

        One that was configured before is an upgrade: its files are all that is left
        of a working system package, so they stay for the caller to repair.
        """
        kept: list[str] = []
        fresh: list[str] = []
        for component_id, row in self._database.rows_of(component_ids).items():
            was = before.get(component_id)
            if row.presence("") is not Presence.PARTIAL or (was is not None and was.has_worked):
                continue
            has_configuration = was is not None and was.state == "config-files"
            (kept if has_configuration else fresh).append(row.argument)
        if kept:
            # All in one run, as they may need each other; the second run only purges then.
            self._tool.run("--force-remove-reinstreq", "--remove", *kept, *fresh)
        if fresh:
            self._tool.run("--force-remove-reinstreq", "--purge", *fresh)
        for row in self._database.rows(*kept, *fresh) if kept or fresh else ():
            if row.presence("") is not Presence.ABSENT:
                log.warning("%s stays half installed", row.argument)

    def _take_off(self, component_ids: Sequence[str], verb: str) -> None:
        gone = {"not-installed"} if verb == "--purge" else {"not-installed", "config-files"}
        rows = [
            row for row in self._database.rows_of(component_ids).values() if row.state not in gone
        ]
        if not rows:
            return
        # A refused removal would leave `deinstall` behind as the wanted state, for
        # the next apt run to carry out; so ask first without doing, and what fails
        # in the doing is wanted again as it was.
        forces = ("--force-remove-reinstreq", *self._essential_force())
        names = [row.argument for row in rows]
        asked = self._tool.run("--no-act", *forces, verb, *names)
        if asked.rc != 0:
            raise failure(asked)
        for _ in range(_RUNS_AFTER_KILL):
            done = self._tool.run(*forces, verb, *names)
            now = self._database.rows_of(component_ids)
            # A purge that was killed may have left the configuration, which is no presence.
            if done.rc >= 0 or all(row.state in gone for row in now.values()):
                break
        left = [row.presence("") for row in now.values()]
        for row in rows:
            found = now.get(self._database.component_id(row))
            if found is not None and found.is_installed:
                self._tool.run("--set-selections", given=f"{row.argument} {row.want}\n")
        if any(presence is not Presence.ABSENT for presence in left):
            raise failure(done)

    def _essential_force(self) -> tuple[str, ...]:
        return _ESSENTIAL_FORCES if self._may_remove_essential() else ()


def make(place: Place) -> DpkgBackend:
    """Make the backend of a device."""
    return DpkgBackend(
        root=place.root,
        settings=place.settings.dpkg,
        clock=place.clock,
        may_remove_essential=place.may_remove_essential,
        may_use_network=place.may_use_network,
        progress=place.progress,
    )
