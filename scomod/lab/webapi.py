# SPDX-License-Identifier: Apache-2.0
"""What the console reads, beside the admin interface (`api`): tree, software, messages, changes.

GET /api/console                     the forms of all orders, and other words
GET /api/devices/NAME/summary        one device: last seen, sessions, state
GET /api/summaries                   all devices
GET /api/devices/NAME/tree           what was read so far, a node a row, parents first
GET /api/devices/NAME/inventory      the software of every SCOMO object in it
GET /api/devices/NAME/queue          its orders, the newest first, cut to a readable size
GET /api/devices/NAME/events         its records as sentences, the newest first
GET /api/messages?name=NAME&after=N  messages since number N; without a name of all devices
GET /api/messages/N                  one as it was on the wire, with all that is in it
GET /api/changes                     server-sent events: names of devices that changed
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from scomod.lab import webforms, webtree, webview
from scomod.lab.api import RequestError
from scomod.lab.webguard import API, READING

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from scomod.clock import Clock
    from scomod.lab.devices import Account, Record, Register
    from scomod.lab.webfeed import Feed
    from scomod.lab.webtalk import Talk

LARGEST_NUMBER: Final = 1 << 53


class ConsoleApi:
    """The handlers; every change of a record or by a request is told to the feed."""

    def __init__(self, register: Register, talk: Talk, feed: Feed, clock: Clock) -> None:
        self._register = register
        self._talk = talk
        self._feed = feed
        self._clock = clock
        register.observe(self._hear)

    def routes(self) -> list[web.RouteDef]:
        """Return what the application serves."""
        return [
            web.get("/api/console", self._forms),
            web.get("/api/summaries", self._summaries),
            web.get("/api/devices/{name}/summary", self._summary),
            web.get("/api/devices/{name}/tree", self._tree),
            web.get("/api/devices/{name}/inventory", self._inventory),
            web.get("/api/devices/{name}/queue", self._queue),
            web.get("/api/devices/{name}/events", self._events),
            web.get("/api/messages", self._messages),
            web.get("/api/messages/{number}", self._message),
            web.get("/api/changes", self._feed.stream),
        ]

    @web.middleware
    async def note_changes(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Tell the feed of every request that may have changed something."""
        try:
            return await handler(request)
        finally:
            if request.path.startswith(API) and request.method not in READING:
                self._feed.tell(None)

    def _hear(self, account: Account, _record: Record) -> None:
        self._feed.tell(account.user)

    async def _forms(self, _request: web.Request) -> web.Response:
        return web.json_response(webforms.described())

    async def _summaries(self, _request: web.Request) -> web.Response:
        now = self._clock.wall_s()
        return web.json_response([webview.summary(account, now) for account in self._register])

    async def _summary(self, request: web.Request) -> web.Response:
        return web.json_response(webview.summary(self._account(request), self._clock.wall_s()))

    async def _tree(self, request: web.Request) -> web.Response:
        tree = webtree.tree_of(self._account(request))
        return web.json_response(list(webtree.as_rows(tree.root)))

    async def _inventory(self, request: web.Request) -> web.Response:
        return web.json_response(webtree.inventory(webtree.tree_of(self._account(request))))

    async def _queue(self, request: web.Request) -> web.Response:
        return web.json_response(webview.orders(self._account(request)))

    async def _events(self, request: web.Request) -> web.Response:
        return web.json_response(webview.events(self._account(request)))

    async def _messages(self, request: web.Request) -> web.Response:
        name, after = request.query.get("name"), _number(request.query.get("after", "0"))
        device = None if name is None else self._register.get(name).device_id
        return web.json_response([] if device == "" else self._talk.listed(device, after))

    async def _message(self, request: web.Request) -> web.Response:
        return web.json_response(self._talk.whole(_number(request.match_info["number"])))

    def _account(self, request: web.Request) -> Account:
        return self._register.get(request.match_info["name"])


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > LARGEST_NUMBER:
        raise RequestError(f"{text!r:.40} is no number")
    return int(text)
