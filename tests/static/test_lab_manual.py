# SPDX-License-Identifier: Apache-2.0
"""scomod-lab(1) says what `scomod-lab --help` says, of every command."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from scomod.lab.__main__ import make_parser

PAGE = (Path(__file__).resolve().parents[2] / "docs/man/scomod-lab.1").read_text()
OPTION = re.compile(r"--[a-z][a-z-]*")
COMMANDS = {
    name: parser
    for action in make_parser()._actions
    if isinstance(action, argparse._SubParsersAction)
    for name, parser in action.choices.items()
}


def described() -> dict[str, str]:
    """What the page says of each command, by its name, in the order of the page."""
    section = PAGE.replace("\\-", "-").partition(".SH COMMANDS\n")[2].partition(".SH EXIT")[0]
    entries = re.split(r"^\.TP\n", section, flags=re.MULTILINE)[1:]
    return {entry.split(maxsplit=2)[1]: entry for entry in entries}


def options(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings} - {
        "-h",
        "--help",
    }


def test_the_page_has_the_commands_in_order() -> None:
    assert list(described()) == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_has_every_option_of_a_command_and_no_other(command: str) -> None:
    assert set(OPTION.findall(described()[command])) == options(COMMANDS[command])


def test_the_page_has_the_options_of_all_commands() -> None:
    head = PAGE.replace("\\-", "-").partition(".SH COMMANDS\n")[0]
    assert set(OPTION.findall(head)) == options(make_parser()) | {"--help"}
