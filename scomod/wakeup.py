"""From a notification to a wish for a session: package #0 checked against every account.

What is wrong is dropped without an answer (omadm §10.2); the log says why.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Final

from scomod.codes import AlertCode
from scomod.dmclient import notification
from scomod.errors import RemoteProtocolError
from scomod.mo import dmacc
from scomod.wishes import Wish

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.clock import Clock
    from scomod.db import Database
    from scomod.dmclient.client import DmClient
    from scomod.dmclient.notification import Notification
    from scomod.mo.dmacc import Account
    from scomod.mo.tree import Tree
    from scomod.settings import Settings

log = logging.getLogger(__name__)

SEEN_COUNT: Final = 32  # accepted notifications remembered against replay
SEEN_KEY: Final = "notifications-seen"


class Doorbell:
    """Takes datagrams, rings for a session once per genuine notification."""

    def __init__(
        self,
        *,
        db: Database,
        tree: Tree,
        settings: Settings,
        clock: Clock,
        client: Callable[[], DmClient],
        ring: Callable[[Wish], None],
    ) -> None:
        self._db = db
        self._tree = tree
        self._settings = settings
        self._clock = clock
        self._client = client
        self._ring = ring
        self._resynced_s: dict[str, float] = {}

    def notified(self, body: bytes, sender: str) -> None:
        """Take what may be a notification from somebody."""
        try:
            found = notification.parse(body)
        except RemoteProtocolError as error:
            log.info("push from %s dropped: %s", sender, error)
            return
        account = dmacc.by_server(self._tree, found.server_id)
        if account is None:
            log.info("notification dropped: no account for server %s", found.server_id)
        elif self._is_genuine(found, account):
            if self._is_new(found):
                self._accept(found)
        elif self._is_resync(found, account):
            if self._is_new(found):
                self._client().expect_resync(account)
                self._accept(found)
        else:
            log.warning("notification dropped: wrong digest for server %s", found.server_id)

    def _accept(self, found: Notification) -> None:
        session_id = notification.session_id_text(found.session_id)
        log.info("notification of server %s, session %s", found.server_id, session_id)
        self._ring(
            Wish(
                server_id=found.server_id,
                trigger=AlertCode.SERVER_INITIATED_MANAGEMENT,
                session_id=session_id,
                is_kept=True,
            )
        )

    def _is_genuine(self, found: Notification, account: Account) -> bool:
        """Check the digest with the identifier and the name the server may use (omadm §10.1)."""
        if account.server is None:
            return False
        return _is_authentic(
            found, account, (account.server.nonce, *self._client().pending_nonces(account))
        )

    def _is_resync(self, found: Notification, account: Account) -> bool:
        """Check the digest of a server that lost our nonce, now and then (omadm §10.4)."""
        server_id, now_s = account.server_id, self._clock.monotonic_s()
        if not self._settings.server(server_id).nonce_resync:
            return False
        if not _is_authentic(found, account, (notification.RESYNC_NONCE,)):
            return False
        last_s = self._resynced_s.get(server_id)
        if last_s is not None and now_s - last_s < self._settings.notification.resync_wait_s:
            log.info("resynchronisation refused: the last of %s is not long ago", server_id)
            return False
        self._resynced_s[server_id] = now_s
        return True

    def _is_new(self, found: Notification) -> bool:
        """Remember a notification on flash, so that a replay after a reboot is refused too."""
        seen = json.loads(self._db.meta(SEEN_KEY) or "[]")
        mark = found.digest.hex()
        if mark in seen:
            log.info("notification dropped: seen before, server %s", found.server_id)
            return False
        with self._db.transaction():
            self._db.set_meta(SEEN_KEY, json.dumps([*seen, mark][-SEEN_COUNT:]))
        return True


def _is_authentic(found: Notification, account: Account, nonces: tuple[bytes, ...]) -> bool:
    login = account.server
    if login is None:
        return False
    names = dict.fromkeys((account.server_id, login.name))
    return notification.is_authentic(found, names, login.secret, nonces)
