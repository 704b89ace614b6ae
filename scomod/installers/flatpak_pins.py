# SPDX-License-Identifier: Apache-2.0
"""Which commit a .flatpakref meant when this device first fetched it: files, no program.

A pin is a ref of OSTree below a name of our own: `refs/heads/scomod/<SHA-256 of the file>/
<remote>/<ref>` in the installation's repository, holding a commit.  So the same file stays
the same software, the commit stays in the repository though nothing is deployed from it,
and an earlier one is there for the way back.  flatpak leaves refs of others alone.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.installers import durable, flatpak_output

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What is deployed and what was before: as far back as an order can be undone.
_KEPT_COUNT: Final = 2
_COMMIT_DIGITS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """`commit` in full, of `ref` ("app/org.example.App/x86_64/stable") from `remote`."""

    digest: str
    remote: str
    ref: str
    commit: str


@dataclass(frozen=True, slots=True)
class Pins:
    """The pins in the repository of an installation."""

    repo: Path

    def of(self, digest: str) -> Pin | None:
        """Find what a file meant; None where nobody fetched it, or it has gone since."""
        return next((pin for pin in self.all(digest) if self.object_of(pin.commit).exists()), None)

    def all(self, digest: str = "*") -> Iterator[Pin]:
        """List the pins of a file, or all, the one that was used last first."""
        paths = [path for path in self._dir.glob(f"{digest}/*/*/*/*/*") if path.is_file()]
        for path in sorted(paths, key=lambda each: each.stat().st_mtime_ns, reverse=True):
            of, remote, *ref = path.relative_to(self._dir).parts
            if commit := _commit_in(path):
                yield Pin(digest=of, remote=remote, ref="/".join(ref), commit=commit)

    def object_of(self, commit: str) -> Path:
        """Say where the repository keeps a commit."""
        return self.repo / "objects" / commit[:2] / f"{commit[2:]}.commit"

    def commit_file(self, digits: str) -> Path | None:
        """Find the commit that begins with these digits (12 or more)."""
        if not flatpak_output.is_commit(digits):
            return None
        return next((self.repo / "objects" / digits[:2]).glob(f"{digits[2:]}*.commit"), None)

    def fetched(self, remote: str, ref: str) -> str:
        """Say which commit was fetched last from a remote, "" where none was."""
        return _commit_in(self._fetched_file(remote, ref))

    def forget_fetched(self, remote: str, ref: str) -> None:
        """Let an older commit be fetched than was fetched before, which flatpak refuses."""
        self._fetched_file(remote, ref).unlink(missing_ok=True)

    def set_fetched(self, pin: Pin) -> None:
        """Have flatpak deploy the commit of a pin when it is not to fetch anything."""
        if self.fetched(pin.remote, pin.ref) != pin.commit:
            self._write(self._fetched_file(pin.remote, pin.ref), pin.commit)

    def keep(self, pin: Pin) -> None:
        """Write a pin, and drop those of the same software that no order can ask for any more."""
        path = self._dir / pin.digest / pin.remote / pin.ref
        self._write(path, pin.commit)
        for old in self._others(pin.ref)[_KEPT_COUNT:]:
            self._drop(old)

    def drop(self, component_id: str) -> None:
        """Drop all pins of a component."""
        name, _, branch = component_id.partition(":")
        for pin in list(self.all()):
            if pin.ref.split("/")[1::2] == [name, branch]:
                self._drop(pin)

    def _others(self, ref: str) -> list[Pin]:
        return [pin for pin in self.all() if pin.ref == ref]

    def _drop(self, pin: Pin) -> None:
        shutil.rmtree(self._dir / pin.digest)

    def _write(self, path: Path, commit: str) -> None:
        """Write a ref as OSTree does, as a whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place it would be one more ref.
        temporary = self.repo / "tmp" / "scomod-ref"
        with temporary.open("w", encoding="ascii") as file:
            file.write(f"{commit}\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        durable.sync_dir(path.parent)

    @property
    def _dir(self) -> Path:
        return self.repo / "refs/heads/scomod"

    def _fetched_file(self, remote: str, ref: str) -> Path:
        return self.repo / "refs/remotes" / remote / ref


def _commit_in(path: Path) -> str:
    try:
        text = path.read_bytes()[: _COMMIT_DIGITS + 1].decode("ascii", "replace").strip()
    except OSError:
        return ""
    return text if len(text) == _COMMIT_DIGITS and flatpak_output.is_commit(text) else ""
