# SPDX-License-Identifier: Apache-2.0
"""The reboot step: noted first, ordered then, over when the boot is another one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scomod.errors import OperationError, Reason
from scomod.operation import Operation, StepKind
from scomod.restart import Restart
from scomod.settings import Reboot
from scomod.stepresult import Done, Wait
from tests.support.clocks import FakeClock
from tests.support.operations import an_operation

if TYPE_CHECKING:
    from collections.abc import Mapping

STEPS = (StepKind.CONSENT, StepKind.REBOOT, StepKind.INSTALL, StepKind.REBOOT, StepKind.SETTLE)


class Desk:
    """A device that is to be restarted; each `look` is one `do`, with what was noted kept."""

    def __init__(self, by: str) -> None:
        self.policy = Reboot(by=by, wait_s=600.0)
        self.clock = FakeClock()
        self.boot = "boot-1"
        self.ordered: list[str] = []
        self.asked: list[Mapping[str, Any]] = []
        self.operation = an_operation(StepKind.REBOOT, steps=STEPS)

    async def reboot(self, _operation: Operation, boot_id: str) -> None:
        assert f"reboot {self.operation.cursor}" in self.operation.data, "noted before"
        self.ordered.append(boot_id)

    def look(self) -> Done | Wait:
        restart = Restart(
            self.policy,
            self.clock,
            lambda: self.boot,
            self,  # type: ignore[arg-type]
            self.asked.append,
        )
        result = asyncio.run(restart.do(self.operation))
        assert isinstance(result, Done | Wait)
        self.operation = replace(self.operation, data={**self.operation.data, **result.data})
        return result


def test_boot_is_noted_before_the_restart_is_ordered_and_over_with_another_one() -> None:
    desk = Desk("helper")
    first = desk.look()
    assert isinstance(first, Wait)
    assert (first.again_s, desk.ordered) == (0.0, [])
    assert desk.look() == Wait(again_s=600.0)
    assert desk.ordered == ["boot-1"]
    desk.boot = "boot-2"
    desk.clock.now_s = 0.0  # what never jumps begins again with each boot
    assert desk.look() == Done()


def test_person_is_asked_where_nobody_else_restarts() -> None:
    desk = Desk("person")
    desk.look()
    assert desk.look() == Wait(again_s=600.0)
    assert desk.ordered == []
    assert desk.asked[0]["what"] == "restart the device to finish"
    assert desk.asked[0]["name"] == "Editor"


def test_waiting_for_a_restart_ends() -> None:
    desk = Desk("helper")
    desk.look()
    desk.clock.advance(599)
    assert desk.look() == Wait(again_s=1.0)
    desk.clock.advance(1)
    with pytest.raises(OperationError, match="within 600 s") as caught:
        desk.look()
    assert caught.value.reason is Reason.TIMEOUT


def test_each_restart_of_a_plan_is_one_of_its_own() -> None:
    desk = Desk("helper")
    desk.look()
    desk.boot = "boot-2"
    assert desk.look() == Done()
    desk.operation = replace(desk.operation, cursor=3)
    assert isinstance(desk.look(), Wait)
    assert isinstance(desk.look(), Wait)
    assert desk.ordered == ["boot-2"]
