# SPDX-License-Identifier: Apache-2.0
"""The one database: connection, transactions, migrations, check at open (design §10).

It is not a store: SQL over a table lives in `mo/store.py`, `journal.py` and
`outbox.py`.  One connection, used from the thread that opened it; a transaction
contains no `await`, so no other task ever sees half of one.  That only one
process opens the file is the daemon's matter.

House rules: `synchronous=FULL`, because NORMAL loses acknowledged commits in a
power cut (I3); nothing of `sqlite3` but the cursor leaves this module, its
errors become `StoreError` and `StoreFull`.
"""

from __future__ import annotations

import contextlib
import sqlite3
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from scomod import dbcopy
from scomod.errors import LocalProtocolError, StoreError, StoreFull

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

SqlValue = str | bytes | int | float | None

PAGE_BYTES: Final = 1024  # a small commit writes about one page per table touched
CHECKPOINT_PAGES: Final = 256  # the write-ahead log stays near 256 KiB
JOURNAL_LIMIT_BYTES: Final = 256 * 1024
CACHE_KIB: Final = 512
BUSY_TIMEOUT_MS: Final = 5000
DAMAGED_KEPT_COUNT: Final = 3  # a failing flash must not fill itself with its own corpses

PRAGMAS: Final = (
    f"page_size={PAGE_BYTES}",  # first: it only counts while the file is empty
    f"busy_timeout={BUSY_TIMEOUT_MS}",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "temp_store=MEMORY",
    f"cache_size=-{CACHE_KIB}",
    f"wal_autocheckpoint={CHECKPOINT_PAGES}",
    f"journal_size_limit={JOURNAL_LIMIT_BYTES}",
)
DAMAGE_CODES: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
PRIMARY_CODE_MASK: Final = 0xFF  # the low octet of an SQLite error; the rest is detail
LIBRARY_VERSION: Final = sqlite3.sqlite_version
SIDE_FILES: Final = ("-wal", "-shm", "")  # the log goes first: it must never meet a fresh file


class DamagedError(Exception):
    """The file is not a sound database; never leaves this module."""


class Database:
    """One connection; `recovered_from` names the damaged file that was moved aside, if any.

    `returned_from` is that of a newer version in whose place a copy was put.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        recovered_from: Path | None,
        returned_from: Path | None,
    ) -> None:
        self._connection = connection
        self._path = path
        self._in_transaction = False
        self._savepoint_depth = 0
        self._on_end: list[Callable[[], None]] = []
        self.recovered_from = recovered_from
        self.returned_from = returned_from

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create the database, check it and bring it to the newest schema.

        A damaged file is moved aside and a fresh one made: `recovered_from` then says
        so.  So is one of a newer version of scomod, if there is a copy of before
        (`dbcopy`).  Raises `StoreError` if the directory is open to others, if the file
        comes from a newer version and there is no copy, or if the disk fails.
        """
        _prepare_directory(path.parent)
        recovered_from = returned_from = None
        try:
            connection = _connect(path)
        except DamagedError:
            recovered_from = _move_aside(path)
            connection = _connect_fresh(path)
        try:
            migrations = _migrations()
            if copy := _copy_instead(connection, path, max(migrations)):
                returned_from = _go_back(connection, path, copy)
                connection = _connect(path)
            _migrate(connection, path, migrations)
        except DamagedError as error:
            raise StoreError(f"the copy of {path} is damaged: {error}") from error
        except BaseException:
            connection.close()
            raise
        return cls(connection, path, recovered_from, returned_from)

    @property
    def in_transaction(self) -> bool:
        """Tell whether a `transaction()` is open."""
        return self._in_transaction

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside durable together, or nothing of it.

        Raises `LocalProtocolError` when nested, `StoreFull` or `StoreError` when the
        commit fails (then nothing has happened).
        """
        if self._in_transaction:
            raise LocalProtocolError("a transaction is already open")
        self._run("BEGIN IMMEDIATE")
        self._in_transaction = True
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._in_transaction = False
            for react in self._on_end:
                react()

    def on_transaction_end(self, react: Callable[[], None]) -> None:
        """Have something called after each transaction, kept or not; it must not raise."""
        self._on_end.append(react)

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what happens inside if it raises, and let the transaction go on (Atomic)."""
        if not self._in_transaction:
            raise LocalProtocolError("a savepoint needs a transaction")
        name = f"level_{self._savepoint_depth}"
        self.execute(f"SAVEPOINT {name}")
        self._savepoint_depth += 1
        try:
            yield
        except BaseException:
            # After some errors (disk full) SQLite has already rolled everything back.
            if self._connection.in_transaction:
                self._run(f"ROLLBACK TO {name}")
                self._run(f"RELEASE {name}")
            raise
        else:
            self.execute(f"RELEASE {name}")
        finally:
            self._savepoint_depth -= 1

    def execute(
        self, sql: str, parameters: Sequence[SqlValue] | Mapping[str, SqlValue] = ()
    ) -> sqlite3.Cursor:
        """Run one statement; rows are tuples.

        Raises `StoreFull`, `StoreError`; the latter also when SQLite had to give up the
        transaction we believe to be in (a write would otherwise commit on its own).
        """
        if self._in_transaction and not self._connection.in_transaction:
            raise StoreError("the database gave up the transaction after an earlier failure")
        return self._run(sql, parameters)

    def check(self) -> None:
        """Look once more whether the file is sound; raises `StoreError` that says what is not."""
        try:
            _check(self)
        except DamagedError as error:
            raise StoreError(f"the database is damaged: {error}") from error

    def drop_copy(self) -> None:
        """Delete the copy of before the last change of the schema: servers know what followed."""
        dbcopy.drop(self._path)

    def meta(self, key: str) -> str | None:
        """Return a small fact kept under `key`, or None."""
        row = self.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Keep a small fact under `key`."""
        self.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        # A checkpoint that fails (no room) loses nothing: the log stays and is read at open.
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def _run(
        self, sql: str, parameters: Sequence[SqlValue] | Mapping[str, SqlValue] = ()
    ) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.Error as error:
            raise _translated(error) from error

    def _roll_back(self) -> None:
        """Leave the transaction; a failure here is that of a transaction already gone."""
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def examined(path: Path) -> Iterator[str]:
    """Say of a copy of a database that nobody else uses whether it is sound, and what it holds."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            for (verdict,) in connection.execute("PRAGMA integrity_check(20)"):
                yield f"integrity: {verdict}"
            for pragma in ("user_version", "page_size", "page_count", "freelist_count"):
                yield f"{pragma}: {connection.execute(f'PRAGMA {pragma}').fetchone()[0]}"
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for (name,) in names.fetchall():
                count = connection.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0]  # noqa: S608 - names of its own tables
                yield f"rows of {name}: {count}"
    except sqlite3.Error as error:
        yield f"damaged: {error}"


