# SPDX-License-Identifier: Apache-2.0
"""Small real flatpak bundles, built by the real flatpak in about 0.1 s each, without network."""

from __future__ import annotations

import base64
import contextlib
import gzip
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ARCHITECTURE = os.uname().machine
APPDATA = (
    '<components version="0.8"><component type="desktop"><id>{name}</id><name>Hello</name>'
    "<summary>Says hello</summary>"
    '<releases><release version="{version}" timestamp="1600000000"/></releases>'
    "</component></components>"
)

# As anybody else it asks services of the system bus for leave, which tests do not have.
INSTALLS_AS = "flatpak installs without services as root only"

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
            repo = Path(temporary, "repo")
            self.export(repo)
            _flatpak(
                "build-bundle", *self._kind[:1], f"--arch={self.architecture}", repo, target,
                self.name, self.branch,
            )  # fmt: skip

    def export(self, repo: Path, *signing: str) -> None:
        """Put it into a repository, for remotes."""
        with tempfile.TemporaryDirectory(dir=repo.parent) as temporary:
            tree = Path(temporary, "tree")
            self._write(tree)
            _flatpak(
                "build-export", *self._kind, "--disable-sandbox", f"--arch={self.architecture}",
                f"--timestamp={self.day}T00:00:00Z", *signing, repo, tree, self.branch,
            )  # fmt: skip

    @property
    def ref(self) -> str:
        kind = "runtime" if self.is_runtime else "app"
        return f"{kind}/{self.name}/{self.architecture}/{self.branch}"

    @property
    def _kind(self) -> list[str]:
        return ["--runtime", "--files=files"] if self.is_runtime else []

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
            path.chmod(0o755 if name.startswith("bin/") else 0o644)
        (tree / "metadata").write_text(self._metadata())

    def _metadata(self) -> str:
        runtime = f"org.scomo.Platform/{self.architecture}/1"
        group = "Runtime" if self.is_runtime else "Application"
        command = "command=hello\n" if "bin/hello" in self.files else ""
        return (
            f"[{group}]\nname={self.name}\nruntime={runtime}\nsdk={runtime}\n"
            f"{command}{self.context}"
        )


HELLO = "org.scomo.Hello:stable"
PLATFORM = "org.scomo.Platform:1"
RUNTIME = Bundle(name="org.scomo.Platform", branch="1", is_runtime=True)
OLD = Bundle(day="2024-01-01", content="old", context="[Context]\nshared=network;\n")
NEW = Bundle(day="2024-02-02", content="new", context="[Context]\nshared=network;\n")


@dataclass(frozen=True)
class Keys:
    """Two GPG keys in a home of their own; the public parts as a keyring each."""

    home: Path
    ours: str
    ours_public: bytes
    other_public: bytes


@contextlib.contextmanager
def key_folder() -> Iterator[Keys]:
    """Make keys without passphrase; their agent ends afterwards."""
    # Not below pytest's folders: the agent's socket needs a short path.
    with tempfile.TemporaryDirectory(prefix="scomod-gpg-") as folder:
        home = Path(folder)
        try:
            for name in ("ours", "other"):
                _gpg(home, "--passphrase", "", "--quick-gen-key", name, "ed25519", "sign", "never")
            listed = _gpg(home, "--with-colons", "--list-keys", "ours").decode()
            fingerprint = next(x for x in listed.splitlines() if x.startswith("fpr")).split(":")[9]
            publics = [_gpg(home, "--export", name) for name in ("ours", "other")]
            yield Keys(home, fingerprint, *publics)
        finally:
            _run("gpgconf", "--homedir", str(home), "--kill", "all")


@dataclass(frozen=True)
class Shelf:
    """States of one signed repository, each built once for all tests."""

    folder: Path
    keys: Keys

    def put(self, state: str, *bundles: Bundle, start: str = "") -> None:
        repo = self.folder / state
        if start:
            shutil.copytree(self.folder / start, repo)
        for bundle in bundles:
            bundle.export(repo, *self._signing)
        self.sign(repo)

    def bundle(self, state: str, bundle: Bundle, target: Path) -> Path:
        """Make a bundle that has a signature and, for flatpak to check it, the key."""
        key = target.with_suffix(".gpg")
        key.write_bytes(self.keys.ours_public)
        signing = (*self._signing, f"--gpg-keys={key}")
        _flatpak("build-bundle", *signing, self.folder / state, target, bundle.name, bundle.branch)
        return target

    def sign(self, repo: Path) -> None:
        _flatpak("build-update-repo", "--no-update-appstream", *self._signing, repo)

    @property
    def _signing(self) -> tuple[str, ...]:
        return f"--gpg-sign={self.keys.ours}", f"--gpg-homedir={self.keys.home}"


@dataclass(frozen=True)
class Shop:
    """A remote that shows one of the states, and the .flatpakref files for it."""

    repo: Path
    shelf: Shelf

    @property
    def url(self) -> str:
        return self.repo.as_uri()

    def show(self, state: str) -> None:
        shutil.rmtree(self.repo, ignore_errors=True)
        shutil.copytree(self.shelf.folder / state, self.repo)

    def close(self) -> None:
        shutil.rmtree(self.repo)

    def resign(self) -> None:
        """Sign the listing again after something was taken out."""
        self.shelf.sign(self.repo)

    def unsign(self) -> None:
        """Take the signatures of the commits away, which lie beside them."""
        for path in self.repo.glob("objects/*/*.commitmeta"):
            path.unlink()

    def commit(self, bundle: Bundle) -> str:
        return (self.repo / "refs/heads" / bundle.ref).read_text().strip()

    def ref_file(self, name: str = "a", *, key: bytes | None = None, url: str = "") -> Path:
        """Write a .flatpakref; another `name` is another file for the same software."""
        public = self.shelf.keys.ours_public if key is None else key
        path = self.repo.parent / f"{name}.flatpakref"
        path.write_text(
            f"[Flatpak Ref]\nName={OLD.name}\nBranch={OLD.branch}\nUrl={url or self.url}\n"
            f"Title={name}\nComment=Says hello\nIsRuntime=false\n"
            f"GPGKey={base64.b64encode(public).decode()}\n"
        )
        return path


def _flatpak(*arguments: str | Path) -> None:
    _run("flatpak", *arguments)


def _gpg(home: Path, *arguments: str) -> bytes:
    return _run("gpg", "--homedir", home, "--batch", "--quiet", *arguments)


def _run(*argv: str | Path) -> bytes:
    return subprocess.run(argv, check=True, capture_output=True).stdout
