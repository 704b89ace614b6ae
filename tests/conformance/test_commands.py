# SPDX-License-Identifier: Apache-2.0
"""Conformance of commands: containers, Exec, questions to the person, reports (omadm §1, §2.6)."""

import dataclasses
from pathlib import Path

import pytest

from scomod.clock import SystemClock
from scomod.codes import AlertCode, ResultCode
from scomod.dmclient import wbxml, xmltext
from scomod.dmclient.codec import Encoding
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
    Replace,
    Results,
    Sequence,
    Status,
)
from scomod.dmclient.useralert import UserAlert, UserAnswer, Verdict
from tests.support.scripted import READING, Device, Heard, Say, item, on, person, speaking

X = "./Toy/x"
PACKAGE = "./SCOMO/Download/p"
YES, NO = UserAnswer(verdict=Verdict.DONE), UserAnswer(verdict=Verdict.NO)
CANCEL, SLOW = UserAnswer(verdict=Verdict.CANCELLED), UserAnswer(verdict=Verdict.TIMED_OUT)


def alert(code: int, *texts: str) -> Alert:
    return Alert(code=code, items=tuple(item(value=text) for text in texts))


CONFIRM = alert(AlertCode.CONFIRM_OR_REJECT, "", "Really?")


def add(name: str, value: str = "v") -> Command:
    return on(Add, f"./Toy/{name}/Text", value)


def ordered_package(device: Device, correlator: str) -> None:
    """Announce a package and order its download, as a server does."""
    device.session(
        Say(
            commands=(
                on(Add, f"{PACKAGE}/PkgID", "p-1"),
                on(Add, f"{PACKAGE}/PkgURL", "https://h/p"),
                Exec(correlator=correlator, items=(item(f"{PACKAGE}/Operations/Download"),)),
            )
        )
    )


def fail_the_operation(device: Device) -> None:
    """Let the ordered operation end badly."""
    records = device.records
    ledger = records.ledger(SystemClock())
    (operation,) = records.journal.live()
    ledger.fail(operation, ResultCode.USER_CANCELLED)


@pytest.mark.spec("T-26")
def test_t26_exec_is_done_at_once_or_accepted_and_reported_with_its_correlator(
    device: Device,
) -> None:
    device.put(f"{X}/Now")
    device.put(f"{X}/Secret")
    device.put("./DevInfo", acl="Get=*&Exec=*")
    assert device.code_of(on(Exec, f"{X}/Now")) == 200
    assert device.code_of(on(Exec, f"{X}/Secret")) == 405, "nothing to execute"
    assert device.code_of(on(Exec, "./DevInfo/DevId")) == 405
    assert device.code_of(on(Exec, f"{X}/none")) == 404
    ordered_package(device, "c-77")
    fail_the_operation(device)
    (report,) = [c for c in device.session().heard[0].all(Alert) if getattr(c, "code", 0) == 1226]
    assert isinstance(report, Alert)
    assert report.correlator == "c-77"


@pytest.mark.spec("T-26")
def test_t26_an_exec_that_takes_time_is_answered_with_202(device: Device) -> None:
    device.put(f"{X}/Later")
    assert device.code_of(on(Exec, f"{X}/Later")) == 202


@pytest.mark.spec("T-27")
def test_t27_a_sequence_keeps_its_order_and_ends_with_a_no(device: Device) -> None:
    device.ask, asked = person(NO)
    heard = device.does(
        Sequence(commands=(add("a"), on(Get, "./Toy/a/Text"), CONFIRM, add("b"), add("c"))),
        add("d"),
    )
    assert heard.statuses() == [
        ("Sequence", 200), ("Add", 200), ("Get", 200), ("Alert", 304), ("Add", 215), ("Add", 215),
        ("Add", 200),
    ]  # fmt: skip
    assert len(asked) == 1
    assert [device.exists(f"./Toy/{name}") for name in "abcd"] == [True, False, False, True]


@pytest.mark.spec("T-28")
def test_t28_atomic_does_all(device: Device) -> None:
    heard = device.does(Atomic(commands=(add("a"), add("b"))))
    assert heard.statuses() == [("Atomic", 200), ("Add", 200), ("Add", 200)]
    assert device.exists("./Toy/a")


@pytest.mark.spec("T-28")
def test_t28_atomic_does_nothing_if_one_command_fails(device: Device) -> None:
    bad = on(Replace, "./Toy/none/Text", "v")
    heard = device.does(Atomic(commands=(add("a"), add("b"), bad, add("c"))))
    assert heard.codes() == [507, 216, 216, 404, 215]
    assert not device.records.tree.children("./Toy")


