# SPDX-License-Identifier: Apache-2.0
"""What a device tells those who look after it: a line, signs of life, figures, a recorder."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from scomod import ring
from scomod.lab.packages import Recipe
from tests.support import monitoring
from tests.support.rig import Rig
from tests.support.service_manager import ServiceManager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WATCHDOG_S = 0.5
IMSI = "262011234567890"
MORE = """
[daemon]
stuck_after_s = 0.3
[metrics]
socket = true
textfile = "run/scomod.prom"
[verify]
fetch_signature = "never"
"""
SLOW = """
[download]
connect_timeout_s = 0.5
idle_timeout_s = 0.5
stall_s = 0.5
max_rate_bytes = 60000
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    with ServiceManager(tmp_path / "notify") as made:
        yield made


@pytest.fixture
def rig(tmp_path: Path, manager: ServiceManager) -> Iterator[Rig]:
    with Rig(tmp_path, runner="direct", more=MORE) as made:
        made.environ = manager.environment(WATCHDOG_S)
        made.start_daemon()
        made.until_up()
        made.bootstrap()
        yield made


def recorded(rig: Rig) -> list[dict[str, object]]:
    return list(ring.read(rig.root / "var/lib/scomod/recorder"))


def big(rig: Rig) -> Recipe:
    return Recipe(
        name="big",
        version="1.0",
        summary="a long text",
        files={"usr/share/big": secrets.token_hex(500_000)},
    )


def test_a_life_is_told_in_lines_figures_and_the_recorder(
    rig: Rig, manager: ServiceManager, tmp_path: Path
) -> None:
    rig.override(f'{SLOW}[bootstrap]\nimsi = "{IMSI}"\n')
    rig.stop(rig._processes[0])
    daemon = rig.start_daemon()
    rig.until_up()
    began_s = time.monotonic()
    order = rig.order_install(rig.payload(big(rig)))
    assert rig.session()["outcome"] == "ok"
    assert rig.result_of(order) == 1200, rig.logs()
    rig.until_reported()
    took_s = time.monotonic() - began_s
    assert took_s > 3.4, "longer than a download may be silent (deadlines.step_s)"
    assert manager.signs_count(began_s) > took_s / WATCHDOG_S

    lines = manager.lines()
    percents = [line for line in lines if line.startswith("downloading big") and "%" in line]
    assert 1 <= len(percents) <= 20, lines
    assert all(earlier != later for earlier, later in pairwise(lines))
    rig.until(lambda: manager.lines()[-1].startswith("idle"), "the last line")
    shown = rig.root / "run/scomod/status"  # written once the service manager was told
    rig.until(lambda: shown.read_text() == manager.lines()[-1] + "\n", "the same in the file")

    check_figures(rig)
    rig.stop(daemon)
    check_recorder(rig)
    check_report(rig, tmp_path / "report.tar.gz")


def check_figures(rig: Rig) -> None:
    command = ["curl", "-sf", "--unix-socket", str(rig.root / "run/scomod/metrics.sock")]
    text = subprocess.check_output([*command, "http://device/metrics"], text=True)
    families = monitoring.openmetrics(text)
    done = families["scomod_operations"].samples[0]
    assert done.labels == {"primitive": "DownloadInstall", "outcome": "succeeded"}
    assert done.value == 1
    sessions = {each.labels["outcome"]: each.value for each in families["scomod_sessions"].samples}
    assert sessions["ok"] >= 2
    assert text == rig.run("scomod.cli", "metrics").stdout
    file = rig.root / "run/scomod.prom"
    kept = monitoring.prometheus(file.read_text())
    assert kept["scomod_operations"].samples[0].value == 1
    assert file.stat().st_mode & 0o777 == 0o644


def check_recorder(rig: Rig) -> None:
    entries = recorded(rig)
    whats = [each["what"] for each in entries]
    assert whats.count("start") == 2
    assert whats[-1] == "stop"
    steps = [each["step"] for each in entries if each["what"] == "operation"]
    assert steps[0] == "consent"
    assert steps[-1] == "settle"
    ends = [each for each in entries if each["what"] == "session end"]
    assert {each["outcome"] for each in ends} == {"ok"}
    commands = [each for each in entries if each["what"] == "command"]
    assert {"verb": "Exec", "status": 202}.items() <= commands[-1].items()
    text = "".join(path.read_text() for path in (rig.root / "var/lib/scomod/recorder").iterdir())
    for secret in (rig.account.password.reveal(), rig.account.server_password.reveal()):
        assert secret not in text
    mode = (rig.root / "var/lib/scomod/recorder").stat().st_mode
    assert mode & 0o777 == 0o700


def check_report(rig: Rig, file: Path) -> None:
    """Without a daemon, and on top of that with a damaged database."""
    database = rig.root / "var/lib/scomod/scomod.db"
    database.write_bytes(b"no database" * 1000)
    told = rig.scomoctl("report", str(file))
    assert told["file"] == str(file)
    names = subprocess.check_output(["tar", "tzf", str(file)], text=True).split()
    assert "scomod-report/index.txt" in names
    assert "scomod-report/recorder.txt" in names
    whole = subprocess.check_output(["tar", "xzOf", str(file)], text=True)
    assert "damaged" in whole
    assert "session end" in whole
    for secret in (rig.account.password.reveal(), rig.account.server_password.reveal(), IMSI):
        assert secret not in whole
    assert "imsi = ***" in whole
    assert {each["name"] for each in told["left_out"]} >= {"status.json", "why.json"}


def test_what_hangs_in_a_thread_ends_the_signs_of_life(rig: Rig, manager: ServiceManager) -> None:
    wedge = rig.root / "etc/scomod/trust.d/wedge.pem"
    wedge.parent.mkdir()
    os.mkfifo(wedge)  # whoever opens it waits for a writer who never comes
    rig.order_install(rig.no_package())
    assert rig.session()["outcome"] == "ok"
    rig.until(lambda: "hangs: no sign of life" in rig.logs(), "the word that it hangs")
    since_s = time.monotonic()
    time.sleep(3 * WATCHDOG_S)
    assert manager.signs_count(since_s) == 0
    assert rig.status()["operations_live"] == 1, "the loop turns, all the same"
    last = [each for each in recorded(rig) if each["what"] == "log"][-1]
    assert last["event"] == "SIGN_OF_LIFE_WITHHELD"

    writer = os.open(wedge, os.O_WRONLY | os.O_NONBLOCK)
    os.close(writer)
    rig.until(lambda: manager.signs_count(since_s) > 0, "signs of life, once it got on")
