# SPDX-License-Identifier: Apache-2.0
"""Where figures are read: a Unix socket that speaks HTTP, and a file for node_exporter.

Imported only where the configuration asks for one of them.  The socket is there while the
daemon is; nobody's asking starts it (docs/support.md).  The file is made anew as sessions and
operations end, by a rename and without a flush: the next one makes it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final, cast

from scomod import metrics, openmetrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.facade import Record
    from scomod.settings import Metrics, Paths

REQUEST_BYTES: Final = 8192
REQUEST_S: Final = 5.0
CALLERS_COUNT: Final = 8
FILE_MODE: Final = 0o644  # its reader is another user

log = logging.getLogger(__name__)


class MetricsPort:
    """Both ways; `status()` gives the record of which the figures are made."""

    def __init__(self, settings: Metrics, paths: Paths, status: Callable[[], Record]) -> None:
        self._settings = settings
        self._socket = paths.metrics_socket
        self._file = paths.below_root(settings.textfile) if settings.textfile else None
        self._status = status
        self._callers: set[Caller] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen, if that is wanted; where it cannot be, the log says so."""
        if not self._settings.socket:
            return
        try:
            self._socket.unlink(missing_ok=True)
            loop = asyncio.get_running_loop()
            self._server = await loop.create_unix_server(self._caller, self._socket)
            self._socket.chmod(int(self._settings.socket_mode, 8))
        except OSError as error:
            log.warning("no metrics at %s: %s", self._socket, error.strerror)

    def close(self) -> None:
        """Leave no socket that nobody listens to."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(OSError):
                self._socket.unlink()

    def write(self) -> None:
        """Make the file anew, if one is wanted; nobody depends on it."""
        if self._file is None:
            return
        new = self._file.with_name(f".{self._file.name}.new")
        try:
            new.write_text(self._text(is_classic=True), encoding="utf-8")
            new.chmod(FILE_MODE)
            new.replace(self._file)
        except OSError as error:
            log.warning("no metrics in %s: %s", self._file, error.strerror)

    def _text(self, *, is_classic: bool) -> str:
        return openmetrics.text(metrics.families(self._status()), is_classic=is_classic)

    def _caller(self) -> Caller:
        return Caller(self._callers, lambda: self._text(is_classic=False))


class Caller(asyncio.Protocol):
    """One connection: whatever is asked for, the figures are the answer."""

    def __init__(self, callers: set[Caller], answer: Callable[[], str]) -> None:
        self._callers = callers
        self._answer = answer
        self._request = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give somebody who asks nothing some seconds, and too many callers none."""
        self._transport = transport = cast("asyncio.Transport", transport)
        if len(self._callers) >= CALLERS_COUNT:
            transport.abort()
            return
        self._callers.add(self)
        self._timer = asyncio.get_running_loop().call_later(REQUEST_S, transport.abort)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Make room."""
        if self in self._callers:
            self._callers.discard(self)
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer once the request is there."""
        self._request += data
        if len(self._request) > REQUEST_BYTES:
            self._transport.abort()
        elif b"\r\n\r\n" in self._request or b"\n\n" in self._request:
            self._transport.write(_response(self._request, self._answer()))
            self._transport.close()


def _response(request: bytes, text: str) -> bytes:
    """Return an answer of HTTP/1.0 to GET or HEAD."""
    body = text.encode()
    method = request.split(b" ", 1)[0]
    status = "200 OK" if method in (b"GET", b"HEAD") else "405 Method Not Allowed"
    head = (
        f"HTTP/1.0 {status}\r\nContent-Type: {openmetrics.CONTENT_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + (body if method == b"GET" else b"")
