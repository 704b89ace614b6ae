# SPDX-License-Identifier: Apache-2.0
"""Small .ipk archives in both containers, made in this process."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Ipk:
    """What goes into an archive; `container` is "tar" (OpenWrt) or "ar" (Yocto).

    Archives without `has_folders` have no entries for directories: badly made, but seen.
    """

    name: str = "hello"
    version: str = "1.0-r1"
    architecture: str = "all"
    depends: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    conffiles: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    container: str = "tar"
    has_folders: bool = True

    def build(self, folder: Path) -> Path:
        """Write the archive into `folder`; gives its path."""
        target = folder / f"{self.name.replace('/', '_')}_{self.version}_{self.container}.ipk"
        target.write_bytes(self.packed())
        return target

    def packed(self) -> bytes:
        control = {"control": self._control(), **self._scripts()}
        if self.conffiles:
            control["conffiles"] = "".join(f"/{name}\n" for name in self.conffiles)
        files = self.files or {f"usr/share/{self.name}/version": f"{self.version}\n"}
        parts = {
            "debian-binary": b"2.0\n",
            "data.tar.gz": tar_gz({**files, **self.conffiles}, has_folders=self.has_folders),
            "control.tar.gz": tar_gz(control),
        }
        return ar(parts) if self.container == "ar" else tar_gz(parts)

    def _scripts(self) -> dict[str, str]:
        return {name: f"#!/bin/sh\n{body}\n" for name, body in self.scripts.items()}

    def _control(self) -> str:
        fields = {
            "Package": self.name,
            "Version": self.version,
            "Depends": self.depends,
            "Architecture": self.architecture,
            "Installed-Size": "2048",
        }
        lines = [f"{name}: {value}\n" for name, value in fields.items() if value]
        return f"{''.join(lines)}Description: the {self.name} of the tests\n more text\n"


def tar_gz(members: Mapping[str, str | bytes], *, has_folders: bool = False) -> bytes:
    """Pack a gzipped tar of files with a leading "./"."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", format=tarfile.USTAR_FORMAT) as archive:
        above = {str(folder) for name in members for folder in PurePosixPath(name).parents}
        for folder in sorted(above - {"."}) if has_folders else ():
            info = tarfile.TarInfo(f"./{folder}")
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(info)
        for name, content in members.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(f"./{name}")
            info.size, info.mode = len(data), 0o755
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def ar(members: Mapping[str, bytes]) -> bytes:
    """Pack an ar archive as a .deb is one."""
    made = b"!<arch>\n"
    for name, data in members.items():
        made += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
        made += data + b"\n" * (len(data) % 2)
    return made
