# SPDX-License-Identifier: Apache-2.0
"""A document that was pushed, killed between every two things that happen to it: all or nothing.

The life: it arrives, the person mistypes the PIN, then enters it, two accounts are made,
both servers are met.  Each boundary kills one life (SIGKILL); the next goes on from the
files, and the operator sends again only what was never kept.
"""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from scomod.enrolment import OWED_KEY
from tests.support.clocks import FakeClock
from tests.support.doorsteps import Person, PushedDevice, pushed
from tests.support.mortal import live

TWO = (Path(__file__).parents[1] / "vectors/provisioning/two-servers.xml").read_bytes()
DATAGRAM = pushed(TWO, "1", b"1234")
BOTH = {"first.example", "second.example"}
NOW_S = 1_800_000_000.0


def play(root: Path, observer: Callable[[str], None] = lambda _: None) -> PushedDevice:
    """One life, from whatever is there."""
    clock = FakeClock()
    clock.advance(NOW_S)
    device = PushedDevice(root, clock)
    device.records.db._connection.set_trace_callback(
        lambda sql: observer(sql) if sql == "COMMIT" else None
    )
    device.hear = observer
    person = Person("wrong", "1234")
    person.hear = observer
    if not device.servers() and not device.waiting():
        device.push(DATAGRAM)
    observer("kept")
    device.greet(person)
    for server_id in sorted(set(device.wanted)):
        device.enrolment.met(server_id)
        with met_at(root).open("a") as visitors:
            visitors.write(f"{server_id}\n")
    return device


def met_at(root: Path) -> Path:
    """Where the servers write down that the device came."""
    return root / "met"


def life(root: Path, observer: Callable[[str], None]) -> None:
    play(root, observer).close()


def test_pushed_document_is_taken_whole_or_not_wherever_the_device_dies(tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    PushedDevice(fresh).close()
    shutil.copytree(fresh, tmp_path / "whole")
    found = live(partial(life, tmp_path / "whole")).boundaries
    assert {"asked", "asked, 2", "answered", "wanted", "wanted, 2", "COMMIT, 3"} <= set(found)
    for number, boundary in enumerate(found):
        root = tmp_path / str(number)
        shutil.copytree(fresh, root)
        assert live(partial(life, root), {boundary}).killed_at
        check_all_or_nothing(root, boundary)
        check_end(root, boundary)


def check_all_or_nothing(root: Path, boundary: str) -> None:
    device = PushedDevice(root)
    servers, waiting = device.servers(), device.waiting()
    assert (servers, waiting) in ((set(), 0), (set(), 1), (BOTH, 0)), boundary
    met = set(met_at(root).read_text().split()) if met_at(root).exists() else set()
    assert set(device.wanted) == servers - met, boundary
    device.close()


def check_end(root: Path, boundary: str) -> None:
    device = play(root)
    assert device.servers() == BOTH, boundary
    assert device.waiting() == 0, boundary
    assert device.records.db.meta(OWED_KEY) == "[]", boundary
    assert set(met_at(root).read_text().split()) == BOTH, boundary
    device.close()
