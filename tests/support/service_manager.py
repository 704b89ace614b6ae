# SPDX-License-Identifier: Apache-2.0
"""What a service manager is to a daemon: the socket it notifies, and what came."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path


class ServiceManager:
    """Entered, it listens; `told` has each word with the moment it came (monotonic)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[tuple[float, str]] = []

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", str(self.path))
        self._thread.join()
        self._socket.close()

    def _hear(self) -> None:
        while word := self._socket.recv(4096):
            self.told.append((time.monotonic(), word.decode()))

    def environment(self, watchdog_s: float) -> dict[str, str]:
        """What a service that is to give signs of life has in its environment."""
        return {
            "NOTIFY_SOCKET": str(self.path),
            "WATCHDOG_USEC": str(round(watchdog_s * 1_000_000)),
        }

    def lines(self) -> list[str]:
        """The lines of STATUS= that came."""
        return [word.removeprefix("STATUS=") for _, word in self.told if word.startswith("STATUS=")]

    def signs_count(self, since_s: float = 0.0) -> int:
        """How many signs of life came since then."""
        return sum(at_s >= since_s and word == "WATCHDOG=1" for at_s, word in self.told)
