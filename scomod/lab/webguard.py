# SPDX-License-Identifier: Apache-2.0
"""Who may use the admin interface and the console: no other machine, and no other web site.

A browser on this machine carries requests of any site to us.  So a request counts only if it
was made for a name of this machine (a site's own name may lead here: DNS rebinding), if the
browser does not say that another site made it (Origin, Sec-Fetch-Site), and, where it changes
something, if its Content-Type is one that a form of another site cannot send (Fetch, "simple
requests").  A bench that other machines can reach wants its token besides, from everybody: in
`Authorization: Bearer`, or in the cookie that `/console/?token=` gives.

The devices' side (`/dm`, `/packages`) is not guarded here.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from hmac import compare_digest
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aiohttp import web

from scomod.errors import ScomodError
from scomod.lab.devices import UnknownAccount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler, Middleware

API: Final = "/api/"
CONSOLE: Final = "/console/"
LOCAL_NAME: Final = "localhost"
COOKIE: Final = "__Host-scomod-lab"
BEARER: Final = "Bearer "
READING: Final = ("GET", "HEAD")
WRITTEN_AS: Final = ("application/json", "application/octet-stream")
OWN_SITES: Final = ("same-origin", "none")  # "none": typed by the person


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is looked at of a request; `host` is the Host header, `remote` an address."""

    method: str
    path: str
    scheme: str
    host: str
    remote: str
    headers: Mapping[str, str]
    cookies: Mapping[str, str]


def guard(token: str, name: str) -> Middleware:
    """Return the middleware; `token` "" for a bench that only this machine can reach.

    `name` is the one that devices know the bench by.  Turns our errors into 400 and 404.
    """

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith((API, CONSOLE)):
            return await handler(request)
        if token and request.path == CONSOLE and "token" in request.query:
            return _let_in(request, token)
        refused = refusal(_asked(request), token, name)
        if refused is not None:
            return _error(*refused)
        try:
            return await handler(request)
        except UnknownAccount as error:
            return _error(HTTPStatus.NOT_FOUND, str(error))
        except ScomodError as error:
            return _error(HTTPStatus.BAD_REQUEST, str(error))

    return guarded


def is_local(host: str) -> bool:
    """Tell whether a bench that listens on this address is for its machine only."""
    return host == LOCAL_NAME or _is_loopback(host)


def refusal(asked: Asked, token: str, name: str) -> tuple[HTTPStatus, str] | None:
    """Tell why a request is refused, None if it is not."""
    if token and not _has_token(asked, token):
        text = "a token is needed: open the address that scomod-lab serve printed"
        return HTTPStatus.UNAUTHORIZED, text
    if not token and not _is_loopback(asked.remote):
        return HTTPStatus.FORBIDDEN, "for this machine only"
    if not token and not _is_our_name(asked.host, name):
        return HTTPStatus.FORBIDDEN, f"for {LOCAL_NAME} only, not for {asked.host!r:.80}"
    if _is_of_other_site(asked):
        return HTTPStatus.FORBIDDEN, "not for other web sites"
    kind = asked.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if asked.method not in READING and kind not in WRITTEN_AS:
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type must be {WRITTEN_AS[0]}"
    return None


def _asked(request: web.Request) -> Asked:
    return Asked(
        method=request.method,
        path=request.path,
        scheme=request.scheme,
        host=request.host,
        remote=request.remote or "",
        headers=request.headers,
        cookies=request.cookies,
    )


def _has_token(asked: Asked, token: str) -> bool:
    sent = asked.headers.get("Authorization", "")
    shown = sent.removeprefix(BEARER) if sent.startswith(BEARER) else asked.cookies.get(COOKIE, "")
    return compare_digest(shown.encode("utf-8", "replace"), token.encode())


def _is_our_name(host: str, name: str) -> bool:
    try:
        asked = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return asked in (LOCAL_NAME, name.lower()) or _is_loopback(asked)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _is_of_other_site(asked: Asked) -> bool:
    """Believe the browser; who is no browser says nothing.  A link to the console is fine."""
    origin = asked.headers.get("Origin")
    if origin is not None and origin != f"{asked.scheme}://{asked.host}":
        return True
    site = asked.headers.get("Sec-Fetch-Site", OWN_SITES[0])
    return site not in OWN_SITES and asked.path.startswith(API)


def _let_in(request: web.Request, token: str) -> web.Response:
    """Take the token out of the address, where it would be seen, into a cookie."""
    if not compare_digest(request.query["token"].encode("utf-8", "replace"), token.encode()):
        return _error(HTTPStatus.UNAUTHORIZED, "this is not the token of this run")
    answer = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": CONSOLE})
    answer.set_cookie(COOKIE, token, path="/", secure=True, httponly=True, samesite="Strict")
    return answer


def _error(status: HTTPStatus, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
