# SPDX-License-Identifier: Apache-2.0
"""Services are started, stopped and looked after by what systemd says, not by exit codes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from scomod.errors import Reason
from scomod.installers import proc
from scomod.installers.base import Action, InstalledItem
from scomod.installers.dpkg_output import services_in
from scomod.installers.services import parse_show
from tests.support.services import SystemManager
from tests.support.workbench import Workbench

UNIT = "hello.service"
# Printed by systemd 252: a service that runs, one that keeps ending, one that failed at once,
# a task, and one that there is not.
SHOWN = Path(__file__).parents[2] / "vectors/tool_output/systemd/252/show.txt"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    made = Workbench(tmp_path, backend="fake")
    assert made.do(Action.INSTALL, made.fake_archive()).is_ok
    return made


@pytest.fixture
def manager(bench: Workbench) -> SystemManager:
    made = SystemManager(bench.root)
    made.put(UNIT)
    return made


def outcome(bench: Workbench, action: Action, **values: Any) -> tuple[str, str]:
    result = bench.do(action, **values)
    assert result.is_ok is not bool(result.reason)
    return result.reason, result.detail


def test_start_and_stop_end_with_what_is_so(bench: Workbench, manager: SystemManager) -> None:
    result = bench.do(Action.START)
    assert result.components == (
        InstalledItem(id="hello", version="1.0", environment="json", units=(UNIT,)),
    )
    assert manager.state(UNIT) == "active"
    assert bench.do(Action.START).is_ok
    assert bench.do(Action.STOP).is_ok
    assert manager.state(UNIT) == "inactive"
    assert f"start -- {UNIT}" in manager.calls()


@pytest.mark.parametrize(
    ("action", "unit", "said"),
    [
        (Action.START, {"Fails": "yes"}, "did not start: Job for hello.service failed"),
        (Action.START, {"Silent": "yes"}, "hello.service (inactive, success) did not"),
        (
            Action.STOP,
            {"Sticky": "yes", "ActiveState": "active"},
            "hello.service (active, success) still runs",
        ),
    ],
)
def test_what_does_not_become_so_is_a_failure(
    bench: Workbench,
    manager: SystemManager,
    action: Action,
    unit: dict[str, str],
    said: str,
) -> None:
    manager.put(UNIT, **unit)
    reason, detail = outcome(bench, action)
    assert reason == Reason.UNHEALTHY
    assert said in detail


def test_only_what_is_meant_to_be_started_is_started(
    bench: Workbench, manager: SystemManager
) -> None:
    services = bench.workshop().attendance.services
    manager.put("timed.service", UnitFileState="static")
    services.start((UNIT, "timed.service"))
    assert (manager.state(UNIT), manager.state("timed.service")) == ("active", "inactive")
    services.start(("timed.service",))
    assert manager.state("timed.service") == "active"


def test_without_services_there_is_nothing_to_start(bench: Workbench) -> None:
    assert bench.do(Action.INSTALL_INACTIVE, bench.fake_archive(id="off")).is_ok
    assert outcome(bench, Action.START, component_id="off")[0] == Reason.NOT_PRESENT
    assert outcome(bench, Action.START, component_id="nobody")[0] == Reason.NOT_PRESENT


@pytest.mark.usefixtures("manager")
def test_services_of_another_owner_are_left_alone(bench: Workbench) -> None:
    assert bench.do(Action.INSTALL, bench.fake_archive(), owner="a", touches=("",)).is_ok
    assert outcome(bench, Action.STOP, owner="b", touches=("",))[0] == Reason.POLICY
    assert outcome(bench, Action.STOP, owner="a", touches=())[0] == ""


def test_a_device_in_a_directory_never_reaches_the_services_of_the_machine(
    bench: Workbench,
) -> None:
    reason, detail = outcome(bench, Action.START)
    assert reason == Reason.UNSUPPORTED_ENV
    assert f"{bench.root}/usr/bin/systemctl cannot be started" in detail
    assert proc.below(bench.root, ("/bin/true", "x")) == ("/bin/true", "x")


# -- health ----------------------------------------------------------------------

LONG_AGO, JUST_NOW = "since the boot", "now"


@pytest.mark.parametrize(
    ("properties", "is_well"),
    [
        ({"ActiveState": "active"}, True),
        ({"ActiveState": "inactive"}, False),
        ({"ActiveState": "activating"}, False),
        ({"ActiveState": "failed"}, False),
        ({"ActiveState": "inactive", "UnitFileState": "static"}, True),
        ({"ActiveState": "failed", "UnitFileState": "static"}, False),
        ({"ActiveState": "inactive", "UnitFileState": "disabled"}, True),
        ({"ActiveState": "inactive", "Type": "oneshot"}, True),
        ({"ActiveState": "inactive", "Type": "oneshot", "Result": "exit-code"}, False),
        ({"ActiveState": "inactive", "Type": "oneshot", "RemainAfterExit": "yes"}, False),
        ({"ActiveState": "active", "NRestarts": "3", "at": JUST_NOW}, False),
        ({"ActiveState": "active", "NRestarts": "3", "at": LONG_AGO}, True),
        ({"ActiveState": "active", "NRestarts": "0", "at": JUST_NOW}, True),
    ],
)
def test_a_look_at_the_units(
    bench: Workbench, manager: SystemManager, properties: dict[str, str], *, is_well: bool
) -> None:
    given = dict(properties)
    began = str(int(time.monotonic() * 1e6)) if given.pop("at", "") == JUST_NOW else "1"
    manager.put(UNIT, ActiveEnterTimestampMonotonic=began, **given)
    reason, _ = outcome(bench, Action.CHECK, params="30")
    assert reason == ("" if is_well else Reason.UNHEALTHY)


def test_the_check_program_has_a_word_too(bench: Workbench, manager: SystemManager) -> None:
    manager.put(UNIT, ActiveState="active")
    program = bench.root / "usr/lib/scomod/checks/hello"
    program.parent.mkdir(parents=True)
    answer = "{ echo no answer >&2; exit 3; }"
    program.write_text(f'#!/bin/sh\ntest -e "$SCOMOD_ROOT/well" || {answer}\n')
    program.chmod(0o755)
    assert outcome(bench, Action.CHECK) == (
        Reason.UNHEALTHY,
        "the check of hello ended with 3: no answer",
    )
    (bench.root / "well").touch()
    assert outcome(bench, Action.CHECK)[0] == ""
    program.chmod(0o777)
    assert outcome(bench, Action.CHECK)[0] == Reason.POLICY


@pytest.mark.usefixtures("manager")
@pytest.mark.parametrize("params", ["soon", "1;2"])
def test_a_time_that_is_none_is_malformed(bench: Workbench, params: str) -> None:
    assert outcome(bench, Action.CHECK, params=params)[0] == Reason.MALFORMED


# -- words of the tools ----------------------------------------------------------


def test_services_among_the_files_of_a_package() -> None:
    listing = """/.
