# SPDX-License-Identifier: Apache-2.0
"""An event loop without a world: time is moved by hand, threads are none, idle means over."""

from __future__ import annotations

import asyncio
import selectors
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.clocks import FakeClock


class StillLoop(asyncio.SelectorEventLoop):
    """`run_until_idle` goes on until nothing can happen before the clock is moved.

    `troubles` are the errors that nobody waited for.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._hands = clock
        super().__init__(_Selector(self.stop))
        # more than what a float leaves of a wall time: else a timer that is due now never is
        self._clock_resolution = 1e-6
        self.set_default_executor(_Here())
        self.troubles: list[BaseException] = []
        self.set_exception_handler(self._note)

    def time(self) -> float:
        return self._hands.monotonic_s()

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.troubles.append(context.get("exception") or RuntimeError(context["message"]))

    def run_until_idle(self) -> None:
        self.run_forever()


class _Selector(selectors.DefaultSelector):
    """Says that the loop would sleep, instead of sleeping."""

    def __init__(self, on_idle: Callable[[], None]) -> None:
        super().__init__()
        self._on_idle = on_idle

    def select(self, timeout: float | None = None) -> list[Any]:
        events: list[Any] = super().select(0)
        if not events and (timeout is None or timeout > 0):
            self._on_idle()
        return events


class _Here(ThreadPoolExecutor):
    """Does at once, in the loop's own thread, what is meant for another one."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **named))
        except BaseException as error:  # noqa: BLE001 - also a death goes to who waits
            future.set_exception(error)
        return future
