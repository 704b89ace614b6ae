# SPDX-License-Identifier: Apache-2.0
"""Prints the demo: a timeline of who tells what to whom, a progress bar, tables.

Turns records of the bench and signals of the device into sentences; decides and
checks nothing.
"""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any, Final, TextIO

from scomod import clifmt
from scomod.codes import ComponentState
from scomod.explain import Outline
from scomod.lab.sentences import (
    DEVICE,
    LAB,
    TELLERS,
    TO_DEVICE,
    TO_SERVER,
    sentence_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.dmclient.codec import Encoding
    from scomod.dmclient.model import Message
    from scomod.lab.devices import Account, Record

QUIET: Final = ("results", "bootstrap")  # the demo shows values as tables
ACTOR_WIDTH: Final = 16
DATA_SHOWN: Final = 60
COLUMNS: Final = ("ID", "Version", "State", "Status", "PkgIDRef", "node")


class Show:
    """Writes to one stream; a live progress bar only on a terminal."""

    def __init__(self, out: TextIO, style: clifmt.Style) -> None:
        self._out = out
        self._style = style
        self._start_s = time.monotonic()
        self._is_live = out.isatty()
        self._has_bar = False

    def chapter(self, title: str) -> None:
        """Begin a new part of the story."""
        self._clear_bar()
        print(f"\n{self._style.paint('head', title)}", file=self._out, flush=True)

    def line(self, actors: str, text: str, *, kind: str = "") -> None:
        """Print one event: `actors` is "server → device"."""
        self._clear_bar()
        at = f"{time.monotonic() - self._start_s:8.3f}"
        shown = clifmt.printable(text)
        shown = self._style.paint(kind, shown) if kind else shown
        print(f"{at}  {actors:<{ACTOR_WIDTH}}  {shown}", file=self._out, flush=True)

    def good(self, text: str) -> None:
        """Print a check that held."""
        self.line(LAB, f"✓ {text}", kind="good")

    def bad(self, text: str) -> None:
        """Print what was wrong."""
        self.line(LAB, f"✗ {text}", kind="bad")

    def plain(self, *lines: str) -> None:
        """Print lines that are no events."""
        self._clear_bar()
        for line in lines:
            print(f"{'':10}{line}", file=self._out, flush=True)

    def progress(self, done: int, total: int) -> None:
        """Draw the bar of a download; off a terminal nothing."""
        if self._is_live:
            width = shutil.get_terminal_size().columns - 1
            bar = clifmt.progress(f"{'':10}download", done, total, width)
            print(f"\r{bar}", end="", file=self._out, flush=True)
            self._has_bar = True

    def downloaded(self, total: int, seconds: float) -> None:
        """Print how a download went."""
        if total and self._is_live:
            self.progress(total, total)
        text = f"{clifmt.size(total)} in " if total else ""
        self.line(DEVICE, f"downloaded: {text}{clifmt.duration(seconds)}")

    def table(self, rows: list[dict[str, str]]) -> None:
        """Print an inventory."""
        if not rows:
            self.plain("(nothing is deployed)")
            return
        cells = [[_cell(name, row[name]) for name in COLUMNS] for row in rows]
        width = shutil.get_terminal_size((120, 25)).columns - 10 if self._is_live else None
        self.plain(*clifmt.table(COLUMNS, cells, width))

    def record(self, account: Account, record: Record) -> None:
        """Print a record of the bench, if it is one that people want to see."""
        del account
        if _is_for_people(record):
            said = sentence_of(record)
            self.line(said.actors, said.text)
            self.plain(*said.more)

    def message(
        self, *, is_ours: bool, message: Message, octets: bytes, encoding: Encoding
    ) -> None:
        """Print a decoded message (`--trace`) without secrets; long values are cut."""
        who = TO_DEVICE if is_ours else TO_SERVER
        header = message.header
        final = "Final" if message.final else "more follows"
        text = f"message {header.msg_id} of session {header.session_id}"
        self.line(who, f"{text}: {encoding.name}, {len(octets)} octets, {final}")
        outline = Outline(max_characters=DATA_SHOWN)
        for command in message.commands:
            self.plain(*(f"  {line}" for line in outline.command(command)))

    def _clear_bar(self) -> None:
        if self._has_bar:
            print(file=self._out)
            self._has_bar = False


def _is_for_people(record: Record) -> bool:
    """Tell what belongs into the timeline: no Gets and, but for reading, no orders that went well.

    What they did shows by itself.
    """
    what = record["what"]
    if what == "status":
        return bool(record["command"] != "Get")
    if what == "order":
        return bool(record["kind"] == "read" or record["phase"] == "failed")
    return what in TELLERS and what not in QUIET


def _cell(name: str, value: str) -> str:
    if name == "State" and value.isdigit() and int(value) in list(ComponentState):
        return f"{value} {ComponentState(int(value)).name.lower()}"
    return value


def prompt_text(prompt: Mapping[str, Any]) -> str:
    """Return a question to the person as one sentence: what, how much, who asks."""
    what = prompt.get("name") or "something"
    version = f" {prompt['version']}" if prompt.get("version") else ""
    size = f" ({clifmt.size(int(prompt['size']))})" if prompt.get("size") else ""
    server = prompt.get("server_name") or prompt.get("server") or "a server"
    return clifmt.printable(f"{server} asks: {prompt.get('what')} {what}{version}{size}?")
