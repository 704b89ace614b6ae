"""The exchange of messages with the DM server: one POST, one answer (omadm §6.1).

Not a parser: bodies are octets.  `requests` blocks, so each exchange runs in a
thread while the loop goes on.  One transport serves one DM session: it keeps
the connection and the cookies, and is closed with the session.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from scomod import net
from scomod.errors import LimitExceeded, TransportError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Response, Session

    from scomod import settings

PIECE_BYTES = 64 * 1024
# what we ask for, and what some servers send in its place (interop 10)
ACCEPTED: Final = ("application/vnd.syncml.dm+wbxml", "application/vnd.syncml.dm+xml")
CONTENT_TYPES: Final = (*ACCEPTED, "application/vnd.syncml+wbxml", "application/vnd.syncml+xml")
COOKIES: Final = frozenset({"set-cookie", "set-cookie2"})
NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})

# failures that go away when somebody waits; the others need a person
PASSING_FAILURES = frozenset(set(net.Failure) - {net.Failure.UNTRUSTED})
PASSING_STATUSES = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer; `content_type` is one of `CONTENT_TYPES`, without parameters.

    `headers` have lower-case names; cookies are not among them.
    """

    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Transport(Protocol):
    """How a session's messages travel."""

    async def exchange(
        self, url: str, body: bytes, content_type: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> Reply:
        """Send one message, with `headers` besides our own, and return the answer.

        Raises `TransportError`, or `LimitExceeded` for an answer that is too long.
        """

    def close(self) -> None:
        """End the conversation; nothing is sent."""


class HttpTransport:
    """The transport over HTTP and TLS; the three counters are for logs."""

    def __init__(
        self, settings: settings.Transport, *, max_reply_bytes: int, user_agent: str
    ) -> None:
        self._settings = settings
        self._max_reply_bytes = max_reply_bytes
        self._user_agent = user_agent
        self._session: Session | None = None
        self.round_trips = 0
        self.bytes_sent = 0
        self.bytes_received = 0

    async def exchange(
        self, url: str, body: bytes, content_type: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> Reply:
        """Send one message, with `headers` besides our own, and return the answer.

        Raises `TransportError`, or `LimitExceeded` for an answer that is too long.
        """
        return await asyncio.to_thread(self._exchange, url, body, content_type, headers)

    def close(self) -> None:
        """End the conversation; nothing is sent."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _exchange(
        self, url: str, body: bytes, content_type: str, headers: Mapping[str, str]
    ) -> Reply:
        try:
            with closing(
                self._post(url, body, {**headers, "Content-Type": content_type})
            ) as response:
                answered, received = _content_type(response), _headers(response)
                reply = Reply(body=self._read(response), content_type=answered, headers=received)
        except (net.AccessRefused, net.RedirectRefused) as error:
            raise TransportError(str(error), is_retryable=False) from error
        except net.network_errors() as error:
            failure, text = net.explain(error, url)
            raise TransportError(text, is_retryable=failure in PASSING_FAILURES) from error
        self.round_trips += 1
        return reply

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Response:
        """Send the message, and again to wherever it is redirected."""
        if self._session is None:
            self._session = net.open_session(self._settings.ca_file, self._headers())
        session = self._session
        timeout_s = (self._settings.connect_timeout_s, self._settings.read_timeout_s)

        def send(url: str) -> Response:
            self.bytes_sent += len(body)
            return session.post(
                url,
                data=body,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=timeout_s,
            )

        return net.follow(url, send, redirects=net.REDIRECTS, allow_http=self._settings.allow_http)

    def _headers(self) -> dict[str, str]:
        return {
            "User-Agent": self._user_agent,
            "Accept": ", ".join(ACCEPTED),
            "Cache-Control": "private, no-store",
        }

    def _read(self, response: Response) -> bytes:
        """Read the body, but not a piece more than is allowed (I10)."""
        body = bytearray()
        while piece := response.raw.read(PIECE_BYTES, decode_content=False):
            body += piece
            self.bytes_received += len(piece)
            if len(body) > self._max_reply_bytes:
                raise LimitExceeded("max_reply_bytes", len(body))
        announced = net.content_length(response.headers)
        if announced is not None and len(body) < announced:
            # older urllib3 takes a short body for a whole one
            text = f"{net.shown(response.url)}: the answer ended early"
            raise TransportError(text, is_retryable=True)
        return bytes(body)


def _headers(response: Response) -> dict[str, str]:
    """Return what came with an answer; the library bounds count and length."""
    named = {name.lower(): value for name, value in response.headers.items()}
    return {name: value for name, value in named.items() if name not in COOKIES}


def _content_type(response: Response) -> str:
    """Return the content type of an answer that is a DM message; others are errors."""
    status, where = response.status_code, net.shown(response.url)
    if status != HTTPStatus.OK:
        is_passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in PASSING_STATUSES
        text = f"{where}: the server answered HTTP {status}"
        raise TransportError(text, is_retryable=is_passing)
    found = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if found not in CONTENT_TYPES:
        text = f"{where}: the answer is no DM message but {found or 'of no type'}"
        raise TransportError(text, is_retryable=False)
    return found
