# SPDX-License-Identifier: Apache-2.0
"""The opkg backend: .ipk packages, with Yocto's opkg or OpenWrt's.

Success is rc 0, no complaint about files, the status file, read again, saying
`installed` with the wanted version, and no file shorter than in the archive
(docs/backends.md has the table this follows); a removal is done when nothing
is there, whatever the exit code.  The status file is read here and not asked for:
OpenWrt's flavour takes its lock even for questions, and needs root for it.
It passes files to opkg, never names or URLs; what opkg may take from feeds besides
is said in `opkg_configuration`, what a kill leaves behind in `opkg_database`.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import debversion, ipk, opkg_output, proc
from scomod.installers.base import Facts, InstalledItem, Presence
from scomod.installers.opkg_configuration import Configuration
from scomod.installers.opkg_database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from scomod.clock import Clock
    from scomod.installers.kinds import Place
    from scomod.installers.opkg_output import Row
    from scomod.settings import Opkg

log = logging.getLogger(__name__)

# What opkg wants to find below an offline root: the folder of its lock, and room to work.
_OFFLINE_FOLDERS: Final = ("var/lock", "tmp")
_LOCK_POLL_S: Final = 0.25
_RUNS_AFTER_KILL: Final = 2
# A wrapper around opkg tells of a signal as a shell does: 128 and its number.
_SIGNALS_BY_SHELL: Final = range(129, 193)


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
        may_remove_essential: Callable[[], bool] = lambda: False,
        may_use_network: Callable[[], bool] = lambda: False,
    ) -> None:
        self._root = root.absolute()
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        self._may_remove_essential = may_remove_essential
        self._database = Database(root=self._root, status_file=settings.status_file, sleep=sleep)
        self._configuration = Configuration(
            root=self._root, feeds=settings.feeds, may_use_network=may_use_network
        )

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
        takes = self._architectures()
        if facts.architecture not in takes:
            raise InstallerError(
                Reason.UNSUPPORTED_ENV,
                f"{facts.id} is for {facts.architecture}, this device takes"
                f" {', '.join(sorted(takes)) or 'nothing'}",
            )
        return facts

    def install(self, payload: Path, facts: Facts, *, may_downgrade: bool = False) -> None:
        """Install an archive and see that it is there.

        A first installation that fails is taken off again, with what came from feeds
        for it; a failed upgrade is left to the caller, who may have the earlier archive.
        Raises `InstallerError` with the reason, POLICY for an older version that
        nobody allowed.
        """
        sizes = self._sizes(payload)
        row = self._database.row(facts.id)
        before = self.probe(facts.id, "")
        others = self._database.rows().keys() - {facts.id}
        options = self._options(row, before, facts, may_downgrade=may_downgrade)
        words = (*options, "install", str(payload.absolute()))
        self._resolve(facts, words)
        try:
            self._bring(facts, sizes, words)
        except InstallerError:
            if before is not Presence.ACTIVE and not (row and row.is_installed):
                self._clear_away(facts.id)
            for name in self._database.rows().keys() - others - {facts.id}:
                self._clear_away(name)
            raise

    def remove(self, component_id: str) -> None:
        """Take a package off with its configuration, also what a kill left of it.

        opkg keeps configuration files that were changed and has no word for deleting
        them, so that is done here.
        """
        row = self._database.row(component_id)
        self.withdraw(component_id)
        self._delete(row.conffiles if row is not None else ())

    def withdraw(self, component_id: str) -> None:
        """Take a package off; opkg keeps the configuration files that were changed."""
        if self.probe(component_id, "") is Presence.ABSENT:
            return
        essential = ("--force-removal-of-essential-packages",)
        options = essential if self._may_remove_essential() else ()
        for _ in range(_RUNS_AFTER_KILL):
            done = self._take_off(component_id, *options)
            if not _was_killed(done):
                break
        if self.probe(component_id, "") is not Presence.ABSENT:
            raise _failure(done)
        if done.rc != 0:
            log.warning("%s is gone, but opkg says: %s", component_id, _detail(done))

    def probe(self, component_id: str, version: str) -> Presence:
        """Say what the database says; "" as version means any.

        PARTIAL is also what an opkg that was killed was working on, whatever the
        database says of it.
        """
        return self._database.presence(component_id, version)

    def version(self, component_id: str) -> str:
        """Say which version is installed and works, "" where none does."""
        row = self._database.row(component_id)
        is_well = self.probe(component_id, "") is Presence.ACTIVE
        return row.version if row is not None and is_well else ""

    def units(self, component_id: str) -> tuple[str, ...]:
        """Name the services among a package's files; needs no privilege."""
        if not opkg_output.is_component_id(component_id):
            return ()
        return opkg_output.services_in(self._database.text_of(component_id, "list") or "")

    def inventory(self) -> list[InstalledItem]:
        """List what is installed and configured; needs no privilege."""
        return [
            InstalledItem(
                id=row.name, name=row.name, version=row.version, environment=self.environment
            )
            for row in self._database.working()
        ]

    # -- what a policy asks ------------------------------------------------------

    def is_older(self, version: str, than: str) -> bool:
        """Tell whether one version is older than another; opkg orders them as dpkg does."""
        return debversion.compare(version, than) < 0

    def is_essential(self, component_id: str) -> bool:
        """Tell whether the status file or the control file says that the system needs it."""
        row = self._database.row(component_id)
        control = self._database.text_of(component_id, "control") or ""
        return (row is not None and row.is_essential) or opkg_output.is_essential(control)

    def scripts(self, archive: Path) -> tuple[str, ...]:
        """Name the maintainer scripts of an archive; raises `InstallerError(MALFORMED)`."""
        return ipk.script_names(
            archive,
            max_control_bytes=self._settings.max_control_bytes,
            max_unpacked_bytes=self._settings.max_unpacked_bytes,
        )

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

    def _resolve(self, facts: Facts, words: tuple[str, ...]) -> None:
        """Let opkg say what it would bring besides, and see whether it may."""
        if not self._configuration.addresses():
            return
        asked = self._opkg("--noaction", *words)
        if _reason(asked) is Reason.DEPENDENCY and self._settings.feeds == "update":
            self._configuration.allow(facts.id, frozenset())
            update = (*self._root_options(), "update")
            done = self._opkg(*update, timeout_s=self._settings.update_timeout_s)
            if done.rc != 0:
                log.warning("not all lists of feeds are new: %s", _detail(done))
            asked = self._opkg("--noaction", *words)
        if needed := opkg_output.brought(asked.stdout) - {facts.id}:
            self._configuration.allow(facts.id, needed)

    def _bring(self, facts: Facts, sizes: Mapping[str, int], words: tuple[str, ...]) -> None:
        fresh = [name for name in sizes if not os.path.lexists(self._root / name)]
        for _ in range(_RUNS_AFTER_KILL):
            self._database.begin(facts.id, fresh)
            done = self._opkg(*words)
            is_recorded = self._database.recorded(facts.id, facts.version) is Presence.ACTIVE
            short = self._cut_off(facts.id, sizes) if is_recorded else ""
            is_whole = not short and not _denies(done)
            is_well = done.rc == 0 and is_recorded and is_whole
            self._database.end(facts.id, is_known=is_well or (not short and _leaves_well(done)))
            if is_well:
                return
            if not _was_killed(done):
                break
            words = ("--force-overwrite", "--force-reinstall", *words)
        if short:
            raise InstallerError(Reason.NO_SPACE, f"opkg has written only a part of /{short}")
        raise _failure(done, is_unpacked=self.probe(facts.id, "") is Presence.PARTIAL)

    def _cut_off(self, component_id: str, sizes: Mapping[str, int]) -> str:
        """Name a file that is shorter than in the archive, "" where there is none.

        OpenWrt's flavour says 0 and `installed` when the disk was full.  Files that are
        not there are none: scripts of packages delete their own.
        """
        row = self._database.row(component_id)
        kept = {name.lstrip("/") for name in row.conffiles} if row is not None else set()
        for name, size in sizes.items():
            path = self._root / name
            is_plain = name not in kept and path.is_file() and not path.is_symlink()
            if is_plain and path.stat().st_size < size:
                return name
        return ""

    def _take_off(self, component_id: str, *options: str) -> proc.Completed:
        """Run a removal, and delete what unfinished installations brought besides."""
        self._database.begin(component_id)
        done = self._opkg(*self._root_options(), *options, "remove", component_id)
        if not _was_killed(done):
            self._database.sweep(component_id)
        is_gone = self._database.recorded(component_id, "") is Presence.ABSENT
        if is_gone and not _was_killed(done):
            self._delete(self._database.brought(component_id))
        is_known = not _was_killed(done) and (is_gone or _leaves_well(done))
        self._database.end(component_id, is_known=is_known)
        return done

    def _clear_away(self, component_id: str) -> None:
        """Leave nothing of a package that was not there or did not work before either."""
        if self.probe(component_id, "") is Presence.ABSENT:
            return
        # Its prerm may fail as its postinst did.
        done = self._take_off(component_id, "--force-remove", "--force-depends")
        if self.probe(component_id, "") is not Presence.ABSENT:
            log.warning("%s stays half installed: %s", component_id, _detail(done))

    def _delete(self, names: Iterable[str]) -> None:
        """Delete files of the device; no link on the way leads out of its root."""
        for name in names:
            path = self._root / name.lstrip("/")
            if path.parent.resolve().is_relative_to(self._root.resolve()) and not path.is_dir():
                path.unlink(missing_ok=True)

    # -- the program -----------------------------------------------------------

    def _opkg(self, *arguments: str, timeout_s: float = 0.0) -> proc.Completed:
        """Run opkg, waiting for another one to release its lock."""
        program = program_of(self._settings) or "opkg"
        give_up_s = self._clock.monotonic_s() + self._settings.lock_wait_s
        limit_s = timeout_s or self._settings.timeout_s
        while True:
            done = proc.run((program, *arguments), timeout_s=limit_s)
            is_locked = done.rc != 0 and _reason(done) is Reason.BUSY
            if not is_locked or self._clock.monotonic_s() >= give_up_s:
                return done
            self._sleep(_LOCK_POLL_S)

    def _root_options(self) -> tuple[str, ...]:
        return () if self._root == Path("/") else ("--offline-root", str(self._root))

    def _architectures(self) -> frozenset[str]:
        """Say what the device takes: what is configured, or what opkg takes by itself."""
        if named := self._configuration.architectures():
            return named
        done = self._opkg(*self._root_options(), "print-architecture")
        if done.rc != 0:
            raise _failure(done)
        return opkg_output.parse_architectures(done.stdout)

    def _sizes(self, payload: Path) -> dict[str, int]:
        try:
            return ipk.file_sizes(
                payload,
                max_unpacked_bytes=self._settings.max_unpacked_bytes,
                max_files_count=self._settings.max_files_count,
            )
        except FileNotFoundError as error:
            raise InstallerError(Reason.NOT_PRESENT, f"{payload} is not there") from error


