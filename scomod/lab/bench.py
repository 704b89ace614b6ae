# SPDX-License-Identifier: Apache-2.0
"""The bench put together: DM server, package server and admin interface on one HTTPS port.

    async with Bench(directory, clock=SystemClock(), random=secrets.token_bytes) as bench:
        account = bench.register.add("device-1")

Everything it keeps is below `directory`: keys, packages, devices.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp
from aiohttp import web

from scomod.lab import api, switchapi, webconsole, webguard
from scomod.lab.devices import Register
from scomod.lab.dmserver import PATH, DmServer
from scomod.lab.packageserver import PackageServer
from scomod.lab.pki import Pki
from scomod.lab.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.clock import Clock

MAX_API_BYTES: Final = 64 << 20  # a package may come inside an order
SHUTDOWN_S: Final = 1.0
OF_THE_RUNNER: Final = [3, 9]  # the version of aiohttp from which on it is the runner's
EVERYWHERE: Final = ("0.0.0.0", "::", "")  # noqa: S104 - listened on if that is asked for


class Bench:
    """A server that runs while it is entered; `port` 0 takes a free one.

    `name` is what devices know it by.  `token` is what admin interface and console want to be
    shown where other machines can reach them; without one they are for this machine only.
    """

    def __init__(
        self,
        directory: Path,
        *,
        clock: Clock,
        random: Callable[[int], bytes],
        host: str = "127.0.0.1",
        port: int = 0,
        name: str = "localhost",
        token: str = "",
    ) -> None:
        self.pki = Pki(directory / "pki")
        self.register = Register(directory / "devices", clock, random)
        self.switches = Switches()
        self.packages = PackageServer(directory / "packages", self.switches)
        self.dm = DmServer(self.register, clock, self.switches)
        self._host = host
        self._port = port
        self._name = name
        self.token = token
        self._console = webconsole.Console(
            register=self.register,
            dm=self.dm,
            packages=self.packages,
            pki=self.pki,
            clock=clock,
            base_url=lambda: self.base_url,
        )
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        """What a device reaches this server under."""
        return f"https://{self._name}:{self._port}"

    @property
    def console_url(self) -> str:
        """Where a person looks at all this, with the token where one is needed."""
        is_everywhere = webguard.is_local(self._host) or self._host in EVERYWHERE
        name = self._name if is_everywhere else self._host
        token = f"?token={self.token}" if self.token else ""
        return f"https://{name}:{self._port}{webguard.CONSOLE}{token}"

    @property
    def dm_url(self) -> str:
        """Where DM messages go."""
        return self.base_url + PATH

    def package_url(self, path: Path) -> str:
        """Return where a file of the package directory is served."""
        return f"{self.base_url}/packages/{path.name}"

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.pki.ensure)
        guard = webguard.guard(self.token, self._name)
        app = web.Application(
            middlewares=[guard, self._console.api.note_changes], client_max_size=MAX_API_BYTES
        )
        app.on_response_prepare.append(webconsole.add_headers)
        app.on_shutdown.append(self._console.close)
        app.add_routes(self.dm.routes())
        app.add_routes(self.packages.routes())
        app.add_routes(self._api().routes())
        app.add_routes(self._console.routes())
        app.add_routes(switchapi.routes(self.switches))
        # Debian 12 has aiohttp 3.8, where what is patient at the end is another one.
        patience: dict[str, Any] = {"shutdown_timeout": SHUTDOWN_S}
        is_old = [int(each) for each in aiohttp.__version__.split(".")[:2]] < OF_THE_RUNNER
        self._runner = web.AppRunner(app, access_log=None, **({} if is_old else patience))
        await self._runner.setup()
        context = self.pki.server_context()
        more = patience if is_old else {}
        site = web.TCPSite(self._runner, self._host, self._port, ssl_context=context, **more)
        await site.start()
        self._port = int(self._runner.addresses[0][1])
        return self

    def _api(self) -> api.Api:
        said_of = self._console.desk.params
        return api.Api(self.register, self.packages, lambda: self.base_url, said_of)

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
