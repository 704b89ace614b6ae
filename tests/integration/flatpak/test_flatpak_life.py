# SPDX-License-Identifier: Apache-2.0
"""Starting and stopping flatpak applications, which really run in their sandbox."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod.errors import InstallerError, Reason
from scomod.installers.flatpak_life import Life
from scomod.installers.flatpak_output import Row
from scomod.installers.flatpak_tool import Tool
from tests.support.flatpak_bed import Bed
from tests.support.flatpaks import Bundle
from tests.support.sleeper import SLEEPER

if TYPE_CHECKING:
    from collections.abc import Iterator

ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def app() -> Iterator[Bundle]:
    """Make an application that only waits; what it leaves in the home directory goes."""
    name = f"org.scomo.Life{os.getpid()}"
    yield Bundle(name=name, files={"bin/hello": SLEEPER})
    flatpak("kill", name)
    for place in (".var/app", ".cache/.flatpak"):
        shutil.rmtree(Path(pwd.getpwnam(ME).pw_dir, place, name), ignore_errors=True)


def flatpak(*arguments: str) -> str:
    """Run the bare tool as who runs the tests, in that person's home."""
    env = {**os.environ, "HOME": pwd.getpwnam(ME).pw_dir}
    env.pop("XDG_RUNTIME_DIR", None)
    own = Path("/run/user", str(os.geteuid()))
    if own.is_dir():
        env["XDG_RUNTIME_DIR"] = str(own)
    # `flatpak kill` of what is not yet, or no more, a process kills its own group: 1.14.10.
    done = subprocess.run(
        ["flatpak", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=env,
        start_new_session=True,
    )
    return done.stdout


def running(app: Bundle, which: str = "pid") -> list[int]:
    """Ask flatpak for the processes of an application, not our parser; it names ended ones too.

    The one inside the sandbox ("child-pid") ends before the one that watches over it.
    """
    said = flatpak("ps", f"--columns=application,{which}")
    pairs = (line.split("\t") for line in said.splitlines())
    return [int(pid) for name, pid in pairs if name == app.name and Path("/proc", pid).exists()]


def test_an_application_is_started_once_outlives_who_started_it_and_is_stopped(
    bed: Bed, app: Bundle
) -> None:
    home = Bed(bed.folder, run_as=ME)
    home.install(app)
    component = f"{app.name}:{app.branch}"
    for _ in range(2):
        home.backend.start(component)
    (process,) = running(app)
    assert os.getsid(process) != os.getsid(0)
    assert Path(f"/proc/{process}/fd/1").readlink() == Path("/dev/null")
    for _ in range(2):
        home.backend.stop(component)
    assert running(app, "child-pid") == []


@pytest.mark.parametrize("files", [{}, {"bin/hello": b"no program"}], ids=["nothing", "rubbish"])
def test_what_ends_at_once_has_not_been_started(
    bed: Bed, app: Bundle, files: dict[str, bytes]
) -> None:
    device = Bed(bed.folder, run_as=ME, run_wait_s=1.0)
    device.install(replace(app, files=files))
    component = f"{app.name}:{app.branch}"
    assert device.failure(lambda: device.backend.start(component)) is Reason.UNHEALTHY


ROW = Row(
    name="org.scomo.Hello", branch="stable", architecture="x86_64", version="1", kind="app",
    commit="0123456789ab", origin="o", title="", summary="",
)  # fmt: skip


def life(folder: Path, *, run_as: str, has_systemd: bool = False) -> Life:
    tool = Tool(installation="system", dir=folder, config_dir=folder, timeout_s=1.0)
    return Life(tool=tool, run_as=run_as, wait_s=1.0, has_systemd=has_systemd)


def refusal(made: Life, row: Row) -> Reason:
    with pytest.raises(InstallerError) as caught:
        made.start(row)
    return caught.value.reason


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is nobody to run applications as")
def test_nothing_runs_as_root_because_nobody_said_otherwise(tmp_path: Path) -> None:
    assert refusal(life(tmp_path, run_as=""), ROW) is Reason.NOT_IMPLEMENTED


def test_a_user_who_does_not_exist_and_a_runtime_are_not_started(tmp_path: Path) -> None:
    assert refusal(life(tmp_path, run_as="no-such-user"), ROW) is Reason.NOT_IMPLEMENTED
    runtime = replace(ROW, kind="runtime")
    assert refusal(life(tmp_path, run_as=ME), runtime) is Reason.NOT_IMPLEMENTED


def test_under_systemd_an_application_is_a_unit_of_its_own(tmp_path: Path) -> None:
    person = pwd.getpwnam("daemon")
    made = life(tmp_path, run_as="daemon", has_systemd=True)
    argv = made._launch(ROW, person)
    assert argv[:4] == ("systemd-run", "--quiet", "--collect", "--uid=daemon")
    assert f"--setenv=FLATPAK_SYSTEM_DIR={tmp_path}" in argv
    assert argv[argv.index("--") :] == (
        "--", "flatpak", "--system", "run", "--branch=stable", "org.scomo.Hello",
    )  # fmt: skip


def test_without_systemd_it_is_another_session_and_another_user(tmp_path: Path) -> None:
    person = pwd.getpwnam("daemon")
    argv = life(tmp_path, run_as="daemon")._launch(ROW, person)
    assert argv[:2] == ("setsid", "--fork")
    is_other = person.pw_uid != os.geteuid()
    assert (f"--reuid={person.pw_uid}" in argv) is is_other
