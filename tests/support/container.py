# SPDX-License-Identifier: Apache-2.0
"""A Debian with a real systemd in a container that can be entered, killed and booted again.

For script/image-test only, in whose namespaces everything here is mounted and started.  A
container is a control group: killing that is a power cut, nothing in it gets a word.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DEADLINE_S = 150.0
_INTO = 'echo 0 > "$1/cgroup.procs" && shift && exec "$@"'
_NSPAWN = (
    "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--resolv-conf=off",
    "--timezone=off", "--link-journal=no",
)  # fmt: skip
# The network is that of the tests, which is nobody else's; units make networks of their own.
_BOOT = ("--boot", "--console=pipe", "--notify-ready=yes", "--capability=CAP_NET_ADMIN")


@dataclass(frozen=True)
class Box:
    """A control group of a name."""

    folder: Path

    @classmethod
    def named(cls, name: str) -> Self:
        made = cls(Path(os.environ["SCOMOD_IMAGE_CGROUP"], name))
        made.folder.mkdir(exist_ok=True)
        return made

    def within(self, *program: str | Path) -> list[str]:
        """Give the words that start a program in here."""
        return ["sh", "-c", _INTO, "sh", str(self.folder), *map(str, program)]

    def kill(self) -> None:
        (self.folder / "cgroup.kill").write_text("1")
        events = self.folder / "cgroup.events"
        give_up_s = time.monotonic() + _DEADLINE_S
        while "populated 1" in events.read_text():
            assert time.monotonic() < give_up_s, f"{self.folder.name} does not end"
            time.sleep(0.01)

    def drop(self) -> None:
        for folder, _, _ in os.walk(self.folder, topdown=False):
            Path(folder).rmdir()


def run_once(root: Path, *program: str, options: Sequence[str] = ()) -> None:
    """Run one program in a root that is not booted; its words are shown."""
    box = Box.named("once")
    subprocess.run(box.within(*_NSPAWN, "--pipe", "-D", root, *options, "--", *program), check=True)
    box.drop()


class Container:
    """A system over read-only directories `lowers`; what it writes stays until the tests are over.

    `variables` are of systemd-nspawn itself.
    """

    def __init__(
        self, name: str, lowers: Sequence[Path], variables: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.folder = Path(os.environ["SCOMOD_IMAGE_DIR"], name)
        self.root = self.folder / "root"
        self.console = self.folder / "console.log"
        self._variables = variables or {}
        self._box: Box | None = None
        self._leader = 0
        overlay(self.folder, lowers)

    # -- life

    def boot(self) -> None:
        """Boot and wait until the default target is reached."""
        box = self._box = Box.named(self.name)
        words = self.folder / "notify"
        words.unlink(missing_ok=True)
        hears = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with hears, self.console.open("ab") as console:
            hears.bind(str(words))
            self._process = subprocess.Popen(
                box.within(*_NSPAWN, *_BOOT, f"--machine={self.name}", "-D", self.root),
                env={
                    **os.environ,
                    **self._variables,
                    "NOTIFY_SOCKET": str(words),
                    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
                },
                stdin=subprocess.DEVNULL, stdout=console, stderr=console,
            )  # fmt: skip
            self._await_ready(hears)

    def _await_ready(self, hears: socket.socket) -> None:
        give_up_s = time.monotonic() + _DEADLINE_S
        hears.settimeout(1.0)
        while True:
            words = ""
            with contextlib.suppress(TimeoutError):
                words = hears.recv(4096).decode()
            for line in words.splitlines():
                if line.startswith("X_NSPAWN_LEADER_PID="):
                    self._leader = int(line.partition("=")[2])
                if line == "READY=1":
                    return
            is_hopeless = time.monotonic() > give_up_s or self._process.poll() is not None
            assert not is_hopeless, self.console.read_text()[-5000:]

    def cut_power(self) -> None:
        """Kill everything in it at once; what it wrote stays."""
        if self._box is not None:
            self._box.kill()
            self._process.wait(_DEADLINE_S)
            self._box.drop()
            self._box = None

    # -- looking inside

    @property
    def seen(self) -> Path:
        """Its root as it sees that itself, with all that is mounted there."""
        return Path(f"/proc/{self._leader}/root")

    @property
    def bus_address(self) -> str:
        return f"unix:path={self.seen}/run/dbus/system_bus_socket"

    def run(
        self, *program: str | Path, user: str = "", is_checked: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside, as root or as `user` with all their groups."""
        become = (f"--reuid={user}", f"--regid={user}", "--init-groups", "--") if user else ()
        done = subprocess.run(
            ["nsenter", "-t", str(self._leader), "-a", "--", "env", "-i",
             "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
             *(("setpriv", *become) if user else ()), *map(str, program)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=_DEADLINE_S,
        )  # fmt: skip
        assert not is_checked or done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
        return done

    def says(self, *program: str | Path) -> str:
        """Run a program inside and give what it printed."""
        return self.run(*program).stdout.strip()

    def show(self, unit: str, what: str) -> str:
        """Ask systemd for one property of a unit."""
        return self.says("systemctl", "show", "--value", f"--property={what}", unit)

    def processes(self, unit: str) -> dict[int, str]:
        """List what runs in the control group of a unit or of what it delegates: number, words."""
        group = self.show(unit, "ControlGroup")
        script = 'find /sys/fs/cgroup"$1" -name cgroup.procs -exec cat {} +'
        if not group:
            return {}
        numbers = self.run("sh", "-c", script, "sh", group, is_checked=False).stdout.split()
        found = ((int(n), self.root_of(f"proc/{n}/cmdline")) for n in numbers)
        return {n: path.replace("\0", " ").strip() for n, path in found if path}

    def root_of(self, path: str) -> str:
        """Read a file as it is seen inside, "" where there is none."""
        return self.run("cat", f"/{path}", is_checked=False).stdout


def overlay(folder: Path, lowers: Sequence[Path]) -> None:
    """Mount `folder`/root over the lower directories, the first being the uppermost."""
    for name in ("root", "upper", "work"):
        (folder / name).mkdir(parents=True)
    below = ":".join(map(str, lowers))
    options = f"lowerdir={below},upperdir={folder}/upper,workdir={folder}/work"
    subprocess.run(
        ["mount", "-t", "overlay", "overlay", "-o", options, folder / "root"], check=True
    )
