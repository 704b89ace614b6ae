# SPDX-License-Identifier: Apache-2.0
"""A device on which many SCOMO orders are tried, one after the other, each with its own package.

Real bench, D-Bus, daemon, helper and dpkg; a person who says yes unless told
otherwise; a witness of every Status.  Processes are slow to start, so one bed
serves a whole table of rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from typing import TYPE_CHECKING, Any, Self

from scomod.busaddress import RemoteError
from scomod.busclient import Client
from scomod.codes import ALERT_TYPE_OPERATION_COMPLETE, AlertCode, ResultCode
from tests.support.debs import Deb
from tests.support.failing import deb_of
from tests.support.kills import kill_group
from tests.support.rig import Rig
from tests.support.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scomod.lab.devices import Order
    from scomod.lab.packages import Payload

ROOT = "./SCOMO"
KEPT = "var/lib/scomod/delivered"
IDLE = 10  # in all three branches
MARKS = {True: "informational", False: "critical"}
# A script fails as long as the device holds a file that says so.
FAILING = '! test -e "$DPKG_ROOT/$DPKG_MAINTSCRIPT_PACKAGE-{version}-$DPKG_MAINTSCRIPT_NAME-fails"'


CONFIG = """
[download]
idle_timeout_s = 1
retry_wait_s = 0.05
[scomo]
request_alerts = "scomo"
download_nodes = ["fixed"]
[confirm]
server_confirmation = "counts"
"""
# A systemd that knows one unit at a time, in the file beside it.
SYSTEMCTL = """#!/bin/sh
case "$1" in
start) echo active > "$0.state" ;;
stop) echo inactive > "$0.state" ;;
show) for name in "$@"; do :; done
  printf 'Id=%s\\nActiveState=%s\\nUnitFileState=static\\nResult=success\\n' \\
    "$name" "$(cat "$0.state")" ;;
