# SPDX-License-Identifier: Apache-2.0
"""A daemon that calls its server by itself, and goes on after it was killed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

OFTEN = """
[poll]
interval_s = 2
min_interval_s = 1
spread_s = 0
boot_delay_s = 0
"""


def ended_s(rig: Rig) -> float:
    [server] = rig.status()["servers"]
    last: dict[str, Any] = server.get("last_session", {})
    return float(last.get("ended_s", 0.0)) if last.get("outcome") == "ok" else 0.0


def test_it_calls_and_a_killed_one_knows_of_the_last_call(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.override(OFTEN)
        daemon = rig.start_daemon()
        rig.until_up()
        rig.bootstrap()
        rig.until(lambda: ended_s(rig) > 0, "the first call")
        first_s = ended_s(rig)
        rig.until(lambda: ended_s(rig) > first_s, "the second call")
        daemon.kill()
        daemon.wait()
        rig.override("")
        rig.start_daemon()
        rig.until_up()
        known_s = ended_s(rig)
        assert known_s > first_s
        assert rig.status()["session"] == ""
