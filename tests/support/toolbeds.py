# SPDX-License-Identifier: Apache-2.0
"""The package tools as a killed order meets them: archives of two versions, and the tool's word.

What is there is asked of the tools and read from the files themselves; a mixture of two
versions is nobody's version and fails.
"""

from __future__ import annotations

import os
import random
import subprocess
from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from scomod.installers.base import BUNDLE, Action
from tests.support import opkg_stand_in
from tests.support.bundles import pack
from tests.support.debs import Deb
from tests.support.flatpaks import RUNTIME, Bundle
from tests.support.ipks import Ipk
from tests.support.opkg_bed import stand_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from scomod.installers.base import Job
    from tests.support.helper_device import HelperDevice

OLD: Final = "1.0"
NEW: Final = "2.0"
_COUNT: Final = 20
_SCRIPTS: Final = ("preinst", "postinst", "prerm", "postrm")
_PAUSE_S: Final = 0.02  # a script takes its time, so that death may find it


def content_of(version: str) -> dict[str, str]:
    """Give the files of a version: most in both with other content, one only in this."""
    shared = {f"file{number}": f"{version} {number}\n" * 50 for number in range(_COUNT)}
    return {**shared, f"only-{version}": f"{version}\n"}


def whole(noted: str, folder: Path) -> str:
    """Give the version that a database has, whose files, all of them and no other, lie there."""
    files = folder.iterdir() if folder.is_dir() else ()
    found = {file.name: file.read_text() for file in files}
    assert found == (content_of(noted) if noted else {}), f"{noted!r}: {sorted(found)}"
    return noted