esac
"""


class Bed:
    """Entered, the device is up and knows its server."""

    def __init__(self, directory: Path) -> None:
        self.rig = Rig(directory, confirm="ask")
        self.unwanted: set[str] = set()  # packages and components the person says no to
        self.prompts: list[Mapping[str, Any]] = []
        self.questions: list[Mapping[str, Any]] = []  # of servers, by user alert; always yes
        self._stack = contextlib.ExitStack()
        self._boots = 0

    def __enter__(self) -> Self:
        self._stack.enter_context(self.rig)
        self.rig.override(CONFIG)
        self.rig.bootstrap()
        self.witness = Witness(self.rig.root / "var/lib/scomod/scomod.db")
        self.start()
        self._stack.callback(self._attend())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # -- processes and the person

    def start(self) -> None:
        """Start daemon and helper; waits until the daemon answers."""
        self.daemon, self.helper = self.rig.start_daemon(), self.rig.start_helper()
        self.rig.until_up()

    def reboot(self, group: int | None = None) -> None:
        """Kill daemon, helper and the package tool in `group`; then the device comes up again."""
        for process in (self.daemon, self.helper):
            self.rig.kill(process)
        if group is not None:
            kill_group(group)
        self._boots += 1
        place = self.rig.root / "run/scomod"
        place.mkdir(parents=True, exist_ok=True)
        (place / "boot-id").write_text(f"boot {self._boots}\n")
        self.start()

    def _attend(self) -> Any:
        """Put the person at the device, over D-Bus; gives what sends them away."""
        is_ready = asyncio.Event()

        async def sit() -> None:
            async with await Client.connect(self.rig.bus_address) as client:
                await client.serve_agent(
                    self._answer, self.prompts.append, is_ready.set, self._agree
                )

        async def begin() -> asyncio.Task[None]:
            task = asyncio.ensure_future(sit())
            await is_ready.wait()
            return task

        async def end(task: asyncio.Task[None]) -> None:
            task.cancel()
            await asyncio.wait([task])

        task = self.rig.in_bench(begin())
        return lambda: self.rig.in_bench(end(task))

    async def _answer(self, prompt: Mapping[str, Any]) -> bool:
        self.prompts.append(prompt)
        return prompt["name"] not in self.unwanted

    async def _agree(self, method: str, alert: Mapping[str, Any]) -> bool:
        assert method == "Confirm"
        self.questions.append(alert)
        return True

    def put_systemd(self) -> Path:
        """Have the device's systemctl act on one unit; gives the file with its state."""
        program = self.rig.root / "usr/bin/systemctl"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(SYSTEMCTL)
        program.chmod(0o755)
        return program.with_name("systemctl.state")

    # -- ordering

    def package(self, name: str, version: str = "1.0", **more: Any) -> Payload:
        """Build a package whose scripts can be made to fail."""
        scripts = dict.fromkeys(("postinst", "prerm"), FAILING.format(version=version))
        return deb_of(self.rig, Deb(name=name, version=version, scripts=scripts, **more))

    def spoil(self, name: str, script: str, version: str = "1.0") -> None:
        """Have a script of a package fail from now on."""
        (self.rig.root / f"{name}-{version}-{script}-fails").touch()

    def exec(self, item: str, primitive: str) -> Order:
        """Order one of the operations of a package or component that is there."""
        return self.rig.order("exec", uri=f"{ROOT}/{item}/Operations/{primitive}")

    def session(self) -> None:
        """Hold a session that goes well."""
        assert self.rig.session()["outcome"] == "ok", self.rig.logs()

    def run(self, *orders: Order) -> None:
        """Hold a session and wait until all orders are reported."""
        self.session()
        for order in orders:
            assert order.phase != "failed", order.detail
            self.rig.result_of(order)
        self.rig.until_reported()

    def done(self, order: Order) -> None:
        """Run an order that must succeed."""
        self.run(order)
        assert order.result == ResultCode.SUCCESSFUL, self.rig.logs()

    # -- looking

    def value(self, path: str) -> str | None:
        """Return what a node below the root of the object holds, None where there is none."""
        try:
            return str(self.rig.ask("tree_node", f"{ROOT}/{path}")["value"])
        except RemoteError:
            return None

    def children(self, path: str) -> list[str]:
        """Return the names below an interior node."""
        return list(self.rig.ask("tree_children", f"{ROOT}/{path}"))

    def walk(self, item: str) -> list[int | None]:
        """Return every Status that a package or component ever had, in order; None: it went."""
        found = self.witness.walk(f"{ROOT}/{item}")
        pairs = zip(found, [*found[1:], IDLE], strict=False)
        # Idle right before the end is of the same transaction: nobody ever read it.
        return [status for status, after in pairs if (status, after) != (IDLE, None)]

    def installed(self) -> set[str]:
        """Return the names of all packages that dpkg has installed."""
        command = ["dpkg-query", f"--admindir={self.rig.root}/var/lib/dpkg", "-W"]
        listing = subprocess.run(
            [*command, "-f", "${db:Status-Abbrev}|${Package}\n"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        rows = (line.split("|") for line in listing.stdout.splitlines())
        return {name for state, name in rows if state[1] == "i"}

    def kept(self) -> list[str]:
        """Return the files of delivered packages that the daemon keeps."""
        return sorted(path.name for path in (self.rig.root / KEPT).iterdir())

    def device(self, name: str) -> str:
        """Return what dpkg has of a package ("i 1.0"), "" for nothing but configuration."""
        state = self.rig.dpkg_state(name)[1:]
        return "" if state[:1] in ("c", "n") else state

    def report(
        self, order: Order, *, source: str, target: str, identifier: str, result: ResultCode
    ) -> dict[str, Any]:
        """Return what the device must report of an order: all fields of the alert (scomo §4.1)."""
        return {
            "what": "alert",
            "code": AlertCode.GENERIC_ALERT,
            "type": ALERT_TYPE_OPERATION_COMPLETE,
            "correlator": order.correlator,
            "source": f"{ROOT}/{source}",
            "target": f"{ROOT}/{target}",
            "mark": MARKS[result == ResultCode.SUCCESSFUL],
            "result": result,
            "identifier": identifier,
        }

    def dpkg(self, *arguments: str) -> None:
        """Do something with dpkg behind the back of scomod."""
        force = ("--force-script-chrootless", "--force-not-root", "--force-bad-path")
        command = ["dpkg", f"--root={self.rig.root}", *force, *arguments]
        subprocess.run(command, check=True, capture_output=True)
