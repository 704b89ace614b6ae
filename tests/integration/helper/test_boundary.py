"""The daemon's side and the installing side, as two users where the test may be two."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scomod.installers.base import Action
from tests.support.debs import Deb, sha256
from tests.support.helper_device import PROJECT, HelperDevice

if TYPE_CHECKING:
    from collections.abc import Iterator


NOBODY = 65534
SYSTEM_PYTHON = "/usr/bin/python3"
IS_ROOT = os.geteuid() == 0
CAN_BE_TWO = IS_ROOT and bool(shutil.which("setpriv")) and Path(SYSTEM_PYTHON).exists()

# What the unprivileged daemon does, in a process of its own; argv: root, then the order.
DAEMON = """
import asyncio, json, sys
from dataclasses import asdict
from pathlib import Path
from scomod.clock import SystemClock
from scomod.installers.base import Action, Job
from scomod.installers.runner import open_runner
from scomod.settings import Paths, Settings
paths = Paths(Path(sys.argv[1]))
runner = open_runner(Settings(), paths, SystemClock())
if len(sys.argv) > 2:
    order = json.loads(sys.argv[2])
    job = Job(**{**order, "action": Action(order["action"])})
    print(json.dumps(asdict(asyncio.run(runner.run(job)))))
else:
    print(json.dumps([asdict(item) for item in runner.inventory()]))
"""
PEEK = """
import os, sys
for path in sys.argv[1:]:
    try:
        os.listdir(path)
    except PermissionError:
        continue
    sys.exit(path + " can be read")
"""


@pytest.fixture(
    params=[
        False,
        pytest.param(True, marks=pytest.mark.skipif(not CAN_BE_TWO, reason="two users need root")),
    ],
    ids=["one-user", "two-users"],
)
def device(request: pytest.FixtureRequest) -> Iterator[TwoSided]:
    # Not tmp_path, whose parents only its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="scomod-boundary-"))
    folder.chmod(0o755)
    try:
        made = TwoSided(folder / "root")
        made.is_two = request.param
        made.configure('[verify]\nsignature = "optional"\n')
        made.give_to_daemon()
        yield made
    finally:
        shutil.rmtree(folder)


class TwoSided(HelperDevice):
    """A helper of ours, and a daemon that may be somebody else."""

    is_two = False

    def give_to_daemon(self) -> None:
        if self.is_two:
            state_dir = self.paths.state_dir
            for path in (state_dir, *state_dir.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
            state_dir.chmod(0o700)

    def as_daemon(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # A copy of the code, because the checkout may lie where the other user cannot look.
        code = self.root.with_name("code")
        if not code.exists():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PROJECT / "scomod", code / "scomod", ignore=ignored)
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        python = [*user, SYSTEM_PYTHON] if self.is_two else [sys.executable]
        return subprocess.run(
            [*python, "-c", script, *arguments],
            cwd=code,
            check=False,
            capture_output=True,
            text=True,
            timeout=250,
        )

    def daemon_says(self, *arguments: str) -> Any:
        done = self.as_daemon(DAEMON, str(self.root), *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def test_an_order_of_the_daemon_is_answered(device: TwoSided, tmp_path: Path) -> None:
    archive = Deb().build(tmp_path)
    job = device.order(Action.INSTALL, archive, package_id="pkg")
    device.give_to_daemon()
    with device.watching():
        result = device.daemon_says(json.dumps(asdict(job)))
    assert result["is_ok"], result
    assert device.daemon_says() == result["components"]
    (item,) = result["components"]
    assert (item["id"], item["digest"], item["package_id"]) == ("hello", sha256(archive), "pkg")


def test_the_daemon_sees_inactive_items_too(device: TwoSided, tmp_path: Path) -> None:
    device.do(Action.INSTALL_INACTIVE, Deb().build(tmp_path))
    assert [item["is_active"] for item in device.daemon_says()] == [False]


def test_the_daemon_cannot_look_where_it_should_not(device: TwoSided, tmp_path: Path) -> None:
    if not device.is_two:
        pytest.skip("one user may read all that is his")
    device.do(Action.INSTALL_INACTIVE, Deb().build(tmp_path))
    private = [str(device.paths.install_dir / name) for name in ("store", "taken", "work")]
    done = device.as_daemon(PEEK, *private)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_was_taken_over_belongs_to_the_installing_side(
    device: TwoSided, tmp_path: Path
) -> None:
    job = device.order(Action.INSTALL_INACTIVE, Deb().build(tmp_path))
    device.order_file(job)
    device.give_to_daemon()
    assert device.run_helper() == 0
    for path in device.paths.install_dir.rglob("*"):
        assert path.stat().st_uid == os.geteuid()
    assert {
        path.stat().st_mode & 0o777 for path in (device.paths.install_dir / "store").iterdir()
    } == {0o600}


def test_a_daemon_that_still_writes_changes_nothing(device: TwoSided, tmp_path: Path) -> None:
    archive = Deb().build(tmp_path)
    job = device.order(Action.INSTALL_INACTIVE, archive)
    device.order_file(job)
    device.give_to_daemon()
    with Path(job.payload).open("r+b") as writer:
        assert device.run_helper() == 0
        writer.write(b"EVIL")
        writer.flush()
    (kept,) = (device.paths.install_dir / "store").iterdir()
    assert sha256(kept) == sha256(archive)


def test_a_private_file_linked_into_the_spool_stays_private(
    device: TwoSided, tmp_path: Path
) -> None:
    if not device.is_two:
        pytest.skip("one user owns it all")
    secret = device.root / "etc/secret"
    secret.write_text("for root only")
    secret.chmod(0o640)
    job = device.order(Action.INSTALL_INACTIVE, Deb().build(tmp_path), digest=sha256(secret))
    device.order_file(job)
    device.give_to_daemon()
    Path(job.payload).unlink()
    os.link(secret, job.payload)
    assert device.run_helper() == 0
    result = device.result(job.id)
    assert result is not None
    assert (result.is_ok, result.reason) == (False, "policy")
    assert (secret.stat().st_uid, secret.stat().st_mode & 0o777) == (0, 0o640)
