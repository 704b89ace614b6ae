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
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import dpkg_output, proc
from scomod.installers.base import Facts, InstalledItem, Presence, stamp
from scomod.installers.dpkg_database import Database, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scomod.clock import Clock
    from scomod.installers.dpkg_output import Row
    from scomod.installers.kinds import Place
    from scomod.settings import Dpkg

    Archive = tuple[Path, Facts]

log = logging.getLogger(__name__)

# A changed configuration file stays as the device has it; without these two dpkg
# would ask on standard input and leave the package unpacked.
_FORCES: Final = ("--force-confdef", "--force-confold")
_ESSENTIAL_FORCES: Final = ("--force-remove-essential", "--force-remove-protected")
_LOCK_POLL_S: Final = 0.25
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
        progress: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._database = Database(root.absolute())
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
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
        if facts.architecture not in ("all", native) and not self._takes(facts.architecture):
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

    def mark(self) -> str:
        """Return the mark of the package database, and of what a killed dpkg left beside it."""
        admin_dir = self._database.folder
        return f"{stamp(admin_dir / 'status')} {stamp(admin_dir / 'updates')}"

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
            done = self._dpkg("--status-fd", proc.STATUS_FD, "--install", *files, hears=hears)
            missing = self._missing(left)
            if not missing:
                return
            if done.rc >= 0 and len(missing) == len(left):
                break
            left = missing
        raise _failure(done)

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
            self._dpkg("--force-remove-reinstreq", "--remove", *kept, *fresh)
        if fresh:
            self._dpkg("--force-remove-reinstreq", "--purge", *fresh)
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
        asked = self._dpkg("--no-act", *forces, verb, *names)
        if asked.rc != 0:
            raise _failure(asked)
        for _ in range(_RUNS_AFTER_KILL):
            done = self._dpkg(*forces, verb, *names)
            now = self._database.rows_of(component_ids)
            # A purge that was killed may have left the configuration, which is no presence.
            if done.rc >= 0 or all(row.state in gone for row in now.values()):
                break
        left = [row.presence("") for row in now.values()]
        for row in rows:
            found = now.get(self._database.component_id(row))
            if found is not None and found.is_installed:
                self._dpkg("--set-selections", given=f"{row.argument} {row.want}\n")
        if any(presence is not Presence.ABSENT for presence in left):
            raise _failure(done)

    def _essential_force(self) -> tuple[str, ...]:
        return _ESSENTIAL_FORCES if self._may_remove_essential() else ()

    # -- programs --------------------------------------------------------------

    def _dpkg(
        self, *arguments: str, given: str = "", hears: Callable[[str], None] | None = None
    ) -> proc.Completed:
        """Run dpkg on the root, waiting for another one to release its lock."""
        argv = ("dpkg", *self._root_options(), *_FORCES, *arguments)
        give_up_s = self._clock.monotonic_s() + self._settings.lock_wait_s
        while True:
            done = proc.run(argv, timeout_s=self._settings.timeout_s, given=given, hears=hears)
            is_locked = done.rc > 1 and dpkg_output.reason_of(done.stderr) is Reason.BUSY
            if not is_locked or self._clock.monotonic_s() >= give_up_s:
                return done
            self._sleep(_LOCK_POLL_S)

    def _root_options(self) -> tuple[str, ...]:
        if self._database.root == Path("/"):
            return ()
        rights = () if os.geteuid() == 0 else ("--force-not-root",)
        return (f"--root={self._database.root}", "--force-script-chrootless", *rights)

    def _takes(self, architecture: str) -> bool:
        """Tell whether the device takes packages of a foreign architecture."""
        done = ask("dpkg", *self._root_options(), "--print-foreign-architectures")
        return architecture in done.stdout.split()


def _failure(done: proc.Completed) -> InstallerError:
    """Make the error of a run that did not reach its end."""
    if done.rc < 0:
        return InstallerError(Reason.INTERNAL, f"dpkg was killed by signal {-done.rc}")
    text = f"dpkg: {dpkg_output.detail_of(done.stderr)}"
    if holder := dpkg_output.lock_holder(done.stderr):
        text += f" ({_program(holder)})"
    return InstallerError(dpkg_output.reason_of(done.stderr), text)


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "gone"


def make(place: Place) -> DpkgBackend:
    """Make the backend of a device."""
    return DpkgBackend(
        root=place.root,
        settings=place.settings.dpkg,
        clock=place.clock,
        may_remove_essential=place.may_remove_essential,
        progress=place.progress,
    )
