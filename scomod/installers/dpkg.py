"""The dpkg backend: Debian packages on the device or in a scratch root.

Success is never an exit code: it is the package database, read again, saying
`installed` with the wanted version (docs/backends.md has the table this follows).
What a killed dpkg leaves behind is healed by installing the archive again, never
by `dpkg --configure -a`, which repairs none of it and says 0.
It does not fetch, does not resolve dependencies and knows no repository.
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

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.clock import Clock
    from scomod.installers.dpkg_output import Row
    from scomod.settings import Dpkg

log = logging.getLogger(__name__)

ADMIN_DIR: Final = "var/lib/dpkg"
_ADMIN_FOLDERS: Final = ("info", "updates", "triggers", "parts")
_ADMIN_FILES: Final = ("status", "available")
# A changed configuration file stays as the device has it; without these two dpkg
# would ask on standard input and leave the package unpacked.
_FORCES: Final = ("--force-confdef", "--force-confold")
_ESSENTIAL_FORCES: Final = ("--force-remove-essential", "--force-remove-protected")
_QUERY_TIMEOUT_S: Final = 60.0
_LOCK_POLL_S: Final = 0.25
_RUNS_AFTER_KILL: Final = 2


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
    ) -> None:
        self._root = root.absolute()
        self._timeout_s = settings.timeout_s
        self._lock_wait_s = settings.lock_wait_s
        self._clock = clock
        self._sleep = sleep
        self._may_remove_essential = may_remove_essential
        self._native_architecture = ""

    def inspect(self, payload: Path) -> Facts:
        """Read name, version and architecture of an archive.

        Raises `InstallerError`: MALFORMED when it is no Debian package,
        UNSUPPORTED_ENV when it is one for another machine.
        """
        done = self._ask("dpkg-deb", "-f", str(payload.absolute()), *dpkg_output.FACT_FIELDS)
        if done.rc != 0:
            raise InstallerError(Reason.MALFORMED, dpkg_output.detail_of(done.stderr))
        native = self._native()
        facts = dpkg_output.parse_fields(done.stdout, native)
        if facts.architecture not in ("all", native) and not self._takes(facts.architecture):
            raise InstallerError(
                Reason.UNSUPPORTED_ENV,
                f"{facts.id} is for {facts.architecture}, this device is {native}",
            )
        return facts

    def install(self, payload: Path, facts: Facts, *, may_downgrade: bool = False) -> None:
        """Install an archive and see that it is there.

        A first installation that fails is taken off again; a failed upgrade is left
        to the caller, who may have the earlier archive.  Raises `InstallerError`
        with the reason, POLICY for an older version that nobody allowed.
        """
        self._make_admin_dir()
        before = self._row(facts.id)
        if before is not None and before.is_installed:
            self._check_direction(before, facts, may_downgrade=may_downgrade)
        try:
            self._change(facts, "--install", str(payload.absolute()))
        except InstallerError:
            self._clear_away(facts.id, before)
            raise

    def remove(self, component_id: str) -> None:
        """Take a package off with its configuration; also what a kill left of it."""
        self._take_off(component_id, "--purge")

    def withdraw(self, component_id: str) -> None:
        """Take a package off and keep its configuration."""
        self._take_off(component_id, "--remove")

    def probe(self, component_id: str, version: str) -> Presence:
        """Say what the database says; "" as version means any."""
        row = self._row(component_id)
        return Presence.ABSENT if row is None else row.presence(version)

    def version(self, component_id: str) -> str:
        """Say which version is installed and works, "" where none does."""
        row = self._row(component_id)
        return row.version if row is not None and row.is_installed else ""

    def units(self, component_id: str) -> tuple[str, ...]:
        """Name the services among a package's files; needs no privilege."""
        if not dpkg_output.is_component_id(component_id):
            return ()
        admin_dir = self._root / ADMIN_DIR
        done = self._ask("dpkg-query", f"--admindir={admin_dir}", "-L", component_id)
        return dpkg_output.services_in(done.stdout)

    def inventory(self) -> list[InstalledItem]:
        """List what is installed and usable; needs no privilege."""
        rows = [row for row in self._query() if row.is_installed]
        native = self._native() if rows else ""
        return [
            InstalledItem(
                id=dpkg_output.component_id(row.name, row.architecture, native),
                name=row.name,
                version=row.version,
                environment=self.environment,
                description=row.summary,
            )
            for row in rows
        ]

    def mark(self) -> str:
        """Return the mark of the package database, and of what a killed dpkg left beside it."""
        admin_dir = self._root / ADMIN_DIR
        return f"{stamp(admin_dir / 'status')} {stamp(admin_dir / 'updates')}"

    # -- what a policy asks ------------------------------------------------------

    def is_older(self, version: str, than: str) -> bool:
        """Tell whether one version is older than another."""
        return self._ask("dpkg", "--compare-versions", version, "lt", than).rc == 0

    def is_essential(self, component_id: str) -> bool:
        """Tell whether dpkg would refuse to remove an installed package."""
        row = self._row(component_id)
        if row is None:
            return False
        admin_dir = f"--admindir={self._root / ADMIN_DIR}"
        done = self._ask(
            "dpkg-query", admin_dir, "-W", "-f", dpkg_output.ESSENTIAL_FORMAT, row.argument
        )
        return "yes" in done.stdout.split()

    def scripts(self, archive: Path) -> tuple[str, ...]:
        """Name the maintainer scripts of an archive; raises `InstallerError(MALFORMED)`."""
        done = self._ask("dpkg-deb", "-I", str(archive.absolute()))
        if done.rc != 0 or done.is_truncated:
            text = dpkg_output.detail_of(done.stderr) or "its description is too long to be read"
            raise InstallerError(Reason.MALFORMED, text)
        return dpkg_output.scripts_in(done.stdout)

    # -- changes ---------------------------------------------------------------

    def _check_direction(self, before: Row, facts: Facts, *, may_downgrade: bool) -> None:
        """Refuse what dpkg does with a mere warning: an older version over a newer one."""
        is_older = self.is_older(facts.version, before.version)
        if is_older and not may_downgrade:
            raise InstallerError(
                Reason.POLICY,
                f"{facts.id} {before.version} is newer than {facts.version} and no downgrade"
                " is allowed",
            )
        if is_older:
            log.info("downgrading %s from %s to %s", facts.id, before.version, facts.version)

    def _change(self, facts: Facts, *arguments: str) -> None:
        for _ in range(_RUNS_AFTER_KILL):
            done = self._dpkg(*arguments)
            if self.probe(facts.id, facts.version) is Presence.ACTIVE:
                return
            if done.rc >= 0:
                break
        raise _failure(done)

    def _clear_away(self, component_id: str, before: Row | None) -> None:
        """Leave nothing half installed of a package that did not work before either.

        One that was configured before is an upgrade: its files are all that is left
        of a working system package, so they stay for the caller to repair.
        """
        keeps = before is not None and before.state == "config-files"
        worked = before is not None and bool(before.is_installed or before.config_version)
        row = self._row(component_id)
        if (worked and not keeps) or row is None or row.presence("") is not Presence.PARTIAL:
            return
        verb = "--remove" if keeps else "--purge"
        done = self._dpkg("--force-remove-reinstreq", verb, row.argument)
        if self.probe(component_id, "") is not Presence.ABSENT:
            log.warning(
                "%s stays half installed: %s", component_id, dpkg_output.detail_of(done.stderr)
            )

    def _take_off(self, component_id: str, verb: str) -> None:
        row = self._row(component_id)
        if row is None or row.state == "not-installed":
            return
        if row.state == "config-files" and verb == "--remove":
            return
        # A refused removal would leave `deinstall` behind as the wanted state, for
        # the next apt run to carry out; so ask first without doing, and what fails
        # in the doing is wanted again as it was.
        forces = ("--force-remove-reinstreq", *self._essential_force())
        asked = self._dpkg("--no-act", *forces, verb, row.argument)
        if asked.rc != 0:
            raise _failure(asked)
        done = self._dpkg(*forces, verb, row.argument)
        now = self.probe(component_id, "")
        if now is Presence.ACTIVE:
            self._dpkg("--set-selections", given=f"{row.argument} {row.want}\n")
        if now is not Presence.ABSENT:
            raise _failure(done)

    def _essential_force(self) -> tuple[str, ...]:
        return _ESSENTIAL_FORCES if self._may_remove_essential() else ()

    # -- programs --------------------------------------------------------------

    def _dpkg(self, *arguments: str, given: str = "") -> proc.Completed:
        """Run dpkg on the root, waiting for another one to release its lock."""
        argv = ("dpkg", *self._root_options(), *_FORCES, *arguments)
        give_up_s = self._clock.monotonic_s() + self._lock_wait_s
        while True:
            done = proc.run(argv, timeout_s=self._timeout_s, given=given)
            is_locked = done.rc > 1 and dpkg_output.reason_of(done.stderr) is Reason.BUSY
            if not is_locked or self._clock.monotonic_s() >= give_up_s:
                return done
            self._sleep(_LOCK_POLL_S)

    def _root_options(self) -> tuple[str, ...]:
        if self._root == Path("/"):
            return ()
        rights = () if os.geteuid() == 0 else ("--force-not-root",)
        return (f"--root={self._root}", "--force-script-chrootless", *rights)

    def _query(self, *names: str) -> list[Row]:
        """Read the database; a name that it does not know gives no row."""
        admin_dir = self._root / ADMIN_DIR
        if not (admin_dir / "status").exists():
            return []
        done = self._ask(
            "dpkg-query", f"--admindir={admin_dir}", "-W", "-f", dpkg_output.QUERY_FORMAT, *names
        )
        if done.is_truncated or done.rc > 1 or done.rc < 0:
            raise InstallerError(
                Reason.INTERNAL,
                f"the package database cannot be read: {dpkg_output.detail_of(done.stderr)}",
            )
        return dpkg_output.parse_query(done.stdout)

    def _row(self, component_id: str) -> Row | None:
        if not dpkg_output.is_component_id(component_id):
            raise InstallerError(Reason.POLICY, f"no package can be called {component_id!r:.80}")
        for row in self._query(component_id):
            if component_id == dpkg_output.component_id(row.name, row.architecture, self._native()):
                return row
        return None

    def _native(self) -> str:
        """Name the machine's own architecture; it does not change."""
        if not self._native_architecture:
            done = self._ask("dpkg", "--print-architecture")
            self._native_architecture = done.stdout.strip()
        return self._native_architecture

    def _takes(self, architecture: str) -> bool:
        """Tell whether the device takes packages of a foreign architecture."""
        done = self._ask("dpkg", *self._root_options(), "--print-foreign-architectures")
        return architecture in done.stdout.split()

    def _ask(self, *argv: str) -> proc.Completed:
        return proc.run(argv, timeout_s=_QUERY_TIMEOUT_S)

    def _make_admin_dir(self) -> None:
        """Give a scratch root the empty database that dpkg wants to find."""
        if self._root == Path("/"):
            return
        admin_dir = self._root / ADMIN_DIR
        for folder in _ADMIN_FOLDERS:
            (admin_dir / folder).mkdir(parents=True, exist_ok=True)
        for file in _ADMIN_FILES:
            (admin_dir / file).touch()


def _failure(done: proc.Completed) -> InstallerError:
    """Make the error of a run that did not reach its end."""
    if done.rc < 0:
        return InstallerError(Reason.INTERNAL, f"dpkg was killed by signal {-done.rc}")
    return InstallerError(
        dpkg_output.reason_of(done.stderr), f"dpkg: {dpkg_output.detail_of(done.stderr)}"
    )
