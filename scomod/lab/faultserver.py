# SPDX-License-Identifier: Apache-2.0
"""A package server that does wrong what it was told to do wrong (`faults`), in threads.

Meant for the loopback of a desk.  `FaultServer` answers with what its `find` gives;
`DirectoryServer` reads the faults from the path and the files from a directory:
`scomod-lab faults`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import re
import socket
import ssl
import struct
import sys
import termios
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

from scomod.lab.faults import Behaviour, UnknownFault, listed, told
from scomod.lab.localserver import LOOPBACK, LocalServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PIECE_BYTES = 256 * 1024
LAST_MODIFIED = "Thu, 01 Jan 2026 00:00:00 GMT"
FAREWELL_S = 2.0
INT_BYTES = struct.calcsize("i")
LOOK_EVERY_S = 0.01


@dataclass(slots=True)
class Seen:
    """One request as it arrived; `sent` counts octets of the answer's body."""

    method: str
    path: str
    headers: dict[str, str]
    sent: int = 0

    @property
    def range(self) -> str:
        """The Range header, "" where there was none."""
        return self.headers.get("range", "")


class FaultServer(LocalServer):
    """Answers a path with what `find` gives for it: octets and how they are served."""

    def __init__(
        self,
        find: Callable[[str], tuple[bytes, Behaviour] | None],
        certificate_file: Path | None = None,
        *,
        host: str = LOOPBACK,
        port: int = 0,
    ) -> None:
        server = self

        class Handler(_FaultHandler):
            fault_server = server

        super().__init__(Handler, certificate_file, host=host, port=port)
        self._find = find
        self._log: list[Seen] = []
        self._lock = threading.Lock()
        self.ends = threading.Event()

    def seen(self, path: str) -> list[Seen]:
        """Return the requests for a path, oldest first."""
        with self._lock:
            return [one for one in self._log if one.path == path]

    def octets_sent(self, path: str) -> int:
        """Return the octets of bodies sent for a path."""
        return sum(one.sent for one in self.seen(path))

    def record(self, seen: Seen) -> int:
        """Note a request; returns how many came for the same path before."""
        with self._lock:
            before = sum(1 for one in self._log if one.path == seen.path)
            self._log.append(seen)
        return before

    def file(self, path: str, before: int) -> tuple[bytes, Behaviour] | None:
        """Return what the request number `before` gets, or None for an unknown path."""
        found = self._find(path)
        if found is None:
            return None
        content, behaviour = found
        if before and behaviour.later is not None:
            content = behaviour.later
        if before and behaviour.is_changing:
            content = content[::-1]
        if behaviour.times is not None and before >= behaviour.times:
            kind = Behaviour() if behaviour.content is not None else behaviour
            return content, Behaviour(content_type=kind.content_type)
        return content if behaviour.content is None else behaviour.content, behaviour

    def stop(self) -> None:
        """Let go of stalled clients, then answer no more."""
        self.ends.set()
        super().stop()


class DirectoryServer(FaultServer):
    """The files of one directory, each with the faults that its path names."""

    def __init__(
        self,
        directory: Path,
        certificate_file: Path | None = None,
        *,
        host: str = LOOPBACK,
        port: int = 0,
    ) -> None:
        def find(path: str) -> tuple[bytes, Behaviour] | None:
            if path == "/":
                return listed().encode(), Behaviour(content_type="text/plain")
            try:
                name, behaviour = told(path)
            except UnknownFault:
                return None
            file = directory / name
            return (file.read_bytes(), behaviour) if name and file.is_file() else None

        super().__init__(find, certificate_file, host=host, port=port)


class _FaultHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fault_server: FaultServer
    _headers_buffer: list[bytes]  # of `http.server`: what `end_headers` will send

    def log_message(self, *_: object) -> None:
        """Say nothing: the log of the server is `FaultServer.seen`."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.seen = Seen("GET", path, {k.lower(): v for k, v in self.headers.items()})
        before = self.fault_server.record(self.seen)
        found = self.fault_server.file(path, before)
        if found is None:
            self._refuse(HTTPStatus.NOT_FOUND, {})
            return
        content, behaviour = found
        # clients leave in the middle: that is what they are tested for
        with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
            self._answer(content, behaviour)

    def _answer(self, content: bytes, behaviour: Behaviour) -> None:
        if behaviour.no_answer or behaviour.is_silent:
            self.close_connection = True
            if behaviour.is_silent:
                self.fault_server.ends.wait()
        elif behaviour.redirect_to:
            status = HTTPStatus.FOUND if behaviour.status == HTTPStatus.OK else behaviour.status
            place = {"host": self.headers.get("Host", ""), "path": self.path}
            self._refuse(status, {"Location": behaviour.redirect_to.format(**place)})
        elif behaviour.status != HTTPStatus.OK:
            wait_s = behaviour.retry_after_s
            own = {} if wait_s is None else {"Retry-After": str(wait_s)}
            self._refuse(behaviour.status, {**own, **behaviour.headers})
        else:
            self._serve(content, behaviour)

    def _refuse(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _serve(self, content: bytes, behaviour: Behaviour) -> None:
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        start = self._start(etag, behaviour)
        if start is not None and start >= len(content):
            status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            self._refuse(status, {"Content-Range": f"bytes */{len(content)}"})
            return
        self.send_response(HTTPStatus.OK if start is None else HTTPStatus.PARTIAL_CONTENT)
        body = memoryview(content)
        if start is not None:
            body = body[start + behaviour.range_error :]
            first = start + (behaviour.range_error if behaviour.is_range_told else 0)
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self._send_kind(etag, behaviour)
        self._send_framing(len(body) + behaviour.length_error, behaviour)
        self._end_header(behaviour)
        self._send_body(body, behaviour)

    def _start(self, etag: str, behaviour: Behaviour) -> int | None:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range", "")
        holds = condition in {"", etag if behaviour.etag else "", LAST_MODIFIED}
        if match is None or not behaviour.ranges or not (holds or behaviour.blind_ranges):
            return None
        return int(match[1])

    def _send_kind(self, etag: str, behaviour: Behaviour) -> None:
        self.send_header("Content-Type", behaviour.content_type)
        if behaviour.etag:
            self.send_header("ETag", f"W/{etag}" if behaviour.is_weak else etag)
        if behaviour.last_modified:
            self.send_header("Last-Modified", LAST_MODIFIED)
        for name, value in behaviour.headers.items():
            self.send_header(name, value)

    def _send_framing(self, length: int, behaviour: Behaviour) -> None:
        if behaviour.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif behaviour.length and not behaviour.endless:
            self.send_header("Content-Length", str(length))
            if behaviour.length_error:
                self.close_connection = True
        else:
            self.send_header("Connection", "close")
            self.close_connection = True

    def _end_header(self, behaviour: Behaviour) -> None:
        end = behaviour.header_end_after
        if not behaviour.header_wait_s and end is None:
            self.end_headers()
            return
        header = b"".join(self._headers_buffer) + b"\r\n"
        self._headers_buffer = []
        for octet in header[:end]:
            self.wfile.write(bytes([octet]))
            if self.fault_server.ends.wait(behaviour.header_wait_s):
                break
        if end is not None:
            self.close_connection = True
            raise ConnectionAbortedError

    def _send_body(self, body: memoryview, behaviour: Behaviour) -> None:
        step = behaviour.drip_bytes or PIECE_BYTES
        limits = (behaviour.stall_after, behaviour.truncate_after, behaviour.reset_after)
        limit = min((one for one in limits if one is not None), default=None)
        sent = 0
        while True:
            piece = body[sent : sent + step]
            if behaviour.endless:
                piece = memoryview(bytes(step))
            if limit is not None:
                piece = piece[: limit - sent]
            if not piece:
                break
            self._send_piece(piece, behaviour)
            sent += len(piece)
            time.sleep(behaviour.drip_wait_s)
        self._finish(behaviour, is_cut=limit is not None and sent == limit)

    def _send_piece(self, piece: memoryview, behaviour: Behaviour) -> None:
        # counted before: who has all octets may look at once
        self.seen.sent += len(piece)
        try:
            if behaviour.chunked:
                self.wfile.write(b"%x\r\n" % len(piece))
            self.wfile.write(piece)
            if behaviour.chunked:
                self.wfile.write(b"\r\n")
        except OSError:
            self.seen.sent -= len(piece)
            raise

    def _finish(self, behaviour: Behaviour, *, is_cut: bool) -> None:
        if not is_cut:
            if behaviour.chunked:
                self.wfile.write(b"0\r\n\r\n")
            elif self.close_connection:
                self._say_goodbye()
            return
        self.close_connection = True
        if behaviour.stall_after is not None:
            self.fault_server.ends.wait()
        elif behaviour.reset_after is not None:
            self._await_arrival()
            # linger 0: close() sends RST instead of FIN
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def _await_arrival(self) -> None:
        """Wait until the peer has all octets: a reset takes back what was not sent yet."""
        end_s = time.monotonic() + FAREWELL_S
        while time.monotonic() < end_s:
            unsent = fcntl.ioctl(self.connection, termios.TIOCOUTQ, bytes(INT_BYTES))
            if not int.from_bytes(unsent, sys.byteorder):
                return
            time.sleep(LOOK_EVERY_S)

    def _say_goodbye(self) -> None:
        """Close TLS as it should be: without that an end looks like a cut (RFC 9112 §9.8)."""
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.settimeout(FAREWELL_S)
            with contextlib.suppress(OSError, ValueError):
                self.connection.unwrap()
