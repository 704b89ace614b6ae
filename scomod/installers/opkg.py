"""The opkg backend: .ipk packages, with Yocto's opkg or OpenWrt's.

Success is rc 0 and the status file, read again, saying `installed` with the wanted
version (docs/backends.md has the table this follows); a removal is done when nothing
is there, whatever the exit code.  The status file is read here and not asked for:
OpenWrt's flavour takes its lock even for questions, and needs root for it.
It passes files to opkg, never names or URLs; it does not fetch and updates no feed.
"""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import debversion, ipk, opkg_output, proc
from scomod.installers.base import Facts, InstalledItem, Presence, stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.clock import Clock
    from scomod.installers.kinds import Place
    from scomod.installers.opkg_output import Row
    from scomod.settings import Opkg

log = logging.getLogger(__name__)

# Where the two flavours keep their database if nobody says otherwise.
STATUS_FILES: Final = ("usr/lib/opkg/status", "var/lib/opkg/status")
# What opkg wants to find below an offline root: the folder of its lock, and room to work.
_OFFLINE_FOLDERS: Final = ("var/lock", "tmp")
_LOCK_POLL_S: Final = 0.25
_READS_COUNT: Final = 5
_READ_AGAIN_S: Final = 0.02
_RUNS_AFTER_KILL: Final = 2


def program_of(settings: Opkg) -> str:
    """Return the program that is configured, or found on the path; "" where there is none."""
    return settings.program or shutil.which("opkg", path=proc.ENVIRONMENT["PATH"]) or ""


