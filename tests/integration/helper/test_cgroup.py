# SPDX-License-Identifier: Apache-2.0
"""What a tool leaves running at its deadline: killed in its control group, wherever it hides.

Against the kernel's own file system where this user may make a group in it; else against a
directory that looks like one, for what is read and made there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod.errors import InstallerError, Reason
from scomod.installers import cgroup, proc
from tests.support.helper_device import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Starts what leaves session and group of the tool, says its number, and waits.
RUNAWAY = "setsid sh -c 'echo $$ > {note}; exec sleep 100' & sleep 100"
HELD = """
import sys
from pathlib import Path
from scomod.errors import InstallerError
from scomod.installers import cgroup, proc
own = cgroup.delegated()
assert own is not None, "the group is not left to us"
with cgroup.holding(own, "7"):
    try:
        proc.run(["sh", "-c", sys.argv[1]], timeout_s=float(sys.argv[2]))
    except InstallerError as error:
        print(error.reason)
print([left.name for left in own.glob("order-*")])
"""


def hierarchy() -> Path | None:
    """Find where the one hierarchy of control groups is mounted."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 ") and os.access(before.split()[4], os.W_OK):
            return Path(before.split()[4])
    return None


@pytest.fixture
def left_to_us() -> Iterator[Path]:
    """Make a group as systemd does with Delegate=yes; its end is like that of a unit."""
    place = hierarchy()
    if place is None:
        pytest.skip("this user may make no control group here")
    folder = place / f"scomod-test-{os.getpid()}"
    folder.mkdir()
    try:
        os.setxattr(folder, "user.delegate", b"1")
        yield folder
    finally:
        (folder / "cgroup.kill").write_text("1")
        for inner in [*folder.glob("order-*"), folder]:
            until(partial(is_empty, inner))
            inner.rmdir()


def is_empty(group: Path) -> bool:
    return "populated 0" in (group / "cgroup.events").read_text()


def held(folder: Path, script: str, timeout_s: float) -> str:
    """Run a program in a process that lives in that group; gives what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", HELD, script, str(timeout_s)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=lambda: (folder / "cgroup.procs").write_text("0"),
    )
    return done.stdout


def until(holds: Callable[[], object]) -> None:
    give_up_s = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up_s
        time.sleep(0.01)


def is_running(note: Path) -> bool:
    until(lambda: note.exists() and note.read_text().strip())
    state = Path(f"/proc/{note.read_text().strip()}/stat")
    try:
        return state.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_what_left_the_process_group_is_killed_at_the_deadline(
    left_to_us: Path, tmp_path: Path
) -> None:
    note = tmp_path / "number"
    said = held(left_to_us, RUNAWAY.format(note=note), 1.5)
    assert said.splitlines() == ["timeout", "[]"]
    assert not is_running(note)


def test_what_was_left_in_the_background_of_a_tool_that_ended_well_stays(
    left_to_us: Path, tmp_path: Path
) -> None:
    note = tmp_path / "number"
    script = RUNAWAY.format(note=note).rpartition("&")[0] + f"& until [ -s {note} ]; do :; done"
    assert held(left_to_us, script, 60) == "['order-7']\n"
    assert is_running(note)
    os.kill(int(note.read_text()), signal.SIGKILL)
    until(partial(is_empty, left_to_us / "order-7"))
    assert held(left_to_us, "true", 60) == "[]\n"


def test_a_group_that_nobody_left_to_us_is_not_touched(left_to_us: Path) -> None:
    os.setxattr(left_to_us, "user.delegate", b"0")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        held(left_to_us, "true", 60)
    assert "not left to us" in caught.value.stderr


# -- a directory that looks like one ----------------------------------------------


def described(tmp_path: Path, membership: str, mount: str) -> Path | None:
    (tmp_path / "cgroup").write_text(membership)
    (tmp_path / "mountinfo").write_text(mount)
    return cgroup.delegated(tmp_path / "cgroup", tmp_path / "mountinfo")


@pytest.mark.parametrize("root", ["/", "/system.slice"])
def test_our_group_is_found_where_the_hierarchy_is_mounted(tmp_path: Path, root: str) -> None:
    group = tmp_path / Path("/system.slice/a.service").relative_to(root)
    group.mkdir(parents=True)
    mount = f"30 23 0:26 {root} {tmp_path} rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
    membership = "1:cpu:/elsewhere\n0::/system.slice/a.service\n"
    assert described(tmp_path, membership, mount) is None
    os.setxattr(group, "user.delegate", b"1")
    assert described(tmp_path, membership, mount) == group


@pytest.mark.parametrize(
    ("membership", "mount"),
    [
        ("4:memory:/a\n", "30 23 0:26 / {} rw - cgroup cgroup rw,memory\n"),
        ("0::/../outside\n", "30 23 0:26 / {} rw - cgroup2 cgroup2 rw\n"),
        ("0::/a\n", "30 23 0:26 /b {} rw - cgroup2 cgroup2 rw\n"),
        ("", ""),
    ],
    ids=["version 1", "outside of the name space", "not mounted here", "none"],
)
def test_where_there_is_no_group_of_ours_there_is_none(
    tmp_path: Path, membership: str, mount: str
) -> None:
    for name in (tmp_path, tmp_path.parent):
        os.setxattr(name, "user.delegate", b"1")
    assert described(tmp_path, membership, mount.format(tmp_path)) is None


def test_what_a_kernel_without_cgroup_kill_has_is_killed_one_by_one(tmp_path: Path) -> None:
    child = subprocess.Popen(["sleep", "30"])
    (tmp_path / "cgroup.procs").write_text(f"{child.pid}\n")
    with answering(tmp_path / "cgroup.events", child):
        cgroup.Group(tmp_path).kill()
    assert child.wait() == -signal.SIGKILL


@contextmanager
def answering(events: Path, child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Say what the kernel would say of a group in which one process lives."""

    def tell_of_the_end() -> None:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # its number stays its own
        after = events.with_suffix(".after")
        after.write_text("populated 0\n")
        after.rename(events)

    events.write_text("populated 1\n")
    kernel = threading.Thread(target=tell_of_the_end)
    kernel.start()
    yield
    kernel.join()


def test_a_deadline_without_a_group_is_a_timeout_as_ever() -> None:
    with cgroup.holding(None, "7"), pytest.raises(InstallerError) as caught:
        proc.run(["sleep", "100"], timeout_s=0.1)
    assert caught.value.reason is Reason.TIMEOUT
