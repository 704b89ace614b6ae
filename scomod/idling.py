# SPDX-License-Identifier: Apache-2.0
"""When a daemon that is not resident may leave, and what it says before it goes.

Not who starts it again: the units in `systemd/` do, and any other manager of services may
read `FILE` (docs/waking.md, adr/0038).  Nothing here looks every so often: whoever did
something rings, and what is due says when.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, Final

from scomod.alarm import Alarm
from scomod.operation import Phase, StepKind
from scomod.turns import Stand

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from pathlib import Path

    from scomod.agenda import Due
    from scomod.clock import Clock
    from scomod.engine import Engine
    from scomod.operation import Operation
    from scomod.settings import Daemon

FILE: Final = "next-start"
LONGEST_S: Final = 365 * 86400
LAST_WORK_S: Final = 60.0  # for what came at the very end; systemd waits 90 s

log = logging.getLogger(__name__)


class Idling:
    """Knows whether anything keeps this process.

    `dues()` gives what happens by itself, `is_held()` tells that something is at work, or
    waits for what only a living process hears.
    """

    def __init__(
        self,
        policy: Daemon,
        clock: Clock,
        *,
        dues: Callable[[], list[Due]],
        is_held: Callable[[], bool],
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._dues = dues
        self._is_held = is_held
        self._alarm = Alarm()
        self._works_count = 0
        self.on_ring: Callable[[], None] = lambda: None

    def ring(self) -> None:
        """Look again: something was done, or is not held any more."""
        self._alarm.ring()
        self.on_ring()

    async def during(self, work: Coroutine[Any, Any, None]) -> None:
        """Do some work, and stay for it."""
        self._works_count += 1
        try:
            await work
        finally:
            self._works_count -= 1
            self.ring()

    async def until_quiet(self, for_s: float) -> None:
        """Return when nothing was done for so long, and nothing is due soon."""
        while True:
            self._alarm.silence()
            wait_s = self._stays_s()
            has_rung = await self._alarm.sleep(for_s if wait_s == 0 else wait_s)
            if wait_s == 0 and not has_rung and self._stays_s() == 0:
                return

    async def until_free(self) -> None:
        """Return when nothing is at work any more, or when that takes too long."""
        end_s = self._clock.monotonic_s() + LAST_WORK_S
        self._alarm.silence()
        while self._is_at_work() and (left_s := end_s - self._clock.monotonic_s()) > 0:
            await self._alarm.sleep(left_s)
            self._alarm.silence()

    def _is_at_work(self) -> bool:
        return self._works_count > 0 or self._is_held()

    def _stays_s(self) -> float | None:
        """Return how long it is worth to stay, None until something rings."""
        if self._is_at_work():
            return None
        left_s = self.next_s()
        if left_s is None or left_s > self._policy.min_absence_s:
            return 0.0
        return max(left_s, self._policy.idle_exit_s)

    def next_s(self) -> float | None:
        """Return the seconds until something is due, None if nothing is."""
        first = next(iter(self._dues()), None)
        return None if first is None else max(0.0, first.at_s - self._clock.monotonic_s())

    def say_when(self, folder: Path) -> None:
        """Write down in how many seconds this device must be up again; no file for never."""
        left_s, file = self.next_s(), folder / FILE
        if left_s is None:
            file.unlink(missing_ok=True)
            log.info("nothing is left to do")
            return
        seconds = max(1, math.ceil(min(left_s, LONGEST_S)))
        folder.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        new.write_text(f"{seconds}\n", encoding="ascii")
        new.replace(file)
        log.info("nothing is left to do for %d s", seconds)


def is_held(engine: Engine, live: Iterable[Operation]) -> bool:
    """Tell whether an operation is at work, or waits for what only a living process hears."""
    return any(engine.stand(each) is Stand.AT_WORK or _needs_news(engine, each) for each in live)


def _needs_news(engine: Engine, operation: Operation) -> bool:
    """Tell whether an operation waits for mains power or for another network."""
    if operation.phase is not Phase.WAITING:
        return False
    if operation.step is StepKind.ADMIT:
        pause = engine.pause(operation)
        return pause is not None and pause.for_s is None
    from scomod.fetchterms import NETWORK  # noqa: PLC0415 - mostly nothing waits
    from scomod.tries import Tries  # noqa: PLC0415 - the same

    return operation.step is StepKind.ACQUIRE and Tries.of(operation.data).pause == NETWORK
