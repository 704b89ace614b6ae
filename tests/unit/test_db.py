# SPDX-License-Identifier: Apache-2.0
"""The database: transactions, migrations, damage, and what survives a kill or a full disk."""

import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from scomod.db import Database
from scomod.errors import LocalProtocolError, StoreError, StoreFull

MIGRATIONS = sorted(Path(sys.modules["scomod.db"].__file__ or "").parent.glob("migrations/*.sql"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "scomod.db"


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    opened = Database.open(path)
    yield opened
    opened.close()


def schema(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    return set(connection.execute("SELECT type, name, sql FROM sqlite_schema"))


def reopened_value(path: Path, key: str) -> str | None:
    again = Database.open(path)
    try:
        assert again.recovered_from is None
        return again.meta(key)
    finally:
        again.close()


# Transactions


def test_what_a_transaction_wrote_is_there_after_closing(db: Database, path: Path) -> None:
    with db.transaction():
        db.set_meta("a", "1")
        db.set_meta("a", "2")
    db.close()
    assert reopened_value(path, "a") == "2"


def write_and_fail(db: Database, *keys: str) -> None:
    for key in keys:
        db.set_meta(key, "1")
    raise ZeroDivisionError


def test_exception_undoes_the_transaction(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), db.transaction():
        write_and_fail(db, "a")
    assert db.meta("a") is None
    assert not db.in_transaction


def test_exception_undoes_only_the_savepoint_it_leaves(db: Database) -> None:
    with db.transaction():
        db.set_meta("outer", "1")
        with pytest.raises(ZeroDivisionError), db.savepoint(), db.savepoint():
            write_and_fail(db, "inner")
        with pytest.raises(ZeroDivisionError), db.savepoint():
            inner_then_fail(db)
        with db.savepoint():
            db.set_meta("second", "1")
    found = [db.meta(key) for key in ("outer", "middle", "inner", "second")]
    assert found == ["1", None, None, "1"]


def inner_then_fail(db: Database) -> None:
    with db.savepoint():
        db.set_meta("inner", "1")
    write_and_fail(db, "middle")


def test_nested_transaction_is_a_bug_and_undoes_nothing_by_itself(db: Database) -> None:
    with db.transaction():
        db.set_meta("a", "1")
        with pytest.raises(LocalProtocolError), db.transaction():
            pass
        assert db.in_transaction
    assert db.meta("a") == "1"


def test_savepoint_outside_a_transaction_is_a_bug(db: Database) -> None:
    with pytest.raises(LocalProtocolError), db.savepoint():
        pass


def test_sql_error_is_a_store_error(db: Database) -> None:
    with pytest.raises(StoreError, match="no such table"):
        db.execute("SELECT * FROM absent")


def test_commits_are_durable_and_small(db: Database) -> None:
    def pragma(name: str) -> object:
        return db.execute(f"PRAGMA {name}").fetchone()[0]

    assert pragma("journal_mode") == "wal"
    assert pragma("synchronous") == 2  # FULL
    assert pragma("page_size") == 1024
    assert pragma("foreign_keys") == 1
    assert int(str(pragma("busy_timeout"))) > 0
    assert int(str(pragma("journal_size_limit"))) > 0


# Opening


def test_schema_is_the_sum_of_the_migrations(db: Database) -> None:
    plain = sqlite3.connect(":memory:")
    for migration in MIGRATIONS:
        plain.executescript(migration.read_text())
    mine = set(db.execute("SELECT type, name, sql FROM sqlite_schema"))
    assert mine == schema(plain)
    plain.close()
    assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert [int(migration.stem) for migration in MIGRATIONS] == [*range(1, len(MIGRATIONS) + 1)]


def test_all_tables_take_a_row(db: Database) -> None:
    with db.transaction():
        db.execute("INSERT INTO node (path, parent, format) VALUES ('.', '', 'node')")
        db.execute(
            "INSERT INTO operation (branch, primitive, node, exec_uri, server_id, subject, phase,"
            " created_s, changed_s) VALUES ('b', 'p', 'n', 'u', 's', '{}', 'queued', 1.5, 1.5)"
        )
        db.execute(
            "INSERT INTO alert (server_id, source, type, mark, items, created_s)"
            " VALUES ('s', 'u', 't', 'm', '[]', 1.5)"
        )
    assert db.execute("SELECT attempts, data, result FROM operation").fetchone() == (0, "{}", None)
    assert db.execute("SELECT sent_count, operation_id FROM alert").fetchone() == (0, None)


def test_number_of_a_row_is_never_given_again(db: Database) -> None:
    insert = (
        "INSERT INTO alert (server_id, source, type, mark, items, created_s)"
        " VALUES ('s', 'u', 't', 'm', '[]', 1.5)"
    )
    first = db.execute(insert).lastrowid
    db.execute("DELETE FROM alert")
    assert db.execute(insert).lastrowid != first


def test_older_database_is_migrated(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    sqlite3.connect(path).close()
    assert path.exists()
    Database.open(path).close()
    assert reopened_value(path, "nothing") is None


def test_newer_database_is_refused_with_a_sentence_and_left_alone(path: Path) -> None:
    Database.open(path).close()
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA user_version = 999")
    raw.close()
    with pytest.raises(StoreError, match=r"schema 999.*newer scomod"):
        Database.open(path)
    raw = sqlite3.connect(path)
    assert raw.execute("PRAGMA user_version").fetchone() == (999,)
    raw.close()


def test_directory_is_made_private(db: Database, path: Path) -> None:
    assert db.recovered_from is None
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_directory_that_others_can_read_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o755)
    with pytest.raises(StoreError, match="open to others"):
        Database.open(path)
    assert not path.exists()


def test_directory_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        Database.open(tmp_path / "file" / "scomod.db")


# Damage


def fill(path: Path) -> None:
    db = Database.open(path)
    with db.transaction():
        for number in range(200):
            db.set_meta(f"key {number}", "x" * 200)
    db.close()


@pytest.mark.parametrize("part", ["header", "middle", "all", "end"])
def test_damaged_file_is_moved_aside_and_named(path: Path, part: str) -> None:
    fill(path)
    octets = bytearray(path.read_bytes())
    start, stop = {
        "header": (0, 100),
        "middle": (len(octets) // 2, len(octets) // 2 + 4096),
        "all": (0, len(octets)),
        "end": (len(octets), len(octets)),
    }[part]
    octets[start:stop] = b"\xa5" * (stop - start)
    if part == "end":
        del octets[len(octets) // 2 :]
    path.write_bytes(octets)
    db = Database.open(path)
    assert db.recovered_from == path.with_name("scomod.db.damaged-1")
    assert db.recovered_from.read_bytes() == octets
    assert db.meta("key 1") is None
    with db.transaction():
        db.set_meta("fresh", "yes")
    db.close()
    assert reopened_value(path, "fresh") == "yes"


def test_log_of_a_damaged_file_does_not_reach_the_fresh_one(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).write_bytes(b"\xa5" * 5000)
    db = Database.open(path)
    assert db.recovered_from is not None
    assert db.meta("a") is None
    db.close()


def test_only_the_last_damaged_files_are_kept(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    for _ in range(12):
        path.write_bytes(b"\xa5" * 5000)
        Database.open(path).close()
    names = sorted(each.name for each in path.parent.glob("*damaged*"))
    assert names == [f"scomod.db.damaged-{number}" for number in (10, 11, 12)]


# Kill and full disk, in a process of its own

OPEN = """
import os, resource, signal, sys
from pathlib import Path
from scomod.db import Database
from scomod.errors import StoreError
db = Database.open(Path(sys.argv[1]))
"""


def child(
    path: Path, body: str, *, limit_bytes: int | None = None
) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.run(
        [sys.executable, "-c", OPEN + textwrap.dedent(body), str(path)],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )


def test_kill_after_the_commit_keeps_and_before_loses(path: Path) -> None:
    done = child(
        path,
        """
        with db.transaction():
            db.set_meta("kept", "yes")
        with db.transaction():
            db.set_meta("lost", "yes")
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    assert done.returncode == -signal.SIGKILL
    assert reopened_value(path, "kept") == "yes"
    assert reopened_value(path, "lost") is None


def test_file_that_may_not_grow_fails_the_transaction_and_keeps_the_old_data(path: Path) -> None:
    fill(path)
    size = path.stat().st_size
    done = child(
        path,
        """
        try:
            with db.transaction():
                for number in range(2000):
                    db.set_meta(f"new {number}", "y" * 500)
        except StoreError as error:
            print("refused")
        else:
            print("taken")
        print(db.meta("key 1") is not None, db.meta("new 1"), db.in_transaction)
        db.close()
        """,
        limit_bytes=size + 65536,
    )
    assert done.stdout.splitlines() == ["refused", "True None False"], done.stderr
    assert reopened_value(path, "key 1") == "x" * 200


def test_full_database_is_store_full_and_keeps_the_old_data(db: Database) -> None:
    with db.transaction():
        db.set_meta("old", "1")
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages + 4}")
    with pytest.raises(StoreFull), db.transaction():
        db.set_meta("big", "x" * 20000)
    assert db.meta("old") == "1"
    assert not db.in_transaction
    with db.transaction():
        db.set_meta("small", "1")
    assert db.meta("small") == "1"


def lose_the_transaction(db: Database) -> None:
    db.execute("ROLLBACK")  # as SQLite does by itself when the disk fails
    raise ZeroDivisionError


def test_transaction_that_sqlite_gave_up_takes_no_more_writes(db: Database) -> None:
    def go_on() -> None:
        with pytest.raises(ZeroDivisionError), db.savepoint():
            lose_the_transaction(db)
        db.set_meta("a", "would commit on its own")

    with pytest.raises(StoreError, match="gave up"), db.transaction():
        go_on()
    assert db.meta("a") is None


def test_second_writer_is_told_after_the_busy_time(db: Database, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    db.execute("PRAGMA busy_timeout = 10")
    with pytest.raises(StoreError, match="locked"), db.transaction():
        pass
    assert not db.in_transaction
    other.close()
