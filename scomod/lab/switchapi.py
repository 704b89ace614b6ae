# SPDX-License-Identifier: Apache-2.0
"""The fault switches of the bench (`switches`) in its admin interface.

    GET  /api/faults    every switch: {"name", "says", "unit", "value", "count"}
    POST /api/faults    {"name", "value", "count"?}: sets one; {"name": "all", "value": "off"}

Both answer with all switches.  `unit` is "" for a switch that is "on" or "off".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from scomod.lab.api import RequestError, json_of

if TYPE_CHECKING:
    from scomod.lab.switches import Switches


def routes(switches: Switches) -> list[web.RouteDef]:
    """Return what the application serves."""

    async def show(_request: web.Request) -> web.Response:
        return web.json_response(switches.listed())

    async def change(request: web.Request) -> web.Response:
        wanted = await json_of(request, "name", "value", "count")
        name, value, count = (wanted.get(key) for key in ("name", "value", "count"))
        is_number = isinstance(count, int) and not isinstance(count, bool)
        if (
            not isinstance(name, str)
            or not isinstance(value, str)
            or not (count is None or is_number)
        ):
            raise RequestError("name and value are texts, count a number")
        switches.set(name, value, count)
        return web.json_response(switches.listed())

    return [web.get("/api/faults", show), web.post("/api/faults", change)]
