# SPDX-License-Identifier: Apache-2.0
"""What operations do or wait for, in a few words each: for one line that an operator reads.

Why something waits, in sentences, says `reasons`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.operation import Phase, StepKind, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scomod.operation import Operation

SHOWN_COUNT: Final = 3
DOES: Final[Mapping[StepKind, str]] = {
    StepKind.CONSENT: "asks about {name}",
    StepKind.ADMIT: "looks whether {name} may begin",
    StepKind.ACQUIRE: "downloading {name}",
    StepKind.VERIFY: "verifying {name}",
    StepKind.DISCLOSE: "asks about {name}",
    StepKind.DELIVER: "keeping {name}",
    StepKind.INSTALL: "installing {name}",
    StepKind.INSTALL_INACTIVE: "installing {name}",
    StepKind.ACTIVATE: "activating {name}",
    StepKind.DEACTIVATE: "deactivating {name}",
    StepKind.REBOOT: "restarting the device for {name}",
    StepKind.HEALTH: "looking whether {name} is well",
    StepKind.REMOVE: "removing {name}",
    StepKind.START: "starting {name}",
    StepKind.STOP: "stopping {name}",
    StepKind.DISCARD: "dropping {name}",
    StepKind.SETTLE: "looking at what is installed after {name}",
}
WAITS: Final[Mapping[StepKind, str]] = {
    StepKind.CONSENT: "{name} waits for the person to answer",
    StepKind.ADMIT: "{name} waits for its window or condition",
    StepKind.ACQUIRE: "the download of {name} waits",
    StepKind.DISCLOSE: "{name} waits for the person to answer",
    StepKind.REBOOT: "{name} waits for a restart of the device",
    StepKind.HEALTH: "{name} is being watched",
}


def words_for(
    live: Sequence[Operation], percents: Mapping[int, int], until: Mapping[int, str]
) -> Iterator[str]:
    """Give a few words for each of the first operations; `until` has when one goes on."""
    for operation in live[:SHOWN_COUNT]:
        yield _words(operation, percents.get(operation.id), until.get(operation.id, ""))
    if len(live) > SHOWN_COUNT:
        yield f"{len(live) - SHOWN_COUNT} more"


def _words(operation: Operation, percent: int | None, until: str) -> str:
    name = name_of(operation)
    match operation.phase:
        case Phase.QUEUED:
            return f"{name} is to begin"
        case Phase.ROLLING_BACK:
            return f"undoing {name}"
        case Phase.WAITING:
            text = WAITS.get(operation.step, "{name} waits").format(name=name)
            return f"{text} until {until}" if until else text
    text = DOES[operation.step].format(name=name)
    return text if percent is None else f"{text} {percent} %"
