# SPDX-License-Identifier: Apache-2.0
"""Objects of several messages between a whole device and a server (omadm §5, T-32 to T-34)."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Add, Alert, Atomic, Exec, Get, Item, Meta, Replace, Sequence
from scomod.mo.node import INLINE_MAX_BYTES
from tests.support.scripted import Device, Say, Talk, on, speaking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.dmclient.model import Command
    from tests.support.scripted import Heard

LEAF, TEXT = "./Toy/x/Blob", "./Toy/x/Text"
SMALL = bytes(range(256)) * 16
LONG = bytes(range(256)) * 400
MESSAGE_BYTES = 16384
MORE = Alert(code=AlertCode.NEXT_MESSAGE)


@pytest.fixture(params=list(Encoding), ids=["wbxml", "xml"])
def encoding(request: pytest.FixtureRequest) -> Encoding:
    found: Encoding = request.param
    return found


@pytest.fixture
def device(tmp_path: Path, encoding: Encoding) -> Iterator[Device]:
    settings = speaking(encoding, max_msg_bytes=MESSAGE_BYTES, max_obj_bytes=1 << 20)
    with Device(tmp_path, settings) as found:
        yield found


def chunks(
    data: bytes,
    count: int,
    *,
    kind: type[Command] = Add,
    target: str = LEAF,
    size: int | None = -1,
    is_base64: bool = False,
) -> list[Say]:
    """Cut a value into messages, as a good server does; `size` may lie or be None.

    In XML octets become base64 on their way, so they are cut by threes.
    """
    carried = base64.b64encode(data) if is_base64 else data
    step = len(carried) // count // 3 * 3 + 3
    form = "b64" if is_base64 else "bin"
    found = []
    for start in range(0, len(carried), step):
        told = (len(carried) if size == -1 else size) if not start else None
        meta = Meta(format=form, size=told) if not start else Meta(format=form)
        is_last = start + step >= len(carried)
        piece = carried[start : start + step]
        command = on(kind, target, piece, meta=meta, more_data=not is_last)
        found.append(Say(commands=(command,), final=is_last))
    return found


def codes(talk: Talk) -> list[list[int]]:
    """The Statuses of each message but the first."""
    return [heard.codes() for heard in talk.heard[1:]]


def octets(device: Device, path: str = LEAF) -> bytes | None:
    node = device.records.tree.node(path)
    if node is None or node.blob is None:
        return node.value if node else None
    body = device.records.tree._store.body(node.blob)
    return body.read(0, body.size_bytes)


def files(device: Device) -> list[str]:
    directory = device.paths.values_dir
    return sorted(p.name for p in directory.iterdir()) if directory.exists() else []


def picture(device: Device) -> object:
    return octets(device), device.value(TEXT), files(device)


# -- towards the device (T-32) -------------------------------------------------------------


def test_messages_of_an_object_do_not_count_against_the_limit_of_messages(tmp_path: Path) -> None:
    settings = speaking(
        Encoding.WBXML, max_msg_bytes=2048, max_obj_bytes=1 << 20, max_messages_count=6
    )
    with Device(tmp_path, settings) as device:
        talk = device.session(*chunks(SMALL, 20))
        assert talk.is_ok
        assert octets(device) == SMALL
        device.put(LEAF, value=LONG)
        assert len([heard for heard in asking(device).heard if heard.results()]) > 6


@pytest.mark.spec("omadm T-32")
@pytest.mark.parametrize("is_base64", [False, True], ids=["octets", "base64"])
@pytest.mark.parametrize("value", [SMALL, LONG], ids=["short", "long"])
def test_object_of_many_messages_is_one_value(
    device: Device, value: bytes, is_base64: bool
) -> None:
    talk = device.session(*chunks(value, 10, is_base64=is_base64))
    assert codes(talk) == [[213]] * 9 + [[200]]
    assert talk.is_ok
    for heard in talk.heard[1:-1]:
        assert (heard.alerts(), heard.message.final) == ([AlertCode.NEXT_MESSAGE], False)
    assert (talk.heard[-1].alerts(), talk.heard[-1].message.final) == ([], True)
    assert octets(device) == value
    device.restart()
    assert octets(device) == value
    digest = hashlib.sha256(value).hexdigest()
    assert files(device) == ([digest] if len(value) > INLINE_MAX_BYTES else [])


def test_replacement_takes_the_old_file_away(device: Device) -> None:
    device.put(LEAF, value=LONG)
    talk = device.session(*chunks(LONG[::-1], 10, kind=Replace, is_base64=True))
    assert codes(talk)[-1] == [200]
    assert octets(device) == LONG[::-1]
    assert files(device) == [hashlib.sha256(LONG[::-1]).hexdigest()]


def test_text_comes_in_chunks_too(device: Device) -> None:
    text = "ä€" * 1000
    talk = device.session(
        Say(
            commands=(
                on(Add, TEXT, text[:700], meta=Meta(size=len(text.encode())), more_data=True),
            ),
            final=False,
        ),
        Say(commands=(on(Add, TEXT, text[700:]),)),
    )
    assert codes(talk) == [[213], [200]]
    assert device.value(TEXT) == text


def test_argument_of_an_exec_comes_in_chunks_and_is_executed_once(device: Device) -> None:
    device.put("./Toy/x/Now")
    first = Item(target="./Toy/x/Now", data=b"abc", meta=Meta(size=6), more_data=True)
    second = Item(target="./Toy/x/Now", data=b"def")
    talk = device.session(
        Say(commands=(Exec(correlator="c-1", items=(first,)),), final=False),
        Say(commands=(Exec(items=(second,)),)),
    )
    assert codes(talk) == [[213], [200]]
    (request,) = device.toy.requests
    assert (request.data, request.correlator) == (b"abcdef", "c-1")


BAD: dict[str, tuple[int | None, int, list[int]]] = {
    "Size too small": (len(SMALL) - 3, 2, [213, 424]),
    "Size too large": (len(SMALL) + 3, 2, [213, 424]),
    "no Size": (None, 2, [412, 412]),
    "larger than MaxObjSize": ((1 << 20) + 1, 2, [413, 413]),
    "larger than MaxObjSize, in three": ((1 << 20) + 1, 3, [413, 413, 413]),
}


@pytest.mark.spec("omadm T-32")
@pytest.mark.parametrize("name", BAD)
def test_broken_object_leaves_nothing_behind(device: Device, name: str) -> None:
    size, count, expected = BAD[name]
    device.put(LEAF, value=b"as before")
    before = picture(device)
    script = chunks(SMALL, count, kind=Replace, size=size)
    assert codes(device.session(*script)) == [[code] for code in expected]
    assert picture(device) == before


@pytest.mark.parametrize(
    ("target", "kind", "code"),
    [
        ("./Toy/none/Blob", Replace, DmStatus.NOT_FOUND),
        ("./Toy/x/none", Add, DmStatus.COMMAND_NOT_ALLOWED),
        ("./DevInfo/DevId", Replace, DmStatus.PERMISSION_DENIED),
        ("./Toy/x/Text", Add, DmStatus.ENTITY_TOO_LARGE),
    ],
)
def test_object_that_cannot_be_taken_is_refused_with_its_first_chunk(
    device: Device, target: str, kind: type[Command], code: int
) -> None:
    script = chunks(LONG, 12, kind=kind, target=target, is_base64=True)[:1]
    assert codes(device.session(*script)) == [[code]]
    assert files(device) == []


def test_object_is_refused_where_it_would_use_up_the_reserve(tmp_path: Path) -> None:
    settings = speaking(Encoding.WBXML, max_obj_bytes=1 << 20, reserve_bytes=1 << 60)
    with Device(tmp_path, settings) as device:
        talk = device.session(*chunks(LONG, 10)[:1])
        assert codes(talk) == [[DmStatus.DEVICE_FULL]]
        assert codes(device.session(*chunks(SMALL, 4)))[-1] == [200]


@pytest.mark.spec("omadm T-32")
def test_another_command_breaks_the_object_off_and_is_done(device: Device) -> None:
    script = chunks(LONG, 10, is_base64=True)[:4]
    talk = device.session(*script, Say(commands=(on(Add, TEXT, "v"),)))
    assert codes(talk) == [[213]] * 4 + [[200]]
    last = talk.heard[-1]
    assert last.alerts() == [AlertCode.NO_END_OF_DATA]
    (alert,) = last.all(Alert)
    assert isinstance(alert, Alert)
    assert [item.target for item in alert.items] == [LEAF]
    assert picture(device) == (None, "v", [])


def test_message_with_statuses_only_does_not_break_it_off(device: Device) -> None:
    first, second = chunks(SMALL, 2, is_base64=True)
    talk = device.session(first, Say(final=False), second)
    assert [c for c in codes(talk) if c] == [[213], [200]]
    assert octets(device) == SMALL


@pytest.mark.spec("omadm T-34")
@pytest.mark.parametrize(
    "end",
    [Say(commands=(Alert(code=AlertCode.SESSION_ABORT),)), Say(), Say(raw=b"rubbish")],
    ids=["1223", "end", "rubbish"],
)
def test_end_of_the_session_leaves_nothing_of_an_open_object(device: Device, end: Say) -> None:
    device.put(LEAF, value=b"as before")
    before = picture(device)
    script = chunks(LONG, 10, kind=Replace, is_base64=True)[:9]
    device.session(*script, end)
    assert picture(device) == before


@pytest.mark.spec("omadm 1.1")
@pytest.mark.parametrize(
    ("container", "expected"), [(Sequence, [200, 406]), (Atomic, [507, 406])], ids=["Seq", "Atomic"]
)
def test_chunk_in_a_container_is_not_supported(
    device: Device, container: type[Sequence | Atomic], expected: list[int]
) -> None:
    script = [
        Say(commands=(container(commands=each.commands),), final=each.final)
        for each in chunks(SMALL, 3, is_base64=True)
    ]
    assert codes(device.session(*script)) == [expected] * 3
    assert picture(device) == (None, None, [])


def test_lrgobj_is_true(device: Device) -> None:
    (found,) = device.does(on(Get, "./DevDetail/LrgObj")).results()
    assert found.data == b"true"


# -- towards the server (T-33) --------------------------------------------------------------


def asking(device: Device, *more: Say, meta: Meta | None = None) -> Talk:
    """Get the leaf and ask for the next message as long as something comes."""
    first = Say(commands=(on(Get, LEAF),), meta=meta)
    return device.session(first, *more, *(Say(commands=(MORE,), final=False) for _ in range(20)))


def value_of(heard: list[Heard]) -> tuple[bytes, list[Item]]:
    items = [item for each in heard for item in each.results()]
    carried = b"".join(item.data or b"" for item in items)
    is_base64 = items[0].meta is not None and items[0].meta.format == "b64"
    return base64.b64decode(carried) if is_base64 else carried, items


@pytest.mark.spec("omadm T-33")
def test_long_value_is_read_in_chunks(device: Device) -> None:
    device.put(LEAF, value=LONG)
    talk = asking(device)
    value, items = value_of(talk.heard)
    assert value == LONG
    assert items[0].meta is not None
    assert items[0].meta.size == sum(len(item.data or b"") for item in items)
    assert [item.meta and item.meta.size for item in items[1:]] == [None] * (len(items) - 1)
    assert [item.more_data for item in items] == [True] * (len(items) - 1) + [False]
    assert talk.heard[1].codes() == [200]
    with_chunk = [heard for heard in talk.heard if heard.results()]
    assert [heard.message.final for heard in with_chunk] == [False] * (len(items) - 1) + [True]
    assert all(len(heard.body) <= MESSAGE_BYTES for heard in talk.heard)


@pytest.mark.spec("omadm 5")
def test_value_larger_than_the_server_takes_is_413_and_nothing_else(
    device: Device, encoding: Encoding
) -> None:
    device.put(LEAF, value=LONG)
    carried = len(LONG) if encoding is Encoding.WBXML else len(base64.b64encode(LONG))
    refused = asking(device, meta=Meta(max_obj_size=carried - 1)).heard[1]
    assert (refused.codes(), refused.results()) == ([413], [])
    assert value_of(asking(device, meta=Meta(max_obj_size=carried)).heard)[0] == LONG


@pytest.mark.spec("omadm T-33")
@pytest.mark.parametrize(
    "no",
    [
        Say(commands=(Alert(code=AlertCode.NO_END_OF_DATA, items=(Item(source=LEAF),)),)),
        Say(commands=(on(Replace, LEAF, b"new"),)),
    ],
    ids=["1225", "another command"],
)
def test_server_may_turn_to_something_else(device: Device, no: Say) -> None:
    device.put(LEAF, value=LONG)
    talk = asking(device, no)
    value, items = value_of(talk.heard)
    assert talk.is_ok
    assert 200 in talk.heard[2].codes()
    is_given_up = isinstance(no.commands[0], Alert)
    assert len(items) == 1 if is_given_up else value == LONG


def test_value_deleted_by_the_message_that_asks_for_it_is_still_sent(device: Device) -> None:
    device.put(LEAF, value=LONG)
    both = Sequence(commands=(on(Get, LEAF), on(Replace, LEAF, b"gone")))
    talk = device.session(
        Say(commands=(both,)), *(Say(commands=(MORE,), final=False) for _ in range(20))
    )
    assert value_of(talk.heard)[0] == LONG
    assert (octets(device), files(device)) == (b"gone", [])


def test_damaged_file_of_a_value_is_a_status_of_its_own(device: Device) -> None:
    device.put(LEAF, value=LONG)
    next(device.paths.values_dir.iterdir()).unlink()
    heard = device.does(on(Get, LEAF), on(Get, f"{LEAF}?prop=Size"))
    assert heard.codes() == [DmStatus.DATA_STORE_FAILURE, 200]
    (size,) = heard.results()
    assert size.data == str(len(LONG)).encode()
