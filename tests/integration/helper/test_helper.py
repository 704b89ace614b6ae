# SPDX-License-Identifier: Apache-2.0
"""The installing program: every order is answered, and nothing makes it spin."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod.errors import Reason
from scomod.installers.base import Action, Presence
from tests.support.debs import Deb, sha256
from tests.support.helper_device import HelperDevice

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.installers.base import Job

UNSIGNED = '[verify]\nsignature = "optional"\n'


@pytest.fixture
def device(tmp_path: Path) -> HelperDevice:
    made = HelperDevice(tmp_path / "root")
    made.configure(UNSIGNED)
    return made


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return Deb().build(tmp_path)


def is_installed(device: HelperDevice) -> bool:
    return device.workshop().mover.backends["dpkg"].probe("hello", "1.0") is Presence.ACTIVE


def test_an_order_is_carried_out_and_answered(device: HelperDevice, archive: Path) -> None:
    result = device.answered(device.order(Action.INSTALL, archive))
    assert [(item.id, item.version) for item in result.components] == [("hello", "1.0")]
    assert result.is_ok
    assert is_installed(device)
    assert device.pending() == []
    assert device.names("taken") == device.names("work") == device.names("refused") == []
    assert device.names("store") == [f"{sha256(archive)}.deb"]


def test_what_is_kept_is_the_very_file_that_the_daemon_fetched(
    device: HelperDevice, archive: Path
) -> None:
    job = device.order(Action.INSTALL_INACTIVE, archive)
    fetched = Path(job.payload).stat().st_ino
    assert device.answered(job).is_ok
    (kept,) = (device.paths.install_dir / "store").iterdir()
    assert kept.stat().st_ino == fetched


def test_orders_are_worked_off_in_one_run(device: HelperDevice, archive: Path) -> None:
    device.order_file(device.order(Action.INSTALL, archive, id="1"))
    device.order_file(device.order(Action.DEACTIVATE, id="2"))
    assert device.run_helper() == 0
    assert [result and result.is_ok for result in map(device.result, "12")] == [True, True]
    assert not is_installed(device)


def test_nothing_to_do_is_no_failure(device: HelperDevice) -> None:
    device.paths.jobs_dir.rmdir()
    assert device.run_helper() == 0


def test_an_order_that_has_its_answer_is_not_carried_out_again(
    device: HelperDevice, archive: Path
) -> None:
    job = device.order(Action.INSTALL, archive)
    first = device.answered(job)
    device.workshop().mover.backends["dpkg"].remove("hello")
    assert device.answered(job) == first
    assert not is_installed(device)


def test_a_marker_lets_the_answer_go(device: HelperDevice, archive: Path) -> None:
    job = device.order(Action.INSTALL, archive)
    device.answered(job)
    (device.paths.jobs_dir / f"{job.id}.done").touch()
    assert device.run_helper() == 0
    assert device.result(job.id) is None
    assert list(device.paths.jobs_dir.iterdir()) == []


def test_only_the_newest_answers_are_kept(device: HelperDevice) -> None:
    results_dir = device.paths.install_dir / "results"
    results_dir.mkdir(parents=True)
    for number in range(103):
        (results_dir / f"old{number}.json").touch()
        os.utime(results_dir / f"old{number}.json", (number, number))
    device.answered(device.order(Action.REMOVE))
    left = device.names("results")
    assert len(left) == 100
    assert {"1.json", "old102.json"} < set(left)


def test_an_upgrade_that_fails_brings_the_earlier_version_back(
    device: HelperDevice, archive: Path, tmp_path: Path
) -> None:
    device.answered(device.order(Action.INSTALL, archive))
    failing = Deb(version="2.0", scripts={"postinst": "exit 3"}).build(tmp_path)
    result = device.answered(device.order(Action.INSTALL, failing, id="2"))
    assert (result.is_ok, result.reason) == (False, Reason.SCRIPT_FAILED)
    assert is_installed(device)
    assert device.names("store") == [f"{sha256(archive)}.deb"]


def test_a_first_installation_that_fails_leaves_nothing(
    device: HelperDevice, tmp_path: Path
) -> None:
    failing = Deb(scripts={"postinst": "exit 3"}).build(tmp_path)
    result = device.answered(device.order(Action.INSTALL, failing))
    assert (result.is_ok, result.reason) == (False, Reason.SCRIPT_FAILED)
    assert device.workshop().mover.backends["dpkg"].probe("hello", "") is Presence.ABSENT
    assert device.names("store") == device.names("index") == []


def test_inactive_and_back_keeps_the_configuration(device: HelperDevice, tmp_path: Path) -> None:
    archive = Deb(conffiles={"etc/hello.conf": "one\n"}).build(tmp_path)
    actions = (Action.INSTALL_INACTIVE, Action.ACTIVATE, Action.DEACTIVATE, Action.ACTIVATE)
    for number, action in enumerate(actions):
        payload = archive if action is Action.INSTALL_INACTIVE else None
        result = device.answered(device.order(action, payload, id=str(number)))
        is_active = action is Action.ACTIVATE
        assert [item.is_active for item in result.components] == [is_active]
        assert is_installed(device) is is_active
        if is_active:
            (device.root / "etc/hello.conf").write_text("mine\n")
    assert (device.root / "etc/hello.conf").read_text() == "mine\n"


# -- orders that are none --------------------------------------------------------


def junk_order(path: Path) -> None:
    path.write_text("junk")


def empty_order(path: Path) -> None:
    path.write_text("{}")


def link_order(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def folder_order(path: Path) -> None:
    (path / "inner").mkdir(parents=True)


@pytest.mark.parametrize(
    "make",
    [junk_order, empty_order, link_order, os.mkfifo, folder_order],
    ids=["junk", "empty", "link", "pipe", "folder"],
)
@pytest.mark.parametrize("name", ["7.json", "no id.json", "-.json"])
@pytest.mark.timeout(10)
def test_what_is_no_order_is_put_away(
    device: HelperDevice, make: Callable[[Path], None], name: str
) -> None:
    make(device.paths.jobs_dir / name)
    assert device.run_helper() == 0
    assert device.pending() == []
    result = device.result(name.removesuffix(".json")) if " " not in name else None
    if " " not in name:
        assert result is not None
        assert result.reason in (Reason.MALFORMED, Reason.POLICY)


def test_an_order_under_another_name_is_put_away(device: HelperDevice, archive: Path) -> None:
    path = device.order_file(device.order(Action.INSTALL, archive, id="1"))
    path.rename(path.with_name("2.json"))
    assert device.run_helper() == 0
    assert device.names("refused") == ["2.json"]
    assert not is_installed(device)


def test_a_file_still_being_written_is_left_alone(device: HelperDevice) -> None:
    (device.paths.jobs_dir / ".1.json.new").write_text("half")
    assert device.run_helper() == 0
    assert [path.name for path in device.paths.jobs_dir.iterdir()] == [".1.json.new"]


def test_a_link_in_place_of_the_order_directory_is_not_followed(
    device: HelperDevice, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "settings.json").write_text("{}")
    device.paths.jobs_dir.rmdir()
    device.paths.jobs_dir.symlink_to(victim)
    assert device.run_helper() == 0
    assert (victim / "settings.json").exists()


@pytest.mark.parametrize("kind", ["link", "pipe", "outside", "folder"])
@pytest.mark.timeout(10)
def test_a_payload_that_is_no_file_of_the_spool_is_refused(
    device: HelperDevice, archive: Path, tmp_path: Path, kind: str
) -> None:
    payload = device.paths.spool_dir / "odd"
    if kind == "link":
        payload.symlink_to(archive)
    elif kind == "pipe":
        os.mkfifo(payload)
    elif kind == "folder":
        payload.mkdir()
    else:
        payload = archive
    job = device.order(Action.INSTALL, archive, payload=str(payload))
    result = device.answered(job)
    assert (result.is_ok, result.reason) == (False, Reason.POLICY)
    assert archive.exists()
    assert device.names("work") == device.names("store") == []


def test_a_payload_over_the_limit_is_refused(device: HelperDevice, archive: Path) -> None:
    device.configure(f"{UNSIGNED}[download]\nmax_bytes = 1024\n")
    result = device.answered(device.order(Action.INSTALL, archive))
    assert (result.is_ok, result.reason) == (False, Reason.POLICY)


def test_without_a_usable_configuration_nothing_is_installed(
    device: HelperDevice, archive: Path
) -> None:
    device.configure("[verify]\nsignature = 'perhaps'\n")
    device.order_file(device.order(Action.INSTALL, archive))
    assert device.run_helper() == 78
    result = device.result("1")
    assert result is not None
    assert (result.is_ok, result.reason) == (False, Reason.POLICY)
    assert "scomod.toml" in result.detail
    assert not is_installed(device)


def test_unsigned_software_is_refused_without_any_configuration(
    device: HelperDevice, archive: Path
) -> None:
    (device.paths.config_dir / "scomod.toml").unlink()
    result = device.answered(device.order(Action.INSTALL, archive))
    assert (result.is_ok, result.reason) == (False, Reason.POLICY)


# -- staying ---------------------------------------------------------------------


def await_result(device: HelperDevice, job: Job) -> None:
    give_up_s = time.monotonic() + 100
    while device.result(job.id) is None:
        assert time.monotonic() < give_up_s
        time.sleep(0.02)


def test_a_watching_helper_answers_as_orders_come(device: HelperDevice, archive: Path) -> None:
    with device.watching() as process:
        for number, action in enumerate((Action.INSTALL, Action.REMOVE)):
            payload = archive if action is Action.INSTALL else None
            job = device.order(action, payload, id=str(number))
            device.order_file(job)
            await_result(device, job)
    assert process.returncode == 0


def test_an_order_in_work_is_finished_before_the_end(device: HelperDevice, tmp_path: Path) -> None:
    script = 'touch "$DPKG_ROOT/begun"; sleep 0.5'
    slow = Deb(scripts={"postinst": script}).build(tmp_path)
    job = device.order(Action.INSTALL, slow)
    with device.watching() as process:
        device.order_file(job)
        while not (device.root / "begun").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(100) == 0
    result = device.result(job.id)
    assert result is not None
    assert result.is_ok
    assert is_installed(device)


def test_two_helpers_at_once_do_every_order_once(device: HelperDevice, tmp_path: Path) -> None:
    script = 'echo once >> "$DPKG_ROOT/count"; sleep 0.1'
    archive = Deb(scripts={"postinst": script}).build(tmp_path)
    device.order_file(device.order(Action.INSTALL, archive))
    helpers = [device.start_helper() for _ in range(2)]
    assert [process.wait(200) for process in helpers] == [0, 0]
    assert (device.root / "count").read_text() == "once\n"


def test_a_result_file_holds_what_the_daemon_reads(device: HelperDevice, archive: Path) -> None:
    result = device.answered(device.order(Action.INSTALL, archive))
    path = device.paths.install_dir / "results/1.json"
    assert json.loads(path.read_text()) == json.loads(json.dumps(asdict(result)))
    assert path.stat().st_mode & 0o777 == 0o644
