# SPDX-License-Identifier: Apache-2.0
"""What the two HTTP clients share: where they may go, and what headers say.

Not a client itself: `dmclient.transport` posts messages, `download.http` fetches
files, and neither knows the other.  Not the connections (`wire`, `tls`), nor the
words for their failures (`mishap`).  An idle daemon has none of the libraries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from scomod.knowntime import believed
from scomod.shapes import DIRECT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from requests import Response

    from scomod.knowntime import UnsetClock
    from scomod.settings import Download, Server, Settings, Source, Transport
    from scomod.wire import Line

OLDEST_TLS = "1.2"
MAX_HEADER_BYTES = 32768
REDIRECTS_MAX_COUNT = 5
# 303 is missing: it asks for a GET, and only who sent a GET can follow that
REDIRECTS = frozenset(
    {
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    }
)
LENGTH = re.compile(r"\d{1,18}", re.ASCII)


class AccessRefused(Exception):  # noqa: N818 - a condition; both clients turn it into their own error
    """We do not go there, or do not know whom to trust; the text says why."""


class ClockNotSet(AccessRefused):
    """Nobody can be judged, as the time is not known; that may pass."""


class RedirectRefused(Exception):  # noqa: N818 - as above
    """A redirect that leads nowhere; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a server is reached and whom it must be; the fields are those of `settings.Server`.

    All names of files are complete; `proxy` is empty where there is none.  `login_file` and
    `max_rate_bytes` are of package servers only.  With an `unset` clock certificates are held
    against the floor of the time.
    """

    ca_file: str = ""
    pins: tuple[str, ...] = ()
    certificate_file: str = ""
    key_file: str = ""
    min_tls: str = OLDEST_TLS
    proxy: str = ""
    proxy_login_file: str = ""
    login_file: str = ""
    max_rate_bytes: int = 0
    max_header_bytes: int = MAX_HEADER_BYTES
    unset: UnsetClock | None = None


def server_access(
    transport: Transport,
    server: Server,
    place: Callable[[str], Path],
    unset: UnsetClock | None = None,
) -> Access:
    """Return how one DM server is reached; `place` completes the names of files."""

    def complete(name: str) -> str:
        return str(place(name)) if name else ""

    proxy, login_file = chosen_proxy(server, transport)
    return Access(
        ca_file=complete(server.ca_file or transport.ca_file),
        pins=server.pins,
        certificate_file=complete(server.certificate_file),
        key_file=complete(server.key_file),
        min_tls=server.min_tls,
        proxy=proxy,
        proxy_login_file=complete(login_file),
        max_header_bytes=transport.max_header_bytes,
        unset=unset,
    )


def package_access(
    settings: Settings,
    place: Callable[[str], Path],
    unset: Callable[[], UnsetClock | None] = believed,
) -> Callable[[str], Access]:
    """Return what says of a package server's host how it is reached."""

    def complete(name: str) -> str:
        return str(place(name)) if name else ""

    general, transport = settings.download, settings.transport

    def access(host: str) -> Access:
        own = settings.source(host)
        proxy, login_file = chosen_proxy(own, general, transport)
        return Access(
            ca_file=complete(own.ca_file or general.ca_file or transport.ca_file),
            pins=own.pins,
            certificate_file=complete(own.certificate_file),
            key_file=complete(own.key_file),
            min_tls=own.min_tls,
            proxy=proxy,
            proxy_login_file=complete(login_file),
            login_file=complete(own.login_file),
            max_rate_bytes=own.max_rate_bytes,
            max_header_bytes=transport.max_header_bytes,
            unset=unset(),
        )

    return access


def chosen_proxy(*sections: Server | Source | Download | Transport) -> tuple[str, str]:
    """Return the first proxy and its login file; a login never goes to another than its own."""
    chosen = next((each for each in sections if each.proxy), sections[-1])
    return ("", "") if chosen.proxy == DIRECT else (chosen.proxy, chosen.proxy_login_file)


def open_line(access: Access, headers: dict[str, str]) -> Line:
    """Return a session of `requests` that goes where `access` says, and nowhere by environment.

    Raises `AccessRefused` for files that cannot be used.
    """
    from scomod.wire import Line  # noqa: PLC0415 - heavy, idle needs none

    return Line(access, headers)


def shown(url: str) -> str:
    """Return a URL as it may stand in a log: without user, password, query and fragment (I19)."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(no usable URL)"
    return f"{parts.scheme}://{host}{port}{parts.path}"


def check_url(url: str, *, allow_http: bool) -> None:
    """Raise `AccessRefused` unless the URL is https, or http where that is allowed."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise AccessRefused(f"no usable URL: {error}") from error
    if parts.scheme not in {"http", "https"}:
        raise AccessRefused(f"scheme not supported: {parts.scheme or '(none)'}")
    if not host:
        raise AccessRefused("no usable URL: no host")
    if parts.scheme == "http" and not allow_http:
        raise AccessRefused(f"{shown(url)} is not encrypted, and plain http is not allowed")


def next_url(url: str, location: str | None, *, allow_http: bool) -> str:
    """Return where a redirect leads; raises `AccessRefused` also for the way from https to http."""
    if not location:
        raise RedirectRefused(f"{shown(url)} redirects without saying where")
    target = urljoin(url, location)
    check_url(target, allow_http=allow_http and urlsplit(url).scheme == "http")
    return target


def follow(
    url: str, send: Callable[[str], Response], *, redirects: Collection[int], allow_http: bool
) -> Response:
    """Call `send` with one URL after the other until the answer is none of `redirects`.

    Raises `AccessRefused`, `RedirectRefused`, and what `send` raises.
    """
    check_url(url, allow_http=allow_http)
    for _ in range(REDIRECTS_MAX_COUNT + 1):
        response = send(url)
        if response.status_code not in redirects:
            return response
        response.close()
        url = next_url(url, response.headers.get("Location"), allow_http=allow_http)
    raise RedirectRefused(f"more than {REDIRECTS_MAX_COUNT} redirects, the last to {shown(url)}")


def content_length(headers: Mapping[str, str]) -> int | None:
    """Return the announced length of a body; chunked framing overrides it (RFC 9112 §6.3)."""
    match = LENGTH.fullmatch(headers.get("Content-Length", ""))
    return int(match[0]) if match and "Transfer-Encoding" not in headers else None


def body_reader(raw: Any) -> Callable[[memoryview], int]:
    """Return a function that fills memory with what has arrived and says how much; 0 is the end.

    It waits once, for the first octet: a slow peer cannot hold back the caller's
    checks until all the room is full.  What `urllib3` does beside for every piece cost more
    than all the rest (measured, bench/), so the answer of `http.client` below it is read.
    """
    inner = raw._fp  # noqa: SLF001 - `urllib3` hides http.client here
    read_into: Callable[[memoryview], int] = inner.read_some_into
    return read_into


def piece_peeker(raw: Any) -> Callable[[int], bytes]:
    """Return a function that shows how a body begins and takes nothing away; waits like a read."""
    peek: Callable[[int], bytes] = raw._fp.peek  # noqa: SLF001 - only http.client can do it
    return peek


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Return how long a server asks us to stay away, 0 if it does not (RFC 9110 §10.2.3).

    A date counts from the server's own, as the clock of a device may not be set.
    """
    asked = headers.get("Retry-After", "").strip()
    if LENGTH.fullmatch(asked):
        return float(asked)
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - only for those who are asked

    try:
        wait = parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError):  # no date, or one of the two without a time zone
        return 0.0
    return max(0.0, wait.total_seconds())
