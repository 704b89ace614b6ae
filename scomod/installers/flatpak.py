"""The flatpak backend: single-file bundles in one named installation.

Success is never an exit code: it is the list of what is deployed, read again, with
the bundle's own commit (docs/backends.md has the table this follows).  What a kill
left half deployed flatpak neither sees nor replaces nor repairs; its files are deleted
before anything else is done.  Remotes are not asked for anything by us.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import (
    debversion,
    flatpak_bundle,
    flatpak_facts,
    flatpak_output,
    flatpak_permissions,
    proc,
)
from scomod.installers.base import Facts, InstalledItem, Presence, stamp

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.installers.flatpak_bundle import Contents
    from scomod.installers.flatpak_output import Row
    from scomod.installers.kinds import Place
    from scomod.settings import Flatpak

log = logging.getLogger(__name__)

_QUERY_TIMEOUT_S: Final = 60.0
_RUNS_AFTER_KILL: Final = 2
_METADATA_BYTES: Final = 256 << 10
# Which variable names the directory of an installation.
_PLACES: Final = {"system": "FLATPAK_SYSTEM_DIR", "user": "FLATPAK_USER_DIR"}
_YES: Final = ("-y", "--noninteractive")


class FlatpakBackend:
    """Installs and removes bundles with flatpak; every verb may be called twice."""

    name = "flatpak"
    environment = "flatpak"

    def __init__(self, *, root: Path, settings: Flatpak) -> None:
        self._root = root.absolute()
        self._dir = self._root / settings.dir.lstrip("/")
        self._installation = settings.installation
        self._timeout_s = settings.timeout_s
        self._native_architecture = ""

    def inspect(self, payload: Path) -> Facts:
        """Read ref, version and permissions of a bundle.

        Raises `InstallerError`: MALFORMED when it is no bundle, UNSUPPORTED_ENV when
        it is one for another machine, which flatpak itself would install.
        """
        contents = flatpak_bundle.read(payload)
        _, name, architecture, branch = flatpak_output.split_ref(contents.ref)
        native = self._native()
        if architecture != native:
            raise InstallerError(
                Reason.UNSUPPORTED_ENV, f"{name} is for {architecture}, this device is {native}"
            )
        version = flatpak_facts.newest_version(contents.appdata)
        return Facts(
            id=f"{name}:{branch}",
            version=flatpak_output.version_of(version, contents.commit),
            architecture=architecture,
            description=flatpak_facts.summary(contents.appdata),
            permissions=flatpak_permissions.sentences(contents.metadata),
        )

    def install(self, payload: Path, facts: Facts, *, may_downgrade: bool = False) -> None:
        """Install a bundle and see that its commit is there.

        A first installation that fails leaves nothing; a failed upgrade leaves the
        earlier one.  Raises `InstallerError` with the reason, POLICY for an older
        version that nobody allowed.
        """
        contents = flatpak_bundle.read(payload)
        before = self._row(facts.id)
        if before is not None and contents.commit.startswith(before.commit):
            return
        if before is not None:
            self._check_direction(before, facts, contents, may_downgrade=may_downgrade)
        try:
            self._deploy(payload, facts.id, contents)
        except InstallerError:
            self._clear_remains(facts.id)
            raise
        finally:
            self._drop_spent_origins()

    def remove(self, component_id: str) -> None:
        """Take software off; also what a kill left of it."""
        self._take_off(component_id)

    def withdraw(self, component_id: str) -> None:
        """Take software off; what its users keep below their homes stays, as it always does."""
        self._take_off(component_id)

    def probe(self, component_id: str, version: str) -> Presence:
        """Say what is deployed; "" as version means any."""
        row = self._row(component_id)
        if row is None:
            return Presence.PARTIAL if self._remains(component_id) else Presence.ABSENT
        return Presence.ACTIVE if version in ("", row.version) else Presence.ABSENT

    def version(self, component_id: str) -> str:
        """Say which version is installed, "" where none is."""
        row = self._row(component_id)
        return "" if row is None else row.version

    def units(self, component_id: str) -> tuple[str, ...]:
        """Name no services: a sandbox brings none to the system manager."""
        del component_id
        return ()

    def inventory(self) -> list[InstalledItem]:
        """List what is deployed, applications and runtimes; needs no privilege."""
        return [
            InstalledItem(
                id=row.id,
                name=row.title or row.name,
                version=row.version,
                environment=self.environment,
                description=row.summary,
                permissions=flatpak_permissions.sentences(self._metadata(row)),
            )
            for row in self._rows()
        ]

    def mark(self) -> str:
        """Return the mark of the file that flatpak writes anew with every change."""
        return stamp(self._dir / ".changed")

    # -- changes ---------------------------------------------------------------

    def _check_direction(
        self, before: Row, facts: Facts, contents: Contents, *, may_downgrade: bool
    ) -> None:
        """Refuse what flatpak does without a word: an older bundle over a newer one."""
        if may_downgrade or not self._is_older(before, facts, contents):
            return
        raise InstallerError(
            Reason.POLICY,
            f"{facts.id} {before.version} is newer than {facts.version} and no downgrade"
            " is allowed",
        )

    def _is_older(self, before: Row, facts: Facts, contents: Contents) -> bool:
        """Compare versions where both have one, else the times of the commits."""
        are_named = before.version != before.commit and not contents.commit.startswith(
            facts.version
        )
        if are_named and before.version != facts.version:
            return debversion.compare(facts.version, before.version) < 0
        installed = flatpak_output.made_s(self._query(self._scope, "info", before.ref).stdout)
        return contents.made_s < installed

    def _deploy(self, payload: Path, component_id: str, contents: Contents) -> None:
        for _ in range(_RUNS_AFTER_KILL):
            self._clear_remains(component_id)
            done = self._flatpak("install", *_YES, "--bundle", str(payload.absolute()))
            row = self._row(component_id)
            if row is not None and contents.commit.startswith(row.commit):
                return
            if done.rc >= 0:
                break
        raise _failure(done)

    def _take_off(self, component_id: str) -> None:
        self._clear_remains(component_id)
        row = self._row(component_id)
        if row is not None:
            done = self._flatpak("uninstall", *_YES, row.ref)
            if self._row(component_id) is not None:
                raise _failure(done)
            self._clear_remains(component_id)
        self._drop_spent_origins()

    def _clear_remains(self, component_id: str) -> None:
        """Clear away what is deployed by half: it can be neither replaced nor uninstalled."""
        remains = self._remains(component_id)
        if remains and self._row(component_id) is None:
            log.info("%s is half deployed and is cleared away", component_id)
            for place in remains:
                shutil.rmtree(place)
            # Files that flatpak does not list it leaves; what it has besides it clears.
            self._flatpak("repair")

    def _drop_spent_origins(self) -> None:
        """Delete the remotes that flatpak made for bundles which are not there (any more)."""
        listed = self._query(
            self._scope, "remotes", "--show-disabled", f"--columns={flatpak_output.REMOTE_COLUMNS}"
        )
        used = {row.origin for row in self._rows()}
        for origin in sorted(flatpak_output.bundle_origins(listed.stdout) - used):
            self._flatpak("remote-delete", "--force", origin)

    def _remains(self, component_id: str) -> list[Path]:
        """Give the directories where a ref is deployed; left over where it is not in the list."""
        if not flatpak_output.is_component_id(component_id):
            return []
        name, _, branch = component_id.partition(":")
        return [
            place
            for kind in ("app", "runtime")
            for place in (self._dir / kind / name).glob(f"*/{branch}")
        ]

    def _metadata(self, row: Row) -> str:
        """Read the metadata file of what is deployed, "" where it has just gone."""
        try:
            with (self._dir / row.ref / "active/metadata").open("rb") as file:
                return file.read(_METADATA_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""

    # -- programs --------------------------------------------------------------

    @property
    def _scope(self) -> str:
        return f"--{self._installation}"

    def _rows(self) -> list[Row]:
        """List what is deployed; nothing where flatpak was never used or is not there."""
        is_there = shutil.which("flatpak", path=proc.ENVIRONMENT["PATH"])
        if not is_there or not (self._dir / "repo/config").exists():
            return []
        columns = f"--columns={flatpak_output.LIST_COLUMNS}"
        done = self._query(self._scope, "list", "--all", columns)
        if done.rc != 0 or done.is_truncated:
            raise InstallerError(
                Reason.INTERNAL,
                f"the flatpak installation cannot be read: {flatpak_output.detail_of(done.stderr)}",
            )
        return flatpak_output.parse_list(done.stdout)

    def _row(self, component_id: str) -> Row | None:
        if not flatpak_output.is_component_id(component_id):
            raise InstallerError(Reason.POLICY, f"no flatpak can be called {component_id!r:.80}")
        return next((row for row in self._rows() if row.id == component_id), None)

    def _native(self) -> str:
        """Name the machine's own architecture; it does not change."""
        if not self._native_architecture:
            self._native_architecture = self._query("--default-arch").stdout.strip()
        return self._native_architecture

    def _flatpak(self, verb: str, *arguments: str) -> proc.Completed:
        """Change something; the installation is always named."""
        return self._run(self._scope, verb, *arguments, timeout_s=self._timeout_s)

    def _query(self, *arguments: str) -> proc.Completed:
        return self._run(*arguments, timeout_s=_QUERY_TIMEOUT_S)

    def _run(self, *arguments: str, timeout_s: float) -> proc.Completed:
        # It refuses to list anything where it cannot make a cache directory.
        with tempfile.TemporaryDirectory(prefix="scomod-flatpak-") as home:
            env = {
                **proc.ENVIRONMENT,
                _PLACES[self._installation]: str(self._dir),
                "FLATPAK_CONFIG_DIR": str(self._root / "etc/flatpak"),
                "HOME": home,
            }
            return proc.run(("flatpak", *arguments), timeout_s=timeout_s, env=env)


def _failure(done: proc.Completed) -> InstallerError:
    """Make the error of a run that did not reach its end."""
    if done.rc < 0:
        return InstallerError(Reason.INTERNAL, f"flatpak was killed by signal {-done.rc}")
    return InstallerError(
        flatpak_output.reason_of(done.stderr), f"flatpak: {flatpak_output.detail_of(done.stderr)}"
    )


def make(place: Place) -> FlatpakBackend:
    """Make the backend of a device."""
    return FlatpakBackend(root=place.root, settings=place.settings.flatpak)
