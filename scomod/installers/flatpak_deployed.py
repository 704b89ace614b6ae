# SPDX-License-Identifier: Apache-2.0
"""What is deployed in a flatpak installation, and changing that; success is what is listed then.

What a kill left deployed by half is not listed and cannot be replaced, uninstalled or
repaired by flatpak: its files are deleted before anything else is done.  So is a commit
beside the active one, which flatpak takes for installed and never makes active; and where
the kill came after that, what people start it by is still to be made.
"""

from __future__ import annotations

import logging
import re
import secrets
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import flatpak_bundle, flatpak_output
from scomod.installers.flatpak_tool import YES, failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.installers.flatpak_output import Row
    from scomod.installers.flatpak_pins import Pin, Pins
    from scomod.installers.flatpak_tool import Tool
    from scomod.installers.proc import Completed

log = logging.getLogger(__name__)

_RUNS_AFTER_KILL: Final = 2
_METADATA_BYTES: Final = 256 << 10
# A commit where it is deployed, or, with a dot, on its way there.
_DEPLOYED: Final = re.compile(r"[0-9a-f]{64}|\.[0-9a-f]{64}-.{6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The deployed software of an installation."""

    tool: Tool
    pins: Pins

    def rows(self) -> list[Row]:
        """List it.  What a pin names has its commit as version, as before it was deployed."""
        held = {pin.commit[: flatpak_output.COMMIT_DIGITS] for pin in self.pins.all()}
        rows = self.tool.rows()
        return [replace(row, version=row.commit) if row.commit in held else row for row in rows]

    def row(self, component_id: str) -> Row | None:
        """Find one; raises `InstallerError(POLICY)` for what can be no name of a flatpak."""
        if not flatpak_output.is_component_id(component_id):
            raise InstallerError(Reason.POLICY, f"no flatpak can be called {component_id!r:.80}")
        return next((row for row in self.rows() if row.id == component_id), None)

    def remains(self, component_id: str) -> list[Path]:
        """Give the directories where a ref is deployed; left over where it is not in the list."""
        if not flatpak_output.is_component_id(component_id):
            return []
        name, _, branch = component_id.partition(":")
        return [
            place
            for kind in ("app", "runtime")
            for place in (self.tool.dir / kind / name).glob(f"*/{branch}")
        ]

    def metadata(self, row: Row) -> str:
        """Read the metadata file of what is deployed, "" where it has just gone."""
        try:
            with (self.tool.dir / row.ref / "active/metadata").open("rb") as file:
                return file.read(_METADATA_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""

    def made_s(self, commit: str) -> int:
        """Say when a commit in the repository was made (epoch), 0 where it is not known."""
        path = self.pins.commit_file(commit)
        return flatpak_bundle.read_commit(path).made_s if path else 0

    def put_bundle(self, payload: str, component_id: str, commit: str) -> None:
        """Deploy a bundle; raises `InstallerError`."""
        run = ("install", *YES, "--bundle", payload)
        self._put(component_id, commit, lambda: self.tool.change(*run))

    def put_pinned(self, pin: Pin, component_id: str) -> None:
        """Deploy what was fetched for a pin, without network; raises `InstallerError`.

        flatpak deploys the commit that was fetched last, so it is told that this one was.
        """

        def run() -> Completed:
            self.pins.set_fetched(pin)
            before = self.row(component_id)
            if before is not None and before.origin == pin.remote:
                return self.tool.change("update", *YES, "--no-pull", pin.ref)
            again = ("--reinstall",) if before else ()
            return self.tool.change("install", *YES, "--no-pull", *again, pin.remote, pin.ref)

        self._put(component_id, pin.commit, run)

    def take_off(self, component_id: str) -> None:
        """Uninstall it, and clear away what a kill left of it; raises `InstallerError`."""
        self.clear_remains(component_id)
        row = self.row(component_id)
        if row is None:
            return
        done = self.tool.change("uninstall", *YES, row.ref)
        if self.row(component_id) is not None:
            raise failure(done)
        self.clear_remains(component_id)

    def clear_remains(self, component_id: str) -> None:
        """Clear away what is deployed by half, and what lies beside what is deployed."""
        remains = self.remains(component_id)
        if remains and self.row(component_id) is not None:
            self._clear_beside(remains)
        elif remains:
            log.info("%s is half deployed and is cleared away", component_id)
            for place in remains:
                shutil.rmtree(place)
            # Files that flatpak does not list it leaves; what it has besides it clears.
            self.tool.change("repair")

    def finish(self, row: Row) -> None:
        """Do what an installation ends with: the earlier one goes, the launcher comes.

        That is no matter of ours where another branch or architecture of an application was
        made current.  Raises `InstallerError`.
        """
        self._clear_beside(self.remains(row.id))
        current = self.tool.dir / "app" / row.name / "current"
        ours = f"{row.architecture}/{row.branch}"
        if row.kind != "app" or (current.is_symlink() and str(current.readlink()) != ours):
            return
        done = self.tool.change("make-current", f"--arch={row.architecture}", row.name, row.branch)
        if done.rc:
            raise failure(done)

    def _clear_beside(self, places: list[Path]) -> None:
        """Clear away commits that a kill left beside the active one.

        One may still run: it goes to where flatpak looks for what to delete when it does not.
        """
        for place in places:
            active = (place / "active").resolve().name
            for link in place.glob(".active-*"):  # which was not renamed to "active"
                link.unlink()
            for left in place.iterdir():
                if _DEPLOYED.fullmatch(left.name) and left.name != active:
                    log.info("%s is not the active commit and is cleared away", left)
                    waste = self.tool.dir / ".removed" / f"{left.name}-{secrets.token_hex(3)}"
                    waste.parent.mkdir(exist_ok=True)
                    left.rename(waste)

    def _put(self, component_id: str, commit: str, run: Callable[[], Completed]) -> None:
        try:
            for _ in range(_RUNS_AFTER_KILL):
                self.clear_remains(component_id)
                done = run()
                row = self.row(component_id)
                if row is not None and commit.startswith(row.commit):
                    return
                if done.rc >= 0:
                    break
            raise failure(done)
        except InstallerError:
            self.clear_remains(component_id)
            raise
