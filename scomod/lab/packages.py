# SPDX-License-Identifier: Apache-2.0
"""Builds the demo's packages on the spot, and says what a device must be told of a package.

Real archives made by dpkg-deb; no maintainer scripts, so that they install into
a scratch root that holds no shell.  The text for InstallParams is
`sha256=<hex>;ed25519=<base64>;size=<octets>`, the signature being over the 32 octets
of the digest.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from scomod.errors import ScomodError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scomod.lab.pki import Pki

DPKG_DEB = "/usr/bin/dpkg-deb"
ZSTD = "zstd"
DELTA_WORDS = ("--quiet", "--force", "-19")
DEADLINE_S = 120.0
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
FILLER_BYTES = 2 << 20
READ_BYTES = 1 << 20
EXECUTABLE = 0o755
PLAIN = 0o644
PROGRAM_DIRS = ("usr/bin/",)
BUNDLE = "bundle"
BUNDLE_TYPE = "application/vnd.scomod.bundle+tar"
MANIFEST = "manifest.json"


class PackageError(ScomodError):
    """dpkg-deb failed or is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What goes into a package: `files` maps paths below the root to their text."""

    name: str
    version: str
    summary: str
    files: Mapping[str, str] = field(default_factory=dict)
    filler_bytes: int = 0
    depends: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A package file and what proves it; `env_type` and `pkg_type` only where they must be said."""

    path: Path
    name: str
    version: str
    size_bytes: int
    sha256: str
    signature: str
    env_type: str = ""
    pkg_type: str = ""

    @property
    def install_params(self) -> str:
        """The text of the InstallParams leaf."""
        return f"sha256={self.sha256};ed25519={self.signature};size={self.size_bytes}"

    def order_params(self, url: str, *, node: str = "", description: str = "") -> dict[str, str]:
        """Return the parameters of an `install` order (scomo.ORDERS) for the file at `url`."""
        return {
            "node": node or self.name,
            "pkg_id": f"{self.name}-{self.version}",
            "url": url,
            "name": self.name,
            "params": self.install_params,
            "description": description,
            "env_type": self.env_type,
            "pkg_type": self.pkg_type,
        }


HELLO = Recipe(
    name="hello-scomod",
    version="1.0",
    summary="says hello, to show that it was installed",
    # no documentation: small images and containers have dpkg leave it out
    files={
        "usr/bin/hello-scomod": '#!/bin/sh\necho "hello from scomod"\n',
        "usr/share/hello-scomod/greeting": "hello\n",
        "usr/share/hello-scomod/README": "A package made by scomod-lab for its demo.\n",
    },
    filler_bytes=FILLER_BYTES,
)
NEWER = replace(HELLO, version="2.0")
NEEDY = Recipe(
    name="needy-scomod",
    version="1.0",
    summary="a package that needs what is nowhere",
    files={"usr/share/needy-scomod/README": "This cannot be installed.\n"},
    depends="nowhere-scomod",
)
DECLINED = Recipe(
    name="unwanted-scomod",
    version="1.0",
    summary="a package that the person does not want",
    files={"usr/share/unwanted-scomod/README": "Nobody asked for this.\n"},
)
FORGED = Recipe(
    name="forged-scomod",
    version="1.0",
    summary="a package that is not what the server announced",
    files={"usr/share/forged-scomod/README": "This must never be installed.\n"},
)


def build(recipe: Recipe, directory: Path, pki: Pki, *, packing: str = "gzip") -> Payload:
    """Build a package into `directory`; the same recipe gives the same octets.

    `packing` is how it is compressed inside, "none" for what deltas are made of.
    """
    archive = directory / f"{recipe.name}_{recipe.version}_all.deb"
    with tempfile.TemporaryDirectory(prefix="scomod-lab-") as scratch:
        tree = Path(scratch) / "tree"
        _lay_out(recipe, tree)
        _run("--root-owner-group", f"-Z{packing}", "--build", str(tree), str(archive))
    return payload_of(archive, pki)


def payload_of(archive: Path, pki: Pki) -> Payload:
    """Say what a device must be told of any .deb; raises `PackageError` when it is none."""
    name, version = query(archive, "${Package}\n${Version}").splitlines()
    return _signed(archive, name, version, pki)


def payload_of_any(file: Path, pki: Pki) -> Payload:
    """Say what a device must be told of any file: of a .deb what it says, else what its name says.

    Raises `PackageError` for a .deb that is none.
    """
    if file.suffix == ".deb":
        return payload_of(file, pki)
    name, _, version = file.stem.partition("_")
    kind = {"env_type": BUNDLE, "pkg_type": BUNDLE_TYPE} if file.suffix == f".{BUNDLE}" else {}
    return _signed(file, name, version or "0", pki, **kind)


