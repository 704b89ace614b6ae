"""Small real flatpak bundles, built by the real flatpak in about 0.1 s each, without network."""

from __future__ import annotations

import gzip
import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ARCHITECTURE = os.uname().machine
APPDATA = (
    '<components version="0.8"><component type="desktop"><id>{name}</id><name>Hello</name>'
    "<summary>Says hello</summary>"
    '<releases><release version="{version}" timestamp="1600000000"/></releases>'
    "</component></components>"
)

# Bundles by what they were made from: building one costs more than most tests.
_BUILT: dict[str, bytes] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What goes into a bundle; `day` is when its commit was made, `content` its only file.

    A `version` is brought by an AppStream file; without one there is only the commit.
    """

    name: str = "org.scomo.Hello"
    branch: str = "stable"
    version: str = ""
    day: str = "2024-01-01"
    content: str = "hello"
    context: str = ""
    is_runtime: bool = False
    architecture: str = ARCHITECTURE
    files: Mapping[str, bytes] = field(default_factory=dict)

    def build(self, folder: Path) -> Path:
        """Write the bundle into `folder`; gives its path.  It is made once in a test run."""
        target = folder / f"{self.name}_{self.version or self.day}.flatpak"
        if repr(self) not in _BUILT:
            self._make(folder, target)
            _BUILT[repr(self)] = target.read_bytes()
        target.write_bytes(_BUILT[repr(self)])
        return target

    def _make(self, folder: Path, target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            repo, tree = Path(temporary, "repo"), Path(temporary, "tree")
            self._write(tree)
            kind = ["--runtime", "--files=files"] if self.is_runtime else []
            _flatpak(
                "build-export", *kind, "--disable-sandbox", f"--arch={self.architecture}",
                f"--timestamp={self.day}T00:00:00Z", repo, tree, self.branch,
            )  # fmt: skip
            _flatpak(
                "build-bundle", *kind[:1], f"--arch={self.architecture}", repo, target,
                self.name, self.branch,
            )  # fmt: skip

    def _write(self, tree: Path) -> None:
        (tree / "export").mkdir(parents=True)
        files = {"share/content": self.content.encode(), **self.files}
        if self.version:
            text = APPDATA.format(name=self.name, version=self.version)
            files[f"share/app-info/xmls/{self.name}.xml.gz"] = gzip.compress(text.encode())
        for name, content in files.items():
            path = tree / "files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (tree / "metadata").write_text(self._metadata())

    def _metadata(self) -> str:
        runtime = f"org.scomo.Platform/{self.architecture}/1"
        group = "Runtime" if self.is_runtime else "Application"
        return f"[{group}]\nname={self.name}\nruntime={runtime}\nsdk={runtime}\n{self.context}"


RUNTIME = Bundle(name="org.scomo.Platform", branch="1", is_runtime=True)


def _flatpak(*arguments: str | Path) -> None:
    subprocess.run(["flatpak", *arguments], check=True, capture_output=True)
