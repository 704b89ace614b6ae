# SPDX-License-Identifier: Apache-2.0
"""The person is away, says no, leaves or says nothing: the operation waits or ends with 1401."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scomod.codes import ResultCode
from tests.support.debs import Deb
from tests.support.failing import check_failed, deb_of
from tests.support.rig import ROOT, Rig

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.lab.devices import Order
    from tests.support.nursery import Program

HELLO = Deb(name="asked")
DECLINED = "declined by the person at the device"
UNANSWERED = "nobody answered in time"


def started(rig: Rig, policy: str = "") -> Program:
    """Bring up a device that asks; gives the daemon."""
    rig.write_config(confirm="ask")
    rig.override(f"[confirm]\n{policy}\n")
    rig.bootstrap()
    daemon = rig.start_daemon()
    rig.start_helper()
    rig.until_up()
    return daemon


def ordered(rig: Rig) -> Order:
    order = rig.order_install(deb_of(rig, HELLO))
    assert rig.session()["outcome"] == "ok"
    return order


def until_waiting(rig: Rig) -> None:
    rig.until(lambda: rig.status()["prompts_waiting"] == 1, "the prompt")
    (operation,) = rig.operations()
    assert (operation["phase"], operation["step"]) == ("waiting", "consent")


def check_installed(rig: Rig, order: Order) -> None:
    assert rig.result_of(order) == ResultCode.SUCCESSFUL, rig.logs()
    rig.until_reported()
    assert rig.dpkg_state(HELLO.name) == "ii 1.0"
    assert len(rig.reports(order)) == 1


def mute_agent(rig: Rig) -> tuple[subprocess.Popen[bytes], Path]:
    """Start an agent that never answers; gives it and the file it touches when asked."""
    file = rig.directory / "agent"
    command = [sys.executable, "-m", "tests.support.mute_agent", rig.bus_address, str(file)]
    process = subprocess.Popen(command, env=rig.environment(), cwd=ROOT)
    rig.until(file.with_suffix(".ready").exists, "the agent")
    return process, file.with_suffix(".asked")


def go_on_accepting(rig: Rig) -> None:
    """From here on nobody is asked; the device is well."""
    rig.override('[confirm]\ndefault = "silent"\n')
    rig.start_daemon()
    rig.until_up()
    rig.check_well()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_nobody_there_leaves_it_waiting_also_over_a_restart(
    tmp_path: Path, ending: signal.Signals
) -> None:
    with Rig(tmp_path) as rig:
        daemon = started(rig, 'no_agent = "defer"')
        order = ordered(rig)
        until_waiting(rig)
        daemon.send_signal(ending)
        daemon.wait()
        daemon = rig.start_daemon()
        rig.until_up()
        until_waiting(rig)
        assert order.result is None
        assert rig.bench.packages.requests == []
        assert rig.scomoctl("confirm") == {"operation": 1, "is_accepted": True}
        check_installed(rig, order)
        rig.stop(daemon)
        go_on_accepting(rig)


def test_nobody_there_may_mean_yes(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        started(rig, 'no_agent = "accept"')
        check_installed(rig, ordered(rig))


def test_nobody_there_may_mean_no(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        started(rig, 'no_agent = "decline"')
        order = rig.order_install(deb_of(rig, HELLO))
        check_failed(rig, order, ResultCode.USER_CANCELLED, "policy declines")


def test_a_policy_that_refuses_asks_nobody(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        daemon = started(rig, 'default = "refuse"')
        order = rig.order_install(deb_of(rig, HELLO))
        check_failed(rig, order, ResultCode.USER_CANCELLED, "policy declines")
        rig.stop(daemon)
        go_on_accepting(rig)


@pytest.mark.parametrize("verb", ["confirm", "decline"])
def test_an_agent_that_dies_while_asked_leaves_the_question_open(tmp_path: Path, verb: str) -> None:
    with Rig(tmp_path) as rig:
        started(rig)
        agent, asked = mute_agent(rig)
        order = ordered(rig)
        rig.until(asked.exists, "the question")
        os.kill(agent.pid, signal.SIGKILL)
        agent.wait()
        rig.until(lambda: not rig.status()["agent"], "the agent gone")
        until_waiting(rig)
        rig.scomoctl(verb, "1")
        if verb == "confirm":
            check_installed(rig, order)
        else:
            assert rig.result_of(order) == ResultCode.USER_CANCELLED
            assert DECLINED in rig.operations()[0]["detail"]
        assert rig.scomoctl(verb, code=1).startswith("scomoctl: nothing waits")


@pytest.mark.parametrize("is_asked", [True, False], ids=["agent is silent", "no agent"])
def test_no_answer_in_time_is_a_no(tmp_path: Path, is_asked: bool) -> None:
    with Rig(tmp_path) as rig:
        started(rig, "deadline_s = 0.5")
        agent = mute_agent(rig)[0] if is_asked else None
        order = rig.order_install(deb_of(rig, HELLO))
        check_failed(rig, order, ResultCode.USER_CANCELLED, UNANSWERED)
        assert rig.status()["prompts_waiting"] == 0
        if agent is not None:
            agent.kill()
            agent.wait()
