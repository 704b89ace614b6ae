# SPDX-License-Identifier: Apache-2.0
"""A DM server that stands between a device and the bench: passes on, or answers in its own way.

    with Detour(rig.bench_reply, certificates) as detour:
        detour.fault = lambda passage: Answer(body=passage.answered()[:20])
        detour.is_armed = True

A fault that is not armed waits for the first message that carries a report and
holds from then on: so a test gets a device that has something to lose.
"""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import TYPE_CHECKING

from scomod.codes import ALERT_TYPE_OPERATION_COMPLETE
from scomod.lab.localserver import LocalServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.certificates import Certificates

PATH = "/dm"
REPORT = ALERT_TYPE_OPERATION_COMPLETE.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back; `content_type` "" means that of the request, `length` overrides."""

    status: int = 200
    body: bytes = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    is_silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One message on its way; `answered` lets the bench have it and returns the real answer."""

    request: bytes
    content_type: str
    answered: Callable[[], bytes]


class Detour(LocalServer):
    """`forward` takes the octets and the content type of a message to the bench."""

    def __init__(
        self, forward: Callable[[bytes, str], bytes], certificates: Certificates | None = None
    ) -> None:
        detour = self

        class Handler(_Handler):
            owner = detour

        super().__init__(Handler, certificates.server_file if certificates else None)
        self._forward = forward
        self.fault: Callable[[Passage], Answer] | None = None
        self.is_armed = False
        self.faults = 0
        self.requests: list[bytes] = []
        self.ends = Event()

    @property
    def dm_url(self) -> str:
        """What stands in the account of the device."""
        return self.url(PATH, "localhost")

    def clear(self) -> None:
        """Pass everything on again, and forget what was."""
        self.fault, self.is_armed, self.faults = None, False, 0
        self.requests.clear()

    def answer(self, request: bytes, content_type: str) -> Answer:
        """Return what a message is answered with."""
        self.requests.append(request)
        passage = Passage(
            request=request,
            content_type=content_type,
            answered=lambda: self._forward(request, content_type),
        )
        fault = self.fault
        self.is_armed = self.is_armed or (fault is not None and REPORT in request)
        if fault is None or not self.is_armed:
            return Answer(body=passage.answered())
        self.faults += 1
        return fault(passage)

    def stop(self) -> None:
        """Let go of those who wait for an answer, then take no more messages."""
        self.ends.set()
        super().stop()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Detour

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        content_type = self.headers["Content-Type"]
        answer = self.owner.answer(body, content_type)
        with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
            self._send(answer, answer.content_type or content_type)

    def _send(self, answer: Answer, content_type: str) -> None:
        if answer.is_silent:
            self.close_connection = True
            self.owner.ends.wait()
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(answer.length or len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)
        self.close_connection = self.close_connection or answer.length is not None
