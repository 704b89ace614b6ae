# SPDX-License-Identifier: Apache-2.0
"""The connections below `requests`: what they trust, and how they are cut off.

Not a client: those know what to say (`dmclient.transport`, `download.http`) and get
their session from `net.open_line`.  Timeouts of sockets hold for one read; a
peer that sends an octet a second needs `Line.limited` to come to an end.
"""

from __future__ import annotations

import logging
import socket
import ssl
import sys
from base64 import b64encode
from contextlib import contextmanager, suppress
from functools import partial
from http.client import HTTPException, HTTPResponse
from itertools import zip_longest
from threading import Lock, Timer
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

import urllib3
from requests import Session
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, LocationParseError, NewConnectionError

from scomod import tls

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from io import BufferedIOBase

    from requests import Response

    from scomod.net import Access
    from scomod.secret import Secret

SCHEMES: Final = ("http", "https")
LEAST_WAIT_S: Final = 0.01

# it reports each malformed header of a peer with a traceback
logging.getLogger("urllib3").setLevel(logging.ERROR)


class Line(Session):
    """A session that listens to no environment variable and asks for plain octets.

    Its TLS, pins, client certificate and proxy are those of `access`.  Raises
    `AccessRefused` for files that cannot be used.
    """

    def __init__(self, access: Access, headers: Mapping[str, str]) -> None:
        super().__init__()
        self.wire = Wire(access)
        has_login = access.proxy and access.proxy_login_file
        login = tls.read_login(access.proxy_login_file) if has_login else None
        if access.login_file:
            from scomod.weblogin import WebLogin  # noqa: PLC0415 - few hosts want one

            self.auth = WebLogin(tls.read_login(access.login_file))
        self.trust_env = False
        self.verify = tls.authorities(access.ca_file)
        self.headers.clear()
        self.headers.update({**headers, "Accept-Encoding": "identity"})
        if access.proxy:
            self.proxies = dict.fromkeys(SCHEMES, access.proxy)
        for scheme in SCHEMES:
            self.mount(f"{scheme}://", _Adapter(self.wire, login))

    def get_redirect_target(self, resp: Response) -> None:
        """Follow nothing; `requests` would only look, but read the whole body for that."""

    @contextmanager
    def limited(self, timeout_s: float) -> Iterator[None]:
        """Cut all connections if the block takes longer; `is_cut` tells that it did."""
        timer = Timer(timeout_s, self.wire.cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @property
    def is_cut(self) -> bool:
        """Tell whether the time of a limited block was over."""
        return self.wire.is_cut


class Wire:
    """The open connections of one session; `cut` ends them from another thread, for good."""

    def __init__(self, access: Access) -> None:
        self.context: ssl.SSLContext = tls.context(access)
        if urllib3.__version__.startswith("1."):  # type: ignore[attr-defined] # not in its __all__
            # it compares the names itself, and does not tell OpenSSL those that are addresses
            self.context.check_hostname = False
        self.access = access
        self.max_header_bytes = access.max_header_bytes
        self.is_cut = False
        self.spans: list[tuple[float, float]] = []  # of the chain that TLS authenticated last
        self._lock = Lock()
        self._sockets: WeakSet[socket.socket] = WeakSet()

    def add(self, sock: socket.socket) -> None:
        """Keep a connection in sight; raises `TimeoutError` when it comes too late."""
        with self._lock:
            self._sockets.add(sock)
        self.check()

    def ends(self) -> list[tuple[str, float]]:
        """Return whose certificates were met last, and when they end, wall time."""
        if not self.spans:
            return []
        theirs = ("a certificate of the server", min(end_s for _, end_s in self.spans))
        if not self.access.certificate_file:
            return [theirs]
        name = f"our certificate {self.access.certificate_file}"
        return [theirs, (name, tls.own_end_s(self.access))]

    def signed_s(self, response: Response) -> float:
        """Return the moment that an answer proves to have come (wall time), 0 for none."""
        if not self.spans or not response.url.startswith("https:"):
            return 0.0
        return tls.signed_s(self.spans, response.headers.get("Date", ""))

    def check(self) -> None:
        """Raise `TimeoutError` once the wire was cut."""
        if self.is_cut:
            raise TimeoutError("the time allowed is over")

    def cut(self) -> None:
        """Wake whoever waits for a peer, with the end of the stream."""
        with self._lock:
            self.is_cut = True
            sockets = list(self._sockets)
        for sock in sockets:
            with suppress(OSError):
                # not the method of SSLSocket: that would say good-bye first, in this thread
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Adapter(HTTPAdapter):
    """Puts our connections under `requests`; the login is the proxy's."""

    def __init__(self, wire: Wire, login: Secret | None) -> None:
        self._wire = wire
        self._login = login
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._wire.context, **kwargs)
        self._use_our_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._wire.context, **kwargs)
        self._use_our_pools(manager)
        return manager

    def proxy_headers(self, proxy: str) -> dict[str, str]:  # noqa: ARG002 - there is only one
        if self._login is None:
            return {}
        login = b64encode(self._login.reveal().encode()).decode()
        return {"Proxy-Authorization": f"Basic {login}"}

    def _use_our_pools(self, manager: Any) -> None:
        plain = partial(_pool, HTTPConnectionPool, partial(_Plain, self._wire))
        secure = partial(_pool, HTTPSConnectionPool, partial(_Secure, self._wire))
        manager.pool_classes_by_scheme = {"http": plain, "https": secure}


