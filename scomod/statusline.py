# SPDX-License-Identifier: Apache-2.0
"""What goes on, in a line: for `systemctl status`, and in a file where there is no systemd.

Told when somebody touches it and it reads differently; progress by steps.  Between two
lines there are some seconds, however much happens.  What operations do is `standing`.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from scomod.agenda import Due
    from scomod.clock import Clock
    from scomod.notify import Notifier
    from scomod.operation import Operation

PAUSE_S: Final = 2.0
STEP_PERCENT: Final = 5
DAY_S: Final = 86400.0


class StatusLine:
    """Tells the notifier and the file; `live()` gives the operations, `dues()` what comes next."""

    def __init__(
        self,
        notifier: Notifier,
        file: Path,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        *,
        live: Callable[[], Sequence[Operation]],
        dues: Callable[[], Sequence[Due]],
    ) -> None:
        self._notifier = notifier
        self._file = file
        self._clock = clock
        self._loop = loop
        self._live = live
        self._dues = dues
        self._told = ""
        self._told_s = -PAUSE_S
        self._timer: asyncio.TimerHandle | None = None
        self._percents: dict[int, int] = {}
        self._session = ""

    def begins(self, server_id: str) -> None:
        """Take note that a session begins."""
        since = self._shown(self._clock.monotonic_s())
        self._session = f"session with {server_id} since {since}"
        self.touch()

    def ended(self) -> None:
        """Take note that it ended."""
        self._session = ""
        self.touch()

    def touch(self) -> None:
        """Something may have changed: tell soon, once for all that changes until then."""
        if self._timer is None:
            wait_s = self._told_s + PAUSE_S - self._clock.monotonic_s()
            self._timer = self._loop.call_later(max(0.0, wait_s), self._tell)

    def progress(self, operation_id: int, done: int, total: int) -> None:
        """Take note of how far an operation is."""
        percent = 100 * done // total // STEP_PERCENT * STEP_PERCENT if total else 0
        if self._percents.get(operation_id) != percent:
            self._percents[operation_id] = percent
            self.touch()

    def moved(self, operation_id: int) -> None:
        """Take note that an operation is elsewhere now: what it does begins at nothing."""
        self._percents.pop(operation_id, None)
        self.touch()

    def say(self, text: str) -> None:
        """Tell a line, unless it was told last."""
        if text == self._told:
            return
        self._told, self._told_s = text, self._clock.monotonic_s()
        self._notifier.status(text)
        new = self._file.with_suffix(".new")
        with contextlib.suppress(OSError):  # nobody depends on it
            new.write_text(f"{text}\n", encoding="utf-8")
            new.chmod(0o644)
            new.replace(self._file)

    def leave(self) -> None:
        """Tell that this process ends; nothing is told after that."""
        if self._timer is not None:
            self._timer.cancel()
        self.say(f"gone, {self._idle()}")

    def _tell(self) -> None:
        self._timer = None
        self.say(self.text())

    def text(self) -> str:
        """Return what goes on now."""
        live = self._live()
        words = [self._session] if self._session else []
        if live:
            from scomod.standing import words_for  # noqa: PLC0415 - only operations

            words += words_for(live, self._percents, self._moments())
        return "; ".join(words) or self._idle()

    def _idle(self) -> str:
        due = next(iter(self._dues()), None)
        if due is None:
            return "idle"
        return f"idle until {self._shown(due.at_s)} ({due.what} {due.server_id})".replace(" )", ")")

    def _moments(self) -> dict[int, str]:
        """Return when operations go on that wait for a time."""
        return {due.operation_id: self._shown(due.at_s) for due in self._dues() if due.operation_id}

    def _shown(self, at_s: float) -> str:
        left_s = at_s - self._clock.monotonic_s()
        moment = time.localtime(self._clock.wall_s() + left_s)
        return time.strftime("%H:%M:%S" if left_s < DAY_S else "%Y-%m-%d %H:%M", moment)
