# SPDX-License-Identifier: Apache-2.0
"""A scratch root with an opkg of one flavour, its backend, and shorthand for both."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from scomod.clock import SystemClock
from scomod.errors import InstallerError, Reason
from scomod.installers.kinds import KINDS
from scomod.installers.opkg import OpkgBackend
from scomod.settings import Install, Opkg
from tests.support import opkg_stand_in
from tests.support.ipks import Ipk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

YOCTO: Final = "yocto"
LEDE: Final = "lede"
REAL: Final = "real"
CONFIGURATION: Final = "dest root /\narch all 1\narch arm 10\n"


def stand_in(folder: Path, flavour: str) -> Path:
    """Write the program of a flavour; Python starts with as little as it can."""
    source = Path(opkg_stand_in.__file__)
    program = folder / "opkg"
    program.write_text(
        f"#!{sys.executable} -ISE\nimport sys\nsys.path.insert(0, {str(source.parent)!r})\n"
        f"from {source.stem} import Tool\nsys.exit(Tool({flavour!r}, sys.argv[1:]).run())\n"
    )
    program.chmod(0o755)
    return program


class Bed:
    """A device below `folder`, with the backend as a device would make it."""

    def __init__(self, folder: Path, flavour: str) -> None:
        self.folder = folder
        self.flavour = flavour
        self.root = folder / "root"
        (self.root / "etc/opkg").mkdir(parents=True)
        self.configure()
        for name in ("var/lock", "tmp", "usr/lib/opkg"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        program = shutil.which("opkg") if flavour == REAL else str(stand_in(folder, flavour))
        self.settings = Opkg(program=program or "", timeout_s=30.0, lock_wait_s=0.0)
        self.backend = self.backend_with()

    def configure(self, *lines: str) -> None:
        """Write opkg's configuration where either flavour looks for it below a root."""
        text = CONFIGURATION + "".join(f"{line}\n" for line in lines)
        name = "etc/opkg/opkg.conf" if self.flavour == REAL else "etc/opkg.conf"
        (self.root / name).write_text(text)

    def mark(self) -> str:
        return KINDS["opkg"].mark(self.root, Install(opkg=self.settings))

    def backend_with(
        self,
        *,
        may_use_network: bool = False,
        may_remove_essential: bool = False,
        sleep: Callable[[float], None] = lambda _seconds: None,
        **changes: object,
    ) -> OpkgBackend:
        return OpkgBackend(
            root=self.root,
            settings=replace(self.settings, **changes),  # type: ignore[arg-type]  # fields by name
            clock=SystemClock(),
            sleep=sleep,
            may_remove_essential=lambda: may_remove_essential,
            may_use_network=lambda: may_use_network,
        )

    def words(self, *words: str) -> list[str]:
        return ["--offline-root", str(self.root), "--force-postinstall", *words]

    def opkg(self, *words: str) -> tuple[int, str]:
        """Run the bare tool, the stand-in in a fork of this process; gives what it said."""
        said = self.folder / "said"
        with said.open("wb") as file:
            if self.flavour == REAL:
                argv = [self.settings.program, *self.words(*words)]
                rc = subprocess.run(argv, check=False, stdout=file, stderr=file).returncode
            else:
                rc = self._forked(file.fileno(), self.words(*words))
        return rc, said.read_text()

    def run(self, *argv: str) -> None:
        """Run a program in words of the test's own."""
        subprocess.run(argv, check=True, capture_output=True)

    def _forked(self, output: int, words: list[str]) -> int:
        child = os.fork()
        if not child:
            rc = 99
            try:
                os.dup2(output, 1)
                os.dup2(output, 2)
                sys.stdout, sys.stderr = open(1, "w"), open(2, "w")  # noqa: SIM115 - descriptors
                rc = opkg_stand_in.Tool(self.flavour, words).run()
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(rc)  # nothing may go on being the tests
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def status_file(self) -> Path:
        return self.root / opkg_stand_in.STATUS.get(self.flavour, "usr/lib/opkg/status")

    def status(self, name: str = "hello") -> str:
        """Read the state in the database with no parser of ours."""
        file = self.status_file()
        text = file.read_text() if file.exists() else ""
        found = [part for part in text.split("\n\n") if part.startswith(f"Package: {name}\n")]
        lines = found[0].splitlines() if found else []
        return next((line[len("Status: ") :] for line in lines if line.startswith("Status: ")), "")

    def install(self, ipk: Ipk, *, may_downgrade: bool = False) -> None:
        install(self.backend, ipk.build(self.folder), may_downgrade=may_downgrade)

    def put(self, *ipks: Ipk) -> None:
        """Bring packages with the bare tool, as a beginning."""
        for ipk in ipks:
            assert self.opkg("install", str(ipk.build(self.folder)))[0] == 0

    def failure(self, action: Callable[[], object]) -> Reason:
        with pytest.raises(InstallerError) as caught:
            action()
        assert str(caught.value)
        return caught.value.reason

    def file(self, name: str = "usr/share/hello/version") -> str:
        path = self.root / name
        return path.read_text() if path.exists() else ""

    def names(self) -> set[str]:
        return {item.id for item in self.backend.inventory()}

    def files(self) -> Iterator[str]:
        """Name what packages brought below usr/share."""
        folder = self.root / "usr/share"
        return (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

    def feed(self, *ipks: Ipk) -> str:
        """Make a feed in a directory; gives the line that configures it."""
        folder = self.folder / "feed"
        folder.mkdir(exist_ok=True)
        stanzas = [_listed(ipk, ipk.build(folder)) for ipk in ipks]
        (folder / "Packages.gz").write_bytes(gzip.compress("".join(stanzas).encode()))
        return f"src/gz local file:{folder}"


def _listed(ipk: Ipk, archive: Path) -> str:
    """Describe an archive as a feed does; a real opkg wants to know size and digest."""
    content = archive.read_bytes()
    depends = f"Depends: {ipk.depends}\n" if ipk.depends else ""
    return (
        f"Package: {ipk.name}\nVersion: {ipk.version}\n{depends}Architecture: {ipk.architecture}\n"
        f"Filename: {archive.name}\nSize: {len(content)}\n"
        f"SHA256sum: {hashlib.sha256(content).hexdigest()}\n\n"
    )


def install(backend: OpkgBackend, archive: Path, *, may_downgrade: bool = False) -> None:
    """Do with an archive what an order does."""
    backend.install(archive, backend.inspect(archive), may_downgrade=may_downgrade)


def script(kind: str, body: str, **values: str) -> Ipk:
    return Ipk(scripts={kind: body}, **values)  # type: ignore[arg-type]  # fields by name
