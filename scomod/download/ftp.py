# SPDX-License-Identifier: Apache-2.0
"""The fetcher for `ftp:` (RFC 959, addresses of RFC 1738) and `ftps:` (RFC 4217, AUTH TLS).

Off by default.  A server of FTP gives no validator, so only a digest that is known allows to
go on with a part (REST).  Passive mode only, in binary, and through no HTTP proxy.  With
`ftps:` both connections are encrypted, and the server must be who it says.
"""

from __future__ import annotations

import ftplib
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, unquote, urlsplit

from scomod import net, tls
from scomod.download import attempt
from scomod.download.attempt import Answer
from scomod.download.descriptor import type_by_name
from scomod.download.failures import failure_of
from scomod.download.meter import Meter
from scomod.download.part import Origin
from scomod.errors import DownloadError, Reason

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from scomod.clock import Clock
    from scomod.download.job import FetchRequest, FetchResult
    from scomod.net import Access

SECURE: Final = "ftps"
ANONYMOUS: Final = ("anonymous", "scomod@")
# RFC 959 §4.2: what a server says; the first digit 4 means that it may pass
NOT_LOGGED_IN: Final = frozenset({"430", "530", "532"})
NO_SUCH_FILE: Final = "550"


class FtpFetcher:
    """The fetcher for ftp and ftps."""

    def __init__(self, *, clock: Clock, boot_id: str) -> None:
        self._clock = clock
        self._boot_id = boot_id

    def fetch(
        self,
        request: FetchRequest,
        progress: Callable[[int, int | None], None],
        is_cancelled: Callable[[], bool],
    ) -> FetchResult:
        """Fetch as `job.Fetcher` says."""
        meter = Meter(
            clock=self._clock, request=request, progress=progress, is_cancelled=is_cancelled
        )
        source = _FtpSource(request, meter, self._boot_id)
        return attempt.run(request, source, meter, self._boot_id)


