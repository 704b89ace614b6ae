# SPDX-License-Identifier: Apache-2.0
"""What a daemon says while an upgrade of scomod is not through, and what it tells afterwards."""

from __future__ import annotations

import logging
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from scomod import reaching
from scomod.db import Database
from scomod.installers import wayback
from scomod.installers.arming import OWN_FILE
from scomod.installers.base import JobResult, stamp
from scomod.installers.wayback import Pending
from scomod.log import Event
from scomod.settings import Paths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PENDING = Pending(
    job_id="7-abc-install",
    component_id="scomod",
    before="1.0",
    after="2.0",
    nonce="0123456789abcdef",
    stamp="of another file",
)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path)
    for folder in (made.state_dir, made.run_dir, made.way_back):
        folder.mkdir(parents=True, mode=0o700)
    (made.run_dir / "boot-id").write_text("boot-1\n")
    return made


@pytest.fixture
def db(paths: Paths) -> Iterator[Database]:
    with closing(Database.open(paths.database)) as opened:
        yield opened


def arm(paths: Paths, **other: str) -> None:
    pending = Pending(**{**{n: getattr(PENDING, n) for n in PENDING.__slots__}, **other})
    order = paths.way_back / "order"
    order.write_text(wayback.written(pending, {"REACH_S": 5}))


def said(paths: Paths, db: Database) -> str | None:
    """What the guard is told by a daemon that began and reached a server."""
    begun = reaching.begin(paths, db)
    assert begun is not None
    begun.reached()
    file = paths.state_dir / wayback.SAID
    return file.read_text() if file.exists() else None


def test_new_program_says_upgrade_version_number_and_boot(paths: Paths, db: Database) -> None:
    arm(paths)
    assert said(paths, db) == "7-abc-install 2.0 0123456789abcdef boot-1"


def test_old_program_says_nothing(paths: Paths, db: Database) -> None:
    arm(paths, stamp=stamp(OWN_FILE))
    assert said(paths, db) is None


def test_order_that_cannot_be_read_is_none_of_ours(paths: Paths, db: Database) -> None:
    """So the guard keeps the previous program from speaking for the new one."""
    assert said(paths, db) is None


def test_nothing_is_said_any_more_when_it_is_over(paths: Paths, db: Database) -> None:
    arm(paths)
    begun = reaching.begin(paths, db)
    assert begun is not None
    shutil.rmtree(paths.way_back)
    begun.reached()
    assert not (paths.state_dir / wayback.SAID).exists()


def test_without_an_upgrade_there_is_nothing_to_say(paths: Paths, db: Database) -> None:
    shutil.rmtree(paths.way_back)
    assert reaching.begin(paths, db) is None


def test_daemon_that_lives_through_the_end_tells_it(
    paths: Paths, db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    begun = reaching.begin(paths, db)
    assert begun is not None
    paths.last_way_back.write_text("7 1.0 2.0 returned\n")
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            begun.reached()
    assert [r.__dict__["event"] for r in caplog.records] == [Event.SELF_UPDATE_RETURNED]


@pytest.mark.parametrize(
    ("end", "event"),
    [
        ("stays", Event.SELF_UPDATE_STAYS),
        ("returned", Event.SELF_UPDATE_RETURNED),
        ("stuck", Event.SELF_UPDATE_STUCK),
    ],
)
def test_end_is_an_event_once(
    paths: Paths, caplog: pytest.LogCaptureFixture, end: str, event: Event
) -> None:
    (paths.install_dir / "way-back.last").write_text(f"7 1.0 2.0 {end}\n")
    with caplog.at_level(logging.INFO), closing(Database.open(paths.database)) as db:
        for _ in range(2):
            reaching.tell(paths, db)
    assert [record.__dict__["event"] for record in caplog.records] == [event]
    assert all(version in caplog.text for version in ("1.0", "2.0"))


@pytest.mark.parametrize("text", ["", "7 1.0 2.0\n", "7 1.0 2.0 well\n", "\0" * 100])
def test_other_words_are_no_end(paths: Paths, caplog: pytest.LogCaptureFixture, text: str) -> None:
    (paths.install_dir / "way-back.last").write_text(text)
    with caplog.at_level(logging.INFO), closing(Database.open(paths.database)) as db:
        reaching.tell(paths, db)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("job_id", "is_ok", "files"),
    [
        ("7-abc-install", True, {"answer.json"}),
        ("7-abc-install", False, {"returned.json", "state"}),
        ("8-abc-install", True, None),
        ("8-abc-install", False, None),
    ],
)
def test_answer_is_left_to_the_guard_of_its_order_only(
    paths: Paths, job_id: str, is_ok: bool, files: set[str] | None
) -> None:
    arm(paths)
    held = wayback.hold(paths, JobResult(id=job_id, is_ok=is_ok))
    assert held is (files is not None)
    found = {path.name for path in paths.way_back.iterdir()}
    assert found == {"order", *(files or ())}
    assert wayback.is_answered(paths, job_id) is held
