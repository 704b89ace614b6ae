# SPDX-License-Identifier: Apache-2.0
"""The floor for the time, and the ends of certificates told before they come."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from scomod import BUILT_S
from scomod.db import Database
from scomod.expiry import Announcer, expiries
from scomod.knowntime import KEY, KnownTime
from scomod.settings import Paths, Server, Settings, Time, Transport
from tests.support.certificates import make_certificates, make_client_file
from tests.support.clocks import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY_S = 86400.0
POLICY = Time()


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "state" / "scomod.db")
    yield opened
    opened.close()


def at(db: Database, wall_s: float) -> KnownTime:
    clock = FakeClock()
    clock.advance(wall_s)
    return KnownTime(db, clock)


def keep(db: Database, known: KnownTime) -> bool:
    """Keep what was learned; tells whether that was written."""
    before = db.meta(KEY)
    with db.transaction():
        known.keep()
    return db.meta(KEY) != before


def test_a_fresh_device_knows_that_this_software_exists(db: Database) -> None:
    assert at(db, 0.0).floor_s() == BUILT_S
    assert not at(db, 0.0).is_known()
    assert at(db, BUILT_S).is_known()
    assert time.time() > BUILT_S, "the machine of the test, or BUILT_S, is wrong"


def test_the_floor_only_rises_and_survives(db: Database) -> None:
    known = at(db, 0.0)
    known.learn(BUILT_S + 10 * DAY_S)
    known.learn(BUILT_S + 5 * DAY_S)
    assert known.now_s() == BUILT_S + 10 * DAY_S
    assert keep(db, known)
    assert at(db, 0.0).floor_s() == BUILT_S + 10 * DAY_S
    assert not at(db, BUILT_S + 8 * DAY_S).is_known()
    assert at(db, BUILT_S + 9.5 * DAY_S).is_known()


def test_it_is_written_once_a_day_at_most(db: Database) -> None:
    known = at(db, 0.0)
    writes = 0
    for hour in range(1, 24 * 10 + 1):
        known.learn(BUILT_S + hour * 3600.0)
        writes += keep(db, known)
    assert writes == 10


def test_a_clock_that_cannot_be_right_is_named_with_what_it_says(db: Database) -> None:
    known = at(db, 600.0)
    unset = known.unset(POLICY, 600.0)
    assert unset is not None
    assert str(unset) == (
        "the clock of this device is not set: it says 1970-01-01 00:10 UTC,"
        " but must be after 2025-01-01 00:00 UTC"
    )
    assert not unset.is_refused
    assert known.unset(POLICY, BUILT_S + DAY_S) is None
    refused = known.unset(Time(when_unknown="refuse"), 600.0)
    assert refused is not None
    assert refused.is_refused


# -- ends of certificates --------------------------------------------------------------


def test_ends_are_told_of_every_file_that_the_configuration_names(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, valid_until=timedelta(days=1))
    make_client_file(tmp_path, made)
    folder = tmp_path / "etc/scomod/trust.d"
    folder.mkdir(parents=True)
    (folder / "ca.pem").write_bytes(made.ca_file.read_bytes())
    (folder / "key.pem").write_text("-----BEGIN PUBLIC KEY-----\n")
    own = Server(certificate_file="client.pem", ca_file="nowhere.pem")
    settings = Settings(transport=Transport(ca_file="ca.pem"), servers={"a": own})
    found = {one.what: one for one in expiries(settings, Paths(tmp_path))}
    assert list(found) == [
        "transport.ca_file", 'server."a".ca_file', 'server."a".certificate_file',
        "verify.trust_dir",
    ]  # fmt: skip
    assert found["transport.ca_file"].ends_s == pytest.approx(time.time() + 30 * DAY_S, abs=300)
    assert found["verify.trust_dir"].ends_s == found["transport.ca_file"].ends_s
    assert found['server."a".certificate_file'].ends_s > time.time()
    assert "No such file" in found['server."a".ca_file'].problem


def test_a_file_without_a_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("hello")
    settings = Settings(transport=Transport(ca_file="ca.pem"))
    [found] = expiries(settings, Paths(tmp_path))
    assert found.problem == "it holds no certificate"


def test_one_that_ends_is_announced_once_a_day_and_others_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    announcer = Announcer(90 * DAY_S, clock.wall_s)
    ends = [("a certificate of the server", 95 * DAY_S), ("ours", 1000 * DAY_S)]
    with caplog.at_level(logging.WARNING):
        announcer.met("srv", ends)
        assert caplog.messages == []
        clock.advance(6 * DAY_S)
        announcer.met("srv", ends)
        announcer.met("srv", ends)
        assert len(caplog.messages) == 1
        clock.advance(DAY_S)
        announcer.met("srv", ends)
    said = "a certificate of the server, in sessions with srv, ends on 1970-04-06 00:00 UTC"
    assert caplog.messages == [f"{said}: a new one is needed before"] * 2
