# SPDX-License-Identifier: Apache-2.0
"""Tells the service manager how we are: the sd_notify protocol, and nothing else of systemd.

Does nothing where nobody wants to know.  A message that cannot be delivered is
lost: the service manager draws its own conclusions.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SEND_TIMEOUT_S: Final = 0.5  # a lost READY=1 would cost a restart, waiting longer the watchdog


class Notifier:
    """Speaks to NOTIFY_SOCKET; silent if `environ` has none."""

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self.watchdog_s = _watchdog_s(environ, pid)

    def ready(self) -> None:
        """Start-up is complete."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """Say in a line what goes on; shown by `systemctl status`."""
        self._send("STATUS=" + " ".join(text.split()))

    def watchdog(self) -> None:
        """Say that we are alive; due well within every `watchdog_s` (None: not wanted)."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Shutting down has begun."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        """Send one datagram."""
        if not self._address:
            return
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel,
            contextlib.suppress(OSError),
        ):
            channel.settimeout(SEND_TIMEOUT_S)
            channel.sendto(text.encode("utf-8", "replace"), self._address)


def _watchdog_s(environ: Mapping[str, str], pid: int) -> float | None:
    """Return the seconds between two signs of life at most, None if none are expected of us."""
    text = environ.get("WATCHDOG_USEC", "")
    if not text.isdecimal() or environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(text) / 1e6 or None