def bundle(
    name: str,
    version: str,
    archives: Sequence[Path],
    directory: Path,
    pki: Pki,
    *,
    scope: str = "whole",
) -> Payload:
    """Put .debs into one package, in the order of their installation; `scope` whole or part."""
    target = directory / f"{name}_{version}.bundle"
    rows = [
        {"file": each.name, "environment": "deb", "sha256": _digest(each).hex()}
        for each in archives
    ]
    manifest = json.dumps({"bundle": 1, "scope": scope, "components": rows})
    with tempfile.TemporaryDirectory(prefix="scomod-lab-") as scratch:
        listing = Path(scratch) / MANIFEST
        listing.write_text(manifest)
        with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as tar:
            for file in (listing, *archives):
                tar.add(file, file.name)
    return _signed(target, name, version, pki, env_type=BUNDLE, pkg_type=BUNDLE_TYPE)


def _signed(file: Path, name: str, version: str, pki: Pki, **kind: str) -> Payload:
    digest = _digest(file)
    return Payload(
        path=file,
        name=name,
        version=version,
        size_bytes=file.stat().st_size,
        sha256=digest.hex(),
        signature=pki.sign(digest),
        **kind,
    )


def _digest(file: Path) -> bytes:
    digest = hashlib.sha256()
    with file.open("rb") as octets:
        while block := octets.read(READ_BYTES):
            digest.update(block)
    return digest.digest()


def delta_params(older: Path, newer: Path, directory: Path, base_url: str) -> str:
    """Make a delta between two packages in `directory`, served at `base_url`.

    Gives what InstallParams say of it.  Raises `PackageError`.
    """
    target = directory / f"{older.stem}-to-{newer.stem}.zst"
    _run(*DELTA_WORDS, f"--patch-from={older}", str(newer), "-o", str(target), program=ZSTD)
    return (
        f"delta={base_url}/{target.name};delta_base={_digest(older).hex()};"
        f"delta_size={target.stat().st_size};delta_sha256={_digest(target).hex()}"
    )


def query(archive: Path, wanted: str) -> str:
    """Return fields of a package, written as dpkg-deb's --showformat; raises `PackageError`."""
    return _run(f"--showformat={wanted}\n", "--show", str(archive))


def conffiles(archive: Path) -> list[str]:
    """List the configuration files of a package, relative to the root."""
    if "conffiles" not in _run("--info", str(archive)):
        return []
    listing = _run("--info", str(archive), "conffiles").split()
    return [name.removeprefix("/") for name in listing if name.startswith("/")]


def native_architecture() -> str:
    """Return the architecture that dpkg works for here."""
    return _run("--print-architecture", program="dpkg").strip()


def contents(archive: Path) -> list[str]:
    """List the files (no directories) of a package, relative to the root: `dpkg-deb -c`.

    A link is listed under its own name; names are taken as the archive has them.
    """
    listing = [line.split(maxsplit=5) for line in _run("-c", str(archive)).splitlines()]
    names = [parts[5].split(" -> ")[0].split(" link to ")[0] for parts in listing]
    return [name.removeprefix("./") for name in names if not name.endswith("/")]


def _lay_out(recipe: Recipe, tree: Path) -> None:
    """Write the tree that dpkg-deb packs, with one fixed time so that builds agree."""
    for name, text in recipe.files.items():
        mode = EXECUTABLE if name.startswith(PROGRAM_DIRS) else PLAIN
        _put(tree / name, text.encode(), mode)
    if recipe.filler_bytes:
        filler = hashlib.shake_256(recipe.name.encode()).digest(recipe.filler_bytes)
        _put(tree / "usr/share" / recipe.name / "filler", filler, PLAIN)
    _put(tree / "DEBIAN/control", _control(recipe).encode(), PLAIN)
    for directory in (tree, *(path for path in tree.rglob("*") if path.is_dir())):
        directory.chmod(EXECUTABLE)  # whatever the umask of who runs the bench


def _control(recipe: Recipe) -> str:
    return (
        f"Package: {recipe.name}\nVersion: {recipe.version}\nArchitecture: all\n"
        f"Maintainer: scomod-lab <lab@localhost>\nSection: misc\nPriority: optional\n"
        + (f"Depends: {recipe.depends}\n" if recipe.depends else "")
        + f"Description: {recipe.summary}\n"
    )


def _put(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def _run(*arguments: str, program: str = DPKG_DEB) -> str:
    """Run dpkg-deb or dpkg; SOURCE_DATE_EPOCH clamps all times in an archive."""
    try:
        done = subprocess.run(  # packages are built on the bench, not on a device
            [program, *arguments],
            env={**ENVIRONMENT, "SOURCE_DATE_EPOCH": "1"},
            capture_output=True,
            timeout=DEADLINE_S,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        text = error.stderr.decode("utf-8", "replace").strip()
        raise PackageError(f"{program} {arguments[0]} failed: {text}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PackageError(f"{program} cannot run: {error}") from error
    return done.stdout.decode("utf-8", "replace")
