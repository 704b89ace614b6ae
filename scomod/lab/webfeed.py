# SPDX-License-Identifier: Apache-2.0
"""Tells watchers that something about a device changed: server-sent events.

    event: changed
    data: {"names": ["device-1"]}          null for "anything": read everything again

Only names are told, and those that came while a watcher was busy are told together: however
slow it is and however much happens, what waits for it is a set of names of limited size.
Whoever was away begins with `null`; so nothing can be missed and nothing is kept for anybody.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Final

from aiohttp import web

MAX_WATCHERS_COUNT: Final = 64
MAX_NAMES_COUNT: Final = 100
BEAT_S: Final = 15.0  # a watcher that is gone is noticed when it is written to
WRITE_S: Final = 30.0
GATHER_S: Final = 0.05
RETRY_MS: Final = 1000
HEADERS: Final = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}


class _Watcher:
    """What one connection has still to be told; `names` None means anything."""

    def __init__(self) -> None:
        self.names: set[str] | None = None
        self.news = asyncio.Event()
        self.news.set()

    def add(self, name: str | None) -> None:
        if name is None or self.names is None or len(self.names) >= MAX_NAMES_COUNT:
            self.names = None
        else:
            self.names.add(name)
        self.news.set()

    def take(self) -> str:
        """Return the event for what came since the last one."""
        names, self.names = self.names, set()
        self.news.clear()
        told = json.dumps({"names": None if names is None else sorted(names)})
        return f"event: changed\ndata: {told}\n\n"


class Feed:
    """All watchers, `most` of them at a time; `tell` costs nothing while there are none."""

    def __init__(self, most: int = MAX_WATCHERS_COUNT) -> None:
        self._most = most
        self._watchers: set[_Watcher] = set()
        self._is_closed = False

    def tell(self, name: str | None) -> None:
        """Note that a device (a user or device id), or anything, changed."""
        for watcher in self._watchers:
            watcher.add(name)

    def close(self) -> None:
        """Send everybody away: the bench ends."""
        self._is_closed = True
        self.tell(None)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Serve one watcher until it goes away."""
        if len(self._watchers) >= self._most:
            text = f"{self._most} watch already"
            return web.json_response({"error": text}, status=HTTPStatus.SERVICE_UNAVAILABLE)
        watcher = _Watcher()
        self._watchers.add(watcher)
        try:
            response = web.StreamResponse(headers=HEADERS)
            await response.prepare(request)
            await response.write(f"retry: {RETRY_MS}\n\n".encode())
            await self._serve(watcher, response)
        except (OSError, TimeoutError):
            pass  # it is gone, or takes nothing any more
        finally:
            self._watchers.discard(watcher)
        return response

    async def _serve(self, watcher: _Watcher, response: web.StreamResponse) -> None:
        while not self._is_closed:
            try:
                await asyncio.wait_for(watcher.news.wait(), BEAT_S)
                text = watcher.take()
            except TimeoutError:
                text = ": still here\n\n"
            await asyncio.wait_for(response.write(text.encode()), WRITE_S)
            await asyncio.sleep(GATHER_S)
