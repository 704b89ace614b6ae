# SPDX-License-Identifier: Apache-2.0
"""Both runners give the same answers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scomod.clock import SystemClock
from scomod.errors import InstallerError, Reason
from scomod.installers import wayback
from scomod.installers.base import Action
from scomod.installers.runner import DirectRunner, SpoolRunner, open_runner
from scomod.settings import Dpkg, Install, SelfUpdate, Settings, Verify
from tests.support.debs import Deb
from tests.support.helper_device import HelperDevice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.installers.base import Runner


def settings(
    kind: str, *, inventory: str = "all", timeout_s: float = 20.0, reach_s: float = 1800.0
) -> Settings:
    install = Install(runner=kind, result_timeout_s=timeout_s, dpkg=Dpkg(inventory=inventory))
    way_back = SelfUpdate(reach_s=reach_s)
    return Settings(verify=Verify(signature="optional"), install=install, self_update=way_back)


@pytest.fixture(params=["spool", "direct"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def device(tmp_path: Path, kind: str) -> Iterator[HelperDevice]:
    made = HelperDevice(tmp_path / "root")
    made.configure('[verify]\nsignature = "optional"\n')
    if kind == "direct":
        yield made
    else:
        with made.watching():
            yield made


@pytest.fixture
def runner(device: HelperDevice, kind: str) -> Runner:
    return open_runner(settings(kind), device.paths, SystemClock())


def test_the_configuration_chooses(device: HelperDevice, kind: str, runner: Runner) -> None:
    assert isinstance(runner, {"spool": SpoolRunner, "direct": DirectRunner}[kind])


def test_a_job_runs_to_its_end(device: HelperDevice, runner: Runner, tmp_path: Path) -> None:
    job = device.order(Action.INSTALL, Deb().build(tmp_path))
    result = asyncio.run(runner.run(job))
    assert result.is_ok
    assert [(item.id, item.is_active) for item in runner.inventory()] == [("hello", True)]
    assert [item.digest for item in runner.inventory()] == [job.digest]


def test_how_far_it_is_is_told_while_it_runs(
    device: HelperDevice, runner: Runner, tmp_path: Path
) -> None:
    told: list[float] = []
    deb = Deb(scripts={"preinst": "sleep 1.2", "postinst": "sleep 0.8"})
    assert asyncio.run(
        runner.run(device.order(Action.INSTALL, deb.build(tmp_path)), told.append)
    ).is_ok
    assert len(told) > 1
    assert told == sorted(set(told))
    assert 0 < told[0] < told[-1] <= 1


def test_a_failure_is_a_result(device: HelperDevice, runner: Runner) -> None:
    result = asyncio.run(runner.run(device.order(Action.ACTIVATE)))
    assert (result.is_ok, result.reason) == (False, Reason.NOT_PRESENT)


def test_a_job_already_done_gives_its_result_until_it_is_forgotten(
    device: HelperDevice, runner: Runner, tmp_path: Path
) -> None:
    failing = device.order(Action.ACTIVATE, id="1")
    first = asyncio.run(runner.run(failing))
    assert not first.is_ok
    assert asyncio.run(
        runner.run(device.order(Action.INSTALL_INACTIVE, Deb().build(tmp_path), id="2"))
    ).is_ok
    assert asyncio.run(runner.run(failing)) == first
    runner.forget("1")
    assert asyncio.run(runner.run(failing)).is_ok


def test_forgetting_what_never_was_is_nothing(runner: Runner) -> None:
    runner.forget("1")
    runner.forget("../../etc/passwd")


def test_an_id_that_is_none_is_refused(device: HelperDevice, runner: Runner) -> None:
    with pytest.raises(InstallerError):
        asyncio.run(runner.run(replace(device.order(Action.REMOVE), id="../x")))


def test_the_inventory_of_managed_items(
    device: HelperDevice, runner: Runner, kind: str, tmp_path: Path
) -> None:
    assert asyncio.run(runner.run(device.order(Action.INSTALL, Deb().build(tmp_path)))).is_ok
    backend = device.workshop().mover.backends["dpkg"]
    other = Deb(name="image").build(tmp_path)
    backend.install(other, backend.inspect(other))
    assert [item.id for item in runner.inventory()] == ["hello", "image"]
    managed = open_runner(settings(kind, inventory="managed"), device.paths, SystemClock())
    assert [item.id for item in managed.inventory()] == ["hello"]


def test_without_a_helper_the_order_is_taken_back(tmp_path: Path) -> None:
    device = HelperDevice(tmp_path / "root")
    runner = open_runner(settings("spool", timeout_s=1.0), device.paths, SystemClock())
    result = asyncio.run(runner.run(device.order(Action.REMOVE)))
    assert (result.is_ok, result.reason) == (False, Reason.TIMEOUT)
    assert device.pending() == []


@pytest.mark.parametrize(("of_this_order", "limit_s"), [(True, 0.8), (False, 0.3)])
def test_only_an_upgrade_of_scomod_has_the_time_of_its_way_back(
    tmp_path: Path, *, of_this_order: bool, limit_s: float
) -> None:
    device = HelperDevice(tmp_path / "root")
    job = device.order(Action.REMOVE)
    pending = wayback.Pending(
        job_id=job.id if of_this_order else "7-other-install",
        **dict.fromkeys(("component_id", "before", "after", "nonce", "stamp"), "x"),
    )
    device.paths.way_back.mkdir(parents=True)
    (device.paths.way_back / "order").write_text(wayback.written(pending, {}))
    made = settings("spool", timeout_s=0.3, reach_s=0.5)
    began_s = time.monotonic()
    result = asyncio.run(open_runner(made, device.paths, SystemClock()).run(job))
    assert time.monotonic() - began_s >= limit_s
    assert result.detail == f"no answer from scomod-install within {limit_s:g} s"


def test_a_daemon_that_restarts_finds_the_answer_waiting(tmp_path: Path) -> None:
    device = HelperDevice(tmp_path / "root")
    device.configure('[verify]\nsignature = "optional"\n')
    first = device.answered(device.order(Action.REMOVE))
    runner = open_runner(settings("spool", timeout_s=1.0), device.paths, SystemClock())
    assert asyncio.run(runner.run(device.order(Action.REMOVE))) == first
    assert device.pending() == []


def test_an_order_that_cannot_be_written_is_a_failure_with_a_reason(tmp_path: Path) -> None:
    device = HelperDevice(tmp_path / "root")
    job = device.order(Action.REMOVE)
    device.paths.jobs_dir.rmdir()
    device.paths.jobs_dir.write_text("in the way")
    runner = open_runner(settings("spool"), device.paths, SystemClock())
    with pytest.raises(InstallerError) as caught:
        asyncio.run(runner.run(job))
    assert caught.value.reason is Reason.INTERNAL
