# SPDX-License-Identifier: Apache-2.0
"""The work of one order: a plan, its changes one after the other, an answer.

The plan is on disk before anything changes (`plan`), every change may be made
twice (`mover`), and rubbish is swept last.  So a kill at any point is harmless:
the same order performed again finds its place (I6).

All or nothing: when a change fails, the plan is turned back and every component
returns to where it was, in reverse, as far as the kept archives reach.  The first
failure is the one reported.
"""

from __future__ import annotations

import errno
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from scomod import verify
from scomod.errors import InstallerError, OperationError, Reason
from scomod.installers import jobfile
from scomod.installers.base import Action, JobResult
from scomod.installers.plan import Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scomod.installers.archive import Archives
    from scomod.installers.attendance import Attendance
    from scomod.installers.base import Job
    from scomod.installers.layout import Layout
    from scomod.installers.mover import Mover
    from scomod.installers.payload import Payloads
    from scomod.installers.plan import Change, Plan, Plans
    from scomod.installers.planner import Planner
    from scomod.installers.reboot import Reboot

log = logging.getLogger(__name__)

ALLOW_DOWNGRADE: Final = ("allow-downgrade", "yes")
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_downgrade_allowed(policy: str, params: str) -> bool:
    """Tell whether an older version may take a newer one's place: policy, then InstallParams."""
    if policy == "server":
        key, value = ALLOW_DOWNGRADE
        return verify.parse_install_params(params).rest.get(key) == value
    return policy == "always"


