# SPDX-License-Identifier: Apache-2.0
"""Who may call what: a right for each method that is not for everybody, and who has it.

    root, and the user the daemon runs as    everything
    the group scomod                         everything on Control
    others                                   what polkit gives them (`buspolkit.py`)

`Status` is for everybody and never comes here.  A method without a row is for the
administrator.  The bus policy lets in what is checked here, and nothing else
(docs/adr/0045).
"""

from __future__ import annotations

import grp
import os
import pwd
from typing import TYPE_CHECKING, Any, Final

from scomod.busaddress import CONTROL_INTERFACE, RemoteError
from scomod.buswire import unpack
from scomod.facade import AccessDenied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.buswire import Message, PacedBus

GROUP: Final = "scomod"
LOOK, ANSWER, SESSION, INSTALL, ADMINISTER = (
    "look",
    "answer",
    "session",
    "install",
    "administer",
)
# By the name of the method: the right that it needs, which is an action of polkit too.
RIGHTS: Final[Mapping[str, str]] = {
    "Children": LOOK,
    "Node": LOOK,
    "List": LOOK,
    "Read": LOOK,
    "Answer": ANSWER,
    "Defer": ANSWER,
    "RegisterAgent": ANSWER,
    "RegisterAgentIn": ANSWER,
    "UnregisterAgent": ANSWER,
    "RunSession": SESSION,
    "Request": SESSION,
    "Install": INSTALL,
    "Cancel": ADMINISTER,
    "Bootstrap": ADMINISTER,
    "Push": ADMINISTER,
}


async def check(bus: PacedBus, call: Message) -> None:
    """Raise `AccessDenied` unless the caller may do what it calls for."""
    try:
        who = unpack(await bus.invoke_bus("GetConnectionCredentials", call.sender))
    except RemoteError as error:
        raise AccessDenied("the caller is gone") from error
    if _is_trusted(who, call.interface):
        return
    right = RIGHTS.get(call.member, ADMINISTER)
    from scomod.buspolkit import is_authorised  # noqa: PLC0415 - only for who has no right of its own

    if not await is_authorised(bus, call, right):
        raise AccessDenied(
            f"{call.member} is for root and the group {GROUP}, "
            f"and for whom polkit gives org.scomod1.{right}"
        )


def _is_trusted(who: Mapping[str, Any], interface: str) -> bool:
    """Tell whether somebody needs to ask nobody else; of unknown users nobody is trusted."""
    user = who.get("UnixUserID")
    if user in (0, os.getuid()):
        return True
    return interface == CONTROL_INTERFACE and user is not None and _is_member(user, who)


def _is_member(user: int, who: Mapping[str, Any]) -> bool:
    """Tell whether a caller is in the group, as the bus says or the list of users."""
    try:
        wanted = grp.getgrnam(GROUP).gr_gid
    except KeyError:
        return False
    groups = who.get("UnixGroupIDs")
    if groups is None:
        try:
            entry = pwd.getpwuid(user)
        except KeyError:
            return False
        groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    return wanted in groups
