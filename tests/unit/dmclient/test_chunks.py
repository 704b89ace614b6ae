# SPDX-License-Identifier: Apache-2.0
"""The rules by which chunks become one value, without tree and session (omadm §5)."""

from __future__ import annotations

import base64
import dataclasses

import pytest

from scomod.codes import AlertCode
from scomod.dmclient.chunks import Base64Decoder, Chunks, Whole
from scomod.dmclient.element import Element
from scomod.dmclient.model import (
    Add,
    Alert,
    Atomic,
    Command,
    Copy,
    Delete,
    Exec,
    Get,
    Item,
    ItemCommand,
    Meta,
    Replace,
    Sequence,
)
from scomod.errors import (
    BadFormat,
    BadRequest,
    CommandError,
    DeviceFull,
    IncompleteCommand,
    NotSupported,
    SizeMismatch,
    TooLarge,
)

URI = "./Toy/x/Blob"
VALUE = bytes(range(100))


class Basket:
    """A sink that keeps what it gets, and has room for so much."""

    def __init__(self, room: int) -> None:
        self.octets = b""
        self.room = room
        self.is_dropped = False

    def write(self, octets: bytes) -> None:
        if len(self.octets) + len(octets) > self.room:
            raise DeviceFull("full")
        self.octets += octets

    def drop(self) -> None:
        self.is_dropped = True


class Receiver:
    """Chunks, and the sinks that they opened."""

    def __init__(self, *, limit: int = 1000, room: int = 1000) -> None:
        self.baskets: list[Basket] = []
        self.room = room
        self.chunks: Chunks[Basket] = Chunks(self.open, max_object_bytes=limit)

    def open(
        self, _command: ItemCommand, target: str, meta: Meta, size_bytes: int
    ) -> tuple[Basket, bool]:
        assert size_bytes >= 0
        if not target:
            raise BadRequest("no target")
        self.baskets.append(Basket(self.room))
        return self.baskets[-1], meta.format == "b64"

    def give(self, command: ItemCommand, *, is_inside: bool = False) -> Whole[Basket] | None:
        """Take the first item of a command as an executor does; None for a chunk."""
        assert self.chunks.before(command) == []
        (item,) = command.items
        assert self.chunks.is_part(command, item)
        meta = item.meta or command.meta or Meta()
        return self.chunks.take(command, item, meta, is_inside=is_inside)

    def refuses(self, command: ItemCommand, error: type[CommandError]) -> None:
        with pytest.raises(error):
            self.give(command)

    def is_ordinary(self, command: ItemCommand) -> bool:
        return self.chunks.before(command) == [] and not self.chunks.is_part(
            command, command.items[0]
        )

    @property
    def last(self) -> Basket:
        return self.baskets[-1]


def chunk(
    data: bytes = b"",
    *,
    size: int | None = None,
    more: bool = True,
    kind: type[ItemCommand] = Add,
    target: str | None = URI,
    format_: str | None = None,
) -> ItemCommand:
    meta = None if size is None and format_ is None else Meta(size=size, format=format_)
    item = Item(target=target, source="src", meta=meta, data=data, more_data=more)
    return kind(cmd_id="1", items=(item,))


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.mark.spec("omadm T-32")
@pytest.mark.parametrize("kind", [Add, Replace, Exec])
def test_chunks_become_the_value_and_the_first_one_says_what_it_is(
    receiver: Receiver, kind: type[ItemCommand]
) -> None:
    assert receiver.give(chunk(VALUE[:40], size=100, kind=kind, format_="bin")) is None
    assert receiver.give(chunk(VALUE[40:70], kind=kind)) is None
    whole = receiver.give(chunk(VALUE[70:], kind=kind, more=False))
    assert whole is not None
    assert (whole.sink.octets, whole.meta, whole.is_decoded) == (VALUE, Meta(format="bin"), False)
    assert isinstance(whole.command, kind)
    assert not whole.sink.is_dropped


def test_size_may_stand_in_the_meta_of_the_command(receiver: Receiver) -> None:
    first = dataclasses.replace(chunk(VALUE[:40]), meta=Meta(size=40))
    assert receiver.give(first) is None
    assert receiver.give(chunk(more=False)) is not None


