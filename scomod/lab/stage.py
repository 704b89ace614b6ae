# SPDX-License-Identifier: Apache-2.0
"""The demo's stage: a scratch device and the real processes on it.

A private D-Bus, the daemon, the root helper, each with a log file; all below one
directory that goes away.  What the processes do there is `story.py`'s business.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from scomod.errors import ScomodError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scomod.lab.pki import Pki

DBUS_DAEMON: Final = "dbus-daemon"
START_S: Final = 30.0
STOP_S: Final = 5.0
POLL_S: Final = 0.02
TAIL_LINES: Final = 25
LOOPBACK: Final = "127.0.0.1"
# -P: what lies in the directory that we happen to be started in is not imported
SCOMOD: Final = ("-P", "-m", "scomod")
HELPER: Final = ("-P", "-m", "scomod.installers.helper")
SCOMOCTL: Final = ("-P", "-m", "scomod.cli")

BUS_CONFIG: Final = """<busconfig>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="signal"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
  </policy>
</busconfig>
"""
DEVICE_CONFIG: Final = """# made by scomod-lab for its demo; everything else is default
[device]
manufacturer = "scomod-lab"
model = "demo device"

[transport]
ca_file = "etc/scomod/ca.pem"

[bootstrap]
first_session = "asked"

[notification]
udp_address = "{address}"
udp_port = {port}

[poll]
interval_s = 0  # it calls when the demo says so

[log]
level = "info"
"""


class StageError(ScomodError):
    """A program does not start, died, or something did not happen in time."""


@dataclass(slots=True)
class _Actor:
    """A running program and its log."""

    name: str
    process: asyncio.subprocess.Process
    log: Path


class Stage:
    """A scratch directory with a device in it; leaving it ends every process."""

    def __init__(self, *, is_kept: bool) -> None:
        self._is_kept = is_kept
        self._actors: list[_Actor] = []
        self.directory = Path(tempfile.mkdtemp(prefix="scomod-demo-"))
        self.root = self.directory / "device"
        self.udp_port = _free_udp_port()
        self.bus_address = f"unix:path={self.directory}/bus"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for actor in reversed(self._actors):
            await _stop(actor.process)
        if not self._is_kept:
            shutil.rmtree(self.directory, ignore_errors=True)

    def furnish(self, pki: Pki) -> None:
        """Write what a device is made with: configuration, authority, key of the packages."""
        config = self.root / "etc/scomod"
        (config / "trust.d").mkdir(parents=True)
        shutil.copyfile(pki.ca_file, config / "ca.pem")
        shutil.copyfile(pki.signing_public_file, config / "trust.d/lab.pem")
        text = DEVICE_CONFIG.format(address=LOOPBACK, port=self.udp_port)
        (config / "scomod.toml").write_text(text)

    async def start_bus(self) -> None:
        """Start the D-Bus of this device and wait until it listens."""
        config = self.directory / "bus.conf"
        socket_path = self.directory / "bus"
        config.write_text(BUS_CONFIG.format(socket=socket_path))
        program = shutil.which(DBUS_DAEMON)
        if program is None:
            raise StageError("dbus-daemon is not installed (package dbus-daemon)")
        await self._start("dbus-daemon", program, "--nofork", f"--config-file={config}")
        await self.until(socket_path.exists, "the D-Bus socket", START_S)

    async def start_device(self) -> None:
        """Start the helper that installs, and the daemon."""
        root = ("--root", str(self.root))
        await self._start("scomod-install", sys.executable, *HELPER, *root, "--watch")
        await self._start("scomod", sys.executable, *SCOMOD, *root, "--resident")

    async def scomoctl(self, *arguments: str) -> str:
        """Run a command of the device's administrator; raises `StageError` if it fails."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *SCOMOCTL,
            "--root",
            str(self.root),
            *arguments,
            env=self._environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(START_S):
                output, _ = await process.communicate()
        finally:
            await _stop(process)
        text = output.decode("utf-8", "replace").strip()
        if process.returncode != 0:
            raise StageError(f"scomoctl {' '.join(arguments)} failed: {text}")
        return text

    async def until(self, condition: Callable[[], object], what: str, deadline_s: float) -> None:
        """Wait; raises `StageError` when it takes too long or a program has died."""
        end_s = time.monotonic() + deadline_s
        while not condition():
            self.check()
            if time.monotonic() > end_s:
                raise StageError(f"waited {deadline_s:.0f} s in vain for {what}")
            await asyncio.sleep(POLL_S)

    def check(self) -> None:
        """Raise `StageError` if one of the programs has ended."""
        for actor in self._actors:
            if actor.process.returncode is not None:
                raise StageError(f"{actor.name} ended with code {actor.process.returncode}")

    def missing(self, names: Sequence[str]) -> list[str]:
        """Return those of some files that are not on the device."""
        return [name for name in names if not os.path.lexists(self.root / name)]

    def tails(self) -> list[tuple[str, list[str]]]:
        """Return the last lines of every program's log."""
        found = []
        for actor in self._actors:
            lines = actor.log.read_text("utf-8", "replace").splitlines()
            found.append((actor.name, lines[-TAIL_LINES:]))
        return found

    async def _start(self, name: str, *command: str) -> None:
        """Start a program in a session of its own: Ctrl-C is for us, we end it."""
        log = self.directory / f"{name}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=self._environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        self._actors.append(_Actor(name, process, log))

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.bus_address, "PYTHONUNBUFFERED": "1"}


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End a program and all that it started."""
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((LOOPBACK, 0))
        return int(udp.getsockname()[1])
