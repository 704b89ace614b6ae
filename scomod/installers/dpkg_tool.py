# SPDX-License-Identifier: Apache-2.0
"""Runs of dpkg that change a root: its options, its lock, and what a failure means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import dpkg_output, proc
from scomod.installers.dpkg_database import ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.clock import Clock
    from scomod.settings import Dpkg

# A changed configuration file stays as the device has it; without these two dpkg
# would ask on standard input and leave the package unpacked.
FORCES: Final = ("--force-confdef", "--force-confold")
_LOCK_POLL_S: Final = 0.25


class Tool:
    """dpkg on one root."""

    def __init__(
        self, *, root: Path, settings: Dpkg, clock: Clock, sleep: Callable[[float], None]
    ) -> None:
        self._root = root
        self._settings = settings
        self._clock = clock
        self._sleep = sleep

    def run(
        self, *arguments: str, given: str = "", hears: Callable[[str], None] | None = None
    ) -> proc.Completed:
        """Run dpkg on the root, waiting for another one to release its lock."""
        argv = ("dpkg", *self.options(), *FORCES, *arguments)
        give_up_s = self._clock.monotonic_s() + self._settings.lock_wait_s
        while True:
            done = proc.run(argv, timeout_s=self._settings.timeout_s, given=given, hears=hears)
            is_locked = done.rc > 1 and dpkg_output.reason_of(done.stderr) is Reason.BUSY
            if not is_locked or self._clock.monotonic_s() >= give_up_s:
                return done
            self._sleep(_LOCK_POLL_S)

    def options(self) -> tuple[str, ...]:
        """Give the options that name the root, and what its owner may not do there."""
        if self._root == Path("/"):
            return ()
        rights = () if os.geteuid() == 0 else ("--force-not-root",)
        return (f"--root={self._root}", "--force-script-chrootless", *rights)

    def takes(self, architecture: str) -> bool:
        """Tell whether the device takes packages of a foreign architecture."""
        done = ask("dpkg", *self.options(), "--print-foreign-architectures")
        return architecture in done.stdout.split()


def failure(done: proc.Completed) -> InstallerError:
    """Make the error of a run that did not reach its end."""
    if done.rc < 0:
        return InstallerError(Reason.INTERNAL, f"dpkg was killed by signal {-done.rc}")
    text = f"dpkg: {dpkg_output.detail_of(done.stderr)}"
    if holder := dpkg_output.lock_holder(done.stderr):
        text += f" ({_program(holder)})"
    return InstallerError(dpkg_output.reason_of(done.stderr), text)


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "gone"
