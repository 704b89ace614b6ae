# SPDX-License-Identifier: Apache-2.0
"""Small repositories of Debian packages in a directory, and devices that have them as sources."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from tests.support.debs import sha256

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.debs import Deb


def fill(folder: Path, *debs: Deb) -> str:
    """Put packages into a repository with an index; gives its line for sources.list."""
    folder.mkdir(parents=True, exist_ok=True)
    stanzas = []
    for deb in debs:
        archive = deb.build(folder)
        fields = subprocess.run(
            ["dpkg-deb", "-f", archive], check=True, capture_output=True, text=True
        ).stdout
        size = archive.stat().st_size
        stanzas.append(
            f"{fields}Filename: ./{archive.name}\nSize: {size}\nSHA256: {sha256(archive)}\n"
        )
    (folder / "Packages").write_text("\n".join(stanzas))
    return f"deb [trusted=yes] file:{folder} ./\n"


def subscribe(root: Path, sources: str) -> None:
    """Give a device its sources, and let its apt read what only we may read."""
    etc = root / "etc/apt"
    for name in ("apt.conf.d", "preferences.d", "trusted.gpg.d"):
        (etc / name).mkdir(parents=True, exist_ok=True)
    (etc / "sources.list").write_text(sources)
    user = "root" if os.geteuid() == 0 else ""
    (etc / "apt.conf").write_text(f'APT::Sandbox::User "{user}";\n')
