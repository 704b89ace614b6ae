"""What the two HTTP clients share: whom they trust, where they may go, words for failures.

Not a client itself: `dmclient.transport` posts messages, `download.http` fetches
files, and neither knows the other.  `requests` and what it brings are imported
late, an idle daemon does without them.
"""

from __future__ import annotations

import os
import re
import socket
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Collection, Iterator, Mapping

    from requests import Response, Session

SYSTEM_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
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

# OpenSSL, x509_vfy.h: X509_V_ERR_*
NOT_YET_VALID = 9
CERTIFICATE_FAULTS = {
    NOT_YET_VALID: "is not valid yet (is the clock of this device right?)",
    10: "has expired",
    62: "is for another name",
    64: "is for another address",
}


class Failure(StrEnum):
    """How an exchange ended without an answer."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    UNTRUSTED = "untrusted"
    UNTIMELY = "untimely"


class AccessRefused(Exception):  # noqa: N818 - a condition; both clients turn it into their own error
    """We do not go there, or do not know whom to trust; the text says why."""


class RedirectRefused(Exception):  # noqa: N818 - as above
    """A redirect that leads nowhere; the text says why."""


def authorities(ca_file: str) -> str | bool:
    """Return what `requests` takes as `verify`: a file, or True for its own collection."""
    if ca_file and not os.access(ca_file, os.R_OK):
        raise AccessRefused(f"the file of certificate authorities cannot be read: {ca_file}")
    if ca_file:
        return ca_file
    return str(SYSTEM_AUTHORITIES) if SYSTEM_AUTHORITIES.exists() else True


def open_session(ca_file: str, headers: dict[str, str]) -> Session:
    """Return a session that listens to no environment variable and asks for plain octets.

    Raises `AccessRefused` for authorities that cannot be read.
    """
    import requests  # noqa: PLC0415

    session = requests.Session()
    session.trust_env = False
    session.verify = authorities(ca_file)
    session.headers.clear()
    session.headers.update(headers | {"Accept-Encoding": "identity"})
    return session


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


def piece_reader(raw: Any) -> Callable[[int], bytes]:
    """Return a function that gives what has arrived, at most so many octets, undecoded.

    It waits once, for the first octet: a slow peer cannot hold back the caller's
    checks until a whole piece is full.  Empty means the end.
    """
    if hasattr(raw, "read1"):
        return lambda size: raw.read1(size, decode_content=False) or b""
    inner: Callable[[int], bytes] = raw._fp.read1  # noqa: SLF001 - urllib3 1.26 hides http.client here
    return inner


def network_errors() -> tuple[type[Exception], ...]:
    """Return what may be raised while talking: all that `explain` understands."""
    from http.client import HTTPException  # noqa: PLC0415

    from requests import RequestException  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    return (RequestException, HTTPError, HTTPException, OSError)


def explain(error: BaseException, url: str) -> tuple[Failure, str]:
    """Say in words what a network error was about; the cause is looked for all the way down.

    `url` is what was asked for; after a redirect the error itself may know better.
    """
    import ssl  # noqa: PLC0415

    url = getattr(getattr(error, "request", None), "url", None) or url
    chain = list(_causes(error))
    for kind, failure, text in _causes_table():
        cause = next((one for one in chain if isinstance(one, kind)), None)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate_words(cause, url)
        if cause is not None:
            return failure, f"{shown(url)}: {text}"
    return Failure.BROKEN, f"{shown(url)}: the connection was lost"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all it was made of, outermost first, each once."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _causes_table() -> tuple[tuple[type[BaseException], Failure, str], ...]:
    """Return which cause means what, the most telling first.

    A function, as the types come with late imports.
    """
    import ssl  # noqa: PLC0415
    from http.client import HTTPException, RemoteDisconnected  # noqa: PLC0415

    from requests import exceptions as wrapped  # noqa: PLC0415
    from urllib3 import exceptions as inner  # noqa: PLC0415
    from urllib3.connection import CertificateError  # type: ignore[attr-defined]  # noqa: PLC0415

    return (
        (ssl.SSLCertVerificationError, Failure.UNTRUSTED, "the certificate is not trusted"),
        # up to its version 1.26 urllib3 compares the names itself
        (CertificateError, Failure.UNTRUSTED, "the certificate is for another name"),
        (socket.gaierror, Failure.UNREACHABLE, "the name of the host is not known"),
        (ConnectionRefusedError, Failure.UNREACHABLE, "connection refused"),
        (wrapped.ConnectTimeout, Failure.UNREACHABLE, "no connection within the time allowed"),
        (inner.NewConnectionError, Failure.UNREACHABLE, "no way to the host"),
        (TimeoutError, Failure.TIMEOUT, "nothing arrived within the time allowed"),
        (inner.TimeoutError, Failure.TIMEOUT, "nothing arrived within the time allowed"),
        (ssl.SSLError, Failure.BROKEN, "no TLS connection could be made"),
        (wrapped.InvalidURL, Failure.UNTRUSTED, "no usable URL"),
        (inner.LocationParseError, Failure.UNTRUSTED, "no usable URL"),
        (RemoteDisconnected, Failure.BROKEN, "the server closed the connection without an answer"),
        (ConnectionError, Failure.BROKEN, "the connection was lost"),
        (inner.IncompleteRead, Failure.BROKEN, "the answer ended early"),
        (HTTPException, Failure.BROKEN, "the answer is not HTTP"),
    )


def _certificate_words(error: ssl.SSLCertVerificationError, url: str) -> tuple[Failure, str]:
    """Tell a certificate that is wrong from one that only is not valid yet."""
    fault = CERTIFICATE_FAULTS.get(error.verify_code, f"is not trusted ({error.verify_message})")
    is_early = error.verify_code == NOT_YET_VALID
    failure = Failure.UNTIMELY if is_early else Failure.UNTRUSTED
    return failure, f"{shown(url)}: the certificate {fault}"
