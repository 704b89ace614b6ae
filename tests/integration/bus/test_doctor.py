"""`scomoctl why`, `plan` and `doctor` on a real bus: a daemon that behaves, and none at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fake_daemon import FINDING, PLAN, REASONS, RunningDaemon, running_daemon
from tests.support.private_bus import PrivateBus, private_bus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = [sys.executable, "-c", "import sys; from scomod.cli import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def bus() -> Iterator[PrivateBus]:
    with private_bus() as started:
        yield started


@pytest.fixture
def running(bus: PrivateBus) -> Iterator[RunningDaemon]:
    with running_daemon(bus.address) as started:
        yield started


def ctl(bus: PrivateBus, root: Path, *arguments: str) -> tuple[int, str, str]:
    """Run scomoctl; gives exit status, output and complaints."""
    kept = {k: v for k, v in os.environ.items() if k not in ("SCOMOD_ROOT", "NO_COLOR")}
    done = subprocess.run(
        [*PROGRAM, "--root", str(root), *arguments],
        env={**kept, "DBUS_SYSTEM_BUS_ADDRESS": bus.address, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def document(bus: PrivateBus, root: Path, *arguments: str) -> Any:
    return json.loads(ctl(bus, root, "--json", *arguments)[1])


def words(records: list[dict[str, Any]]) -> set[str]:
    return {each["finding"] for each in records}


def test_why_says_the_causes_and_what_comes_next(
    bus: PrivateBus, running: RunningDaemon, tmp_path: Path
) -> None:
    assert ctl(bus, tmp_path, "why")[1].splitlines() == [
        "operation 7: download and install Hello 1.2 (srv1)",
        "  It waits for mains power.",
        "server Example",
        "  Nothing waits for it.",
        "by itself",
        "  2023-11-15 22:13:20  call with srv1: it is called once a day",
    ]
    assert document(bus, tmp_path, "why", "7") == REASONS
    code, _, complaint = ctl(bus, tmp_path, "why", "8")
    assert (code, complaint) == (1, "scomoctl: no operation 8\n")


def test_plan_says_steps_room_risks_and_gaps(
    bus: PrivateBus, running: RunningDaemon, tmp_path: Path
) -> None:
    assert ctl(bus, tmp_path, "plan", "7")[1].splitlines()[:5] == [
        "operation 7: download and install Hello 1.2 (srv1)",
        "  1. a person is asked (default)",
        "  1.0 GiB are free, of which 1.0 MiB stay free",
        "  ! It is not signed.",
        "  ? Nobody has said how large it is.",
    ]
    assert document(bus, tmp_path, "plan") == PLAN


def test_doctor_shows_what_the_daemon_finds_and_that_all_is_well(
    bus: PrivateBus, running: RunningDaemon, tmp_path: Path
) -> None:
    code, text, _ = ctl(bus, tmp_path, "doctor")
    assert code == 0
    lines = text.splitlines()
    assert lines[0] == "ok       disk           1.0 GiB are free."
    assert lines[-1] == "no problems"
    assert words(document(bus, tmp_path, "doctor")) == {"disk", "bus", "may steer"}


def test_doctor_ends_with_1_where_there_is_a_problem_and_says_what_to_do(
    bus: PrivateBus, running: RunningDaemon, tmp_path: Path
) -> None:
    full = {**FINDING, "mark": "problem", "text": "Nothing is free.", "todo": "make room"}
    running.do(lambda: running.daemon.findings.append(full))
    code, text, _ = ctl(bus, tmp_path, "doctor")
    assert code == 1
    assert "problem  disk           Nothing is free.\n" + " " * 24 + "-> make room\n" in text
    assert text.endswith("problems: 1, notes: 0\n")


def test_doctor_looks_by_itself_where_no_daemon_answers_and_says_what_it_cannot_see(
    bus: PrivateBus, tmp_path: Path
) -> None:
    code, text, _ = ctl(bus, tmp_path, "doctor")
    assert code == 1
    assert "unseen   servers" in text
    found = document(bus, tmp_path, "doctor")
    assert {"no daemon", "time unseen", "sessions unseen", "no database", "disk"} <= words(found)
    state = tmp_path / "var/lib/scomod"
    state.mkdir(parents=True, mode=0o700)
    (state / "scomod.db").write_bytes(b"x" * 2048)
    found = document(bus, tmp_path, "doctor")
    assert "2.0 KiB" in next(e["text"] for e in found if e["finding"] == "database unseen")


def test_configuration_that_is_refused_is_a_problem_also_while_a_daemon_runs(
    bus: PrivateBus, running: RunningDaemon, tmp_path: Path
) -> None:
    main = tmp_path / "etc/scomod/scomod.toml"
    main.parent.mkdir(parents=True)
    main.write_text("[poll]\ninterval = 3\n")
    found = document(bus, tmp_path, "doctor")
    (wrong,) = [each for each in found if each["finding"] == "configuration wrong"]
    assert "unknown key poll.interval" in wrong["text"]
    assert ctl(bus, tmp_path, "doctor")[0] == 1
