# SPDX-License-Identifier: Apache-2.0
"""What sessions need, put together: imported when the first one begins.

A part of the composition root (`daemon.py`) in a room of its own, as a waiting daemon
has no memory for it (I16).  Nothing is decided here.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Final

from scomod.dmclient.client import DmClient
from scomod.dmclient.transport import transport_for
from scomod.expiry import Announcer
from scomod.inquiry import Inquiry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import Any

    from scomod.clock import Clock
    from scomod.dmclient.model import Command
    from scomod.dmclient.transport import Transport
    from scomod.interview import Interview
    from scomod.mo.dmacc import Account
    from scomod.records import Records
    from scomod.settings import Paths, Settings
    from scomod.trace import Traces

NONCE_BYTES: Final = 16  # omadm §4.5 rule 3


def make_client(
    settings: Settings,
    paths: Paths,
    clock: Clock,
    records: Records,
    *,
    interview: Interview,
    traces: Traces,
    user_agent: str,
    server_name: Callable[[str], str],
    inform: Callable[[Mapping[str, Any]], None],
    look: Callable[[], Awaitable[None]],
    on_command: Callable[[Command, list[Command]], None],
    on_message: Callable[[], None],
) -> DmClient:
    """Put the client of DM servers together."""

    def fresh_nonce() -> bytes:
        return os.urandom(NONCE_BYTES)

    announcer = Announcer(settings.time.warn_expiry_s, records.known_time.now_s)

    def met(server_id: str, signed_s: float, ends: Sequence[tuple[str, float]]) -> None:
        records.known_time.learn(signed_s)
        announcer.met(server_id, ends)

    def open_transport(account: Account) -> Transport:
        return transport_for(
            account,
            settings,
            paths.below_root,
            user_agent=user_agent,
            fresh_nonce=fresh_nonce,
            unset=records.unset_clock(clock),
            on_peer=partial(met, account.server_id),
        )

    inquiry = Inquiry(settings.confirm, interview, inform=inform, look=look)
    return DmClient(
        db=records.db,
        tree=records.tree,
        outbox=records.outbox,
        settings=settings,
        device_id=records.device_id,
        clock=clock,
        open_transport=open_transport,
        fresh_nonce=fresh_nonce,
        traces=traces,
        ask_person=lambda account, question: inquiry.answer(
            question,
            server_id=account.server_id,
            server_name=server_name(account.server_id),
        ),
        on_command=on_command,
        on_message=on_message,
    )
