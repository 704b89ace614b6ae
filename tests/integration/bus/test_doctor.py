# SPDX-License-Identifier: Apache-2.0
"""`scomoctl why`, `plan` and `doctor` on a real bus: a daemon that behaves, and none at all."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from scomod.cli import main
from tests.support import json_shapes
from tests.support.fake_daemon import FINDING, PLAN, REASONS, RunningDaemon, running_daemon
from tests.support.private_bus import PrivateBus, private_bus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def bus() -> Iterator[PrivateBus]:
    with private_bus() as started:
        yield started


@pytest.fixture
def running(bus: PrivateBus) -> Iterator[RunningDaemon]:
    with running_daemon(bus.address) as started:
        yield started


class Terminal:
    """Runs scomoctl in this process, which is a process of its own in `test_scomoctl`."""

    def __init__(
        self, address: str, root: Path, said: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
    ) -> None:
        self._root = root
        self._said = said
        patch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        patch.setenv("TZ", "UTC")
        time.tzset()

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Give exit status, output and complaints."""
        code = main(["--root", str(self._root), *arguments])
        said = self._said.readouterr()
        return code, said.out, said.err

    def document(self, *arguments: str) -> Any:
        return json_shapes.check(arguments[0], json.loads(self.run("--json", *arguments)[1]))


@pytest.fixture
def terminal(
    bus: PrivateBus,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Terminal]:
    with pytest.MonkeyPatch.context() as patch:
        yield Terminal(bus.address, tmp_path, capsys, patch)
    time.tzset()


def words(records: list[dict[str, Any]]) -> set[str]:
    return {each["finding"] for each in records}


def test_why_says_the_causes_and_what_comes_next(
    terminal: Terminal, running: RunningDaemon
) -> None:
    assert terminal.run("why")[1].splitlines() == [
        "operation 7: download and install Hello 1.2 (srv1)",
        "  It waits for mains power.",
        "server Example",
        "  Nothing waits for it.",
        "by itself",
        "  2023-11-15 22:13:20  call with srv1: it is called once a day",
    ]
    assert terminal.document("why", "7") == REASONS
    code, _, complaint = terminal.run("why", "8")
    assert (code, complaint) == (1, "scomoctl: no operation 8\n")


def test_plan_says_steps_room_risks_and_gaps(terminal: Terminal, running: RunningDaemon) -> None:
    assert terminal.run("plan", "7")[1].splitlines()[:5] == [
        "operation 7: download and install Hello 1.2 (srv1)",
        "  1. a person is asked (default)",
        "  1.0 GiB are free, of which 1.0 MiB stay free",
        "  ! It is not signed.",
        "  ? Nobody has said how large it is.",
    ]
    assert terminal.document("plan") == PLAN


def test_doctor_shows_what_the_daemon_finds_and_that_all_is_well(
    terminal: Terminal, running: RunningDaemon
) -> None:
    code, text, _ = terminal.run("doctor")
    assert code == 0
    lines = text.splitlines()
    assert lines[0] == "ok       disk           1.0 GiB are free."
    assert lines[-1] == "no problems"
    assert words(terminal.document("doctor")) == {"disk", "bus", "may steer"}


def test_doctor_ends_with_1_where_there_is_a_problem_and_says_what_to_do(
    terminal: Terminal, running: RunningDaemon
) -> None:
    full = {**FINDING, "mark": "problem", "text": "Nothing is free.", "todo": "make room"}
    running.do(lambda: running.daemon.findings.append(full))
    code, text, _ = terminal.run("doctor")
    assert code == 1
    assert "problem  disk           Nothing is free.\n" + " " * 24 + "-> make room\n" in text
    assert text.endswith("problems: 1, notes: 0\n")


def test_doctor_looks_by_itself_where_no_daemon_answers_and_says_what_it_cannot_see(
    terminal: Terminal, tmp_path: Path
) -> None:
    code, text, _ = terminal.run("doctor")
    assert code == 1
    assert "unseen   servers" in text
    found = terminal.document("doctor")
    assert {"no daemon", "time unseen", "sessions unseen", "no database", "disk"} <= words(found)
    state = tmp_path / "var/lib/scomod"
    state.mkdir(parents=True, mode=0o700)
    (state / "scomod.db").write_bytes(b"x" * 2048)
    found = terminal.document("doctor")
    assert "2.0 KiB" in next(e["text"] for e in found if e["finding"] == "database unseen")


def test_configuration_that_is_refused_is_a_problem_also_while_a_daemon_runs(
    terminal: Terminal, running: RunningDaemon, tmp_path: Path
) -> None:
    main = tmp_path / "etc/scomod/scomod.toml"
    main.parent.mkdir(parents=True)
    main.write_text("[poll]\ninterval = 3\n")
    found = terminal.document("doctor")
    (wrong,) = [each for each in found if each["finding"] == "configuration wrong"]
    assert "unknown key poll.interval" in wrong["text"]
    assert terminal.run("doctor")[0] == 1


def test_doctor_tells_a_daemon_of_another_version(
    terminal: Terminal, running: RunningDaemon
) -> None:
    assert "other version" not in words(terminal.document("doctor"))
    running.daemon.version = "0.0"
    assert "other version" in words(terminal.document("doctor"))
