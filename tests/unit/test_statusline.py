# SPDX-License-Identifier: Apache-2.0
"""What goes on, in a line: told on changes only, and not too often."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scomod.agenda import Due
from scomod.notify import Notifier
from scomod.operation import Branch, Operation, Phase, Primitive, StepKind, Subject
from scomod.standing import DOES, words_for
from scomod.statusline import PAUSE_S, StatusLine
from tests.support.clocks import FakeClock
from tests.support.standstill import StillLoop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EDITOR = Operation(
    id=1,
    branch=Branch.DOWNLOAD,
    primitive=Primitive.DOWNLOAD,
    node="x",
    exec_uri="./x",
    server_id="srv",
    subject=Subject(name="Editor"),
    phase=Phase.RUNNING,
    cursor=1,
)


class World:
    """One line, with the service manager that hears it and time that stands still."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.loop = StillLoop(self.clock)
        self.live: list[Operation] = []
        self.dues: list[Due] = []
        self.file = folder / "status"
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(folder / "notify"))
        self.manager.setblocking(False)
        self.line = StatusLine(
            Notifier({"NOTIFY_SOCKET": str(folder / "notify")}, 1),
            self.file,
            self.clock,
            self.loop,
            live=lambda: self.live,
            dues=lambda: self.dues,
        )

    def told(self) -> list[str]:
        """Let happen what can, and give what was told since the last time."""
        self.loop.run_until_idle()
        found = []
        while True:
            try:
                found.append(self.manager.recv(4096).decode().removeprefix("STATUS="))
            except BlockingIOError:
                return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.loop.close()
    made.manager.close()


def test_idle_says_until_when_and_is_told_once(world: World) -> None:
    world.line.touch()
    assert world.told() == ["idle"]
    assert world.file.read_text() == "idle\n"
    world.dues = [Due(at_s=3600.0, what="poll", why="because", server_id="srv")]
    for _ in range(5):
        world.clock.advance(PAUSE_S)
        world.line.touch()
        (*first, _) = [*world.told(), ""]
        assert len(first) <= 1
    assert re.fullmatch(r"idle until \d\d:\d\d:\d\d \(poll srv\)\n", world.file.read_text())
    world.dues = [Due(at_s=1e6, what="poll", why="because", server_id="srv")]
    world.line.touch()
    world.clock.advance(PAUSE_S)
    assert re.fullmatch(r"idle until \d{4}-\d\d-\d\d \d\d:\d\d \(poll srv\)", world.told()[-1])


def test_progress_is_told_in_steps_and_seconds(world: World) -> None:
    world.live = [EDITOR]
    told: list[str] = []
    for done in range(1001):
        world.line.progress(1, done, 1000)
        world.clock.advance(0.1)  # 100 s in all: 20 steps of 5 s
        told += world.told()
    assert told[1] == "downloading Editor 5 %"
    assert len(told) <= 21
    world.live = [replace(EDITOR, id=2)]
    for done in range(1001):
        world.line.progress(2, done, 1000)
        world.clock.advance(0.004)  # 4 s in all: one in two seconds
        told = [*told, *world.told()]
    assert len(told) <= 21 + 3


def test_what_has_moved_on_begins_at_nothing(world: World) -> None:
    world.live = [EDITOR]
    world.line.progress(1, 50, 100)
    assert world.told() == ["downloading Editor 50 %"]
    world.live = [replace(EDITOR, cursor=2)]
    world.line.moved(1)
    world.clock.advance(PAUSE_S)
    assert world.told() == ["verifying Editor"]


def test_session_comes_first_and_the_end_is_told(world: World) -> None:
    world.live = [replace(EDITOR, phase=Phase.WAITING, cursor=0)]
    world.line.begins("srv")
    (line,) = world.told()
    assert re.fullmatch(
        r"session with srv since \d\d:\d\d:\d\d; Editor waits for the person to answer", line
    )
    world.line.ended()
    world.live = []
    world.line.leave()
    assert world.told() == ["gone, idle"]


def test_every_step_and_phase_has_words() -> None:
    assert set(DOES) == set(StepKind)
    for phase in Phase:
        if phase.is_live:
            (words,) = words_for([replace(EDITOR, phase=phase)], {}, {1: "22:00"})
            assert "Editor" in words
    several = [replace(EDITOR, id=number) for number in range(9)]
    assert list(words_for(several, {}, {}))[-1] == "6 more"
    (nameless,) = words_for([replace(EDITOR, subject=Subject())], {}, {})
    assert nameless == "downloading x"
