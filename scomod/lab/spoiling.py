# SPDX-License-Identifier: Apache-2.0
"""Answers of the bench's servers as its fault switches (`switches`) have them.

What is done wrong with the message itself (credentials, nonces) is the doorkeeper's.
"""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import web

from scomod.lab.faults import HTML, WEB_PAGE

if TYPE_CHECKING:
    from scomod.lab.switches import Wrong

LOOK_S: Final = 0.1
RETRY_AFTER_S: Final = 1
PIECE_S: Final = 0.05


def in_place(wrong: Wrong) -> web.Response | None:
    """Return what is sent without looking at the request, None for the real thing."""
    if "status" in wrong:
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        return web.Response(status=wrong["status"], headers=headers)
    if "portal" in wrong:
        return web.Response(body=WEB_PAGE, headers={"Content-Type": HTML})
    return None


async def answer(request: web.Request, response: web.Response, wrong: Wrong) -> web.StreamResponse:
    """Return the answer of the DM server as it goes out."""
    await asyncio.sleep(wrong.get("slow", 0) / 1000)
    if "stall" in wrong:
        await _silence(request)
    if "lost" in wrong:
        _hang_up(request)
    if "clock" in wrong:
        response.headers["Date"] = formatdate(time.time() + wrong["clock"], usegmt=True)
    body = bytes(response.body) if isinstance(response.body, bytes) else b""
    if "truncate" in wrong:
        response.body = body[: wrong["truncate"]]
    if "cut" in wrong:
        kept = {name: response.headers[name] for name in response.headers}
        return await _stream(request, body, {"cut": wrong["cut"]}, kept)
    return response


async def file(request: web.Request, content: bytes, wrong: Wrong) -> web.StreamResponse:
    """Send a package file as it was told to be; ranges are not looked at."""
    if "wrong" in wrong and content:
        content = content[:-1] + bytes([content[-1] ^ 1])
    return await _stream(request, content, wrong, {})


async def _stream(
    request: web.Request, content: bytes, wrong: Wrong, headers: dict[str, str]
) -> web.StreamResponse:
    """Send octets at a rate (`slow`), up to where they break off (`cut`) or stall (`stall`)."""
    headers = {**headers, "Content-Length": str(len(content))}
    response = web.StreamResponse(status=HTTPStatus.OK, headers=headers)
    await response.prepare(request)
    ends = [wrong[name] for name in ("cut", "stall") if name in wrong]
    sent = content[: min(ends, default=len(content))]
    rate = wrong.get("slow", 0)
    step = max(1, int(rate * PIECE_S)) if rate else max(1, len(sent))
    for start in range(0, len(sent), step):
        await response.write(sent[start : start + step])
        await asyncio.sleep(step / rate if rate else 0)
    if "stall" in wrong:
        await _silence(request)
    if "cut" in wrong:
        _hang_up(request)
    return response


async def _silence(request: web.Request) -> None:
    """Say nothing until the client has gone."""
    while request.transport is not None:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(LOOK_S)


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()