def _prepare_directory(directory: Path) -> None:
    """Make the directory, or refuse one that others may read: the tree holds secrets."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(directory.stat().st_mode)
    except OSError as error:
        raise StoreError(f"cannot use the directory {directory}: {error.strerror}") from error
    if mode & 0o077:
        raise StoreError(f"{directory} is open to others (mode {mode:04o}); it must be 0700")


def _connect(path: Path) -> sqlite3.Connection:
    """Open and check; raises `DamagedError` for a file that is no sound database."""
    try:
        connection = sqlite3.connect(path, isolation_level=None)
    except sqlite3.Error as error:
        raise _translated(error) from error
    try:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        _check(connection)
    except sqlite3.Error as error:
        connection.close()
        if _primary_code(error) in DAMAGE_CODES:
            raise DamagedError(str(error)) from error
        raise _translated(error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection | Database) -> None:
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise DamagedError(verdict)


def _connect_fresh(path: Path) -> sqlite3.Connection:
    try:
        return _connect(path)
    except DamagedError as error:
        raise StoreError(f"a new database at {path} is damaged at once: {error}") from error


def _move_aside(path: Path) -> Path:
    """Rename the damaged file and its log to `NAME.damaged-N`; return the new name."""
    kept = sorted(path.parent.glob(f"{path.name}.damaged-*[0-9]"), key=_damage_number)
    number = _damage_number(kept[-1]) + 1 if kept else 1
    aside = path.with_name(f"{path.name}.damaged-{number}")
    for old in kept[: -(DAMAGED_KEPT_COUNT - 1)]:
        for suffix in SIDE_FILES:
            old.with_name(old.name + suffix).unlink(missing_ok=True)
    for suffix in SIDE_FILES:
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(aside.with_name(aside.name + suffix))
    dbcopy.sync(path.parent)
    return aside


def _damage_number(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


def _migrations() -> dict[int, str]:
    """Return the migrations by number; they are files so that they can be read and never edited."""
    files = sorted(Path(__file__).with_name("migrations").glob("*.sql"))
    return {int(file.stem): file.read_text(encoding="utf-8") for file in files}


def _schema(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _copy_instead(connection: sqlite3.Connection, path: Path, newest: int) -> Path | None:
    """Find the copy to go back to, if the file is of a newer version."""
    return dbcopy.found(path, newest) if _schema(connection) > newest else None


def _go_back(connection: sqlite3.Connection, path: Path, copy: Path) -> Path:
    """Put a copy in the place of the open file; gives where that is kept."""
    schema = _schema(connection)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        path.with_name(f"{path.name}-wal").unlink(missing_ok=True)
        return dbcopy.take(path, copy, schema)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"the copy of {path} cannot be taken: {error}") from error


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Mapping[int, str]) -> None:
    """Apply the missing migrations, each in a transaction of its own (I21)."""
    current = _schema(connection)
    newest = max(migrations)
    if current > newest:
        raise StoreError(
            f"{path} has schema {current}, this scomod knows {newest}: "
            "install the newer scomod again, or remove the file to start empty"
        )
    if 0 < current < newest:
        try:
            dbcopy.keep(connection.execute, path, current)
        except OSError as error:
            raise StoreError(f"no copy of {path} can be made: {error}") from error
        except sqlite3.Error as error:
            raise _translated(error) from error
    for number in range(current + 1, newest + 1):
        script = f"BEGIN IMMEDIATE;\n{migrations[number]}\nPRAGMA user_version={number};\nCOMMIT;"
        try:
            connection.executescript(script)
        except sqlite3.Error as error:
            raise _translated(error) from error


def _primary_code(error: sqlite3.Error) -> int:
    """Return the SQLite result code; 0 for errors that Python itself raised."""
    return getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE_MASK


def _translated(error: sqlite3.Error) -> StoreError:
    if _primary_code(error) == sqlite3.SQLITE_FULL:
        return StoreFull(f"no room for the database: {error}")
    return StoreError(f"the database failed: {error}")
