# SPDX-License-Identifier: Apache-2.0
"""Asking polkit whether a caller has a right, where polkit is on the bus.

Not who needs to be asked about (`busrights.py`).  The answer is polkit's alone: where it is
not there, does not answer or does not know the action, nobody has the right.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from scomod.busaddress import NotReachable, RemoteError
from scomod.buswire import Message, MessageFlag, Variant

if TYPE_CHECKING:
    from scomod.buswire import PacedBus

log = logging.getLogger(__name__)

SERVICE: Final = "org.freedesktop.PolicyKit1"
PATH: Final = "/org/freedesktop/PolicyKit1/Authority"
INTERFACE: Final = "org.freedesktop.PolicyKit1.Authority"
PREFIX: Final = "org.scomod1."
MAY_ASK: Final = 1  # AllowUserInteraction: somebody may have to type a password
# Without questions polkit answers at once; a person needs time to find a password.
ANSWER_S: Final = 25.0
PERSON_S: Final = 180.0


async def is_authorised(bus: PacedBus, call: Message, right: str) -> bool:
    """Tell whether polkit gives the caller a right; asks the person if the call lets it."""
    is_interactive = bool(call.flags & MessageFlag.ALLOW_INTERACTIVE_AUTHORIZATION)
    subject = ["system-bus-name", {"name": Variant("s", call.sender)}]
    question = Message(
        destination=SERVICE,
        path=PATH,
        interface=INTERFACE,
        member="CheckAuthorization",
        signature="(sa{sv})sa{ss}us",
        body=[subject, PREFIX + right, {}, MAY_ASK if is_interactive else 0, ""],
    )
    try:
        async with asyncio.timeout(PERSON_S if is_interactive else ANSWER_S):
            [[is_given, _, _]] = await bus.invoke(question, "(bba{ss})")
    except (RemoteError, NotReachable, TimeoutError) as error:
        log.info("polkit gives no answer about %s%s: %s", PREFIX, right, error or "it is silent")
        return False
    return bool(is_given)
