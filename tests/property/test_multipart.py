# SPDX-License-Identifier: Apache-2.0
"""A multipart body gives the same parts however it is cut on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scomod.download.multipart import MAX_HEADER_BYTES, Parts
from scomod.errors import DownloadError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BOUNDARY = "--=_x"
CONTENT_TYPE = f'multipart/related; boundary="{BOUNDARY}"'
# pieces of what a boundary is made of, so that a part is full of what is nearly one
PIECES = st.sampled_from(
    [b"\r", b"\n", b"-", b"--", b"\r\n----=_", b"----=_", b"=_x", b"abc", b"\0"]
)
CONTENT = (
    st.lists(PIECES, min_size=1, max_size=30)
    .map(b"".join)
    .filter(lambda octets: f"\n--{BOUNDARY}".encode() not in b"\n" + octets)
)


def written(parts: Sequence[bytes], end: bytes = b"\r\n", preamble: bytes = b"") -> bytes:
    mark = f"--{BOUNDARY}".encode()
    body = preamble
    for number, content in enumerate(parts):
        head = b"Content-Type: a/" + str(number).encode() + end + b"X: y" + end
        body += mark + b" " + end + head + end + content + end
    return body + mark + b"--"


def feed(octets: bytes, sizes: Sequence[int]) -> Callable[[memoryview], int]:
    """Give octets in pieces of these sizes, then the rest one by one."""
    left, steps = bytearray(octets), list(sizes)

    def read_into(room: memoryview) -> int:
        count = min(steps.pop(0) if steps else 1, len(left), len(room))
        room[:count] = left[:count]
        del left[:count]
        return count

    return read_into


def read(octets: bytes, sizes: Sequence[int] = (), room_bytes: int = 7) -> list[tuple[str, bytes]]:
    parts = Parts(feed(octets, sizes), CONTENT_TYPE)
    found, room = [], memoryview(bytearray(room_bytes))
    while (kind := parts.next()) is not None:
        content = bytearray()
        while count := parts.read_into(room):
            content += room[:count]
        found.append((kind, bytes(content)))
    return found


@given(
    st.lists(CONTENT, min_size=1, max_size=3),
    st.lists(st.integers(1, 40), max_size=40),
    st.integers(1, 50),
    st.sampled_from([b"", b"told to nobody\r\n"]),
)
def test_any_cut_gives_the_same_parts(
    contents: list[bytes], sizes: list[int], room_bytes: int, preamble: bytes
) -> None:
    octets = written(contents, preamble=preamble)
    found = read(octets, sizes, room_bytes)
    assert found == [(f"a/{number}", content) for number, content in enumerate(contents)]


def test_lines_without_cr_are_read() -> None:
    assert read(written([b"<media/>", b"\0\r1"], b"\n")) == [
        ("a/0", b"<media/>"),
        ("a/1", b"\0\r1"),
    ]


def test_what_nobody_reads_of_a_part_is_passed_over() -> None:
    parts = Parts(feed(written([b"x" * 1000, b"y"]), [99] * 20), CONTENT_TYPE)
    assert [parts.next(), parts.next()] == ["a/0", "a/1"]
    assert parts.whole(1) == b"y"
    assert parts.next() is None


@given(st.integers(0, len(written([b"one", b"two"])) - 1))
def test_a_body_that_is_cut_says_so(count: int) -> None:
    with pytest.raises(DownloadError) as caught:
        read(written([b"one", b"two"])[:count], [5] * 50)
    assert (caught.value.reason, caught.value.is_retryable) == (Reason.SERVER_UNAVAILABLE, True)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (f"--{BOUNDARY}more\r\n\r\n".encode(), "followed by something else"),
        (b"--" + BOUNDARY.encode() + b"\r\n" + b"x" * (MAX_HEADER_BYTES + 2), "too long"),
        (b"--" + BOUNDARY.encode() + b"\r\n" + b"X: y\r\n" * 5000, "too long"),
    ],
)
def test_what_is_no_part_is_named(octets: bytes, words: str) -> None:
    with pytest.raises(DownloadError, match=words) as caught:
        read(octets, [4096] * 20)
    assert caught.value.reason is Reason.DESCRIPTOR


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/related",
        'multipart/related; boundary=""',
        "multipart/mixed; boundary=" + "x" * 71,
    ],
)  # fmt: skip
def test_a_boundary_of_no_use_is_refused(content_type: str) -> None:
    with pytest.raises(DownloadError, match="no boundary"):
        Parts(feed(b"", []), content_type)


def test_a_part_larger_than_allowed_is_refused() -> None:
    parts = Parts(feed(written([b"x" * 100]), [10] * 50), CONTENT_TYPE)
    parts.next()
    with pytest.raises(DownloadError) as caught:
        parts.whole(99)
    assert caught.value.reason is Reason.TOO_LARGE