def make(place: Place) -> OpkgBackend | None:
    """Make the backend of a device; None where there is no opkg."""
    if not program_of(place.settings.opkg):
        return None
    return OpkgBackend(
        root=place.root,
        settings=place.settings.opkg,
        clock=place.clock,
        may_remove_essential=place.may_remove_essential,
        may_use_network=place.may_use_network,
    )


def _was_killed(done: proc.Completed) -> bool:
    return done.rc < 0 or done.rc in _SIGNALS_BY_SHELL


def _leaves_well(done: proc.Completed) -> bool:
    return not _was_killed(done) and opkg_output.leaves_all_well(done.stdout, done.stderr)


def _denies(done: proc.Completed) -> bool:
    return opkg_output.denies(done.stdout, done.stderr)


def _reason(done: proc.Completed) -> Reason:
    return opkg_output.reason_of(done.stdout, done.stderr)


def _detail(done: proc.Completed) -> str:
    return opkg_output.detail_of(done.stdout, done.stderr)


def _failure(done: proc.Completed, *, is_unpacked: bool = False) -> InstallerError:
    """Make the error of a run that did not reach its end; its exit code may say that it did."""
    if _was_killed(done):
        return InstallerError(Reason.INTERNAL, f"opkg was killed ({done.rc})")
    reason = _reason(done)
    if reason is Reason.INTERNAL and is_unpacked:
        # Yocto's flavour, told to run scripts below an offline root, says nothing and 0.
        reason = Reason.SCRIPT_FAILED
    return InstallerError(reason, f"opkg ({done.rc}): {_detail(done)}")
