# SPDX-License-Identifier: Apache-2.0
"""What .flatpakref files name, looked at and fetched from its remote; nothing is deployed here.

A remote is found by its address among those that are configured, else it is added with
the key that the file brings.  flatpak itself checks the GPG signature of what it fetches.
It leaves a remote behind whose addition failed, and it tells of a wrong key and of a
remote that is gone as if they had no such software: both are looked through here.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import flatpak_bundle, flatpak_output
from scomod.installers.flatpak_bundle import Contents
from scomod.installers.flatpak_pins import Pin
from scomod.installers.flatpak_tool import YES_TOLD, failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.installers.flatpak_output import Remote
    from scomod.installers.flatpak_pins import Pins
    from scomod.installers.flatpak_ref import Ref
    from scomod.installers.flatpak_tool import Tool

_OURS: Final = "scomod-"
_NAME_DIGITS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Remotes:
    """The remotes of an installation; `full` names a ref with kind and architecture."""

    tool: Tool
    pins: Pins
    needs_signature: bool
    may_use_network: Callable[[], bool]
    progress: Callable[[float], None]

    def contents(self, ref: Ref, full: str) -> Contents:
        """Say what a file means: what was fetched for it, else what its remote has now.

        Then the time of the commit is not known (0).  Raises `InstallerError`.
        """
        pin = self.pins.of(ref.digest)
        if pin is not None:
            return flatpak_bundle.read_commit(self.pins.object_of(pin.commit))
        self._check_network(ref)
        remote = self._configured(ref)
        if remote is not None:
            return _told(self.tool, remote.name, full)
        # Only to look: the installation stays as it is, and may be somebody else's.
        with tempfile.TemporaryDirectory(prefix="scomod-flatpak-") as folder:
            scratch = replace(self.tool, installation="user", dir=Path(folder, "look"))
            return _told(scratch, self._add(scratch, ref), full)

    def fetch(self, ref: Ref, full: str, version: str) -> Pin:
        """Fetch what a file means, with its runtime, and pin it; nothing if that was done.

        `version` is what it was when it was looked at.  Raises `InstallerError`: SIGNATURE,
        UNREACHABLE, DEPENDENCY, CONFLICT where the remote has something else by now.
        """
        done = self.pins.of(ref.digest)
        if done is not None:
            return done
        self._check_network(ref)
        remote = self._ensured(ref)
        self.pins.forget_fetched(remote, full)
        run = ("install", *YES_TOLD, "--no-deploy", "--reinstall", remote, full)
        ran = self.tool.change(*run, hears=self._hear)
        commit = self.pins.fetched(remote, full)
        if ran.rc != 0 or not commit:
            # An upgrade that fails is not followed by a removal, which would delete its remote.
            self.drop_spent()
            raise failure(ran)
        if not commit.startswith(version):
            raise InstallerError(
                Reason.CONFLICT, f"{ref.url} had {ref.id} {version}, now it has {commit:.12}"
            )
        pin = Pin(digest=ref.digest, remote=remote, ref=full, commit=commit)
        self.pins.keep(pin)
        return pin

    def drop_spent(self) -> None:
        """Delete the remotes that were added for software which is not there (any more).

        Those are flatpak's own for bundles, and ours.
        """
        made = [each.name for each in self._known() if each.is_bundle_origin or _is_ours(each)]
        if made:
            used = self._used()
            for name in made:
                if name not in used:
                    self.tool.change("remote-delete", "--force", name)

    def _hear(self, line: str) -> None:
        """Pass on how far a fetch is."""
        fraction = flatpak_output.progress_of(line)
        if fraction is not None:
            self.progress(fraction)

    def _known(self) -> list[Remote]:
        try:
            return flatpak_output.parse_remotes((self.tool.dir / "repo/config").read_text())
        except FileNotFoundError:
            return []

    def _used(self) -> set[str]:
        """Name the remotes that something is deployed or kept from."""
        return {row.origin for row in self.tool.rows()} | {pin.remote for pin in self.pins.all()}

    def _configured(self, ref: Ref) -> Remote | None:
        """Find the remote at the address of a file; raises SIGNATURE where it checks none."""
        url = ref.url.rstrip("/")
        found = [
            each for each in self._known() if each.url.rstrip("/") == url and not each.is_disabled
        ]
        good = [each for each in found if each.is_verified or not self.needs_signature]
        if found and not good:
            raise InstallerError(
                Reason.SIGNATURE, f"the remote {found[0].name} checks no GPG signatures"
            )
        return good[0] if good else None

    def _ensured(self, ref: Ref) -> str:
        """Give the name of the remote of a file; one that we added in vain is added anew."""
        remote = self._configured(ref)
        if remote is not None and _is_ours(remote) and remote.name not in self._used():
            self.tool.change("remote-delete", "--force", remote.name)
            remote = None
        return self._add(self.tool, ref) if remote is None else remote.name

    def _add(self, tool: Tool, ref: Ref) -> str:
        if self.needs_signature and not ref.key:
            raise InstallerError(
                Reason.SIGNATURE, f"no remote is configured for {ref.url}, and no key is given"
            )
        name = _OURS + hashlib.sha256(ref.url.encode()).hexdigest()[:_NAME_DIGITS]
        with tempfile.NamedTemporaryFile(prefix="scomod-key-") as file:
            file.write(ref.key)
            file.flush()
            trust = f"--gpg-import={file.name}" if ref.key else "--no-gpg-verify"
            # Others come first where a runtime is looked for; without being listed it would not
            # be asked for one at all.
            done = tool.change("remote-add", "--prio=0", trust, name, ref.url)
        if done.rc != 0:
            tool.change("remote-delete", "--force", name)
            raise failure(done)
        return name

    def _check_network(self, ref: Ref) -> None:
        if not ref.url.startswith("file:") and not self.may_use_network():
            raise InstallerError(
                Reason.POLICY,
                f"the policy of this device: flatpak may not fetch {ref.url} (allow_network)",
            )


def _is_ours(remote: Remote) -> bool:
    return remote.name.startswith(_OURS)


def _told(tool: Tool, remote: str, full: str) -> Contents:
    """Ask for commit and metadata file of what a remote has."""
    done = tool.ask("remote-info", "--show-commit", "--show-metadata", remote, full)
    commit, _, metadata = done.stdout.partition("\n")
    if done.rc == 0 and flatpak_output.is_commit(commit):
        return Contents(ref=full, metadata=metadata, appdata="", commit=commit, made_s=0)
    listing = tool.ask("remote-ls", remote)
    raise failure(done if listing.rc == 0 else listing)
