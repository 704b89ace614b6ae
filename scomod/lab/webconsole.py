# SPDX-License-Identifier: Apache-2.0
"""The console: the pages below `web/`, and what they need of the bench, put together.

Plain files that a browser takes as they are; they load nothing from elsewhere and may run
nothing but our one script (Content-Security-Policy), so that names and values of hostile
devices stay text even if a page had a hole.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web

from scomod.lab.webapi import ConsoleApi
from scomod.lab.webfeed import Feed
from scomod.lab.webguard import API, CONSOLE
from scomod.lab.webpackages import PackageDesk
from scomod.lab.webtalk import Talk

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.clock import Clock
    from scomod.lab.devices import Register
    from scomod.lab.dmserver import DmServer
    from scomod.lab.packageserver import PackageServer
    from scomod.lab.pki import Pki

FOLDER: Final = Path(__file__).parent / "web"
FILES: Final = {
    "": ("index.html", "text/html"),
    "console.css": ("console.css", "text/css"),
    "console.js": ("console.js", "text/javascript"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
POLICY: Final = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class Console:
    """The console's share of a bench, which it watches."""

    def __init__(
        self,
        *,
        register: Register,
        dm: DmServer,
        packages: PackageServer,
        pki: Pki,
        clock: Clock,
        base_url: Callable[[], str],
    ) -> None:
        self._register = register
        self._feed = Feed()
        self.desk = PackageDesk(packages, pki, base_url, self._feed.tell)
        talk = Talk(clock, self._tell_device)
        self.api = ConsoleApi(register, talk, self._feed, clock)
        dm.tap(talk.hear)

    def routes(self) -> list[web.RouteDef]:
        """Return what the application serves."""
        pages = [
            web.get("/", _to_console),
            web.get(CONSOLE.rstrip("/"), _to_console),
            web.get(CONSOLE + "{file:[a-z.]*}", _page),
        ]
        return [*pages, *self.desk.routes(), *self.api.routes()]

    async def close(self, _app: web.Application) -> None:
        """Send the watchers away; the bench would wait for them."""
        self._feed.close()

    def _tell_device(self, device: str) -> None:
        account = self._register.of_device(device)
        self._feed.tell(account.user if account else None)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Say to browsers what our pages and answers may be used for (`on_response_prepare`)."""
    if request.path.startswith((API, CONSOLE)):
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)


async def _to_console(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound(CONSOLE)


async def _page(request: web.Request) -> web.StreamResponse:
    found = FILES.get(request.match_info["file"])
    if found is None:
        raise web.HTTPNotFound
    name, kind = found
    return web.Response(text=(FOLDER / name).read_text(), content_type=kind, charset="utf-8")
