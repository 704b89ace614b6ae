# SPDX-License-Identifier: Apache-2.0
"""Conformance of large objects: many messages, one value (omadm §5)."""

from pathlib import Path

import pytest

from scomod.codes import AlertCode
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Add, Alert, Command, Get, Item, Meta
from tests.support.scripted import Device, Heard, Say, item, on, speaking

TEXT = "./Toy/x/Text"
NEXT = AlertCode.NEXT_MESSAGE


def chunk(data: str, *, size: int | None = None, more: bool = True, target: str = TEXT) -> Command:
    meta = Meta(format="chr", type="text/plain", size=size)
    return Add(items=(item(target, data, meta=meta, more_data=more),))


def said(*commands: Command, more: bool = True) -> Say:
    return Say(commands=commands, final=not more)


@pytest.mark.spec("T-32")
@pytest.mark.parametrize("encoding", Encoding)
def test_t32_chunks_are_accepted_one_by_one_and_written_at_the_end(
    tmp_path: Path, encoding: Encoding
) -> None:
    with Device(tmp_path, speaking(encoding)) as device:
        exists: list[bool] = []

        def last(_: Heard) -> Say:
            exists.append(device.exists(TEXT))
            return said(chunk("ghi", more=False), more=False)

        talk = device.session(said(chunk("abc", size=9)), said(chunk("def")), last)
        assert device.value(TEXT) == "abcdefghi"
    assert [heard.codes() for heard in talk.heard[1:]] == [[213], [213], [200]]
    assert [heard.alerts() for heard in talk.heard[1:]] == [[NEXT], [NEXT], []]
    assert [heard.message.final for heard in talk.heard[1:]] == [False, False, True]
    assert exists == [False], "nothing is written before the end"


@pytest.mark.spec("T-32")
def test_t32_an_object_that_is_longer_or_shorter_than_announced_is_not_written(
    device: Device,
) -> None:
    for rest in ("d", "defg"):
        talk = device.session(said(chunk("abc", size=6)), said(chunk(rest, more=False), more=False))
        assert talk.heard[2].codes() == [424]
        assert not device.exists(TEXT)


@pytest.mark.spec("T-32")
def test_t32_a_first_chunk_without_size_is_incomplete(device: Device) -> None:
    talk = device.session(said(chunk("abc")))
    assert talk.heard[1].codes() in ([412], [411])


@pytest.mark.spec("T-32")
def test_t32_an_object_that_is_interrupted_is_reported_with_1225_and_dropped(
    device: Device,
) -> None:
    talk = device.session(
        said(chunk("abc", size=6)), said(on(Add, "./Toy/y/Text", "v"), more=False)
    )
    broken = [a for a in talk.heard[2].all(Command) if getattr(a, "code", 0) == 1225]
    assert len(broken) == 1
    (named,) = broken[0].items  # type: ignore[attr-defined]
    assert TEXT in (named.target, named.source)
    assert not device.exists(TEXT)


@pytest.mark.spec("T-32")
def test_t32_an_object_beyond_the_own_limit_is_too_large(tmp_path: Path) -> None:
    with Device(tmp_path, speaking(Encoding.WBXML, max_obj_bytes=3000)) as device:
        talk = device.session(said(chunk("abc", size=3001)))
        assert talk.heard[1].codes() == [413]


@pytest.mark.spec("T-33")
@pytest.mark.parametrize("encoding", Encoding)
def test_t33_a_large_value_goes_up_in_chunks_with_its_size_in_the_first(
    tmp_path: Path, encoding: Encoding
) -> None:
    value = "".join(f"{number:05d}" for number in range(2000))
    with Device(tmp_path, speaking(encoding)) as device:
        device.put(TEXT, value=value)

        def go_on(heard: Heard) -> Say:
            if heard.message.final:
                return Say()
            return Say(commands=(Alert(code=NEXT),), final=False)

        limits = Meta(max_msg_size=4000)
        talk = device.session(Say(commands=(on(Get, TEXT),), meta=limits), *[go_on] * 10)
    items: list[Item] = [i for heard in talk.heard[1:] for i in heard.results()]
    assert len(items) > 2
    assert b"".join(i.data or b"" for i in items).decode() == value
    sizes = [i.meta.size if i.meta else None for i in items]
    assert sizes == [len(value), *[None] * (len(items) - 1)]
    assert [i.more_data for i in items] == [True] * (len(items) - 1) + [False]
    assert {i.source for i in items} == {TEXT}
    assert all(len(heard.body) <= 4000 for heard in talk.heard[1:])
    assert talk.heard[-1].message.final
    assert talk.is_ok


@pytest.mark.spec("R-07")
def test_r07_large_objects_are_announced_and_the_limit_of_the_server_is_kept(
    device: Device,
) -> None:
    device.put(TEXT, value="v" * 5000)
    talk = device.session(
        Say(commands=(on(Get, "./DevDetail/LrgObj"),)),
        Say(commands=(on(Get, TEXT),), meta=Meta(max_obj_size=4999)),
    )
    own = talk.heard[0].message.header.meta
    assert own is not None
    assert own.max_obj_size == device.settings.session.max_obj_bytes
    assert talk.heard[1].results()[0].data == b"true"
    assert talk.heard[2].codes() == [413]
    assert not talk.heard[2].results()
