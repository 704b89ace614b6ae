# SPDX-License-Identifier: Apache-2.0
"""Values in files: what is in memory, what on disk, and what goes when."""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod import db
from scomod.db import Database
from scomod.errors import DeviceFull, Forbidden, StorageFailed, TooLarge
from scomod.mo.acl import Right
from scomod.mo.blob import FLUSH_BYTES, BlobStore, Incoming
from scomod.mo.node import INLINE_MAX_BYTES, Blob
from scomod.mo.store import NodeStore
from tests.support.trees import tree_bench

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.trees import Bench

LONG = bytes(range(256)) * 257  # 65792 octets
OTHER = LONG[::-1]
LEAF = "./Toy/x/Blob"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with tree_bench(tmp_path) as found:
        yield found


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "values", reserve_bytes=0)


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("values/*"))


def put(bench: Bench, value: bytes, uri: str = LEAF) -> None:
    is_new = bench.tree.node(uri) is None
    write = bench.tree.add if is_new else bench.tree.replace
    write(uri, "A", format="bin", type=None, value=value)


def put_and_fail(bench: Bench, value: bytes) -> None:
    put(bench, value)
    bench.toy.busy.add("./Toy/x")
    bench.tree.delete("./Toy/x", "A")


def octets(bench: Bench, uri: str = LEAF) -> bytes:
    reading = bench.tree.get(uri, "A")
    return reading.body.read(0, reading.body.size_bytes) if reading.body else reading.value


# -- the files themselves -------------------------------------------------------------


