# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven by its DevTools protocol over a WebSocket.

    async with Browser.started(folder, trusted_file) as browser:
        page = await browser.page(width=1280, height=900)
        await page.go(url)
        await page.until("document.title === 'x'")

A page remembers whatever it complains of: errors, warnings, what its policy forbids.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import itertools
import json
import os
import shutil
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DEADLINE_S = 150.0  # machines differ by more than a factor of ten
LOOK_S = 0.05
LARGEST_PICTURE = 1 << 26
# of a page that no hand touches: going back would skip what a script opened
HARMLESS = ("NavigationEntryMarkedSkippable",)
SWITCHES = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "about:blank",
)
ENTER = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
TAB = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self._loaded = asyncio.Event()
        self.complaints: list[str] = []

    async def send(self, method: str, **params: Any) -> Any:
        """Give a command of the protocol and return its result."""
        return await self._browser.send(method, self._session, **params)

    async def size(self, width: int, height: int) -> None:
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    async def go(self, url: str) -> None:
        self._loaded.clear()
        await self.send("Page.navigate", url=url)
        await asyncio.wait_for(self._loaded.wait(), DEADLINE_S)

    async def run(self, script: str) -> Any:
        """Evaluate an expression, which may be a promise; fails with what it throws."""
        done = await self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    async def until(self, condition: str, seconds: float = DEADLINE_S) -> Any:
        """Wait until an expression is true and return its value."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not (value := await self.run(condition)):  # noqa: ASYNC110 - a page's truth
                    await asyncio.sleep(LOOK_S)
                return value
        text = await self.run("document.body.innerText")
        raise AssertionError(f"waited in vain for {condition}\n{self.complaints}\n{text}")

    async def press(self, key: dict[str, Any]) -> None:
        for kind in ("keyDown", "keyUp"):
            await self.send("Input.dispatchKeyEvent", type=kind, **key)

    async def type(self, text: str) -> None:
        await self.send("Input.insertText", text=text)

    async def choose_file(self, selector: str, path: Path) -> None:
        root = await self.send("DOM.getDocument")
        found = await self.send(
            "DOM.querySelector", nodeId=root["root"]["nodeId"], selector=selector
        )
        await self.send("DOM.setFileInputFiles", files=[str(path)], nodeId=found["nodeId"])

    async def picture(self) -> bytes:
        """Return what is seen as PNG."""
        shot = await self.send("Page.captureScreenshot", format="png")
        return base64.b64decode(shot["data"])

    def hear(self, method: str, params: dict[str, Any]) -> None:
        """Take an event of this page."""
        match method:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled":
                self.complaints.append(json.dumps(params["args"]))
            case "Log.entryAdded":
                self.complaints.append(json.dumps(params["entry"]))
            case "Audits.issueAdded":
                issue = json.dumps(params["issue"])
                if not any(word in issue for word in HARMLESS):
                    self.complaints.append(issue)


class Browser:
    """A running Chromium; `started` makes and ends one."""

    def __init__(self, line: aiohttp.ClientWebSocketResponse) -> None:
        self._line = line
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._pages: dict[str, Page] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, folder: Path, certificate: bytes) -> AsyncIterator[Self]:
        """Run one with its things in `folder`; it trusts the server that has this certificate."""
        command = _command(folder, certificate)
        with (folder / "chromium.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            address = await _address(folder, process)
            async with (
                aiohttp.ClientSession() as http,
                http.ws_connect(address, max_msg_size=LARGEST_PICTURE) as line,
            ):
                browser = cls(line)
                hearing = asyncio.create_task(browser._hear())
                try:
                    yield browser
                finally:
                    hearing.cancel()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            await process.wait()

    async def page(self, width: int, height: int) -> Page:
        """Open a tab."""
        target = await self.send("Target.createTarget", url="about:blank")
        attached = await self.send(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        page = self._pages[attached["sessionId"]] = Page(self, attached["sessionId"])
        for domain in ("Page", "Runtime", "Log", "DOM", "Audits"):
            await page.send(f"{domain}.enable")
        await page.send("Emulation.setLocaleOverride", locale="en-GB")
        await page.size(width, height)
        return page

    async def send(self, method: str, session: str | None = None, **params: Any) -> Any:
        """Give a command to the browser, or to one page, and return its result."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        command = {"id": number, "method": method, "params": params}
        await self._line.send_str(json.dumps(command | ({"sessionId": session} if session else {})))
        return await asyncio.wait_for(answer, DEADLINE_S)

    async def _hear(self) -> None:
        async for message in self._line:
            told = json.loads(message.data)
            answer = self._answers.pop(told.get("id"), None)
            if answer is not None and "error" in told:
                answer.set_exception(AssertionError(told["error"]))
            elif answer is not None:
                answer.set_result(told["result"])
            elif told.get("sessionId") in self._pages:
                self._pages[told["sessionId"]].hear(told["method"], told["params"])


def _command(folder: Path, certificate: bytes) -> list[str]:
    program = shutil.which("chromium")
    assert program, "chromium is missing: apt-get install chromium"
    command = [program, f"--user-data-dir={folder / 'chromium'}", *SWITCHES]
    key = x509.load_pem_x509_certificate(certificate).public_key()
    octets = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = base64.b64encode(hashlib.sha256(octets).digest()).decode()
    command.insert(1, f"--ignore-certificate-errors-spki-list={digest}")
    if os.getuid() == 0:  # its sandbox wants an ordinary user
        command.insert(1, "--no-sandbox")
    return command


async def _address(folder: Path, process: asyncio.subprocess.Process) -> str:
    """Wait until it says where it listens."""
    file = folder / "chromium/DevToolsActivePort"
    async with asyncio.timeout(DEADLINE_S):
        while not (file.exists() and len(lines := file.read_text().splitlines()) > 1):
            assert process.returncode is None, (folder / "chromium.log").read_text()
            await asyncio.sleep(LOOK_S)
    return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
