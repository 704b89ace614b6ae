# SPDX-License-Identifier: Apache-2.0
"""A device whose own program is the package "hello", with the guard run by hand."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from scomod.bootid import boot_id
from scomod.installers import wayback
from scomod.installers.base import Action
from tests.support.debs import Deb
from tests.support.helper_device import HelperDevice

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.installers.base import Job

CONFIGURATION = """[verify]
signature = "optional"
[self_update]
package = "hello"
reach_s = 2
boots_count = 2
work_s = 100
guard_program = ["/bin/true"]
"""
# Has all die, as by a power cut, before or after the tool of a number has done its work.
STUB = """#!/bin/sh
number=$(($(cat "$CUTS/count" 2>/dev/null || echo 0) + 1))
echo "$number" >"$CUTS/count"
cut() {
    [ "$number" = "$(cat "$CUTS/$1" 2>/dev/null)" ] || return 0
    kill -9 -"$(ps -o sid= -p $$ | tr -d ' ')" 0
}
cut before
PATH=${PATH#*:}
TOOL "$@"
code=$?
cut after
exit "$code"
"""
TOOLS = ("cp", "mv", "rm", "sync", "chmod", "sh")


class WayBackDevice(HelperDevice):
    """Upgrades of hello are upgrades of ourselves."""

    def prepare(self, *, before: str = "1.0", is_ours: bool = True) -> None:
        """Install a version: by an order, or as what the image brought."""
        self.configure(CONFIGURATION)
        (self.root / "run/scomod").mkdir(parents=True, exist_ok=True)
        self.new_boot("boot-1")
        if is_ours:
            assert self.do(Action.INSTALL, self.deb(before)).is_ok
        else:
            self.install(before)

    def install(self, version: str) -> None:
        """Have the tool install a version, by nobody's order."""
        backend = self.workshop().mover.backends["dpkg"]
        archive = self.deb(version)
        backend.install(archive, backend.inspect(archive))

    def purge(self) -> None:
        """Have the tool take it away with all that it configures."""
        options = ("--force-not-root", "--force-script-chrootless")
        subprocess.run(["dpkg", f"--root={self.root}", *options, "--purge", "hello"], check=True)

    def new_boot(self, name: str) -> None:
        (self.root / "run/scomod/boot-id").write_text(f"{name}\n")

    def deb(self, version: str, **scripts: str) -> Path:
        files = {"usr/share/hello/version": f"{version}\n", "usr/share/hello/data": version * 100}
        conffiles = {"etc/hello.conf": f"of {version}\n"}
        folder = self.root.with_name("debs")
        folder.mkdir(exist_ok=True)
        return Deb(version=version, files=files, conffiles=conffiles, scripts=scripts).build(folder)

    def upgrade(self, version: str = "2.0", *, order: str = "7", **scripts: str) -> Job:
        """Order an upgrade and run the helper over it."""
        job = self.order(Action.INSTALL, self.deb(version, **scripts), id=order)
        self.order_file(job)
        return job

    @property
    def folder(self) -> Path:
        return self.paths.way_back

    def installed(self) -> str:
        return self.workshop().mover.backends["dpkg"].version("hello")

    def say_reached(self, **other: str) -> None:
        """Write what the new daemon writes; `other` parts make it another one's."""
        pending = wayback.read(self.paths)
        assert pending is not None
        boot = other.pop("boot", boot_id(self.root))
        words = pending.words(boot).split()
        names = ("job_id", "after", "nonce", "boot")
        said = [other.get(name, word) for name, word in zip(names, words, strict=True)]
        (self.paths.state_dir / wayback.SAID).write_text(" ".join(said))

    def decide(self, word: str) -> None:
        (self.folder / "state").write_text(f"{word}\n")

    def set_order(self, **words: object) -> None:
        """Change words of the guard's order."""
        order = self.folder / "order"
        lines = dict(line.split("=", 1) for line in order.read_text().splitlines())
        lines |= {name: str(value) for name, value in words.items()}
        order.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))

    def guard(
        self, cut: tuple[str, int] | None = None, timeout_s: float = 100
    ) -> subprocess.CompletedProcess[str]:
        """Run the guard to its end, or until it is cut ("before" or "after", number of a tool)."""
        cuts = self.root.with_name("cuts")
        cuts.mkdir(exist_ok=True)
        for old in cuts.iterdir():
            if old.is_file():
                old.unlink()
        if cut is not None:
            (cuts / cut[0]).write_text(str(cut[1]))
        tools = cuts / "bin"
        tools.mkdir(exist_ok=True)
        for tool in TOOLS:
            (tools / tool).write_text(STUB.replace("TOOL", tool))
            (tools / tool).chmod(0o755)
        return subprocess.run(
            ["/bin/sh", self.folder / "guard", "watch"],
            env={"PATH": f"{tools}:/usr/sbin:/usr/bin:/sbin:/bin", "CUTS": str(cuts)},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=timeout_s, start_new_session=True,
        )  # fmt: skip

    @property
    def tool_runs(self) -> int:
        """Tell how many tools the last guard ran."""
        return int((self.root.with_name("cuts") / "count").read_text())
