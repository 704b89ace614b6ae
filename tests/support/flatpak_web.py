# SPDX-License-Identifier: Apache-2.0
"""A remote of flatpak over HTTP on this machine, which can do something when it is asked."""

from __future__ import annotations

import contextlib
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextlib.contextmanager
def served(repo: Path, asked: Callable[[str], None] = lambda _: None) -> Iterator[str]:
    """Serve a repository; gives its address.  `asked` is told each path before its answer."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(repo))  # type: ignore[arg-type]

        def do_GET(self) -> None:
            asked(self.path)
            # Who asked may have been killed meanwhile.
            with contextlib.suppress(ConnectionError):
                super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
