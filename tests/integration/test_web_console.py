# SPDX-License-Identifier: Apache-2.0
"""The console over real HTTPS: what is served to whom, uploads, changes as they come."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from scomod.clock import SystemClock
from scomod.lab import packages, webfeed
from scomod.lab.admin import Admin, BenchError
from scomod.lab.bench import Bench
from scomod.lab.packageserver import PackageServer
from scomod.lab.pki import Pki
from scomod.lab.webfeed import Feed
from scomod.lab.webpackages import PackageDesk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

OCTETS = {"Content-Type": "application/octet-stream"}
TIMEOUT_S = 60.0
TOKEN = "the-token"


class Visitor:
    """Somebody who asks a bench for pages and answers."""

    def __init__(self, bench: Bench, http: aiohttp.ClientSession) -> None:
        self.bench = bench
        self.http = http

    async def ask(
        self, path: str, method: str = "GET", **options: Any
    ) -> tuple[int, Any, dict[str, str]]:
        """Return status, JSON or text, and headers."""
        url = self.bench.base_url + path
        async with self.http.request(method, url, allow_redirects=False, **options) as response:
            text = await response.text()
            is_json = response.content_type == "application/json"
            return response.status, json.loads(text) if is_json else text, dict(response.headers)


@contextlib.asynccontextmanager
async def visited(directory: Path, token: str = "") -> AsyncIterator[Visitor]:
    bench = Bench(directory, clock=SystemClock(), random=secrets.token_bytes, token=token)
    async with bench:
        connector = aiohttp.TCPConnector(ssl=bench.pki.client_context(), limit=0)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
            yield Visitor(bench, http)


@pytest.fixture
def visit(tmp_path: Path) -> Callable[..., None]:
    """Run a story with a visitor of a bench."""

    def run(story: Callable[[Visitor], Coroutine[Any, Any, None]], token: str = "") -> None:
        async def within() -> None:
            async with visited(tmp_path / "lab", token) as visitor:
                await story(visitor)

        asyncio.run(within())

    return run


def test_pages_forbid_everything_but_themselves(visit: Callable[..., None]) -> None:
    async def story(visitor: Visitor) -> None:
        for path, kind in (
            ("/console/", "text/html"),
            ("/console/console.js", "text/javascript"),
            ("/console/console.css", "text/css"),
        ):
            status, text, headers = await visitor.ask(path)
            assert (status, headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
            assert "SPDX" in text
            assert headers["Content-Security-Policy"].startswith("default-src 'self'; ")
            assert "'unsafe" not in headers["Content-Security-Policy"]
            assert headers["X-Content-Type-Options"] == "nosniff"
        for path in ("/", "/console"):
            assert (await visitor.ask(path))[2]["Location"] == "/console/"
        for path in ("/console/bench.py", "/console/..%2fbench.py", "/console/x"):
            assert (await visitor.ask(path))[0] == 404
        assert (await visitor.ask("/api/devices"))[2]["X-Content-Type-Options"] == "nosniff"

    visit(story)


def test_another_web_site_gets_nothing_and_changes_nothing(visit: Callable[..., None]) -> None:
    async def story(visitor: Visitor) -> None:
        account = json.dumps({"user": "d1"})
        evil = {"Origin": "https://evil.example", "Content-Type": "application/json"}
        form = {"Content-Type": "text/plain"}
        rebound = {"Host": "evil.example", "Content-Type": "application/json"}
        for headers, expected in ((evil, 403), (form, 415), (rebound, 403)):
            asked = await visitor.ask("/api/devices", "POST", data=account, headers=headers)
            assert asked[0] == expected
        assert (await visitor.ask("/console/", headers={"Host": "evil.example"}))[0] == 403
        assert (await visitor.ask("/api/devices"))[1] == []

    visit(story)


def test_with_a_token_everybody_shows_it(visit: Callable[..., None], tmp_path: Path) -> None:
    async def story(visitor: Visitor) -> None:
        assert visitor.bench.console_url.endswith(f"/console/?token={TOKEN}")
        assert (await visitor.ask("/console/"))[0] == 401
        assert (await visitor.ask("/api/devices"))[0] == 401
        assert (await visitor.ask("/console/?token=wrong"))[0] == 401
        status, _, headers = await visitor.ask(f"/console/?token={TOKEN}")
        assert (status, headers["Location"]) == (303, "/console/")
        for word in ("Secure", "HttpOnly", "SameSite=Strict"):
            assert word in headers["Set-Cookie"]
        assert (await visitor.ask("/console/"))[0] == 200  # the cookie was kept
        admin = Admin(tmp_path / "lab")
        with admin.announced(visitor.bench.base_url, TOKEN):
            assert (tmp_path / "lab/token").stat().st_mode & 0o777 == 0o600
            assert await asyncio.to_thread(admin.call, "devices") == []
        refused = pytest.raises(BenchError, match="a token is needed")
        with admin.announced(visitor.bench.base_url, ""), refused:
            await asyncio.to_thread(admin.call, "devices")
        assert not (tmp_path / "lab/url").exists()

    visit(story, TOKEN)


def test_a_package_is_uploaded_and_orders_say_of_it_what_a_device_needs(
    visit: Callable[..., None], tmp_path: Path
) -> None:
    async def story(visitor: Visitor) -> None:
        bench = visitor.bench
        deb = packages.build(packages.DECLINED, tmp_path, Pki(tmp_path / "lab/pki"))
        name, octets = deb.path.name, deb.path.read_bytes()
        done = await visitor.ask(f"/api/packages/{name}", "PUT", data=octets, headers=OCTETS)
        assert done[:2] == (200, {"name": name, "octets": len(octets), "fault": "none"})
        assert (bench.packages.directory / name).read_bytes() == octets
        assert (await visitor.ask("/api/packages"))[1] == [done[1]]
        params = (await visitor.ask(f"/api/packages/{name}/params"))[1]
        assert params == deb.order_params(f"{bench.base_url}/packages/{name}")
        bench.register.add("d1")
        wanted = {"kind": "install", "params": {"node": "mine"}, "file": name}
        order = (await visitor.ask("/api/devices/d1/orders", "POST", json=wanted))[1]
        assert order["params"] == params | {"node": "mine"}
        wanted = {"kind": "deliver", "params": {}, "file": name}
        order = (await visitor.ask("/api/devices/d1/orders", "POST", json=wanted))[1]
        assert len(order["params"]["data"]) > len(octets)
        (bench.packages.directory / "firmware_7.bin").write_bytes(b"7")
        params = (await visitor.ask("/api/packages/firmware_7.bin/params"))[1]
        assert params["pkg_id"] == "firmware-7"
        refused = await visitor.ask("/api/packages/none.deb/params")
        assert (refused[0], refused[1]["error"]) == (400, "no package file 'none.deb'")

    visit(story)


@pytest.mark.parametrize("name", ["..%2f..%2fpki%2fca.pem", ".hidden", "a%00b", "x" * 300])
def test_an_upload_goes_nowhere_else(visit: Callable[..., None], name: str) -> None:
    async def story(visitor: Visitor) -> None:
        done = await visitor.ask(f"/api/packages/{name}", "PUT", data=b"x", headers=OCTETS)
        assert done[0] in (400, 404)
        assert list(visitor.bench.packages.directory.iterdir()) == []

    visit(story)


def test_half_an_upload_or_one_too_large_leaves_nothing(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1 << 12)

    async def story() -> None:
        served = PackageServer(tmp_path / "packages")
        desk = PackageDesk(served, Pki(tmp_path), str, lambda _name: None, most_bytes=1 << 16)
        async with alone(desk.routes()) as client:
            for body in (bytes((1 << 16) + 1), endless()):
                with contextlib.suppress(aiohttp.ClientError):  # it does not listen to the rest
                    async with client.put("/api/packages/a", data=body) as response:
                        assert response.status in (413, 500)
            address = client.server.host, client.server.port
            _, writer = await asyncio.open_connection(*address)
            writer.write(
                b"PUT /api/packages/a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"
            )
            await writer.drain()
            await until(lambda: bool(list(served.directory.iterdir())))
            writer.close()
            await until(lambda: not list(served.directory.iterdir()))

    asyncio.run(story())


@contextlib.asynccontextmanager
async def alone(routes: list[web.RouteDef]) -> AsyncIterator[TestClient[Any, Any]]:
    """Serve a part of the console by itself."""
    app = web.Application()
    app.add_routes(routes)
    async with TestClient(TestServer(app)) as client:
        yield client


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110 - files have no events
            await asyncio.sleep(0.02)


def test_watchers_hear_of_changes_and_of_everything_after_a_break(
    visit: Callable[..., None],
) -> None:
    async def story(visitor: Visitor) -> None:
        bench = visitor.bench
        account = bench.register.add("d1")
        for _ in range(2):  # the second time it was away: it reads everything again
            async with visitor.http.get(f"{bench.base_url}/api/changes") as stream:
                assert stream.content_type == "text/event-stream"
                assert await told(stream) == {"names": None}
                bench.register.record(account, "end", session="1", messages=1, octets=1)
                assert await told(stream) == {"names": ["d1"]}
                await visitor.ask("/api/devices", "POST", json={"user": "d2"})
                assert await told(stream) == {"names": None}

    visit(story)


def test_a_slow_watcher_gets_little_and_one_too_many_is_refused() -> None:
    async def story() -> None:
        feed = Feed(most=2)
        async with alone([web.get("/changes", feed.stream)]) as client:
            slow, other = await client.get("/changes"), await client.get("/changes")
            assert (await client.get("/changes")).status == 503
            assert [await told(slow), await told(other)] == [{"names": None}] * 2
            for _ in range(1000):
                feed.tell("d1")
            feed.tell("d2")
            assert await told(other) == {"names": ["d1", "d2"]}
            for number in range(webfeed.MAX_NAMES_COUNT + 5):
                feed.tell(f"d{number}")
            assert await told(other) == {"names": None}
            assert await told(slow) == {"names": ["d1", "d2"]}
            other.close()
            async with asyncio.timeout(TIMEOUT_S):
                while (await client.get("/changes")).status == 503:
                    feed.tell("d1")
                    await asyncio.sleep(0.02)
            feed.close()

    asyncio.run(story())


async def told(stream: aiohttp.ClientResponse) -> Any:
    """Return the next event."""
    async for line in stream.content:
        if line.startswith(b"data: "):
            return json.loads(line.removeprefix(b"data: "))
    raise AssertionError("the stream ended")


def test_senseless_questions_are_refused_with_a_sentence(visit: Callable[..., None]) -> None:
    async def story(visitor: Visitor) -> None:
        for path, code in (
            ("/api/devices/none/tree", 404),
            ("/api/messages?after=x", 400),
            ("/api/messages?after=-1", 400),
            ("/api/messages/99", 400),
            ("/api/messages/9999999999999999999999", 400),
            ("/api/messages?name=none", 404),
        ):
            status, answer, _ = await visitor.ask(path)
            assert (status, bool(answer["error"])) == (code, True), path
        assert (await visitor.ask("/api/messages"))[1] == []
        assert (await visitor.ask("/api/summaries"))[1] == []

    visit(story)
