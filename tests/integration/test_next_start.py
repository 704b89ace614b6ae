# SPDX-License-Identifier: Apache-2.0
"""What systemd runs as root to come back in time: one number of a file that is not trusted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod.idling import FILE, LONGEST_S
from scomod.settings import Paths
from tests.support.units import sections

if TYPE_CHECKING:
    from collections.abc import Callable

SYSTEMD = Path(__file__).parents[2] / "systemd"
SCRIPT = SYSTEMD / "scomod-next-start"
TOOL = '#!/bin/sh\necho "${0##*/} $*" >>"$CALLS"\nexit "${TOOL_EXIT:-0}"\n'
STOP = "systemctl --quiet stop scomod.timer"
NAMES = ("scomod.service", "scomod.socket", "scomod.path")


class Boot:
    """A runtime directory, and the two tools of systemd, which write down what they are told."""

    def __init__(self, folder: Path) -> None:
        self.run_dir, self.tools, self.calls = folder / "run", folder / "bin", folder / "calls"
        self.file = self.run_dir / FILE
        for place in (self.run_dir, self.tools):
            place.mkdir()
        for name in ("systemctl", "systemd-run"):
            (self.tools / name).write_text(TOOL)
            (self.tools / name).chmod(0o755)

    def script(self, word: str, tool_exit: int = 0) -> subprocess.CompletedProcess[str]:
        self.calls.write_text("")
        return subprocess.run(
            [SCRIPT, word],
            env={
                "PATH": f"{self.tools}:/usr/bin:/bin",
                "RUNTIME_DIRECTORY": str(self.run_dir),
                "CALLS": str(self.calls),
                "TOOL_EXIT": str(tool_exit),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines()


@pytest.fixture
def boot(tmp_path: Path) -> Boot:
    return Boot(tmp_path)


@pytest.mark.parametrize(
    ("seconds", "accuracy"), [(1, "1s"), (599, "1s"), (86400, "1min"), (LONGEST_S, "1min")]
)
def test_the_number_becomes_a_timer_that_replaces_another(
    boot: Boot, seconds: int, accuracy: str
) -> None:
    boot.file.write_text(f"{seconds}\n")
    assert boot.script("arm").returncode == 0
    armed = (
        f"systemd-run --quiet --unit=scomod.service --on-active={seconds}"
        f" --timer-property=AccuracySec={accuracy}"
    )
    assert boot.called() == [STOP, armed]
    assert not boot.file.exists(), "it counts once"


def test_without_a_file_there_is_no_timer(boot: Boot) -> None:
    done = boot.script("arm")
    assert (done.returncode, done.stderr, boot.called()) == (0, "", [])


@pytest.mark.parametrize(
    "content",
    [
        "", "\n", "0", "007", "-5", "+5", "1.5", "1e3", " 5", "5 ", "5\n6", "ten", "$(id)",
        "1;reboot", "31536001", "123456789", "9" * 100_000, "٣", "--on-boot=1",
    ],
)  # fmt: skip
def test_rubbish_arms_nothing_and_is_not_repeated(boot: Boot, content: str) -> None:
    boot.file.write_text(content)
    done = boot.script("arm")
    arms = [line for line in boot.called() if line.startswith("systemd-run")]
    assert (done.returncode, arms) == (1, [])
    assert done.stderr.startswith("scomod-next-start: no timer is armed: ")
    assert len(content) < 4 or content not in done.stderr


def test_links_pipes_and_folders_are_not_read(boot: Boot) -> None:
    secret = boot.run_dir / "secret"
    secret.write_text("5")
    makes: tuple[Callable[[], None], ...] = (
        lambda: boot.file.symlink_to(secret),
        lambda: boot.file.symlink_to("/nowhere"),
        lambda: os.mkfifo(boot.file),
    )
    for make in makes:
        make()
        assert boot.script("arm").returncode == 1
        assert boot.called() == []
        boot.file.unlink()
    boot.file.mkdir()
    assert boot.script("arm").returncode == 1


def test_timer_that_cannot_be_armed_is_a_failure_that_systemd_sees(boot: Boot) -> None:
    boot.file.write_text("5")
    assert boot.script("arm", tool_exit=1).returncode == 1


def test_start_takes_timer_and_file_away_and_does_not_fail_where_there_is_none(boot: Boot) -> None:
    boot.file.write_text("5")
    for tool_exit in (0, 5):
        assert boot.script("remove", tool_exit).returncode == 0
        assert boot.called() == [STOP]
        assert not boot.file.exists()


def test_other_words_are_refused(boot: Boot) -> None:
    assert boot.script("").returncode == 1
    assert boot.called() == []


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    for name in NAMES:
        text = (SYSTEMD / name).read_text().replace("/usr/bin/scomod", sys.executable)
        text = text.replace("/usr/lib/scomod/scomod-next-start", str(SCRIPT))
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(tmp_path / name for name in NAMES)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    complaints = [line for line in done.stderr.splitlines() if "scomod" in line]
    assert complaints == []


def test_units_and_program_speak_of_the_same_places() -> None:
    paths = Paths(Path("/"))
    service, watched = sections("scomod.service")["Service"], sections("scomod.path")["Path"]
    assert service["RuntimeDirectory"] == [paths.run_dir.name]
    assert f"/run/{paths.run_dir.name}" == str(paths.run_dir)
    assert service["RuntimeDirectoryPreserve"] == ["yes"], "config.d of the boot lies there"
    results = paths.install_dir / "results"
    assert watched["PathChanged"] == [str(paths.bootstrap_dir), str(results)]
    assert "--resident" not in service["ExecStart"][0]
