# SPDX-License-Identifier: Apache-2.0
"""A small HTTP proxy with behaviour: CONNECT and plain forwarding, a login, refusals.

Whatever comes through is noted in `asked`: the request line and the login that came
with it.  It keeps no connection: one request, or one tunnel, for each.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from base64 import b64encode
from typing import Self
from urllib.parse import urlsplit

HEAD_END = b"\r\n\r\n"


class Proxy:
    """A proxy on a loopback port; a context manager.

    `login` (user:password) is demanded where it is set.  `refusal` is a status line to
    answer everything with; `drip_s` sends the answer to CONNECT an octet each so many seconds;
    port 0 takes a free one.
    """

    def __init__(
        self, *, login: str = "", refusal: str = "", drip_s: float = 0.0, port: int = 0
    ) -> None:
        self._login = f"Basic {b64encode(login.encode()).decode()}" if login else ""
        self._refusal = refusal
        self._drip_s = drip_s
        self._listener = socket.create_server(("127.0.0.1", port))
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.asked: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        """What a client is configured with."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while not self._ends.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(client,), daemon=True).start()

    def _handle(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            data = b""
            while HEAD_END not in data:
                piece = client.recv(65536)
                if not piece:
                    return
                data += piece
            head, _, rest = data.partition(HEAD_END)
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
            login = headers.get("proxy-authorization", "")
            self.asked.append((first, login))
            method, target, _ = first.split(" ")
            if self._refusal or login != self._login:
                refusal = self._refusal or "407 Proxy Authentication Required"
                client.sendall(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n".encode())
            elif method == "CONNECT":
                self._tunnel(client, target)
            else:
                self._forward(client, first, lines, rest)

    def _tunnel(self, client: socket.socket, target: str) -> None:
        host, _, port = target.rpartition(":")
        with socket.create_connection((host, int(port))) as server:
            for octet in b"HTTP/1.1 200 Connection established\r\n\r\n":
                client.sendall(bytes([octet]))
                if self._drip_s and self._ends.wait(self._drip_s):
                    return
            self._pass_on(client, server)

    def _forward(self, client: socket.socket, first: str, lines: list[str], rest: bytes) -> None:
        method, target, version = first.split(" ")
        url = urlsplit(target)
        with socket.create_connection((url.hostname or "", url.port or 80)) as server:
            kept = [line for line in lines if not line.lower().startswith("proxy-")]
            head = [f"{method} {url.path} {version}", *kept]
            server.sendall("\r\n".join(head).encode("latin-1") + HEAD_END + rest)
            self._pass_on(client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        while not self._ends.is_set():
            ready, _, _ = select.select([client, server], [], [], 0.1)
            for one in ready:
                data = one.recv(65536)
                if not data:
                    return
                (server if one is client else client).sendall(data)
