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
from typing import TYPE_CHECKING, Final

from aiohttp import web

from scomod.errors import ScomodError
from scomod.lab import spoiling
from scomod.lab.switches import PACKAGES, Switches

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.lab.switches import Wrong

DESCRIPTOR_TYPE: Final = "application/vnd.oma.dd+xml"
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~:-]{0,200}")
SLOW_BYTES_PER_S: Final = 5 << 18
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


@dataclass(slots=True)
class _Switch:
    fault: Fault
    count: int | None


class PackageServer:
    """The files of one directory."""

    def __init__(self, directory: Path, switches: Switches | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._all = switches or Switches()
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
        self.path_of(name)
        if fault is None:
            self._switches.pop(name, None)
        else:
            self._switches[name] = _Switch(fault, count)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        try:
            path = self.path_of(name)
        except FaultError as error:
            raise web.HTTPNotFound(text=f"{error}\n") from error
        self.requests.append((name, request.headers.get("Range", "")))
        wrong = self._all.taken(PACKAGES) | _wrong(self._taken_fault(name), path.stat().st_size)
        if not wrong:
            kind = {"Content-Type": DESCRIPTOR_TYPE} if path.suffix == ".dd" else None
            return web.FileResponse(path, headers=kind)
        refusal = spoiling.in_place(wrong)
        if refusal is not None:
            return refusal
        return await spoiling.file(request, await asyncio.to_thread(path.read_bytes), wrong)

    async def _hear(self, request: web.Request) -> web.Response:
        words = await request.content.read(TOLD_BYTES)
        self.told.append((request.match_info["name"], words.decode("ascii", "replace").strip()))
        return web.Response()

    def files(self) -> list[Path]:
        """Return all files that are served, by name."""
        return sorted(
            path
            for path in self.directory.iterdir()
            if NAME.fullmatch(path.name) and path.is_file()
        )

    def path_of(self, name: str) -> Path:
        """Return the file of that name; raises `FaultError`."""
        path = self.directory / name
        if not NAME.fullmatch(name) or not path.is_file():
            raise FaultError(f"no package file {name!r}")
        return path

    def place_of(self, name: str) -> Path:
        """Return where a file of that name would be; raises `FaultError` for what is no name."""
        if not NAME.fullmatch(name):
            raise FaultError(f"{name!r:.80} is no name for a package: {NAME.pattern}")
        return self.directory / name

    def fault_of(self, name: str) -> Fault | None:
        """Return the fault that is switched on for a file."""
        switch = self._switches.get(name)
        return switch.fault if switch else None

    def _taken_fault(self, name: str) -> Fault | None:
        """Return what is wrong this time, counting down."""
        switch = self._switches.get(name)
        if switch is None:
            return None
        if switch.count is not None:
            switch.count -= 1
            if switch.count <= 0:
                del self._switches[name]
        return switch.fault


def _wrong(fault: Fault | None, size_bytes: int) -> Wrong:
    """Return what a fault of one file means in the words of the switches."""
    match fault:
        case None:
            return {}
        case Fault.STALL:
            return {"stall": size_bytes // 2}
        case Fault.TRUNCATE:
            return {"cut": size_bytes // 2}
        case Fault.WRONG:
            return {"wrong": 1}
        case Fault.SLOW:
            return {"slow": SLOW_BYTES_PER_S}
    return {"status": int(fault)}