/usr/lib/systemd/system/b.service
/lib/systemd/system/a.service
/lib/systemd/system/a@.service
/lib/systemd/system/a.service.d/x.conf
/lib/systemd/system/a.timer
/lib/systemd/system/--now.service
/usr/share/lib/systemd/system/c.service
"""
    assert services_in(listing) == ("a.service", "b.service")


def test_what_systemd_shows_of_several_units() -> None:
    units = parse_show(SHOWN.read_text())
    assert [(unit.name, unit.is_up, unit.file_state) for unit in units] == [
        ("good.service", True, "enabled"),
        ("flap.service", True, "enabled"),
        ("bad.service", False, "static"),
        ("task.service", True, "static"),
        ("nobody.service", False, ""),
    ]
    assert [unit.restarted_s for unit in units] == [None, 29370.101171, None, None, None]
    assert parse_show("nonsense") == []


# -- restarts --------------------------------------------------------------------


def program(bench: Workbench, text: str) -> None:
    path = bench.root / "usr/bin/systemctl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_restart_is_ordered_once_for_a_boot(bench: Workbench) -> None:
    boot = bench.root / "run/scomod/boot-id"
    boot.parent.mkdir(parents=True)
    boot.write_text("one\n")
    program(bench, f'echo "$*" >> {bench.root}/log; echo two > {boot}')
    for _ in range(2):
        assert bench.do(Action.REBOOT, params="one").is_ok
    assert (bench.root / "log").read_text() == "reboot\n"


def test_a_restart_that_is_refused_says_so(bench: Workbench) -> None:
    program(bench, "echo not now >&2; exit 1")
    assert outcome(bench, Action.REBOOT) == (Reason.INTERNAL, "systemctl: 1: not now")


def test_a_package_that_asks_for_a_restart(bench: Workbench) -> None:
    reboot, run = bench.workshop().reboot, bench.root / "run"
    run.mkdir(exist_ok=True)
    (run / "reboot-required").touch()
    mark = reboot.mark()
    assert not reboot.is_wanted(mark, ["hello"])
    assert reboot.is_wanted("", ["hello"])
    (run / "reboot-required.pkgs").write_text("linux\nhello\n")
    assert reboot.is_wanted(mark, ["hello:armhf"])
    assert not reboot.is_wanted(mark, ["other"])
