# SPDX-License-Identifier: Apache-2.0
"""What the daemon tells over D-Bus by itself: what changed, how far something is, how it ended.

A part of the composition root (`daemon.py`).  Nothing is told while there is no bus.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.bus import BusServer
    from scomod.facade import Record
    from scomod.notify import Notifier
    from scomod.operation import Operation

log = logging.getLogger(__name__)


class Herald:
    """Speaks through `bus` once that is set; `describe` gives the record of an operation.

    `moved` and `progress` take note that an operation moved on, or how far it is, and give
    what is told of it.
    """

    def __init__(
        self,
        describe: Callable[[Operation, set[int]], Record],
        moved: Callable[[Operation], Record],
        progress: Callable[[int, int, int | None], Record],
    ) -> None:
        self._describe = describe
        self._moved = moved
        self._progress = progress
        self._loop = asyncio.get_running_loop()
        self.bus: BusServer | None = None

    def emit(self, name: str, record: Mapping[str, Any]) -> None:
        """Send a signal."""
        if self.bus is not None:
            self.bus.emit(name, dict(record))

    def changed(self, operation: Operation) -> None:
        """Say that an operation moved on."""
        self.emit("OperationChanged", self._moved(operation))

    def ended(self, operation: Operation) -> Record:
        """Return what the person is told of an operation that is over."""
        from scomod.question import sentence  # noqa: PLC0415 - only operations need it

        return {**self._describe(operation, {operation.id}), "text": sentence(operation)}

    def progress(self, operation_id: int, done: int, total: int | None) -> None:
        """Pass progress on from the fetching thread."""
        take = partial(self._progress, operation_id, done, total)
        self._loop.call_soon_threadsafe(lambda: self.emit("Progress", take()))

    def ask_for_restart(self, prompt: Mapping[str, Any]) -> None:
        """Tell log and person that the device should be restarted."""
        log.warning("%s waits until the device is restarted", prompt["name"])
        self.inform(prompt)

    def inform(self, prompt: Mapping[str, Any]) -> None:
        """Tell the person, if an agent is there."""
        if self.bus is not None and self.bus.is_present():
            self.bus.inform(prompt)


async def signs_of_life(notifier: Notifier) -> None:
    """Tell the service manager that the loop turns; returns if it does not want to know."""
    while notifier.watchdog_s:
        notifier.watchdog()
        await asyncio.sleep(notifier.watchdog_s / 3)
