# SPDX-License-Identifier: Apache-2.0
"""Orders to the installing side: which job a step means, and what its result means.

The id of a job is that of its operation and step, so that asking again after a crash
gets the answer of the first time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers.base import Action, Job, unheard
from scomod.operation import UNDOABLE, Branch, StepKind
from scomod.package import backend_of, digest_of, payload_of, proof_of
from scomod.report import concerned
from scomod.stepresult import Done

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scomod.download.spool import Spool
    from scomod.installers.base import JobResult, Runner
    from scomod.operation import Operation
    from scomod.settings import Paths

ACTIONS: Final[Mapping[StepKind, Action]] = {
    StepKind.INSTALL: Action.INSTALL,
    StepKind.INSTALL_INACTIVE: Action.INSTALL_INACTIVE,
    StepKind.ACTIVATE: Action.ACTIVATE,
    StepKind.DEACTIVATE: Action.DEACTIVATE,
    StepKind.REMOVE: Action.REMOVE,
    StepKind.START: Action.START,
    StepKind.STOP: Action.STOP,
}
# An installation is told in thousandths.
WHOLE: Final = 1000


class Orders:
    """Makes jobs and reads their results.

    `touches(server_id)` says whose components a server may change, `may_reboot` whether
    the plan gets a restart where a backend asks for one;
    `on_progress(operation_id, done, whole)` is told how far a change is, perhaps from a thread.
    """

    def __init__(
        self,
        *,
        paths: Paths,
        spool: Spool,
        runner: Runner,
        touches: Callable[[str], tuple[str, ...]],
        may_reboot: bool,
        on_progress: Callable[[int, int, int], None],
    ) -> None:
        self._paths = paths
        self._spool = spool
        self._runner = runner
        self._touches = touches
        self._may_reboot = may_reboot
        self._on_progress = on_progress

    async def change(self, operation: Operation) -> Done:
        """Carry out the step that changes the device; raises `InstallerError`."""
        step = operation.step
        is_install = step in (StepKind.INSTALL, StepKind.INSTALL_INACTIVE)
        payload = payload_of(operation, self._paths, self._spool)
        proof = proof_of(operation, payload)
        result = await self._run(
            Job(
                id=job_id(operation, step),
                backend=backend_of(operation, self._runner.kinds),
                action=ACTIONS[step],
                component_id=operation.subject.component_id,
                package_id=operation.subject.pkg_id,
                payload=str(payload) if is_install else "",
                digest=digest_of(operation) if is_install else "",
                signature=proof.signature,
                certificate=proof.certificate,
                params=operation.subject.install_params,
                keep_payload=operation.branch is Branch.DELIVERED,
                owner=operation.server_id,
                touches=self._touches(operation.server_id),
            ),
            lambda done: self._on_progress(operation.id, round(done * WHOLE), WHOLE),
        )
        is_due = result.wants_reboot and self._may_reboot
        return Done(
            data={"components": [item.id for item in result.components]},
            then=(StepKind.REBOOT,) if is_due and not _reboots_next(operation) else (),
        )

    async def check(self, operation: Operation, component_id: str, for_s: float) -> None:
        """Look whether a component has been well for so long; raises `InstallerError` if not."""
        word = f"check-{concerned(operation).index(component_id)}"
        job = self._side_job(
            operation, Action.CHECK, word, component_id=component_id, params=f"{for_s:g}"
        )
        await self._run(job)

    async def undo(self, operation: Operation, step: StepKind) -> None:
        """Bring back what a step's job replaced; raises `InstallerError` if that fails."""
        undoes = job_id(operation, step)
        await self._run(self._side_job(operation, Action.UNDO, _undo_word(step), undoes=undoes))

    async def undo_if_done(self, operation: Operation, step: StepKind) -> None:
        """Bring back what a step's job replaced, of which nobody knows whether it began."""
        try:
            await self.undo(operation, step)
        except InstallerError as error:
            if error.reason is not Reason.NOT_PRESENT:
                raise

    async def reboot(self, operation: Operation, boot_id: str) -> None:
        """Restart the device unless this boot is over; raises `InstallerError` if it cannot."""
        word = _reboot_word(operation.cursor)
        await self._run(self._side_job(operation, Action.REBOOT, word, params=boot_id))

    def withdraw(self, operation: Operation) -> bool:
        """Take the order of the current step back; False once the installing side has it."""
        return self._runner.withdraw(job_id(operation, operation.step))

    def forget(self, operation: Operation) -> None:
        """Drop the kept results of a finished operation."""
        for word in _words(operation):
            self._runner.forget(_job_id(operation, word))

    def _side_job(  # one job beside the change itself
        self,
        operation: Operation,
        action: Action,
        word: str,
        *,
        component_id: str = "",
        undoes: str = "",
        params: str = "",
    ) -> Job:
        return Job(
            id=_job_id(operation, word),
            backend=backend_of(operation, self._runner.kinds),
            action=action,
            component_id=component_id,
            params=params,
            undoes=undoes,
            owner=operation.server_id,
            touches=self._touches(operation.server_id),
        )

    async def _run(self, job: Job, told: Callable[[float], None] = unheard) -> JobResult:
        result = await self._runner.run(job, told)
        if not result.is_ok:
            raise InstallerError(_reason(result.reason), result.detail)
        return result


def job_id(operation: Operation, step: StepKind) -> str:
    """Return the id of a step's job."""
    return _job_id(operation, _word(step))


def _job_id(operation: Operation, word: str) -> str:
    """Return an id that no other operation has, even after the database was lost."""
    return f"{operation.id}-{int(operation.created_s * 1000):x}-{word}"


def _word(step: StepKind) -> str:
    return step.replace(" ", "-")


def _undo_word(step: StepKind) -> str:
    return f"{_word(step)}-undo"


def _reboot_word(cursor: int) -> str:
    return f"reboot-{cursor}"


def _words(operation: Operation) -> Iterator[str]:
    """Yield the last parts of the ids of all jobs that the operation may have ordered."""
    for cursor, step in enumerate(operation.plan):
        if step in ACTIONS:
            yield _word(step)
        if step in UNDOABLE:
            yield _undo_word(step)
        elif step is StepKind.REBOOT:
            yield _reboot_word(cursor)
        elif step is StepKind.HEALTH:
            yield from (f"check-{index}" for index, _ in enumerate(concerned(operation)))


def _reboots_next(operation: Operation) -> bool:
    return operation.plan[operation.cursor + 1 :][:1] == (StepKind.REBOOT,)


def _reason(text: str) -> Reason:
    return Reason(text) if text in set(Reason) else Reason.INTERNAL
