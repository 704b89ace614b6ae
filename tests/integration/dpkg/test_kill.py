# SPDX-License-Identifier: Apache-2.0
"""A dpkg killed at any instant: the same order again ends right."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from scomod.installers.base import Action, JobResult, Presence
from tests.support.debs import Deb, sha256
from tests.support.kills import await_dpkg, kill_group
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.installers.base import Job

FILES = {f"usr/share/hello/file{number}": f"{number}\n" * 50 for number in range(30)}
SCRIPTS = dict.fromkeys(("preinst", "postinst", "prerm", "postrm"), "sleep 0.01")
OLD = Deb(files={**FILES, "usr/share/hello/version": "1.0"}, scripts=SCRIPTS)
NEW = Deb(version="2.0", files={**FILES, "usr/share/hello/version": "2.0"}, scripts=SCRIPTS)
LONGEST_DELAY_S = 0.12
SEEDS = range(5)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path / "root")


def perform_killed(bench: Workbench, job: Job, delay_s: float) -> bool:
    """Carry an order out while its dpkg is killed; tell whether a living one was hit."""
    results: list[JobResult] = []
    worker = threading.Thread(target=lambda: results.append(bench.perform(job)))
    worker.start()
    group = await_dpkg(bench.root, timeout_s=100)
    time.sleep(delay_s)
    was_hit = group is not None and kill_group(group)
    worker.join()
    assert len(results) == 1
    return was_hit


def assert_sound(bench: Workbench, version: str | None) -> None:
    audit = subprocess.run(
        ["dpkg", f"--root={bench.root}", "--audit"], check=True, capture_output=True, text=True
    )
    assert audit.stdout == ""
    backend = bench.workshop().mover.backends["dpkg"]
    wanted = Presence.ABSENT if version is None else Presence.ACTIVE
    assert backend.probe("hello", version or "") is wanted
    content = bench.root / "usr/share/hello/version"
    assert (content.read_text() if content.exists() else None) == version
    left = list((bench.root / "usr/share").rglob("*.dpkg-*")) if version else []
    assert left == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["install", "upgrade", "remove"])
def test_the_same_order_after_a_killed_dpkg_ends_right(
    bench: Workbench, tmp_path: Path, kind: str, seed: int
) -> None:
    delay_s = random.Random(f"{kind} {seed}").uniform(0, LONGEST_DELAY_S)  # noqa: S311 - a seed
    old, new = OLD.build(tmp_path), NEW.build(tmp_path)
    if kind != "install":
        assert bench.do(Action.INSTALL, old).is_ok
    action = Action.REMOVE if kind == "remove" else Action.INSTALL
    archive = None if kind == "remove" else new
    perform_killed(bench, bench.order(action, archive, id="2"), delay_s)
    bench.forget("2")
    result = bench.do(action, archive, id="3")
    assert result.is_ok, result.detail
    assert_sound(bench, None if kind == "remove" else "2.0")
    assert bench.store() == (set() if kind == "remove" else {sha256(new)})


def test_kills_do_hit_a_working_dpkg(bench: Workbench, tmp_path: Path) -> None:
    job = bench.order(Action.INSTALL, OLD.build(tmp_path))
    assert perform_killed(bench, job, 0.0)
    assert_sound(bench, "1.0" if bench.entries() else None)


def test_a_purge_that_was_killed_is_run_once_more_and_leaves_no_configuration(
    bench: Workbench, tmp_path: Path
) -> None:
    once = 'test -e "$DPKG_ROOT/once" || { touch "$DPKG_ROOT/once"; kill -9 $PPID; }'
    script = f'test "$1" = remove || {{ {once}; }}'
    archive = Deb(conffiles={"etc/hello.conf": "one"}, scripts={"postrm": script}).build(tmp_path)
    assert bench.do(Action.INSTALL, archive).is_ok
    assert bench.do(Action.REMOVE).is_ok
    assert (bench.root / "once").exists()
    states = subprocess.run(
        ["dpkg-query", f"--admindir={bench.root}/var/lib/dpkg", "-W", "-f", "${Status}"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert states.stdout in ("", "unknown ok not-installed")