class _FtpSource:
    """The address of a request; each `open` is a session of its own."""

    errors = (ftplib.Error, EOFError, OSError)

    def __init__(self, request: FetchRequest, meter: Meter, boot_id: str) -> None:
        self._request = request
        self._meter = meter
        self._boot_id = boot_id

    @contextmanager
    def open(self, start: int, origin: Origin | None) -> Iterator[Answer | None]:
        """Log in and ask for the file from `start` on; see `attempt.Source`."""
        parts, access = self._place()
        try:
            session = _session(parts, access, self._request)
        except net.ClockNotSet as error:
            raise DownloadError(Reason.INSECURE_URL, str(error), is_retryable=True) from error
        except net.AccessRefused as error:
            raise DownloadError(Reason.INSECURE_URL, str(error)) from error
        except self.errors as error:
            raise self.failure(error) from error
        with closing(session):
            self._meter.limit_rate(access.max_rate_bytes)
            try:
                answer, data = self._ask(session, _path(parts), start, origin)
            except self.errors as error:
                raise self.failure(error) from error
            if data is None:
                yield None
                return
            with data:
                yield answer

    def failure(self, error: Exception) -> DownloadError:
        """Return the error for what a server answered, or for a connection that broke."""
        shown = net.shown(self._request.url)
        if isinstance(error, ftplib.Error):
            return _refusal(shown, str(error))
        if isinstance(error, EOFError):
            text = f"{shown}: the server closed the connection"
            return DownloadError(Reason.SERVER_UNAVAILABLE, text, is_retryable=True)
        return failure_of(error, self._request.url)

    def _place(self) -> tuple[SplitResult, Access]:
        """Take the address apart, and refuse those that lead nowhere."""
        try:
            parts = urlsplit(self._request.url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise DownloadError(Reason.INSECURE_URL, f"no usable URL: {error}") from error
        if not host or not unquote(parts.path).isprintable():
            raise DownloadError(Reason.INSECURE_URL, "no usable URL: no host, or no name of a file")
        access = self._request.access(host)
        if access.proxy:
            text = f'no way through an HTTP proxy; source."{host}".proxy may be "direct"'
            raise DownloadError(Reason.UNREACHABLE, f"{net.shown(self._request.url)}: {text}")
        return parts, access

    def _ask(
        self, session: ftplib.FTP, path: str, start: int, origin: Origin | None
    ) -> tuple[Answer | None, socket.socket | None]:
        url = self._request.url
        session.voidcmd("TYPE I")
        total = _size(session, path)
        headers = {"Content-Type": type_by_name(url)}
        if origin is not None and not origin.is_same_file(url, {}, total, has_digest=True):
            return None, None
        self._meter.check()
        try:
            data, told = session.ntransfercmd(f"RETR {path}", rest=start or None)
        except ftplib.error_perm as error:
            if origin is not None and str(error)[:3] != NO_SUCH_FILE:
                return None, None  # a server without REST
            raise
        total = told if total is None and not start else total
        data.settimeout(self._request.idle_timeout_s)
        answer = Answer(
            origin=Origin.of(url, headers, self._boot_id, total),
            start=start,
            total_bytes=total,
            read_into=_reader(session, data),
        )
        return answer, data


def _reader(session: ftplib.FTP, data: socket.socket) -> Callable[[memoryview], int]:
    """Return what reads the data connection; the end counts when the server confirms it."""

    def read_into(room: memoryview) -> int:
        if came := data.recv_into(room):
            return came
        data.close()
        session.voidresp()
        return 0

    return read_into


def _session(parts: SplitResult, access: Access, request: FetchRequest) -> ftplib.FTP:
    """Connect and log in."""
    timeout_s = min(request.connect_timeout_s, request.total_timeout_s)
    session: ftplib.FTP
    if parts.scheme == SECURE:
        session = ftplib.FTP_TLS(timeout=timeout_s, context=tls.trusting(access))  # noqa: S321
    else:
        session = ftplib.FTP(timeout=timeout_s)  # noqa: S321
    try:
        session.connect(parts.hostname or "", parts.port or ftplib.FTP_PORT)
        if isinstance(session, ftplib.FTP_TLS):
            session.auth()
            tls.check_pins(session.sock, access.pins, parts.hostname or "")
            tls.check_outlasts(session.sock, access, parts.hostname or "")
        user, password = _login(parts, access)
        session.login(user, password)
        if isinstance(session, ftplib.FTP_TLS):
            session.prot_p()
        if session.sock is not None:
            session.sock.settimeout(request.idle_timeout_s)
    except BaseException:
        session.close()
        raise
    return session


def _login(parts: SplitResult, access: Access) -> tuple[str, str]:
    """Return user and password: of the configuration, else of the address, else anybody's."""
    if access.login_file:
        user, _, password = tls.read_login(access.login_file).reveal().partition(":")
        return user, password
    if parts.username:
        return unquote(parts.username), unquote(parts.password or "")
    return ANONYMOUS


def _path(parts: SplitResult) -> str:
    """Return the name of the file; it counts from where the login leads (RFC 1738 §3.2.2)."""
    return unquote(parts.path.removeprefix("/"))


def _size(session: ftplib.FTP, path: str) -> int | None:
    with suppress(ftplib.error_perm):  # a server without SIZE; RETR tells if there is no file
        return session.size(path)
    return None


def _refusal(shown: str, answer: str) -> DownloadError:
    """Return the error for a reply that brings no file."""
    code, text = answer[:3], f"{shown}: the server answered FTP {answer[:200]}"
    if code in NOT_LOGGED_IN:
        text += '; the login is [source."HOST"] login_file'
        return DownloadError(Reason.UNAUTHORISED, text)
    if code.startswith("4"):
        return DownloadError(Reason.SERVER_UNAVAILABLE, text, is_retryable=True)
    return DownloadError(Reason.REFUSED_BY_SERVER, text, is_absent=code == NO_SUCH_FILE)
