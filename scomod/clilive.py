# SPDX-License-Identifier: Apache-2.0
"""The commands of `scomoctl` that stay: `watch` lives on signals, `agent` answers the daemon."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from scomod import clialert, cliview, daytime, promptview
from scomod.clicall import EXIT_OK, UsageError
from scomod.clifmt import progress, speed
from scomod.facade import Deferred, Refused
from scomod.language import Tongue, of_environment
from scomod.meter import Meters
from scomod.operation import CHANGES
from scomod.terminal import read_line
from scomod.wording import worded

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.clicall import Call, Screen
    from scomod.facade import Record

ACCEPTED: Final = worded("accepted")
DECLINED: Final = worded("declined")
READY: Final = worded("waiting for prompts; Ctrl-C ends")
ALLOW: Final = worded("Allow it? [y/N]")
ALLOW_OR_LATER: Final = worded("Allow it? [y/N, or later: 1h, tonight, 22:00]")
# Translators: what a person may type for "tonight", as it stands in the question before.
TONIGHT: Final = worded("tonight")
CLEAR_LINE: Final = "\r\x1b[K"


async def watch(call: Call) -> int:
    """Show what happens; ends with the bus or by an interrupt."""
    events = await call.client.subscribe()
    board = Board(call.screen)
    for record in await call.client.operations():
        board.learn(record)
    async for event, record in events:
        board.show(event, record)
    return EXIT_OK


class Board:
    """The moving picture: a line per event, below it a bar for what is fetched or installed.

    Where nobody looks, in a file or a pipe, there is no bar and a line for each step.
    """

    def __init__(self, screen: Screen, now: Callable[[], float] = time.monotonic) -> None:
        self._screen = screen
        self._meters = Meters(now)
        self._has_bar = screen.has_bar
        self._names: dict[int, str] = {}
        self._changing: set[int] = set()

    def learn(self, record: Record) -> None:
        """Remember what an operation is about."""
        name = record.get("name") or record.get("pkg_id") or record.get("component") or ""
        self._names[record["id"]] = f"operation {record['id']} {name}".rstrip()
        is_changing = record.get("step") in CHANGES  # then progress is a share, else octets
        (self._changing.add if is_changing else self._changing.discard)(record["id"])

    def show(self, event: str, record: Record) -> None:
        """Show one event."""
        if event == "OperationChanged":
            self.learn(record)
        if self._screen.is_json:
            self._screen.write([json.dumps({"event": event, **record})])
        elif event != "Progress":
            sys.stdout.write(CLEAR_LINE if self._has_bar else "")
            self._screen.write([self._line(event, record)])
        elif self._has_bar:
            sys.stdout.write(CLEAR_LINE + self._progress(record))
            sys.stdout.flush()

    def _line(self, event: str, record: Record) -> str:
        match event:
            case "SessionEnded":
                return cliview.session(record)
            case "PromptChanged":
                return cliview.prompt_change(record)
            case _:
                return cliview.operation(record)

    def _progress(self, record: Record) -> str:
        number, done, total = record["id"], record["done"], record["total"]
        label = self._names.get(number, f"operation {number}")
        width = None if self._screen.width is None else self._screen.width - 1
        if number in self._changing:
            return progress(label, done, total, width, are_octets=False)
        self._meters.take(number, done, total)
        return progress(label, done, total, width, speed=speed(self._meters.figures(number)))


async def agent(call: Call) -> int:
    """Register as the agent and answer prompts and user alerts until interrupted."""
    fixed = call.arguments.answer
    if fixed is None and not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on: use --answer yes or --answer no")
    screen, languages = call.screen, of_environment(os.environ)
    tongue = Tongue(languages)

    async def ask(prompt: Record) -> bool:
        _show_prompt(screen, tongue, "ask", prompt)
        try:
            is_accepted = fixed == "yes" if fixed else await _ask_person(prompt, tongue)
        except asyncio.CancelledError:
            screen.write([] if screen.is_json else ["", f"  {tongue(promptview.NOT_ASKED)}"])
            raise
        screen.write([] if screen.is_json else [tongue(ACCEPTED if is_accepted else DECLINED)])
        return is_accepted

    def inform(prompt: Record) -> None:
        _show_prompt(screen, tongue, "inform", prompt)

    def completed(operation: Record) -> None:
        document = json.dumps({"event": "completed", **operation})
        line = document if screen.is_json else promptview.completion(operation, screen.style)
        screen.write([line])

    def ready() -> None:
        screen.write([] if screen.is_json else [tongue(READY)])

    show = partial(clialert.show, screen, tongue, fixed)
    await call.client.serve_agent(ask, inform, ready, show, completed, language=languages)
    return EXIT_OK


def _show_prompt(screen: Screen, tongue: Tongue, kind: str, prompt: Record) -> None:
    if screen.is_json:
        screen.write([json.dumps({"event": kind, **prompt})])
    else:
        note = [] if kind == "ask" else [f"  {tongue(promptview.FOR_INFORMATION)}"]
        screen.write([*promptview.prompt(prompt, screen.style, tongue), *note])


async def _ask_person(prompt: Record, tongue: Tongue) -> bool:
    """Ask on the terminal; anything but y or yes, or a time where one may defer, is no.

    Raises `Deferred` with what was typed.
    """
    may_defer = bool(prompt.get("deferrals_left"))
    question = f"{tongue(ALLOW_OR_LATER if may_defer else ALLOW)} "
    words = clialert.answers(tongue)
    while True:
        word = (await read_line(question) or "").strip().lower()
        if not may_defer or word in words or not word:
            return words.get(word, False)
        word = "tonight" if word == tongue(TONIGHT).lower() else word
        try:
            daytime.until_s(word, time.time(), prompt["tonight"])
        except Refused as problem:
            sys.stderr.write(f"  {problem}\n")
            continue
        raise Deferred(word)