def test_chunks_without_octets_are_chunks_too(receiver: Receiver) -> None:
    receiver.give(chunk(size=100))
    receiver.give(chunk())
    receiver.give(chunk(VALUE))
    whole = receiver.give(chunk(more=False))
    assert whole is not None
    assert whole.sink.octets == VALUE


def test_object_of_exactly_the_limit_is_taken_one_more_octet_is_not() -> None:
    receiver = Receiver(limit=100)
    receiver.give(chunk(VALUE, size=100))
    assert receiver.give(chunk(more=False)) is not None
    receiver.refuses(chunk(VALUE, size=101), TooLarge)
    assert len(receiver.baskets) == 1


BROKEN: dict[str, tuple[list[ItemCommand], ItemCommand, type[CommandError]]] = {
    "no Size": ([], chunk(VALUE), IncompleteCommand),
    "Size again": ([chunk(VALUE[:9], size=100)], chunk(VALUE[9:], size=100), BadRequest),
    "Size again behind an empty chunk": ([chunk(size=100)], chunk(VALUE, size=100), BadRequest),
    "Size again in the last": (
        [chunk(VALUE[:9], size=100)], chunk(VALUE[9:], size=100, more=False), BadRequest,
    ),
    "more than the Size": ([chunk(VALUE[:9], size=99)], chunk(VALUE[9:]), SizeMismatch),
    "more in the last": (
        [chunk(VALUE[:9], size=99)], chunk(VALUE[9:], more=False), SizeMismatch,
    ),
    "less in the last": (
        [chunk(VALUE[:9], size=101)], chunk(VALUE[9:], more=False), SizeMismatch,
    ),
    "no base64": ([], chunk(b"!" * 9, size=100, format_="b64"), BadFormat),
    "half base64": (
        [chunk(b"QUJD", size=6, format_="b64")], chunk(b"RA", more=False), BadFormat,
    ),
    "markup": (
        [],
        Add(cmd_id="1", items=(
            Item(target=URI, meta=Meta(size=5), tree=Element("x"), more_data=True),)),
        BadFormat,
    ),
    "no Target": ([], chunk(VALUE, size=100, target=None), BadRequest),
}  # fmt: skip


@pytest.mark.spec("omadm T-32")
@pytest.mark.parametrize("name", BROKEN)
def test_broken_object_gets_its_error_and_is_dropped(receiver: Receiver, name: str) -> None:
    begin, last, error = BROKEN[name]
    for each in begin:
        receiver.give(each)
    receiver.refuses(last, error)
    assert all(basket.is_dropped for basket in receiver.baskets)
    assert receiver.chunks.before(Get(cmd_id="1")) == []


@pytest.mark.parametrize("name", [n for n in BROKEN if BROKEN[n][1].items[0].more_data])
def test_rest_of_a_refused_object_is_refused_alike_and_then_forgotten(
    receiver: Receiver, name: str
) -> None:
    begin, last, error = BROKEN[name]
    for each in begin:
        receiver.give(each)
    receiver.refuses(last, error)
    target = last.items[0].target
    receiver.refuses(chunk(b"more", target=target), error)
    receiver.refuses(chunk(b"the end", target=target, more=False), error)
    assert receiver.is_ordinary(chunk(b"v", target=target, more=False))


@pytest.mark.parametrize(
    "between",
    [
        chunk(b"v", more=False, target="./Toy/x/Text"),
        chunk(b"v", more=False, kind=Replace),
        Get(cmd_id="1", items=(Item(target=URI),)),
        Alert(cmd_id="1", code=AlertCode.DISPLAY),
        Delete(cmd_id="1", items=(Item(target=URI),)),
    ],
    ids=["another place", "another command", "Get", "Alert", "Delete"],
)
def test_something_else_ends_the_memory_of_a_refusal(receiver: Receiver, between: Command) -> None:
    receiver.refuses(chunk(VALUE), IncompleteCommand)
    assert receiver.chunks.before(between) == []
    if isinstance(between, ItemCommand) and not isinstance(between, Get):
        assert not receiver.chunks.is_part(between, between.items[0])
    assert receiver.is_ordinary(chunk(b"v", more=False))


def test_new_object_after_a_refused_one_is_taken(receiver: Receiver) -> None:
    receiver.refuses(chunk(VALUE), IncompleteCommand)
    receiver.give(chunk(VALUE[:50], size=100))
    assert receiver.give(chunk(VALUE[50:], more=False)) is not None


