# SPDX-License-Identifier: Apache-2.0
"""The HTTP side of the DM server: `POST /dm`, one message in, one message out.

Speaks WBXML or XML, whichever the device speaks (omadm §6.1).  Keeps the running
sessions; everything that lasts is in `devices.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import web

from scomod.dmclient.auth import MAC_HEADER
from scomod.dmclient.codec import Encoding, decode, encode, encoding_of
from scomod.dmclient.wbxml import Limits
from scomod.errors import RemoteProtocolError
from scomod.lab import spoiling
from scomod.lab.conversation import MAX_MSG_BYTES, Conversation
from scomod.lab.doorkeeper import Envelope
from scomod.lab.switches import DM, Switches

if TYPE_CHECKING:
    from scomod.clock import Clock
    from scomod.dmclient.model import Message
    from scomod.lab.devices import Register
    from scomod.lab.switches import Wrong

PATH: Final = "/dm"
LIMITS: Final = Limits(max_bytes=MAX_MSG_BYTES, max_depth=64, max_elements=20000)
IDLE_S: Final = 900.0
MAX_SESSIONS_COUNT: Final = 10000
FIRST_MESSAGE: Final = "1"


class Tap(Protocol):
    """Somebody who watches the messages."""

    def __call__(
        self, *, is_ours: bool, message: Message, octets: bytes, encoding: Encoding
    ) -> None:
        """Take a message that was received, or is about to be sent (`is_ours`)."""


@dataclass(slots=True, kw_only=True)
class _Session:
    """A running session; `request` and `reply` are the last exchange, as transmitted."""

    conversation: Conversation
    seen_s: float
    request: bytes = b""
    reply: Envelope = field(default_factory=Envelope)
    octets: int = 0
    messages: int = 0


class DmServer:
    """All sessions of all devices."""

    def __init__(self, register: Register, clock: Clock, switches: Switches | None = None) -> None:
        self._register = register
        self._switches = switches or Switches()
        self._clock = clock
        self._sessions: dict[tuple[str, str], _Session] = {}
        self._taps: list[Tap] = []

    def routes(self) -> list[web.RouteDef]:
        """Return what the application serves."""
        return [web.post(PATH, self._post)]

    def tap(self, tap: Tap) -> None:
        """Have every message shown to somebody."""
        self._taps.append(tap)

    async def _post(self, request: web.Request) -> web.StreamResponse:
        wrong = self._switches.taken(DM)
        refusal = spoiling.in_place(wrong)
        if refusal is not None:
            return refusal
        try:
            encoding = encoding_of(request.headers.get("Content-Type", ""))
        except RemoteProtocolError as error:
            raise web.HTTPUnsupportedMediaType(text=f"{error}\n") from error
        body = await request.read()
        try:
            envelope = Envelope(body, request.headers.get(MAC_HEADER, ""))
            reply = self.exchange(envelope, encoding, str(request.url), wrong)
        except RemoteProtocolError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        headers = {"Content-Type": encoding.value, "Cache-Control": "private, no-store"}
        headers |= {MAC_HEADER: reply.seal} if reply.seal else {}
        response = web.Response(body=reply.body, headers=headers)
        return await spoiling.answer(request, response, wrong)

    def exchange(
        self, envelope: Envelope, encoding: Encoding, uri: str, wrong: Wrong | None = None
    ) -> Envelope:
        """Answer one message; raises `RemoteProtocolError` for what is none.

        A message that comes twice gets the same answer twice: its answer was lost.
        `wrong` is what shall be done wrong.
        """
        body = envelope.body
        message = decode(body, encoding, LIMITS)
        self._show(message, body, encoding, is_ours=False)
        key = message.header.source, message.header.session_id
        session = self._sessions.get(key)
        if session is not None and session.request == body:
            return session.reply
        is_first = message.header.msg_id == FIRST_MESSAGE
        if session is None or session.conversation.is_over or is_first:
            session = self._sessions[key] = self._begin(message, encoding, uri)
        before = session.reply
        answer = session.conversation.receive(message, envelope, wrong or {})
        octets = encode(answer, encoding)
        session.request = body
        session.reply = Envelope(octets, session.conversation.seal(octets))
        session.octets += len(body) + len(octets)
        session.messages += 1
        session.seen_s = self._clock.monotonic_s()
        self._show(answer, octets, encoding, is_ours=True)
        self._note_end(session)
        return before if wrong and "repeat" in wrong and before.body else session.reply

    def _begin(self, message: Message, encoding: Encoding, uri: str) -> _Session:
        """Begin a session, and forget those that nobody will go on with."""
        now = self._clock.monotonic_s()
        stale = [key for key, session in self._sessions.items() if session.seen_s < now - IDLE_S]
        for key in stale or list(self._sessions)[: -MAX_SESSIONS_COUNT + 1]:
            del self._sessions[key]
        conversation = Conversation(self._register, encoding, uri, message.header)
        return _Session(conversation=conversation, seen_s=now)

    def _note_end(self, session: _Session) -> None:
        account = session.conversation.account
        if account is None or not session.conversation.is_over:
            return
        self._register.record(
            account,
            "end",
            session=session.conversation.session_id,
            messages=session.messages,
            octets=session.octets,
        )
        self._register.save(account)

    def _show(self, message: Message, octets: bytes, encoding: Encoding, *, is_ours: bool) -> None:
        for tap in self._taps:
            tap(is_ours=is_ours, message=message, octets=octets, encoding=encoding)
