"""UDP port of WAP push: octets of a datagram to whoever asked for them.

Not a parser: `dmclient.push` reads what arrives.  The sender of a datagram is
anybody, so large ones and floods are dropped here, before anything looks at them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.clock import Clock
    from scomod.settings import Notification

MAX_DATAGRAM_BYTES: Final = 1500
BURST_COUNT: Final = 10
RATE_PER_S: Final = 1.0

_FIRST_PASSED_FD: Final = 3

log = logging.getLogger(__name__)


class UdpListener:
    """Listens on one port and hands (datagram, sender) to `receive`, in the loop's thread."""

    def __init__(
        self,
        receive: Callable[[bytes, str], None],
        clock: Clock,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._receive = receive
        self._bucket = _Bucket(clock)
        self._environ = environ
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def port(self) -> int:
        """The port we listen on; raises `RuntimeError` while closed."""
        if self._transport is None:
            raise RuntimeError("internal error: the listener is not open")
        port: int = self._transport.get_extra_info("sockname")[1]
        return port

    async def open(self, address: str, port: int) -> None:
        """Listen on an address and port (0: any free one), or on a socket of the service manager.

        Raises `OSError` if the port cannot be had.
        """
        loop = asyncio.get_running_loop()
        passed = passed_socket(self._environ, os.getpid())
        where = {"sock": passed} if passed else {"local_addr": (address, port)}
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Protocol(self._take), **where
        )

    async def try_open(self, settings: Notification) -> None:
        """Listen where that is wanted and possible; else the device still polls and reports."""
        if not settings.udp:
            return
        try:
            await self.open(settings.udp_address, settings.udp_port)
        except OSError as error:
            log.error("no notifications: UDP port %d: %s", settings.udp_port, error)

    def close(self) -> None:
        """Stop listening; may be called again."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _take(self, datagram: bytes, sender: str) -> None:
        """Pass a datagram on unless it is too large or one too many."""
        if len(datagram) > MAX_DATAGRAM_BYTES:
            log.debug("datagram of %d octets from %s dropped", len(datagram), sender)
        elif not self._bucket.take():
            log.debug("datagram from %s dropped, too many come", sender)
        else:
            self._receive(datagram, sender)


class _Protocol(asyncio.DatagramProtocol):
    """The callbacks of asyncio."""

    def __init__(self, take: Callable[[bytes, str], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take one datagram."""
        self._take(data, f"{addr[0]}:{addr[1]}")


class _Bucket:
    """Tokens: a burst at once, then so many a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens = float(BURST_COUNT)
        self._filled_s = clock.monotonic_s()

    def take(self) -> bool:
        """Take a token if there is one."""
        now_s = self._clock.monotonic_s()
        grown = self._tokens + (now_s - self._filled_s) * RATE_PER_S
        self._tokens, self._filled_s = min(grown, float(BURST_COUNT)), now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def passed_socket(environ: Mapping[str, str], pid: int) -> socket.socket | None:
    """Return the first internet datagram socket that the service manager passed, if any.

    LISTEN_FDS counts descriptors from 3 on; they are ours only if LISTEN_PID is us.
    """
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(pid) or not count.isdecimal():
        return None
    for number in range(_FIRST_PASSED_FD, _FIRST_PASSED_FD + int(count)):
        candidate = socket.socket(fileno=number)
        is_internet = candidate.family in (socket.AF_INET, socket.AF_INET6)
        if is_internet and candidate.type == socket.SOCK_DGRAM:
            os.set_inheritable(number, False)
            candidate.setblocking(False)
            return candidate
        candidate.detach()  # for somebody else; must not be closed with this object
    return None
