# SPDX-License-Identifier: Apache-2.0
"""A bench in a thread, and a device that talks to it over real HTTPS, in one process.

The device is that of `scripted`: real records, tree, client and transport, without a daemon.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from itertools import count
from typing import TYPE_CHECKING, Any, Self

from scomod.clock import SystemClock
from scomod.codes import AlertCode
from scomod.lab.admin import URL_FILE
from scomod.lab.bench import Bench
from scomod.net import Access
from tests.support.exchanging import transport_with
from tests.support.scripted import (
    CLIENT_NAME,
    CLIENT_NONCE,
    CLIENT_SECRET,
    SERVER_ID,
    SERVER_NONCE,
    SERVER_SECRET,
    Device,
)

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.dmclient.client import SessionReport
    from scomod.lab.devices import Account, Order
    from scomod.settings import Settings

DEADLINE_S = 100.0


class Line:
    """Entered, there are both; what is on the line is real."""

    def __init__(
        self, directory: Path, settings: Settings | None = None, auth: str = "md5", **limits: Any
    ) -> None:
        self.directory = directory
        self.lab = directory / "lab"
        self._settings = settings
        self._auth = auth
        self._limits = limits
        self._ids = count(1)
        self._stack = contextlib.ExitStack()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.bench: Bench = self.in_bench(self._open())
        (self.lab / URL_FILE).write_text(self.bench.base_url)
        self.account = self._known()
        self.device = self._stack.enter_context(self.new_device(self.bench.dm_url))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self.in_bench(self.bench.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> Bench:
        bench = Bench(self.lab, clock=SystemClock(), random=secrets.token_bytes)
        return await bench.__aenter__()

    def _known(self) -> Account:
        """Make the account that the device's profile names."""
        return self.bench.register.add(
            CLIENT_NAME,
            password=CLIENT_SECRET.reveal(),
            server_id=SERVER_ID,
            server_password=SERVER_SECRET.reveal(),
            auth=self._auth,
        )

    def new_device(self, url: str) -> Device:
        """Make a device that nobody knows yet, with the same account; its server is at `url`."""
        self.account.device_id = ""
        self.account.client_nonce, self.account.server_nonce = CLIENT_NONCE, SERVER_NONCE
        kind = {"md5": "DIGEST", "mac": "HMAC", "basic": "BASIC"}[self._auth]
        root = self.directory / f"device-{secrets.token_hex(4)}"
        return Device(root, self._settings, client_auth=kind, server_auth=kind, url=url)

    def in_bench(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_S)

    def order(self, kind: str, **params: str) -> Order:
        async def enqueue() -> Order:
            return self.bench.register.enqueue(self.account, kind, params)

        order: Order = self.in_bench(enqueue())
        return order

    def session(
        self,
        device: Device | None = None,
        *,
        trigger: AlertCode = AlertCode.CLIENT_INITIATED_MANAGEMENT,
    ) -> SessionReport:
        """Hold one session of the device with whoever is at its server's address."""
        device = device or self.device
        access = Access(ca_file=str(self.bench.pki.ca_file))
        client = device.client(lambda _account: transport_with(access, **self._limits))
        session_id = f"{next(self._ids):X}"
        return asyncio.run(client.run(device.account, trigger, session_id))
