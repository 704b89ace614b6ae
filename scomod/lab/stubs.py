# SPDX-License-Identifier: Apache-2.0
"""What a given package depends on, made to look installed on the scratch device.

A scratch root is empty, so that any real package would fail on its dependencies.
This writes entries without files into the package database; it resolves nothing
and takes the first of alternatives.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scomod.lab.packages import query

if TYPE_CHECKING:
    from pathlib import Path

CLAUSE: Final = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]+)(:[a-z0-9]+)?(\s*\((?P<relation>[<>=]+)\s*(?P<version>\S+)\))?"
)
# A version that satisfies the relation: ~ sorts before, + behind (deb-version).
SUITABLE: Final = {"=": "{}", ">=": "{}", "<=": "{}", ">>": "{}+stub", "<<": "{}~stub", "": "1"}
# The relation that decides when a name is bound twice.
WEIGHT: Final = ("=", ">>", ">=", "<=", "<<", "")
STANZA: Final = """Package: {name}
Status: install ok installed
Priority: optional
Section: misc
Maintainer: scomod-lab <lab@localhost>
Architecture: {architecture}
Multi-Arch: allowed
Version: {version}
Description: stands for a package of the device's image

"""


def dependencies(archive: Path) -> dict[str, str]:
    """Return name -> version of what would satisfy a package; raises `PackageError`."""
    text = query(archive, "${Pre-Depends}, ${Depends}")
    found: dict[str, tuple[int, str]] = {}
    for clause in text.split(","):
        match = CLAUSE.match(clause.split("|")[0].strip())
        if match is None:
            continue
        relation = match["relation"] or ""
        version = SUITABLE[relation].format(match["version"])
        rank = WEIGHT.index(relation)
        if rank < found.get(match["name"], (len(WEIGHT), ""))[0]:
            found[match["name"]] = (rank, version)
    return {name: version for name, (_, version) in found.items()}


def preinstall(root: Path, archive: Path, architecture: str) -> list[str]:
    """Write the dependencies of a package into the database of a new root; returns their names."""
    admin = root / "var/lib/dpkg"
    (admin / "info").mkdir(parents=True)
    needed = dependencies(archive)
    with (admin / "status").open("w", encoding="utf-8") as status:
        for name, version in sorted(needed.items()):
            status.write(STANZA.format(name=name, version=version, architecture=architecture))
            (admin / "info" / f"{name}.list").write_text("/.\n", encoding="utf-8")
    return sorted(needed)
