# SPDX-License-Identifier: Apache-2.0
"""Who has to get on, and by when."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from scomod import deadlines
from scomod.operation import PLANS, Branch, Operation, Phase, Primitive, StepKind, Subject
from scomod.settings import Settings
from scomod.vigil import Vigil
from tests.support.clocks import FakeClock

HOUR_S = 3600.0


def test_what_gets_on_is_never_stuck_however_long_it_takes() -> None:
    clock = FakeClock()
    vigil = Vigil(clock.monotonic_s)
    with vigil.over("operation 1", 10.0):
        for _ in range(1000):
            clock.advance(9.0)
            vigil.got_on("operation 1")
            assert vigil.stuck() == []
        clock.advance(10.5)
        assert vigil.stuck() == ["operation 1"]
        vigil.got_on("operation 1")
        assert vigil.stuck() == []
    clock.advance(HOUR_S)
    assert vigil.stuck() == [], "what is over hangs no more"
    vigil.got_on("operation 1")
    assert vigil.stuck() == []


def test_each_has_its_own_limit_and_one_that_raises_is_over() -> None:
    clock = FakeClock()
    vigil = Vigil(clock.monotonic_s)
    with vigil.over("session", 100.0):
        with suppress(ZeroDivisionError), vigil.over("operation 1", 10.0):
            clock.advance(11.0)
            assert vigil.stuck() == ["operation 1"]
            raise ZeroDivisionError
        assert vigil.stuck() == []
        clock.advance(90.0)
        assert vigil.stuck() == ["session"]


def operation_at(branch: Branch, primitive: Primitive, step: StepKind) -> Operation:
    plan = PLANS[branch, primitive]
    return Operation(
        id=1,
        branch=branch,
        primitive=primitive,
        node="x",
        exec_uri="./x",
        server_id="srv",
        subject=Subject(pkg_id="p", url="https://host/p"),
        phase=Phase.RUNNING,
        cursor=plan.index(step),
    )


def test_every_step_of_every_plan_has_a_limit_above_its_own_deadlines() -> None:
    settings = Settings()
    for (branch, primitive), plan in PLANS.items():
        for step in plan:
            operation = operation_at(branch, primitive, step)
            limit_s = deadlines.step_s(settings, operation)
            assert settings.daemon.stuck_after_s <= limit_s < 4 * HOUR_S
            undone_s = deadlines.step_s(settings, replace(operation, phase=Phase.ROLLING_BACK))
            assert undone_s > settings.install.result_timeout_s


def test_limits_grow_with_what_is_to_be_done() -> None:
    settings = Settings()
    place = Branch.DOWNLOAD, Primitive.DOWNLOAD
    small = operation_at(*place, StepKind.VERIFY)
    large = replace(small, data={"size": 4 << 30})
    assert deadlines.step_s(settings, large) >= deadlines.step_s(settings, small) + 4096
    one = operation_at(*place, StepKind.ACQUIRE)
    several = replace(one, subject=replace(one.subject, url="https://a/p https://b/p"))
    assert deadlines.step_s(settings, several) > deadlines.step_s(settings, one)
    limits = settings.download
    assert deadlines.step_s(settings, one) > limits.connect_timeout_s + limits.stall_s
    by_delta = replace(one, subject=replace(one.subject, install_params="delta=https://a/d"))
    assert deadlines.step_s(settings, by_delta) > limits.delta_timeout_s


def test_session_may_be_silent_as_long_as_an_exchange_and_a_person() -> None:
    settings = Settings()
    session = settings.session
    asked_s = session.user_alert_timeout_s * session.user_alert_attempts_count
    assert deadlines.session_s(settings) > settings.transport.exchange_timeout_s + asked_s
