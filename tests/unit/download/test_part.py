# SPDX-License-Identifier: Apache-2.0
"""The part file alone: what is written and hashed, and whose beginning may be gone on with."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from scomod.download.part import BUFFER_BYTES, ROOM_BYTES, Origin, PartFile, state_path

if TYPE_CHECKING:
    from pathlib import Path

URL, OTHER = "https://a/p", "https://b/p"
ORIGIN = Origin(url=URL, etag='"1"', last_modified="then", total_bytes=9, boot_id="boot")


def fill(part: PartFile, content: bytes, step: int) -> None:
    left = memoryview(content)
    while left:
        room = part.room()
        assert len(room) >= ROOM_BYTES
        count = min(step, len(room), len(left))
        room[:count] = left[:count]
        part.append(count)
        left = left[count:]


@pytest.mark.parametrize("step", [1000, 16384, 70_001, BUFFER_BYTES])
@pytest.mark.parametrize("size", [0, 1, BUFFER_BYTES - ROOM_BYTES, BUFFER_BYTES, 1_000_003])
def test_what_is_appended_is_on_disk_and_in_the_digests(
    tmp_path: Path, step: int, size: int
) -> None:
    content = hashlib.shake_256(b"part").digest(size)
    path = tmp_path / "1.part"
    with PartFile(path, 0, ("sha512",)) as part:
        part.restart(ORIGIN)
        fill(part, content, step)
        assert path.read_bytes() == content
        for _ in range(2):
            assert part.hexdigest() == hashlib.sha256(content).hexdigest()
            assert part.hexdigest("sha512") == hashlib.sha512(content).hexdigest()
    with PartFile(path, 0) as part:
        assert part.origin() == ORIGIN
        part.reread(lambda: None)
        assert (part.size_bytes, part.hexdigest()) == (size, hashlib.sha256(content).hexdigest())
        fill(part, b"more", 4)
        assert part.hexdigest() == hashlib.sha256(content + b"more").hexdigest()
        part.restart(ORIGIN)
        fill(part, b"new", 3)
        assert part.hexdigest() == hashlib.sha256(b"new").hexdigest()
    assert path.read_bytes() == b"new"


def test_nothing_is_left_of_what_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "1.part"
    state_path(path).with_name("1.part.state.new").write_text("a draft of an earlier life")
    with PartFile(path, 0) as part:
        part.restart(ORIGIN)
        fill(part, b"octets", 6)
        part.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("origin", "has_digest", "is_allowed"),
    [
        (ORIGIN, True, True),
        (ORIGIN, False, True),
        (Origin(url=URL, boot_id="boot"), True, True),
        (Origin(url=URL, last_modified="then", boot_id="boot"), False, False),
        (Origin(url=URL, etag='"1"', boot_id="earlier"), False, False),
        (Origin(url=URL, etag='"1"', boot_id="earlier"), True, True),
        (Origin(url="https://c/p", etag='"1"', boot_id="boot"), True, False),
    ],
)
def test_who_may_go_on(origin: Origin, has_digest: bool, is_allowed: bool) -> None:
    assert origin.may_continue((OTHER, URL), "boot", has_digest=has_digest) is is_allowed


@pytest.mark.parametrize(
    ("url", "has_digest", "condition"),
    [(URL, True, '"1"'), (URL, False, '"1"'), (OTHER, False, '"1"'), (OTHER, True, "")],
)
def test_what_is_asked_for_the_rest(url: str, has_digest: bool, condition: str) -> None:
    assert ORIGIN.condition(url, has_digest=has_digest) == condition


@pytest.mark.parametrize(
    ("url", "headers", "total", "has_digest", "is_same"),
    [
        (URL, {"ETag": '"1"', "Last-Modified": "then"}, 9, False, True),
        (URL, {}, None, False, True),
        (URL, {}, 8, True, False),
        (URL, {"ETag": '"2"'}, 9, True, False),
        (URL, {"Last-Modified": "now"}, 9, True, False),
        (OTHER, {"ETag": '"2"', "Last-Modified": "now"}, 9, True, True),
        (OTHER, {}, 8, True, False),
        (OTHER, {"ETag": '"1"', "Last-Modified": "now"}, 9, False, True),
        (OTHER, {"ETag": '"1"'}, None, False, False),
        (OTHER, {"ETag": '"2"'}, 9, False, False),
        (OTHER, {}, 9, False, False),
    ],
)
def test_which_rest_belongs_to_our_beginning(
    url: str, headers: dict[str, str], total: int | None, has_digest: bool, is_same: bool
) -> None:
    assert ORIGIN.is_same_file(url, headers, total, has_digest=has_digest) is is_same
