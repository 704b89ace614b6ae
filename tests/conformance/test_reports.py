# SPDX-License-Identifier: Apache-2.0
"""Reports on the wire: several items, small messages, answers of every kind, requests.

A whole device and a server that says what the scenario tells it (scomo §4.1 to §4.6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.codes import AlertCode
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Alert, Item, Meta, Status
from scomod.outbox import AlertItem, OutboxAlert
from tests.support.scripted import SERVER_ID, Device, Heard, Say, for_server, speaking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = "./SCOMO/Download/x/Operations/DownloadInstall"
TYPE = "urn:oma:at:scomo:1.0:OperationComplete"
NEXT = Alert(code=AlertCode.NEXT_MESSAGE)


def item_of(number: int, padding: int = 0) -> AlertItem:
    name = f"component-{number}" + "x" * padding
    return AlertItem(
        target=f"./SCOMO/Inventory/Deployed/component-{number}",
        data=f"<ResultCode>1200</ResultCode><Identifier>{name}</Identifier>",
    )


def owe(device: Device, *items: AlertItem, **facts: object) -> int:
    """Put a report into the device's outbox."""
    whole: dict[str, object] = {
        "operation_id": 1,
        "server_id": SERVER_ID,
        "correlator": "job-1",
        "source": SOURCE,
        "type": TYPE,
        "mark": "informational",
        "items": items,
        "created_s": 0.0,
    }
    with device.records.db.transaction():
        return device.records.outbox.insert(OutboxAlert(**{**whole, **facts}))  # type: ignore[arg-type]


def reports(heard: list[Heard]) -> list[Alert]:
    """The generic alerts of a session, in order, without their numbers."""
    return [
        Alert(code=c.code, correlator=c.correlator, items=c.items)
        for each in heard
        for c in each.message.commands
        if isinstance(c, Alert) and c.code == AlertCode.GENERIC_ALERT
    ]


def waits(device: Device) -> bool:
    return bool(device.records.outbox.waiting(SERVER_ID))


def go_on(heard: Heard) -> Say:
    """Ask for more as long as the package of the device is open."""
    return Say() if heard.message.final else Say(commands=(NEXT,), final=False)


@pytest.fixture(params=list(Encoding), ids=lambda encoding: encoding.name.lower())
def device(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Device]:
    with Device(tmp_path / "device", speaking(request.param)) as made:
        yield made


def test_components_of_one_package_share_an_alert_and_its_correlator(device: Device) -> None:
    owe(device, item_of(1), item_of(2), item_of(3))
    (alert,) = reports(device.session().heard)
    meta = Meta(type=TYPE, format="text/plain", mark="informational")
    assert alert.correlator == "job-1"
    assert alert.items == tuple(
        Item(source=SOURCE, target=each.target, meta=meta, data=each.data.encode())
        for each in (item_of(1), item_of(2), item_of(3))
    )
    assert not waits(device)


@pytest.mark.parametrize("encoding", list(Encoding))
def test_what_no_message_holds_goes_in_several_alerts_with_the_same_correlator(
    tmp_path: Path, encoding: Encoding
) -> None:
    with Device(tmp_path / "device", speaking(encoding, max_msg_bytes=2600)) as device:
        items = tuple(item_of(number, padding=400) for number in range(12))
        owe(device, *items)
        talk = device.session(*[go_on] * 20)
        alerts = reports(talk.heard)
        assert talk.is_ok
        assert max(len(each.body) for each in talk.heard) <= 2600
        assert 3 <= len(alerts) < 12, "as many together as fit"
        assert {alert.correlator for alert in alerts} == {"job-1"}
        targets = [each.target for alert in alerts for each in alert.items]
        assert targets == [each.target for each in items]
        assert (waits(device), talk.report.alerts_delivered) == (False, 1)