@pytest.mark.spec("T-28")
@pytest.mark.parametrize("inner", [Atomic(commands=(add("b"),)), on(Get, "./DevInfo")])
def test_t28_atomic_in_atomic_and_get_in_atomic_fail(device: Device, inner: Command) -> None:
    heard = device.does(Atomic(commands=(add("a"), inner)))
    assert heard.codes()[0] == 500
    assert set(heard.codes()[1:]) == {215}
    assert not device.exists("./Toy/a")


@pytest.mark.spec("T-29")
def test_t29_items_that_fare_differently_get_a_status_each(device: Device) -> None:
    targets = ("./Toy/a/Text", "./Toy/a/Text", "./Wonderland/Alice")
    heard = device.does(Add(items=tuple(item(target, "v") for target in targets)))
    found = [
        (c.code, c.target_refs)
        for c in heard.all(Status)
        if isinstance(c, Status) and c.cmd == "Add"
    ]
    assert found == [(200, targets[:1]), (418, targets[1:2]), (405, targets[2:])]


@pytest.mark.spec("T-29")
def test_t29_items_that_fare_alike_may_share_a_status(device: Device) -> None:
    command = Add(items=(item("./Toy/a/Text", "v"), item("./Toy/b/Text", "v")))
    assert device.does(command).codes() in ([200], [200, 200])


# -- user interaction (omadm §1.4) ------------------------------------------------------------

TEXT = alert(1102, "MAXLEN=5&IT=N&ET=P&DR=42", "How many?")
CHOICE = alert(1103, "DR=2", "Which?", "red", "green", "blue")
CHOICES = alert(1104, "DR=1-3", "Which?", "red", "green", "blue")


def answer_items(heard: Heard) -> list[bytes | None]:
    return [
        i.data
        for c in heard.all(Status)
        if isinstance(c, Status) and c.cmd == "Alert"
        for i in c.items
    ]


@pytest.mark.spec("T-35")
@pytest.mark.parametrize(
    ("question", "answer", "code", "items"),
    [
        (alert(1100, "", "Hello"), YES, 200, []),
        (CONFIRM, YES, 200, []),
        (CONFIRM, NO, 304, []),
        (CONFIRM, CANCEL, 214, []),
        (CONFIRM, SLOW, 408, []),
        (TEXT, UserAnswer(verdict=Verdict.DONE, text="7"), 200, [b"7"]),
        (CHOICE, UserAnswer(verdict=Verdict.DONE, chosen=(3,)), 200, [b"3"]),
        (CHOICES, UserAnswer(verdict=Verdict.DONE, chosen=(1, 2)), 200, [b"1", b"2"]),
    ],
)
def test_t35_every_answer_has_its_status_and_items(
    device: Device, question: Alert, answer: UserAnswer, code: int, items: list[bytes]
) -> None:
    device.ask, _ = person(answer)
    heard = device.does(question)
    assert heard.codes() == [code]
    assert answer_items(heard) == items


@pytest.mark.spec("T-35")
@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (alert(1100, "MINDT=10&MAXDT=60&COLOUR=red", "Hello+there"), {"min_s": 10, "max_s": 60}),
        (alert(1101, "DR=1", "Sure?"), {"default_yes": True}),
        (alert(1101, "DR=0", "Sure?"), {"default_yes": False}),
        (TEXT, {"default_text": "42", "max_count": 5, "input_type": "N", "is_hidden": True}),
        (alert(1102, "DR=a%20b+c", "Name?"), {"default_text": "a b c"}),
        (CHOICE, {"default_choices": (2,), "choices": ("red", "green", "blue")}),
        (CHOICES, {"default_choices": (1, 3)}),
    ],
)
def test_t35_options_reach_the_person_and_unknown_ones_are_skipped(
    device: Device, question: Alert, expected: dict[str, object]
) -> None:
    device.ask, asked = person(UserAnswer(verdict=Verdict.CANCELLED))
    device.does(question)
    (shown,) = asked
    assert isinstance(shown, UserAlert)
    assert {key: getattr(shown, key) for key in expected} == expected


@pytest.mark.spec("T-35")
def test_t35_a_cancel_ends_the_message_and_nobody_means_406(device: Device) -> None:
    device.ask, _ = person(CANCEL)
    assert device.does(CONFIRM, add("a"), add("b")).codes() == [214, 215, 215]
    assert not device.exists("./Toy/a")
    with_nobody = Device(device.paths.root / "other")
    with with_nobody:
        assert with_nobody.does(CONFIRM, add("a")).codes() == [406, 200]


@pytest.mark.spec("T-35")
def test_t35_missing_items_and_too_many_choices_are_refused(device: Device) -> None:
    many = tuple(f"choice {number}" for number in range(2000))
    assert device.does(alert(1101), alert(1103, "", "Which?", *many)).codes() == [412, 416]


