# SPDX-License-Identifier: Apache-2.0
"""Man pages and units agree with the programs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    ("scomod", "scomod.8"),
    ("scomod.installers.helper", "scomod-install.8"),
    ("scomod.lab", "scomod-lab.1"),
)


@pytest.mark.parametrize(("module", "page"), PAGES)
def test_page_has_every_option_and_command_and_no_other(module: str, page: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True
    )
    text = (ROOT / "docs/man" / page).read_text().replace("\\-", "-")
    options = set(re.findall(r"--[a-z-]+", done.stdout))
    commands = set(re.findall(r"^    ([a-z]+) ", done.stdout, re.MULTILINE))
    assert set(re.findall(r"--[a-z-]+", text)) == options
    for command in commands:
        assert f".B {command}\n" in text


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
