# SPDX-License-Identifier: Apache-2.0
"""Starts our programs as forks of a process that has imported them: for a tenth of a start's cost.

Real processes, which are signalled, killed and awaited like any other.  What a program imports,
and when, is not seen in them: `Rig.start` and all tests without a rig start Python anew.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

# The programs, and what they import once they have something to do.
IMPORTED: Final = (
    "scomod.__main__",
    "scomod.serve",
    "scomod.daemon",
    "scomod.factory",
    "scomod.operating",
    "scomod.surroundings",
    "scomod.question",
    "scomod.interview",
    "scomod.talking",
    "scomod.tls",
    "scomod.certificates",
    "scomod.signature",
    "scomod.download.mirrors",
    "requests",
    "scomod.cli",
    "scomod.cliactions",
    "scomod.busclient",
    "scomod.dmclient.bootstrap",
    "scomod.installers.helper",
    "scomod.installers.work",
    "scomod.installers.flatpak_tool",
    "tests.support.dying",
    __name__,
)
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(list(IMPORTED))


class Program(Protocol):
    """A program that runs, or ran: what tests use of `subprocess.Popen`."""

    @property
    def pid(self) -> int:
        """Its number, which its session has too."""

    @property
    def returncode(self) -> int | None:
        """How it ended, as far as somebody looked."""

    def poll(self) -> int | None:
        """Look how it ended, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises `subprocess.TimeoutExpired`."""

    def send_signal(self, number: int, /) -> None:
        """Send a signal, unless it is over."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""


class Fork:
    """A `Program` that is no child of ours."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        assert process.pid is not None
        self.pid = process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return code

    def send_signal(self, number: int, /) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    module: str,
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    stdout: Path,
    stderr: Path,
) -> Program:
    """Run a module's `main`, in a session of its own; what it prints is appended to the files.

    Raises `OSError` where there can be no process.
    """
    process = _forks.Process(
        target=_live,
        args=(module, list(arguments), dict(env), str(stdout), str(stderr)),
        name=module,
    )
    process.daemon = True  # ends with the tests, whatever else goes wrong
    process.start()
    return Fork(process)


def _live(module: str, arguments: list[str], env: dict[str, str], out: str, err: str) -> None:
    """Become what `python -m MODULE ARGUMENTS` would be."""
    os.setsid()
    for number, path in ((0, os.devnull), (1, out), (2, err)):
        opened = os.open(path, os.O_RDONLY if number == 0 else _APPEND, 0o666)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - multiprocessing has closed it
    os.environ.clear()
    os.environ.update(env)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    warnings.simplefilter("error")
    sys.argv = [module, *arguments]
    program = importlib.import_module(module)
    if hasattr(program, "__path__"):  # a package
        program = importlib.import_module(f"{module}.__main__")
    sys.exit(program.main())


_APPEND: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND
