"""A package server on the loopback, with faults: each path behaves as it was told.

    with PackageHost() as host:
        host.put("/hello.deb", octets, Behaviour(stall_after=4096))
        fetch(host.url("/hello.deb"))
        assert host.seen("/hello.deb")[0].range == ""

With `certificates` it speaks TLS.  `LocalServer` below it is any handler on a
loopback port, for tests that need another kind of server.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.certificates import Certificates

PIECE_BYTES = 256 * 1024
LAST_MODIFIED = "Thu, 01 Jan 2026 00:00:00 GMT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How one path answers; the faults hold for the first `times` requests (None: for all).

    `stall_after`, `truncate_after` and `reset_after` count octets of one answer's body.
    `later` is the file from the second request on.  `blind_ranges` is a server that
    answers ranges without looking at If-Range.
    """

    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    redirect_to: str = ""
    ranges: bool = True
    blind_ranges: bool = False
    etag: bool = True
    last_modified: bool = True
    length: bool = True
    chunked: bool = False
    no_answer: bool = False
    endless: bool = False
    stall_after: int | None = None
    truncate_after: int | None = None
    reset_after: int | None = None
    drip_bytes: int | None = None
    drip_wait_s: float = 0.0
    content_type: str = "application/octet-stream"
    later: bytes | None = None
    times: int | None = None


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


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that are killed or give up are what the tests are about."""


class LocalServer:
    """A handler on a loopback port, in threads; a context manager."""

    def __init__(
        self, handler: type[BaseHTTPRequestHandler], certificates: Certificates | None = None
    ) -> None:
        self._server = _QuietServer(("127.0.0.1", 0), handler)
        self.scheme = "http"
        if certificates is not None:
            self.scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates.server_file)
            # the handshake belongs into the thread of the connection, not into accept()
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the URL of a path."""
        return f"{self.scheme}://{host}:{self.port}{path}"

    def start(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answer no more; a port that was ours refuses connections from now on."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class PackageHost(LocalServer):
    """The package server; see the module's text."""

    def __init__(self, certificates: Certificates | None = None) -> None:
        host = self

        class Handler(_PackageHandler):
            package_host = host

        super().__init__(Handler, certificates)
        self._files: dict[str, tuple[bytes, Behaviour]] = {}
        self._log: list[Seen] = []
        self._lock = threading.Lock()
        self.ends = threading.Event()

    def put(self, path: str, content: bytes, behaviour: Behaviour | None = None) -> str:
        """Offer `content` at `path` and return its URL."""
        self._files[path] = (content, behaviour or Behaviour())
        return self.url(path)

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
        if path not in self._files:
            return None
        content, behaviour = self._files[path]
        if before and behaviour.later is not None:
            content = behaviour.later
        if behaviour.times is not None and before >= behaviour.times:
            behaviour = Behaviour(content_type=behaviour.content_type)
        return content, behaviour

    def stop(self) -> None:
        """Let go of stalled clients, then answer no more."""
        self.ends.set()
        super().stop()


class _PackageHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    package_host: PackageHost

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.seen = Seen("GET", path, {k.lower(): v for k, v in self.headers.items()})
        before = self.package_host.record(self.seen)
        found = self.package_host.file(path, before)
        if found is None:
            self._refuse(HTTPStatus.NOT_FOUND, {})
            return
        content, behaviour = found
        # clients leave in the middle: that is what they are tested for
        with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
            self._answer(content, behaviour)

    def _answer(self, content: bytes, behaviour: Behaviour) -> None:
        if behaviour.no_answer:
            self.close_connection = True
        elif behaviour.redirect_to:
            status = HTTPStatus.FOUND if behaviour.status == HTTPStatus.OK else behaviour.status
            self._refuse(status, {"Location": behaviour.redirect_to})
        elif behaviour.status != HTTPStatus.OK:
            self._refuse(behaviour.status, behaviour.headers)
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
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Type", behaviour.content_type)
        if behaviour.etag:
            self.send_header("ETag", etag)
        if behaviour.last_modified:
            self.send_header("Last-Modified", LAST_MODIFIED)
        for name, value in behaviour.headers.items():
            self.send_header(name, value)
        body = memoryview(content)[start or 0 :]
        self._send_framing(len(body), behaviour)
        self.end_headers()
        self._send_body(body, behaviour)

    def _start(self, etag: str, behaviour: Behaviour) -> int | None:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range", "")
        holds = condition in {"", etag if behaviour.etag else "", LAST_MODIFIED}
        if match is None or not behaviour.ranges or not (holds or behaviour.blind_ranges):
            return None
        return int(match[1])

    def _send_framing(self, length: int, behaviour: Behaviour) -> None:
        if behaviour.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif behaviour.length and not behaviour.endless:
            self.send_header("Content-Length", str(length))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True

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
        if behaviour.chunked:
            self.wfile.write(b"%x\r\n" % len(piece))
        self.wfile.write(piece)
        if behaviour.chunked:
            self.wfile.write(b"\r\n")
        self.seen.sent += len(piece)

    def _finish(self, behaviour: Behaviour, *, is_cut: bool) -> None:
        if not is_cut:
            if behaviour.chunked:
                self.wfile.write(b"0\r\n\r\n")
            return
        self.close_connection = True
        if behaviour.stall_after is not None:
            self.package_host.ends.wait()
        elif behaviour.reset_after is not None:
            # linger 0: close() sends RST instead of FIN
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def closed_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
