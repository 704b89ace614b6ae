# SPDX-License-Identifier: Apache-2.0
"""The bench's JSON interface: register devices, order things, push, read what they said.

Who may use it says `webguard`.  Secrets leave through the profile alone, and in messages
that are shown as they were transmitted (`webapi`, which has what the console needs besides).

    GET  /api/devices                  all accounts
    POST /api/devices                  {"user", "device_id"?, "server_id"?, "password"?, ...}
    GET  /api/devices/NAME             one account, NAME is a user or a device id
    GET  /api/devices/NAME/records     everything it ever said
    GET  /api/devices/NAME/orders      its orders, with what came back
    POST /api/devices/NAME/orders      {"kind", "params": {...}, "file"?, "delta_from"?}
    POST /api/devices/NAME/offers      {"component", "params"}: for when the device asks for it
    POST /api/devices/NAME/push        {"host", "port"?, "ui_mode"?}
    POST /api/devices/NAME/bootstrap   {"host", "port"?, "seal", "profile"?, "pin"?, "imsi"?}
    GET  /api/devices/NAME/profile     the provisioning document (XML, with secrets)
    POST /api/packages/NAME/fault      {"fault": "404"|...|"none", "count"?}
    GET  /api/packages/told            what devices told the servers of descriptors
    GET  /api/faults                   the switches of `switches` (`switchapi`)
    POST /api/faults                   {"name", "value", "count"?}
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from scomod.dmclient.notification import UiMode
from scomod.dmclient.seal import Method
from scomod.errors import ScomodError
from scomod.lab import profile, push, scomo
from scomod.lab.dmserver import PATH as DM_PATH
from scomod.lab.packageserver import Fault
from scomod.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    SaidOf = Callable[[str, str, str], Awaitable[dict[str, str]]]
    from scomod.lab.devices import Account, Register
    from scomod.lab.packageserver import PackageServer

REGISTER_KEYS: Final = ("user", "password", "server_id", "server_password", "device_id", "auth")
NO_FAULT: Final = "none"


class RequestError(ScomodError):
    """The request makes no sense; the text says what is expected."""


class Api:
    """The handlers; `base_url` is what a device reaches this server under.

    `said_of` gives the parameters of an order for a package file that is served.
    """

    def __init__(
        self,
        register: Register,
        packages: PackageServer,
        base_url: Callable[[], str],
        said_of: SaidOf,
    ) -> None:
        self._register = register
        self._packages = packages
        self._base_url = base_url
        self._said_of = said_of

    def routes(self) -> list[web.RouteDef]:
        """Return what the application serves."""
        return [
            web.get("/api/devices", self._list),
            web.post("/api/devices", self._add),
            web.get("/api/devices/{name}", self._one),
            web.get("/api/devices/{name}/records", self._records),
            web.get("/api/devices/{name}/orders", self._orders),
            web.post("/api/devices/{name}/orders", self._order),
            web.post("/api/devices/{name}/offers", self._offer),
            web.post("/api/devices/{name}/push", self._push),
            web.post("/api/devices/{name}/bootstrap", self._bootstrap),
            web.get("/api/devices/{name}/profile", self._profile),
            web.post("/api/packages/{name}/fault", self._fault),
            web.get("/api/packages/told", self._told),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        del request
        return web.json_response([view(account) for account in self._register])

    async def _add(self, request: web.Request) -> web.Response:
        wanted = await json_of(request, *REGISTER_KEYS)
        texts = {name: _text(wanted, name) for name in wanted}
        return web.json_response(view(self._register.add(texts.pop("user", ""), **texts)))

    async def _one(self, request: web.Request) -> web.Response:
        return web.json_response(view(self._account(request)))

    async def _records(self, request: web.Request) -> web.Response:
        return web.json_response(self._account(request).records)

    async def _orders(self, request: web.Request) -> web.Response:
        return web.json_response([asdict(order) for order in self._account(request).orders])

    async def _order(self, request: web.Request) -> web.Response:
        wanted = await json_of(request, "kind", "params", "file", "delta_from")
        kind, texts = _text(wanted, "kind"), _texts(wanted, "params")
        if file := _text(wanted, "file"):
            texts = await self._said_of(kind, file, _text(wanted, "delta_from")) | texts
        scomo.check(kind, texts)
        return web.json_response(
            asdict(self._register.enqueue(self._account(request), kind, texts))
        )

    async def _offer(self, request: web.Request) -> web.Response:
        wanted = await json_of(request, "component", "params")
        account, texts = self._account(request), _texts(wanted, "params")
        scomo.check("install", texts)
        account.offers[_text(wanted, "component")] = texts
        self._register.save(account)
        return web.json_response(account.offers)

    async def _push(self, request: web.Request) -> web.Response:
        wanted = await json_of(request, "host", "port", "ui_mode")
        host, port = _text(wanted, "host"), wanted.get("port", push.PORT)
        mode = wanted.get("ui_mode", UiMode.BACKGROUND)
        if not isinstance(port, int) or mode not in list(UiMode):
            raise RequestError("port must be a number, ui_mode 0 to 3")
        account = self._account(request)
        try:
            session_id = push.ask(self._register, account, host, port, UiMode(mode))
        except OSError as error:
            raise RequestError(f"cannot send to {host}:{port}: {error}") from error
        return web.json_response({"session_id": session_id})

    async def _bootstrap(self, request: web.Request) -> web.Response:
        wanted = await json_of(request, "host", "port", "seal", "profile", "pin", "imsi")
        port, kind = wanted.pop("port", push.PORT), wanted.pop("profile", "cp")
        word = _text(wanted, "seal").upper()
        if not isinstance(port, int) or kind not in push.PROFILES or word not in list(Method):
            raise RequestError(f"port: a number; profile: cp or dm; seal: {', '.join(Method)}")
        host = _text(wanted, "host")
        try:
            entered = push.bootstrap(
                self._register,
                self._account(request),
                self._base_url() + DM_PATH,
                (host, port),
                kind=push.PROFILES[kind],
                method=Method(word),
                pin=Secret(_text(wanted, "pin")),
                imsi=_text(wanted, "imsi"),
            )
        except OSError as error:
            raise RequestError(f"cannot send to {host}:{port}: {error}") from error
        return web.json_response({"enter": entered.reveal()})

    async def _profile(self, request: web.Request) -> web.Response:
        text = profile.profile_of(self._account(request), self._base_url() + DM_PATH)
        return web.Response(text=text, content_type="text/vnd.wap.connectivity-xml")

    async def _fault(self, request: web.Request) -> web.Response:
        wanted = await json_of(request, "fault", "count")
        name, count = _text(wanted, "fault"), wanted.get("count")
        if name not in (NO_FAULT, *Fault) or not isinstance(count, int | None):
            raise RequestError(f"fault must be one of {', '.join(Fault)}, none; count a number")
        fault = None if name == NO_FAULT else Fault(name)
        self._packages.set_fault(request.match_info["name"], fault, count)
        return web.json_response({})

    async def _told(self, _request: web.Request) -> web.Response:
        told = [{"name": name, "words": words} for name, words in self._packages.told]
        return web.json_response(told)

    def _account(self, request: web.Request) -> Account:
        return self._register.get(request.match_info["name"])


def view(account: Account) -> dict[str, Any]:
    """Return what may be shown of an account."""
    return {
        "user": account.user,
        "server_id": account.server_id,
        "device_id": account.device_id,
        "devinfo": account.devinfo,
        "orders": {order.id: order.phase for order in account.orders},
    }


async def json_of(request: web.Request, *names: str) -> dict[str, Any]:
    """Return the object in the body; raises `RequestError` for other names than these."""
    try:
        value = await request.json()
    except ValueError as error:
        raise RequestError(f"the body is no JSON: {error}") from error
    if not isinstance(value, dict) or set(value) - set(names):
        raise RequestError(f"the body must be an object with {', '.join(names)}")
    return value


def _text(values: dict[str, Any], name: str) -> str:
    value = values.get(name, "")
    if not isinstance(value, str):
        raise RequestError(f"{name} must be a text")
    return value


def _texts(values: dict[str, Any], name: str) -> dict[str, str]:
    inner = values.get(name, {})
    if not isinstance(inner, dict):
        raise RequestError(f"{name} must be an object of texts")
    return {str(key): _text(inner, key) for key in inner}
