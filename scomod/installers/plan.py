# SPDX-License-Identifier: Apache-2.0
"""What an order changes: from which state of which components to which.

A plan is on disk before the first tool runs and says what was before, so that
the same order performed again finds its place after a kill, and so that what it
did can be taken back: at once when a later component fails, or by an UNDO order.
It is kept until the daemon lets go of the order's result; until then the archives
of what was before are spared (`archives`).
Not how a component gets from one state to another: that is `mover`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from scomod.errors import InstallerError
from scomod.installers import durable, jobfile
from scomod.installers.archive import Entry

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.installers.base import Job

_MAX_BYTES: Final = 1 << 20
_MODE: Final = 0o600


class Direction(StrEnum):
    """Where the components are being brought, or have been."""

    FORWARD = "forward"
    BACK = "back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One component: its entry before and after (None: no entry, so not installed by us).

    `was` is the version that worked before, "" when none did, whoever installed it.
    """

    id: str
    backend: str
    before: Entry | None
    was: str
    after: Entry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All changes of one order, in their sequence.

    `order` tells the order from another one under the same id.  `reason` and
    `detail` say why it was turned back.  `reboot_mark` is that of before (`reboot`).
    """

    job_id: str
    order: str
    changes: tuple[Change, ...] = ()
    direction: Direction = Direction.FORWARD
    reason: str = ""
    detail: str = ""
    reboot_mark: str = ""

    def archives(self) -> set[str]:
        """Name the archives that must stay for the way back, and for the way on."""
        ends = [change.before for change in self.changes]
        if self.direction is Direction.FORWARD:
            ends += [change.after for change in self.changes]
        return {entry.archive for entry in ends if entry is not None}


def order_of(job: Job) -> str:
    """Say in a word what a job asks for, to compare with that of a plan."""
    return " ".join((job.action, job.backend, job.component_id or job.digest.lower()))


class Plans:
    """The plans below one directory, a file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, job: Job) -> Plan | None:
        """Find the plan of an order that was begun before."""
        plan = self.read(job.id)
        return plan if plan is not None and plan.order == order_of(job) else None

    def read(self, job_id: str) -> Plan | None:
        """Read a plan; None when there is none or it is damaged."""
        if not jobfile.is_job_id(job_id):
            return None
        try:
            value = durable.read_json(self._path(job_id), max_bytes=_MAX_BYTES)
            return _plan(value)
        except (InstallerError, TypeError, ValueError, KeyError):
            return None

    def write(self, plan: Plan) -> None:
        """Write a plan as a whole or not at all."""
        durable.write_json(self._path(plan.job_id), asdict(plan), mode=_MODE)

    def drop(self, job_id: str) -> None:
        """Forget a plan: what it did stays done."""
        durable.discard(self._path(job_id))

    def archives(self) -> set[str]:
        """Name the archives that any plan still needs."""
        plans = [self.read(path.stem) for path in self._folder.glob("[!.]*.json")]
        return {name for plan in plans if plan is not None for name in plan.archives()}

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}{jobfile.SUFFIX}"


def _plan(value: dict[str, Any]) -> Plan:
    changes = tuple(_change(raw) for raw in value["changes"])
    return Plan(**{**value, "changes": changes, "direction": Direction(value["direction"])})


def _change(value: dict[str, Any]) -> Change:
    return Change(**{**value, "before": _entry(value["before"]), "after": _entry(value["after"])})


def _entry(value: dict[str, Any] | None) -> Entry | None:
    if value is None:
        return None
    entry = Entry.of(value)
    if entry is None:
        raise ValueError("no entry")
    return entry
