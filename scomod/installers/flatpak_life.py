# SPDX-License-Identifier: Apache-2.0
"""Starting and stopping flatpak applications; what runs is what `flatpak ps` says and lives.

An application runs as one person: the user named in [install.flatpak] run_as, or whoever
runs us.  It is never root's because nobody said otherwise.  It outlives us: under
systemd, whose sandbox around us it must not inherit, it is a unit of its own; elsewhere
it has a session of its own.  Its output goes nowhere, or to the journal.
"""

from __future__ import annotations

import os
import pwd
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import flatpak_output, proc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.installers.flatpak_output import Row
    from scomod.installers.flatpak_tool import Tool

_RUN_TIMEOUT_S: Final = 60.0
_LOOK_S: Final = 0.1
# What ends at once is seen to run once, but not twice.
_STEADY_S: Final = 0.5
_BOOTED: Final = Path("/run/systemd/system")
_SILENT: Final = ("sh", "-c", 'exec "$@" </dev/null >/dev/null 2>&1', "sh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Runs applications of one installation as user `run_as`, "" is oneself.

    `has_systemd`: the device is run by systemd and it is this very machine.
    """

    tool: Tool
    run_as: str
    wait_s: float
    has_systemd: bool

    def start(self, row: Row) -> None:
        """Start an application unless it runs; raises `InstallerError(UNHEALTHY)`."""
        person = self._person(row)
        if self._running(row, person):
            return
        done = proc.run(self._launch(row, person), timeout_s=_RUN_TIMEOUT_S, env=self._env(person))
        seen = self._awaited(row, person, is_running=True)
        if seen:
            time.sleep(_STEADY_S)
        if not seen or not self._running(row, person):
            said = flatpak_output.detail_of(done.stderr)
            raise InstallerError(Reason.UNHEALTHY, f"{row.id} does not run once started: {said}")

    def stop(self, row: Row) -> None:
        """Stop all that runs of an application; raises `InstallerError(UNHEALTHY)`."""
        person = self._person(row)
        for instance in self._running(row, person):
            self._flatpak(person, "kill", instance)
        if not self._awaited(row, person, is_running=False):
            raise InstallerError(Reason.UNHEALTHY, f"{row.id} still runs after it was killed")

    def _person(self, row: Row) -> pwd.struct_passwd:
        if row.kind != "app":
            raise InstallerError(Reason.NOT_IMPLEMENTED, f"{row.id} is no application")
        if not self.run_as and os.geteuid() == 0:
            raise InstallerError(
                Reason.NOT_IMPLEMENTED,
                f"{row.id} is not run as root: [install.flatpak] run_as must name a user",
            )
        try:
            return pwd.getpwnam(self.run_as) if self.run_as else pwd.getpwuid(os.geteuid())
        except KeyError as error:
            raise InstallerError(
                Reason.NOT_IMPLEMENTED, f"[install.flatpak] run_as: there is no {self.run_as!r:.80}"
            ) from error

    def _awaited(self, row: Row, person: pwd.struct_passwd, *, is_running: bool) -> bool:
        give_up_s = time.monotonic() + self.wait_s
        while bool(self._running(row, person)) is not is_running:
            if time.monotonic() > give_up_s:
                return False
            time.sleep(_LOOK_S)
        return True

    def _running(self, row: Row, person: pwd.struct_passwd) -> list[str]:
        text = self._flatpak(person, "ps", f"--columns={flatpak_output.PS_COLUMNS}").stdout
        found = flatpak_output.parse_ps(text, row)
        return [instance for instance, process in found.items() if _lives(process)]

    def _flatpak(self, person: pwd.struct_passwd, *arguments: str) -> proc.Completed:
        argv = (*_becoming(person), "flatpak", *arguments)
        return proc.run(argv, timeout_s=_RUN_TIMEOUT_S, env=self._env(person))

    def _launch(self, row: Row, person: pwd.struct_passwd) -> tuple[str, ...]:
        run = ("flatpak", self.tool.scope, "run", f"--branch={row.branch}", row.name)
        if not self.has_systemd:
            return ("setsid", "--fork", *_becoming(person), *_SILENT, *run)
        settings = (f"--setenv={name}={value}" for name, value in self._env(person).items())
        mine = ("--quiet", "--collect", f"--uid={person.pw_name}", *settings)
        return ("systemd-run", *mine, "--", *run)

    def _env(self, person: pwd.struct_passwd) -> Mapping[str, str]:
        """Give the environment that makes flatpak look where the person's instances are."""
        found = {
            **proc.ENVIRONMENT,
            **self.tool.variables,
            "HOME": person.pw_dir,
            "USER": person.pw_name,
            "LOGNAME": person.pw_name,
        }
        own = Path("/run/user", str(person.pw_uid))
        if own.is_dir():
            found["XDG_RUNTIME_DIR"] = str(own)
        if (own / "bus").exists():
            found["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={own / 'bus'}"
        return found


def has_systemd(root: Path) -> bool:
    """Tell whether systemd can be asked to run something for the device below `root`."""
    return root == Path("/") and os.geteuid() == 0 and _BOOTED.is_dir()


def _lives(process: int) -> bool:
    """Tell whether there is such a process; one that only waits to be buried has no words."""
    try:
        return bool(Path(f"/proc/{process}/cmdline").read_bytes())
    except OSError:
        return False


def _becoming(person: pwd.struct_passwd) -> tuple[str, ...]:
    """Give the words before a program that is run by a person; none for ourselves."""
    if person.pw_uid == os.geteuid():
        return ()
    ids = (f"--reuid={person.pw_uid}", f"--regid={person.pw_gid}", "--init-groups")
    return ("setpriv", *ids, "--")
