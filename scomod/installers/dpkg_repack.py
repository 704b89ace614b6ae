# SPDX-License-Identifier: Apache-2.0
"""A Debian package made again of what is installed of it, for the way back of an upgrade.

Not the package that it was: configuration files come as they are on the device, and what
the image left out (documentation) is not in it.  dpkg installs it over anything.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import dpkg_output, proc

if TYPE_CHECKING:
    from scomod.installers.dpkg_database import Database

_TIMEOUT_S: Final = 1800.0
# What the database adds to the fields of a package; the list of conffiles is a file of its own.
_ADDED: Final = re.compile(r"^(Status|Conffiles|Config-Version):.*\n(?: .*\n)*", re.MULTILINE)
_CONFFILES: Final = re.compile(r"^Conffiles:\n((?: .*\n)*)", re.MULTILINE)
_LISTS: Final = frozenset({"list", "md5sums", "conffiles"})
_SCRIPT_MODE: Final = 0o755


def repack(database: Database, component_id: str, target: Path) -> None:
    """Make an archive of an installed package; raises `InstallerError`, `OSError`."""
    stanza = database.control(component_id)
    if not stanza:
        raise InstallerError(Reason.NOT_PRESENT, f"{component_id} is not installed")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".repack-") as name:
        tree = Path(name)
        tree.chmod(_SCRIPT_MODE)
        files = [file.lstrip("/") for file in database.files(component_id)]
        # Where the device has a link (/lib), the package has a directory all the same.
        folders = {str(folder) for file in files for folder in Path(file).parents}
        for file in files:
            _copy(database.root / file, tree / file, is_folder=file in folders)
        _steer(database, component_id, stanza, tree)
        # Not compressed: it lies there for minutes, and slow devices have no time.
        done = proc.run(
            ("dpkg-deb", "-Znone", "--build", str(tree), str(target)), timeout_s=_TIMEOUT_S
        )
    if done.rc != 0:
        text = dpkg_output.detail_of(done.stderr)
        raise InstallerError(Reason.INTERNAL, f"{component_id} cannot be packed again: {text}")


def _steer(database: Database, component_id: str, stanza: str, tree: Path) -> None:
    """Write what steers dpkg: the fields, the scripts, the names of configuration files."""
    folder = tree / "DEBIAN"
    folder.mkdir()
    (folder / "control").write_text(_ADDED.sub("", stanza))
    for file in database.scripts(component_id):
        kind = file.suffix.lstrip(".")
        if kind not in _LISTS:
            shutil.copy2(file, folder / kind)
    found = _CONFFILES.search(stanza)
    names = [line.split()[0] for line in found[1].splitlines()] if found else []
    kept = [name for name in names if (tree / name.lstrip("/")).is_file()]
    if kept:
        (folder / "conffiles").write_text("".join(f"{name}\n" for name in kept))


def _copy(source: Path, target: Path, *, is_folder: bool) -> None:
    """Put a file, a link or a directory there as it is, with its owner; one that is gone not."""
    if source.is_dir() and (is_folder or not source.is_symlink()):
        target.mkdir(exist_ok=True)
        shutil.copystat(source, target)
    elif source.is_symlink() or source.is_file():
        shutil.copy2(source, target, follow_symlinks=False)
    else:
        return
    if os.geteuid() == 0:
        info = source.stat() if target.is_dir() else source.lstat()
        os.chown(target, info.st_uid, info.st_gid, follow_symlinks=False)
