# SPDX-License-Identifier: Apache-2.0
"""The daemon's side and the installing side, as two users where the test may be two."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scomod.errors import Reason
from scomod.installers import helper
from scomod.installers.base import Action, Presence
from scomod.settings import Settings
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
# What a daemon that was taken over puts before the helper; argv: root, a private file, its digest.
HOSTILE = """
import json, os, sys
from pathlib import Path
root, secret, digest = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
jobs, spool = root / "var/lib/scomod/jobs", root / "var/lib/scomod/spool"
def order(name, payload):
    job = {"id": name, "backend": "dpkg", "action": "install-inactive", "digest": digest,
           "payload": str(payload)}
    (jobs / f"{name}.json").write_text(json.dumps(job))
(jobs / "job-link.json").symlink_to(secret)
os.mkfifo(jobs / "job-pipe.json")
(jobs / "job-huge.json").write_text("{" + " " * (64 << 10) + "}")
(jobs / "job-deep.json").write_text("[" * 60000)
(jobs / "job-octets.json").write_bytes(bytes(range(256)))
order("swapped", spool / "swapped")
(spool / "swapped").write_text("something else")
order("link", spool / "link")
(spool / "link").symlink_to(secret)
order("pipe", spool / "pipe")
os.mkfifo(spool / "pipe")
order("folder", spool / "folder")
(spool / "folder").mkdir()
order("linked-folder", spool / "etc" / Path(secret).name)
(spool / "etc").symlink_to(Path(secret).parent)
order("outside", secret)
order("dots", f"{spool}/../../../../etc/{Path(secret).name}")
order("spool", spool)
order("deep", spool / "/".join("abcdefghi"))
order("gone", spool / "gone")
order("relative", "etc/secret")
"""
ANSWERS = {
    **dict.fromkeys(("job-link", "job-pipe"), Reason.POLICY),
    **dict.fromkeys(("job-huge", "job-deep", "job-octets"), Reason.MALFORMED),
    **dict.fromkeys(
        ("link", "pipe", "folder", "linked-folder", "outside", "dots", "spool"), Reason.POLICY
    ),
    **dict.fromkeys(("deep", "relative"), Reason.POLICY),
    "swapped": Reason.DIGEST,
    "gone": Reason.NOT_PRESENT,
}
FLOOD = """
import sys
from pathlib import Path
for number in range(150):
    Path(sys.argv[1], f"var/lib/scomod/jobs/{number}.json").write_text("{}")
"""
# Tries to change each of the files and directories it is given; says what it could.
MEDDLE = """
import contextlib, os, sys
for path in sys.argv[1:]:
    with contextlib.suppress(PermissionError):
        if os.path.isdir(path):
            os.close(os.open(path + "/new", os.O_CREAT))
        else:
            os.close(os.open(path, os.O_WRONLY))
        print("written", path)
    with contextlib.suppress(PermissionError):
        os.rename(path, path + ".away")
        os.symlink("/tmp", path)
        print("replaced", path)
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


