# SPDX-License-Identifier: Apache-2.0
"""A Debian package made again of what is installed of it, for the way back of an upgrade.

Not the package that it was: what the image left out (documentation) is not in it, nor are
configuration files that somebody has changed.  dpkg would take their text for that of the
package, and replace it at the next upgrade; left out, they stay as they are (and are known as
conffiles of an earlier version).  One that was deleted is there without text: dpkg knows it
and lets it be.  dpkg installs the package over anything.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import dpkg_output, proc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scomod.installers.dpkg_database import Database

_TIMEOUT_S: Final = 1800.0
# What the database adds to the fields of a package; the list of conffiles is a file of its own.
_ADDED: Final = re.compile(r"^(Status|Conffiles|Config-Version):.*\n(?: .*\n)*", re.MULTILINE)
_CONFFILES: Final = re.compile(r"^Conffiles:\n((?: .*\n)*)", re.MULTILINE)
_WORDS: Final = 2  # of a line that names one: file, digest
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
        conffiles = _conffiles(stanza)
        changed = {name for name, md5 in conffiles.items() if _is_changed(database.root, name, md5)}
        there = (file.lstrip("/") for file in database.files(component_id))
        files = [file for file in there if file not in changed]
        # Where the device has a link (/lib), the package has a directory all the same.
        folders = {str(folder) for file in files for folder in Path(file).parents}
        for file in files:
            _copy(database.root / file, tree / file, is_folder=file in folders)
        _steer(database, component_id, stanza, tree)
        _name_conffiles(tree, sorted(conffiles.keys() - changed))
        # Not compressed: it lies there for minutes, and slow devices have no time.
        done = proc.run(
            ("dpkg-deb", "-Znone", "--build", str(tree), str(target)), timeout_s=_TIMEOUT_S
        )
    if done.rc != 0:
        text = dpkg_output.detail_of(done.stderr)
        raise InstallerError(Reason.INTERNAL, f"{component_id} cannot be packed again: {text}")


def _steer(database: Database, component_id: str, stanza: str, tree: Path) -> None:
    """Write what steers dpkg: the fields and the scripts."""
    folder = tree / "DEBIAN"
    folder.mkdir()
    (folder / "control").write_text(_ADDED.sub("", stanza))
    for file in database.scripts(component_id):
        kind = file.suffix.lstrip(".")
        if kind not in _LISTS:
            shutil.copy2(file, folder / kind)


def _name_conffiles(tree: Path, names: Sequence[str]) -> None:
    for file in (tree / name for name in names):
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    if names:
        (tree / "DEBIAN/conffiles").write_text("".join(f"/{name}\n" for name in names))


def _conffiles(stanza: str) -> dict[str, str]:
    """Return the configuration files and the digest (MD5, hex) that each came with.

    Those of an earlier version ("obsolete") have a word more; they are no part of the package.
    """
    found = _CONFFILES.search(stanza)
    lines = [line.split() for line in found[1].splitlines()] if found else []
    return {words[0].lstrip("/"): words[1] if len(words) == _WORDS else "" for words in lines}


def _is_changed(root: Path, name: str, md5: str) -> bool:
    """Tell whether a configuration file is another than the package's; one deleted is not."""
    try:
        return hashlib.md5((root / name).read_bytes(), usedforsecurity=False).hexdigest() != md5
    except FileNotFoundError:
        return not md5


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