class Toolbed(ABC):
    """One tool; `components` are what the archives install, `config` is more of scomod.toml.

    The scripts of the archives last `pause_s`; with `bulk_bytes` the new version is as large.
    """

    name: str
    backend: str
    components: tuple[str, ...]
    config: str = ""
    versions: tuple[str, ...] = (OLD, NEW)

    def __init__(self, folder: Path, *, pause_s: float = _PAUSE_S, bulk_bytes: int = 0) -> None:
        self.folder = folder
        self._scripts = dict.fromkeys(_SCRIPTS, f"sleep {pause_s}") if pause_s else {}
        self._bulk = random.Random(bulk_bytes).randbytes(bulk_bytes // 2).hex()  # noqa: S311 - a seed
        self.archives: Mapping[str, Path] = {
            version: self._build(version) for version in self.versions
        }

    @abstractmethod
    def _build(self, version: str) -> Path:
        """Make an archive in the folder."""

    def _content(self, version: str) -> dict[str, str]:
        bulk = {"bulk": self._bulk} if self._bulk and version == NEW else {}
        return {**content_of(version), **bulk}

    @abstractmethod
    def bare(self, root: Path, archive: Path) -> tuple[list[str], dict[str, str]]:
        """Give words and environment that install an archive with the tool alone."""

    @abstractmethod
    def furnish(self, device: HelperDevice) -> None:
        """Give a new device what the archives need."""

    @abstractmethod
    def check_database(self, root: Path) -> None:
        """Let the tool check its own database; raises AssertionError."""

    @abstractmethod
    def _noted(self, root: Path) -> str:
        """Say which version the tool's database has, "" for none."""

    @abstractmethod
    def _files(self, root: Path) -> Path:
        """Give the directory in which the files of the component lie."""

    def installed(self, root: Path) -> str:
        """Say which version is there, "" for none; database and files must agree."""
        return whole(self._noted(root), self._files(root))

    def order(self, device: HelperDevice, version: str, order_id: str = "1") -> Job:
        """Order a version, "" for the removal."""
        if version:
            return device.order(Action.INSTALL, self.archives[version], id=order_id)
        (component_id,) = self.components
        return device.order(Action.REMOVE, id=order_id, component_id=component_id)


class DpkgBed(Toolbed):
    """The real dpkg."""

    name = backend = "dpkg"
    components: tuple[str, ...] = ("hello",)

    def _build(self, version: str) -> Path:
        files = {f"usr/share/hello/{name}": text for name, text in self._content(version).items()}
        return Deb(version=version, files=files, scripts=self._scripts).build(self.folder)

    def bare(self, root: Path, archive: Path) -> tuple[list[str], dict[str, str]]:
        rights = () if os.geteuid() == 0 else ("--force-not-root",)
        options = [f"--root={root}", "--force-script-chrootless", *rights]
        return ["dpkg", *options, "--install", str(archive)], {**os.environ}

    def furnish(self, device: HelperDevice) -> None:
        """Nothing: a missing database is made."""

    def check_database(self, root: Path) -> None:
        for question in ("--audit", "--verify"):
            said = _said("dpkg", f"--root={root}", question)
            assert said == "", said

    def _noted(self, root: Path) -> str:
        return self._versions(root, "hello")["hello"]

    def _versions(self, root: Path, *names: str) -> dict[str, str]:
        done = subprocess.run(
            ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W",
             "-f", "${Package};${Status};${Version}\n", *names],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        found = dict.fromkeys(names, "")
        for name, status, version in (line.split(";") for line in done.stdout.splitlines()):
            assert status in ("install ok installed", "unknown ok not-installed"), status
            found[name] = version if "ok installed" in status else ""
        return found

    def _files(self, root: Path) -> Path:
        return root / "usr/share/hello"


class SeveralBed(DpkgBed):
    """Three packages that need each other in a circle, in strict versions: one run of dpkg.

    They come in a bundle with a fourth, which stays as it is; "" is the bundle of it alone.
    """

    name = "dpkg-several"
    components: tuple[str, ...] = ("app", "lib", "plugin")
    versions = ("", OLD, NEW)

    def _build(self, version: str) -> Path:
        needs = zip(self.components, (*self.components[1:], self.components[0]), strict=True)
        debs = [Deb(name="base")]
        for name, needed in needs if version else ():
            files = {f"usr/share/{name}/{file}": text for file, text in content_of(version).items()}
            circle = f"base, {needed} (= {version})"
            debs.append(
                Deb(name=name, version=version, depends=circle, files=files, scripts=self._scripts)
            )
        archives = [deb.build(self.folder) for deb in debs]
        return pack(self.folder / f"suite-{version or 'alone'}.tar", archives)

    def furnish(self, device: HelperDevice) -> None:
        result = device.answered(self.order(device, "", "base"))
        assert result.is_ok, result.detail

    def installed(self, root: Path) -> str:
        noted = self._versions(root, "base", *self.components)
        assert noted.pop("base") == "1.0"
        (version,) = {whole(noted[name], root / "usr/share" / name) for name in noted}
        return version

    def order(self, device: HelperDevice, version: str, order_id: str = "1") -> Job:
        return device.order(
            Action.INSTALL, self.archives[version], id=order_id, backend=BUNDLE, package_id="suite"
        )


class FlatpakBed(Toolbed):
    """The real flatpak, with bundles."""

    name = backend = "flatpak"
    components: tuple[str, ...] = ("org.scomo.Hello:stable",)

    def _build(self, version: str) -> Path:
        files = {
            f"share/hello/{name}": text.encode() for name, text in self._content(version).items()
        }
        day = f"2024-0{version[0]}-01"
        return Bundle(day=day, version=version, files=files).build(self.folder)

    def furnish(self, device: HelperDevice) -> None:
        runtime = device.order(Action.INSTALL, RUNTIME.build(self.folder), id="runtime")
        result = device.answered(runtime)
        assert result.is_ok, result.detail

    def check_database(self, root: Path) -> None:
        done = self._flatpak(root, "repair", "--dry-run")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "rror" not in done.stdout + done.stderr, done.stdout + done.stderr
        remotes = self._flatpak(root, "remotes", "--show-disabled", "--columns=name").stdout
        assert len(remotes.split()) == 1 + bool(self._noted(root)), remotes

    def _noted(self, root: Path) -> str:
        listed = self._flatpak(root, "list", "--app", "--columns=application,version")
        assert listed.returncode == 0, listed.stderr
        return "".join(line.split()[1] for line in listed.stdout.splitlines() if line.strip())

    def _files(self, root: Path) -> Path:
        name = f"var/lib/flatpak/app/org.scomo.Hello/{os.uname().machine}/stable"
        deployed = root / name
        if deployed.exists():
            assert len([each for each in deployed.iterdir() if len(each.name) == 64]) == 1
        return deployed / "active/files/share/hello"

    def bare(self, root: Path, archive: Path) -> tuple[list[str], dict[str, str]]:
        words = ["-y", "--noninteractive", "--bundle", str(archive)]
        return ["flatpak", "--system", "install", *words], self._environment(root)

    def _flatpak(self, root: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["flatpak", "--system", *words],
            check=False,
            capture_output=True,
            text=True,
            env=self._environment(root),
        )

    def _environment(self, root: Path) -> dict[str, str]:
        place = str(root / "var/lib/flatpak")
        return {**os.environ, "FLATPAK_SYSTEM_DIR": place, "LC_ALL": "C.UTF-8"}


class OpkgBed(Toolbed):
    """The stand-in for opkg."""

    backend = "opkg"
    components: tuple[str, ...] = ("hello",)

    def __init__(self, folder: Path, *, flavour: str, **more: Any) -> None:
        self.name = f"opkg-{flavour}"
        self._flavour = flavour
        super().__init__(folder, **more)
        self._program = stand_in(folder, flavour)
        self.config = f'[install.opkg]\nprogram = "{self._program}"\nlock_wait_s = 60\n'

    def _build(self, version: str) -> Path:
        files = {f"usr/share/hello/{name}": text for name, text in self._content(version).items()}
        return Ipk(version=version, files=files, scripts=self._scripts).build(self.folder)

    def bare(self, root: Path, archive: Path) -> tuple[list[str], dict[str, str]]:
        options = ["--offline-root", str(root), "--force-postinstall"]
        return [str(self._program), *options, "install", str(archive)], {**os.environ}

    def furnish(self, device: HelperDevice) -> None:
        (device.root / "etc/opkg.conf").write_text("dest root /\narch all 1\narch arm 10\n")
        (device.root / "var/lock").mkdir(parents=True, exist_ok=True)

    def check_database(self, root: Path) -> None:
        states = {row["Status"] for row in self._rows(root).values()}
        assert states <= {"install user installed"}, states
        notes = root / opkg_stand_in.STATUS[self._flavour]
        # The stand-in keeps the preinst under a hidden name.
        names = {note.stem for note in (notes.parent / "info").glob("[!.]*.*")}
        assert names <= set(self._rows(root)), names

    def _noted(self, root: Path) -> str:
        return self._rows(root).get("hello", {}).get("Version", "")

    def _rows(self, root: Path) -> dict[str, dict[str, str]]:
        file = root / opkg_stand_in.STATUS[self._flavour]
        parts = file.read_text().split("\n\n") if file.exists() else []
        return {row["Package"]: row for part in parts if (row := opkg_stand_in.fields(part))}

    def _files(self, root: Path) -> Path:
        return root / "usr/share/hello"


BEDS: Final[Mapping[str, Callable[..., Toolbed]]] = {
    "dpkg": DpkgBed,
    "dpkg-several": SeveralBed,
    "flatpak": FlatpakBed,
    "opkg-yocto": partial(OpkgBed, flavour="yocto"),
    "opkg-lede": partial(OpkgBed, flavour="lede"),
}


def _said(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
