# SPDX-License-Identifier: Apache-2.0
"""Orders that are taken back before anybody took them, and downgrades by policy."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from scomod.clock import SystemClock
from scomod.errors import Reason
from scomod.installers.base import Action, Job
from scomod.installers.runner import open_runner
from scomod.installers.work import is_downgrade_allowed
from scomod.settings import Paths, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.installers.base import JobResult, Runner

JOB = Job(id="7-3e8-remove", backend="dpkg", action=Action.REMOVE, component_id="hello")


async def order_and(runner: Runner, paths: Paths, *, is_taken: bool) -> JobResult | None:
    """Order a removal, let the helper take it or not, withdraw it; None where that failed."""
    order = paths.jobs_dir / f"{JOB.id}.json"
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(runner.run(JOB))
        while not order.exists():  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.005)
        if is_taken:
            order.rename(paths.root / "taken.json")
        if not runner.withdraw(JOB.id):
            running.cancel()
    return None if running.cancelled() else running.result()


def test_order_that_nobody_took_is_withdrawn_and_its_waiter_told(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    runner = open_runner(Settings(), paths, SystemClock())
    result = asyncio.run(order_and(runner, paths, is_taken=False))
    assert result is not None
    assert (result.is_ok, result.reason) == (False, Reason.CANCELLED)
    assert list(paths.jobs_dir.iterdir()) == []


def test_order_that_the_helper_took_cannot_be_withdrawn(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    runner = open_runner(Settings(), paths, SystemClock())
    assert asyncio.run(order_and(runner, paths, is_taken=True)) is None


@pytest.mark.parametrize(
    ("policy", "params", "is_allowed"),
    [
        ("server", "", False),
        ("server", "allow-downgrade=yes", True),
        ("server", "allow-downgrade=no", False),
        ("refuse", "allow-downgrade=yes", False),
        ("always", "", True),
    ],
)
def test_older_version_may_come_where_policy_and_server_say_so(
    policy: str, params: str, is_allowed: bool
) -> None:
    assert is_downgrade_allowed(policy, params) is is_allowed
