# SPDX-License-Identifier: Apache-2.0
"""What a session starts from, and what it reports: values only.

What becomes of an event is the driver's affair (`client.py`), inside the one
transaction of the message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.codes import AlertCode
    from scomod.dmclient.auth import AuthType
    from scomod.dmclient.credentials import Login
    from scomod.dmclient.model import Alert, Command, Message, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingAlert:
    """An alert of the outbox, generic or client event: its row id and its command."""

    id: int
    alert: Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSetup:
    """Everything a session knows when it begins.

    `trigger` is 1200 or 1201, `url` the address of the account, `protocol` the version
    of DM that the server speaks ("1.2" or "1.1"), `device_info` the leaves of ./DevInfo
    as (URI, value), `size_of` the encoded size of a message.  A side without a login is
    proven by the transport.
    """

    session_id: str
    trigger: AlertCode
    url: str
    protocol: str
    device_id: str
    device_info: tuple[tuple[str, str], ...]
    client: Login | None
    server: Login | None
    alerts: tuple[PendingAlert, ...]
    max_msg_bytes: int
    max_obj_bytes: int
    size_of: Callable[[Message], int]
    fresh_nonce: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class CommandReceived:
    """A command to execute; answer it with `complete`, before the next event."""

    msg_ref: str
    command: Command


@dataclass(frozen=True, slots=True)
class AnswerReady:
    """A command that the session answered itself: give it to `complete` in its turn."""

    answer: Status


@dataclass(frozen=True, slots=True)
class AlertAnswered:
    """The server's Status for an alert of the outbox."""

    alert_id: int
    code: int


@dataclass(frozen=True, slots=True)
class ClientNonce:
    """The nonce for our next credentials: persist it."""

    nonce: bytes


@dataclass(frozen=True, slots=True)
class ServerNonce:
    """The server holds this nonce now: persist it."""

    nonce: bytes


@dataclass(frozen=True, slots=True)
class TypeAccepted:
    """The server took other credentials than we began with: begin with these next time."""

    auth_type: AuthType


Event = CommandReceived | AnswerReady | AlertAnswered | ClientNonce | ServerNonce | TypeAccepted
