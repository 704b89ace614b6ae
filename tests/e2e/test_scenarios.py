# SPDX-License-Identifier: Apache-2.0
"""The scenarios that we ship, with a real device that is pushed, and ones that do not hold."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod.lab.__main__ import main
from scomod.lab.admin import URL_FILE
from tests.support.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Iterator

SCENARIOS = Path(__file__).parents[2] / "docs/examples/scenarios"
HOST = "127.0.0.1"
# SCOMOD_SCENARIOS=all plays all that need no person
PLAYED = ["install-activate-remove", "server-away"]
if os.environ.get("SCOMOD_SCENARIOS") == "all":
    PLAYED += ["wrong-digest", "refuse", "downgrade"]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("rig")) as made:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind((HOST, 0))
            made.udp_port = free.getsockname()[1]
        made.write_config()
        (made.directory / "bench" / URL_FILE).write_text(made.bench.base_url)
        made.bootstrap()
        made.start_daemon()
        made.start_helper()
        made.until_up()
        yield made


def run(rig: Rig, scenario: Path) -> int:
    to = ["--dir", str(rig.directory / "bench"), "run", str(scenario)]
    return main([*to, "--device", "device-1", "--push", f"{HOST}:{rig.udp_port}"])


@pytest.mark.parametrize("name", PLAYED)
def test_a_shipped_scenario_holds(rig: Rig, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(rig, SCENARIOS / f"{name}.scenario") == 0, capsys.readouterr().err + rig.logs()
    told = capsys.readouterr().out
    assert "✓ expect" in told
    assert all(row["value"] == "off" for row in rig.bench.switches.listed())


def test_what_does_not_hold_is_named_with_its_line(
    rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = tmp_path / "wrong.scenario"
    scenario.write_text("order read uris=./DevInfo\npush\nexpect node ./DevInfo/Man = nobody\n")
    assert run(rig, scenario) == 1
    captured = capsys.readouterr()
    assert (
        f"{scenario}:3: expect node ./DevInfo/Man = nobody: there is ./DevInfo/Man" in captured.err
    )
    assert "   3  ✗ expect node" in captured.out
