# SPDX-License-Identifier: Apache-2.0
"""The exchange of messages with the DM server: one POST, one answer (omadm §6.1).

Not a parser: bodies are octets.  Not the connections: `wire` makes those.
`requests` blocks, so each exchange runs in a thread while the loop goes on.  One
transport serves one DM session: it keeps the connection and the cookies, and is
closed with the session.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from scomod import mishap, net
from scomod.dmclient import httpauth, refusal
from scomod.errors import LimitExceeded, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from requests import PreparedRequest, Response

    from scomod import settings
    from scomod.knowntime import UnsetClock
    from scomod.mo.account import Account
    from scomod.settings import Settings
    from scomod.wire import Line

    OnPeer = Callable[[float, Sequence[tuple[str, float]]], None]

PIECE_BYTES = 64 * 1024
REPLY_FACTOR = 2  # peers overrun what they were told
# AAuthTypes of who is known by the certificate of its connection
BY_CERTIFICATE: Final = ("TRANSPORT", "X509")
# what we ask for, and what some servers send in its place (interop 10)
ACCEPTED: Final = ("application/vnd.syncml.dm+wbxml", "application/vnd.syncml.dm+xml")
CONTENT_TYPES: Final = (*ACCEPTED, "application/vnd.syncml+wbxml", "application/vnd.syncml+xml")
COOKIES: Final = frozenset({"set-cookie", "set-cookie2"})
NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})

# failures that go away when somebody waits; the others need a person
LASTING_FAILURES = frozenset({mishap.Failure.UNTRUSTED, mishap.Failure.REFUSED})


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


def transport_for(
    account: Account,
    settings: Settings,
    place: Callable[[str], Path],
    *,
    user_agent: str,
    fresh_nonce: Callable[[], bytes],
    unset: UnsetClock | None = None,
    on_peer: OnPeer | None = None,
) -> HttpTransport:
    """Return the transport for one session with an account's server (omadm §8.3, AAuthLevel HTTP).

    `place` completes the names of files in the configuration, `unset` is a clock that cannot be
    right, `on_peer` is told the time (wall) that a server proved to be past, and when which
    certificates end.
    """
    sets = [each for each in (account.http, account.client) if each]
    http = account.http
    is_ours = http is not None and http.auth_type.upper() in (*httpauth.BASIC, *httpauth.DIGEST)
    return HttpTransport(
        settings.transport,
        net.server_access(settings.transport, settings.server(account.server_id), place, unset),
        max_reply_bytes=REPLY_FACTOR * settings.session.max_msg_bytes,
        user_agent=user_agent,
        login=httpauth.HttpLogin(http, fresh_nonce) if http and is_ours else None,
        needs_certificate=any(each.auth_type.upper() in BY_CERTIFICATE for each in sets),
        on_peer=on_peer,
    )


class HttpTransport:
    """The transport over HTTP and TLS; the three counters are for logs.

    `login` is for the web server of the first message, and goes nowhere else.
    `needs_certificate` says that the server knows us by one of TLS.
    """

    def __init__(
        self,
        settings: settings.Transport,
        access: net.Access,
        *,
        max_reply_bytes: int,
        user_agent: str,
        login: httpauth.HttpLogin | None = None,
        needs_certificate: bool = False,
        on_peer: OnPeer | None = None,
    ) -> None:
        self._settings = settings
        self._access = access
        self._max_reply_bytes = max_reply_bytes
        self._user_agent = user_agent
        self._login = login
        self._needs_certificate = needs_certificate
        self._on_peer = on_peer
        self._home = ""
        self._line: Line | None = None
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
        if self._line is not None:
            self._line.close()
            self._line = None

    def _exchange(
        self, url: str, body: bytes, content_type: str, headers: Mapping[str, str]
    ) -> Reply:
        """Do all of it within the time allowed, and name what goes wrong."""
        limit_s = self._settings.exchange_timeout_s
        try:
            line = self._open()
            with line.limited(limit_s):
                reply = self._answer(line, url, body, {**headers, "Content-Type": content_type})
        except (net.AccessRefused, net.RedirectRefused) as error:
            is_passing = isinstance(error, net.ClockNotSet)
            raise TransportError(str(error), is_retryable=is_passing) from error
        except mishap.network_errors() as error:
            failure, text = mishap.explain(error, url)
            if self._line is not None and self._line.is_cut:
                text = f"{net.shown(url)}: no complete answer within {limit_s:g} s"
                raise TransportError(text, is_retryable=True) from error
            is_passing = failure not in LASTING_FAILURES
            raise TransportError(text, is_retryable=is_passing) from error
        self.round_trips += 1
        return reply

    def _open(self) -> Line:
        if self._needs_certificate and not self._access.certificate_file:
            text = "its account wants a client certificate: set certificate_file in its section"
            raise net.AccessRefused(text)
        if self._line is None:
            self._line = net.open_line(
                self._access,
                {
                    "User-Agent": self._user_agent,
                    "Accept": ", ".join(ACCEPTED),
                    "Cache-Control": "private, no-store",
                },
            )
        return self._line

    def _answer(self, line: Line, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a message, and again to wherever it is redirected; read what comes back."""

        def send(url: str) -> Response:
            return self._post(line, url, body, headers)

        may_http = self._settings.allow_http
        with closing(
            net.follow(url, send, redirects=net.REDIRECTS, allow_http=may_http)
        ) as response:
            refusal.check_status(response)
            refusal.check_encoding(response)
            answered = refusal.checked_type(response, CONTENT_TYPES)
            body = self._read(line, response)
            if self._on_peer is not None and (signed_s := line.wire.signed_s(response)):
                self._on_peer(signed_s, line.wire.ends())
            return Reply(
                body=body,
                content_type=answered,
                headers=_without_cookies(response),
            )

    def _post(self, line: Line, url: str, body: bytes, headers: Mapping[str, str]) -> Response:
        """Send a message to one address, twice where a login is asked for."""
        self._home = self._home or _origin(url)
        login = self._login if _origin(url) == self._home else None

        def authorise(request: PreparedRequest) -> PreparedRequest:
            if login and (value := login.header(request.method or "", request.path_url)):
                request.headers["Authorization"] = value
            return request

        for is_last in (False, True):
            self.bytes_sent += len(body)
            response = line.post(
                url,
                data=body,
                headers=dict(headers),
                auth=authorise,
                stream=True,
                allow_redirects=False,
                timeout=(self._settings.connect_timeout_s, self._settings.read_timeout_s),
            )
            self._check_cookies(line, response)
            is_asked = login is not None and response.status_code == HTTPStatus.UNAUTHORIZED
            asked = response.headers.get("WWW-Authenticate", "")
            if is_last or login is None or not is_asked or not login.take(asked):
                break
            response.close()
        return response

    def _check_cookies(self, line: Line, response: Response) -> None:
        """Bound what all answers of a session leave with us (I10)."""
        if len(line.cookies) > self._settings.max_cookies_count:
            response.close()
            raise LimitExceeded("max_cookies_count", len(line.cookies))

    def _read(self, line: Line, response: Response) -> bytes:
        """Read the body, but not a piece more than is allowed (I10)."""
        body = bytearray()
        while piece := response.raw.read(PIECE_BYTES, decode_content=False):
            body += piece
            self.bytes_received += len(piece)
            if len(body) > self._max_reply_bytes:
                raise LimitExceeded("max_reply_bytes", len(body))
        line.wire.check()  # a cut looks like an end
        where = net.shown(response.url)
        announced = net.content_length(response.headers)
        if announced is not None and len(body) < announced:
            # older urllib3 takes a short body for a whole one
            raise TransportError(f"{where}: the answer ended early", is_retryable=True)
        if not body:
            raise TransportError(f"{where}: the answer is empty", is_retryable=True)
        return bytes(body)


def _origin(url: str) -> str:
    """Return what a login belongs to: scheme, host and port."""
    return "{0.scheme}://{0.netloc}".format(urlsplit(url)).lower()


def _without_cookies(response: Response) -> dict[str, str]:
    named = {name.lower(): value for name, value in response.headers.items()}
    return {name: value for name, value in named.items() if name not in COOKIES}
