# SPDX-License-Identifier: Apache-2.0
"""A whole device for tests: bench, bus, daemon and helper, all real processes but the bench.

The bench runs in a thread of the test, so that a story is plain code: order,
wait, look.  Daemon and helper can be told to die at a boundary (`dying.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from scomod.busaddress import NotReachable
from scomod.busclient import Client
from scomod.clock import SystemClock
from scomod.codes import ResultCode
from scomod.dmclient.codec import encoding_of
from scomod.lab import profile
from scomod.lab.bench import Bench
from scomod.lab.doorkeeper import Envelope
from scomod.lab.packages import Recipe
from tests.support import json_shapes, nursery
from tests.support.private_bus import private_bus
from tests.support.serverside import DEADLINE_S, ServerSide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from scomod.lab.devices import Account
    from tests.support.nursery import Program

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
[device]
id = "urn:test:1"
[transport]
ca_file = "etc/scomod/ca.pem"
read_timeout_s = 5
[bootstrap]
first_session = "{first_session}"
[notification]
udp_address = "127.0.0.1"
udp_port = {udp_port}
[poll]
interval_s = 0
[session]
retry_wait_s = 0.2
[download]
idle_timeout_s = 2
attempts_count = 3
retry_wait_s = 0.1
reserve_bytes = 0
[confirm]
default = "{confirm}"
[install]
runner = "{runner}"
[install.dpkg]
lock_wait_s = 10
{more}
"""


