# SPDX-License-Identifier: Apache-2.0
"""Which jobs the installing side gets, and what its answers mean."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from scomod.download.spool import Spool
from scomod.errors import InstallerError, Reason
from scomod.installers.base import Action, InstalledItem, JobResult
from scomod.installers.jobfile import is_job_id
from scomod.operation import UNDOABLE, Branch, Primitive, StepKind
from scomod.orders import Orders
from scomod.settings import Paths
from tests.support.installing_side import InstallingSide
from tests.support.operations import COMPONENT, an_operation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

K = StepKind
PARTS = tuple(InstalledItem(id=name, version="1", environment="deb") for name in ("a", "b"))


@pytest.fixture
def side() -> InstallingSide:
    return InstallingSide()


def orders(
    path: Path,
    side: InstallingSide,
    *,
    may_reboot: bool = True,
    on_progress: Callable[[int, int, int], None] = lambda *_: None,
) -> Orders:
    return Orders(
        paths=Paths(path),
        spool=Spool(path / "spool", path / "delivered"),
        runner=side,
        touches=lambda server_id: (server_id, "friend"),
        may_reboot=may_reboot,
        on_progress=on_progress,
    )


def test_job_of_a_change_names_its_owner_and_whose_components_it_may_touch(
    tmp_path: Path, side: InstallingSide
) -> None:
    operation = an_operation(K.INSTALL, data={"sha256": "ab" * 32})
    side.answers[Action.INSTALL] = JobResult(id="", is_ok=True, components=PARTS)
    done = asyncio.run(orders(tmp_path, side).change(operation))
    (job,) = side.jobs
    assert (job.action, job.owner, job.touches) == (Action.INSTALL, "srv", ("srv", "friend"))
    assert job.digest == "ab" * 32
    assert done.data == {"components": ["a", "b"]}


def test_how_far_a_change_is_comes_in_thousandths(tmp_path: Path, side: InstallingSide) -> None:
    operation = an_operation(K.INSTALL, data={"sha256": "ab" * 32})
    side.fractions = (0.0, 0.3337, 1.0)
    told: list[tuple[int, int, int]] = []
    made = orders(tmp_path, side, on_progress=lambda *words: told.append(words))
    asyncio.run(made.change(operation))
    assert told == [(operation.id, done, 1000) for done in (0, 334, 1000)]


@pytest.mark.parametrize(
    ("primitive", "action"),
    [(Primitive.START, Action.START), (Primitive.STOP, Action.STOP)],
)
def test_relayed_commands_are_jobs_on_the_component(
    tmp_path: Path, side: InstallingSide, primitive: Primitive, action: Action
) -> None:
    operation = an_operation(
        K(action), branch=Branch.DEPLOYED, primitive=primitive, subject=COMPONENT
    )
    asyncio.run(orders(tmp_path, side).change(operation))
    (job,) = side.jobs
    assert (job.action, job.component_id, job.payload) == (action, "editor", "")


@pytest.mark.parametrize(
    ("wants_and_may", "steps", "then"),
    [
        ((True, True), (K.INSTALL, K.SETTLE), (K.REBOOT,)),
        ((True, True), (K.INSTALL, K.REBOOT, K.SETTLE), ()),
        ((True, False), (K.INSTALL, K.SETTLE), ()),
        ((False, True), (K.INSTALL, K.SETTLE), ()),
    ],
)
def test_restart_that_a_backend_asks_for_is_put_into_the_plan_once(
    tmp_path: Path,
    side: InstallingSide,
    wants_and_may: tuple[bool, bool],
    steps: tuple[StepKind, ...],
    then: tuple[StepKind, ...],
) -> None:
    wants, may = wants_and_may
    side.answers[Action.INSTALL] = JobResult(id="", is_ok=True, wants_reboot=wants)
    operation = an_operation(K.INSTALL, steps=steps)
    done = asyncio.run(orders(tmp_path, side, may_reboot=may).change(operation))
    assert done.then == then


def test_undo_names_the_job_that_it_takes_back(tmp_path: Path, side: InstallingSide) -> None:
    operation = an_operation(K.SETTLE)
    asyncio.run(orders(tmp_path, side).change(an_operation(K.INSTALL)))
    asyncio.run(orders(tmp_path, side).undo(operation, K.INSTALL))
    install, undo = side.jobs
    assert (undo.action, undo.undoes) == (Action.UNDO, install.id)
    assert undo.id != install.id


@pytest.mark.parametrize("reason", [Reason.NOT_PRESENT, Reason.BUSY])
def test_order_that_may_never_have_begun_is_undone_only_if_it_did(
    tmp_path: Path, side: InstallingSide, reason: Reason
) -> None:
    side.answers[Action.UNDO] = JobResult(id="", is_ok=False, reason=reason, detail="so")
    undo = orders(tmp_path, side).undo_if_done(an_operation(K.INSTALL), K.INSTALL)
    if reason is Reason.NOT_PRESENT:
        asyncio.run(undo)
    else:
        with pytest.raises(InstallerError, match="so"):
            asyncio.run(undo)


def test_failed_job_is_its_reason(tmp_path: Path, side: InstallingSide) -> None:
    side.answers[Action.CHECK] = JobResult(
        id="", is_ok=False, reason=Reason.UNHEALTHY, detail="it fell over"
    )
    operation = an_operation(K.SETTLE, data={"components": ["a", "b"]})
    with pytest.raises(InstallerError, match="it fell over") as caught:
        asyncio.run(orders(tmp_path, side).check(operation, "b", 3.0))
    assert caught.value.reason is Reason.UNHEALTHY
    assert (side.jobs[0].component_id, side.jobs[0].params) == ("b", "3")


def test_unknown_reason_is_an_internal_one(tmp_path: Path, side: InstallingSide) -> None:
    side.answers[Action.INSTALL] = JobResult(id="", is_ok=False, reason="of a newer helper")
    with pytest.raises(InstallerError) as caught:
        asyncio.run(orders(tmp_path, side).change(an_operation(K.INSTALL)))
    assert caught.value.reason is Reason.INTERNAL


def test_every_kept_result_of_a_finished_operation_is_forgotten(
    tmp_path: Path, side: InstallingSide
) -> None:
    steps = (K.CONSENT, K.REBOOT, K.INSTALL, K.REBOOT, K.HEALTH, K.SETTLE)
    data = {"components": ["a" * 200, "b"]}
    room = orders(tmp_path, side)

    async def work() -> None:
        await room.change(an_operation(K.INSTALL, steps=steps, data=data))
        await room.reboot(an_operation(K.REBOOT, steps=steps, data=data), "boot-1")
        for name in data["components"]:
            await room.check(an_operation(K.HEALTH, steps=steps, data=data), name, 1.0)
        await room.undo(an_operation(K.HEALTH, steps=steps, data=data), K.INSTALL)

    asyncio.run(work())
    assert len(side.kept) == 5
    assert all(is_job_id(key) for key in side.kept)
    room.forget(an_operation(K.SETTLE, steps=steps, data=data))
    assert side.kept == {}


def test_only_what_an_order_can_bring_back_is_undone() -> None:
    assert K.REMOVE not in UNDOABLE
    assert K.START not in UNDOABLE
