# SPDX-License-Identifier: Apache-2.0
"""What opkg has on disk, and a note of ours of the changes that did not end.

opkg's part: the status file, and the control file and list of files of each package.
It rewrites the status file in place when all else is done, so an opkg that was killed
leaves new files under an old stanza, or no stanza, or half a status file with every
other package lost from it.  Therefore, before it runs, we note durably what it is to
change and what the status file was: until it is known how a run ended, its component
is PARTIAL, and what is missing in the status file is read from the note and put back.
Runs no program; readers need no privilege.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import debversion, durable, opkg_output
from scomod.installers.base import Presence, stamp
from scomod.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from scomod.installers.opkg_output import Row

# Where the two flavours keep their database if nobody says otherwise.
STATUS_FILES: Final = ("usr/lib/opkg/status", "var/lib/opkg/status")
NOTE: Final = "opkg-unfinished.json"
_NOTE_LIMIT_BYTES: Final = 256 << 20
_PUBLIC: Final = 0o644
_SUFFIXES: Final = ("control", "list", "conffiles", "preinst", "postinst", "prerm", "postrm")
_READS_COUNT: Final = 5
_READ_AGAIN_S: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """The note: `changes` has the paths that an installation was the first to bring.

    `status` is the status file as it was before a run that may go on, else None.
    """

    changes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    status: str | None = None


class Database:
    """The files of opkg below a root, and the note."""

    def __init__(self, *, root: Path, status_file: str, sleep: Callable[[float], None]) -> None:
        self._root = root
        self._configured = status_file
        self._sleep = sleep
        self._note = Paths(root).install_dir / NOTE

    def rows(self) -> dict[str, Row]:
        """Return all packages by name, also those of which nothing is there."""
        return opkg_output.parse_status(self._text())

    def row(self, component_id: str) -> Row | None:
        """Look a package up; raises `InstallerError(POLICY)` for what can be none."""
        if not opkg_output.is_component_id(component_id):
            raise InstallerError(Reason.POLICY, f"no package can be called {component_id!r:.80}")
        return self.rows().get(component_id)

    def working(self) -> list[Row]:
        """List the packages that are installed and configured."""
        unfinished = self._unfinished().changes
        return [
            row
            for name, row in self.rows().items()
            if name not in unfinished and self._judged(row, "") is Presence.ACTIVE
        ]

    def presence(self, component_id: str, version: str) -> Presence:
        """Say what is there; PARTIAL is all that is not known to have ended well."""
        row = self.row(component_id)
        if component_id in self._unfinished().changes:
            return Presence.PARTIAL
        return self.recorded(component_id, version) if row is None else self._judged(row, version)

    def recorded(self, component_id: str, version: str) -> Presence:
        """Say what opkg's own files say, whatever is noted as unfinished."""
        row = self.row(component_id)
        if row is not None:
            return self._judged(row, version)
        is_noted = self.text_of(component_id, "control") is not None
        return Presence.PARTIAL if is_noted else Presence.ABSENT

    def file(self, component_id: str, suffix: str) -> Path:
        """Say where opkg keeps a package's "control" or "list"."""
        return self._status_file().parent / "info" / f"{component_id}.{suffix}"

    def text_of(self, component_id: str, suffix: str) -> str | None:
        """Read what `file` names; None where it is not there."""
        return _text(self.file(component_id, suffix))

    # -- for the side that writes ----------------------------------------------

    def begin(self, component_id: str, brings: Iterable[str] = ()) -> None:
        """Note that a package is about to change; `brings` are paths that were not there."""
        self._heal()
        found = self._unfinished()
        paths = dict.fromkeys((*found.changes.get(component_id, ()), *brings))
        changes = {**found.changes, component_id: tuple(paths)}
        self._write(Unfinished(changes=changes, status=self._text()))

    def end(self, component_id: str, *, is_known: bool) -> None:
        """Note that a run has ended; `is_known`: what opkg's files say of the package is true."""
        self._heal()
        found = replace(self._unfinished(), status=None)
        changes = {k: v for k, v in found.changes.items() if k != component_id or not is_known}
        self._write(replace(found, changes=changes))

    def brought(self, component_id: str) -> tuple[str, ...]:
        """Return the paths that unfinished installations of a package were the first to bring."""
        return self._unfinished().changes.get(component_id, ())

    def sweep(self, component_id: str) -> None:
        """Delete opkg's files about a package of which its status file knows nothing."""
        row = self.row(component_id)
        if row is None or row.is_empty:
            for suffix in _SUFFIXES:
                self.file(component_id, suffix).unlink(missing_ok=True)

    def _heal(self) -> None:
        """Put the status file back that a killed opkg left cut off."""
        file, text = self._status_file(), self._text()
        if text == (_text(file) or ""):
            return
        new = file.with_name(f"{file.name}.scomod")
        with new.open("w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), _PUBLIC)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(file)
        durable.sync_dir(file.parent)

    def _write(self, unfinished: Unfinished) -> None:
        if not unfinished.changes and unfinished.status is None:
            if self._note.exists():
                durable.discard(self._note)
            return
        self._note.parent.mkdir(parents=True, exist_ok=True)
        value = {"changes": dict(unfinished.changes), "status": unfinished.status}
        durable.write_json(self._note, value, mode=_PUBLIC)

    # -- reading ---------------------------------------------------------------

    def _judged(self, row: Row, version: str) -> Presence:
        """Compare a stanza with the control file beside it: an upgrade writes that first."""
        control = self.text_of(row.name, "control")
        if row.is_empty:
            return Presence.ABSENT if control is None else Presence.PARTIAL
        noted = opkg_output.noted_version(control or "")
        if row.is_installed and (not noted or debversion.compare(noted, row.version)):
            return Presence.PARTIAL
        return row.presence(version)

    def _unfinished(self) -> Unfinished:
        try:
            found: dict[str, Any] = durable.read_json(self._note, max_bytes=_NOTE_LIMIT_BYTES)
        except InstallerError as error:
            if error.reason is Reason.NOT_PRESENT:
                return Unfinished()
            raise
        changes = {name: tuple(paths) for name, paths in found["changes"].items()}
        return Unfinished(changes=changes, status=found["status"])

    def _status_file(self) -> Path:
        if self._configured:
            return self._root / self._configured.lstrip("/")
        places = [self._root / name for name in STATUS_FILES]
        return next((place for place in places if place.exists()), places[0])

    def _text(self) -> str:
        """Read the status file, or what it was before an opkg that has not rewritten all of it."""
        current, found = self._read(), self._unfinished()
        if found.status is None:
            return current
        is_whole = opkg_output.is_whole(current, found.status, found.changes.keys())
        return current if is_whole else found.status

    def _read(self) -> str:
        """Read the status file; somebody's opkg may be writing it, so again if it changed."""
        file = self._status_file()
        for _ in range(_READS_COUNT):
            before = stamp(file)
            text = _text(file) or ""
            if stamp(file) == before:
                break
            self._sleep(_READ_AGAIN_S)
        return text


def _text(file: Path) -> str | None:
    try:
        return file.read_text("utf-8", "replace")
    except FileNotFoundError:
        return None
