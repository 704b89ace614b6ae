# SPDX-License-Identifier: Apache-2.0
"""The package files of the bench in its admin interface: list, upload, what an order says of one.

    GET  /api/packages                        every file: {"name", "octets", "fault"}
    PUT  /api/packages/NAME                   the octets (application/octet-stream)
    GET  /api/packages/NAME/params            parameters of an order, ?delta_from=OLDER

A file counts when all of it is there.  Serving them: `packageserver.py`.
"""

from __future__ import annotations

import asyncio
import base64
import tempfile
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from aiohttp import web

from scomod.errors import LimitExceeded
from scomod.lab import packages

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.lab.packageserver import PackageServer
    from scomod.lab.pki import Pki

MAX_UPLOAD_BYTES: Final = 1 << 30
READABLE: Final = 0o644
PARTS: Final = ".part-"  # no name of a package begins like that


class PackageDesk:
    """Takes packages in and says what they are; `tell` hears that something changed.

    `most_bytes` limits what is uploaded.
    """

    def __init__(
        self,
        served: PackageServer,
        pki: Pki,
        base_url: Callable[[], str],
        tell: Callable[[None], None],
        most_bytes: int = MAX_UPLOAD_BYTES,
    ) -> None:
        self._served = served
        self._pki = pki
        self._base_url = base_url
        self._tell = tell
        self._most_bytes = most_bytes

    def routes(self) -> list[web.RouteDef]:
        """Return what the application serves."""
        return [
            web.get("/api/packages", self._list),
            web.put("/api/packages/{name}", self._upload),
            web.get("/api/packages/{name}/params", self._params),
        ]

    async def params(self, kind: str, name: str, older: str) -> dict[str, str]:
        """Return what an order says of a file that is served; with `older` of a delta to it too.

        Raises `FaultError` for no such file, `PackageError`.
        """
        return await asyncio.to_thread(self._said_of, kind, name, older)

    def _said_of(self, kind: str, name: str, older: str) -> dict[str, str]:
        file = self._served.path_of(name)
        payload = packages.payload_of_any(file, self._pki)
        url = f"{self._base_url()}/packages"
        params = payload.order_params(f"{url}/{name}")
        if kind == "deliver":
            del params["url"]
            params["data"] = base64.b64encode(file.read_bytes()).decode()
        elif older:
            base = self._served.path_of(older)
            params["params"] += f";{packages.delta_params(base, file, file.parent, url)}"
        return params

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response([self._row(path) for path in self._served.files()])

    def _row(self, path: Path) -> dict[str, Any]:
        fault = self._served.fault_of(path.name)
        return {"name": path.name, "octets": path.stat().st_size, "fault": fault or "none"}

    async def _params(self, request: web.Request) -> web.Response:
        older = request.query.get("delta_from", "")
        return web.json_response(await self.params("", request.match_info["name"], older))

    async def _upload(self, request: web.Request) -> web.Response:
        target = self._served.place_of(request.match_info["name"])
        if (request.content_length or 0) > self._most_bytes:
            text = f"a package is at most {self._most_bytes} octets here"
            return web.json_response({"error": text}, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=PARTS, delete=False) as part:
            is_whole = False
            try:
                await _receive(request, part, self._most_bytes)
                is_whole = True
            finally:
                _settle(part, target if is_whole else None)
        self._tell(None)
        return web.json_response(self._row(target))


def _settle(part: IO[bytes], target: Path | None) -> None:
    """Give a whole file its name; what is none goes away."""
    part.flush()
    if target is None:
        Path(part.name).unlink()
    else:
        Path(part.name).chmod(READABLE)
        Path(part.name).replace(target)


async def _receive(request: web.Request, file: IO[bytes], most: int) -> None:
    """Write a body of limited size; raises `LimitExceeded`."""
    size = 0
    async for block in request.content.iter_any():
        size += len(block)
        if size > most:
            raise LimitExceeded("octets of a package", most)
        await asyncio.to_thread(file.write, block)
