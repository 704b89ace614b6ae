# SPDX-License-Identifier: Apache-2.0
"""The flatpak backend: bundles and .flatpakref files, in one named installation.

What a file says is read by `flatpak_bundle` and `flatpak_ref`, what a remote has is
fetched by `flatpak_remote`, what is deployed is changed by `flatpak_deployed`, what runs
by `flatpak_life`.  This is what joins them; docs/backends.md has the table that it follows.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import (
    debversion,
    flatpak_bundle,
    flatpak_facts,
    flatpak_output,
    flatpak_permissions,
    flatpak_ref,
)
from scomod.installers.base import Facts, InstalledItem, Presence
from scomod.installers.flatpak_bundle import Contents
from scomod.installers.flatpak_deployed import Deployed
from scomod.installers.flatpak_pins import Pins
from scomod.installers.flatpak_remote import Remotes
from scomod.installers.flatpak_tool import Tool

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.installers.flatpak_life import Life
    from scomod.installers.flatpak_output import Row
    from scomod.installers.flatpak_pins import Pin
    from scomod.installers.flatpak_ref import Ref
    from scomod.installers.kinds import Place

# Content that flatpak fetches while it deploys, unpacked by a script of the package.
_EXTRA_DATA: Final = "Extra Data"


class FlatpakBackend:
    """Installs, removes and runs software with flatpak; every verb may be called twice."""

    name = "flatpak"
    environment = "flatpak"

    def __init__(self, place: Place) -> None:
        settings, root = place.settings.flatpak, place.root.absolute()
        self._place = place
        self._tool = Tool(
            installation=settings.installation,
            dir=root / settings.dir.lstrip("/"),
            config_dir=root / "etc/flatpak",
            timeout_s=settings.timeout_s,
        )
        self._pins = Pins(self._tool.dir / "repo")
        self._deployed = Deployed(tool=self._tool, pins=self._pins)
        self._remotes = Remotes(
            tool=self._tool,
            pins=self._pins,
            needs_signature=settings.signature == "required",
            may_use_network=place.may_use_network,
            progress=place.progress,
        )
        self._native_architecture = ""
        # When what was inspected was made, by version: plans are judged by who made them.
        self._made_s: dict[str, int] = {}

    def inspect(self, payload: Path) -> Facts:
        """Read ref, version and permissions of a bundle, or of what a .flatpakref names.

        The latter may ask the remote; who cannot install is told what is known without.
        Raises `InstallerError`: MALFORMED when it is neither, UNSUPPORTED_ENV when it is
        one for another machine, which flatpak itself would install.
        """
        ref = flatpak_ref.read(payload)
        contents = self._contents(payload, ref)
        _, name, architecture, branch = flatpak_output.split_ref(contents.ref)
        if architecture != self._native():
            raise InstallerError(
                Reason.UNSUPPORTED_ENV,
                f"{name} is for {architecture}, this device is {self._native()}",
            )
        version = flatpak_output.version_of(
            flatpak_facts.newest_version(contents.appdata), contents.commit
        )
        self._made_s[version] = contents.made_s
        permissions = flatpak_permissions.sentences(contents.metadata)
        return Facts(
            id=f"{name}:{branch}",
            version=version,
            architecture=architecture,
            description=ref.summary if ref else flatpak_facts.summary(contents.appdata),
            permissions=permissions if contents.commit else (flatpak_permissions.NOT_LOOKED_AT,),
        )

    def prepare(self, payload: Path, facts: Facts) -> None:
        """Fetch what a .flatpakref names, its runtime too; a bundle has come as a whole."""
        ref = flatpak_ref.read(payload)
        if ref is not None:
            self._fetch(ref, facts)

    def install(self, payload: Path, facts: Facts, *, may_downgrade: bool = False) -> None:
        """Install it and see that its commit is there.

        A first installation that fails leaves nothing deployed; a failed upgrade leaves the
        earlier one.  Raises `InstallerError` with the reason, POLICY for an older version
        that nobody allowed.
        """
        ref = flatpak_ref.read(payload)
        pin = None if ref is None else self._fetch(ref, facts)
        contents = self._contents(payload, ref)
        before = self._deployed.row(facts.id)
        if before is not None and contents.commit.startswith(before.commit):
            self._deployed.finish(before)
            return
        if before is not None and not may_downgrade:
            self._check_direction(before, facts, contents)
        self._check_extra_data(facts, contents)
        try:
            if pin is None:
                self._deployed.put_bundle(str(payload.absolute()), facts.id, contents.commit)
            else:
                self._pins.keep(pin)
                self._deployed.put_pinned(pin, facts.id)
        finally:
            self._remotes.drop_spent()

    def remove(self, component_id: str) -> None:
        """Take software off, and all that was fetched for it; also what a kill left of it."""
        self._deployed.take_off(component_id)
        self._pins.drop(component_id)
        self._remotes.drop_spent()

    def withdraw(self, component_id: str) -> None:
        """Take software off; what was fetched for it stays, as does what its users keep."""
        self._deployed.take_off(component_id)
        self._remotes.drop_spent()

    def probe(self, component_id: str, version: str) -> Presence:
        """Say what is deployed; "" as version means any."""
        row = self._deployed.row(component_id)
        if row is None:
            is_left = self._deployed.remains(component_id)
            return Presence.PARTIAL if is_left else Presence.ABSENT
        return Presence.ACTIVE if version in ("", row.version) else Presence.ABSENT

    def version(self, component_id: str) -> str:
        """Say which version is installed, "" where none is."""
        row = self._deployed.row(component_id)
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
                permissions=flatpak_permissions.sentences(self._deployed.metadata(row)),
                is_startable=row.kind == "app",
            )
            for row in self._deployed.rows()
        ]

    # -- running -----------------------------------------------------------------

    def start(self, component_id: str) -> None:
        """Start an application and see it run; raises `InstallerError(UNHEALTHY)`."""
        self._life().start(self._installed(component_id))

    def stop(self, component_id: str) -> None:
        """Stop all that runs of an application; raises `InstallerError(UNHEALTHY)`."""
        self._life().stop(self._installed(component_id))

    # -- discerning --------------------------------------------------------------

    def is_older(self, version: str, than: str) -> bool:
        """Compare two versions, or the times of what has none.

        Raises `InstallerError(POLICY)` where no time is known of one of them.
        """
        if not any(map(flatpak_output.is_commit, (version, than))):
            return debversion.compare(version, than) < 0
        times = [self._time_of(each) for each in (version, than)]
        if not all(times):
            raise InstallerError(
                Reason.POLICY, f"nobody can tell whether {version} is older than {than}"
            )
        return times[0] < times[1]

    def is_essential(self, component_id: str) -> bool:
        """Tell that a system works without any flatpak."""
        del component_id
        return False

    def scripts(self, archive: Path) -> tuple[str, ...]:
        """Name the one script that there can be: what unpacks extra data, in a sandbox."""
        contents = self._contents(archive, flatpak_ref.read(archive))
        return ("apply_extra",) if _has_extra_data(contents) else ()

    # -- what an archive means ---------------------------------------------------

    def _contents(self, payload: Path, ref: Ref | None) -> Contents:
        if ref is None:
            return flatpak_bundle.read(payload)
        full = ref.full(self._native())
        try:
            return self._remotes.contents(ref, full)
        except InstallerError:
            if self._may_install():
                raise
            return Contents(ref=full, metadata="", appdata="", commit="", made_s=0)

    def _may_install(self) -> bool:
        """Tell whether we may write where the installation lies, or will lie."""
        places = (self._tool.dir / "repo", self._tool.dir, *self._tool.dir.parents)
        return os.access(next(place for place in places if place.exists()), os.W_OK)

    def _fetch(self, ref: Ref, facts: Facts) -> Pin:
        return self._remotes.fetch(ref, ref.full(self._native()), facts.version)

    def _native(self) -> str:
        """Name the machine's own architecture; it does not change."""
        if not self._native_architecture:
            self._native_architecture = self._tool.native()
        return self._native_architecture

    # -- what is refused ---------------------------------------------------------

    def _check_direction(self, before: Row, facts: Facts, contents: Contents) -> None:
        """Refuse what flatpak does without a word: an older one over a newer one."""
        versions = (facts.version, before.version)
        has_names = before.version != before.commit and not contents.commit.startswith(versions[0])
        if has_names and versions[0] != versions[1]:
            is_older = debversion.compare(*versions) < 0
        else:
            is_older = contents.made_s < self._deployed.made_s(before.commit)
        if is_older:
            raise InstallerError(
                Reason.POLICY,
                f"{facts.id} {before.version} is newer than {facts.version} and no downgrade"
                " is allowed",
            )

    def _check_extra_data(self, facts: Facts, contents: Contents) -> None:
        if _has_extra_data(contents) and not self._place.may_use_network():
            raise InstallerError(
                Reason.POLICY,
                f"the policy of this device: {facts.id} may not fetch its extra data"
                " (allow_network)",
            )

    def _time_of(self, version: str) -> int:
        rows = [row for row in self._deployed.rows() if row.version == version]
        times = [self._deployed.made_s(row.commit) for row in rows]
        return self._made_s.get(version) or max(times, default=self._deployed.made_s(version))

    def _installed(self, component_id: str) -> Row:
        row = self._deployed.row(component_id)
        if row is None:
            raise InstallerError(Reason.NOT_PRESENT, f"{component_id} is not installed")
        return row

    def _life(self) -> Life:
        from scomod.installers import flatpak_life  # noqa: PLC0415 - looking needs none of it

        settings = self._place.settings.flatpak
        return flatpak_life.Life(
            tool=self._tool,
            run_as=settings.run_as,
            wait_s=settings.run_wait_s,
            has_systemd=flatpak_life.has_systemd(self._place.root),
        )


def _has_extra_data(contents: Contents) -> bool:
    return _EXTRA_DATA in flatpak_permissions.groups(contents.metadata)


def make(place: Place) -> FlatpakBackend:
    """Make the backend of a device."""
    return FlatpakBackend(place)
