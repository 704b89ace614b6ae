# SPDX-License-Identifier: Apache-2.0
"""A daemon without a device: a `Facade` with memory that behaves, for tests of the edges.

Sessions count, answers take their prompt away and move the operation on,
bootstrap makes accounts.  `running_daemon` puts it on a bus, in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from scomod import __version__
from scomod.bus import BusServer
from scomod.clock import SystemClock
from scomod.codes import ResultCode
from scomod.errors import ScomodError
from scomod.facade import Record, Refused, Unknown, WrongPin
from scomod.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

RIGHT_PIN = Secret("1234")  # of every sealed document
SERVER: Record = {"server_id": "srv1", "name": "Example", "address": "https://dm.example.org/"}
OPERATION: Record = {
    "id": 7,
    "primitive": "DownloadInstall",
    "uri": "./SCOMO/Download/hello/Operations/DownloadInstall",
    "node": "./SCOMO/Download/hello",
    "server": "srv1",
    "correlator": "c-7",
    "phase": "waiting",
    "step": "consent",
    "reason": "",
    "detail": "",
    "pkg_id": "hello-1.2",
    "component": "",
    "name": "Hello",
    "created": 1_700_000_000.0,
    "changed": 1_700_000_001.0,
    "reported": False,
}
PROMPT: Record = {
    "operation": 7,
    "primitive": "DownloadInstall",
    "what": "hello-1.2",
    "name": "Hello",
    "version": "1.2",
    "size": 1_572_864,
    "server": "srv1",
    "server_name": "Example",
    "url": "https://pkg.example.org/hello.deb",
    "effect": "It is fetched, checked and installed, and can be used at once.",
    "deadline": 1_700_086_400.0,
}
BASELINE: Record = {
    "is_known": True,
    "problem": "",
    "taken": 1_700_000_000.0,
    "digest": "ab" * 32,
    "count": 3,
    "identity": {"ID": "example", "PRETTY_NAME": "Example OS 2"},
    "now": {"ID": "example", "PRETTY_NAME": "Example OS 3"},
    "added": [{"id": "editor", "version": "1.0"}],
    "removed": [{"id": "game", "version": "2"}],
    "changed": [{"id": "libgreet", "from": "1.0", "to": "1.1", "how": "upgraded"}],
}
INVENTORY: Record = {
    "deployed": [
        {
            "uri": "./SCOMO/Inventory/Deployed/bash",
            "id": "bash",
            "name": "bash",
            "version": "5.2",
            "state": "active",
            "status": 10,
            "environment": "dpkg",
            "pkg_id_ref": "",
        }
    ],
    "delivered": [],
    "download": [
        {"uri": "./SCOMO/Download/hello", "pkg_id": "hello-1.2", "name": "Hello", "status": 10}
    ],
}
NAMED: Record = {
    "id": 7,
    "name": "Hello",
    "version": "1.2",
    "what": "download and install",
    "server": "srv1",
    "phase": "waiting",
    "step": "consent",
}
NEXT: list[Record] = [
    {
        "at": 1_700_086_400.0,
        "what": "poll",
        "why": "it is called once a day",
        "server": "srv1",
        "operation": 0,
    }
]
REASONS: Record = {
    "now": 1_700_000_000.0,
    "device": [],
    "operations": [
        {**NAMED, "causes": [{"why": "mains power", "text": "It waits for mains power."}]}
    ],
    "servers": [
        {
            "server": "srv1",
            "name": "Example",
            "causes": [{"why": "nothing", "text": "Nothing waits for it."}],
        }
    ],
    "next": NEXT,
}
PLAN: Record = {
    "now": 1_700_000_000.0,
    "operations": [
        {
            **NAMED,
            "steps": [{"step": "consent", "text": "a person is asked (default)"}],
            "asks": "ask",
            "restart": False,
            "fetched": 0,
            "free": 1 << 30,
            "reserve": 1 << 20,
            "risks": [{"what": "unsigned", "text": "It is not signed."}],
            "unknown": [{"what": "size", "text": "Nobody has said how large it is."}],
        }
    ],
    "next": NEXT,
}
FINDING: Record = {
    "about": "disk",
    "finding": "disk",
    "mark": "ok",
    "text": "1.0 GiB are free.",
    "todo": "",
}
TRACE: Record = {
    "id": 3,
    "session": "A1",
    "server": "srv1",
    "began": 1_700_000_000.0,
    "outcome": "failed",
    "detail": "the server went away",
    "bytes": 4096,
    "text": "session A1 with srv1\nbegan 2023-11-14T22:13:20Z\n\n"
    "\u2192 99 octets, x/y, after 0.1 s\n    1 Get ./A\n\n"
    "\u2190 88 octets, x/y, after 0.2 s\n    2 Status to 1/1 Get ./A: 404 not found\n"
    "    3 Status to 1/2 Get ./B: 200 ok\nended failed: the server went away\n",
}
TREE: dict[str, str | None] = {
    ".": None,
    "./DevInfo": None,
    "./DevInfo/DevId": "urn:uuid:42",
    "./DevInfo/Man": "Example",
    "./SCOMO": None,
}


LONG_URI = "./SCOMO/Long"
LONG_VALUE = b"beginning \xff" + bytes(3000) + b"end"


class FakeDaemon:
    """One server, one waiting operation, one prompt, a small inventory and tree."""

    def __init__(self) -> None:
        self.servers = [dict(SERVER)]
        self.records = [dict(OPERATION)]
        self.waiting = {7: dict(PROMPT)}
        self.inventory_record: Record = dict(INVENTORY)
        self.baseline_record: Record = dict(BASELINE)
        self.profiles: list[bytes] = []
        self.pushes: list[tuple[str, bytes, str]] = []
        self.callers: list[str] = []
        self.handed: list[tuple[bytes, bytes, Record, str]] = []
        self.past: list[Record] = []
        self.requests: list[tuple[str, str, str]] = []
        self.request_answer: Record = {"status": 202, "is_waiting": False}
        self.findings: list[Record] = [dict(FINDING)]
        self.sessions = 0
        self.version = __version__
        self.session_outcome = "ok"
        self.emit: Callable[[str, Record], None] = lambda _event, _record: None
        self.has_agent: Callable[[], bool] = lambda: False
        self.leave: Callable[[], Awaitable[None]]

    def status(self) -> Record:
        return {
            "version": self.version,
            "device_id": "urn:uuid:42",
            "root": "/",
            "servers": self.servers,
            "session": "",
            "operations_live": len(self.waiting),
            "alerts_waiting": 0,
            "prompts_waiting": len(self.waiting),
            "agent": self.has_agent(),
        }

    def inventory(self) -> Record:
        return self.inventory_record

    async def baseline(self) -> Record:
        return self.baseline_record

    def operations(self) -> list[Record]:
        return self.records

    def one_operation(self, operation_id: int) -> Record:
        for record in self.records:
            if record["id"] == operation_id:
                return record
        raise Unknown(f"no operation {operation_id}")

    def reasons(self, operation_id: int) -> Record:
        if operation_id:
            self.one_operation(operation_id)
        return REASONS

    async def plan(self, operation_id: int) -> Record:
        if operation_id:
            self.one_operation(operation_id)
        return PLAN

    async def checkup(self) -> list[Record]:
        return self.findings

    def history(self) -> list[Record]:
        return self.past

    async def request(self, kind: str, component: str, server_id: str) -> Record:
        await asyncio.sleep(0)
        self.requests.append((kind, component, server_id))
        return {"server": server_id or "srv1", "source": "./SCOMO", **self.request_answer}

    def prompts(self) -> list[Record]:
        return list(self.waiting.values())

    async def run_session(self, server_id: str) -> Record:
        wanted = [s for s in self.servers if server_id in ("", s["server_id"])]
        if len(wanted) > 1:
            raise Unknown("say which server: srv1, srv2")
        server = wanted[0] if wanted else None
        if server is None:
            raise Unknown(f"no account {server_id}: see scomoctl status")
        await asyncio.sleep(0)
        self.sessions += 1
        is_ok = self.session_outcome == "ok"
        result = {
            "server": server["server_id"],
            "outcome": self.session_outcome,
            "detail": "" if is_ok else "the server refused the credentials",
            "messages": 4,
            "bytes_sent": 1234,
            "bytes_received": 5_000_000,
            "duration_s": 0.25,
            "alerts_delivered": 1,
            "commands": 3,
        }
        server["last_session"] = result
        self.emit("SessionEnded", result)
        return result

    def cancel(self, operation_id: int, *, by: str) -> str:
        if operation_id not in self.waiting:
            raise Refused(f"operation {operation_id} is over")
        self.callers.append(by)
        del self.waiting[operation_id]
        return "cancelled"

    def defer(self, operation_id: int, when: str, *, by: str) -> float:
        if operation_id not in self.waiting:
            raise Unknown(f"operation {operation_id} asks nothing")
        if when != "1h":
            raise Refused(f"{when!r} is no time")
        self.callers.append(by)
        prompt = self.waiting.pop(operation_id)
        self.emit("PromptChanged", {**prompt, "verdict": "deferred"})
        return 1_700_003_600.0

    def answer(self, operation_id: int, *, is_accepted: bool, by: str) -> None:
        if operation_id not in self.waiting:
            raise Unknown(f"operation {operation_id} asks nothing")
        self.callers.append(by)
        prompt = self.waiting.pop(operation_id)
        operation = next(r for r in self.records if r["id"] == operation_id)
        if is_accepted:
            operation.update(phase="running", step="acquire")
        else:
            operation.update(phase="failed", reason="cancelled", result=ResultCode.USER_CANCELLED)
        self.emit("PromptChanged", {**prompt, "verdict": "granted"})
        self.emit("OperationChanged", operation)

    def bootstrap(self, document: bytes, sec: str, mac: str, pin: Secret) -> list[str]:
        if b"<wap-provisioningdoc" not in document:
            raise Refused("that is no provisioning document")
        if sec and pin != RIGHT_PIN:
            raise WrongPin(f"{mac} does not fit this PIN")
        self.profiles.append(document)
        self.servers.append({**SERVER, "server_id": "srv2"})
        return ["srv2"]

    def push(self, kind: str, octets: bytes, sender: str) -> None:
        if not octets:
            raise Refused("it is not taken: it is empty")
        self.pushes.append((kind, octets, sender))

    async def install(self, file: int, signature: bytes, what: Record, *, by: str) -> int:
        if not signature:
            raise Refused(f"{what['name']} is not taken: it is not signed")
        await asyncio.sleep(0)
        self.handed.append((os.pread(file, 1 << 20, 0), signature, what, by))
        operation = {**OPERATION, "id": 8, "name": "editor", "phase": "running", "step": "acquire"}
        self.records.append(operation)
        return 8

    def tree_children(self, uri: str) -> list[str]:
        self.tree_node(uri)
        return [u.removeprefix(f"{uri}/") for u in TREE if u.rpartition("/")[0] == uri]

    def tree_node(self, uri: str) -> Record:
        if uri == LONG_URI:
            told = f"({len(LONG_VALUE)} octets)"
            more = {"type": "", "acl": "Get=*", "size": len(LONG_VALUE)}
            return {"uri": uri, "format": "bin", "value": told, **more}
        if uri not in TREE:
            raise Unknown(f"no node {uri}")
        value = TREE[uri]
        form = "node" if value is None else "chr"
        return {"uri": uri, "format": form, "type": "", "acl": "Get=*", "value": value or ""}

    def tree_octets(self, uri: str, offset: int) -> bytes:
        if uri == LONG_URI:
            return LONG_VALUE[offset : offset + 1000]
        if TREE.get(uri) is None:
            raise Refused(f"{uri} has no value: it is an interior node")
        return (TREE[uri] or "").encode()[offset:]

    def traces(self) -> list[Record]:
        return [{key: TRACE[key] for key in TRACE if key != "text"}]

    def trace(self, number: int) -> Record:
        if number != TRACE["id"]:
            raise Unknown(f"no trace {number}; see 'scomoctl trace'")
        return dict(TRACE)


class RunningDaemon:
    """A fake daemon in another thread; `do` runs something in its loop."""

    def __init__(self, daemon: Any, bus: BusServer, loop: asyncio.AbstractEventLoop) -> None:
        self.daemon = daemon
        self.bus = bus
        self._loop = loop

    def do(self, work: Callable[[], Any]) -> Any:
        result: Future[Any] = Future()

        def run() -> None:
            try:
                result.set_result(work())
            except BaseException as error:  # noqa: BLE001 - it is raised in the test
                result.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return result.result(timeout=100)

    def ask(self, prompt: Record) -> Future[bool]:
        return asyncio.run_coroutine_threadsafe(self.bus.ask(prompt), self._loop)

    def show(self, method: str, alert: Record) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(self.bus.show(method, alert), self._loop)


@contextlib.contextmanager
def running_daemon(address: str, daemon: Any = None) -> Iterator[RunningDaemon]:
    """Serve `daemon` (a `FakeDaemon` unless given) on the bus at `address`."""
    started: Future[tuple[RunningDaemon, asyncio.Event]] = Future()
    facade = FakeDaemon() if daemon is None else daemon

    async def serve() -> None:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            bus = BusServer(facade, tasks, SystemClock())
            facade.emit, facade.has_agent, facade.leave = bus.emit, bus.is_present, bus.close
            try:
                await bus.connect(address)
            except ScomodError as error:
                started.set_exception(error)
                return
            started.set_result((RunningDaemon(facade, bus, asyncio.get_running_loop()), stop))
            await stop.wait()
            await bus.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        running, stop = started.result(timeout=100)
        try:
            yield running
        finally:
            running.do(stop.set)
    finally:
        thread.join(timeout=100)
        assert not thread.is_alive()
