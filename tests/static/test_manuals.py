# SPDX-License-Identifier: Apache-2.0
"""Man pages and units agree with the programs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scomod.cli import make_parser
from scomod.clicommands import COMMANDS
from tests.support import config_reference

ROOT = Path(__file__).resolve().parents[2]
MANUALS = ROOT / "docs/man"
PAGES = (
    ("scomod", "scomod.8"),
    ("scomod.installers.helper", "scomod-install.8"),
    ("scomod.agentdesktop", "scomod-agent-desktop.1"),
)
FIVE = {"scomoctl.1", "scomod.8", "scomod.toml.5", "scomod-install.8", "scomod-lab.1"}
OPTION = re.compile(r"--[a-z][a-z-]*")


@pytest.mark.parametrize(("module", "page"), PAGES)
def test_page_has_every_option_and_command_and_no_other(module: str, page: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True
    )
    text = (MANUALS / page).read_text().replace("\\-", "-")
    options = set(OPTION.findall(done.stdout))
    commands = set(re.findall(r"^    ([a-z]+) ", done.stdout, re.MULTILINE))
    assert set(OPTION.findall(text)) == options
    for command in commands:
        assert f".B {command}\n" in text


def described() -> dict[str, str]:
    """What scomoctl(1) says of each command, by its name, in the order of the page."""
    page = (MANUALS / "scomoctl.1").read_text().replace("\\-", "-")
    section = page.partition(".SH COMMANDS\n")[2].partition(".SH EXIT STATUS")[0]
    entries = re.split(r"^\.TP\n", section, flags=re.MULTILINE)[1:]
    return {entry.split(maxsplit=2)[1]: entry for entry in entries}


def test_page_of_scomoctl_has_its_commands_in_order() -> None:
    assert list(described()) == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_page_of_scomoctl_has_every_option_of_a_command_and_no_other(command: str) -> None:
    _, arguments = COMMANDS[command]
    entry = described()[command]
    named = set(OPTION.findall(entry)) - {"--json"}  # what it changes may be said of each
    assert named == {each.name for each in arguments if each.name[0] == "-"}
    for each in arguments:
        more = dict(each.more)
        words = more["choices"] if "choices" in more else [more.get("metavar")]
        for word in filter(None, words if isinstance(words, tuple | list) else [words]):
            assert re.search(rf"\b{word}\b", re.sub(r"\\f[IRB]", " ", entry)), word


def test_page_of_scomoctl_has_every_option_for_all_commands() -> None:
    page = (MANUALS / "scomoctl.1").read_text().replace("\\-", "-")
    section = page.partition(".SH OPTIONS\n")[2].partition(".SH COMMANDS")[0]
    told = {name for action in make_parser()._actions for name in action.option_strings}
    assert set(OPTION.findall(section)) == {name for name in told if name.startswith("--")}


def test_page_of_the_configuration_has_all_keys() -> None:
    text = config_reference.PAGE.read_text()
    table = text.partition(config_reference.PAGE_BEGIN)[2].partition(config_reference.PAGE_END)[0]
    assert table == config_reference.manual(), "run: python -m tests.support.config_reference"


def test_pages_are_well_formed() -> None:
    pages = sorted(MANUALS.iterdir())
    assert {page.name for page in pages} >= FIVE
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *pages],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_daemon_is_sandboxed(tmp_path: Path) -> None:
    unit = tmp_path / "scomod.service"
    unit.write_text((ROOT / "systemd/scomod.service").read_text())
    threshold = "13"  # exposure level 1.3
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={threshold}", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
