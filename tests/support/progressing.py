# SPDX-License-Identifier: Apache-2.0
"""Status nodes that promise work: which say so though nothing is at work there (scomo §2.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.operation import OWN_PRIMITIVES, Branch

if TYPE_CHECKING:
    from scomod.operation import Operation
    from tests.support.handset import Handset

PROGRESSING: Final = {
    Branch.DOWNLOAD: {"30", "40", "50"},
    Branch.DELIVERED: {"30", "40"},
    Branch.DEPLOYED: {"30", "50", "70"},
}


def hanging(device: Handset) -> list[str]:
    """Return the items whose Status and journal disagree, with what they say.

    A Status says progressing if, and only if, an operation of the standard is at work on
    its item; starting and stopping show nowhere.
    """
    found = device.records.journal.live()
    live = {_uri(each) for each in found if each.primitive not in OWN_PRIMITIVES}
    return [
        f"{uri} says {status}, {'' if uri in live else 'not '}at work"
        for branch, values in PROGRESSING.items()
        for uri in (f"./SCOMO/{branch}/{name}" for name in device.children(f"./SCOMO/{branch}"))
        if ((status := device.value(f"{uri}/Status")) in values) != (uri in live)
    ]


def _uri(operation: Operation) -> str:
    return f"./SCOMO/{operation.branch}/{operation.node}"
