# SPDX-License-Identifier: Apache-2.0
"""The steps: which room does and undoes each, and how it survives a crash (design §7).

Every `do` may be run twice: that is the whole recovery (I6).  Consent and disclose ask
again, acquire resumes its part file, verify reads only, install and the other
jobs are idempotent on the installing side, reboot and health go by what was noted
before, settle compares.  Failures are raised as `OperationError`; the engine decides
what follows.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from scomod import deadlines, vigil
from scomod.admission import SINCE
from scomod.errors import Reason, VerifyError
from scomod.mirror import read
from scomod.operation import UNDOABLE, Operation, StepKind
from scomod.orders import ACTIONS
from scomod.package import digest_of, params_of, payload_of, proof_of
from scomod.stepresult import Done, Wait
from scomod.trust import trust_of
from scomod.verify import check_digest, require_signature

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractContextManager

    from scomod.acquiring import Acquiring
    from scomod.admission import Admission
    from scomod.clock import Clock
    from scomod.confirm import Confirmations
    from scomod.consent import Consent
    from scomod.download.spool import Spool
    from scomod.fetchterms import Pause
    from scomod.health import Watch
    from scomod.installers.base import Runner
    from scomod.knowntime import UnsetClock
    from scomod.orders import Orders
    from scomod.restart import Restart
    from scomod.settings import Paths, Settings
    from scomod.stepresult import StepResult
    from scomod.vigil import Vigil

    Room = Callable[[Operation], Awaitable[StepResult]]


class Steps:
    """The steps, each from the room that knows it; files and inventory are here."""

    def __init__(
        self,
        *,
        settings: Settings,
        paths: Paths,
        clock: Clock,
        acquiring: Acquiring,
        spool: Spool,
        runner: Runner,
        orders: Orders,
        restart: Restart,
        watch: Watch,
        confirmations: Confirmations,
        consent: Consent,
        admission: Admission,
        vigil: Vigil,
        unset: Callable[[], UnsetClock | None] | None = None,
    ) -> None:
        self._settings = settings
        self._unset = unset
        self._paths = paths
        self._clock = clock
        self._acquiring = acquiring
        self._spool = spool
        self._runner = runner
        self._orders = orders
        self._confirmations = confirmations
        self._admission = admission
        self._vigil = vigil
        self._rooms: Mapping[StepKind, Room] = {
            **dict.fromkeys(ACTIONS, orders.change),
            StepKind.CONSENT: consent.do,
            StepKind.ADMIT: self._admit,
            StepKind.ACQUIRE: acquiring.do,
            StepKind.VERIFY: self._verify,
            StepKind.DISCLOSE: consent.disclose,
            StepKind.DELIVER: self._deliver,
            StepKind.REBOOT: restart.do,
            StepKind.HEALTH: watch.do,
            StepKind.DISCARD: self._discard,
            StepKind.SETTLE: self._settle,
        }

    def stop(self) -> None:
        """End a running fetch soon; its part file stays."""
        self._acquiring.stop()

    def interrupt(self, operation_id: int) -> None:
        """End soon what an operation that is cancelled does now, as far as it can be."""
        self._acquiring.interrupt(operation_id)

    def withdraw(self, operation: Operation) -> bool:
        """Take back the order of the current step; False once somebody works on it."""
        return self._orders.withdraw(operation)

    async def do(self, operation: Operation) -> StepResult:
        """Run the current step.  Raises `OperationError`."""
        with self._watched(operation):
            return await self._rooms[operation.step](operation)

    def _watched(self, operation: Operation) -> AbstractContextManager[None]:
        """Watch over a step: it gets on, or this process is not well."""
        limit_s = deadlines.step_s(self._settings, operation)
        return self._vigil.over(vigil.name_of(operation.id), limit_s)

    def gained(self, operation: Operation) -> Mapping[str, object]:
        """Return what an earlier life gained in the current step and did not note, or {}."""
        return self._acquiring.gained(operation) if operation.step is StepKind.ACQUIRE else {}

    def reconsider(self) -> None:
        """End soon what may not go on now, after news of the surroundings; it does later."""
        self._acquiring.reconsider()

    def pause(self, operation: Operation) -> Pause | None:
        """Return what an operation that is to be admitted waits for, None if nothing."""
        return self._admission.pause(operation.id, self._clock.wall_s())

    async def undo(self, operation: Operation, step: StepKind) -> None:
        """Take back one step; steps that leave nothing have nothing to take back."""
        with self._watched(operation):
            await self._undo(operation, step)

    async def _undo(self, operation: Operation, step: StepKind) -> None:
        if step in (StepKind.ACQUIRE, StepKind.VERIFY, StepKind.DELIVER):
            await asyncio.to_thread(self._spool.discard, operation.id)
        elif step in UNDOABLE and operation.step is not step:
            # Only a later step can have failed: a failed job has undone itself.
            await self._orders.undo(operation, step)
        elif step in UNDOABLE and operation.reason is Reason.CRASH_LOOP:
            await self._orders.undo_if_done(operation, step)

    def forget(self, operation: Operation) -> None:
        """Let go of what was kept for a finished operation."""
        self._confirmations.withdraw(operation.id)
        self._admission.forget(operation.id)
        self._acquiring.forget(operation.id)
        self._spool.discard(operation.id)
        self._orders.forget(operation)

    # -- the steps that have no room of their own --------------------------------

    async def _admit(self, operation: Operation) -> StepResult:
        pending = self._admission.decide(operation, self._clock.wall_s())
        if pending is None:
            return Done(data={SINCE: None})  # what is admitted anew begins to wait anew
        return Wait(again_s=pending.again_s, data=pending.data)

    async def _verify(self, operation: Operation) -> StepResult:
        await asyncio.to_thread(self._check, operation)
        return Done()

    def _check(self, operation: Operation) -> None:
        """Check digest and signature; the digest was computed as the package came."""
        policy, params = self._settings.verify, params_of(operation)
        if params.sha256 not in ("", digest_of(operation)):
            raise VerifyError(Reason.DIGEST, f"SHA-256 is not the announced {params.sha256}")
        payload = payload_of(operation, self._paths, self._spool)
        if params.sha512:
            # read once more: a delta, or a session, brings no digest of that kind along
            with payload.open("rb") as file:
                check_digest(file, params.sha512, "sha512")
        proof = proof_of(operation, payload)
        require_signature(proof.signature, is_required=policy.signature == "required")
        if proof.signature:
            trust = trust_of(self._settings, self._paths, self._clock, self._unset)
            trust.check(digest_of(operation), proof)

    async def _deliver(self, operation: Operation) -> StepResult:
        part = self._spool.part(operation.id)
        await asyncio.to_thread(self._spool.promote, part, digest_of(operation))
        return Done()

    async def _discard(self, _operation: Operation) -> StepResult:
        return Done()

    async def _settle(self, _operation: Operation) -> StepResult:
        mark = self._runner.mark()
        return Done(items=await read(self._runner), mark=mark)
