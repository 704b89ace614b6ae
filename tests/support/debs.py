# SPDX-License-Identifier: Apache-2.0
"""Small real Debian archives, built by the real dpkg-deb in about 10 ms each."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ARCHIVE_FOLDER_MODE = 0o755


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """What goes into an archive; `files` maps a path below / to its content."""

    name: str = "hello"
    version: str = "1.0"
    architecture: str = "all"
    depends: str = ""
    conflicts: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    conffiles: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    extra_fields: str = ""

    def build(self, folder: Path) -> Path:
        """Write the archive into `folder`; gives its path."""
        target = folder / f"{self.name.replace('/', '_')}_{self.version}.deb"
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            tree = Path(temporary)
            tree.chmod(ARCHIVE_FOLDER_MODE)
            self._write(tree)
            subprocess.run(
                ["dpkg-deb", "-Znone", "--root-owner-group", "--nocheck", "-b", tree, target],
                check=True,
                capture_output=True,
            )
        return target

    def _write(self, tree: Path) -> None:
        marker = {f"usr/share/{self.name}/version": f"{self.version}\n"}
        files = {**(self.files or marker), **self.conffiles}
        for name, content in files.items():
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        control = tree / "DEBIAN"
        control.mkdir(mode=0o755)
        (control / "control").write_text(self._control())
        if self.conffiles:
            (control / "conffiles").write_text("".join(f"/{name}\n" for name in self.conffiles))
        for name, body in self.scripts.items():
            script = control / name
            script.write_text(f"#!/bin/sh\n{body}\n")
            script.chmod(0o755)

    def _control(self) -> str:
        fields = {
            "Package": self.name,
            "Version": self.version,
            "Architecture": self.architecture,
            "Maintainer": "Test <test@example.org>",
            "Depends": self.depends,
            "Conflicts": self.conflicts,
            "Installed-Size": "12",
        }
        lines = [f"{name}: {value}\n" for name, value in fields.items() if value]
        return (
            f"{''.join(lines)}{self.extra_fields}"
            f"Description: the {self.name} of the tests\n more text\n"
        )


def sha256(path: Path) -> str:
    """Give the digest of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
