# SPDX-License-Identifier: Apache-2.0
"""Services of a component: starting, stopping, and looking whether they are well.

The truth is what systemd says of a unit when it is asked again, never an exit
code.  Which units belong to a component the backend knows.  A component may also
bring a check program, or the image may: `<checks_dir>/<component id>`.
One look is one look; how long something must stay well is the caller's affair.
"""

from __future__ import annotations

import os
import re
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import proc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_PROPERTIES: Final = (
    "Id,Type,ActiveState,SubState,Result,UnitFileState,RemainAfterExit"
    ",NRestarts,ActiveEnterTimestampMonotonic"
)
_UP: Final = frozenset({"active", "reloading"})
# What systemd starts by itself; the others are started by something, or by nobody.
_ENABLED: Final = frozenset({"enabled", "enabled-runtime", "alias"})
_DISABLED: Final = frozenset({"disabled"})
_US_PER_S: Final = 1_000_000
_DETAIL_CHARACTERS: Final = 400
_COMPONENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.:_-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One service as systemd sees it; `restarted_s`: seconds (monotonic) of a restart by itself.

    That is when it became active after it had ended without being asked to, None
    when it never did.
    """

    name: str
    state: str
    result: str
    file_state: str
    is_task: bool
    restarted_s: float | None

    @property
    def is_up(self) -> bool:
        """Tell whether it runs, or ran well where it is a task that ends."""
        return self.state in _UP or (
            self.is_task and self.state == "inactive" and self.result == "success"
        )


def parse_show(text: str) -> list[Unit]:
    """Read what `systemctl show` printed of several units; pure."""
    blocks = [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in re.split(r"\n\s*\n", text)
    ]
    return [_unit(block) for block in blocks if block.get("Id")]


def _unit(fields: dict[str, str]) -> Unit:
    entered_us, restarts = (
        int(text) if (text := fields.get(name, "")).isdecimal() else 0
        for name in ("ActiveEnterTimestampMonotonic", "NRestarts")
    )
    return Unit(
        name=fields["Id"],
        state=fields.get("ActiveState", ""),
        result=fields.get("Result", ""),
        file_state=fields.get("UnitFileState", ""),
        is_task=fields.get("Type") == "oneshot" and fields.get("RemainAfterExit") != "yes",
        restarted_s=entered_us / _US_PER_S if restarts else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Services of the device below `root`, by the program `command`."""

    root: Path
    command: str
    timeout_s: float
    checks_dir: Path
    check_timeout_s: float

    def start(self, units: Sequence[str]) -> None:
        """Start what is meant to be started; raises `InstallerError(UNHEALTHY)` if it is not up."""
        chosen = self._startable(units)
        done = self._systemctl("start", *chosen)
        _judge("did not start", [unit for unit in self._show(chosen) if not unit.is_up], done)

    def stop(self, units: Sequence[str]) -> None:
        """Stop all units; raises `InstallerError(UNHEALTHY)` if one still runs."""
        done = self._systemctl("stop", *units)
        running = ("inactive", "failed")
        left = [unit for unit in self._show(units) if unit.state not in running]
        _judge("still runs", left, done)

    def check(self, component_id: str, units: Sequence[str], *, for_s: float) -> None:
        """Look once; raises `InstallerError(UNHEALTHY)`.

        Well is: no unit failed, those that systemd starts by itself are up, none was
        restarted because it ended within the last `for_s` seconds, and the check
        program says 0.
        """
        since_s = time.monotonic() - for_s
        found = self._show(units) if units else []
        _judge("is not well", [unit for unit in found if _is_ill(unit, since_s)], None)
        self._run_check(component_id)

    def _startable(self, units: Sequence[str]) -> tuple[str, ...]:
        """Choose what a person would start: not what timers and sockets start."""
        by_hand = [
            unit.name for unit in self._show(units) if unit.file_state in _ENABLED | _DISABLED
        ]
        return tuple(by_hand or units)

    def _show(self, units: Sequence[str]) -> list[Unit]:
        done = self._systemctl("show", f"--property={_PROPERTIES}", *units)
        found = parse_show(done.stdout)
        if done.rc != 0 or len(found) != len(units):
            raise InstallerError(Reason.UNHEALTHY, f"systemd does not know {', '.join(units)}")
        return found

    def _systemctl(self, verb: str, *arguments: str) -> proc.Completed:
        # After `--` nothing is an option: names come from file names of packages.
        options = [word for word in arguments if word.startswith("--")]
        names = [word for word in arguments if not word.startswith("--")]
        program = proc.below(self.root, (self.command,))
        return proc.run((*program, verb, *options, "--", *names), timeout_s=self.timeout_s)

    def _run_check(self, component_id: str) -> None:
        if not _COMPONENT.fullmatch(component_id):
            raise InstallerError(Reason.POLICY, f"no component is called {component_id!r:.80}")
        program = self.checks_dir / component_id
        if not program.exists():
            return
        if not _is_ours(program):
            raise InstallerError(Reason.POLICY, f"{program} can be changed by somebody else")
        done = proc.run(
            (str(program),),
            timeout_s=self.check_timeout_s,
            env={**proc.ENVIRONMENT, "SCOMOD_ROOT": str(self.root)},
        )
        if done.rc != 0:
            said = " ".join((done.stderr or done.stdout).split())[-_DETAIL_CHARACTERS:]
            raise InstallerError(
                Reason.UNHEALTHY, f"the check of {component_id} ended with {done.rc}: {said}"
            )


def _is_ill(unit: Unit, since_s: float) -> bool:
    if unit.restarted_s is not None and unit.restarted_s >= since_s:
        return True
    return unit.state == "failed" or (unit.file_state in _ENABLED and not unit.is_up)


def _is_ours(program: Path) -> bool:
    """Tell whether only who runs us, or root, can have written a program."""
    info = program.stat()
    is_shared = info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISREG(info.st_mode) and info.st_uid in (0, os.geteuid()) and not is_shared


def _judge(what: str, units: Iterable[Unit], done: proc.Completed | None) -> None:
    """Raise for units that are not as they should be, with what systemd said."""
    names = ", ".join(f"{unit.name} ({unit.state}, {unit.result})" for unit in units)
    if names:
        said = " ".join(done.stderr.split())[:_DETAIL_CHARACTERS] if done else ""
        raise InstallerError(Reason.UNHEALTHY, f"{names} {what}{': ' if said else ''}{said}")
