# SPDX-License-Identifier: Apache-2.0
"""A server that answers with whatever octets a test wants, HTTP or not.

    def drip(conversation: Conversation) -> None:
        conversation.send(b"HTTP/1.1 200 OK\\r\\n")
        ...

    with RawServer({"/drip": drip}) as server:
        exchange(transport, server.url("/drip"))

Each connection is a thread; `connections` counts them.  A peer that goes away ends an
answer wherever it was: that is what the tests are about.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Answer = Callable[["Conversation"], None]

MAX_REQUEST_BYTES = 1 << 20


@dataclass(slots=True)
class Conversation:
    """One request as it arrived, and the way to answer it."""

    socket: socket.socket
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    ends: threading.Event
    sent_bytes: int = 0

    def send(self, data: bytes) -> None:
        """Send octets as they are."""
        self.socket.sendall(data)
        self.sent_bytes += len(data)

    def pause(self, seconds: float) -> None:
        """Wait, unless the server is being stopped."""
        if self.ends.wait(seconds):
            raise ConnectionAbortedError

    def message(self, body: bytes, *headers: str, status: str = "200 OK") -> None:
        """Send a complete DM answer."""
        kind = "Content-Type: application/vnd.syncml.dm+wbxml"
        lines = [f"HTTP/1.1 {status}", kind, f"Content-Length: {len(body)}", *headers]
        self.send("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body)


class RawServer:
    """Answers by path, on a loopback port; a context manager."""

    def __init__(
        self, answers: Mapping[str, Answer], context: ssl.SSLContext | None = None
    ) -> None:
        self._answers = answers
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.connections = 0
        self.conversations: list[Conversation] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the URL of a path."""
        scheme = "http" if self._context is None else "https"
        return f"{scheme}://{host}:{self._listener.getsockname()[1]}{path}"

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(one, socket.SHUT_RDWR)
        self._thread.join()

    def _serve(self) -> None:
        while not self._ends.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        if self._context is not None:
            connection = self._context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        with self._lock:
            self._open.add(connection)
        # the peer gives up in the middle, or never speaks TLS
        with contextlib.suppress(OSError, ValueError), connection:
            self._shake_hands(connection)
            while self._answer(connection):
                pass
        with self._lock:
            self._open.discard(connection)

    def _shake_hands(self, connection: socket.socket) -> None:
        """Begin TLS; where that fails let the peer read why before the connection ends."""
        if isinstance(connection, ssl.SSLSocket):
            try:
                connection.do_handshake()
            except ssl.SSLError:
                while os.read(connection.fileno(), 65536):
                    pass
                raise

    def _answer(self, connection: socket.socket) -> bool:
        """Answer one request; tells whether another may follow."""
        data = bytearray()
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece or len(data) > MAX_REQUEST_BYTES:
                return False
            data += piece
        head, _, body = bytes(data).partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        while len(body) < int(headers.get("content-length", "0")):
            body += connection.recv(65536)
        talk = Conversation(connection, method, target, headers, body, self._ends)
        self.conversations.append(talk)
        self._answers[target.partition("?")[0]](talk)
        return talk.sent_bytes > 0 and "connection: close" not in head.decode("latin-1").lower()
