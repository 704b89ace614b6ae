# SPDX-License-Identifier: Apache-2.0
"""The units of the installing side are sound and keep it off the network."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

from scomod.installers.layout import Layout
from scomod.settings import Paths
from tests.support.units import UNITS, sections

NAMES = ("scomod-install.path", "scomod-install.service")


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    for name in NAMES:
        text = (UNITS / name).read_text()
        (tmp_path / name).write_text(text.replace("/usr/bin/scomod-install", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(tmp_path / name for name in NAMES)],
        check=False,
        capture_output=True,
        text=True,
    )
    # It also speaks of other units of the machine; ours must not be among them.
    complaints = [line for line in done.stderr.splitlines() if "scomod" in line]
    assert complaints == []


def test_the_watched_places_are_those_of_the_program() -> None:
    paths = Paths(Path("/"))
    taken_dir = Layout(paths.install_dir).taken_dir
    watched = sections("scomod-install.path")["Path"]["PathExistsGlob"]
    assert watched == [f"{paths.jobs_dir}/*.json", f"{taken_dir}/*.json"]


def test_there_is_no_way_to_the_network() -> None:
    service = sections("scomod-install.service")["Service"]
    assert service["PrivateNetwork"] == ["yes"]
    assert service["RestrictAddressFamilies"] == ["AF_UNIX AF_NETLINK"]


def test_the_control_group_is_left_to_the_program() -> None:
    service = sections("scomod-install.service")["Service"]
    assert service["Delegate"] == ["yes"]
    assert "ProtectControlGroups" not in service


def test_what_ended_badly_is_tried_again_but_not_at_once_nor_for_ever() -> None:
    service = sections("scomod-install.service")["Service"]
    assert service["Restart"] == ["on-failure"]
    assert service["RestartSec"] == ["5s"]
    assert service["RestartPreventExitStatus"] == ["78"], "a configuration that cannot be used"


def test_the_rights_that_are_left_are_known() -> None:
    threshold = "47"  # exposure level 4.7; package tools need most of it
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={threshold}",
         UNITS / "scomod-install.service"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-500:] + done.stderr


def test_starting_often_is_no_failure() -> None:
    unit = sections("scomod-install.service")["Unit"]
    assert unit["StartLimitIntervalSec"] == ["0"]


def test_the_program_that_the_service_starts_is_declared() -> None:
    setup = configparser.ConfigParser()
    setup.read(UNITS.parent / "setup.cfg")
    scripts = setup["options.entry_points"]["console_scripts"].split("\n")
    program = sections("scomod-install.service")["Service"]["ExecStart"][0].rpartition("/")[2]
    assert f"{program} = scomod.installers.helper:main" in scripts
