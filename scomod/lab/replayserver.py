# SPDX-License-Identifier: Apache-2.0
"""A recording as a server on a port: for a test of any client, or on the command line.

    with ReplayServer(Path("session.jsonl"), tmp_path) as server:
        my_client.bootstrap(server.profile)      # client provisioning, w7; trust server.ca_file
        my_client.session()

Leaving it raises `Departed` where the client did not do what the record says, all of it.
Threads; the account is the directory's own, not that of a bench.
"""

from __future__ import annotations

import secrets
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Self

from scomod.clock import SystemClock
from scomod.dmclient import codec
from scomod.dmclient.auth import MAC_HEADER
from scomod.errors import DecodeError, LimitExceeded
from scomod.lab import profile, recording
from scomod.lab.devices import Register
from scomod.lab.doorkeeper import Envelope
from scomod.lab.localserver import LOOPBACK, LocalServer, MessageHandler
from scomod.lab.pki import Pki
from scomod.lab.replay import Departed, Player
from scomod.lab.replaysteps import steps_of

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.lab.devices import Account
    from scomod.lab.replay import Reply

USER: Final = "device-1"
SERVER_ID: Final = "scomod-lab"


class ReplayServer:
    """Plays a file over HTTPS; everything it keeps (keys, account) is below `directory`.

    `server_id` "" is that of the record, where it has one.  With `has_values` the client has
    to say the same values too.  Raises `RecordingError` for a file that cannot be played.
    """

    def __init__(
        self,
        file: Path,
        directory: Path,
        *,
        user: str = USER,
        server_id: str = "",
        auth: str = "md5",
        has_values: bool = False,
        host: str = LOOPBACK,
        port: int = 0,
        name: str = "localhost",
    ) -> None:
        record = recording.read(file)
        steps = steps_of(record)
        self._pki = Pki(directory / "pki")
        self._pki.ensure()
        register = Register(directory / "replay", SystemClock(), secrets.token_bytes)
        wanted = server_id or _server_id(record) or SERVER_ID
        self.account: Account = register.of_user(user) or register.add(
            user, server_id=wanted, auth=auth
        )
        owner = self

        class Handler(_Handler):
            replay = owner

        self._server = LocalServer(Handler, self._pki.server_file, host=host, port=port)
        origin = self._server.url("", name)
        self.player = Player(steps, register, origin, has_values=has_values)
        self._lock = threading.Lock()
        self._ended = threading.Event()

    @property
    def url(self) -> str:
        """Where the client finds the server."""
        return self.player.home

    @property
    def profile(self) -> str:
        """The document that a client is bootstrapped from, with its secrets."""
        return profile.profile_of(self.account, self.url)

    @property
    def ca_file(self) -> Path:
        """What the client has to trust."""
        return self._pki.ca_file

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._server.stop()
        if kind is None:
            self.check()

    def wait(self, seconds: float) -> bool:
        """Wait until everything was played, or the client departed; tells whether that came."""
        return self._ended.wait(seconds)

    def check(self) -> None:
        """Raise `Departed` unless the client did all that the record says."""
        text = self.player.departure or self.player.missing
        if text:
            raise Departed(text)

    def answer(self, path: str, envelope: Envelope, content_type: str) -> Reply:
        """Answer one message; raises as `Player.receive`."""
        with self._lock:
            return self.player.receive(path, envelope, codec.encoding_of(content_type))

    def note(self) -> None:
        """Look whether it is over, once an answer has gone out."""
        if self.player.is_over:
            self._ended.set()


def _server_id(record: recording.Recording) -> str:
    """Return the identifier that the recorded server gave itself, "" for none."""
    for exchange in record.exchanges:
        message = exchange.response.message()
        if message is not None and message.header.source_name:
            return message.header.source_name
    return ""


class _Handler(MessageHandler):
    replay: ReplayServer

    def do_POST(self) -> None:  # noqa: N802 - what http.server calls
        body = self.message()
        if body is not None:
            self._play(Envelope(body, self.headers.get(MAC_HEADER, "")))
            self.replay.note()

    def _play(self, envelope: Envelope) -> None:
        try:
            reply = self.replay.answer(self.path, envelope, self.headers.get("Content-Type", ""))
        except (Departed, DecodeError, LimitExceeded) as error:
            text = f"{error}\n".encode()
            kind = [("Content-Type", "text/plain; charset=utf-8")]
            self.reply(HTTPStatus.INTERNAL_SERVER_ERROR, text, kind)
            return
        headers = {
            "Content-Type": reply.content_type,
            MAC_HEADER: reply.seal,
            "Retry-After": reply.retry_after,
            "Location": reply.location,
        }
        there = [(name, value) for name, value in headers.items() if value]
        self.reply(reply.status, reply.body, there)
