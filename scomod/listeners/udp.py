# SPDX-License-Identifier: Apache-2.0
"""UDP port of WAP push: octets of a datagram to whoever asked for them.

Not a parser: `dmclient.push` reads what arrives.  The sender of a datagram is
anybody, so large ones and floods are dropped here, before anything looks at them; in a
flood the port is looked at once a second only, and the kernel drops the rest.
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
READ_COUNT: Final = 1000  # most datagrams read in one go: what a buffer of the kernel holds
AWAY_S: Final = 1.0  # how long a flood is not looked at
QUIET_S: Final = BURST_COUNT / RATE_PER_S  # after which nothing is left of a burst

_FIRST_PASSED_FD: Final = 3

log = logging.getLogger(__name__)


class UdpListener:
    """Listens on one port and hands (datagram, sender) to `receive`, in the loop's thread.

    `on_rest` is called when nothing came for `QUIET_S` after something did.
    """

    def __init__(
        self,
        receive: Callable[[bytes, str], None],
        clock: Clock,
        on_rest: Callable[[], None],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._receive = receive
        self._bucket = _Bucket(clock)
        self._on_rest = on_rest
        self._environ = environ
        self._socket: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        """The port we listen on; raises `RuntimeError` while closed."""
        if self._socket is None:
            raise RuntimeError("internal error: the listener is not open")
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def is_pressed(self) -> bool:
        """Tell whether datagrams came just now: who leaves then is only started again."""
        return self._timer is not None

    @property
    def is_open(self) -> bool:
        """Tell whether we listen."""
        return self._socket is not None

    async def open(self, address: str, port: int) -> None:
        """Listen on an address and port (0: any free one), or on a socket of the service manager.

        Raises `OSError` if the port cannot be had.
        """
        self._socket = passed_socket(self._environ, os.getpid()) or _bound(address, port)
        self._look(self._socket)

    async def try_open(self, settings: Notification) -> None:
        """Listen where that is wanted and possible; else the device still polls and reports."""
        if not settings.udp:
            self._drop_what_is_passed()
            return
        try:
            await self.open(settings.udp_address, settings.udp_port)
        except OSError as error:
            log.error("no notifications: UDP port %d: %s", settings.udp_port, error)

    def _drop_what_is_passed(self) -> None:
        """Read what the service manager hears for us: left unread it starts us without end."""
        self._socket = passed_socket(self._environ, os.getpid())
        if self._socket is not None:
            log.warning("scomod.socket is enabled, but notification.udp is not: all is dropped")
            self._receive = _drop
            self._look(self._socket)

    def close(self) -> None:
        """Stop listening; may be called again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _look(self, port: socket.socket) -> None:
        """Read whenever something arrives."""
        asyncio.get_running_loop().add_reader(port, self._read, port)

    def _read(self, port: socket.socket) -> None:
        """Read what has arrived; look away for a while where too much has."""
        is_flood = False
        try:
            for _ in range(READ_COUNT):
                datagram, sender = port.recvfrom(MAX_DATAGRAM_BYTES + 1)
                is_flood |= not self._take(datagram, f"{sender[0]}:{sender[1]}")
        except BlockingIOError:
            pass
        except OSError as error:
            log.warning("UDP port: %s", error)
        if is_flood:
            asyncio.get_running_loop().remove_reader(port)
            self._wait(AWAY_S, self._come_back, port)
        else:
            self._wait(QUIET_S, self._rest)

    def _take(self, datagram: bytes, sender: str) -> bool:
        """Pass a datagram on unless it is too large; tell whether it is not one too many."""
        if not self._bucket.take():
            log.debug("datagram from %s dropped, too many come", sender)
            return False
        if len(datagram) > MAX_DATAGRAM_BYTES:
            log.debug("datagram from %s dropped, it is too large", sender)
        else:
            self._receive(datagram, sender)
        return True

    def _wait(self, seconds: float, then: Callable[..., None], *what: socket.socket) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, then, *what)

    def _come_back(self, port: socket.socket) -> None:
        self._look(port)
        self._wait(QUIET_S, self._rest)

    def _rest(self) -> None:
        self._timer = None
        self._on_rest()


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


def _drop(_octets: bytes, _sender: str) -> None:
    """Take a datagram that nobody wants."""


def _bound(address: str, port: int) -> socket.socket:
    """Return a socket bound to an address; raises `OSError`."""
    octets = address.encode()  # of a text Python would make an IDNA name, with all its tables
    family, kind, _, _, where = socket.getaddrinfo(
        octets, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST | socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind)
    try:
        bound.setblocking(False)
        bound.bind(where)
    except OSError:
        bound.close()
        raise
    return bound


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
