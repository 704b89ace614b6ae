# SPDX-License-Identifier: Apache-2.0
"""Two hosts and a cable between them: network namespaces of this machine; for root.

    with two_hosts() as (device, server):
        process = server.run(lambda: serve(server.address))
        device.ip("link", "set", CABLE, "down")

What runs in them are forks of the test.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import traceback
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CABLE = "cable"
NETWORK = "10.231.7"
CLONE_NEWNET = 0x40000000  # linux/sched.h


@dataclass(frozen=True, slots=True)
class Host:
    """One of the two; `address` is what it begins with."""

    name: str
    address: str
    _processes: list[int] = field(default_factory=list)

    def ip(self, *words: str) -> None:
        """Change the network of this host."""
        _ip("-n", self.name, *words)

    def run(self, work: Callable[[], None]) -> int:
        """Do something on this host in a process of its own; returns its number."""
        child = os.fork()
        if not child:
            try:
                self._enter()
                work()
            except BaseException:  # noqa: BLE001 - nothing of the test's may run here
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
            os._exit(0)
        self._processes.append(child)
        return child

    def kill(self, process: int) -> None:
        """End a process at once."""
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        self._processes.remove(process)

    def wait(self, process: int) -> None:
        """Wait for the end of a process, which must have gone well."""
        self._processes.remove(process)
        assert os.waitpid(process, 0)[1] == 0

    def shut_down(self) -> None:
        """End all that runs here."""
        for process in list(self._processes):
            self.kill(process)
        with suppress(subprocess.CalledProcessError):
            _ip("netns", "delete", self.name)

    def _enter(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with Path("/run/netns", self.name).open("rb") as space:
            if libc.setns(space.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")


@cache
def may_have_hosts() -> bool:
    """Tell whether this user can make networks of its own."""
    command = ["unshare", "-n", "ip", "link", "add", "name", "left", "type", "veth"]
    done = subprocess.run(command, check=False, capture_output=True)
    return os.geteuid() == 0 and done.returncode == 0


@contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """Yield two hosts that reach each other and nobody else."""
    hosts = [
        Host(f"scomod-{os.getpid()}-{name}", f"{NETWORK}.{number}")
        for number, name in enumerate(("device", "server"), 1)
    ]
    device, server = hosts
    try:
        for host in hosts:
            _ip("netns", "add", host.name)
            host.ip("link", "set", "lo", "up")
        device.ip("link", "add", CABLE, "type", "veth", "peer", CABLE, "netns", server.name)
        for host in hosts:
            host.ip("address", "add", f"{host.address}/24", "dev", CABLE)
            host.ip("link", "set", CABLE, "up")
        yield device, server
    finally:
        for host in hosts:
            host.shut_down()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
