# SPDX-License-Identifier: Apache-2.0
"""Stands between a device and a DM server and keeps what they say to each other (`recording`).

Nothing is changed on the way but addresses: a RespURI or a redirect to the server becomes one
to us, or the device would go on past us.  A message that is proven by x-syncml-hmac passes as
it is.  The way to the server is verified TLS; that of the device ends here.
"""

from __future__ import annotations

import http.client
import ssl
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from scomod.dmclient import codec
from scomod.errors import DecodeError, LimitExceeded, ScomodError
from scomod.lab import recordblank
from scomod.lab.localserver import LOOPBACK, MAX_MESSAGE_BYTES, LocalServer, MessageHandler
from scomod.lab.recording import Side

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.lab.recording import Writer

    Headers = list[tuple[str, str]]

TIMEOUT_S: Final = 120.0
HMAC: Final = "x-syncml-hmac"
# of one connection only, or made anew
NOT_PASSED: Final = frozenset(
    (
        *("connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect"),
        *("host", "content-length", "accept-encoding", "content-encoding", "proxy-connection"),
    )
)
# set by `http.server` or by us
NOT_RETURNED: Final = NOT_PASSED | {"date", "server", "location"}


class ProxyError(ScomodError):
    """An address that cannot be recorded; says why."""


class RecordProxy(LocalServer):
    """The proxy; `notice` is told a line for each thing that happens.

    `to` is the server's URL; every path that a device asks for is asked for there.
    """

    def __init__(
        self,
        to: str,
        writer: Writer,
        certificate_file: Path,
        *,
        ca_file: Path | None = None,
        host: str = LOOPBACK,
        port: int = 0,
        notice: Callable[[str], None] = lambda _line: None,
    ) -> None:
        proxy = self

        class Handler(_Handler):
            owner = proxy

        parts = urlsplit(to)
        if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc:
            raise ProxyError(f"{to!r:.100} is no URL of a server: https://HOST[:PORT]/PATH")
        super().__init__(Handler, certificate_file, host=host, port=port)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.path = parts.path or "/"
        self.writer = writer
        self.notice = notice
        self._parts = parts
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        self._context = context
        self._began_s = time.monotonic()

    def after_s(self) -> float:
        """Return how long we have been here."""
        return time.monotonic() - self._began_s

    def ask(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[Side, Headers]:
        """Pass a message to the server; returns its answer, and all its headers as they came.

        Raises `OSError`, `HTTPException`.
        """
        host, port = self._parts.hostname or "", self._parts.port
        line: http.client.HTTPConnection
        if self._parts.scheme == "https":
            line = http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=self._context)
        else:
            line = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        try:
            line.request("POST", path, body, headers)
            response = line.getresponse()
            headers_there = [(name.lower(), value) for name, value in response.getheaders()]
            octets = response.read(MAX_MESSAGE_BYTES + 1)
        finally:
            line.close()
        if len(octets) > MAX_MESSAGE_BYTES:
            raise http.client.HTTPException(f"an answer of more than {MAX_MESSAGE_BYTES} octets")
        found = dict(headers_there)
        side = Side(
            body=octets,
            content_type=found.get("content-type", ""),
            headers=found,
            after_s=self.after_s(),
            status=response.status,
        )
        return side, headers_there

    def moved(self, text: str, own: str) -> str:
        """Return an address of the server as one of ours; others stay."""
        is_there = text == self.origin or text.startswith((f"{self.origin}/", f"{self.origin}?"))
        return own + text.removeprefix(self.origin) if is_there else text

    def readdressed(self, answer: Side, own: str) -> bytes:
        """Return the octets for the device: a RespURI to the server leads to us."""
        try:
            encoding = codec.encoding_of(answer.content_type)
            root = recordblank.read(answer.body, encoding)
        except (DecodeError, LimitExceeded):
            return answer.body
        header = root.find("SyncHdr")
        place = header.find("RespURI") if header else None
        if place is None:
            return answer.body
        theirs = place.data.decode("utf-8", "replace").strip()
        ours = self.moved(theirs, own)
        if ours == theirs or HMAC in answer.headers:
            self.notice(f"the server sends the device to {theirs}: that is not recorded")
            return answer.body
        place.data = ours.encode()
        return recordblank.write(root, encoding)


class _Handler(MessageHandler):
    owner: RecordProxy

    def do_POST(self) -> None:  # noqa: N802 - what http.server calls
        body = self.message()
        if body is not None:
            self._pass_on(body)

    def _pass_on(self, body: bytes) -> None:
        owner = self.owner
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Side(
            body=body,
            content_type=headers.get("content-type", ""),
            headers=headers,
            after_s=owner.after_s(),
            path=self.path,
        )
        number = owner.writer.request(request)
        passed = {name: value for name, value in headers.items() if name not in NOT_PASSED}
        try:
            answer, found = owner.ask(self.path, body, passed)
        except (OSError, http.client.HTTPException) as error:
            owner.writer.response(number, Side(after_s=owner.after_s(), failed=str(error)))
            owner.notice(f"{number}: {len(body)} octets, no answer: {error}")
            self.reply(HTTPStatus.BAD_GATEWAY)
            return
        owner.writer.response(number, answer)
        full = "; the file is full, this is not kept" if owner.writer.is_full else ""
        owner.notice(
            f"{number}: {len(body)} octets, answered with {answer.status}"
            f" and {len(answer.body)} octets{full}"
        )
        self._answer(answer, found)

    def _answer(self, answer: Side, found: Headers) -> None:
        own = f"{self.owner.scheme}://{self.headers.get('Host', '')}"
        headers = [(k, v) for k, v in found if k not in NOT_RETURNED]
        if "location" in answer.headers:
            headers.append(("location", self.owner.moved(answer.headers["location"], own)))
        self.reply(answer.status, self.owner.readdressed(answer, own), headers)
