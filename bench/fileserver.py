# SPDX-License-Identifier: Apache-2.0
"""A program that serves a directory over HTTPS as fast as Python can: `fileserver DIR CERT`.

It prints its port.  The same server for both sides of a comparison; nothing of
the lab's package server, which can do far more.
"""

from __future__ import annotations

import mmap
import ssl
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

PIECE_BYTES: Final = 256 * 1024


class Handler(BaseHTTPRequestHandler):
    """Answers GET with a whole file."""

    protocol_version = "HTTP/1.1"
    directory = Path()

    def do_GET(self) -> None:
        """Send the file of that name."""
        path = self.directory / Path(self.path).name
        if not path.is_file():
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as octets:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Length", str(len(octets)))
            self.send_header("Content-Type", "application/octet-stream")
            self.end_headers()
            with memoryview(octets) as view:
                for start in range(0, len(octets), PIECE_BYTES):
                    self.wfile.write(view[start : start + PIECE_BYTES])

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until killed."""
    Handler.directory = Path(sys.argv[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
