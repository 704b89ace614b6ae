# SPDX-License-Identifier: Apache-2.0
"""Serves package files, with ranges and validators, and with faults on demand.

`GET /packages/NAME`; NAME.dd is a download descriptor, and a POST to the same address takes
what a device tells its server (installNotifyURI).  A fault is switched on per file, for ever
or for the next few requests; it is what a device must live with.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import web

from scomod.errors import ScomodError

if TYPE_CHECKING:
    from pathlib import Path

DESCRIPTOR_TYPE: Final = "application/vnd.oma.dd+xml"
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~:-]{0,200}")
STALL_S: Final = 3600.0
RETRY_AFTER_S: Final = 1
SLOW_BYTES: Final = 64 << 10
SLOW_S: Final = 0.05
TOLD_BYTES: Final = 1024
TOLD_COUNT: Final = 100


class FaultError(ScomodError):
    """No such file or fault."""


class Fault(StrEnum):
    """What can be wrong with a file."""

    NOT_FOUND = "404"
    UNAUTHORISED = "401"
    UNAVAILABLE = "503"
    STALL = "stall"  # half of it, then silence
    TRUNCATE = "truncate"  # half of it, then the connection breaks
    WRONG = "wrong"  # the right length, one octet differs
    SLOW = "slow"  # all of it, at 1.25 MiB/s


STATUS: Final = {
    Fault.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Fault.UNAUTHORISED: HTTPStatus.UNAUTHORIZED,
    Fault.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}


@dataclass(slots=True)
class _Switch:
    fault: Fault
    count: int | None


class PackageServer:
    """The files of one directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._switches: dict[str, _Switch] = {}
        self.requests: list[tuple[str, str]] = []  # (name, Range header or "")
        self.told: deque[tuple[str, str]] = deque(maxlen=TOLD_COUNT)  # (name, what was posted)

    def routes(self) -> list[web.RouteDef]:
        """Return what the application serves."""
        return [
            web.get("/packages/{name}", self._get),
            web.post("/packages/{name}", self._hear),
        ]

    def set_fault(self, name: str, fault: Fault | None, count: int | None = None) -> None:
        """Switch a fault on (`count` requests long, None: until switched off) or off."""
        self._path(name)
        if fault is None:
            self._switches.pop(name, None)
        else:
            self._switches[name] = _Switch(fault, count)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        try:
            path = self._path(name)
        except FaultError as error:
            raise web.HTTPNotFound(text=f"{error}\n") from error
        self.requests.append((name, request.headers.get("Range", "")))
        fault = self._fault_of(name)
        if fault is None:
            kind = {"Content-Type": DESCRIPTOR_TYPE} if path.suffix == ".dd" else None
            return web.FileResponse(path, headers=kind)
        if fault in STATUS:
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            return web.Response(status=STATUS[fault], headers=headers)
        return await _spoil(request, await asyncio.to_thread(path.read_bytes), fault)

    async def _hear(self, request: web.Request) -> web.Response:
        words = await request.content.read(TOLD_BYTES)
        self.told.append((request.match_info["name"], words.decode("ascii", "replace").strip()))
        return web.Response()

    def _path(self, name: str) -> Path:
        path = self.directory / name
        if not NAME.fullmatch(name) or not path.is_file():
            raise FaultError(f"no package file {name!r}")
        return path

    def _fault_of(self, name: str) -> Fault | None:
        """Return what is wrong this time, counting down."""
        switch = self._switches.get(name)
        if switch is None:
            return None
        if switch.count is not None:
            switch.count -= 1
            if switch.count <= 0:
                del self._switches[name]
        return switch.fault


async def _spoil(request: web.Request, content: bytes, fault: Fault) -> web.StreamResponse:
    """Send the file as the fault has it; ranges are not looked at."""
    if fault is Fault.WRONG:
        return web.Response(body=content[:-1] + bytes([content[-1] ^ 1]))
    response = web.StreamResponse(headers={"Content-Length": str(len(content))})
    await response.prepare(request)
    if fault is Fault.SLOW:
        for start in range(0, len(content), SLOW_BYTES):
            await response.write(content[start : start + SLOW_BYTES])
            await asyncio.sleep(SLOW_S)
        return response
    await response.write(content[: len(content) // 2])
    if fault is Fault.STALL:
        await asyncio.sleep(STALL_S)
    if request.transport is not None:
        request.transport.close()
    return response
