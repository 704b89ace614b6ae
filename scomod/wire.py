"""The connections below `requests`: what they trust, and how they are cut off.

Not a client: those know what to say (`dmclient.transport`, `download.http`) and get
their session from `net.open_line`.  Timeouts of sockets hold for one read; a
peer that sends an octet a second needs `Line.limited` to come to an end.
"""

from __future__ import annotations

import logging
import socket
import sys
from base64 import b64encode
from contextlib import contextmanager, suppress
from functools import partial
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from threading import Lock, Timer
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

import urllib3
from requests import Session
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, LocationParseError, NewConnectionError

from scomod import tls
from scomod.net import AccessRefused
from scomod.secret import Secret

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping
    from io import BufferedIOBase

    from requests import Response

    from scomod.net import Access

SCHEMES: Final = ("http", "https")

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
        login = _proxy_login(access.proxy_login_file) if access.proxy else None
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
        self.pins = access.pins
        self.max_header_bytes = access.max_header_bytes
        self.is_cut = False
        self._lock = Lock()
        self._sockets: WeakSet[socket.socket] = WeakSet()

    def add(self, sock: socket.socket) -> None:
        """Keep a connection in sight; raises `TimeoutError` when it comes too late."""
        with self._lock:
            self._sockets.add(sock)
        self.check()

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
            self.fp = whole
        self._wire.check()  # a cut looks like an end


class _Bounded:
    """Reads lines up to a number of octets in all."""

    def __init__(self, whole: BufferedIOBase, max_bytes: int) -> None:
        self._whole = whole
        self._max_bytes = self._left_bytes = max_bytes

    def readline(self, limit: int) -> bytes:
        line = self._whole.readline(min(limit, self._left_bytes + 1))
        self._left_bytes -= len(line)
        if self._left_bytes < 0:
            raise HTTPException(f"got more than {self._max_bytes} octets of header")
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
        super().connect()
        try:
            self._wire.add(self.sock)
            tls.check_pins(self.sock, self._wire.pins, self._tunnel_host or self.host)
        except BaseException:
            self.close()
            raise


def _connected(wire: Wire, connection: HTTPConnection) -> socket.socket:
    """Try one address after the other; ours, as a name with a thousand dead ones must end too.

    Raises `socket.gaierror`, or what `urllib3` raises in the same place.
    """
    try:
        found = socket.getaddrinfo(connection.host, connection.port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise LocationParseError(connection.host) from error
    last = OSError("the name of the host has no address")
    for family, type_, protocol, _, address in found:
        wire.check()
        sock = socket.socket(family, type_, protocol)
        try:
            for option in connection.socket_options or ():
                sock.setsockopt(*option)
            sock.settimeout(connection.timeout)
            sock.connect(address)
            wire.add(sock)
        except OSError as error:
            sock.close()
            last = error
        else:
            sys.audit("http.client.connect", connection, connection.host, connection.port)
            return sock
    kind = ConnectTimeoutError if isinstance(last, TimeoutError) else NewConnectionError
    raise kind(connection, str(last)) from last


def _proxy_login(name: str) -> Secret | None:
    """Read user:password from a file; raises `AccessRefused` for one that cannot be used."""
    if not name:
        return None
    tls.require_private(name)
    try:
        text = Path(name).read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise AccessRefused(f"the login for the proxy cannot be read: {name}") from error
    if ":" not in text or not text.isprintable():
        raise AccessRefused(f"{name} must hold user:password, in one line")
    return Secret(text)
