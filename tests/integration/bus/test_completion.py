# SPDX-License-Identifier: Apache-2.0
"""What bash and zsh complete: all that the parser takes, and what the daemon knows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod.clicommands import COMMANDS
from tests.support import completions
from tests.support.fake_daemon import running_daemon
from tests.support.private_bus import private_bus
from tests.support.zsh_completion import offered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Shell = Callable[[Sequence[str]], dict[str, set[str]]]

OPTIONS = {"--root", "--json", "--color", "--version", "--help"}
# a line, and all that is offered at its end
EXPECTED = {
    "scomoctl ": set(COMMANDS),
    "scomoctl --": OPTIONS,
    "scomoctl --color ": {"auto", "always", "never"},
    "scomoctl --root /srv --json con": {"confirm", "config"},
    "scomoctl help con": {"confirm", "config"},
    "scomoctl config s": {"show"},
    "scomoctl operations c": {"cancel"},
    "scomoctl confirm ": {"7"},
    "scomoctl trace ": {"3"},
    "scomoctl history --server ": {"srv1"},
    "scomoctl request ": {"install", "update"},
    "scomoctl install --kind b": {"bundle"},
    "scomoctl install /etc/os-rel": {"/etc/os-release"},
    "scomoctl agent --answer ": {"yes", "no"},
    "scomoctl bootstrap --sec USERP": {"USERPIN", "USERPINMAC"},
    "scomoctl get ./DevInfo/M": {"./DevInfo/Man"},
    "scomod-lab --": {"--dir", "--help"},
    "scomod-lab r": {"run", "record", "replay"},
    "scomod-lab --dir /srv order device-1 re": {"read", "refill"},
    "scomod-lab fault dm.l": {"dm.lost="},
    "scomod-lab profile --auth ": {"md5", "basic", "mac"},
    "scomod --": {"--root", "--resident", "--version", "--help"},
    **{
        f"scomoctl {command} --": {
            "--help",
            *(each.name for each in arguments if each.name.startswith("-")),
        }
        for command, (_, arguments) in COMMANDS.items()
    },
}


def bash(lines: Sequence[str], environ: dict[str, str]) -> dict[str, set[str]]:
    """Ask bash as it asks itself: by the function that is registered for the program."""
    asked = []
    for line in lines:
        words = line.split(" ")
        name = words[0].replace("-", "_")
        asked.append(
            f"COMP_WORDS=({' '.join(map(repr, words))}); COMP_CWORD={len(words) - 1}; "
            f'COMPREPLY=(); _{name}; printf "%s\\n" "> {line}" "${{COMPREPLY[@]}}"'
        )
    sources = [f"source {place}" for place in completions.FOLDER.glob("*.bash")]
    done = subprocess.run(
        ["bash", "-c", "\n".join([*sources, *asked])],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    found: dict[str, set[str]] = {}
    for part in done.stdout.split("> ")[1:]:
        line, *words = part.split("\n")
        found[line] = set(filter(None, words))
    return found


@pytest.fixture
def environ() -> Iterator[dict[str, str]]:
    with private_bus() as bus, running_daemon(bus.address):
        programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        yield {**os.environ, "PATH": programs, "DBUS_SYSTEM_BUS_ADDRESS": bus.address}


def test_scripts_are_those_of_the_parsers() -> None:
    for place, content in completions.scripts():
        assert place.read_text() == content, "run: python -m tests.support.completions"


def test_bash_offers_what_can_follow(environ: dict[str, str]) -> None:
    assert bash(list(EXPECTED), environ) == EXPECTED


def test_zsh_offers_what_can_follow(environ: dict[str, str], tmp_path: Path) -> None:
    found = offered(list(EXPECTED), completions.FOLDER, tmp_path, environ)
    of_files = "scomoctl install /etc/os-rel"  # of those zsh adds the last part
    found[of_files] = {f"/etc/{name}" for name in found[of_files]}
    assert {line: found[line] for line in EXPECTED} == EXPECTED
