# SPDX-License-Identifier: Apache-2.0
"""Large objects on their way to the server: where they are cut, and what goes between."""

from __future__ import annotations

import dataclasses

import pytest

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Alert, Item, Message, Meta, Replace, Results, Status
from scomod.dmclient.upload import Octets
from tests.support.packing import Packer

DATA = bytes(range(256)) * 40
CHR = Meta(format="chr", type="text/plain")
BIN = Meta(format="bin")


class Watched(Octets):
    """A body that notes how much was asked of it at once."""

    asked: list[int]

    def read(self, offset: int, count: int) -> bytes:
        self.asked.append(count)
        return self.data[offset : offset + count]


def watched(data: bytes) -> Watched:
    body = Watched(data)
    Watched.asked = []
    return body


def results(data: bytes | None = DATA, meta: Meta = BIN, **more: object) -> Results:
    item = Item(source="./Toy/x/Blob", meta=meta, data=data, **more)  # type: ignore[arg-type]
    return Results(msg_ref="2", cmd_ref="5", items=(item,))


def report(text: str) -> Alert:
    meta = Meta(type="urn:x", format="text/plain", mark="informational")
    item = Item(source="./SCOMO", meta=meta, data=text.encode())
    return Alert(code=AlertCode.GENERIC_ALERT, correlator="c-1", items=(item,))


def status(ref: str, code: int = 200) -> Status:
    return Status(msg_ref="9", cmd_ref=ref, cmd="Alert", code=code)


def items(messages: list[Message]) -> list[Item]:
    return [
        item
        for message in messages
        for command in message.commands
        if isinstance(command, Results | Alert)
        for item in command.items
    ]


def shape(message: Message) -> list[str]:
    return [type(command).__name__ for command in message.commands]


