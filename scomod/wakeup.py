# SPDX-License-Identifier: Apache-2.0
"""From a push to what a server asks for: package #0 checked against every account.

What is wrong is dropped without an answer (omadm §10.2); the log says why.  What becomes
of the session that is asked for is the matter of `summons`.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Final

from scomod.dmclient import notification
from scomod.errors import RemoteProtocolError, StoreError
from scomod.mo import dmacc
from scomod.summons import Summons
from scomod.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.clock import Clock
    from scomod.dmclient.client import DmClient
    from scomod.dmclient.notification import Notification
    from scomod.mo.dmacc import Account
    from scomod.records import Records
    from scomod.settings import Settings
    from scomod.summons import Summonses

log = logging.getLogger(__name__)

SEEN_COUNT: Final = 32  # accepted notifications remembered against replay
SEEN_KEY: Final = "notifications-seen"
RESYNCED_KEY: Final = "notifications-resynced"


class Doorbell:
    """Tells `summonses` once of each genuine notification."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        store: Records,
        *,
        client: Callable[[], DmClient],
        summonses: Summonses,
    ) -> None:
        self._db = store.db
        self._tree = store.tree
        self._settings = settings
        self._limits = settings.notification
        self._clock = clock
        self._client = client
        self._summonses = summonses
        self._terms = Terms(clock)

    def notified(self, body: bytes, sender: str) -> None:
        """Take what may be a notification from somebody."""
        try:
            found = notification.parse(body)
        except RemoteProtocolError as error:
            log.info("push from %s dropped: %s", sender, error)
            return
        try:
            self._judge(found)
        except StoreError as error:
            log.error("notification of server %s is not taken: %s", found.server_id, error)

    def _judge(self, found: Notification) -> None:
        account = dmacc.by_server(self._tree, found.server_id)
        if account is None:
            log.info("notification dropped: no account for server %s", found.server_id)
        elif self._is_genuine(found, account):
            if self._is_new(found):
                self._accept(found)
        elif self._is_resync(found, account):
            if self._is_new(found) and self._may_resync(found.server_id):
                self._client().expect_resync(account)
                self._accept(found, is_resync=True)
        else:
            log.warning("notification dropped: wrong digest for server %s", found.server_id)

    def _accept(self, found: Notification, *, is_resync: bool = False) -> None:
        """Remember it against replay and keep what it asks for, in one write; then go on."""
        session_id = notification.session_id_text(found.session_id)
        log.info("notification of server %s, session %s", found.server_id, session_id)
        summons = Summons(
            server_id=found.server_id,
            session_id=session_id,
            mode=self._summonses.mode_of(found.ui_mode),
            is_from_server=found.initiator_is_server,
            since_s=self._clock.wall_s(),
        )
        with self._db.transaction():
            marks = [*self._seen(), found.digest.hex()][-SEEN_COUNT:]
            self._db.set_meta(SEEN_KEY, json.dumps(marks))
            if is_resync:
                self._note_resync(found.server_id)
            self._summonses.keep(summons)
        self._resync_wait_s(found.server_id)  # counts from here, by the clock that never jumps
        self._summonses.go_on(found.server_id)

    def _is_genuine(self, found: Notification, account: Account) -> bool:
        """Check the digest with the identifier and the name the server may use (omadm §10.1)."""
        if account.server is None:
            return False
        return _is_authentic(
            found, account, (account.server.nonce, *self._client().pending_nonces(account))
        )

    def _is_resync(self, found: Notification, account: Account) -> bool:
        """Check the digest of a server that lost our nonce (omadm §10.4)."""
        is_wanted = self._settings.server(account.server_id).nonce_resync
        return is_wanted and _is_authentic(found, account, (notification.RESYNC_NONCE,))

    def _may_resync(self, server_id: str) -> bool:
        """Tell whether the last one is long ago, over restarts and whatever the clock does."""
        last_s = self._resynced().get(server_id, 0.0)
        if last_s > self._clock.wall_s():  # the clock was set back: it counts from now on
            with self._db.transaction():
                self._note_resync(server_id)
        if self._resync_wait_s(server_id):
            log.warning("resynchronisation refused: the last of %s is not long ago", server_id)
            return False
        return True

    def _resync_wait_s(self, server_id: str) -> float:
        last_s, longest_s = self._resynced().get(server_id), self._limits.resync_wait_s
        if last_s is None:
            return 0.0
        return self._terms.left_s(0, (server_id, last_s), last_s + longest_s, longest_s)

    def _note_resync(self, server_id: str) -> None:
        known = {**self._resynced(), server_id: self._clock.wall_s()}
        self._db.set_meta(RESYNCED_KEY, json.dumps(known))

    def _is_new(self, found: Notification) -> bool:
        """Tell a notification from a replay, also after a restart."""
        if found.digest.hex() in self._seen():
            log.info("notification dropped: seen before, server %s", found.server_id)
            return False
        return True

    def _seen(self) -> list[str]:
        seen: list[str] = json.loads(self._db.meta(SEEN_KEY) or "[]")
        return seen

    def _resynced(self) -> dict[str, float]:
        """Return when each server last began with zeros (wall time)."""
        known: dict[str, float] = json.loads(self._db.meta(RESYNCED_KEY) or "{}")
        return known


def _is_authentic(found: Notification, account: Account, nonces: tuple[bytes, ...]) -> bool:
    login = account.server
    if login is None:
        return False
    names = dict.fromkeys((account.server_id, login.name))
    return notification.is_authentic(found, names, login.secret, nonces)