def _pool(kind: type[HTTPConnectionPool], connection: Any, *args: Any, **kwargs: Any) -> Any:
    pool = kind(*args, **kwargs)
    pool.ConnectionCls = connection
    return pool


class _Answer(HTTPResponse):
    """Bounds status line and headers, which `http.client` lets grow to megabytes (I10)."""

    def __init__(self, wire: Wire, *args: Any, **kwargs: Any) -> None:
        self._wire = wire
        super().__init__(*args, **kwargs)

    def begin(self) -> None:
        whole = self.fp
        self.fp = _Bounded(whole, self._wire.max_header_bytes)  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            if self.fp is not None:  # closed already, where the status line is none
                self.fp = whole
        self._wire.check()  # a cut looks like an end

    def read_some_into(self, room: memoryview) -> int:
        """Read what has arrived, at most what there is room for; 0 is the end of the body."""
        if self.chunked or self.fp is None:
            piece = self.read1(len(room))
            room[: len(piece)] = piece
            return len(piece)
        if self.length is not None:
            room = room[: self.length]
        count = self.fp.readinto1(room)
        if self.length is not None:
            self.length -= count
        return count


class _Bounded:
    """Reads lines up to a number of octets in all, none of them cut.

    To `http.client` the end of the connection is the end of the header, too.
    """

    def __init__(self, whole: BufferedIOBase, max_bytes: int) -> None:
        self._whole = whole
        self._max_bytes = self._left_bytes = max_bytes

    def readline(self, limit: int) -> bytes:
        is_first = self._left_bytes == self._max_bytes
        limit = min(limit, self._left_bytes + 1)
        line = self._whole.readline(limit)
        self._left_bytes -= len(line)
        if self._left_bytes < 0:
            raise HTTPException(f"got more than {self._max_bytes} octets of header")
        is_ended = len(line) < limit and not line.endswith(b"\n")
        if is_ended and not (is_first and not line):
            raise ConnectionAbortedError("the connection ended within the header")
        return line

    def close(self) -> None:
        self._whole.close()


class _Plain(HTTPConnection):
    def __init__(self, wire: Wire, *args: Any, **kwargs: Any) -> None:
        self._wire = wire
        self.response_class = partial(_Answer, wire)  # type: ignore[assignment]  # only called
        super().__init__(*args, **kwargs)

    def _new_conn(self) -> socket.socket:
        return _connected(self._wire, self)


