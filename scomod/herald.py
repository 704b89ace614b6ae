# SPDX-License-Identifier: Apache-2.0
"""What the daemon tells by itself: what changed, how far something is, how it ended.

To the bus while there is one, to the flight recorder, and in a line to the service manager.
A part of the composition root (`daemon.py`).
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from scomod.log import Event, announce
from scomod.vigil import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.bus import BusServer
    from scomod.facade import Record
    from scomod.metricsport import MetricsPort
    from scomod.notify import Notifier
    from scomod.operation import Operation
    from scomod.recorder import Recorder
    from scomod.settings import Metrics, Paths
    from scomod.statusline import StatusLine
    from scomod.vigil import Vigil

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
        *,
        recorder: Recorder,
        line: StatusLine,
        vigil: Vigil,
    ) -> None:
        self._describe = describe
        self._moved = moved
        self._progress = progress
        self.recorder = recorder
        self.line = line
        self._vigil = vigil
        self._loop = asyncio.get_running_loop()
        self.bus: BusServer | None = None
        self._port: MetricsPort | None = None

    async def open_metrics(
        self, settings: Metrics, paths: Paths, status: Callable[[], Record]
    ) -> None:
        """Have figures read where the configuration wants that."""
        if settings.socket or settings.textfile:
            from scomod.metricsport import MetricsPort  # noqa: PLC0415 - off by default

            self._port = MetricsPort(settings, paths, status)
            await self._port.open()

    def close(self, why: str) -> None:
        """Take note that this life ends in order; nothing is told after that."""
        if self._port is not None:
            self._port.close()
        self.recorder.stop(why)
        self.line.leave()

    def emit(self, name: str, record: Mapping[str, Any]) -> None:
        """Send a signal."""
        if self.bus is not None:
            self.bus.emit(name, dict(record))

    def changed(self, operation: Operation) -> None:
        """Say that an operation moved on."""
        self.recorder.operation(operation)
        self.line.moved(operation.id)
        self.emit("OperationChanged", self._moved(operation))

    def publish(self) -> None:
        """Have the figures written where they are wanted, once this is over."""
        if self._port is not None:
            self._loop.call_soon(self._port.write)

    def ended(self, operation: Operation) -> Record:
        """Return what the person is told of an operation that is over."""
        from scomod.question import sentence  # noqa: PLC0415 - only operations need it

        return {**self._describe(operation, {operation.id}), "text": sentence(operation)}

    def progress(self, operation_id: int, done: int, total: int | None) -> None:
        """Pass progress on from the fetching thread."""
        self._vigil.got_on(name_of(operation_id))
        take = partial(self._progress, operation_id, done, total)

        def tell() -> None:
            self.line.progress(operation_id, done, total or 0)
            self.emit("Progress", take())

        self._loop.call_soon_threadsafe(tell)

    def prompt_changed(self, prompt: Mapping[str, Any]) -> None:
        """Say that a question waits, or does no more."""
        self.line.touch()
        self.emit("PromptChanged", prompt)

    def session_begins(self, session_id: str, server_id: str) -> None:
        """Take note of a session."""
        self.recorder.begin(session_id, server_id)
        self.line.begins(server_id)

    def session_ended(self, session_id: str, report: Record) -> None:
        """Say how a session ended."""
        self.recorder.end(session_id, report)
        self.line.ended()
        self.publish()
        self.emit("SessionEnded", report)

    def ask_for_restart(self, prompt: Mapping[str, Any]) -> None:
        """Tell log and person that the device should be restarted."""
        log.warning("%s waits until the device is restarted", prompt["name"])
        self.inform(prompt)

    def inform(self, prompt: Mapping[str, Any]) -> None:
        """Tell the person, if an agent is there."""
        if self.bus is not None and self.bus.is_present():
            self.bus.inform(prompt)


async def signs_of_life(notifier: Notifier, vigil: Vigil, keep: Callable[[], None]) -> None:
    """Tell the service manager that the loop turns and all get on, twice as often as it asks.

    Where something hangs it is told nothing, and starts this daemon anew: that resumes.
    Returns if it does not want to know; `keep` has the flight recorder written.
    """
    told: list[str] = []
    while notifier.watchdog_s:
        stuck = vigil.stuck()
        if not stuck:
            notifier.watchdog()
        elif stuck != told:
            text = "%s hangs: no sign of life until it gets on"
            announce(log, Event.SIGN_OF_LIFE_WITHHELD, text, ", ".join(stuck))
            keep()
        told = stuck
        await asyncio.sleep(notifier.watchdog_s / 2)
