# SPDX-License-Identifier: Apache-2.0
"""The demo as a person starts it: daemon, helper, D-Bus, dpkg and bench, all real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.debs import Deb

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = [sys.executable, "-P", "-m", "scomod.lab.demo"]
DEADLINE_S = 280.0
MARK = "SCOMOD_TEST_DEMO"  # an environment variable by which the demo's programs are known


@pytest.fixture
def place() -> Iterator[dict[str, str]]:
    """An environment whose scratch directories are below a name short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="d-") as folder:
        yield {**os.environ, "TMPDIR": folder, MARK: folder}


def play(place: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=place,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def programs(place: dict[str, str]) -> list[str]:
    """Return the command lines of the programs that carry our mark."""
    mark = f"{MARK}={place[MARK]}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # gone, or somebody else's
    return found


@pytest.mark.timeout(DEADLINE_S)
def test_the_demo_holds_and_leaves_nothing_behind(place: dict[str, str]) -> None:
    done = play(place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✗" not in done.stdout
    for fact in (
        "Alert 1200 server initiated management",
        "Operations/DownloadInstall: 202 accepted for processing",
        "result 1200 successful, answered 200 ok",
        "result 1405 install failed, answered 200 ok",
        "result 1401 user cancelled, answered 200 ok",
        "result 1407 package validation failed, answered 200 ok",
        "✓ the inventory is what it was at first",
    ):
        assert fact in done.stdout
    assert list(Path(place["TMPDIR"]).iterdir()) == []
    assert programs(place) == []
    assert done.stderr == ""


@pytest.mark.timeout(DEADLINE_S)
def test_a_package_that_cannot_be_installed_fails_the_demo_with_the_logs(
    place: dict[str, str], tmp_path: Path
) -> None:
    deb = Deb(name="lonely", scripts={"postinst": "exit 3"}).build(tmp_path)
    done = play(place, "--deb", str(deb))
    assert done.returncode == 1
    assert "not so: the report says 1200 successful (it says 1405)" in done.stdout
    assert "Log of scomod:" in done.stdout
    assert "script failed" in done.stdout
    assert programs(place) == []


@pytest.mark.timeout(DEADLINE_S)
def test_a_package_with_dependencies_and_configuration_lives_its_life(
    place: dict[str, str], tmp_path: Path
) -> None:
    deb = Deb(name="needy", depends="libc6 (>= 2.30)", conffiles={"etc/needy": "1\n"})
    done = play(place, "--deb", str(deb.build(tmp_path)))
    assert done.returncode == 0, done.stdout
    assert "the device's image is said to hold libc6" in done.stdout
    assert done.stdout.count("result 1200 successful, answered 200 ok") == 4


@pytest.mark.timeout(DEADLINE_S)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_clears_up(place: dict[str, str], number: signal.Signals) -> None:
    demo = subprocess.Popen(COMMAND, env=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert demo.stdout is not None
    for line in demo.stdout:
        if b"package #0" in line:
            break
    started = [line for line in programs(place) if "--resident" in line]
    demo.send_signal(number)
    output, errors = demo.communicate(timeout=DEADLINE_S)
    assert demo.returncode == 130, output
    assert errors.strip() == b"interrupted, everything was cleaned up"
    assert len(started) == 1
    assert programs(place) == []
    assert list(Path(place["TMPDIR"]).iterdir()) == []


def test_a_package_file_that_is_not_there_is_said_at_once(place: dict[str, str]) -> None:
    done = play(place, "--deb", "/nowhere.deb")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "demo: no file /nowhere.deb\n")