@pytest.mark.spec("T-35")
def test_t35_a_no_makes_an_atomic_fail(device: Device) -> None:
    device.ask, _ = person(NO)
    assert device.does(Atomic(commands=(add("a"), CONFIRM, add("b")))).codes() == [
        507, 216, 304, 215,
    ]  # fmt: skip
    assert not device.exists("./Toy/a")


@pytest.mark.spec("T-36")
@pytest.mark.parametrize("encoding", Encoding)
def test_t36_a_generic_alert_has_its_elements_in_order(tmp_path: Path, encoding: Encoding) -> None:
    with Device(tmp_path, speaking(encoding)) as device:
        ordered_package(device, "c-1")
        fail_the_operation(device)
        body = device.session().heard[0].body
    syntax = wbxml if encoding is Encoding.WBXML else xmltext
    root = syntax.decode(body, READING)
    (report,) = [
        e for e in root.children[1].children if e.name == "Alert" and e.text("Data") == "1226"
    ]
    assert [e.name for e in report.children][:4] == ["CmdID", "Data", "Correlator", "Item"]
    content = report.children[3]
    meta = content.find("Meta")
    assert meta is not None
    assert meta.text("Type")
    assert meta.text("Format")
    assert meta.text("Mark") not in (None, "informational"), "a failure is more than information"
    assert content.find("Source") is not None
    assert b"1401" in (content.find("Data") or content).data


@pytest.mark.spec("T-36")
def test_t36_a_report_is_sent_until_the_server_takes_it(device: Device) -> None:
    ordered_package(device, "c-1")
    fail_the_operation(device)

    def reports(talk_alerts: list[int]) -> int:
        return talk_alerts.count(AlertCode.GENERIC_ALERT)

    refused = device.session(Say(codes={"Alert": 500}))
    assert reports(refused.heard[0].alerts()) == 1
    assert reports(device.session(Say()).heard[0].alerts()) == 1
    assert reports(device.session(Say()).heard[0].alerts()) == 0, "taken"


# -- requirements -----------------------------------------------------------------------------


@pytest.mark.spec("R-03")
def test_r03_the_mandatory_commands_are_carried_out(device: Device) -> None:
    heard = device.does(
        add("a"),
        on(Replace, "./Toy/a/Text", "w"),
        on(Get, "./Toy/a/Text"),
        Sequence(commands=(on(Delete, "./Toy/a"),)),
    )
    assert heard.statuses() == [
        ("Add", 200), ("Replace", 200), ("Get", 200), ("Sequence", 200), ("Delete", 200),
    ]  # fmt: skip
    kinds = [type(c) for c in heard.message.commands]
    assert kinds.index(Results) == kinds.index(Status) + 4, "right behind the Status of its Get"
    refs = [c.cmd_ref for c in heard.all(Status) if isinstance(c, Status)]
    assert refs == sorted(refs, key=int), "in the order of the commands"


@pytest.mark.spec("R-04")
def test_r04_atomic_is_all_or_nothing(device: Device) -> None:
    device.put("./Toy/a/Text", value="before")
    commands = (
        on(Replace, "./Toy/a/Text", "after"),
        on(Delete, "./Toy/a"),
        on(Delete, "./Toy/none"),
    )
    assert device.does(Atomic(commands=commands)).codes() == [507, 216, 216, 404]
    assert device.value("./Toy/a/Text") == "before"


@pytest.mark.spec("R-05")
def test_r05_copy_and_exec_are_carried_out(device: Device) -> None:
    device.put("./Toy/a/Text", value="v")
    device.put("./Toy/a/Now")
    copied = Copy(items=(Item(target="./Toy/b/Text", source="./Toy/a/Text"),))
    assert device.does(copied, on(Exec, "./Toy/a/Now")).codes() == [200, 200]
    assert device.value("./Toy/b/Text") == "v"
    assert [request.server_id for request in device.toy.requests] == [device.account.server_id]


@pytest.mark.spec("R-11")
@pytest.mark.parametrize("code", [1100, 1101, 1102, 1103, 1104])
def test_r11_without_a_person_every_question_is_answered_with_406(
    device: Device, code: int
) -> None:
    assert device.code_of(alert(code, "", "Text", "a", "b")) == 406


@pytest.mark.spec("R-12")
def test_r12_a_report_goes_out_in_package_1_behind_alert_and_device_information(
    device: Device,
) -> None:
    ordered_package(device, "c-1")
    fail_the_operation(device)
    commands = device.session().heard[0].message.commands
    assert [type(c) for c in commands] == [Alert, Replace, Alert]
    report = commands[2]
    assert isinstance(report, Alert)
    assert dataclasses.replace(report, items=()) == Alert(
        cmd_id="3", code=AlertCode.GENERIC_ALERT, correlator="c-1"
    )
