# SPDX-License-Identifier: Apache-2.0
"""Fault switches of the bench: what each does, seen from a client, and how they are set."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from scomod.lab.__main__ import main
from scomod.lab.admin import Admin
from scomod.lab.switches import SWITCHES, SwitchError, Switches
from tests.support.lab_line import Line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = bytes(range(256)) * 16
# what is switched on for one answer, and what a session with a real client says then: a piece
# of its detail, "" where it succeeds
SAYS = {
    "dm.status=503": "HTTP 503",
    "dm.portal=on": "a web page",
    "dm.stall=on": "nothing arrived",
    "dm.lost=on": "closed the connection without an answer",
    "dm.slow=200": "",
    "dm.cut=40": "ended early",
    "dm.truncate=40": "without end",
    "dm.password=on": "",  # a challenge later the right one is there
    "dm.nonce=on": "",
    "dm.refuse=on": "",
    "dm.clock=-86400000": "",
}
# what stays wrong all the time, and how a session ends then
FOR_EVER = {
    "dm.password": "the server is not authenticated",
    "dm.nonce": "the server is not authenticated",
    "dm.refuse": "refuses our credentials",
    "dm.repeat": "",
}


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with Line(tmp_path_factory.mktemp("line"), read_timeout_s=0.5) as made:
        (made.bench.packages.directory / "p.deb").write_bytes(CONTENT)
        yield made


@pytest.fixture(autouse=True)
def all_off(line: Line) -> Iterator[None]:
    yield
    line.bench.switches.set("all", "off")


def fetched(line: Line) -> http.client.HTTPResponse:
    url = f"{line.bench.base_url}/packages/p.deb"
    context = line.bench.pki.client_context()
    response = urllib.request.urlopen(url, timeout=2, context=context)
    assert isinstance(response, http.client.HTTPResponse)
    return response


@pytest.mark.parametrize("setting", SAYS)
def test_what_a_client_makes_of_one_bad_answer(line: Line, setting: str) -> None:
    name, _, value = setting.partition("=")
    line.order("read", uris="./DevInfo/Man")  # a session of several messages
    line.bench.switches.set(name, value, 1)
    report = line.session()
    if SAYS[setting]:
        assert report.outcome == "failed"
        assert SAYS[setting] in report.detail
    else:
        assert (report.outcome, report.detail) == ("ok", "")
    assert all(row["value"] == "off" for row in line.bench.switches.listed()), "one answer only"


@pytest.mark.parametrize("name", FOR_EVER)
def test_what_a_client_makes_of_a_server_that_stays_bad(line: Line, name: str) -> None:
    order = line.order("read", uris="./DevInfo/Man")
    line.bench.switches.set(name, "on")
    report = line.session()
    assert report.outcome == "failed"
    assert FOR_EVER[name] in report.detail
    line.bench.switches.set(name, "off")
    assert line.session().outcome == "ok"
    assert order.phase == "done"


def test_every_switch_of_the_dm_server_was_met_by_a_client() -> None:
    met = {setting.partition("=")[0] for setting in SAYS} | set(FOR_EVER)
    assert met == {name for name in SWITCHES if name.startswith("dm.")}


def test_packages_are_served_as_the_switches_say(line: Line) -> None:
    switches = line.bench.switches
    switches.set("packages.status", "404", 1)
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        fetched(line)
    caught.value.close()
    switches.set("packages.wrong", "on", 1)
    with fetched(line) as response:
        wrong = response.read()
    assert (len(wrong), wrong[:-1]) == (len(CONTENT), CONTENT[:-1])
    assert wrong != CONTENT
    switches.set("packages.cut", "100", 1)
    with fetched(line) as response, pytest.raises(http.client.IncompleteRead) as cut:
        response.read()
    assert cut.value.partial == CONTENT[:100]
    switches.set("packages.stall", "100", 1)
    with fetched(line) as response:
        assert response.read(100) == CONTENT[:100]
    switches.set("packages.slow", str(len(CONTENT) * 10), 1)
    with fetched(line) as response:
        assert response.read() == CONTENT
    with fetched(line) as response:
        assert response.headers["ETag"], "nothing is wrong any more"


def test_switches_are_listed_set_and_cleared_on_the_command_line(
    line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = ["--dir", str(line.lab), "fault"]
    assert main(fault) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(SWITCHES)
    assert main([*fault, "--count", "2", "dm.status=503", "packages.wrong=on"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:4] == ["dm.status", "503", "(2", "times)"]
    assert second.split()[:2] == ["packages.wrong", "on"]
    assert main([*fault, "dm.status=off"]) == 0
    assert "dm.status" not in capsys.readouterr().out
    assert main([*fault, "off"]) == 0
    assert capsys.readouterr().out == "nothing is done wrong\n"


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("dm.statsu=503", "there are: dm.status, dm.portal"),
        ("dm.status=200", "a number from 400 to 599"),
        ("dm.status=on", "a number from 400 to 599"),
        ("dm.nonce=1", "dm.nonce is on or off"),
        ("503", "neither NAME=VALUE nor off"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_with_the_allowed_words(
    line: Line, capsys: pytest.CaptureFixture[str], setting: str, says: str
) -> None:
    assert main(["--dir", str(line.lab), "fault", setting]) == 1
    assert says in capsys.readouterr().err


def test_the_admin_interface_lists_and_sets_all_switches(line: Line) -> None:
    admin = Admin(line.lab)
    rows = admin.call("faults")
    assert [row["name"] for row in rows] == list(SWITCHES)
    assert all(row["says"] and row["value"] == "off" for row in rows)
    rows = admin.call("faults", {"name": "dm.slow", "value": "10", "count": 1})
    assert [row for row in rows if row["value"] != "off"] == [
        {"name": "dm.slow", "says": SWITCHES["dm.slow"].says, "unit": "milliseconds",
         "value": "10", "count": 1}
    ]  # fmt: skip
    assert json.dumps(admin.call("faults", {"name": "all", "value": "off"})).count('"off"') == len(
        SWITCHES
    )


def test_a_count_of_none_is_refused() -> None:
    with pytest.raises(SwitchError, match="1 or more"):
        Switches().set("dm.nonce", "on", 0)


def test_a_scenario_with_a_bench_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody comes to it: the account is made, and the wait ends at its deadline."""
    scenario = tmp_path / "s.scenario"
    scenario.write_text("fault dm.status=503\npause 1ms\npush\ndeadline 1ms\nwait session\n")
    to = ["--dir", str(tmp_path / "lab"), "run", str(scenario), "--device", "dev-1"]
    assert main([*to, "--serve", "--port", "0", "--start", "true"]) == 1
    captured = capsys.readouterr()
    assert f"{scenario}:5: wait session: no session ended within 0.001 s" in captured.err
    assert "   3    push: true: exit code 0" in captured.out
    assert not (tmp_path / "lab/url").exists()