def test_short_value_that_arrives_makes_no_file(blobs: BlobStore, tmp_path: Path) -> None:
    incoming = blobs.receive()
    for _ in range(4):
        incoming.write(b"x" * (INLINE_MAX_BYTES // 4))
    assert incoming.finish() == b"x" * INLINE_MAX_BYTES
    assert not files(tmp_path)


def test_long_value_that_arrives_is_a_private_file_named_by_its_digest(
    blobs: BlobStore, tmp_path: Path
) -> None:
    incoming = blobs.receive()
    for start in range(0, len(LONG), 1000):
        incoming.write(LONG[start : start + 1000])
    blob = incoming.finish()
    assert blob == Blob(sha256=hashlib.sha256(LONG).hexdigest(), size_bytes=len(LONG))
    (file,) = (tmp_path / "values").iterdir()
    assert (file.name, file.read_bytes()) == (blob.sha256, LONG)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize("count", [0, 10, len(LONG)])
def test_dropped_value_leaves_nothing(blobs: BlobStore, tmp_path: Path, count: int) -> None:
    incoming = blobs.receive()
    incoming.write(LONG[:count])
    incoming.drop()
    incoming.drop()
    assert not files(tmp_path)


def test_body_reads_pieces_also_after_its_file_is_gone(blobs: BlobStore, tmp_path: Path) -> None:
    body = blobs.body(blobs.keep(LONG))
    blobs.keep_only(())
    assert not files(tmp_path)
    assert body.read(100, 50) == LONG[100:150]
    assert body.read(len(LONG) - 1, 50) == LONG[-1:]


def test_body_gives_its_descriptor_back(blobs: BlobStore) -> None:
    blob = blobs.keep(LONG)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        blobs.body(blob).read(0, 1)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_file_that_is_not_what_the_row_says_is_a_named_failure(
    blobs: BlobStore, tmp_path: Path, damage: str
) -> None:
    blob = blobs.keep(LONG)
    file = tmp_path / "values" / blob.sha256
    file.unlink() if damage == "gone" else os.truncate(file, 5)
    with pytest.raises(StorageFailed):
        blobs.body(blob)


def test_announced_size_beyond_the_free_room_is_refused(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path)
    free_bytes = free.f_bavail * free.f_frsize
    blobs = BlobStore(tmp_path / "values", reserve_bytes=free_bytes // 2)
    blobs.require_room(free_bytes // 4)
    with pytest.raises(DeviceFull):
        blobs.require_room(free_bytes - free_bytes // 4)


def test_growing_value_stops_at_the_reserve(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "values", reserve_bytes=1 << 60)
    incoming = blobs.receive()
    incoming.write(LONG)
    with pytest.raises(DeviceFull):
        incoming.write(bytes(FLUSH_BYTES))
    incoming.drop()
    assert not files(tmp_path)


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Let the kernel refuse files of more than 100 KB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_disk")
def test_kernel_that_takes_no_more_is_a_full_device(blobs: BlobStore, tmp_path: Path) -> None:
    incoming = blobs.receive()
    incoming.write(LONG)
    with pytest.raises(DeviceFull):
        incoming.write(LONG)
    incoming.drop()
    with pytest.raises(DeviceFull):
        blobs.keep(LONG * 2)
    assert not files(tmp_path)


def fill(incoming: Incoming, count: int) -> None:
    for _ in range(0, count, 5000):
        incoming.write(bytes(5000))


def test_room_that_ends_at_any_write_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    wanted_bytes = 150_000
    for limit in range(0, wanted_bytes, 5000):
        blobs = BlobStore(tmp_path / "values", reserve_bytes=0)
        incoming = blobs.receive()
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(DeviceFull):
                fill(incoming, wanted_bytes)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        incoming.drop()
        assert not files(tmp_path), limit


def test_part_goes_also_where_closing_it_fails(blobs: BlobStore, tmp_path: Path) -> None:
    """As a disk with a quota may say only then that there was no room."""
    part = blobs.new_part()
    part.write(LONG)
    os.close(part._file.fileno())
    part.remove()
    assert not files(tmp_path)


def test_directory_that_cannot_be_made_is_a_named_failure(tmp_path: Path) -> None:
    (tmp_path / "values").write_text("a file")
    blobs = BlobStore(tmp_path / "values", reserve_bytes=0)
    with pytest.raises(StorageFailed):
        blobs.keep(LONG)


# -- nodes that have them ---------------------------------------------------------------


def test_value_up_to_the_limit_stays_in_the_row(bench: Bench, tmp_path: Path) -> None:
    put(bench, LONG[:INLINE_MAX_BYTES])
    assert not files(tmp_path)
    assert octets(bench) == LONG[:INLINE_MAX_BYTES]
    put(bench, LONG[: INLINE_MAX_BYTES + 1])
    assert len(files(tmp_path)) == 1
    assert octets(bench) == LONG[: INLINE_MAX_BYTES + 1]


def test_long_value_is_no_text_and_has_a_size(bench: Bench) -> None:
    put(bench, LONG)
    node = bench.tree.node(LEAF)
    assert node is not None
    assert (node.value, node.size_bytes) == (None, len(LONG))
    assert bench.tree.value(LEAF) is None
    assert bench.tree.get(f"{LEAF}?prop=Size", "A").value == str(len(LONG)).encode()


def test_size_of_a_long_value_is_known_without_its_file(bench: Bench, tmp_path: Path) -> None:
    put(bench, LONG)
    next(tmp_path.rglob("values/*")).unlink()
    assert bench.tree.get(f"{LEAF}?prop=Size", "A").value == str(len(LONG)).encode()


def test_text_leaf_takes_no_long_value(bench: Bench) -> None:
    with pytest.raises(TooLarge):
        bench.tree.add(
            "./Toy/x/Text", "A", format=None, type=None, value=b"x" * (INLINE_MAX_BYTES + 1)
        )


def test_replacement_counts_versions_and_equal_octets_do_not(bench: Bench) -> None:
    put(bench, LONG)
    versions = []
    for value in (LONG, OTHER, b"short", LONG, LONG):
        put(bench, value)
        versions.append(bench.tree.get(f"{LEAF}?prop=VerNo", "A").value)
        assert octets(bench) == value
    assert versions == [b"0", b"1", b"2", b"3", b"3"]


def test_copy_shares_the_file(bench: Bench, tmp_path: Path) -> None:
    put(bench, LONG)
    bench.tree.copy("./Toy/y/Blob", LEAF, "A")
    assert len(files(tmp_path)) == 1
    bench.tree.delete(LEAF, "A")
    assert octets(bench, "./Toy/y/Blob") == LONG


def test_device_itself_may_write_a_long_value(bench: Bench) -> None:
    bench.tree.put(LEAF, value=LONG)
    assert octets(bench) == LONG
    bench.tree.put(LEAF, value=b"s")
    assert octets(bench) == b"s"


def test_computed_value_wins_over_a_file(bench: Bench) -> None:
    put(bench, LONG)
    bench.toy.computed[LEAF] = b"now"
    assert octets(bench) == b"now"


@pytest.mark.parametrize(
    ("right", "uri", "size"),
    [
        (Right.REPLACE, "./Toy/x/Text", INLINE_MAX_BYTES + 1),
        (Right.EXEC, "./Toy/x/Now", INLINE_MAX_BYTES + 1),
        (Right.ADD, "./Toy/x/Deep/Deeper/Leaf", INLINE_MAX_BYTES + 1),
    ],
)
def test_place_that_takes_no_file_says_so_before_anything_came(
    bench: Bench, right: Right, uri: str, size: int
) -> None:
    for name in ("Text", "Now"):
        bench.tree.put(f"./Toy/x/{name}")
    with pytest.raises(TooLarge):
        bench.tree.receive(uri, right, "A", format=None, size_bytes=size)


# -- file and row -----------------------------------------------------------------------


def test_old_file_goes_only_with_the_transaction(tmp_path: Path) -> None:
    with tree_bench(tmp_path) as bench:
        put(bench, LONG)
    with tree_bench(tmp_path) as bench:
        put(bench, OTHER)
        assert len(files(tmp_path)) == 2
    assert files(tmp_path) == [hashlib.sha256(OTHER).hexdigest()]


def test_rolled_back_replacement_keeps_the_old_file(tmp_path: Path) -> None:
    with tree_bench(tmp_path) as bench:
        put(bench, LONG)
    with pytest.raises(Forbidden), tree_bench(tmp_path) as bench:
        put_and_fail(bench, OTHER)
    assert files(tmp_path) == [hashlib.sha256(LONG).hexdigest()]


def test_rolled_back_savepoint_keeps_the_old_file(tmp_path: Path) -> None:
    with tree_bench(tmp_path) as bench:
        put(bench, LONG)
        with pytest.raises(Forbidden), bench.db.savepoint():
            put_and_fail(bench, OTHER)
        assert octets(bench) == LONG
    assert files(tmp_path) == [hashlib.sha256(LONG).hexdigest()]


def test_subtree_takes_its_files_along(tmp_path: Path) -> None:
    with tree_bench(tmp_path) as bench:
        put(bench, LONG)
        put(bench, OTHER, "./Toy/y/Blob")
    with tree_bench(tmp_path) as bench:
        bench.tree.delete("./Toy/x", "A")
    assert files(tmp_path) == [hashlib.sha256(OTHER).hexdigest()]


def test_start_removes_what_no_row_names_and_nothing_else(tmp_path: Path) -> None:
    with tree_bench(tmp_path) as bench:
        put(bench, LONG)
    directory = tmp_path / "state/values"
    (directory / "1.part").write_bytes(b"a part")
    (directory / ("0" * 64)).write_bytes(b"never named")
    with tree_bench(tmp_path) as bench:
        assert files(tmp_path) == [hashlib.sha256(LONG).hexdigest()]
        assert octets(bench) == LONG


def test_lost_database_loses_the_files_too(tmp_path: Path) -> None:
    with tree_bench(tmp_path) as bench:
        put(bench, LONG)
    (tmp_path / "state/scomod.db").write_bytes(b"no database at all" * 100)
    with tree_bench(tmp_path):
        assert not files(tmp_path)


DIE = """
import os, sys
from pathlib import Path
from tests.support.trees import tree_bench
directory, when = Path(sys.argv[1]), sys.argv[2]
with tree_bench(directory) as bench:
    incoming = bench.store.receive(70000)
    incoming.write(b"new" * 30000)
    if when == "while it comes":
        os._exit(9)
    blob = incoming.finish()
    if when == "before the row":
        os._exit(9)
    bench.tree.replace("./Toy/x/Blob", "A", format="bin", type=None, value=blob)
    if when == "before the commit":
        os._exit(9)
    bench.db._on_end.insert(0, lambda: os._exit(9))
"""


@pytest.mark.parametrize(
    ("when", "is_new"),
    [
        ("while it comes", False),
        ("before the row", False),
        ("before the commit", False),
        ("after the commit", True),
    ],
)
def test_death_leaves_row_and_file_of_one_value(tmp_path: Path, when: str, is_new: bool) -> None:
    with tree_bench(tmp_path) as bench:
        put(bench, LONG)
    done = subprocess.run([sys.executable, "-c", DIE, str(tmp_path), when], check=False)
    assert done.returncode == 9
    expected = b"new" * 30000 if is_new else LONG
    assert len(files(tmp_path)) == 2
    with tree_bench(tmp_path) as bench:
        assert octets(bench) == expected
        assert files(tmp_path) == [hashlib.sha256(expected).hexdigest()]


def test_store_of_an_old_database_gets_its_columns(tmp_path: Path) -> None:
    """A database of the first schema is migrated, its values stay."""
    path = tmp_path / "state/scomod.db"
    path.parent.mkdir(mode=0o700)
    first = Path(db.__file__).with_name("migrations") / "0001.sql"
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.executescript(first.read_text())
        row = (LEAF, "./Toy/x", "bin", b"short")
        old.execute("INSERT INTO node (path, parent, format, value) VALUES (?, ?, ?, ?)", row)
        old.execute("PRAGMA user_version=1")
        old.commit()
    new = Database.open(path)
    node = NodeStore(new, BlobStore(tmp_path / "state/values", reserve_bytes=0)).get(LEAF)
    new.close()
    assert node is not None
    assert (node.value, node.blob) == (b"short", None)