def _unarmed(job: Job, changes: Sequence[Change]) -> None:
    """Make no way back, as where there is no helper to make one."""
    del job, changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Everything an order needs; the rights are those of the process.

    `observer` is told the boundaries "planned", "turned" and "taken-back" here, the
    others come from `planner` and `mover`.  `downgrade` is `[install] allow_downgrade`,
    `arm` makes the way back of what replaces ourselves, or raises why there is none.
    """

    layout: Layout
    archives: Archives
    payloads: Payloads
    plans: Plans
    planner: Planner
    mover: Mover
    attendance: Attendance
    reboot: Reboot
    downgrade: str
    observer: Callable[[str], None]
    arm: Callable[[Job, Sequence[Change]], None] = _unarmed

    def make_dirs(self) -> None:
        """Make the directories that this side owns."""
        self.layout.make_dirs()
        self.archives.make_dirs()

    def answer(self, job: Job) -> JobResult:
        """Perform an order once and keep its result; done before, the result again."""
        kept = jobfile.kept_result(self.layout.results_dir, job.id)
        if kept is not None:
            return kept
        result = self.perform(job)
        jobfile.write_result(self.layout.results_dir, result)
        return result

    def perform(self, job: Job) -> JobResult:
        """Do what an order says, or what is left of it after a kill."""
        return self._guarded(job, self._do)

    def give_up(self, job: Job, detail: str) -> JobResult:
        """Take back what was begun of an order that keeps killing us."""

        def turn(job: Job) -> JobResult:
            plan = self.plans.of(job)
            if plan is None:
                raise InstallerError(Reason.CRASH_LOOP, detail)
            return self._fail(plan, Reason.CRASH_LOOP, detail)

        return self._guarded(job, turn)

    def _guarded(self, job: Job, deed: Callable[[Job], JobResult]) -> JobResult:
        """Turn errors into answers, and sweep."""
        try:
            result = deed(job)
        except (OperationError, OSError) as error:
            result = _failure(job.id, *_reason_and_text(error))
        if not result.is_ok:
            log.info("order %s (%s) failed: %s", job.id, job.action, result.detail)
        try:
            self._sweep(job)
        except OSError as error:
            log.warning("rubbish of order %s stays: %s", job.id, error)
        return result

    def _sweep(self, job: Job) -> None:
        self.payloads.drop(job.id)
        self.archives.sweep(self.plans.archives())

    def _do(self, job: Job) -> JobResult:
        match job.action:
            case Action.START | Action.STOP | Action.CHECK:
                return JobResult(id=job.id, is_ok=True, components=(self.attendance.serve(job),))
            case Action.UNDO:
                return self._undo(job)
            case Action.REBOOT:
                self.reboot.restart(job.params)
                return JobResult(id=job.id, is_ok=True)
            case _:
                return self._change(job)

    # -- changes -----------------------------------------------------------------

    def _change(self, job: Job) -> JobResult:
        plan = self.plans.of(job)
        if plan is None:
            plan = self.planner.plan(job, self.reboot.mark())
            self.plans.write(plan)
            self.observer("planned")
        # All that it brings is in the store now, so the room of the rest is free.
        self.payloads.drop(job.id)
        if plan.direction is Direction.BACK:
            return self._fail(plan, Reason(plan.reason), plan.detail)
        self.arm(job, plan.changes)
        try:
            self._go_forward(job, plan)
        except (OperationError, OSError) as error:
            return self._fail(plan, *_reason_and_text(error))
        if job.action is Action.REMOVE:
            # Room is what software is removed for: its archive does not wait for an undo.
            self.plans.drop(job.id)
        return self._success(job.id, plan)

    def _go_forward(self, job: Job, plan: Plan) -> None:
        may_downgrade = is_downgrade_allowed(self.downgrade, job.params)
        self.mover.forward(plan.changes, may_downgrade=may_downgrade)

    def _fail(self, plan: Plan, reason: Reason, detail: str) -> JobResult:
        """Turn a plan back, go back, and say why."""
        if plan.direction is Direction.FORWARD:
            plan = replace(plan, direction=Direction.BACK, reason=reason, detail=detail)
            self._turn(plan)
        troubles = self._go_back(plan)
        return _failure(plan.job_id, reason, "; ".join([detail, *map(str, troubles)]))

    def _turn(self, plan: Plan) -> None:
        try:
            self.plans.write(plan)
            self.archives.sweep(self.plans.archives())
        except OSError as error:
            # A full disk: without the note a kill from here on means one more attempt.
            log.warning("order %s goes back without a note: %s", plan.job_id, error)
        self.observer("turned")

    def _go_back(self, plan: Plan) -> list[OperationError]:
        """Bring every component back, whatever becomes of the others; gives what went wrong."""
        troubles = self.mover.back(plan.changes)
        self.observer("taken-back")
        return [
            _trouble(change, troubles[change.id])
            for change in reversed(plan.changes)
            if change.id in troubles
        ]

    def _undo(self, job: Job) -> JobResult:
        """Bring back what another order replaced; once more ends the same."""
        plan = self.plans.read(job.undoes)
        if plan is None:
            raise InstallerError(
                Reason.NOT_PRESENT, f"nothing is kept that order {job.undoes!r:.80} replaced"
            )
        for change in plan.changes:
            self.planner.owners.check(job, change.backend, change.id)
        if plan.direction is Direction.FORWARD:
            text = f"taken back by order {job.id}"
            plan = replace(plan, direction=Direction.BACK, reason=Reason.CANCELLED, detail=text)
            self._turn(plan)
        if troubles := self._go_back(plan):
            raise InstallerError(troubles[0].reason, "; ".join(map(str, troubles)))
        return self._success(job.id, plan)

    def _success(self, job_id: str, plan: Plan) -> JobResult:
        entries = [self.archives.entry(change.id) for change in plan.changes]
        names = [change.id for change in plan.changes]
        return JobResult(
            id=job_id,
            is_ok=True,
            components=tuple(entry.item() for entry in entries if entry is not None),
            wants_reboot=self.reboot.is_wanted(plan.reboot_mark, names),
        )


def _failure(job_id: str, reason: Reason, detail: str) -> JobResult:
    return JobResult(id=job_id, is_ok=False, reason=reason, detail=detail)


def _reason_and_text(error: OperationError | OSError) -> tuple[Reason, str]:
    if isinstance(error, OperationError):
        return error.reason, str(error)
    reason = Reason.NO_SPACE if error.errno in _FULL else Reason.INTERNAL
    return reason, f"{error.strerror}: {error.filename}"


def _trouble(change: Change, error: OperationError | OSError) -> InstallerError:
    reason, text = _reason_and_text(error)
    return InstallerError(reason, f"going back to {_before(change)} failed: {text}")


def _before(change: Change) -> str:
    return change.was or (change.before.version if change.before else f"no {change.id}")