class _Secure(HTTPSConnection):
    def __init__(self, wire: Wire, *args: Any, **kwargs: Any) -> None:
        self._wire = wire
        self.response_class = partial(_Answer, wire)  # type: ignore[assignment]  # only called
        super().__init__(*args, **kwargs)

    def _new_conn(self) -> socket.socket:
        return _connected(self._wire, self)

    def connect(self) -> None:
        try:
            super().connect()
        except ssl.SSLCertVerificationError as error:
            if error.verify_code in (tls.NOT_YET_VALID, tls.EXPIRED):
                error.spans = self._spans()  # type: ignore[attr-defined]  # for `mishap`
            raise
        try:
            # a body that ends without the good-bye of TLS was cut (RFC 9112 §9.8)
            self.sock.suppress_ragged_eofs = False  # type: ignore[union-attr]
            self._wire.add(self.sock)
            peer = self._tunnel_host or self.host
            tls.check_pins(self.sock, self._wire.access.pins, peer)
            tls.check_outlasts(self.sock, self._wire.access, peer)
            self._wire.spans = tls.spans(self.sock)
        except BaseException:
            self.close()
            raise

    def _spans(self) -> list[tuple[float, float]]:
        """Connect again, without the clock, to see from when to when the chain is valid.

        OpenSSL does not show certificates that it refused.  Nothing is said on that connection.
        """
        self.close()
        self.ssl_context, before = tls.context(self._wire.access), self.ssl_context
        tls.leave_out_time(self.ssl_context)
        try:
            super().connect()
            return tls.spans(self.sock)
        except OSError:
            return []
        finally:
            self.close()
            self.ssl_context = before


def _connected(wire: Wire, connection: HTTPConnection) -> socket.socket:
    """Connect to the first address of a host that answers within the time for all of them.

    Ours, as a name with a thousand dead ones must end too, and as one that is silent must
    leave time for the next (IPv6 that leads nowhere comes first).  Raises `socket.gaierror`,
    or what `urllib3` raises in the same place.
    """
    try:
        found = socket.getaddrinfo(connection.host, connection.port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise LocationParseError(connection.host) from error
    try:
        sock = first_answering(wire, found, float(connection.timeout or 0))
    except OSError as error:
        kind = ConnectTimeoutError if isinstance(error, TimeoutError) else NewConnectionError
        raise kind(connection, str(error)) from error
    for option in connection.socket_options or ():
        sock.setsockopt(*option)
    sys.audit("http.client.connect", connection, connection.host, connection.port)
    return sock


def first_answering(wire: Wire, addresses: Sequence[Any], timeout_s: float) -> socket.socket:
    """Try addresses (as `getaddrinfo` gives them), the families in turn (RFC 8305 §4).

    Each may use half of the time that is left, the last one all of it; the socket then waits
    up to `timeout_s`.  Raises `OSError`, that of the last address.
    """
    end_s = monotonic() + timeout_s
    last = OSError("the name of the host has no address")
    waiting = _alternating(addresses)
    while waiting:
        wire.check()
        family, type_, protocol, _, address = waiting.pop(0)
        left_s = max(end_s - monotonic(), LEAST_WAIT_S)
        try:
            sock = socket.socket(family, type_, protocol)
        except OSError as error:  # a kernel without that family
            last = error
            continue
        try:
            sock.settimeout(left_s / 2 if waiting else left_s)
            sock.connect(address)
            wire.add(sock)
        except OSError as error:
            sock.close()
            last = error
        else:
            sock.settimeout(timeout_s)
            return sock
    raise last


def _alternating(addresses: Sequence[Any]) -> list[Any]:
    """Return the addresses so that one of the other family follows each, where there is one."""
    families: dict[int, list[Any]] = {}
    for one in addresses:
        families.setdefault(one[0], []).append(one)
    return [one for row in zip_longest(*families.values()) for one in row if one is not None]
