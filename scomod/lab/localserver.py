# SPDX-License-Identifier: Apache-2.0
"""Any handler of `http.server` on a port of its own, in threads, with TLS or without.

`MessageHandler` is the beginning of one that is posted SyncML.

Not for production: one thread for each connection.
"""

from __future__ import annotations

import ssl
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LOOPBACK: Final = "127.0.0.1"
MAX_MESSAGE_BYTES: Final = 16 << 20


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def server_bind(self) -> None:
        """Bind, and ask no name server who we are."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that are killed or give up are what the tests are about."""


class LocalServer:
    """A handler on a port, in threads; a context manager.

    With `certificate_file` (PEM: certificate and key) it speaks TLS; port 0 takes a free one.
    """

    def __init__(
        self,
        handler: type[BaseHTTPRequestHandler],
        certificate_file: Path | None = None,
        *,
        host: str = LOOPBACK,
        port: int = 0,
    ) -> None:
        self._server = _QuietServer((host, port), handler)
        self.scheme = "http"
        if certificate_file is not None:
            self.scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate_file)
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

    def url(self, path: str, host: str = LOOPBACK) -> str:
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


class MessageHandler(BaseHTTPRequestHandler):
    """What handlers of posted messages share; says nothing to the terminal."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing: those who use it say what there is to say."""

    def message(self) -> bytes | None:
        """Return what was posted; refuses it and returns None without a length, or too long."""
        length = self.headers.get("Content-Length", "")
        if length.isdigit() and int(length) <= MAX_MESSAGE_BYTES:
            return self.rfile.read(int(length))
        self.close_connection = True
        self.reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE if length else HTTPStatus.LENGTH_REQUIRED)
        return None

    def reply(
        self, status: int, body: bytes = b"", headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Answer with a body of a known length."""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