def test_no_room_on_the_way_drops_the_object() -> None:
    receiver = Receiver(room=50)
    receiver.give(chunk(VALUE[:40], size=100))
    receiver.refuses(chunk(VALUE[40:80]), DeviceFull)
    assert receiver.last.is_dropped
    receiver.refuses(chunk(VALUE[80:], more=False), DeviceFull)


@pytest.mark.spec("omadm 1.1")
@pytest.mark.parametrize("container", [Sequence, Atomic])
def test_chunk_in_a_container_is_refused_with_all_that_follows(
    receiver: Receiver, container: type[Sequence | Atomic]
) -> None:
    for command in (chunk(VALUE[:9], size=100), chunk(VALUE[9:], more=False)):
        assert receiver.chunks.before(container(cmd_id="1", commands=(command,))) == []
        with pytest.raises(NotSupported):
            receiver.give(command, is_inside=True)
    assert receiver.baskets == []


BETWEEN: dict[str, Command] = {
    "another Target": chunk(b"v", more=False, target="./Toy/x/Text"),
    "another object": chunk(VALUE, size=100, target="./Toy/y/Blob"),
    "another command": chunk(VALUE[9:], kind=Replace),
    "Get": Get(cmd_id="1", items=(Item(target=URI),)),
    "Copy": Copy(cmd_id="1", items=(Item(target=URI, source="./Toy/y/Blob"),)),
    "Alert": Alert(cmd_id="1", code=AlertCode.DISPLAY),
    "Sequence with the next chunk": Sequence(cmd_id="1", commands=(chunk(VALUE[9:]),)),
    "no Item": Add(cmd_id="1"),
}


@pytest.mark.spec("omadm T-32")
@pytest.mark.parametrize("name", BETWEEN)
def test_anything_else_breaks_an_object_off_and_the_alert_names_it(
    receiver: Receiver, name: str
) -> None:
    receiver.give(chunk(VALUE[:9], size=100))
    (alert,) = receiver.chunks.before(BETWEEN[name])
    assert alert.code == AlertCode.NO_END_OF_DATA
    assert alert.items == (Item(target=URI, source="src"),)
    assert receiver.last.is_dropped
    assert receiver.chunks.before(BETWEEN[name]) == []


def test_second_item_of_the_same_command_breaks_an_object_off(receiver: Receiver) -> None:
    first, second = chunk(VALUE[:9], size=100), chunk(b"v", more=False, target="./Toy/x/Text")
    receiver.give(first)
    assert not receiver.chunks.is_part(second, second.items[0])
    (alert,) = receiver.chunks.alerts()
    assert alert.items == (Item(target=URI, source="src"),)
    assert receiver.chunks.alerts() == []


def test_end_of_the_session_drops_the_object(receiver: Receiver) -> None:
    receiver.give(chunk(VALUE[:9], size=100))
    receiver.chunks.drop()
    assert receiver.last.is_dropped
    assert receiver.chunks.before(Get(cmd_id="1")) == []


@pytest.mark.spec("omadm 5")
def test_base64_is_decoded_and_its_size_is_that_of_the_text(receiver: Receiver) -> None:
    text = base64.b64encode(VALUE)
    receiver.give(chunk(text[:31], size=len(text), format_="b64"))
    whole = receiver.give(chunk(text[31:], more=False))
    assert whole is not None
    assert (whole.sink.octets, whole.is_decoded) == (VALUE, True)


@pytest.mark.parametrize(
    "pieces",
    [[b"QQ==", b"QQ=="], [b"QQ=", b"=Q"], [b"Q", b"Q", b"=", b"=", b"Q"], [b"QQ==Q"], [b"Q=Q="]],
)
def test_base64_behind_its_padding_is_none(pieces: list[bytes]) -> None:
    decoder = Base64Decoder()
    with pytest.raises(BadFormat):
        [decoder.decode(piece) for piece in pieces]


def test_white_space_behind_the_padding_is_nothing() -> None:
    decoder = Base64Decoder()
    assert decoder.decode(b" QQ=") + decoder.decode(b"=\n") + decoder.decode(b"\r\n ") == b"A"
    decoder.finish()
