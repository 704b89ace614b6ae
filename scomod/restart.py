# SPDX-License-Identifier: Apache-2.0
"""Restarting the device as a step: ordered once, and over when the boot is another one.

The boot is noted before the restart is ordered, so that however often this process ends
meanwhile, the step knows afterwards whether it happened.  How the device restarts is the
installing side's business; here it is only ordered, or a person is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scomod.errors import OperationError, Reason
from scomod.stepresult import Done, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.clock import Clock
    from scomod.operation import Operation
    from scomod.orders import Orders
    from scomod.settings import Reboot
    from scomod.stepresult import StepResult

HELPER: Final = "helper"


class Restart:
    """The reboot step; `ask(prompt)` tells a person that the device should be restarted."""

    def __init__(
        self,
        policy: Reboot,
        clock: Clock,
        boot_id: Callable[[], str],
        orders: Orders,
        ask: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._boot_id = boot_id
        self._orders = orders
        self._ask = ask

    async def do(self, operation: Operation) -> StepResult:
        """Order the restart, then wait for it; raises `OperationError(TIMEOUT)`."""
        key = f"reboot {operation.cursor}"
        note = operation.data.get(key)
        if not isinstance(note, dict):
            return Wait(again_s=0.0, data={key: self._note()})
        if note["boot_id"] != self._boot_id():
            return Done()
        left_s = note["since_s"] + self._policy.wait_s - self._clock.monotonic_s()
        if left_s <= 0:
            text = f"the device was not restarted within {self._policy.wait_s:g} s"
            raise OperationError(Reason.TIMEOUT, text)
        if self._policy.by == HELPER:
            await self._orders.reboot(operation, note["boot_id"])
        else:
            from scomod.question import restart_prompt  # noqa: PLC0415 - mostly nobody is asked

            self._ask(restart_prompt(operation))
        return Wait(again_s=left_s)

    def _note(self) -> dict[str, Any]:
        return {"boot_id": self._boot_id(), "since_s": self._clock.monotonic_s()}
