# SPDX-License-Identifier: Apache-2.0
"""A database that a newer version has migrated: the older one goes back to the copy of before."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from scomod import db, dbcopy
from scomod.db import Database
from scomod.errors import StoreError

NEWEST = max(int(file.stem) for file in Path(db.__file__).with_name("migrations").glob("*.sql"))
FUTURE = NEWEST + 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "state/scomod.db"
    with closing(Database.open(place)) as made, made.transaction():
        made.set_meta("known", "before")
    return place


def migrate(path: Path) -> None:
    """Do what a newer version does: keep a copy, change the schema, go on."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        dbcopy.keep(connection.execute, path, NEWEST)
        connection.execute("CREATE TABLE of_the_future (id INTEGER)")
        connection.execute(f"PRAGMA user_version={FUTURE}")
        connection.execute("UPDATE meta SET value = 'after' WHERE key = 'known'")


def known(path: Path) -> str | None:
    with closing(Database.open(path)) as opened:
        return opened.meta("known")


def names(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def test_older_version_takes_the_copy_and_keeps_the_newer_file(path: Path) -> None:
    migrate(path)
    with closing(Database.open(path)) as opened:
        assert opened.meta("known") == "before"
        assert opened.returned_from == path.with_name(f"scomod.db.newer-{FUTURE}")
    assert names(path) == ["scomod.db", f"scomod.db.newer-{FUTURE}"]
    with closing(sqlite3.connect(path.with_name(f"scomod.db.newer-{FUTURE}"))) as newer:
        assert newer.execute("SELECT value FROM meta WHERE key = 'known'").fetchone() == ("after",)


def test_after_a_session_that_went_well_a_downgrade_is_refused(path: Path) -> None:
    migrate(path)
    dbcopy.drop(path)
    with pytest.raises(StoreError, match="newer scomod"):
        Database.open(path)


def test_copy_of_a_newer_schema_than_ours_is_none_for_us(path: Path) -> None:
    migrate(path)
    path.with_name(f"scomod.db.schema-{NEWEST}").rename(
        path.with_name(f"scomod.db.schema-{FUTURE}")
    )
    with pytest.raises(StoreError, match="newer scomod"):
        Database.open(path)


def test_migrating_an_older_file_keeps_its_copy_and_the_first_good_session_drops_it(
    path: Path,
) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE notice")
        connection.execute("PRAGMA user_version=5")
    with closing(Database.open(path)) as opened:
        assert "scomod.db.schema-5" in names(path)
        opened.drop_copy()
    assert names(path) == ["scomod.db"]


def test_fresh_database_has_no_copy(path: Path) -> None:
    assert names(path) == ["scomod.db"]


def test_killed_before_the_copy_is_taken_it_is_taken_the_next_time(path: Path) -> None:
    migrate(path)
    aside = path.with_name(f"scomod.db.newer-{FUTURE}")
    aside.hardlink_to(path)  # the first of the two names
    assert known(path) == "before"
    assert names(path) == ["scomod.db", aside.name]
