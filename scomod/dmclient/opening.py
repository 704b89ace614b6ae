# SPDX-License-Identifier: Apache-2.0
"""What a session begins with: account, device, waiting reports, limits, credentials.

Reads the records once, before the first message.  How the session goes on is
`session`, who carries its messages `client`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from scomod.codes import AlertCode
from scomod.dmclient import codec
from scomod.dmclient.events import PendingAlert, SessionSetup
from scomod.dmclient.model import Alert, Item, Meta
from scomod.quirk import Quirk

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.db import Database
    from scomod.dmclient.codec import Encoding
    from scomod.dmclient.logins import Logins
    from scomod.mo.dmacc import Account
    from scomod.mo.tree import Tree
    from scomod.outbox import Outbox, OutboxAlert
    from scomod.settings import Settings

log = logging.getLogger(__name__)

DEVINFO = "./DevInfo"


class Opening:
    """Prepares sessions; `fresh_nonce` is the world's part."""

    def __init__(
        self,
        *,
        db: Database,
        tree: Tree,
        outbox: Outbox,
        settings: Settings,
        logins: Logins,
        device_id: str,
        fresh_nonce: Callable[[], bytes],
    ) -> None:
        self._db = db
        self._tree = tree
        self._outbox = outbox
        self._settings = settings
        self._logins = logins
        self._device_id = device_id
        self._fresh_nonce = fresh_nonce

    def encoding(self, account: Account) -> Encoding:
        """Return the syntax we speak with a server."""
        own = self._settings.server(account.server_id).encoding
        return codec.Encoding[(own or self._settings.transport.encoding).upper()]

    def setup(self, account: Account, trigger: AlertCode, session_id: str) -> SessionSetup:
        """Return everything the session knows when it begins; its reports count as sent."""
        limits, encoding = self._settings.session, self.encoding(account)
        return SessionSetup(
            session_id=session_id,
            trigger=trigger,
            url=address_of(account),
            protocol=self._settings.server(account.server_id).protocol,
            device_id=self._device_id,
            device_info=self._device_info(),
            client=self._logins.client(account),
            server=self._logins.server(account),
            alerts=tuple(self._reports(account)),
            max_msg_bytes=limits.max_msg_bytes,
            max_obj_bytes=limits.max_obj_bytes,
            size_of=lambda message: codec.encoded_size(message, encoding),
            fresh_nonce=self._fresh_nonce,
        )

    def _reports(self, account: Account) -> list[PendingAlert]:
        """Return the alerts that wait for this server."""
        waiting = self._outbox.waiting(account.server_id)
        if waiting and self._settings.server(account.server_id).protocol == "1.1":
            log.warning("%d reports wait: DM 1.1 has no generic alert to send them", len(waiting))
        elif waiting:
            with self._db.transaction():
                self._outbox.count_sent(account.server_id)
        is_single = Quirk.REPORT_ITEM_ALONE in self._settings.server(account.server_id).quirks
        return [
            PendingAlert(id=row.id, alert=alert)
            for row in waiting
            for alert in generic_alerts(row, is_single=is_single)
        ]

    def _device_info(self) -> tuple[tuple[str, str], ...]:
        """Return the leaves of ./DevInfo (omadm §8.1)."""
        uris = [f"{DEVINFO}/{name}" for name in self._tree.children(DEVINFO)]
        found = [(uri, self._tree.value(uri)) for uri in uris]
        return tuple((uri, value) for uri, value in found if value is not None)


def address_of(account: Account) -> str:
    """Return the URL of an account; the port is added where the address has none (omadm §6.1)."""
    scheme, separator, rest = account.address.partition("://")
    host, slash, path = rest.partition("/")
    if account.port is None or not separator or host.rpartition("]")[2].count(":"):
        return account.address
    return f"{scheme}://{host}:{account.port}{slash}{path}"


def generic_alerts(row: OutboxAlert, *, is_single: bool) -> list[Alert]:
    """Return the command for a row of the outbox (scomo §4.1, §4.5; omadm §1.5).

    Several with the same correlator where the server takes single items only.
    """
    meta = Meta(type=row.type, format="text/plain", mark=row.mark)
    items = tuple(
        Item(source=row.source, target=each.target or None, meta=meta, data=each.data.encode())
        for each in row.items
    )
    groups = [(item,) for item in items] if is_single else [items]
    return [
        Alert(code=AlertCode.GENERIC_ALERT, correlator=row.correlator, items=group)
        for group in groups
    ]
