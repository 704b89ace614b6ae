# SPDX-License-Identifier: Apache-2.0
"""What would happen next with an operation: its steps to come, with figures, and what may go wrong.

Looks only, and says of what is not known yet that it is not.  What is told is made of the
journal, the configuration, the package once it is here, and what the backends report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod import net, policy
from scomod.clifmt import duration, size
from scomod.download.part import free_bytes
from scomod.operation import StepKind
from scomod.package import addresses, announced_bytes
from scomod.risks import Risk, Unknown
from scomod.steptalk import coming
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scomod.download.spool import Spool
    from scomod.facade import Record
    from scomod.hazards import Hazards
    from scomod.operation import Operation
    from scomod.risks import Note
    from scomod.settings import Admission, Paths, Settings

K = StepKind
# What policy does about the question, in words; the keys are those of `policy.Mode`.
ASKS: Final[Mapping[policy.Mode, str]] = {
    policy.Mode.ASK: "a person is asked",
    policy.Mode.INFORM: "a person is told of it, and not asked",
    policy.Mode.SILENT: "nobody is asked",
    policy.Mode.REFUSE: "the rules of this device decline it",
}
RESTARTS: Final = {
    "helper": "the device is restarted",
    "person": "a person is asked to restart the device",
}


@frozen
class Forecast:
    """Tells what is to come."""

    settings: Settings
    paths: Paths
    spool: Spool
    hazards: Hazards
    is_agent_here: bool

    def of(self, operation: Operation) -> Record:
        """Tell of a live operation; works in files and asks tools, so belongs into a thread."""
        steps = operation.plan[operation.cursor :]
        figures = self._figures(operation) if K.ACQUIRE in steps else {}
        notes = list(self.hazards.of(operation, figures))
        return {
            "steps": [{"step": str(step), "text": self._text(operation, step)} for step in steps],
            "asks": self._asks(operation, steps),
            "restart": K.REBOOT in steps,
            **figures,
            "risks": _told(notes, Risk),
            "unknown": _told(notes, Unknown),
        }

    # -- steps -----------------------------------------------------------------------

    def _text(self, operation: Operation, step: StepKind) -> str:
        match step:
            case K.CONSENT:
                ruling = self._ruling(operation)
                return f"{ASKS[ruling.mode]} ({ruling.by})"
            case K.ADMIT:
                return _terms(self.settings.admission)
            case K.ACQUIRE:
                return self._fetching(operation)
            case K.REBOOT:
                return RESTARTS.get(self.settings.reboot.by, coming(step))
            case K.HEALTH:
                return f"{coming(step)} ({duration(self.settings.health.time_s)})"
        return coming(step)

    def _ruling(self, operation: Operation) -> policy.Ruling:
        return policy.ruling(self.settings.confirm, operation, is_agent_here=self.is_agent_here)

    def _asks(self, operation: Operation, steps: tuple[StepKind, ...]) -> str:
        """Say what comes of the first question: a word of `policy.Mode`, "" if it is answered."""
        return str(self._ruling(operation).mode) if K.CONSENT in steps else ""

    def _fetching(self, operation: Operation) -> str:
        first, *others = addresses(operation)
        text = f"it is fetched from {net.shown(first)}"
        if others:
            text += f" or {len(others)} other places"
        figures = self._figures(operation)
        if "announced" in figures:
            text += f", {size(figures['announced'])}"
        return f"{text}, of which {size(figures['fetched'])} are here"

    def _figures(self, operation: Operation) -> dict[str, int]:
        """Return octets: announced if somebody said so, fetched, free, and to be left free."""
        announced = announced_bytes(operation)
        known = {} if announced is None else {"announced": announced}
        return {
            **known,
            "fetched": self.spool.fetched_bytes(operation.id),
            "free": free_bytes(self.paths.spool_dir),
            "reserve": self.settings.download.reserve_bytes,
        }


def _terms(terms: Admission) -> str:
    """Say when the policy lets something begin."""
    known = {
        f"in a window ({', '.join(terms.windows)})": bool(terms.windows),
        "on mains power": terms.on_mains_power,
        "on a network that is not metered": terms.on_unmetered_network,
    }
    wanted = " and ".join(text for text, is_wanted in known.items() if is_wanted)
    return f"it begins {wanted}" if wanted else "it begins at once"


def _told(notes: Iterable[Note], kind: type[Risk | Unknown]) -> list[dict[str, str]]:
    return [{"what": str(n.word), "text": n.text} for n in notes if isinstance(n.word, kind)]
