# SPDX-License-Identifier: Apache-2.0
"""The flight recorder: what is noted for those who look at a device afterwards, and when.

Not the log, which has more, is elsewhere and may be gone; not the history, which is of
operations only.  What is noted waits in memory and is written where the database commits
anyway, or a session, an operation or this process ends: no flush, no timer, nothing while
idle (adr/0049).  A start alone is not worth a write: it is written with what follows.

No value of the management tree is noted, and every text passes `secret.blanked`.
The files are `ring`.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Final

from scomod.log import ROOT_LOGGER, Event, context
from scomod.secret import blanked
from scomod.supportsettings import Recorder as Limits

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.clock import Clock
    from scomod.dmclient.model import Command
    from scomod.facade import Record
    from scomod.operation import Operation
    from scomod.settings import Paths

PENDING_COUNT: Final = 1000  # that wait in memory; beyond it they are counted
# Whose plain news are noted too: pushes, notifications and documents that came.
NEWS: Final = ("scomod.wakeup", "scomod.pushes", "scomod.summons", "scomod.doorstep")
# Events of which sessions and operations tell more.
TOLD_OTHERWISE: Final = frozenset(
    {
        Event.SESSION_STARTED,
        Event.SESSION_ENDED,
        Event.SESSION_FAILED,
        Event.OPERATION_ACCEPTED,
        Event.OPERATION_SUCCEEDED,
        Event.OPERATION_FAILED,
    }
)
SESSION_KEYS: Final = (
    "server", "outcome", "detail", "messages", "bytes_sent", "bytes_received", "duration_s",
    "alerts_delivered", "commands",
)  # fmt: skip

log = logging.getLogger(__name__)


class Recorder(logging.Handler):
    """Notes of one life of the daemon; a handler of its log as well."""

    def __init__(self, folder: Path, limits: Limits, clock: Clock) -> None:
        super().__init__(logging.INFO)
        self._folder = folder
        self._limits = limits
        self._clock = clock
        self._pending: list[Record] = []
        self._lost_count = 0
        self._is_due = False
        self._has_warned = False
        self._commands_count = 0
        self._stands: dict[int, tuple[str, str]] = {}

    def attach(self) -> None:
        """Hear the log from now on, unless nothing is to be recorded."""
        if self._limits.segments_count:
            logging.getLogger(ROOT_LOGGER).addHandler(self)

    # -- what is noted -----------------------------------------------------------

    def start(self, version: str, boot: str) -> None:
        """Note that a life of the daemon begins."""
        self._note("start", {"version": version, "boot": boot}, is_due=False)

    def stop(self, why: str) -> None:
        """Note that it ends in order, and write what is left."""
        self._note("stop", {"why": why})
        self.keep()

    def refused(self, facts: Record) -> None:
        """Note that this life ends before it begins, and write."""
        self._note("log", facts)
        self.keep()

    def begin(self, session_id: str, server_id: str) -> None:
        """Note that a session begins."""
        self._commands_count = 0
        self._note("session", {"session": session_id, "server": server_id})

    def end(self, session_id: str, report: Record) -> None:
        """Note how a session ended, and write."""
        told = {key: report[key] for key in SESSION_KEYS}
        surplus = max(0, self._commands_count - self._limits.session_commands_count)
        more = {"commands_left_out": surplus} if surplus else {}
        self._note("session end", {"session": session_id, **told, **more})
        self.keep()

    def commands(self, command: Command, answers: list[Command]) -> None:
        """Note what a server ordered, without values, and what it was answered."""
        from scomod.dmclient.answers import outcomes  # noqa: PLC0415 - only sessions

        for verb, uri, items_count, code in outcomes(command, answers):
            self._commands_count += 1
            if self._commands_count <= self._limits.session_commands_count:
                more = {"items": items_count} if items_count > 1 else {}
                self._note("command", {"verb": verb, "uri": uri, "status": code, **more})

    def operation(self, operation: Operation) -> None:
        """Note where an operation stands, if that is new, and write."""
        stand = str(operation.phase), str(operation.failed_step or operation.step)
        if self._stands.get(operation.id) == stand:
            return
        self._stands[operation.id] = stand
        more: Record = {}
        if not operation.phase.is_live:
            del self._stands[operation.id]
            more["result"] = operation.result and int(operation.result)
        if operation.detail:
            more |= {"reason": str(operation.reason or ""), "detail": operation.detail}
        subject = operation.subject
        facts = {
            "id": operation.id,
            "primitive": str(operation.primitive),
            "of": subject.component_id or subject.pkg_id or subject.name,
            "server": operation.server_id,
            "phase": stand[0],
            "step": stand[1],
        }
        self._note("operation", {**facts, **more})
        self.keep()

    def emit(self, record: logging.LogRecord) -> None:
        """Note what the log says, if it is worth it; in the thread that says it."""
        event = getattr(record, "event", None)
        is_news = event is not None or record.name in NEWS or record.levelno >= logging.WARNING
        if not is_news or event in TOLD_OTHERWISE or record.name == __name__:
            return
        try:
            text = record.getMessage()
        except (KeyError, TypeError, ValueError):  # message and arguments do not fit
            return
        named = {} if event is None else {"event": event.name}
        level = record.levelname.lower()
        self._note("log", {"level": level, **named, "text": text, **context()})

    # -- writing -----------------------------------------------------------------

    def _note(self, what: str, facts: Record, *, is_due: bool = True) -> None:
        if not self._limits.segments_count:
            return
        if len(self._pending) >= PENDING_COUNT:
            self._lost_count += 1
            return
        self._pending.append(self._entry(what, facts))
        self._is_due |= is_due

    def _entry(self, what: str, facts: Record) -> Record:
        known = {key: _plain(value) for key, value in facts.items()}
        at_s, up_s = self._clock.wall_s(), self._clock.monotonic_s()
        return {"at": round(at_s, 3), "up": round(up_s, 3), "what": what, **known}

    def keep(self) -> None:
        """Write what waits, if anything is worth it; a disk that takes nothing is no failure."""
        if not self._is_due:
            return
        self.acquire()  # threads log too
        pending, self._pending, self._is_due = self._pending, [], False
        self.release()
        if self._lost_count:
            pending.append(self._entry("left out", {"count": self._lost_count}))
            self._lost_count = 0
        from scomod.ring import Ring  # noqa: PLC0415 - a waiting daemon writes nothing

        try:
            Ring(self._folder, self._limits).append(pending)
        except OSError as error:
            if not self._has_warned:
                log.warning("the flight recorder cannot be written: %s", error)
            self._has_warned = True


def note_refusal(paths: Paths, clock: Clock, error: Exception) -> None:
    """Note that a daemon does not start for its configuration, if the place is this user's.

    Limits are those of a device without a configuration.
    """
    try:
        if paths.state_dir.stat().st_uid == os.geteuid():
            recorder = Recorder(paths.recorder_dir, Limits(), clock)
            name = Event.CONFIGURATION_REFUSED.name
            recorder.refused({"level": "error", "event": name, "text": str(error)})
    except OSError:
        return


def _plain(value: Any) -> Any:
    """Return a fact as JSON has it, without what nobody may see."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return blanked(str(value))
