# SPDX-License-Identifier: Apache-2.0
"""Windows and quiet conditions: when an operation begins, and when it does not wait any longer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scomod.admission import Admission, Facts, needs_admission
from scomod.confirm import Pending
from scomod.errors import OperationError, Reason
from scomod.operation import Branch, Operation, Primitive, Subject
from scomod.settings import Admission as Policy
from tests.support.clocks import FakeClock

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
MIDNIGHT_S = 1_800_057_600.0  # a Saturday in UTC
ORDER = Operation(
    id=1,
    branch=Branch.DOWNLOAD,
    primitive=Primitive.DOWNLOAD_INSTALL,
    node="x",
    exec_uri="",
    server_id="srv",
    subject=Subject(pkg_id="editor"),
)

pytestmark = pytest.mark.usefixtures("utc")


class Surroundings:
    """Knows what it is told, while somebody watches."""

    def __init__(self, facts: Facts | None = None) -> None:
        self.facts = facts
        self.is_watched = False

    def watch(self, _who: str) -> Facts | None:
        self.is_watched = True
        return self.facts

    def rest(self, _who: str) -> None:
        self.is_watched = False


class Gate:
    """The step, with a journal of one operation."""

    def __init__(self, policy: Policy, facts: Facts | None = None) -> None:
        self.policy = policy
        self.clock = FakeClock()
        self.clock.now_s = MIDNIGHT_S
        self.surroundings = Surroundings(facts)
        self.order = ORDER
        self.begin_life()

    def begin_life(self) -> None:
        self.admission = Admission(self.policy, self.clock, self.surroundings)

    def is_watching(self) -> bool:
        return self.surroundings.is_watched

    def decide(self) -> float | str | None:
        """Return the seconds to wait, "news" for news only, None to go on."""
        pending = self.admission.decide(self.order, self.clock.wall_s())
        if pending is None:
            return None
        assert isinstance(pending, Pending)
        self.order = replace(self.order, data={**self.order.data, **pending.data})
        return "news" if pending.again_s is None else pending.again_s


def test_it_begins_at_once_where_nothing_is_configured() -> None:
    gate = Gate(Policy())
    assert gate.decide() is None
    assert not gate.is_watching()


def test_it_waits_for_the_window_and_begins_in_it() -> None:
    gate = Gate(Policy(windows=("02:00-04:00", "Sun 12:00-13:00")))
    assert gate.decide() == 2 * HOUR_S
    gate.clock.advance(2 * HOUR_S - 1)
    assert gate.decide() == 1
    gate.clock.advance(1)
    assert gate.decide() is None


@pytest.mark.parametrize(
    ("facts", "unknown", "expected"),
    [
        (Facts(on_mains=True, on_unmetered=True), "unmet", None),
        (Facts(on_mains=False, on_unmetered=True), "met", DAY_S),
        (Facts(on_mains=True, on_unmetered=False), "met", DAY_S),
        (Facts(on_mains=True), "met", None),
        (Facts(on_mains=True), "unmet", DAY_S),
        (Facts(), "met", None),
        (Facts(), "unmet", DAY_S),
        (None, "met", "news"),
    ],
)
def test_it_waits_for_quiet_conditions(
    facts: Facts | None, unknown: str, expected: float | str | None
) -> None:
    policy = Policy(on_mains_power=True, on_unmetered_network=True, unknown=unknown)
    gate = Gate(replace(policy, max_wait_s=DAY_S), facts)
    assert gate.decide() == expected
    assert gate.is_watching() is (expected is not None)


def test_only_what_is_configured_counts() -> None:
    facts = Facts(on_mains=False, on_unmetered=True)
    assert Gate(Policy(on_unmetered_network=True), facts).decide() is None


def test_surroundings_are_left_alone_while_the_window_is_closed_and_after() -> None:
    gate = Gate(Policy(windows=("02:00-04:00",), on_mains_power=True), Facts(on_mains=False))
    gate.decide()
    assert not gate.is_watching()
    gate.clock.advance(2 * HOUR_S)
    gate.decide()
    assert gate.is_watching()
    gate.surroundings.facts = Facts(on_mains=True)
    assert gate.decide() is None
    assert not gate.is_watching()


def test_surroundings_are_watched_until_the_last_one_does_not_wait() -> None:
    gate = Gate(Policy(on_mains_power=True), Facts(on_mains=False))
    gate.decide()
    gate.admission.decide(replace(ORDER, id=2), gate.clock.wall_s())
    gate.admission.forget(1)
    assert gate.is_watching()
    gate.admission.forget(2)
    assert not gate.is_watching()


@pytest.mark.parametrize("at_max_wait", ["fail", "proceed"])
def test_all_waiting_together_ends_also_over_a_restart(at_max_wait: str) -> None:
    policy = Policy(windows=("Mon 02:00-04:00",), max_wait_s=HOUR_S, at_max_wait=at_max_wait)
    gate = Gate(policy)
    assert gate.decide() == HOUR_S
    gate.clock.advance(HOUR_S - 10)
    gate.begin_life()
    assert gate.decide() == 10
    gate.clock.advance(10)
    if at_max_wait == "proceed":
        assert gate.decide() is None
        return
    with pytest.raises(OperationError, match="waited in vain for a maintenance window") as caught:
        gate.decide()
    assert caught.value.reason is Reason.TIMEOUT


def test_what_was_missing_is_named() -> None:
    gate = Gate(Policy(on_mains_power=True, max_wait_s=1.0), Facts(on_mains=False))
    gate.decide()
    gate.clock.advance(1)
    with pytest.raises(OperationError, match="waited in vain for mains power"):
        gate.decide()


@pytest.mark.parametrize(
    ("policy", "primitive", "expected"),
    [
        (Policy(), Primitive.INSTALL, False),
        (Policy(windows=("02:00-04:00",)), Primitive.INSTALL, True),
        (Policy(on_mains_power=True), Primitive.REMOVE, True),
        (Policy(on_unmetered_network=True), Primitive.DOWNLOAD, True),
        (Policy(windows=("02:00-04:00",)), Primitive.START, False),
        (Policy(windows=("02:00-04:00",)), Primitive.STOP, False),
    ],
)
def test_only_where_something_is_configured_plans_get_the_step(
    policy: Policy, primitive: Primitive, expected: bool
) -> None:
    assert needs_admission(policy, replace(ORDER, primitive=primitive)) is expected
