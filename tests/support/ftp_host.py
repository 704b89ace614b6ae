# SPDX-License-Identifier: Apache-2.0
"""A real FTP server on the loopback, in a thread: pyftpdlib, with TLS (AUTH TLS) or without."""

from __future__ import annotations

import logging
import threading
import warnings
from typing import TYPE_CHECKING, Any, Self

with warnings.catch_warnings():
    # up to Python 3.11 it stands on asyncore, which says that it will be gone
    warnings.simplefilter("ignore", DeprecationWarning)
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import DTPHandler, FTPHandler, TLS_DTPHandler, TLS_FTPHandler
    from pyftpdlib.servers import FTPServer

if TYPE_CHECKING:
    from pathlib import Path

logging.getLogger("pyftpdlib").setLevel(logging.CRITICAL)
READING = "elr"


class FtpHost:
    """Serves a directory to `user` and to anybody; `said` are the commands it got.

    `cut_after` ends data connections after so many octets, `times` of them.
    """

    def __init__(
        self,
        directory: Path,
        *,
        user: str = "",
        certificate_file: Path | None = None,
        without: tuple[str, ...] = (),
        cut_after: int = 0,
    ) -> None:
        self.said: list[str] = []
        self.cut_after = cut_after
        authorizer = DummyAuthorizer()
        if user:
            name, _, password = user.partition(":")
            authorizer.add_user(name, password, str(directory), perm=READING)
        else:
            authorizer.add_anonymous(str(directory), perm=READING)
        of: Any = TLS_FTPHandler if certificate_file else FTPHandler
        host = self

        class Data(TLS_DTPHandler if certificate_file else DTPHandler):  # type: ignore[misc]
            def send(self, data: bytes) -> int:
                if host.cut_after and self.tot_bytes_sent >= host.cut_after:
                    host.cut_after = 0
                    self.close()
                    self.cmd_channel.respond("426 Connection closed; transfer aborted.")
                    return 0
                sent: int = super().send(data)
                return sent

        class Handler(of):  # type: ignore[misc]
            def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
                host.said.append(f"{cmd} {arg}".strip())
                super().pre_process_command(line, cmd, arg)

        Handler.authorizer = authorizer
        Handler.dtp_handler = Data
        Handler.use_sendfile = False
        Handler.proto_cmds = {k: v for k, v in of.proto_cmds.items() if k not in without}
        if certificate_file:
            Handler.certfile = str(certificate_file)
            Handler.tls_control_required = Handler.tls_data_required = True
        self.scheme = "ftps" if certificate_file else "ftp"
        self._server = FTPServer(("127.0.0.1", 0), Handler)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def url(self, name: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self._server.address[1]}/{name}"

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._server.serve_forever(timeout=0.05, blocking=False, handle_exit=False)
        self._server.close_all()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
