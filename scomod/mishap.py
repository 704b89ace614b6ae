# SPDX-License-Identifier: Apache-2.0
"""What went wrong between us and a web server, in words for a log and a person.

Not who talks (`net`, `wire`) and not what follows from it: each client turns a
`Failure` into its own error.  The types of the libraries are imported late.
"""

from __future__ import annotations

import re
import socket
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from scomod.knowntime import in_utc
from scomod.net import shown

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

# OpenSSL, x509_vfy.h: X509_V_ERR_*
NOT_YET_VALID: Final = 9
EXPIRED: Final = 10
CLOCK: Final = "is the clock of this device right?"
CERTIFICATE_FAULTS: Final = {
    NOT_YET_VALID: f"is not valid yet ({CLOCK})",
    EXPIRED: "has expired",
    18: "is not trusted: the server signed it itself",
    20: "is not trusted: nobody we know signed it",
    62: "is for another name",
    64: "is for another address",
}
# OpenSSL, sslerr.h: what a failed handshake calls itself; those need a person
_NO_VERSION: Final = "the server speaks no version of TLS that is allowed here"
_OUR_CERTIFICATE: Final = "the server does not accept our client certificate"
HANDSHAKE_FAULTS: Final = {
    "NO_PROTOCOLS_AVAILABLE": _NO_VERSION,
    "TLSV1_ALERT_PROTOCOL_VERSION": _NO_VERSION,
    "UNSUPPORTED_PROTOCOL": _NO_VERSION,
    "VERSION_TOO_LOW": _NO_VERSION,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server wants a client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": _OUR_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _OUR_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _OUR_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _OUR_CERTIFICATE,
    "TLSV1_ALERT_UNKNOWN_CA": _OUR_CERTIFICATE,
}
# the second one is an SSLEOFError from Python 3.11.4 on
BROKEN_OFF: Final = frozenset({"SSLV3_ALERT_HANDSHAKE_FAILURE", "UNEXPECTED_EOF_WHILE_READING"})
NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
# http.client: LineTooLong and the limit of 100 lines
TOO_MUCH_HEADER: Final = re.compile("got more than")
TUNNEL_REFUSED: Final = re.compile(r"Tunnel connection failed: (\d{3})", re.ASCII)


class Failure(StrEnum):
    """How an exchange ended without an answer."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    REFUSED = "refused"
    UNTRUSTED = "untrusted"
    UNTIMELY = "untimely"


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
    from urllib3.exceptions import ProxyError  # noqa: PLC0415

    url = getattr(getattr(error, "request", None), "url", None) or url
    causes = list(_causes(error))
    failure, words = _words(causes)
    via = "on the way through the proxy: " if any(isinstance(e, ProxyError) for e in causes) else ""
    return failure, f"{shown(url)}: {via}{words}"


def _words(causes: list[BaseException]) -> tuple[Failure, str]:
    for cause in causes:
        if found := _own_words(cause):
            return found
    for kind, failure, words in _causes_table():
        if any(isinstance(cause, kind) for cause in causes):
            return failure, words
    return Failure.BROKEN, "the connection was lost"


def _own_words(cause: BaseException) -> tuple[Failure, str] | None:
    """Say what a cause is about that carries its own code or text."""
    import ssl  # noqa: PLC0415
    from http.client import HTTPException  # noqa: PLC0415

    if isinstance(cause, ssl.SSLError):
        return _tls_words(cause)
    if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_AGAIN:
        return Failure.UNREACHABLE, "no name server answers for the name of the host"
    if isinstance(cause, HTTPException) and TOO_MUCH_HEADER.match(str(cause)):
        return Failure.BROKEN, "the header of the answer is too large"
    refused = TUNNEL_REFUSED.search(str(cause)) if isinstance(cause, OSError) else None
    if refused is None:
        return None
    is_passing = int(refused[1]) >= HTTPStatus.INTERNAL_SERVER_ERROR
    words = f"it answered HTTP {refused[1]}"
    if int(refused[1]) == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        words += ", it wants another login"
    return Failure.UNREACHABLE if is_passing else Failure.REFUSED, words


def _tls_words(cause: ssl.SSLError) -> tuple[Failure, str] | None:
    import ssl  # noqa: PLC0415

    if isinstance(cause, ssl.SSLCertVerificationError):
        return _certificate_words(cause)
    if cause.reason in HANDSHAKE_FAULTS:
        return Failure.UNTRUSTED, HANDSHAKE_FAULTS[cause.reason]
    if cause.reason in NO_TLS:
        return Failure.BROKEN, "the server does not speak TLS on this port"
    if cause.reason in BROKEN_OFF or isinstance(cause, ssl.SSLEOFError):
        # that of TLS 1.3 may come before the alert that tells it
        whys = "the answer ended early, or it may want a client certificate"
        return Failure.BROKEN, f"the server broke off the TLS connection ({whys})"
    return None


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


def _certificate_words(error: ssl.SSLCertVerificationError) -> tuple[Failure, str]:
    """Tell a certificate that is wrong from one that only is not valid yet."""
    found: list[tuple[float, float]] = getattr(error, "spans", [])
    fault = CERTIFICATE_FAULTS.get(error.verify_code, f"is not trusted ({error.verify_message})")
    is_early = error.verify_code == NOT_YET_VALID
    if is_early and found:
        fault = f"is valid only from {in_utc(max(begin_s for begin_s, _ in found))} on; {CLOCK}"
    elif error.verify_code == EXPIRED and found:
        fault += f" on {in_utc(min(end_s for _, end_s in found))}"
    return Failure.UNTIMELY if is_early else Failure.UNTRUSTED, f"the certificate {fault}"
