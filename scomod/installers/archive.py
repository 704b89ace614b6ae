# SPDX-License-Identifier: Apache-2.0
"""Kept archives and their index: what makes a component able to be Inactive (design §6).

    store/<sha256>.<environment>   archives, owned by who installs, mode 0600 or 0640
    index/<component>.json         one entry per component, mode 0644

The unprivileged daemon reads the index, and where deltas are wanted, by its group, archives
that it knows by name: they are what deltas start from.  It writes neither.
An entry is written after the tool has done its work and says what is so; an
archive that neither an entry nor a plan (`plan.py`) names is rubbish of an
interrupted or replaced job and is swept after the next one.
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Final

from scomod.errors import InstallerError, Reason, VerifyError
from scomod.installers import durable
from scomod.installers.base import InstalledItem, stamp
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_COMPONENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.:_-]{0,127}")
_SUFFIX: Final = re.compile(r"[a-z0-9]{1,16}")
_ENTRY_LIMIT_BYTES: Final = 64 << 10
_PUBLIC_FILE: Final = 0o644
_PUBLIC_DIR: Final = 0o755
_PRIVATE_DIR: Final = 0o700
# For a group that may open what it knows the name of, and list nothing.
_SHARED_DIR: Final = 0o710
_SHARED_FILE: Final = 0o640


@frozen
class Entry:
    """What is kept about one component; `digest` names its archive.

    `owner` is the server that brought it, `place` its place in the order of its
    package, `units` its services while it is active, `permissions` what its archive said
    that it may do.
    """

    id: str
    version: str
    digest: str
    is_active: bool
    backend: str
    environment: str
    package_id: str = ""
    description: str = ""
    owner: str = ""
    place: int = 0
    units: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()

    @property
    def archive(self) -> str:
        """Name of its archive in the store."""
        return f"{self.digest}.{self.environment}"

    def item(self) -> InstalledItem:
        """Show the entry as a piece of installed software."""
        return InstalledItem(
            id=self.id,
            name=self.id,
            version=self.version,
            environment=self.environment,
            is_active=self.is_active,
            description=self.description,
            digest=self.digest,
            package_id=self.package_id,
            owner=self.owner,
            units=self.units,
            permissions=self.permissions,
        )

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Entry | None:
        """Read an entry that was JSON; None for anything of another shape."""
        types = {name: type(item) for name, item in value.items()}
        if types.keys() - _LATER_FIELDS != _FIELD_TYPES.keys() - _LATER_FIELDS:
            return None
        if any(_FIELD_TYPES[name] is not kind for name, kind in types.items()):
            return None
        texts = {name: tuple(map(str, value.get(name, ()))) for name in _TEXT_LISTS}
        return cls(**{**value, **texts})


_TEXT_LISTS: Final = ("units", "permissions")
_FIELD_TYPES: Final = {field.name: str for field in fields(Entry)} | {
    "is_active": bool,
    "place": int,
    **dict.fromkeys(_TEXT_LISTS, list),
}
# What entries of an earlier version do not have.
_LATER_FIELDS: Final = frozenset({"owner", "place", *_TEXT_LISTS})


class Archives:
    """The store and the index below one directory; `readers` is a group that may read archives."""

    def __init__(self, install_dir: Path, readers: int | None = None) -> None:
        self._readers = readers
        self._store_dir = install_dir / "store"
        self._index_dir = install_dir / "index"

    def make_dirs(self) -> None:
        """Make the two directories; for the side that writes."""
        self._store_dir.mkdir(mode=_PRIVATE_DIR, parents=True, exist_ok=True)
        self._index_dir.mkdir(mode=_PUBLIC_DIR, parents=True, exist_ok=True)
        if not self._share(self._store_dir, _SHARED_DIR):
            self._store_dir.chmod(_PRIVATE_DIR)
        self._index_dir.chmod(_PUBLIC_DIR)

    def path(self, digest: str, environment: str) -> Path:
        """Say where an archive is or would be; raises `InstallerError(POLICY)` for a bad name."""
        if not DIGEST.fullmatch(digest) or not _SUFFIX.fullmatch(environment):
            raise InstallerError(Reason.POLICY, f"no archive can be called {digest!r:.80}")
        return self._store_dir / f"{digest}.{environment}"

    def keep(self, payload: Path, digest: str, environment: str) -> Path:
        """Move a checked payload into the store (same file system); gives its place there."""
        place = self.path(digest, environment)
        self._share(payload, _SHARED_FILE)
        payload.rename(place)
        durable.sync_dir(self._store_dir)
        return place

    def entry(self, component_id: str) -> Entry | None:
        """Look a component up; a damaged entry counts as none."""
        path = self._entry_path(component_id)
        return _read_entry(path) if path.exists() else None

    def entries(self) -> list[Entry]:
        """List all entries by component id."""
        if not self._index_dir.is_dir():
            return []
        found = (_read_entry(path) for path in sorted(self._index_dir.glob("[!.]*.json")))
        return [entry for entry in found if entry is not None]

    def mark(self) -> str:
        """Return what is another text after any change of an entry: they are renamed into place."""
        return stamp(self._index_dir)

    def record(self, entry: Entry) -> None:
        """Write an entry, replacing the one of the same component."""
        durable.write_json(self._entry_path(entry.id), asdict(entry), mode=_PUBLIC_FILE)

    def drop(self, component_id: str) -> None:
        """Forget a component; its archive goes with the next sweep."""
        durable.discard(self._entry_path(component_id))

    def checked(self, entry: Entry) -> Path:
        """Give the archive of an entry if it is still what it was; flash forgets.

        Raises `InstallerError(NOT_PRESENT)`, `VerifyError(DIGEST)`.
        """
        place = self.path(entry.digest, entry.environment)
        if not place.exists():
            raise InstallerError(
                Reason.NOT_PRESENT, f"the archive of {entry.id} {entry.version} is gone"
            )
        from scomod import verify  # noqa: PLC0415 - the waiting daemon checks nothing

        with place.open("rb") as file:
            if verify.sha256_of(file) != entry.digest:
                raise VerifyError(Reason.DIGEST, f"the kept archive of {entry.id} is damaged")
        return place

    def sweep(self, spared: AbstractSet[str] = frozenset()) -> None:
        """Delete every archive that no entry names and that is not spared (file names)."""
        named = {entry.archive for entry in self.entries()} | spared
        rubbish = [path for path in self._store_dir.iterdir() if path.name not in named]
        for path in rubbish:
            path.unlink()
        if rubbish:
            durable.sync_dir(self._store_dir)

    def _share(self, path: Path, mode: int) -> bool:
        """Give a path to the readers; false where there are none, or it cannot be theirs."""
        if self._readers is None:
            return False
        try:
            os.chown(path, -1, self._readers)
        except PermissionError:  # we are not root, and not in that group
            return False
        path.chmod(mode)
        return True

    def _entry_path(self, component_id: str) -> Path:
        if not _COMPONENT.fullmatch(component_id):
            raise InstallerError(Reason.POLICY, f"no component can be called {component_id!r:.80}")
        return self._index_dir / f"{component_id}.json"


def _read_entry(path: Path) -> Entry | None:
    try:
        value: dict[str, Any] = durable.read_json(path, max_bytes=_ENTRY_LIMIT_BYTES)
    except InstallerError:
        return None
    return Entry.of(value)
