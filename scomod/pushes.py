# SPDX-License-Identifier: Apache-2.0
"""What to do with a push, whoever brought it: a datagram, a modem, another program.

Told apart by content type and application: a notification, a bootstrap document, or
nothing of ours, which is dropped with a line in the log.  Nobody is answered.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from scomod.dmclient import push, sms
from scomod.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.dmclient.push import Push
    from scomod.settings import Notification

NOTIFICATIONS: Final = (
    push.CONTENT_TYPE_NOTIFICATION,
    "application/vnd.syncml.dm.notification",
)
BOOTSTRAPS: Final = (
    push.CONTENT_TYPE_CP_XML,
    push.CONTENT_TYPE_CP_WBXML,
    push.CONTENT_TYPE_DM_WBXML,
)
APPLICATIONS: Final = (push.APPLICATION_ID_DM, None)

log = logging.getLogger(__name__)


class Pushes:
    """Tells `notified(body, sender)` of notifications, `enrol(push, sender)` of bootstraps.

    Octets begin with the transaction id of the push; a bare notification is taken too,
    its digest guards it.
    """

    def __init__(
        self,
        limits: Notification,
        monotonic_s: Callable[[], float],
        *,
        notified: Callable[[bytes, str], None],
        enrol: Callable[[Push, str], None],
    ) -> None:
        self._port = limits.sms_port
        self._parts = sms.Parts(limits, monotonic_s)
        self._notified = notified
        self._enrol = enrol

    @property
    def is_waiting(self) -> bool:
        """Tell whether parts of a short message wait for the others."""
        return self._parts.is_waiting

    def sms(self, user_data: bytes, sender: str) -> None:
        """Take the user data of one short message from somebody; raises `RemoteProtocolError`."""
        message = sms.read(user_data)
        if message.port != self._port:
            raise RemoteProtocolError(f"short message to port {message.port}, not {self._port}")
        whole = self._parts.take(message, sender)
        if whole is not None:
            self.take(whole, sender)

    def take(self, octets: bytes, sender: str) -> None:
        """Take the octets of one push from somebody."""
        try:
            parcel = push.parse_push(octets)
        except RemoteProtocolError:
            self._notified(octets, sender)
            return
        if not is_ours(parcel):
            log.info("push from %s dropped: %s is not for us", sender, parcel.content_type)
        elif parcel.content_type in NOTIFICATIONS:
            self._notified(parcel.body, sender)
        else:
            self._enrol(parcel, sender)


def is_ours(parcel: Push) -> bool:
    """Tell a push for DM from others, by content type and application (omadm §10.3)."""
    is_known = parcel.content_type in (*NOTIFICATIONS, *BOOTSTRAPS)
    return is_known and parcel.application_id in APPLICATIONS
