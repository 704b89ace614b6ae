# SPDX-License-Identifier: Apache-2.0
"""Looking after what became active: it must stay well for a while, and pass its check.

Time counts within one boot, so that no jump of the wall clock shortens it; a restart of
the device begins it anew, and one that keeps restarting has failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scomod.errors import OperationError, Reason
from scomod.report import concerned
from scomod.stepresult import Done, Wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.clock import Clock
    from scomod.operation import Operation
    from scomod.orders import Orders
    from scomod.settings import Health
    from scomod.stepresult import StepResult

NOTE: Final = "health"  # key of Operation.data
BOOTS_LIMIT: Final = 5


class Watch:
    """The health step."""

    def __init__(
        self, policy: Health, clock: Clock, boot_id: Callable[[], str], orders: Orders
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._boot_id = boot_id
        self._orders = orders

    async def do(self, operation: Operation) -> StepResult:
        """Wait until the time is over, then check; raises `OperationError` if it is not well."""
        note = operation.data.get(NOTE)
        if not isinstance(note, dict):
            return self._begin(boots=1)
        if note["boot_id"] != self._boot_id():
            if note["boots"] >= BOOTS_LIMIT:
                text = f"the device restarted {note['boots']} times while it was watched"
                raise OperationError(Reason.CRASH_LOOP, text)
            return self._begin(boots=note["boots"] + 1)
        left_s = note["since_s"] + self._policy.time_s - self._clock.monotonic_s()
        if left_s > 0:
            return Wait(again_s=left_s)
        for component_id in concerned(operation):
            await self._orders.check(operation, component_id, self._policy.time_s)
        return Done()

    def _begin(self, boots: int) -> Wait:
        note: dict[str, Any] = {
            "boot_id": self._boot_id(),
            "since_s": self._clock.monotonic_s(),
            "boots": boots,
        }
        return Wait(again_s=self._policy.time_s, data={NOTE: note})