class Rig(ServerSide):
    """Entered, it has a bench, a bus and a bootstrapped device; the daemon is started by hand."""

    def __init__(
        self,
        directory: Path,
        *,
        confirm: str = "silent",
        runner: str = "spool",
        more: str = "",
        first_session: str = "asked",
        with_server_auth: bool = True,
    ) -> None:
        self.directory = directory
        self.root = directory / "device"
        self.udp_port = 0
        self._config = {
            "confirm": confirm,
            "runner": runner,
            "first_session": first_session,
            "more": more,
        }
        self._with_server_auth = with_server_auth
        self._stack = contextlib.ExitStack()
        self._processes: list[Program] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.bus_address = ""
        self.bus_pid = 0
        self.environ: dict[str, str] = {}

    # -- life ------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        self.bench: Bench = self.in_bench(self._open_bench())
        self.account: Account = self.bench.register.add("device-1")
        bus = self._stack.enter_context(private_bus())
        self.bus_address, self.bus_pid = bus.address, bus.pid
        self._furnish()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            _end(process)
        self._stack.close()
        self.in_bench(self.bench.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open_bench(self) -> Bench:
        bench = Bench(self.directory / "bench", clock=SystemClock(), random=secrets.token_bytes)
        return await bench.__aenter__()

    def in_bench(self, work: Any) -> Any:
        """Run a coroutine in the bench's thread: its files have one writer."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_S)

    def _furnish(self) -> None:
        config = self.root / "etc/scomod"
        (config / "keys").mkdir(parents=True)
        shutil.copyfile(self.bench.pki.ca_file, config / "ca.pem")
        shutil.copyfile(self.bench.pki.signing_public_file, config / "keys/bench.pem")
        self.write_config(**self._config)

    def write_config(self, **values: str) -> None:
        text = CONFIG.format(udp_port=self.udp_port, **{**self._config, **values})
        (self.root / "etc/scomod/scomod.toml").write_text(text)

    def override(self, text: str) -> None:
        """Configure something on top, "" takes it back; counts from the next start on."""
        folder = self.root / "etc/scomod/config.d"
        folder.mkdir(exist_ok=True)
        (folder / "50-test.toml").write_text(text)

    # -- processes ---------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        # Compiled files are kept, or every start would compile the project again.
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        return {
            **kept,
            "DBUS_SYSTEM_BUS_ADDRESS": self.bus_address,
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error",
            "LC_ALL": "C.UTF-8",
            **self.environ,
        }

    def start(
        self, module: str, *arguments: str, within: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        """Start `WITHIN python -m MODULE ARGUMENTS --root ROOT`, its log in the test's folder."""
        with self._log_of(module).open("ab") as output:
            process = subprocess.Popen(
                [*within, sys.executable, "-m", module, *arguments, "--root", str(self.root)],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def start_agent(self, answer: str) -> Program:
        """Start a person who always says "yes" or "no", and wait until the daemon knows them."""
        process = self._fork("scomod.cli", "--root", str(self.root), "agent", "--answer", answer)
        self.until(lambda: self.status()["agent"], "the agent")
        return process

    def start_watch(self) -> Program:
        """Start somebody who watches."""
        return self._fork("scomod.cli", "--root", str(self.root), "watch")

    def _fork(self, module: str, *arguments: str) -> Program:
        log = self._log_of(module)
        env = self.environment()
        process = nursery.start(module, arguments, env=env, stdout=log, stderr=log)
        self._processes.append(process)
        return process

    def _log_of(self, module: str) -> Path:
        return self.directory / f"{module.rpartition('.')[2]}.log"

    def start_daemon(self, within: Sequence[str] = ()) -> Program:
        if within:
            return self.start("scomod", "--resident", within=within)
        return self._fork("scomod", "--resident", "--root", str(self.root))

    def start_helper(self, within: Sequence[str] = ()) -> Program:
        if within:
            return self.start("scomod.installers.helper", "--watch", within=within)
        return self._fork("scomod.installers.helper", "--watch", "--root", str(self.root))

    def start_dying(self, program: str, boundaries: Iterable[str]) -> Program:
        """Start the daemon or the helper so that each boundary kills it once."""
        stay = "--resident" if program == "daemon" else "--watch"
        self.diary.touch()
        arguments = (program, str(self.diary), ",".join(boundaries), stay)
        return self._fork("tests.support.dying", *arguments, "--root", str(self.root))

    @property
    def diary(self) -> Path:
        """Where dying processes write down which boundary killed them."""
        return self.directory / "diary"

    def stop(self, process: Program) -> int:
        process.terminate()
        return process.wait(DEADLINE_S)

    def kill(self, process: Program) -> None:
        process.kill()
        process.wait()

    def run(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of our programs to its end."""
        number = len(self._processes)
        out, err = (self.directory / f"run-{number}.{name}" for name in ("stdout", "stderr"))
        command = ["--root", str(self.root), *arguments]
        process = nursery.start(module, command, env=self.environment(), stdout=out, stderr=err)
        self._processes.append(process)
        code = process.wait(DEADLINE_S)
        return subprocess.CompletedProcess(
            [module, *command], code, out.read_text(), err.read_text()
        )

    def scomoctl(self, *arguments: str, code: int | None = 0) -> Any:
        """Run scomoctl --json; returns the document, checks the exit code."""
        done = self.run("scomod.cli", "--json", *arguments)
        if code is not None:
            assert done.returncode == code, done.stderr + done.stdout + self.logs()
        if not done.stdout.strip():
            return done.stderr
        return json_shapes.check(arguments[0], json.loads(done.stdout))

    def ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Ask the daemon over D-Bus, in this process: scomoctl has tests of its own."""

        async def ask() -> Any:
            async with await Client.connect(self.bus_address) as client:
                return await getattr(client, method)(*arguments, **options)

        return self.in_bench(ask())

    def status(self) -> Any:
        return self.ask("status")

    def inventory(self) -> Any:
        return self.ask("inventory")

    def prompts(self) -> Any:
        return self.ask("prompts")

    def operations(self) -> Any:
        return self.ask("operations")

    def bootstrap(self, dm_url: str = "") -> None:
        document = self.directory / "profile.xml"
        text = profile.profile_of(self.account, dm_url or self.bench.dm_url)
        if not self._with_server_auth:
            start = text.index('<characteristic type="APPAUTH">', text.index("CLIENT") - 200)
            end = text.index("</characteristic>", start) + len("</characteristic>")
            text = text[:start] + text[end:]
        document.write_text(text)
        self.scomoctl("bootstrap", str(document))

    # -- the story -------------------------------------------------------------------

    def bench_reply(self, body: bytes, content_type: str) -> bytes:
        """What the bench's DM server answers to a message."""

        async def exchange() -> bytes:
            encoding = encoding_of(content_type)
            return self.bench.dm.exchange(Envelope(body), encoding, self.bench.dm_url).body

        reply: bytes = self.in_bench(exchange())
        return reply

    def start_session(self) -> Program:
        """Ask for a session and do not wait for its end."""
        return self._fork("scomod.cli", "--root", str(self.root), "session")

    def until(
        self, condition: Callable[[], Any], what: str = "", seconds: float = DEADLINE_S
    ) -> Any:
        """Wait for a condition and return its value; fails with the logs."""
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, f"waited in vain for {what}\n{self.logs()}"
            time.sleep(0.02)
        return value

    def until_up(self) -> None:
        def is_up() -> bool:
            try:
                return bool(self.status())
            except NotReachable:
                return False

        self.until(is_up, "the daemon")

    def dpkg_state(self, name: str) -> str:
        """What dpkg says of a package: "ii 1.0", "" when it knows nothing."""
        done = subprocess.run(
            ["dpkg-query", f"--admindir={self.root}/var/lib/dpkg", "-W",
             "-f", "${db:Status-Abbrev}${Version}", name],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout.strip() if done.returncode == 0 else ""

    def dpkg_audit(self) -> str:
        """What dpkg finds wrong with its own database, "" for nothing."""
        command = ["dpkg", f"--root={self.root}", "--audit"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout if (self.root / "var/lib/dpkg/status").exists() else ""

    def spool(self) -> list[str]:
        """Names of what lies in the spool."""
        return sorted(path.name for path in (self.root / "var/lib/scomod/spool").iterdir())

    def until_reported(self) -> None:
        """Wait until the server has taken all reports, and nothing else is under way."""

        def is_quiet() -> bool:
            status = self.status()
            return not (status["alerts_waiting"] or status["operations_live"] or status["session"])

        self.until(is_quiet, "all reports taken")

    def check_well(self, name: str = "after-all") -> None:
        """A good session, a good installation, and nothing left behind of what was before."""
        recipe = Recipe(name=name, version="1.0", summary="a text", files={f"usr/share/{name}": ""})
        order = self.order_install(self.payload(recipe))
        assert self.session()["outcome"] == "ok", self.logs()
        assert self.result_of(order) == ResultCode.SUCCESSFUL, self.logs()
        self.until_reported()
        assert self.dpkg_state(name) == "ii 1.0"
        assert self.dpkg_audit() == ""
        assert self.spool() == []
        assert len(self.reports(order)) == 1

    def logs(self) -> str:
        found = sorted(self.directory.glob("*.log"))
        return "\n".join(f"--- {p.name}\n{p.read_text()[-3000:]}" for p in found)


def _end(process: Program) -> None:
    with contextlib.suppress(ProcessLookupError):  # a fork that has no session yet has no group
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