KEPT = """
import os, sys
from pathlib import Path
from scomod.deltafetch import held
from scomod.settings import Paths
kept = held(Paths(Path(sys.argv[1])), sys.argv[2])
if kept is None or len(kept.read_bytes()) < 100:
    sys.exit("a kept archive cannot be read")
for attempt in (
    lambda: kept.open("r+b"),
    lambda: kept.unlink(),
    lambda: kept.chmod(0o666),
    lambda: kept.rename(kept.with_name("x")),
    lambda: kept.with_name("x").write_bytes(b""),
    lambda: os.listdir(kept.parent),
):
    try:
        attempt()
    except PermissionError:
        continue
    sys.exit("a kept archive can be changed")
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
    readers = device.paths.state_dir.stat().st_gid
    assert {
        (path.stat().st_gid, path.stat().st_mode & 0o777)
        for path in (device.paths.install_dir / "store").iterdir()
    } == {(readers, 0o640)}


def test_the_daemon_reads_kept_archives_that_it_knows_and_changes_none(
    device: TwoSided, tmp_path: Path
) -> None:
    """They are what deltas start from."""
    if not device.is_two:
        pytest.skip("one user may write all that is his")
    archive = Deb().build(tmp_path)
    job = device.order(Action.INSTALL_INACTIVE, archive)
    device.order_file(job)
    device.give_to_daemon()
    assert device.run_helper() == 0
    done = device.as_daemon(KEPT, str(device.root), sha256(archive))
    assert (done.returncode, done.stderr) == (0, "")


def test_without_deltas_the_daemon_reads_no_kept_archive(device: TwoSided, tmp_path: Path) -> None:
    with (device.paths.config_dir / "scomod.toml").open("a") as file:
        file.write('[download]\ndelta = "never"\n')
    device.order_file(device.order(Action.INSTALL_INACTIVE, Deb().build(tmp_path)))
    device.give_to_daemon()
    assert device.run_helper() == 0
    store = device.paths.install_dir / "store"
    assert [path.stat().st_mode & 0o777 for path in (store, *store.iterdir())] == [0o700, 0o600]


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


def test_what_a_hostile_daemon_orders_is_refused_and_nothing_of_ours_is_touched(
    device: TwoSided,
) -> None:
    secret = device.root / "etc/secret"
    secret.write_text("for root only")
    secret.chmod(0o600)
    done = device.as_daemon(HOSTILE, str(device.root), str(secret), sha256(secret))
    assert done.returncode == 0, done.stderr
    assert device.run_helper() == 0
    results = {name: device.result(name) for name in ANSWERS}
    assert {name: result and result.reason for name, result in results.items()} == ANSWERS
    assert device.names("store") == device.names("index") == device.names("work") == []
    assert device.pending() == []
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == ("for root only", 0o600)


def test_a_device_in_the_spool_is_not_opened_for_its_content(device: TwoSided) -> None:
    zero = device.paths.spool_dir / "zero"
    if not IS_ROOT:
        pytest.skip("only root can make a device, so no daemon can put one there")
    os.mknod(zero, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    device.order_file(device.order(Action.INSTALL_INACTIVE, payload=str(zero), digest="0" * 64))
    assert device.run_helper() == 0
    result = device.result("1")
    assert result is not None
    assert (result.is_ok, result.reason) == (False, Reason.POLICY)
    assert zero.exists()


def test_a_flood_of_orders_is_worked_off_and_leaves_a_bounded_rest(
    device: TwoSided, tmp_path: Path
) -> None:
    device.order_file(device.order(Action.INSTALL_INACTIVE, Deb().build(tmp_path), id="good"))
    device.give_to_daemon()
    assert device.as_daemon(FLOOD, str(device.root)).returncode == 0
    assert device.run_helper() == 0
    assert device.pending() == []
    good = device.result("good")
    assert good is not None
    assert good.is_ok
    assert len(device.names("results")) == 100
    assert len(device.names("refused")) == 20


@pytest.mark.parametrize("way", ["file", "memory"])
def test_what_is_written_after_it_was_verified_is_not_installed(
    device: TwoSided, tmp_path: Path, way: str
) -> None:
    job = device.order(Action.INSTALL, Deb(files={"usr/share/hello/f": "good"}).build(tmp_path))
    device.order_file(job)
    device.give_to_daemon()
    place = Path(job.payload).read_bytes().index(b"good")
    with Path(job.payload).open("r+b") as file:
        memory = mmap.mmap(file.fileno(), 0)
    # A mapping writes without a descriptor: either is held open by the daemon the whole time.
    writer = Path(job.payload).open("r+b") if way == "file" else None  # noqa: SIM115

    def meddle(boundary: str) -> None:
        if boundary == "verified" and writer is not None:
            writer.seek(place)
            writer.write(b"EVIL")
            writer.flush()
        elif boundary == "verified":
            memory[place : place + 4] = b"EVIL"

    assert helper.main(["--root", str(device.root)], meddle) == 0
    memory.close()
    if writer is not None:
        writer.close()
    result = device.result(job.id)
    assert result is not None
    assert result.is_ok, result.detail
    assert (device.root / "usr/share/hello/f").read_text() == "good"


def test_the_daemon_can_write_nothing_that_the_installing_side_trusts(
    device: TwoSided, tmp_path: Path
) -> None:
    if not device.is_two:
        pytest.skip("one user may write all that is his")
    settings = Settings()
    (device.paths.config_dir / "install-policy.toml").write_text('deny = ["hello"]\n')
    for name in (settings.verify.trust_dir, settings.verify.key_dir, settings.health.checks_dir,
                 settings.install.backends_dir):  # fmt: skip
        folder = device.paths.below_root(name)
        folder.mkdir(parents=True)
        (folder / "one").write_text("x")
    device.answered(device.order(Action.INSTALL, Deb(name="other").build(tmp_path)))
    places = [device.root, *device.root.rglob("*")]
    daemons = device.paths.state_dir
    trusted = [path for path in places if daemons not in (path, *path.parents)]
    assert {"lock", "results", "1.json", "install-policy.toml", "scomod.toml", "trust.d", "checks",
            "backends", "status"} < {path.name for path in trusted}  # fmt: skip
    assert {path.stat().st_uid for path in trusted} == {0}
    writable = [path for path in trusted if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)]
    assert writable == []
    done = device.as_daemon(MEDDLE, *map(str, trusted))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    # What root forbids stays forbidden.
    job = device.order(Action.INSTALL, Deb().build(tmp_path), id="2")
    device.give_to_daemon()
    with device.watching():
        result = device.daemon_says(json.dumps(asdict(job)))
    assert (result["is_ok"], result["reason"]) == (False, Reason.POLICY)
    assert device.workshop().mover.backends["dpkg"].probe("hello", "") is Presence.ABSENT


def test_a_policy_that_the_daemon_may_write_forbids_everything(
    device: TwoSided, tmp_path: Path
) -> None:
    if not device.is_two:
        pytest.skip("a device below a directory may be its user's own")
    policy = device.paths.config_dir / "install-policy.toml"
    policy.write_text("")
    os.chown(policy, NOBODY, NOBODY)
    result = device.answered(device.order(Action.INSTALL, Deb().build(tmp_path)))
    assert (result.is_ok, result.reason) == (False, Reason.POLICY)
    assert "does not count" in result.detail


def test_a_link_in_place_of_the_spool_is_not_followed(device: TwoSided, tmp_path: Path) -> None:
    archive = Deb().build(tmp_path)
    elsewhere = device.root / "etc/elsewhere"
    elsewhere.mkdir()
    shutil.copy(archive, elsewhere / "part")
    job = device.order(Action.INSTALL_INACTIVE, archive)
    device.order_file(job)
    shutil.rmtree(device.paths.spool_dir)
    device.paths.spool_dir.symlink_to(elsewhere)
    assert device.run_helper() == 0
    result = device.result(job.id)
    assert result is not None
    assert (result.is_ok, result.reason) == (False, Reason.POLICY)
    assert (elsewhere / "part").exists()
