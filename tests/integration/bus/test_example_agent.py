# SPDX-License-Identifier: Apache-2.0
"""What docs/agents.md shows is run: the example agent and the lines for busctl and gdbus."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.fake_daemon import PROMPT, RunningDaemon, running_daemon
from tests.support.private_bus import PrivateBus, private_bus

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLE = DOCS / "examples/agent.py"
LINES = 60
ASKED = {**PROMPT, "summary": "Example asks to install Hello 1.2.", "text": "It is fetched."}


@pytest.fixture
def bus() -> Iterator[PrivateBus]:
    with private_bus() as started:
        yield started


@pytest.fixture
def running(bus: PrivateBus) -> Iterator[RunningDaemon]:
    with running_daemon(bus.address) as started:
        yield started


def environment(bus: PrivateBus) -> dict[str, str]:
    return {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": bus.address, "LANG": "de_DE.UTF-8"}


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_example_agent_asks_is_withdrawn_and_outlives_the_daemon(bus: PrivateBus) -> None:
    text = EXAMPLE.read_text()
    assert len(text.splitlines()) <= LINES
    assert "import scomod" not in text
    process = subprocess.Popen(
        [sys.executable, "-u", EXAMPLE],
        env=environment(bus),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert "org.scomod1" in line_of(process), "no daemon: it says so and stays"
        for answer in ("yes", "no"):
            with running_daemon(bus.address) as running:
                assert line_of(process) == "registered\n"
                asked = running.ask(ASKED)
                assert line_of(process) == f"{ASKED['summary']}\n"
                assert line_of(process) == "It is fetched.\n"
                assert line_of(process) == "Allow it? [y/N]\n"
                assert process.stdin is not None
                process.stdin.write(f"{answer}\n")
                process.stdin.flush()
                assert asked.result(timeout=100) is (answer == "yes")
                running.do(partial(running.bus.completed, {"id": 7, "text": "Done."}))
                assert line_of(process) == "Done.\n"
    finally:
        process.kill()
        process.communicate()


def commands() -> list[str]:
    page = (DOCS / "agents.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("command", commands(), ids=lambda line: line.rpartition("org.scomod1")[2])
def test_line_by_hand_does_what_the_page_says(
    bus: PrivateBus, running: RunningDaemon, command: str
) -> None:
    done = subprocess.run(
        shlex.split(command), env=environment(bus), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    if "GetPrompts" in command:
        assert "Hello" in done.stdout
    else:
        assert running.daemon.waiting == {}, "it was answered"


def test_page_has_lines_for_both_tools() -> None:
    assert {command.split()[0] for command in commands()} == {"busctl", "gdbus"}
