# SPDX-License-Identifier: Apache-2.0
"""User data of short messages: recorded ones, every element, and parts in any order."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scomod.dmclient import sms
from scomod.dmclient.sms import Parts, UserData
from scomod.errors import DecodeError, LimitExceeded
from scomod.settings import Notification

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGES: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parents[2] / "vectors/sms/cases.toml").read_text()
)["message"]
PORTS = "05040b84c002"
SENDER = "+491701234567"
LIMITS = Notification(sms_wait_s=60.0, sms_messages_count=3, sms_parts_count=4)


class Table:
    """Where parts are put together, with a clock that moves when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.parts = Parts(LIMITS, lambda: self.now_s)

    def take(self, number: int, total: int, payload: bytes, **more: Any) -> bytes | None:
        sender = more.pop("sender", SENDER)
        facts = {"port": 2948, "reference": 7, **more}
        message = UserData(total=total, number=number, payload=payload, **facts)
        return self.parts.take(message, sender)


@pytest.fixture
def table() -> Table:
    return Table()


def read(elements: str, payload: bytes = b"x") -> UserData:
    header = bytes.fromhex(elements)
    return sms.read(bytes((len(header),)) + header + payload)


@pytest.mark.spec("omadm 10.3")
@pytest.mark.parametrize("case", MESSAGES, ids=lambda case: case["name"])
@pytest.mark.parametrize("is_turned", [False, True])
def test_recorded_messages_are_put_together(
    case: dict[str, Any], table: Table, is_turned: bool
) -> None:
    messages = [sms.read(bytes.fromhex(part)) for part in case["parts"]]
    for message in messages:
        assert (message.port, message.source_port) == (case["port"], case["source_port"])
    taken = [table.parts.take(each, SENDER) for each in messages[:: -1 if is_turned else 1]]
    assert taken == [None] * (len(messages) - 1) + [bytes.fromhex(case["push"])]
    assert not table.parts.is_waiting


@pytest.mark.parametrize(
    ("elements", "facts"),
    [
        pytest.param("", {}, id="none"),
        pytest.param(PORTS, {"port": 2948, "source_port": 0xC002}, id="ports of 16 bits"),
        pytest.param("0402f0f1", {"port": 0xF0, "source_port": 0xF1}, id="ports of 8 bits"),
        pytest.param(
            "0402f0f1" + PORTS, {"port": 2948, "source_port": 0xC002}, id="the last ports count"
        ),
        pytest.param("0003420201", {"reference": 0x42, "total": 2, "number": 1}, id="parts"),
        pytest.param(
            "080401020302", {"reference": 0x102, "total": 3, "number": 2}, id="16-bit reference"
        ),
        pytest.param("0003420200", {}, id="part 0 is as if it were not there"),
        pytest.param("0003420203", {}, id="part 3 of 2 too"),
        pytest.param("0003420000", {}, id="part of nothing too"),
        pytest.param("7000" + "700101" + PORTS, {"port": 2948, "source_port": 0xC002}, id="others"),
    ],
)
def test_elements_of_the_header(elements: str, facts: dict[str, int]) -> None:
    assert read(elements, b"payload") == UserData(payload=b"payload", **facts)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        ("", "within its header"),
        ("06", "within its header"),
        ("0605040b84c0", "within its header"),
        ("0105", "cut"),
        ("0205040b", "cut"),
        ("0505040b84c0", "cut"),
        ("0505030b84c0", "element 05 of 3 octets"),
        ("040002 4202", "element 00 of 2 octets"),
    ],
)
def test_what_is_no_user_data_is_refused(octets: str, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        sms.read(bytes.fromhex(octets))


def test_longer_than_a_message_is_refused_by_name() -> None:
    assert len(sms.read(bytes(140)).payload) == 139
    with pytest.raises(LimitExceeded, match=r"sms.MAX_USER_DATA_BYTES"):
        sms.read(bytes(141))


def test_duplicates_change_nothing(table: Table) -> None:
    assert [table.take(number, 2, b"%d" % number) for number in (2, 2, 1, 1, 2)] == [
        None, None, b"12", None, None,
    ]  # fmt: skip
    assert not table.parts.is_waiting


def test_a_part_comes_too_late_for_the_others(table: Table) -> None:
    table.take(1, 2, b"a")
    table.now_s += LIMITS.sms_wait_s - 1
    waited = [table.parts.is_waiting]
    table.now_s += 1
    waited += [table.parts.is_waiting]
    assert waited == [True, False]
    assert table.take(2, 2, b"b") is None
    assert table.take(1, 2, b"c") == b"cb"


@pytest.mark.parametrize(
    "other",
    [{"sender": "+1"}, {"port": 16}, {"reference": 8}],
    ids=["sender", "port", "reference"],
)
def test_parts_of_different_messages_are_kept_apart(table: Table, other: dict[str, Any]) -> None:
    table.take(1, 2, b"a")
    table.take(1, 2, b"x", **other)
    assert table.take(2, 2, b"y", **other) == b"xy"
    assert table.take(2, 2, b"b") == b"ab"


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_reference_that_comes_round_again_is_another_message(
    table: Table, is_whole: bool
) -> None:
    table.take(1, 2, b"old 1")
    if is_whole:
        table.take(2, 2, b"old 2")
    assert table.take(1, 2, b"new 1") is None
    assert table.take(2, 2, b"new 2") == b"new 1new 2"


def test_too_many_messages_cost_the_oldest(table: Table) -> None:
    for reference in range(LIMITS.sms_messages_count + 1):
        table.take(1, 2, b"a", reference=reference)
    assert table.take(2, 2, b"b", reference=1) == b"ab"
    assert table.take(2, 2, b"b", reference=0) is None


def test_too_many_parts_are_refused_by_the_key(table: Table) -> None:
    with pytest.raises(LimitExceeded, match=r"notification.sms_parts_count exceeded: 5"):
        table.take(1, LIMITS.sms_parts_count + 1, b"")
    assert not table.parts.is_waiting


def parted(whole: bytes, reference: int, sizes: list[int]) -> Iterator[UserData]:
    """Cut a message as an SMS centre would, but anywhere."""
    ends = sorted({min(size, len(whole)) for size in sizes} | {len(whole)})
    starts = [0, *ends[:-1]]
    for number, (start, end) in enumerate(zip(starts, ends, strict=True), start=1):
        kind = b"\x00\x03" if reference < 256 else b"\x08\x04"
        size = len(kind) and kind[1] - 2
        mark = kind + reference.to_bytes(size, "big") + bytes((len(ends), number))
        header = mark + bytes.fromhex(PORTS) if number % 2 else bytes.fromhex(PORTS) + mark
        yield sms.read(bytes((len(header),)) + header + whole[start:end])


@given(
    whole=st.binary(min_size=1, max_size=120),
    reference=st.integers(0, 0xFFFF),
    sizes=st.lists(st.integers(1, 120), max_size=3),
    chance=st.randoms(use_true_random=False),
)
def test_any_cut_in_any_order_gives_the_whole_once(
    whole: bytes, reference: int, sizes: list[int], chance: Any
) -> None:
    parts = list(parted(whole, reference, sizes))
    sent = parts + chance.choices(parts, k=2) if len(parts) > 1 else parts
    chance.shuffle(sent)
    table = Table()
    taken = [table.parts.take(part, SENDER) for part in sent]
    assert [push for push in taken if push is not None] == [whole]


@given(st.binary(max_size=150))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    try:
        message = sms.read(octets)
    except (DecodeError, LimitExceeded):
        return
    assert octets.endswith(message.payload)
    assert 1 <= message.number <= message.total
