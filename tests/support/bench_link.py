# SPDX-License-Identifier: Apache-2.0
"""A device's own DM client beside the bench's DM server, without a network between them.

Every octet goes through the real codecs on both sides; what passes is kept, and may
be changed on the way.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from scomod.codes import AlertCode
from scomod.dmclient import codec, provisioning
from scomod.dmclient.auth import MAC_HEADER
from scomod.dmclient.client import DmClient
from scomod.dmclient.transport import Reply
from scomod.lab.devices import Register
from scomod.lab.dmserver import DmServer
from scomod.lab.doorkeeper import Envelope
from scomod.lab.profile import profile_of
from scomod.mo import dmacc
from scomod.records import Records
from scomod.settings import Paths, Server, Settings
from scomod.trace import Traces
from tests.support.trees import HandClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from scomod.dmclient.client import SessionReport
    from scomod.dmclient.codec import Encoding
    from scomod.dmclient.model import Message
    from scomod.lab.devices import Order

URL = "https://dm.example/dm"
USER = "device-1"
LIMITS = codec.Limits(max_bytes=1 << 20, max_depth=64, max_elements=50000)


@dataclass(frozen=True, kw_only=True)
class Passage:
    """One message of the device, as it left."""

    url: str
    body: bytes
    encoding: Encoding
    headers: Mapping[str, str]

    @property
    def message(self) -> Message:
        return codec.decode(self.body, self.encoding, LIMITS)


@dataclass(kw_only=True)
class Link:
    """The transport: asks the bench's server; `change` may replace what it answers."""

    server: DmServer
    passed: list[Passage] = field(default_factory=list)
    change: Callable[[int, Reply], Reply] = lambda _number, reply: reply
    on_message: Callable[[], None] = lambda: None

    async def exchange(
        self, url: str, body: bytes, content_type: str, headers: Mapping[str, str] = {}
    ) -> Reply:
        encoding = codec.encoding_of(content_type)
        self.passed.append(Passage(url=url, body=body, encoding=encoding, headers=headers))
        self.on_message()
        envelope = Envelope(body, headers.get(MAC_HEADER, ""))
        answer = self.server.exchange(envelope, encoding, url)
        more = {MAC_HEADER: answer.seal} if answer.seal else {}
        reply = Reply(body=answer.body, content_type=content_type, headers=more)
        return self.change(len(self.passed), reply)

    def close(self) -> None:
        pass


class Pair:
    """One device with an account at one server, where both prove themselves as `demanded`."""

    def __init__(self, directory: Path, demanded: str, server: Mapping[str, Any]) -> None:
        self.clock = HandClock()
        self._nonces = count(1)
        self._paths = Paths(directory / "device")
        self.settings = Settings(servers={"scomod-lab": Server(**server)} if server else {})
        self.records = Records(self.settings, self._paths)
        self.register = Register(directory / "bench", self.clock, self._random)
        self.account = self.register.add(USER, auth=demanded)
        self.link = Link(server=DmServer(self.register, self.clock))
        profile = profile_of(self.account, URL).encode()
        with self.records.db.transaction():
            dmacc.add_account(self.records.tree, provisioning.parse(profile)[0])

    def _random(self, size: int) -> bytes:
        return next(self._nonces).to_bytes(size, "big")

    def limit(self, **session: Any) -> None:
        """Set keys of [session]."""
        self.settings = replace(self.settings, session=replace(self.settings.session, **session))

    def order(self, kind: str, **params: str) -> Order:
        return self.register.enqueue(self.account, kind, params)

    @property
    def local(self) -> dmacc.Account:
        """The account as the device has it."""
        found = dmacc.by_server(self.records.tree, "scomod-lab")
        assert found is not None
        return found

    def run(self, session_id: str = "1") -> SessionReport:
        """Run one session with a client that knows no more than its records."""
        client = DmClient(
            db=self.records.db,
            tree=self.records.tree,
            outbox=self.records.outbox,
            settings=self.settings,
            device_id=self.records.device_id,
            clock=self.clock,
            open_transport=lambda _account: self.link,
            fresh_nonce=lambda: self._random(16),
            traces=Traces(self._paths.root / "traces", self.settings.log, self.clock),
        )
        self.link.passed.clear()
        return asyncio.run(
            client.run(self.local, AlertCode.CLIENT_INITIATED_MANAGEMENT, session_id)
        )


@contextlib.contextmanager
def open_pair(directory: Path, demanded: str = "md5", **server: Any) -> Iterator[Pair]:
    """Open a device and its server; `server` are keys of the server's section."""
    pair = Pair(directory, demanded, server)
    try:
        yield pair
    finally:
        pair.records.db.close()
