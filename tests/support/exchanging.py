# SPDX-License-Identifier: Apache-2.0
"""Exchanges with a server over the real transport, and the error one ends with."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from scomod import settings
from scomod.dmclient.transport import ACCEPTED, HttpTransport
from scomod.errors import RemoteProtocolError, TransportError
from scomod.net import Access

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.dmclient.transport import Reply

WBXML = ACCEPTED[0]
MAX_REPLY_BYTES = 100_000
USER_AGENT = "scomod test"
LIMITS: Mapping[str, Any] = {"connect_timeout_s": 5.0, "read_timeout_s": 5.0}


def transport_with(access: Access | None = None, **limits: Any) -> HttpTransport:
    """Return a transport; `limits` are keys of [transport], without them generous."""
    return HttpTransport(
        settings.Transport(**{**LIMITS, **limits}),
        access or Access(),
        max_reply_bytes=MAX_REPLY_BYTES,
        user_agent=USER_AGENT,
    )


def exchange(transport: HttpTransport, url: str, body: bytes = b"hello") -> Reply:
    """Send one message as a session does."""
    return asyncio.run(transport.exchange(url, body, WBXML))


def failure(transport: HttpTransport, url: str, within_s: float = 10.0) -> TransportError:
    """Return the error an exchange ends with, in bounded time; the transport is closed."""
    error = ending(transport, url, within_s)
    assert isinstance(error, TransportError)
    return error


def ending(
    transport: HttpTransport, url: str, within_s: float = 10.0
) -> TransportError | RemoteProtocolError:
    """Return the same where it may also be a limit."""
    began_s = time.monotonic()
    with pytest.raises((TransportError, RemoteProtocolError)) as error:
        exchange(transport, url)
    transport.close()
    assert time.monotonic() - began_s < within_s
    assert isinstance(error.value, TransportError | RemoteProtocolError)
    return error.value