def test_report_in_several_alerts_counts_when_all_of_them_are_taken(tmp_path: Path) -> None:
    with Device(tmp_path / "device", speaking(Encoding.WBXML, max_msg_bytes=2600)) as device:
        owe(device, *(item_of(number, padding=400) for number in range(12)))

        def refuse_the_third(heard: Heard) -> Say:
            is_third = heard.message.header.msg_id == "3"
            codes = {"Alert": 500} if is_third else {}
            is_over = heard.message.final
            return Say(commands=() if is_over else (NEXT,), codes=codes, final=is_over)

        first = device.session(*[refuse_the_third] * 20)
        assert (waits(device), first.report.alerts_delivered) == (True, 0)
        cut_off = device.session(go_on, Say(raw=b"nonsense"))
        assert not cut_off.is_ok
        assert waits(device), "the rest of it never left"
        device.restart()
        last = device.session(*[go_on] * 20)
        assert not waits(device)
        assert reports(last.heard) == reports(first.heard), "the same again, word for word"


def test_server_that_takes_single_items_gets_an_alert_for_each(tmp_path: Path) -> None:
    settings = for_server(quirks=("report-item-alone",))  # type: ignore[arg-type]
    with Device(tmp_path / "device", settings) as device:
        owe(device, item_of(1), item_of(2))
        alerts = reports(device.session().heard)
        assert [[each.target for each in alert.items] for alert in alerts] == [
            [item_of(1).target],
            [item_of(2).target],
        ]
        assert {alert.correlator for alert in alerts} == {"job-1"}
        assert not waits(device)


@pytest.mark.parametrize(
    ("codes", "is_over"),
    [((200, 200), True), ((200, 404), True), ((200, 500), False), ((425, 200), False)],
)
def test_report_answered_item_by_item_is_over_when_every_item_is(
    device: Device, codes: tuple[int, int], is_over: bool
) -> None:
    owe(device, item_of(1), item_of(2))

    def each(heard: Heard) -> Say:
        (alert,) = [
            c
            for c in heard.all(Alert)
            if isinstance(c, Alert) and c.code == AlertCode.GENERIC_ALERT
        ]
        answers = tuple(
            Status(
                msg_ref=heard.message.header.msg_id,
                cmd_ref=alert.cmd_id,
                cmd="Alert",
                code=code,
                target_refs=(item_of(number).target,),
            )
            for number, code in enumerate(codes, start=1)
        )
        # what the scenario says comes after what a good server says: that is still at work
        return Say(commands=answers, codes={"Alert": 101})

    device.session(each)
    assert waits(device) == (not is_over)


@pytest.mark.parametrize("code", [401, 403, 405, 413, 425, 500, 510])
def test_refused_report_is_kept_and_repeated_word_for_word(device: Device, code: int) -> None:
    owe(device, item_of(1), item_of(2))
    first = device.session(Say(codes={"Alert": code}))
    assert (first.is_ok, waits(device)) == (True, True)
    device.restart()
    second = device.session()
    assert reports(second.heard) == reports(first.heard)
    assert not waits(device)


def test_report_without_correlator_has_none(device: Device) -> None:
    owe(device, item_of(1), correlator=None)
    (alert,) = reports(device.session().heard)
    assert alert.correlator is None


def test_request_has_no_correlator_no_target_and_empty_data(device: Device) -> None:
    kind = "urn:oma:at:scomo:1.1:UpdateUserRequest"
    number = owe(
        device, AlertItem(), operation_id=None, correlator=None, source="./SCOMO", type=kind
    )
    talk = device.session(Say(codes={"Alert": 202}))
    (alert,) = reports(talk.heard)
    (item,) = alert.items
    assert (alert.correlator, item.target, item.source) == (None, None, "./SCOMO")
    assert item.data == b"", "the element is there"
    assert item.meta is not None
    assert (item.meta.type, item.meta.format) == (kind, "text/plain")
    assert talk.report.requests == [{"id": number, "status": 202, "is_waiting": False}]
    assert not waits(device)


@pytest.mark.parametrize(("code", "is_waiting"), [(406, False), (403, False), (500, True)])
def test_server_that_does_not_take_a_request_is_told_to_who_asked(
    device: Device, code: int, is_waiting: bool
) -> None:
    number = owe(device, AlertItem(), operation_id=None, correlator=None)
    talk = device.session(Say(codes={"Alert": code}))
    assert talk.report.requests == [{"id": number, "status": code, "is_waiting": is_waiting}]
    assert waits(device) == is_waiting
