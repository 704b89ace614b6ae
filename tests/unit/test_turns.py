# SPDX-License-Identifier: Apache-2.0
"""Which operation goes on while others fetch, change, wait or are not wanted any more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from scomod.confirm import Answer, Verdict
from scomod.operation import Branch, Operation, Phase, Primitive, StepKind, Subject, cancelled
from scomod.turns import Turns
from tests.support.clocks import FakeClock

if TYPE_CHECKING:
    from scomod.journal import Journal

PLAN = (StepKind.CONSENT, StepKind.ACQUIRE, StepKind.VERIFY, StepKind.INSTALL)


class Rows:
    """The live operations, oldest first, as the journal gives them."""

    def __init__(self, *operations: Operation) -> None:
        self.operations = list(operations)

    def live(self) -> list[Operation]:
        return self.operations

    def load(self, operation_id: int) -> Operation | None:
        return next((each for each in self.operations if each.id == operation_id), None)


def at(step: StepKind, number: int, server_id: str = "srv") -> Operation:
    return Operation(
        id=number,
        branch=Branch.DOWNLOAD,
        primitive=Primitive.DOWNLOAD_INSTALL,
        node=f"n{number}",
        exec_uri=f"./SCOMO/Download/n{number}/Operations/DownloadInstall",
        server_id=server_id,
        subject=Subject(pkg_id=f"p{number}"),
        phase=Phase.RUNNING,
        steps=PLAN,
        cursor=PLAN.index(step),
    )


def turns(*operations: Operation, fetches_count: int = 1, busy: str = "") -> Turns:
    return Turns(
        cast("Journal", Rows(*operations)),
        FakeClock(),
        is_busy=lambda server_id: server_id == busy,
        fetches_count=fetches_count,
    )


def taken(queue: Turns) -> list[int]:
    """Hand out all turns there are; gives whose they were."""
    numbers = []
    while (operation := queue.next()) is not None:
        queue.take(operation)
        numbers.append(operation.id)
    return numbers


@pytest.mark.parametrize(
    ("fetches_count", "numbers"), [(1, [1, 4]), (2, [1, 2, 4]), (8, [1, 2, 3, 4])]
)
def test_as_many_fetch_as_are_allowed_and_one_does_something_else(
    fetches_count: int, numbers: list[int]
) -> None:
    fetching = [at(StepKind.ACQUIRE, number) for number in (1, 2, 3)]
    others = [at(StepKind.CONSENT, number) for number in (4, 5)]
    assert taken(turns(*fetching, *others, fetches_count=fetches_count)) == numbers


def test_installing_waits_for_what_the_same_server_ordered_before() -> None:
    older = at(StepKind.ACQUIRE, 1)
    assert taken(turns(older, at(StepKind.INSTALL, 2))) == [1]
    assert taken(turns(older, at(StepKind.INSTALL, 2, "other"))) == [1, 2]
    assert taken(turns(at(StepKind.INSTALL, 1), at(StepKind.ACQUIRE, 2))) == [1, 2]


def test_fetch_that_waits_for_its_next_try_holds_up_nobody() -> None:
    older, newer = at(StepKind.ACQUIRE, 1), at(StepKind.INSTALL, 2)
    queue = turns(older, newer)
    queue.take(older)
    queue.hold(older, 30)
    queue.give_back(older)
    assert taken(queue) == [2]


def test_who_gives_its_turn_back_may_have_the_next() -> None:
    operation = at(StepKind.ACQUIRE, 1)
    queue = turns(operation)
    assert taken(queue) == [1]
    queue.give_back(operation)
    assert taken(queue) == [1]


def test_fetch_that_is_not_wanted_needs_no_room_among_the_fetches() -> None:
    first, second = at(StepKind.ACQUIRE, 1), at(StepKind.ACQUIRE, 2)
    queue = turns(first, replace(second, data=cancelled(second, "somebody").data))
    assert taken(queue) == [1, 2]


def test_undoing_a_fetch_is_no_fetch() -> None:
    first, second = at(StepKind.ACQUIRE, 1), at(StepKind.ACQUIRE, 2)
    queue = turns(first, replace(second, phase=Phase.ROLLING_BACK))
    assert taken(queue) == [1, 2]


def test_those_at_work_are_told_as_the_journal_has_them() -> None:
    first, second = at(StepKind.ACQUIRE, 1), at(StepKind.CONSENT, 2)
    queue = turns(first, second)
    taken(queue)
    assert [each.id for each in queue.at_work()] == [1, 2]
    queue.give_back(first)
    assert [each.id for each in queue.at_work()] == [2]


def test_sleep_lasts_until_the_first_that_is_not_at_work_is_due() -> None:
    first, second = at(StepKind.ACQUIRE, 1), at(StepKind.ACQUIRE, 2)
    queue = turns(first, second)
    assert queue.sleep_s() is None
    queue.hold(first, 60)
    queue.hold(second, 30)
    assert queue.sleep_s() == 30
    queue.take(second)
    assert queue.sleep_s() == 60


def test_an_answer_is_written_down_while_another_installs() -> None:
    """Until then a power cut would lose it, and installations take minutes."""
    installing, asked = at(StepKind.INSTALL, 1), at(StepKind.CONSENT, 2)
    queue = turns(installing, asked)
    assert taken(queue) == [1]
    queue.wait(asked)
    queue.answered(2, Answer(verdict=Verdict.GRANTED))
    assert taken(queue) == [2]


def test_answer_ends_a_wait_and_is_handed_out_once() -> None:
    operation, answer = at(StepKind.CONSENT, 1), Answer(verdict=Verdict.GRANTED)
    queue = turns(operation)
    queue.wait(operation)
    assert queue.next() is None
    queue.answered(1, answer)
    assert queue.next() is operation
    assert queue.take(operation) is answer
    queue.give_back(operation)
    assert queue.take(operation) is None


def test_what_was_ordered_begins_when_its_session_is_over() -> None:
    queued = replace(at(StepKind.CONSENT, 1), phase=Phase.QUEUED)
    assert taken(turns(queued, busy="srv")) == []
    assert taken(turns(queued, busy="other")) == [1]


def test_when_operations_go_on_is_told_of_those_that_wait_for_a_time() -> None:
    fetching, held, asking, ready = (
        at(StepKind.ACQUIRE, 1),
        replace(at(StepKind.CONSENT, 2), phase=Phase.WAITING),
        replace(at(StepKind.CONSENT, 3), phase=Phase.WAITING),
        at(StepKind.VERIFY, 4),
    )
    queue = turns(fetching, held, asking, ready)
    queue.take(fetching)
    queue.wait(held)
    queue.hold(held, 30)
    queue.wait(asking)
    found = [(due.operation_id, due.at_s, due.why) for due in queue.dues()]
    assert found == [(2, 30.0, "the question is asked again then"), (4, 0.0, "it goes on")]
