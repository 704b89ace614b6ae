# SPDX-License-Identifier: Apache-2.0
"""The health step: how long it watches, over lives and boots, and when it says no."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from scomod.errors import InstallerError, OperationError, Reason
from scomod.health import BOOTS_LIMIT, Watch
from scomod.operation import Operation, StepKind
from scomod.settings import Health
from scomod.stepresult import Done, Wait
from tests.support.clocks import FakeClock
from tests.support.operations import an_operation

STEPS = (StepKind.CONSENT, StepKind.INSTALL, StepKind.HEALTH, StepKind.SETTLE)


class Patient:
    """Stands for the orders: well until it is told otherwise."""

    def __init__(self) -> None:
        self.is_well = True
        self.looked: list[tuple[str, float]] = []

    async def check(self, _operation: Operation, component_id: str, for_s: float) -> None:
        self.looked.append((component_id, for_s))
        if not self.is_well:
            raise InstallerError(Reason.UNHEALTHY, "it fell over")


class Ward:
    """A watch over one operation; each `look` is one `do`, with what was noted kept."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.boot = "boot-1"
        self.patient = Patient()
        self.operation = an_operation(
            StepKind.HEALTH, steps=STEPS, data={"components": ["editor", "editor-data"]}
        )

    def look(self) -> Done | Wait:
        watch = Watch(
            Health(time_s=60.0),
            self.clock,
            lambda: self.boot,
            self.patient,  # type: ignore[arg-type]
        )
        result = asyncio.run(watch.do(self.operation))
        assert isinstance(result, Done | Wait)
        self.operation = replace(self.operation, data={**self.operation.data, **result.data})
        return result


def test_all_components_are_checked_when_the_time_is_over_and_not_before() -> None:
    ward = Ward()
    assert ward.look() == Wait(again_s=60.0, data={"health": ward.operation.data["health"]})
    ward.clock.advance(20)
    assert ward.look() == Wait(again_s=40.0), "a nudge or a new life changes nothing"
    ward.clock.advance(40)
    assert ward.look() == Done()
    assert ward.patient.looked == [("editor", 60.0), ("editor-data", 60.0)]


def test_what_is_not_well_is_said_with_its_reason() -> None:
    ward = Ward()
    ward.look()
    ward.clock.advance(61)
    ward.patient.is_well = False
    with pytest.raises(InstallerError, match="it fell over"):
        ward.look()


def test_restart_of_the_device_begins_the_time_anew() -> None:
    ward = Ward()
    ward.look()
    ward.clock.advance(59)
    ward.boot = "boot-2"
    assert isinstance(ward.look(), Wait)
    ward.clock.advance(59)
    assert ward.look() == Wait(again_s=1.0)


def test_software_that_keeps_restarting_the_device_has_failed() -> None:
    ward = Ward()
    for number in range(BOOTS_LIMIT):
        ward.boot = f"boot-{number}"
        assert isinstance(ward.look(), Wait)
    ward.boot = "boot-last"
    with pytest.raises(OperationError) as caught:
        ward.look()
    assert caught.value.reason is Reason.CRASH_LOOP
