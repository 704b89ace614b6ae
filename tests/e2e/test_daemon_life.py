# SPDX-License-Identifier: Apache-2.0
"""How the daemon starts, stays and ends."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tests.support.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path


def log_of(rig: Rig) -> str:
    return (rig.directory / "scomod.log").read_text()


def test_daemon_that_is_not_resident_ends_when_idle(tmp_path: Path) -> None:
    with Rig(tmp_path, more="[daemon]\nidle_exit_s = 0.5") as rig:
        rig.bootstrap()
        assert rig.start("scomod").wait(150) == 0, log_of(rig)


def test_what_waits_for_a_person_outlives_a_daemon_that_leaves(tmp_path: Path) -> None:
    with Rig(tmp_path, confirm="ask", runner="direct") as rig:
        rig.override("[daemon]\nidle_exit_s = 0.5\n[confirm]\ndeadline_s = 50000")
        next_start = rig.root / "run/scomod/next-start"
        rig.bootstrap()
        first = rig.start("scomod")
        rig.until_up()
        watch = rig.start_watch()
        rig.until(lambda: rig.session() and (rig.directory / "cli.log").read_text(), "its news")
        order = rig.order_install(rig.no_package())
        rig.session()
        rig.until(lambda: rig.status()["prompts_waiting"] == 1, "the prompt")
        assert first.wait(150) == 0, log_of(rig)
        assert 49000 < int(next_start.read_text()) <= 50000, "the deadline of the question"

        second = rig.start("scomod")
        rig.until_up()
        assert rig.status()["prompts_waiting"] == 1, "at once, for who is started by a call"
        agent = rig.start_agent("no")
        assert rig.result_of(order) == 1401
        rig.until_reported()
        assert second.wait(150) == 0, log_of(rig)
        assert not next_start.exists(), "nothing is left to do"
        assert len(rig.reports(order)) == 1

        third = rig.start("scomod")
        rig.until_up()
        rig.until(lambda: rig.status()["agent"], "the same agent, registered again")
        assert third.wait(150) == 0, log_of(rig)
        assert (agent.poll(), watch.poll()) == (None, None)


def test_second_daemon_on_the_same_device_is_refused(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        first = rig.start_daemon()
        rig.until_up()
        assert rig.start_daemon().wait(150) == 1
        assert "another scomod works on" in log_of(rig)
        assert first.poll() is None


def test_sigterm_ends_it_and_the_lock(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        for _ in range(2):
            daemon = rig.start_daemon()
            rig.until_up()
            assert rig.stop(daemon) == 0


def test_loss_of_the_bus_ends_it_with_a_reason(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        daemon = rig.start_daemon()
        rig.until_up()
        os.kill(rig.bus_pid, signal.SIGKILL)
        assert daemon.wait(150) == 1
        assert "D-Bus connection was lost" in log_of(rig)


def test_missing_bus_is_one_clear_sentence(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.bus_address = "unix:path=/nonexistent/bus"
        assert rig.start_daemon().wait(150) == 1
        text = log_of(rig)
        assert "start dbus-daemon, or set DBUS_SYSTEM_BUS_ADDRESS" in text
        assert "Traceback" not in text


def test_damaged_database_is_kept_aside_and_told(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.bootstrap()
        database = rig.root / "var/lib/scomod/scomod.db"
        database.write_bytes(b"no database" * 1000)
        rig.start_daemon()
        rig.until_up()
        assert rig.status()["servers"] == []
        assert "was damaged and is kept as" in log_of(rig)
        assert database.with_name("scomod.db.damaged-1").read_bytes().startswith(b"no database")
        rig.bootstrap()
        assert rig.session()["outcome"] == "ok"


def test_identity_stays_the_same_over_restarts(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        config = rig.root / "etc/scomod/scomod.toml"
        config.write_text(config.read_text().replace('id = "urn:test:1"', ""))
        found = set()
        for _ in range(2):
            daemon = rig.start_daemon()
            rig.until_up()
            found.add(rig.status()["device_id"])
            rig.stop(daemon)
        (identity,) = found
        assert identity.startswith("urn:uuid:")
