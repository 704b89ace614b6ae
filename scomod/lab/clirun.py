# SPDX-License-Identifier: Apache-2.0
"""`scomod-lab run`: scenarios (`scenario`) with a bench that runs, or with one of its own."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scomod.clock import SystemClock
from scomod.lab import scenario
from scomod.lab.admin import Admin
from scomod.lab.scenario import ScenarioError
from scomod.lab.scenariorun import Run, Unmet

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

EXIT_UNMET: Final = 1
EXIT_WRONG: Final = 2
PUSH_PORT: Final = "2948"
_ADDRESS: Final = re.compile(r".+:\d{1,5}")


def add(commands: Any) -> None:
    """Add the command to the parser."""
    run = commands.add_parser("run", help="play a scenario with a device, and check what it does")
    run.add_argument("file", type=Path, help="see docs/examples/scenarios")
    run.add_argument("--device", required=True, metavar="NAME", help="user or device id")
    run.add_argument("--push", default="", metavar="HOST[:PORT]", help="where it takes pushes")
    run.add_argument("--start", default="", metavar="COMMAND", help="makes it begin a session")
    run.add_argument("--check", action="store_true", help="only read the file")
    run.add_argument("--serve", action="store_true", help="with a bench of its own")
    run.add_argument("--host", default="127.0.0.1", help="address that one listens on")
    run.add_argument("--port", type=int, default=8443)
    run.set_defaults(action=_run)


def _run(arguments: argparse.Namespace) -> int | None:
    """Play; returns 1 where an expectation did not hold, 2 for a file that makes no sense."""
    try:
        wanted = scenario.read(arguments.file)
    except ScenarioError as error:
        print(f"scomod-lab: {error}", file=sys.stderr)
        return EXIT_WRONG
    if arguments.check:
        return None
    address = arguments.push
    if address and not _ADDRESS.fullmatch(address):
        address = f"{address}:{PUSH_PORT}"
    own = _bench(arguments) if arguments.serve else contextlib.nullcontext()
    with own:
        play = Run(
            Admin(arguments.dir),
            arguments.device,
            push_to=address,
            start=arguments.start,
            tell=_say,
        )
        try:
            play.play(wanted)
        except Unmet as error:
            print(error, file=sys.stderr)
            return EXIT_UNMET
    return None


@contextlib.contextmanager
def _bench(arguments: argparse.Namespace) -> Iterator[None]:
    """Run a bench in a thread, with an account for the device."""
    from scomod.lab.bench import Bench  # noqa: PLC0415 - aiohttp, not needed with another bench

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def do(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    bench = Bench(
        arguments.dir,
        clock=SystemClock(),
        random=secrets.token_bytes,
        host=arguments.host,
        port=arguments.port,
        token=secrets.token_urlsafe(),
    )
    try:
        do(bench.__aenter__())
        admin = Admin(arguments.dir)
        with admin.announced(bench.base_url, bench.token):
            users = {account["user"] for account in admin.call("devices")}
            ids = {account["device_id"] for account in admin.call("devices")}
            if arguments.device not in users | ids:
                admin.call("devices", {"user": arguments.device})
            _say(f"DM server at {bench.dm_url}, devices must trust {bench.pki.ca_file}")
            yield
    finally:
        do(bench.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _say(line: str) -> None:
    print(line, flush=True)
