# SPDX-License-Identifier: Apache-2.0
"""Where the bench measures: a scratch directory, a private D-Bus, the lab's server, devices.

One daemon at a time owns the name on the bus, so devices are entered one after
the other.  Everything is ended and removed on the way out.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from scomod.busaddress import BUS_NAME
from scomod.busclient import Client
from scomod.buswire import open_bus, owner_change, owner_rule
from scomod.clock import SystemClock
from scomod.lab import profile
from scomod.lab.bench import Bench
from scomod.lab.stage import Stage

if TYPE_CHECKING:
    from scomod.lab.devices import Account, Order, Record

ROOT: Final = Path(__file__).resolve().parents[1]
HERE: Final = Path(__file__).parent
DEADLINE_S: Final = 300.0
POLL_S: Final = 0.005
SETTLE_S: Final = 0.5
CONFIG: Final = """
[device]
id = "urn:bench:1"
[transport]
ca_file = "etc/scomod/ca.pem"
[bootstrap]
first_session = "asked"
[notification]
udp_address = "127.0.0.1"
udp_port = {udp_port}
[poll]
interval_s = 0
[download]
reserve_bytes = 0
[confirm]
default = "silent"
[install]
runner = "{runner}"
"""


@dataclass(slots=True, kw_only=True)
class Ground:
    """What all cases stand on; `is_quick` asks for smaller sizes and fewer rounds."""

    stage: Stage
    lab: Bench
    is_quick: bool

    @property
    def directory(self) -> Path:
        """The scratch directory."""
        return self.stage.directory

    def rounds(self, full: int, quick: int) -> int:
        """Return how often to measure."""
        return quick if self.is_quick else full


@contextlib.asynccontextmanager
async def ground(*, is_quick: bool) -> Any:
    """Enter with a `Ground`."""
    async with Stage(is_kept=False) as stage:
        clock, random = SystemClock(), secrets.token_bytes
        async with Bench(stage.directory / "bench", clock=clock, random=random) as lab:
            await stage.start_bus()
            yield Ground(stage=stage, lab=lab, is_quick=is_quick)


class Device:
    """A furnished device with its account; processes run while it is entered."""

    def __init__(self, ground: Ground, name: str, *, runner: str = "spool") -> None:
        self._ground = ground
        self._runner = runner
        self.root = ground.directory / name
        self.account: Account = ground.lab.register.add(name)
        self._daemon: asyncio.subprocess.Process | None = None
        self._helper: asyncio.subprocess.Process | None = None
        self._watched: dict[tuple[str, str], float] = {}  # (what, correlator) -> monotonic s
        self._furnish()
        ground.lab.register.observe(self._note)

    async def __aenter__(self) -> Self:
        if self._runner == "spool":
            module = ("-m", "scomod.installers.helper", "--watch")
            self._helper = await self._run(sys.executable, *module)
        await self.start()
        self.client = await Client.connect(self._ground.stage.bus_address)
        document = profile.profile_of(self.account, self._ground.lab.dm_url)
        await self.client.bootstrap(document.encode())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        await self.stop()
        if self._helper is not None:
            await _end(self._helper)

    # -- processes ---------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The daemon's."""
        assert self._daemon is not None  # noqa: S101 - entered
        return self._daemon.pid

    @property
    def pids(self) -> list[int]:
        """The daemon's and the helper's."""
        return [process.pid for process in (self._daemon, self._helper) if process is not None]

    async def start(self) -> float:
        """Start the daemon as its unit would; returns the seconds until it owns its name."""
        bus = await open_bus(self._ground.stage.bus_address)
        came: asyncio.Future[float] = asyncio.get_running_loop().create_future()

        def take(message: Any) -> None:
            if owner_change(message) not in (None, (BUS_NAME, "")) and not came.done():
                came.set_result(time.perf_counter())

        try:
            bus.add_message_handler(take)
            await bus.invoke_bus("AddMatch", owner_rule(BUS_NAME))
            began = time.perf_counter()
            self._daemon = await self._run(*_program(), "--resident")
            async with asyncio.timeout(DEADLINE_S):
                return await came - began
        finally:
            await bus.close()

    async def stop(self) -> None:
        """End the daemon and wait for it."""
        if self._daemon is not None:
            await _end(self._daemon)
            self._daemon = None

    def configure(self, text: str) -> None:
        """Configure something on top, for later starts."""
        folder = self.root / "etc/scomod/config.d"
        folder.mkdir(exist_ok=True)
        (folder / "50-bench.toml").write_text(text)

    async def short_life(self, *within: str, pass_fds: tuple[int, ...] = ()) -> str:
        """Run a daemon that leaves by itself, inside a command; returns what that printed."""
        process = await asyncio.create_subprocess_exec(
            *within, *_program(), "--root", str(self.root),
            env=self._environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, pass_fds=pass_fds,
        )  # fmt: skip
        async with asyncio.timeout(DEADLINE_S):
            printed, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"the daemon ended with {process.returncode}")
        return printed.decode()

    async def settle(self) -> None:
        """Let what was begun come to rest."""
        await asyncio.sleep(SETTLE_S)

    # -- the server's side -----------------------------------------------------------

    async def session(self) -> Record:
        """Run a session that the device begins; raises `RuntimeError` unless it went well."""
        record = await self.client.run_session(self.account.server_id)
        if record["outcome"] != "ok":
            raise RuntimeError(f"session failed: {record['detail']}\n{self.log()}")
        return record

    async def operate(self, kind: str, **params: str) -> float:
        """Have an operation done; returns the seconds from its acceptance to its report."""
        order: Order = self._ground.lab.register.enqueue(self.account, kind, params)
        await self.session()
        end_s = time.monotonic() + DEADLINE_S
        while order.result is None:
            if time.monotonic() > end_s or order.phase.name == "FAILED":
                raise RuntimeError(f"no report of {kind}: {order.detail}\n{self.log()}")
            await asyncio.sleep(POLL_S)
        if order.result != 1200:
            raise RuntimeError(f"{kind} gave {order.result}\n{self.log()}")
        return self._watched["alert", order.correlator] - self._watched["order", str(order.id)]

    def log(self) -> str:
        """Return the end of the programs' log."""
        return self.log_file.read_text("utf-8", "replace")[-4000:]

    @property
    def log_file(self) -> Path:
        """Where the programs write."""
        return self.root.with_suffix(".log")

    def _note(self, account: Account, record: Record) -> None:
        """Remember when an order was accepted and when its report came."""
        if account is self.account and record["what"] in ("order", "alert"):
            key = record.get("correlator") or str(record.get("order"))
            self._watched[record["what"], key] = time.monotonic()

    def _furnish(self) -> None:
        config = self.root / "etc/scomod"
        (config / "keys").mkdir(parents=True)
        pki = self._ground.lab.pki
        shutil.copyfile(pki.ca_file, config / "ca.pem")
        shutil.copyfile(pki.signing_public_file, config / "keys/lab.pem")
        text = CONFIG.format(udp_port=self._ground.stage.udp_port, runner=self._runner)
        (config / "scomod.toml").write_text(text)

    def _environment(self) -> dict[str, str]:
        address = self._ground.stage.bus_address
        return {**clean_environment(), "DBUS_SYSTEM_BUS_ADDRESS": address}

    async def _run(self, *command: str) -> asyncio.subprocess.Process:
        with self.log_file.open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *command, "--root", str(self.root),
                env=self._environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip


def clean_environment() -> dict[str, str]:
    """Return our environment without what makes Python compile everything at each start."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}


def _program() -> list[str]:
    """Return the installed console script, or the module where there is none."""
    script = Path(sys.executable).with_name("scomod")
    return [str(script)] if script.exists() else [sys.executable, "-m", "scomod"]


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(10):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