@pytest.mark.spec("omadm T-33")
@pytest.mark.parametrize("is_body", [True, False], ids=["from a file", "in memory"])
def test_size_stands_in_the_first_chunk_and_more_data_in_all_but_the_last(is_body: bool) -> None:
    packer = Packer()
    packer.out.owe(results(None, body=Octets(DATA)) if is_body else results())
    chunks = items(packer.pack_all())
    assert len(chunks) > 5
    assert [chunk.meta and chunk.meta.size for chunk in chunks] == [
        len(DATA), *[None] * (len(chunks) - 1)
    ]  # fmt: skip
    assert [chunk.more_data for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert b"".join(chunk.data or b"" for chunk in chunks) == DATA
    assert {(chunk.source, chunk.meta and chunk.meta.format) for chunk in chunks} == {
        ("./Toy/x/Blob", "bin")
    }


@pytest.mark.spec("omadm 5")
def test_one_chunk_in_each_message_references_the_get_and_ends_the_package_last() -> None:
    packer = Packer()
    packer.out.owe(results())
    messages = packer.pack_all()
    for message in messages:
        assert shape(message) == ["Status", "Results"]
        (found,) = [c for c in message.commands if isinstance(c, Results)]
        assert (found.msg_ref, found.cmd_ref) == ("2", "5")
    assert [message.final for message in messages] == [False] * (len(messages) - 1) + [True]


def test_value_that_fits_is_not_cut_wherever_it_lies() -> None:
    packer = Packer()
    packer.out.owe(results(None, body=Octets(DATA[:1000])))
    (message,) = packer.pack_all()
    (item,) = items([message])
    assert (item.data, item.more_data, item.meta) == (DATA[:1000], False, BIN)


@pytest.mark.spec("omadm 5")
def test_value_that_fits_into_a_message_of_its_own_is_not_cut() -> None:
    packer = Packer()
    for _ in range(3):
        packer.out.owe(results(DATA[:1500]))
    messages = packer.pack_all()
    assert [shape(m) for m in messages] == [["Status", "Results"]] * 3
    assert not any(item.more_data for item in items(messages))


def test_first_chunk_uses_the_room_behind_what_came_before() -> None:
    packer = Packer()
    for ref in "123":
        packer.out.owe(status(ref))
    packer.out.owe(results())
    assert shape(packer.pack()) == ["Status"] * 4 + ["Results"]


def test_what_is_owed_later_goes_behind_the_last_chunk() -> None:
    packer = Packer()
    packer.out.owe(results())
    packer.out.owe(results(b"small"))
    packer.out.owe(results(DATA[::-1]))
    found = items(packer.pack_all())
    ends = [n for n, item in enumerate(found) if not item.more_data]
    first, small = ends[:2]
    assert found[small].data == b"small"
    assert small == first + 1
    assert b"".join(i.data or b"" for i in found[: first + 1]) == DATA
    assert b"".join(i.data or b"" for i in found[small + 1 :]) == DATA[::-1]


@pytest.mark.spec("omadm 1.2")
def test_statuses_of_1222_go_with_the_next_chunk_and_in_order() -> None:
    packer = Packer()
    packer.out.owe(results())
    packer.out.owe(results(b"small"))
    packer.pack()
    packer.out.owe(status("7"))
    packer.out.owe(status("8"))
    message = packer.pack()
    assert shape(message) == ["Status", "Status", "Status", "Results"]
    assert [c.cmd_ref for c in message.commands if isinstance(c, Status)] == ["0", "7", "8"]
    assert items([message])[0].more_data


def test_memory_for_a_chunk_is_that_of_a_message() -> None:
    body = watched(bytes(1 << 20))
    packer = Packer()
    packer.out.owe(results(None, body=body))
    packer.pack()
    assert max(body.asked) <= packer.limit_bytes


@pytest.mark.spec("omadm 6.2")
def test_binary_in_xml_is_cut_so_that_the_base64_texts_make_up_the_whole() -> None:
    packer = Packer(Encoding.XML)
    packer.out.owe(results())
    chunks = items(packer.pack_all())
    assert all(len(chunk.data or b"") % 4 == 0 for chunk in chunks)
    assert all(b"=" not in (chunk.data or b"") for chunk in chunks[:-1])
    assert chunks[0].meta == Meta(format="b64", size=(len(DATA) + 2) // 3 * 4)
    assert sum(len(chunk.data or b"") for chunk in chunks) == chunks[0].meta.size


@pytest.mark.parametrize("encoding", list(Encoding))
def test_text_is_cut_between_characters(encoding: Encoding) -> None:
    text = "aä€😀&<" * 500
    packer = Packer(encoding)
    packer.out.owe(results(text.encode(), CHR))
    chunks = items(packer.pack_all())
    assert len(chunks) > 3
    assert "".join((chunk.data or b"").decode() for chunk in chunks) == text
    assert chunks[0].meta == dataclasses.replace(CHR, size=len(text.encode()))


def test_limit_of_the_server_may_shrink_on_the_way() -> None:
    packer = Packer()
    packer.out.owe(results())
    packer.pack()
    packer.limit_bytes = 700
    assert b"".join(item.data or b"" for item in items(packer.pack_all())) == DATA


@pytest.mark.spec("omadm 5")
def test_message_too_small_for_any_chunk_says_413_instead() -> None:
    packer = Packer()
    packer.out.owe(results(None, body=Octets(DATA)))
    message = packer.out.pack(packer.header(), 100, may_end=True)
    (said,) = [c for c in message.commands if isinstance(c, Status)]
    assert (said.cmd_ref, said.cmd, said.code) == ("5", "Get", DmStatus.ENTITY_TOO_LARGE)
    assert not packer.out.is_waiting


def test_device_information_is_never_cut() -> None:
    packer = Packer()
    leaves = tuple(Item(source=f"./DevInfo/{n}", data=b"v" * 100) for n in range(3))
    packer.out.owe(Replace(items=leaves))
    packer.out.owe(results())
    assert shape(packer.pack()) == ["Status", "Replace", "Results"]


# -- reports (1226) ----------------------------------------------------------------------


def test_long_report_is_cut_and_counts_only_with_its_last_chunk() -> None:
    packer = Packer()
    packer.out.owe(report("r" * 5000), alert_id=42)
    messages = packer.pack_all()
    found = [[c for c in m.commands if isinstance(c, Alert)] for m in messages]
    assert [len(alerts) for alerts in found] == [1] * len(messages)
    assert len(messages) > 2
    assert {(a.code, a.correlator) for (a,) in found} == {(AlertCode.GENERIC_ALERT, "c-1")}
    for message, (alert,) in zip(messages, found, strict=True):
        answer = Status(
            msg_ref=message.header.msg_id, cmd_ref=alert.cmd_id, cmd="Alert", code=DmStatus.OK
        )
        expected = [(42, DmStatus.OK)] if message is messages[-1] else []
        assert packer.awaited.take_alerts([answer], lambda _: False) == expected


def answer_to(message: Message, code: int) -> Status:
    (chunk,) = [c for c in message.commands if isinstance(c, Results | Alert)]
    return Status(msg_ref=message.header.msg_id, cmd_ref=chunk.cmd_id, cmd="Alert", code=code)


@pytest.mark.parametrize("alert_id", [None, 42])
def test_refused_chunk_ends_the_object(alert_id: int | None) -> None:
    packer = Packer()
    packer.out.owe(report("r" * 5000) if alert_id else results(), alert_id=alert_id)
    packer.out.owe(results(b"small"))
    first = packer.pack()
    assert packer.out.refuse_chunk(answer_to(first, DmStatus.ENTITY_TOO_LARGE)) == alert_id
    (item,) = items([packer.pack()])
    assert item.data == b"small"
    assert not packer.out.is_waiting


def test_other_statuses_do_not_end_the_object() -> None:
    packer = Packer()
    packer.out.owe(results())
    first, second = packer.pack(), packer.pack()
    assert packer.out.refuse_chunk(answer_to(second, DmStatus.CHUNKED_ITEM_ACCEPTED)) is None
    assert packer.out.refuse_chunk(answer_to(first, DmStatus.ENTITY_TOO_LARGE)) is None
    assert b"".join(item.data or b"" for item in items(packer.pack_all())) == DATA


def test_object_given_up_by_the_server_leaves_the_queue() -> None:
    packer = Packer()
    packer.out.owe(results())
    packer.pack()
    packer.out.drop_object()
    assert not packer.out.is_waiting


def test_goodbye_takes_no_chunk_along() -> None:
    packer = Packer()
    packer.out.owe(results())
    packer.pack()
    packer.out.tail = Alert(code=AlertCode.SESSION_ABORT)
    message = packer.pack()
    assert items([message]) == []
