# SPDX-License-Identifier: Apache-2.0
"""The spool: part files, promotion, clean-up."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from scomod.download.part import state_path
from scomod.download.spool import Spool
from scomod.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "ab" * 32


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "lib/spool", tmp_path / "lib/delivered")


def leave(spool: Spool, operation_id: int, content: bytes = b"octets") -> Path:
    part = spool.part(operation_id)
    part.write_bytes(content)
    state_path(part).write_text("{}")
    return part


def test_directories_are_for_us_alone(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir(mode=0o755)
    Spool(tmp_path / "spool", tmp_path / "delivered")
    for name in ("spool", "delivered"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700


def test_a_link_in_place_of_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    (tmp_path / "spool").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError):
        Spool(tmp_path / "spool", tmp_path / "delivered")
    assert stat.S_IMODE((tmp_path / "elsewhere").stat().st_mode) == 0o755


def test_promoted_part_is_named_by_its_digest(spool: Spool, tmp_path: Path) -> None:
    part = leave(spool, 7)
    payload = spool.promote(part, DIGEST)
    assert payload == tmp_path / "lib/delivered" / DIGEST
    assert payload.read_bytes() == b"octets"
    assert list((tmp_path / "lib/spool").iterdir()) == []


def test_promoting_twice_ends_the_same(spool: Spool) -> None:
    part = leave(spool, 7)
    first = spool.promote(part, DIGEST)
    assert spool.promote(part, DIGEST) == first
    assert first.read_bytes() == b"octets"


def test_same_payload_may_be_delivered_again(spool: Spool) -> None:
    spool.promote(leave(spool, 7), DIGEST)
    payload = spool.promote(leave(spool, 8), DIGEST)
    assert payload.read_bytes() == b"octets"
    assert not spool.part(8).exists()


def test_promoting_nothing_is_an_error(spool: Spool) -> None:
    with pytest.raises(StoreError, match="missing"):
        spool.promote(spool.part(7), DIGEST)


@pytest.mark.parametrize("name", ["", "../escape", "AB" * 32])
def test_a_payload_is_named_by_a_digest_only(spool: Spool, name: str) -> None:
    with pytest.raises(StoreError):
        spool.promote(leave(spool, 7), name)


def test_a_link_is_not_promoted(spool: Spool, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    spool.part(7).symlink_to(tmp_path / "secret")
    with pytest.raises(StoreError, match="no plain file"):
        spool.promote(spool.part(7), DIGEST)


def test_discard_removes_part_and_side_file_of_one_operation(spool: Spool) -> None:
    mine, other = leave(spool, 1), leave(spool, 11)
    spool.discard(1)
    spool.discard(1)
    assert not mine.exists()
    assert not state_path(mine).exists()
    assert other.exists()
    assert state_path(other).exists()


def test_discard_removes_a_link_and_not_its_target(spool: Spool, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"keep")
    spool.part(1).symlink_to(target)
    spool.discard(1)
    assert target.read_bytes() == b"keep"
    assert not spool.part(1).is_symlink()


def test_sweep_leaves_live_operations_and_strange_files(spool: Spool, tmp_path: Path) -> None:
    live, dead = leave(spool, 1), leave(spool, 2)
    (tmp_path / "lib/spool/3.part.state.new").write_text("{")
    (tmp_path / "lib/spool/4.part").mkdir()
    (tmp_path / "lib/spool/notes").write_text("not ours")
    spool.sweep({1})
    left = sorted(path.name for path in (tmp_path / "lib/spool").iterdir())
    assert left == ["1.part", "1.part.state", "4.part", "notes"]
    assert live.exists()
    assert not dead.exists()


def test_payloads_that_nobody_wants_go_and_only_then_it_is_asked(
    spool: Spool, tmp_path: Path
) -> None:
    spool.keep_only(lambda: pytest.fail("there is nothing to ask about"))
    delivered = tmp_path / "lib/delivered"
    for name in ("a" * 64, "b" * 64, "notes.txt"):
        (delivered / name).write_bytes(b"")
    spool.keep_only(lambda: {"a" * 64, "c" * 64})
    assert sorted(path.name for path in delivered.iterdir()) == ["a" * 64, "notes.txt"]
