# SPDX-License-Identifier: Apache-2.0
"""What the bench has ready for devices that ask by themselves (scomo §4.6).

An offer is an `install` order that waits for the device to want it; it is given
once.  A request names a component, or none: then everything on offer is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.codes import (
    ALERT_TYPE_UPDATE_DEVICE_REQUEST,
    ALERT_TYPE_UPDATE_USER_REQUEST,
    DmStatus,
)

if TYPE_CHECKING:
    from scomod.lab.devices import Account, Register

REQUESTS: Final = (ALERT_TYPE_UPDATE_USER_REQUEST, ALERT_TYPE_UPDATE_DEVICE_REQUEST)


def answer(register: Register, account: Account, component: str) -> DmStatus:
    """Queue what a device asks for: 200 if it comes in this session, 202 for "not now"."""
    wanted = [component] if component else list(account.offers)
    found = [name for name in wanted if name in account.offers]
    for name in found:
        register.enqueue(account, "install", account.offers.pop(name))
    return DmStatus.OK if found else DmStatus.ACCEPTED_FOR_PROCESSING
