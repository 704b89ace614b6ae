# SPDX-License-Identifier: Apache-2.0
"""`script/demo`: a device and its server meet on this machine, everything real, in half a minute.

Starts the stage (D-Bus, daemon, root helper), the bench in this process and a
person who answers; plays `story.py`; exits 0 only if every check held.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import os
import secrets
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.busaddress import NotReachable
from scomod.busclient import Client
from scomod.clifmt import Style, duration
from scomod.clock import SystemClock
from scomod.errors import ScomodError
from scomod.lab import packages, stubs
from scomod.lab.bench import Bench
from scomod.lab.person import Person
from scomod.lab.sentences import LAB
from scomod.lab.show import Show
from scomod.lab.stage import START_S, Stage, StageError
from scomod.lab.story import Cast, News, Story

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130
USER: Final = "demo"
POLL_S: Final = 0.05


def main(argv: Sequence[str] | None = None) -> int:
    """Play the demo; returns 0 if every check held, 1 if not, 130 when interrupted."""
    options = _parser().parse_args(argv)
    if options.deb is not None and not options.deb.is_file():
        print(f"demo: no file {options.deb}", file=sys.stderr)
        return EXIT_FAILED
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # arrows, on a terminal that has none
    try:
        return asyncio.run(_play(options))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("\ninterrupted, everything was cleaned up", file=sys.stderr)
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--deb", type=Path, metavar="FILE", help="install this package instead (one you trust)"
    )
    parser.add_argument("--ask", action="store_true", help="you are the person at the device")
    parser.add_argument("--keep", action="store_true", help="keep the scratch directory")
    parser.add_argument("--trace", action="store_true", help="print every decoded message too")
    return parser


async def _play(options: argparse.Namespace) -> int:
    """Set the stage, play, clear up; also when we are told to end."""
    this = asyncio.current_task()
    if this is not None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, this.cancel)
    began_s = time.monotonic()
    show = Show(sys.stdout, Style.of(sys.stdout, os.environ))
    async with Stage(is_kept=options.keep) as stage:
        problems: list[str] = []
        try:
            await _perform(options, stage, show, problems)
        except (ScomodError, OSError) as error:
            show.bad(str(error))
            problems.append(str(error))
        if problems:
            _explain(stage, show)
    show.chapter("Not as it should be:" if problems else "Everything held.")
    show.plain(*problems, f"it took {duration(time.monotonic() - began_s)}")
    if options.keep:
        show.plain(f"kept: {stage.directory}")
    return EXIT_FAILED if problems else 0


async def _perform(
    options: argparse.Namespace, stage: Stage, show: Show, problems: list[str]
) -> None:
    """Bring everybody on the stage and play; what was wrong goes into `problems`."""
    show.chapter("Stage: a scratch device, its server, a person")
    bench = Bench(stage.directory / "bench", clock=SystemClock(), random=secrets.token_bytes)
    async with bench:
        show.line(LAB, f"DM server at {bench.dm_url}, device in {stage.root}")
        bench.register.observe(show.record)
        if options.trace:
            bench.dm.tap(show.message)
        stage.furnish(bench.pki)
        if options.deb is not None:
            _provide(options.deb, stage, show)
        await stage.start_bus()
        await stage.start_device()
        account = bench.register.add(USER)
        person = Person(show, is_at_terminal=options.ask)
        async with await Client.connect(stage.bus_address) as client:
            await _wait_for_daemon(stage, client)
            show.line(LAB, "the daemon is up on its own D-Bus")
            cast = Cast(
                stage=stage,
                bench=bench,
                client=client,
                person=person,
                show=show,
                account=account,
            )
            await _with_company(cast, Story(cast, problems).play(options.deb))


def _provide(deb: Path, stage: Stage, show: Show) -> None:
    """Have the device's image satisfy what a given package depends on."""
    names = stubs.preinstall(stage.root, deb, packages.native_architecture())
    if names:
        show.line(LAB, f"the device's image is said to hold {', '.join(names)}")


async def _wait_for_daemon(stage: Stage, client: Client) -> None:
    """Return as soon as the daemon answers; raises `StageError` if it never does."""
    end_s = time.monotonic() + START_S
    while True:
        stage.check()
        try:
            await client.status()
        except NotReachable as error:
            if time.monotonic() > end_s:
                raise StageError(f"the daemon does not come up: {error}") from error
            await asyncio.sleep(POLL_S)
        else:
            return


async def _with_company(cast: Cast, play: Coroutine[None, None, None]) -> None:
    """Play while the person listens and the device's own news are told."""
    is_ready = asyncio.Event()
    company = [
        asyncio.ensure_future(
            cast.client.serve_agent(cast.person.ask, cast.person.inform, is_ready.set)
        ),
        asyncio.ensure_future(News(cast.show).follow(await cast.client.subscribe())),
    ]
    try:
        await cast.stage.until(is_ready.is_set, "the person's agent", START_S)
        await play
    finally:
        play.close()
        for task in company:
            task.cancel()
        for task in company:
            with contextlib.suppress(asyncio.CancelledError, ScomodError):
                await task


def _explain(stage: Stage, show: Show) -> None:
    """Print the end of each program's log."""
    for name, lines in stage.tails():
        show.chapter(f"Log of {name}:")
        show.plain(*lines)


if __name__ == "__main__":
    sys.exit(main())