class OpkgBackend:
    """Installs, withdraws and removes with opkg; every verb may be called twice."""

    name = "opkg"
    environment = "ipk"

    def __init__(
        self,
        *,
        root: Path,
        settings: Opkg,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._root = root.absolute()
        self._settings = settings
        self._clock = clock
        self._sleep = sleep

    def inspect(self, payload: Path) -> Facts:
        """Read name, version and architecture of an archive of either container.

        Raises `InstallerError`: MALFORMED when it is no .ipk, UNSUPPORTED_ENV when it
        is one for another machine.
        """
        control = ipk.read_control(
            payload,
            max_control_bytes=self._settings.max_control_bytes,
            max_unpacked_bytes=self._settings.max_unpacked_bytes,
        )
        facts = opkg_output.parse_control(control)
        done = self._opkg(*self._root_options(), "print-architecture")
        if done.rc != 0:
            raise _failure(done)
        takes = opkg_output.parse_architectures(done.stdout)
        if facts.architecture not in takes:
            raise InstallerError(
                Reason.UNSUPPORTED_ENV,
                f"{facts.id} is for {facts.architecture}, this device takes"
                f" {', '.join(sorted(takes)) or 'nothing'}",
            )
        return facts

    def install(self, payload: Path, facts: Facts, *, may_downgrade: bool = False) -> None:
        """Install an archive and see that it is there.

        A first installation that fails is taken off again; a failed upgrade is left
        to the caller, who may have the earlier archive.  Raises `InstallerError`
        with the reason, POLICY for an older version that nobody allowed.
        """
        row = self._row(facts.id)
        before = self.probe(facts.id, "")
        options = self._options(row, before, facts, may_downgrade=may_downgrade)
        try:
            self._bring(facts, *options, "install", str(payload.absolute()))
        except InstallerError:
            if before is not Presence.ACTIVE and not (row and row.is_installed):
                self._clear_away(facts.id)
            raise

    def remove(self, component_id: str) -> None:
        """Take a package off with its configuration, also what a kill left of it.

        opkg keeps configuration files that were changed and has no word for deleting
        them, so that is done here.
        """
        row = self._row(component_id)
        self.withdraw(component_id)
        for name in row.conffiles if row is not None else ():
            self._delete(name)

    def withdraw(self, component_id: str) -> None:
        """Take a package off; opkg keeps the configuration files that were changed."""
        if self.probe(component_id, "") is Presence.ABSENT:
            return
        done = self._opkg(*self._root_options(), "remove", component_id)
        self._sweep_notes(component_id)
        if self.probe(component_id, "") is not Presence.ABSENT:
            raise _failure(done)
        if done.rc != 0:
            log.warning("%s is gone, but opkg says: %s", component_id, _detail(done))

    def probe(self, component_id: str, version: str) -> Presence:
        """Say what the database says; "" as version means any.

        PARTIAL is also what was killed before its stanza was written: then only the
        notes in the tool's folder tell of it, or they tell of another version.
        """
        row = self._row(component_id)
        noted = self._noted_version(component_id)
        if row is None or row.is_empty:
            return Presence.ABSENT if noted is None else Presence.PARTIAL
        if row.is_installed and noted not in (None, row.version):
            return Presence.PARTIAL
        return row.presence(version)

    def version(self, component_id: str) -> str:
        """Say which version is installed and works, "" where none does."""
        row = self._row(component_id)
        is_well = self.probe(component_id, "") is Presence.ACTIVE
        return row.version if row is not None and is_well else ""

    def units(self, component_id: str) -> tuple[str, ...]:
        """Name the services among a package's files; needs no privilege."""
        if not opkg_output.is_component_id(component_id):
            return ()
        return opkg_output.services_in(_text(self._note(component_id, "list")) or "")

    def inventory(self) -> list[InstalledItem]:
        """List what is installed and configured; needs no privilege."""
        return [
            InstalledItem(
                id=row.name, name=row.name, version=row.version, environment=self.environment
            )
            for row in self._rows().values()
            if row.is_installed
        ]

    def mark(self) -> str:
        """Return the mark of the status file."""
        return stamp(self._status_file())

    # -- changes ---------------------------------------------------------------

    def _options(
        self, row: Row | None, before: Presence, facts: Facts, *, may_downgrade: bool
    ) -> tuple[str, ...]:
        """Choose what opkg is to do although it would refuse."""
        options = []
        if row is not None and not row.is_empty:
            order = debversion.compare(facts.version, row.version)
            if order < 0 and row.is_installed and not may_downgrade:
                raise InstallerError(
                    Reason.POLICY,
                    f"{facts.id} {row.version} is newer than {facts.version} and no downgrade"
                    " is allowed",
                )
            options += ["--force-downgrade"] if order < 0 else []
            options += ["--force-reinstall"] if order == 0 else []
        if before is Presence.PARTIAL:
            # What a kill left lying about belongs to nobody, and would be in the way.
            options.append("--force-overwrite")
        if self._root != Path("/"):
            # Else no script runs, and Yocto's flavour leaves the package unpacked.
            options.append("--force-postinstall")
            for folder in _OFFLINE_FOLDERS:
                if not (self._root / folder).is_symlink():
                    (self._root / folder).mkdir(parents=True, exist_ok=True)
        return (*self._root_options(), *options)

    def _bring(self, facts: Facts, *arguments: str) -> None:
        for _ in range(_RUNS_AFTER_KILL):
            done = self._opkg(*arguments)
            now = self.probe(facts.id, facts.version)
            if done.rc == 0 and now is Presence.ACTIVE:
                return
            if done.rc >= 0:
                break
            arguments = ("--force-overwrite", "--force-reinstall", *arguments)
        raise _failure(done, is_unpacked=now is Presence.PARTIAL)

    def _clear_away(self, component_id: str) -> None:
        """Leave nothing of a package that did not work before either."""
        if self.probe(component_id, "") is Presence.ABSENT:
            return
        # Its prerm may fail as its postinst did.
        done = self._opkg(*self._root_options(), "--force-remove", "remove", component_id)
        self._sweep_notes(component_id)
        if self.probe(component_id, "") is not Presence.ABSENT:
            log.warning("%s stays half installed: %s", component_id, _detail(done))

    def _sweep_notes(self, component_id: str) -> None:
        """Delete the notes of a package of which opkg itself knows nothing (any more)."""
        row = self._row(component_id)
        if row is None or row.is_empty:
            for suffix in ("control", "list"):
                self._note(component_id, suffix).unlink(missing_ok=True)

    def _delete(self, name: str) -> None:
        """Delete a file of the device; no link on the way leads out of its root."""
        path = self._root / name.lstrip("/")
        if path.parent.resolve().is_relative_to(self._root.resolve()) and not path.is_dir():
            path.unlink(missing_ok=True)

    # -- the program -----------------------------------------------------------

    def _opkg(self, *arguments: str) -> proc.Completed:
        """Run opkg, waiting for another one to release its lock."""
        program = program_of(self._settings) or "opkg"
        give_up_s = self._clock.monotonic_s() + self._settings.lock_wait_s
        while True:
            done = proc.run((program, *arguments), timeout_s=self._settings.timeout_s)
            is_locked = done.rc != 0 and _reason(done) is Reason.BUSY
            if not is_locked or self._clock.monotonic_s() >= give_up_s:
                return done
            self._sleep(_LOCK_POLL_S)

    def _root_options(self) -> tuple[str, ...]:
        return () if self._root == Path("/") else ("--offline-root", str(self._root))

    # -- the database ----------------------------------------------------------

    def _status_file(self) -> Path:
        if self._settings.status_file:
            return self._root / self._settings.status_file.lstrip("/")
        places = [self._root / name for name in STATUS_FILES]
        return next((place for place in places if place.exists()), places[0])

    def _rows(self) -> dict[str, Row]:
        """Read the status file; opkg may be writing it, so once more if it changed meanwhile."""
        file = self._status_file()
        for _ in range(_READS_COUNT):
            before = stamp(file)
            text = _text(file) or ""
            if stamp(file) == before:
                break
            self._sleep(_READ_AGAIN_S)
        return opkg_output.parse_status(text)

    def _row(self, component_id: str) -> Row | None:
        if not opkg_output.is_component_id(component_id):
            raise InstallerError(Reason.POLICY, f"no package can be called {component_id!r:.80}")
        return self._rows().get(component_id)

    def _note(self, component_id: str, suffix: str) -> Path:
        return self._status_file().parent / "info" / f"{component_id}.{suffix}"

    def _noted_version(self, component_id: str) -> str | None:
        """Read the version of the control file that opkg put into its folder."""
        text = _text(self._note(component_id, "control"))
        if text is None:
            return None
        try:
            return opkg_output.parse_control(text).version
        except InstallerError:
            return ""


def _text(file: Path) -> str | None:
    try:
        return file.read_text("utf-8", "replace")
    except FileNotFoundError:
        return None


def _reason(done: proc.Completed) -> Reason:
    return opkg_output.reason_of(done.stdout, done.stderr)


def _detail(done: proc.Completed) -> str:
    return opkg_output.detail_of(done.stdout, done.stderr)


def _failure(done: proc.Completed, *, is_unpacked: bool = False) -> InstallerError:
    """Make the error of a run that did not reach its end; its exit code may say that it did."""
    if done.rc < 0:
        return InstallerError(Reason.INTERNAL, f"opkg was killed by signal {-done.rc}")
    reason = _reason(done)
    if reason is Reason.INTERNAL and is_unpacked:
        # Yocto's flavour, told to run scripts below an offline root, says nothing and 0.
        reason = Reason.SCRIPT_FAILED
    return InstallerError(reason, f"opkg ({done.rc}): {_detail(done)}")


def make(place: Place) -> OpkgBackend | None:
    """Make the backend of a device; None where there is no opkg."""
    if not program_of(place.settings.opkg):
        return None
    return OpkgBackend(root=place.root, settings=place.settings.opkg, clock=place.clock)
