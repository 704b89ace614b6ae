# SPDX-License-Identifier: Apache-2.0
"""The bench's DM server and one scripted device that has an account there, in memory."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from scomod.clock import SystemClock
from scomod.lab.devices import Register
from scomod.lab.dmserver import DmServer
from scomod.lab.doorkeeper import Envelope
from scomod.secret import Secret
from tests.support.scripted_device import ScriptedDevice

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.dmclient.codec import Encoding
    from scomod.lab.devices import Account, Order, Record

URI = "https://localhost/dm"


class Stand:
    """A server and one device that has an account there."""

    def __init__(self, directory: Path, encoding: Encoding) -> None:
        counter = itertools.count(1)
        self.directory = directory
        self.random = lambda size: next(counter).to_bytes(size, "big")
        self.restart()
        account = self.register.add("dev1", password="client pw", server_password="server pw")
        self.device = ScriptedDevice(
            post=lambda body, encoding: self.server.exchange(Envelope(body), encoding, URI).body,
            user=account.user,
            password=Secret("client pw"),
            server_id=account.server_id,
            server_password=Secret("server pw"),
            client_nonce=account.client_nonce,
            server_nonce=account.server_nonce,
            encoding=encoding,
        )

    def restart(self) -> None:
        self.register = Register(self.directory, SystemClock(), self.random)
        self.server = DmServer(self.register, SystemClock())

    @property
    def account(self) -> Account:
        return self.register.get("dev1")

    def order(self, kind: str, **params: str) -> Order:
        return self.register.enqueue(self.account, kind, params)

    def records(self, what: str) -> list[Record]:
        return [record for record in self.account.records if record["what"] == what]
