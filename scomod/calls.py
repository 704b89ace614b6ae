# SPDX-License-Identifier: Apache-2.0
"""The sessions of one daemon, each from the wish to what is remembered and told of it.

A part of the composition root (`daemon.py`).  The session machinery is imported with the
first session: a waiting daemon has no memory for it (I16).
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from scomod import __version__
from scomod.facade import Unknown
from scomod.log import Event, announce, bound
from scomod.mo import dmacc

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from scomod.clock import Clock
    from scomod.dmclient.client import DmClient, SessionReport
    from scomod.enrolment import Enrolment
    from scomod.herald import Herald
    from scomod.records import Records
    from scomod.settings import Paths, Settings
    from scomod.trace import Traces
    from scomod.vigil import Vigil
    from scomod.waking import Waking
    from scomod.wishes import Wish

SESSION_IDS: Final = 0xFFFF
USER_AGENT: Final = f"scomod/{__version__}"
SESSION: Final = "session"

log = logging.getLogger(__name__)


class Calls:
    """Runs one session after the other; `look()` mirrors the device's packages before each."""

    def __init__(
        self,
        settings: Settings,
        paths: Paths,
        clock: Clock,
        store: Records,
        *,
        enrolment: Enrolment,
        herald: Herald,
        vigil: Vigil,
        waking: Callable[[], Waking],
        random: Callable[[], Random],
        look: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._paths = paths
        self._clock = clock
        self._store = store
        self._enrolment = enrolment
        self._herald = herald
        self._vigil = vigil
        self._waking = waking
        self._random = random
        self._look = look

    async def run(self, wish: Wish) -> SessionReport:
        """Run the session that is wished for; raises `Unknown` where there is no such server."""
        account = dmacc.by_server(self._store.tree, wish.server_id)
        if account is None:
            raise Unknown(f"no account for server {wish.server_id}")
        from scomod import deadlines  # noqa: PLC0415 - the session machinery

        session_id = wish.session_id or f"{self._random().randint(1, SESSION_IDS):X}"
        with self._vigil.over(SESSION, deadlines.session_s(self._settings)):
            await self._look()
            with bound(session=session_id):
                text = "session %s with %s"
                announce(log, Event.SESSION_STARTED, text, session_id, wish.server_id)
                self._herald.session_begins(session_id, wish.server_id)
                report = await self.client.run(account, wish.trigger, session_id)
        record = asdict(report)
        self._waking().met(record, session_id)
        self._herald.session_ended(session_id, record)
        if report.outcome == "ok":
            self._enrolment.met(wish.server_id)
        return report

    @cached_property
    def client(self) -> DmClient:
        """Who speaks with DM servers."""
        from scomod.talking import make_client  # noqa: PLC0415 - the session machinery

        return make_client(
            self._settings,
            self._paths,
            self._clock,
            self._store,
            interview=self._waking().interview,
            traces=self.traces,
            user_agent=USER_AGENT,
            server_name=self.server_name,
            inform=self._herald.inform,
            look=self._look,
            on_command=self._herald.recorder.commands,
            on_message=partial(self._vigil.got_on, SESSION),
        )

    @cached_property
    def traces(self) -> Traces:
        """What is kept of what was said."""
        from scomod.trace import Traces  # noqa: PLC0415 - for sessions

        return Traces(self._paths.traces_dir, self._settings.log, self._clock)

    def has_reports(self, server_id: str) -> bool:
        """Tell whether alerts wait that the server can be sent; DM 1.1 has no generic ones."""
        is_able = self._settings.server(server_id).protocol != "1.1"
        return is_able and bool(self._store.outbox.waiting(server_id))

    def server_name(self, server_id: str) -> str:
        """Return what a person calls a server."""
        account = dmacc.by_server(self._store.tree, server_id)
        return account.name if account is not None and account.name else server_id
