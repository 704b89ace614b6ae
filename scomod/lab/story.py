# SPDX-License-Identifier: Apache-2.0
"""The demo's story, act by act, each with its checks.

What is checked is what counts: files on the device against the package's own
list, results against what must come, the server's view before and after.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scomod.codes import AlertCode, ComponentState, ResultCode
from scomod.explain import code_name
from scomod.lab import packages, profile, push
from scomod.lab.commands import ROOT, Value, components
from scomod.lab.devices import Phase
from scomod.lab.packageserver import Fault
from scomod.lab.sentences import DEVICE, LAB
from scomod.lab.stage import LOOPBACK, StageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from scomod.busclient import Client
    from scomod.lab.bench import Bench
    from scomod.lab.devices import Account, Order
    from scomod.lab.packages import Payload
    from scomod.lab.person import Person
    from scomod.lab.show import Show
    from scomod.lab.stage import Stage

SESSION_S: Final = 60.0
OPERATION_S: Final = 180.0
REMOVE: Final = "Remove"
# what is done with an installed component, and whether its files are there afterwards
# what the device does in a step, for people who watch
STEP_MEANINGS: Final = {
    "consent": "policy first, then the person",
    "acquire": "downloads over HTTPS, SHA-256 on the way",
    "verify": "checks the signature over that SHA-256",
    "disclose": "asks again if the package wants to do more than it may now",
    "install": "the root helper checks again and runs dpkg",
    "deactivate": "the root helper has dpkg take it off, and keeps the archive",
    "activate": "the root helper has dpkg install the kept archive",
    "remove": "the root helper has dpkg remove it",
    "settle": "compares the inventory with dpkg's own list",
}
USES: Final = (("Deactivate", False), ("Activate", True), (REMOVE, False))
FETCHING: Final = ("running", "acquire")
IDENTITY: Final = ("Man", "Mod", "DevId")


@dataclass(slots=True, kw_only=True)
class Cast:
    """Everybody on the stage."""

    stage: Stage
    bench: Bench
    client: Client
    person: Person
    show: Show
    account: Account


class Story:
    """Plays the acts; what is wrong goes into `problems`."""

    def __init__(self, cast: Cast, problems: list[str]) -> None:
        self._cast = cast
        self._show = cast.show
        self._left: set[str] = set()  # what the person wanted to keep
        self._problems = problems

    async def play(self, deb: Path | None) -> None:
        """Play all acts; raises `StageError` where going on makes no sense."""
        payload = await self._package(packages.HELLO, deb)
        first = await self._meet()
        if await self._install(payload):
            if deb is None:
                await self._update(payload)
            await self._use(payload)
        await self._decline()
        await self._forge()
        await self._part(first)

    # -- acts

    async def _meet(self) -> dict[str, str]:
        """Bootstrap, wake the device up, look around."""
        self._show.chapter("Meeting: bootstrap, notification, first session")
        cast = self._cast
        document = cast.stage.directory / "profile.xml"
        document.write_text(profile.profile_of(cast.account, cast.bench.dm_url))
        document.chmod(0o600)
        told = await cast.stage.scomoctl("bootstrap", str(document))
        self._show.line(LAB, f"scomoctl bootstrap profile.xml: {' '.join(told.split())}")
        values = await self._read("./DevInfo", "./DevDetail", f"{ROOT}/Inventory")
        self._check("the device verified package #0 and came for it", self._was_notified())
        leaves = [uri for uri in values if uri.startswith(("./DevInfo/", "./DevDetail/"))]
        self._show.plain(*(f"{uri:<28} {values[uri]}" for uri in leaves))
        self._check("the device names itself", all(f"./DevInfo/{n}" in values for n in IDENTITY))
        return _inventory(values)

    async def _install(self, payload: Payload) -> bool:
        """Install the package; returns whether it is there now: the person may have said no."""
        self._show.chapter(f"Installation of {payload.name} {payload.version}")
        files = packages.contents(payload.path)
        self._check("none of its files is there", len(self._cast.stage.missing(files)) > 0)
        self._cast.bench.packages.set_fault(payload.path.name, Fault.SLOW)  # there is a bar to see
        params = self._params(payload)
        is_there = await self._operate("install", ResultCode.SUCCESSFUL, **params)
        self._check_files(files, are_there=is_there)
        if is_there:
            values = await self._read(f"{ROOT}/Inventory")
            row = self._row(values, payload)
            self._check("it is active", row.get("State") == str(int(ComponentState.ACTIVE)))
            self._left.add(payload.name)
        return is_there

    async def _update(self, old: Payload) -> None:
        """Order a newer version with a part that cannot be installed, then alone."""
        self._show.chapter(
            f"Update of {old.name}: two components, of which one cannot be installed"
        )
        newer = await self._package(packages.NEWER, None)
        needy = await self._package(packages.NEEDY, None)
        bench = self._cast.bench
        suite = await asyncio.to_thread(
            packages.bundle,
            "suite-scomod",
            newer.version,
            [newer.path, needy.path],
            bench.packages.directory,
            bench.pki,
        )
        await self._operate("install", ResultCode.INSTALL_FAILED, **self._params(suite))
        self._row(await self._read(f"{ROOT}/Inventory"), old)
        self._check_files(packages.contents(needy.path), are_there=False)
        self._show.chapter(f"Update of {old.name} to {newer.version}")
        if await self._operate("install", ResultCode.SUCCESSFUL, **self._params(newer)):
            self._row(await self._read(f"{ROOT}/Inventory"), newer)

    async def _use(self, payload: Payload) -> None:
        """Deactivate, activate, remove: each asked for, done and reported."""
        files = packages.contents(payload.path)
        kept = packages.conffiles(payload.path)
        is_there = True
        for primitive, leaves_it in USES:
            self._show.chapter(f"{primitive} {payload.name}")
            if await self._component(payload, primitive):
                is_there = leaves_it
                if primitive == REMOVE:
                    self._left.discard(payload.name)
                    kept = []
            # What is switched off keeps its configuration, what is removed keeps nothing.
            wanted = files if is_there else [name for name in files if name not in kept]
            self._check_files(wanted, are_there=is_there)

    async def _decline(self) -> None:
        self._show.chapter("A package that the person does not want")
        payload = await self._package(packages.DECLINED, None)
        self._cast.person.says = False
        is_accepted = await self._operate("install", ResultCode.SUCCESSFUL, **self._params(payload))
        self._cast.person.says = True
        if is_accepted and not await self._component(payload, REMOVE):
            self._left.add(payload.name)
        self._check_files(packages.contents(payload.path), are_there=payload.name in self._left)

    async def _forge(self) -> None:
        self._show.chapter("A package that is not what was announced")
        payload = await self._package(packages.FORGED, None)
        self._cast.bench.packages.set_fault(payload.path.name, Fault.WRONG)
        expected = ResultCode.PACKAGE_VALIDATION_FAILED
        await self._operate("install", expected, **self._params(payload))
        self._check_files(packages.contents(payload.path), are_there=False)

    async def _part(self, first: dict[str, str]) -> None:
        self._show.chapter("Parting: is everything as it was?")
        values = await self._read(f"{ROOT}/Inventory")
        if self._left:
            names = {row["ID"] for row in _rows(values)}
            self._check("what the person kept is there", self._left <= names)
        else:
            self._check("the inventory is what it was at first", _inventory(values) == first)
        status = await self._cast.client.status()
        self._check("no report waits for the server", not status["alerts_waiting"])

    # -- what acts are made of

    async def _operate(self, kind: str, expected: ResultCode, **params: str) -> bool:
        """Order an operation and wait for its report; returns whether it was done.

        `expected` is the result that must come if the person says yes.
        """
        cast = self._cast
        answered = len(cast.person.answers)
        order = cast.bench.register.enqueue(cast.account, kind, params)
        await self._session(order)
        if order.phase is Phase.FAILED:
            raise StageError(f"the order failed: {order.detail}")
        report = f"the report with correlator {order.correlator}"
        await cast.stage.until(lambda: order.result is not None, report, OPERATION_S)
        answers = cast.person.answers[answered:]
        self._check("the person was asked exactly once", len(answers) == 1)
        wanted = expected if all(answers) else ResultCode.USER_CANCELLED
        self._check(
            f"the report says {code_name(wanted, ResultCode)}",
            order.result == wanted,
            f"it says {order.result}",
        )
        return order.result == ResultCode.SUCCESSFUL

    async def _component(self, payload: Payload, primitive: str) -> bool:
        """Order something of a deployed component; returns whether it was done."""
        return await self._operate(
            "component", ResultCode.SUCCESSFUL, id=payload.name, primitive=primitive
        )

    async def _read(self, *uris: str) -> dict[str, str]:
        """Read parts of the tree in a session; returns URI → text, shows the inventory."""
        params = {"uris": " ".join(uris)}
        order = self._cast.bench.register.enqueue(self._cast.account, "read", params)
        await self._session(order)
        if order.phase is not Phase.DONE:
            raise StageError(f"reading failed: {order.detail}")
        values = {uri: text for step in order.steps for uri, text in step["values"].items()}
        if f"{ROOT}/Inventory/Deployed" in values:
            self._show.table(_rows(values))
        return values

    async def _session(self, order: Order) -> None:
        """Ask the device for a session and wait until it has worked on an order."""
        cast = self._cast
        push.ask(cast.bench.register, cast.account, LOOPBACK, cast.stage.udp_port)
        what = f"a session that takes order {order.id} ({order.kind})"
        await cast.stage.until(lambda: not order.phase.is_due, what, SESSION_S)

    async def _package(self, recipe: packages.Recipe, deb: Path | None) -> Payload:
        """Build a package, or take the one given, to where it is served."""
        bench = self._cast.bench
        directory = bench.packages.directory
        if deb is None:
            return await asyncio.to_thread(packages.build, recipe, directory, bench.pki)
        served = directory / deb.name
        await asyncio.to_thread(shutil.copyfile, deb, served)
        return await asyncio.to_thread(packages.payload_of, served, bench.pki)

    def _params(self, payload: Payload) -> dict[str, str]:
        url = self._cast.bench.package_url(payload.path)
        return payload.order_params(url, description="from the demo")

    def _was_notified(self) -> bool:
        return any(
            record["what"] == "start" and record["code"] == AlertCode.SERVER_INITIATED_MANAGEMENT
            for record in self._cast.account.records
        )

    def _row(self, values: dict[str, str], payload: Payload) -> dict[str, str]:
        rows = [row for row in _rows(values) if row["ID"] == payload.name]
        self._check(f"the inventory shows {payload.name}", len(rows) == 1)
        row = rows[0] if rows else {}
        self._check(f"with version {payload.version}", row.get("Version") == payload.version)
        return row

    def _check_files(self, files: list[str], *, are_there: bool) -> None:
        missing = self._cast.stage.missing(files)
        if are_there:
            text = f"all {len(files)} files of the package are on the device"
            self._check(text, not missing, f"missing: {', '.join(missing)}")
        else:
            left = [name for name in files if name not in missing]
            text = f"none of the {len(files)} files of the package is on the device"
            self._check(text, not left, f"there: {', '.join(left)}")

    def _check(self, text: str, holds: bool, otherwise: str = "") -> None:
        if holds:
            self._show.good(text)
        else:
            problem = f"not so: {text}" + (f" ({otherwise})" if otherwise else "")
            self._show.bad(problem)
            self._problems.append(problem)


class News:
    """Tells what the device says of itself over D-Bus."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._steps: dict[int, tuple[str, str]] = {}
        self._began_s = 0.0
        self._total = 0

    async def follow(self, events: AsyncIterator[tuple[str, dict[str, Any]]]) -> None:
        """Follow the signals of the daemon, for ever."""
        async for name, record in events:
            if name == "Progress":
                self._total = record["total"]
                self._show.progress(record["done"], record["total"])
            elif name == "OperationChanged":
                self._step(record, (record["phase"], record["step"]))

    def _step(self, record: dict[str, Any], now: tuple[str, str]) -> None:
        before = self._steps.get(record["id"])
        if before == now:
            return
        self._steps[record["id"]] = now
        if before == FETCHING:
            self._show.downloaded(self._total, time.monotonic() - self._began_s)
        if now == FETCHING:
            self._total, self._began_s = 0, time.monotonic()
        self._show.line(DEVICE, f"{record['primitive']}: {_step_text(record)}")


def _rows(values: dict[str, str]) -> list[dict[str, str]]:
    """Return the table of deployed components in what was read."""
    base = f"{ROOT}/Inventory/Deployed"
    found = {
        uri: Value(format="node" if uri == base else "chr", data=text.encode())
        for uri, text in values.items()
    }
    return components(found)


def _inventory(values: dict[str, str]) -> dict[str, str]:
    """Return the inventory in what was read; the order of children has no meaning."""
    prefix = f"{ROOT}/Inventory"
    return {
        uri: "/".join(sorted(text.split("/")))
        for uri, text in values.items()
        if uri.startswith(prefix)
    }


def _step_text(record: dict[str, Any]) -> str:
    if record["phase"] == "failed":
        return f"failed in step {record['step']}: {record['reason']} ({record['detail']})"
    if record["phase"] == "running":
        return f"{record['step']}: {STEP_MEANINGS.get(record['step'], 'at work')}"
    if record["phase"] == "waiting":
        return f"{record['step']}: waits for the person"
    return str(record["phase"])
