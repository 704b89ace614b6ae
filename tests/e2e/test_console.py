# SPDX-License-Identifier: Apache-2.0
"""The console in a real browser, beside a real device: what a person sees, as it happens."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from scomod.codes import ResultCode
from scomod.dmclient.codec import Encoding
from scomod.lab import packages
from scomod.lab.packages import Recipe
from tests.support.browser import ENTER, TAB, Browser
from tests.support.rig import Rig
from tests.support.scripted_device import ScriptedDevice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.lab.packages import Payload
    from tests.support.browser import Page

GREETING = Recipe(name="greeting", version="1.0", summary="a text", files={"usr/share/hi": "hi\n"})
MARKUP = "<img src=x onerror=alert(1)>"
VIEWS = ("#/", "#/packages", "#/faults", "#/log", *(
    f"#/device/device-1{tab}" for tab in ("", "/tree", "/orders", "/events", "/push")
))  # fmt: skip
IS_LIVE = "document.querySelector('#line').textContent === '● live'"
NAMELESS = """[...document.querySelectorAll('input, select, textarea, button, a, summary')].filter(
    (each) => !(each.textContent.trim() || each.labels?.length || each.ariaLabel)
).map((each) => each.outerHTML)"""


def shows(text: str, where: str = "main") -> str:
    """The condition that a text is seen."""
    return f"document.querySelector({where!r})?.innerText.includes({json.dumps(text)})"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path) as made:
        made.start_daemon()
        made.start_helper()
        made.until_up()
        yield made


@pytest.mark.timeout(900)  # a browser on a busy machine; it waits for events, not for time
def test_a_person_follows_a_device_and_installs_on_it(rig: Rig, tmp_path: Path) -> None:
    folder = tmp_path / "browser"
    folder.mkdir()
    deb = packages.build(GREETING, folder, rig.bench.pki)

    async def story() -> None:
        certificate = rig.bench.pki.server_file.read_bytes()
        async with Browser.started(folder, certificate) as browser:
            page = await browser.page(width=1280, height=900)
            await page.go(rig.bench.console_url)
            await page.until(IS_LIVE)
            await page.until(shows("never came"))
            await asyncio.to_thread(rig.bootstrap)
            await look_by_keyboard(rig, page)
            await install(rig, page, deb)
            await look_at_what_became_of_it(rig, page)
            await meet_a_hostile_device(rig, page)
            await be_narrow(page)
            assert page.complaints == []

    asyncio.run(story())


async def look_by_keyboard(rig: Rig, page: Page) -> None:
    """Go to the device and have its software read, without a mouse."""
    await asyncio.to_thread(rig.session)
    await page.until(shows("idle"))  # by itself
    await press_until(page, "device-1")
    await page.until(shows("has not read the software"))
    await press_until(page, "Read the software")
    await page.until(shows("order 1 (read) waits", "#notice"))
    await asyncio.to_thread(rig.session)
    await page.until(shows("Deployed (0)"))


async def press_until(page: Page, text: str) -> None:
    """Walk with Tab to a thing that says this, and press Enter."""
    for _ in range(40):
        await page.press(TAB)
        if await page.run("document.activeElement.textContent.trim()") == text:
            await page.press(ENTER)
            return
    raise AssertionError(f"no way to {text}")


async def install(rig: Rig, page: Page, deb: Payload) -> None:
    """Upload a package and queue its installation by the form."""
    await page.run("location.hash = '#/device/device-1/orders'")
    await page.until("document.querySelector('form [name=upload]') !== null")
    await page.choose_file("form [name=upload]", deb.path)
    await page.until("document.querySelector('form [name=pkg_id]').value === 'greeting-1.0'")
    await page.run("document.querySelector('form button').click()")
    await page.until(shows("order 2 (install) waits", "#notice"))
    order = rig.account.orders[-1]
    await asyncio.to_thread(rig.session)
    result = await asyncio.to_thread(rig.result_of, order)
    assert result == ResultCode.SUCCESSFUL
    await page.until(shows("✓ 1200 successful"))
    await page.until(shows("OperationComplete: 1200 successful", "[role=log]"))
    assert rig.dpkg_state("greeting") == "ii 1.0"


async def look_at_what_became_of_it(rig: Rig, page: Page) -> None:
    await page.run("location.hash = '#/device/device-1'")
    await page.until("document.querySelector('[data-key^=read]') !== null")
    await page.run("document.querySelector('[data-key^=read]').click()")
    await page.until(shows("order 3 (read) waits", "#notice"))
    await asyncio.to_thread(rig.session)
    await page.until(shows("active (20)"))
    row = await page.run("document.querySelector('main table tbody').innerText")
    assert row.startswith("greeting")
    assert "Ext/" not in row  # no vendor's operation that was not seen
    await page.run("location.hash = '#/device/device-1/tree'")
    await page.until(shows("What the bench has read"))
    await open_nodes(page, "SCOMO", "Inventory", "Deployed", "greeting")
    await page.until(shows("Operations"))
    await page.run("document.querySelector('[role=log] .say details').open = true")
    await page.until(shows("credentials syncml:auth-md5", "[role=log]"))
    await page.until("document.querySelector('[role=log] pre').textContent.startsWith('message 1')")


async def open_nodes(page: Page, *names: str) -> None:
    for name in names:
        await page.until(
            f"""[...document.querySelectorAll('.tree summary')].some((each) =>
                each.innerText.startsWith({name!r}) && (each.parentNode.open = true))"""
        )


async def meet_a_hostile_device(rig: Rig, page: Page) -> None:
    """Whatever it calls its nodes and values stays text."""
    await asyncio.to_thread(live_hostile, rig)
    await page.run("location.hash = '#/device/evil/tree'")
    await page.until(shows("What the bench has read"))
    await open_nodes(page, "X")
    await page.until(shows(MARKUP))
    await page.until(shows(MARKUP, "[role=log]"))
    await page.run("location.hash = '#/device/evil'")
    await page.until(shows("Deployed (1)"))
    await page.until(shows(MARKUP))
    assert await page.run("document.querySelector('main img, main script, iframe') === null")


def live_hostile(rig: Rig) -> None:
    account = rig.bench.register.add("evil")
    base = f"./X/SCOMO/Inventory/Deployed/{MARKUP}"
    device = ScriptedDevice(
        post=lambda body, encoding: rig.bench_reply(body, encoding.value),
        user=account.user,
        password=account.password,
        server_id=account.server_id,
        server_password=account.server_password,
        client_nonce=account.client_nonce,
        server_nonce=account.server_nonce,
        encoding=Encoding.XML,
        device_id=f"urn:{MARKUP}",
        tree={
            f"{base}/Name": b"</script><script>alert(1)</script>",
            f"{base}/ID": MARKUP.encode(),
            f"./X/{MARKUP}": MARKUP.encode(),
        },
    )

    async def order() -> Any:
        rig.bench.register.enqueue(account, "read", {"uris": "./X"})

    rig.in_bench(order())
    device.run()


async def be_narrow(page: Page) -> None:
    """Every view fits a telephone, and everything that can be used has a name."""
    await page.size(400, 800)
    for place in VIEWS:
        await page.run(f"document.querySelector('main').ariaBusy = ''; location.hash = '{place}'")
        await page.until("document.querySelector('main').ariaBusy === 'false'")
        width = await page.run("document.scrollingElement.scrollWidth")
        assert width <= 400, place
        assert await page.run(NAMELESS) == [], place
