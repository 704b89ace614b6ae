# SPDX-License-Identifier: Apache-2.0
"""Versions that failed: how long they are left alone, and what ends that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scomod.db import Database
from scomod.errors import Reason
from scomod.operation import Phase, StepKind
from scomod.quarantine import Quarantine
from scomod.settings import Quarantine as Policy
from tests.support.clocks import FakeClock
from tests.support.operations import COMPONENT, PACKAGE, an_operation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.operation import Operation

NAME = PACKAGE.pkg_id
FAILED = an_operation(phase=Phase.FAILED, failed_step=StepKind.INSTALL, reason=Reason.SCRIPT_FAILED)
POLICY = Policy(first_s=100.0, max_s=350.0, max_entries_count=2)


class Ground:
    """A list on flash and a clock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.clock = FakeClock()
        self.open()

    def open(self) -> None:
        self.db = Database.open(self._path)
        self.list = Quarantine(self.db, POLICY, self.clock)

    def of(self, version: str) -> Operation:
        return replace(FAILED, subject=replace(PACKAGE, digest=version))


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path / "q.db")
    yield made
    made.db.close()


def test_each_failure_doubles_the_time_up_to_the_longest(ground: Ground) -> None:
    spans = []
    for _ in range(4):
        ground.list.learn(FAILED)
        spans.append(ground.list.blocked_s(NAME))
        ground.clock.advance(1000)
    assert spans == [100.0, 200.0, 350.0, 350.0]
    assert ground.list.blocked_s(NAME) == 0.0


def test_it_is_remembered_in_the_next_life(ground: Ground) -> None:
    ground.list.learn(FAILED)
    ground.db.close()
    ground.open()
    assert ground.list.blocked_s(NAME) == 100.0


def test_version_that_does_well_is_forgotten(ground: Ground) -> None:
    ground.list.learn(FAILED)
    ground.list.learn(replace(FAILED, phase=Phase.SUCCEEDED))
    assert ground.list.blocked_s(NAME) == 0.0


def test_another_version_is_not_blocked(ground: Ground) -> None:
    ground.list.learn(ground.of("aa"))
    assert ground.list.blocked_s(NAME, "aa") == 100.0
    assert ground.list.blocked_s(NAME, "bb") == 0.0
    assert ground.list.blocked_s("somebody else") == 0.0


@pytest.mark.parametrize(
    ("step", "reason", "is_blocked"),
    [
        (StepKind.INSTALL, Reason.SCRIPT_FAILED, True),
        (StepKind.HEALTH, Reason.UNHEALTHY, True),
        (StepKind.INSTALL, Reason.CRASH_LOOP, True),
        (StepKind.INSTALL, Reason.CANCELLED, False),
        (StepKind.INSTALL, Reason.NO_SPACE, False),
        (StepKind.ACQUIRE, Reason.UNREACHABLE, False),
        (StepKind.REMOVE, Reason.SCRIPT_FAILED, False),
    ],
)
def test_only_failures_that_speak_of_the_version_count(
    ground: Ground, step: StepKind, reason: Reason, is_blocked: bool
) -> None:
    ground.list.learn(replace(FAILED, failed_step=step, reason=reason))
    assert bool(ground.list.blocked_s(NAME)) is is_blocked


def test_component_is_known_by_its_own_name(ground: Ground) -> None:
    failed = replace(FAILED, subject=COMPONENT, failed_step=StepKind.ACTIVATE)
    ground.list.learn(failed)
    assert ground.list.blocked_s("editor", "1.0") == 100.0


def test_list_is_bounded_and_loses_what_ends_first(ground: Ground) -> None:
    for version in ("aa", "bb", "cc"):
        ground.list.learn(ground.of(version))
        ground.clock.advance(1)
    assert ground.list.blocked_s(NAME, "aa") == 0.0
    assert ground.list.blocked_s(NAME, "cc") > 0.0


def test_clock_that_jumped_back_blocks_no_longer_than_the_longest_time(ground: Ground) -> None:
    ground.clock.now_s = 1e9
    ground.list.learn(FAILED)
    ground.clock.now_s = 0.0
    assert ground.list.blocked_s(NAME) == POLICY.max_s
