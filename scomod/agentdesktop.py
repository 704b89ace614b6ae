# SPDX-License-Identifier: Apache-2.0
"""`scomod-agent-desktop`: the agent of a desktop session; asks by notifications with buttons.

Started with the session, one in each.  It lives on two buses: on the system bus it is the
agent of scomod (`busclient.py`), on the session bus it shows notifications (`popups.py`).
Either side may go and come back.  What notifications cannot do, typing and long lists, it
does not pretend to: those are for `scomoctl agent` or a program of the product.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scomod import promptview
from scomod.busaddress import (
    ERROR_ACCESS_DENIED,
    NameTaken,
    NotReachable,
    RemoteError,
    find_address,
)
from scomod.clicall import EXIT_NOT_REACHABLE, EXIT_OK, EXIT_REFUSED
from scomod.facade import Deferred, NotShown
from scomod.language import Tongue, of_environment
from scomod.popups import CRITICAL, LOW, NORMAL, NOWHERE, REMIND_S, Place, Popup, Popups
from scomod.wording import filled, worded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence

    from scomod.busclient import Client
    from scomod.buswire import PacedBus
    from scomod.facade import Record

PROGRAM: Final = "scomod-agent-desktop"
NAME: Final = "org.scomod1.DesktopAgent"  # on the session bus: who has it is the one
LATER: Final = "1h"
CHOICES_COUNT: Final = 4  # buttons that a notification has room for
PERCENT_STEP: Final = 5
RETRY_S: Final = (5.0, 300.0)  # after the system bus or the daemon was not there; doubled

ALLOW: Final = worded("Allow")
DECLINE: Final = worded("Decline")
IN_AN_HOUR: Final = worded("In one hour")
YES: Final = worded("Yes")
NO: Final = worded("No")
NO_BUTTONS: Final = worded(
    "This desktop shows no buttons. To answer, type in a terminal: "
    "scomoctl confirm {number}, or: scomoctl decline {number}"
)
NEEDS_TYPING: Final = worded(
    "This question needs a keyboard. To answer, type in a terminal: scomoctl agent"
)
PROGRESS: Final = worded("{percent} percent are done.")
ENDED: Final = worded("Software on this device")
DESCRIPTION: Final = (
    "Show the questions of scomod as notifications of this desktop, until the session ends. "
    "Without buttons in notifications it says how to answer in a terminal."
)
EPILOG: Final = (
    "exit status: 0 the session ended, or another one runs in it, 2 usage, "
    "3 no session bus, 4 this user may not be asked. "
    "environment: DBUS_SESSION_BUS_ADDRESS, DBUS_SYSTEM_BUS_ADDRESS, LANGUAGE, LC_ALL, LANG."
)


class DesktopAgent:
    """Puts what the daemon asks and tells into notifications; `start` starts a task."""

    def __init__(
        self,
        popups: Popups,
        tongue: Tongue,
        start: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]],
    ) -> None:
        self._popups = popups
        self._tongue = tongue
        self._start = start
        self._names: dict[int, str] = {}
        self._progress: dict[int, tuple[Place, int]] = {}  # of the popup; percent

    async def ask(self, prompt: Record) -> bool:
        """Ask with buttons; without them until somebody answers elsewhere.  Raises `Deferred`."""
        self._names[prompt["operation"]] = prompt.get("name") or promptview.headline(prompt)
        lines = list(promptview.sentences(prompt, self._tongue))
        if not self._popups.has_buttons:
            lines.append(self._tongue(filled(NO_BUTTONS, number=prompt["operation"])))
        actions = [("allow", ALLOW), ("decline", DECLINE)]
        if prompt.get("deferrals_left"):
            actions.append(("later", IN_AN_HOUR))
        key = await self._popups.ask(self._question(promptview.headline(prompt), lines, actions))
        if key == "later":
            raise Deferred(LATER)
        return key == "allow"

    def inform(self, prompt: Record) -> None:
        """Tell what begins, or that a restart is needed; the latter stays until it is closed."""
        is_restart = not prompt.get("primitive")
        if prompt.get("operation"):
            self._names[prompt["operation"]] = prompt.get("name") or promptview.headline(prompt)
        popup = Popup(
            summary=promptview.headline(prompt),
            body="\n".join((prompt.get("text") or "").splitlines()),
            urgency=CRITICAL if is_restart else NORMAL,
            stays=is_restart,
        )
        self._start(self._tell(popup))

    def completed(self, operation: Record) -> None:
        """Tell how an operation ended, in the place of how far it was."""
        place, _ = self._progress.pop(operation["id"], (NOWHERE, 0))
        self._names.pop(operation["id"], None)
        is_good = operation.get("phase") == "succeeded"
        popup = Popup(
            summary=self._tongue(ENDED),
            body=promptview.ended(operation),
            urgency=NORMAL if is_good else CRITICAL,
        )
        self._start(self._tell(popup, place))

    async def show(self, method: str, alert: Record) -> Any:
        """Put a user alert; raises `NotShown` for what cannot be answered by a button."""
        summary, lines = promptview.who(alert, self._tongue), alert["text"].splitlines()
        if method == "Display":
            await self._popups.tell(Popup(summary=summary, body="\n".join(lines)))
            return None
        actions = _actions(method, alert)
        if not actions or not self._popups.has_buttons:
            text = self._tongue(NEEDS_TYPING)
            await self._popups.tell(Popup(summary=summary, body="\n".join([*lines, text])))
            raise NotShown(f"notifications here have no {method}")
        key = await self._popups.ask(self._question(summary, lines, actions))
        return key == "yes" if method == "Confirm" else [int(key)]

    async def follow(
        self, client: Client, events: AsyncIterator[tuple[str, Record]], language: str
    ) -> None:
        """Show how far operations are that the person was asked or told about.

        When somebody is to be asked and no agent is there, one took our place and left.
        """
        with contextlib.suppress(NotReachable, RemoteError):  # the next connection follows anew
            async for event, record in events:
                if event == "Progress" and record["total"] and record["id"] in self._names:
                    await self._advance(record["id"], record["done"] * 100 // record["total"])
                is_new = event == "PromptChanged" and not record.get("verdict")
                if is_new and not (await client.status())["agent"]:
                    await client.register_agent(language)

    async def _advance(self, operation: int, percent: int) -> None:
        place, shown = self._progress.get(operation, (NOWHERE, -PERCENT_STEP))
        if abs(percent - shown) < PERCENT_STEP:
            return
        popup = Popup(
            summary=self._names[operation],
            body=self._tongue(filled(PROGRESS, percent=percent)),
            urgency=LOW,
            stays=False,
            percent=percent,
        )
        self._progress[operation] = (await self._popups.tell(popup, place), percent)

    def _question(
        self, summary: str, lines: Sequence[str], actions: Sequence[tuple[str, str]]
    ) -> Popup:
        labels = tuple((key, self._tongue(label)) for key, label in actions)
        body = "\n".join(lines)
        return Popup(summary=summary, body=body, actions=labels, urgency=CRITICAL)

    async def _tell(self, popup: Popup, replaces: Place = NOWHERE) -> None:
        await self._popups.tell(popup, replaces)


def _actions(method: str, alert: Record) -> list[tuple[str, str]]:
    """Return the buttons that answer an alert, none where buttons cannot."""
    choices = alert.get("choices") or []
    if method == "Confirm":
        return [("yes", YES), ("no", NO)]
    if method == "Choose" and not alert.get("is_multiple") and len(choices) <= CHOICES_COUNT:
        return [(str(number), choice) for number, choice in enumerate(choices, start=1)]
    return []


class _Over(Exception):  # noqa: N818 - a condition
    """The session is."""


async def serve(
    environ: Mapping[str, str],
    session_address: str,
    *,
    retry_s: tuple[float, float] = RETRY_S,
    remind_s: float = REMIND_S,
) -> int:
    """Be the agent until the session ends; returns the exit status.  Raises `NotReachable`.

    `retry_s` are the first and the longest pause after something was not there.
    """
    from scomod.buswire import open_bus  # noqa: PLC0415 - not for --help

    session = await open_bus(session_address)
    try:
        await session.claim(NAME)
        return await _as_long_as(session, environ, retry_s, remind_s)
    except NameTaken:
        _say("another one shows the questions in this session")
        return EXIT_OK
    finally:
        await session.close()


async def _as_long_as(
    session: PacedBus, environ: Mapping[str, str], retry_s: tuple[float, float], remind_s: float
) -> int:
    """Be the agent while there is a session; what is on the screen goes with its end."""
    status, popups = EXIT_OK, Popups(session, remind_s)
    try:
        async with asyncio.TaskGroup() as tasks:
            await popups.begin()
            gone = tasks.create_task(_gone(session))
            await _be_agent(environ, popups, tasks.create_task, retry_s)
            status = EXIT_REFUSED
            gone.cancel()
    except* (_Over, NotReachable):
        pass  # whatever was going on, it ended with the session
    finally:
        await popups.end()
    return status


async def _gone(session: PacedBus) -> None:
    await session.wait_gone()
    raise _Over


async def _be_agent(
    environ: Mapping[str, str],
    popups: Popups,
    start: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]],
    retry_s: tuple[float, float],
) -> None:
    """Be the agent again and again; returns if this user may not."""
    from scomod.busclient import Client  # noqa: PLC0415 - not for --help

    languages, address = of_environment(environ), find_address(environ, Path("/"))
    agent = DesktopAgent(popups, Tongue(languages), start)
    wait_s, longest_s = retry_s
    while True:
        await popups.here()
        try:
            async with await Client.connect(address) as client:
                start(agent.follow(client, await client.subscribe(), languages))
                await client.serve_agent(
                    agent.ask,
                    agent.inform,
                    lambda: None,
                    agent.show,
                    agent.completed,
                    language=languages,
                    start=start,
                )
        except RemoteError as error:
            _say(str(error))
            if error.name == ERROR_ACCESS_DENIED:
                return
        except NotReachable as error:
            _say(str(error))
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, longest_s)


def _say(text: str) -> None:
    sys.stderr.write(f"{PROGRAM}: {text}\n")


def session_bus(environ: Mapping[str, str]) -> str:
    """Return the address of the bus of this session."""
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return environ.get("DBUS_SESSION_BUS_ADDRESS") or f"unix:path={runtime}/bus"


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of `scomod-agent-desktop`: it takes nothing."""
    return argparse.ArgumentParser(prog=PROGRAM, description=DESCRIPTION, epilog=EPILOG)


async def _until_told_to_stop(environ: Mapping[str, str]) -> int:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await serve(environ, session_bus(environ))


def main(argv: Sequence[str] | None = None) -> int:
    """Run until the session ends; returns the exit status."""
    make_parser().parse_args(argv)
    try:
        return asyncio.run(_until_told_to_stop(os.environ))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_OK  # the notifications are off the screen
    except NotReachable as error:
        _say(str(error))
        return EXIT_NOT_REACHABLE


if __name__ == "__main__":
    sys.exit(main())
