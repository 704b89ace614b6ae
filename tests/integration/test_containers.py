# SPDX-License-Identifier: Apache-2.0
"""Sequence, Atomic and user alerts on a real tree: what is done, and every answer in its place.

omadm §1.4 (No, Cancel), §2.4 (order of answers), §2.6 (containers), adr/0011.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient.model import (
    Add,
    Atomic,
    Command,
    Exec,
    Get,
    Item,
    Results,
    Sequence,
    Status,
    Unknown,
)
from scomod.dmclient.useralert import UserAlert, UserAnswer, Verdict
from scomod.operation import CONFIRMED
from tests.support.executing import (
    GO,
    LIMITS,
    Device,
    X,
    Y,
    add,
    alert,
    delete,
    execute,
    get,
    item,
    open_device,
    replace,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OK, NOT_DONE = DmStatus.OK, DmStatus.NOT_EXECUTED
YES = UserAnswer(verdict=Verdict.DONE)
NO = UserAnswer(verdict=Verdict.NO)
CANCEL = UserAnswer(verdict=Verdict.CANCELLED)
LATE = UserAnswer(verdict=Verdict.TIMED_OUT)
NOBODY = UserAnswer(verdict=Verdict.NOT_SHOWN)
REFUSALS = {
    DmStatus.NOT_MODIFIED: NO,
    DmStatus.OPERATION_CANCELLED: CANCEL,
    DmStatus.REQUEST_TIMEOUT: LATE,
    DmStatus.OPTIONAL_FEATURE_NOT_SUPPORTED: NOBODY,
}


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with open_device(tmp_path) as opened:
        yield opened


def ask(cmd_id: str = "1") -> Command:
    return alert(AlertCode.CONFIRM_OR_REJECT, "", "Really?", cmd_id=cmd_id)


def sequence(*commands: Command, cmd_id: str = "1") -> Sequence:
    return Sequence(cmd_id=cmd_id, commands=commands)


def atomic(*commands: Command, cmd_id: str = "1") -> Atomic:
    return Atomic(cmd_id=cmd_id, commands=commands)


def line(answer: Command) -> tuple[str, str, int]:
    """(command, CmdRef, code) of a Status; Results have no code."""
    if isinstance(answer, Status):
        return answer.cmd, answer.cmd_ref, answer.code
    assert isinstance(answer, Results)
    return "Results", answer.cmd_ref, 0


# -- order and references (omadm §2.4) ------------------------------------------------


@pytest.mark.spec("omadm §2.4")
def test_answers_come_in_document_order_containers_before_what_is_in_them(device: Device) -> None:
    answers = device.answers(
        get("./DevInfo/Man", cmd_id="1"),
        sequence(
            add(f"{X}/Name", cmd_id="3"),
            atomic(replace(f"{X}/Name", cmd_id="5"), cmd_id="4"),
            get(f"{X}/Name", cmd_id="6"),
            cmd_id="2",
        ),
        delete(Y, cmd_id="7"),
    )
    assert [line(answer) for answer in answers] == [
        ("Get", "1", OK),
        ("Results", "1", 0),
        ("Sequence", "2", OK),
        ("Add", "3", OK),
        ("Atomic", "4", OK),
        ("Replace", "5", OK),
        ("Get", "6", OK),
        ("Results", "6", 0),
        ("Delete", "7", OK),
    ]
    assert all(a.msg_ref == "1" for a in answers if isinstance(a, Status | Results))


def test_get_of_several_items_gives_one_status_and_results_for_each(device: Device) -> None:
    command = Get(cmd_id="1", items=(item(f"{X}/PkgID"), item(f"{Y}/PkgID")))
    status, *results = device.answers(command)
    assert isinstance(status, Status)
    assert (status.code, status.target_refs, status.items) == (OK, (), ())
    assert [r.items[0].data for r in results if isinstance(r, Results)] == [b"x-1", b"y-1"]


def test_statuses_of_a_get_that_differ_name_their_items_and_come_before_results(
    device: Device,
) -> None:
    command = Get(cmd_id="1", items=(item("./Nothing"), item(f"{Y}/PkgID")))
    first, second, results = device.answers(command)
    assert isinstance(first, Status)
    assert isinstance(second, Status)
    assert (first.code, first.target_refs) == (DmStatus.NOT_FOUND, ("./Nothing",))
    assert (second.code, second.target_refs) == (OK, (f"{Y}/PkgID",))
    assert isinstance(results, Results)
    assert results.items[0].source == f"{Y}/PkgID"


@pytest.mark.spec("omadm §7.6")
@pytest.mark.parametrize(
    ("uri", "culprit"),
    [
        ("./Wonderland/Rabbit/Alice", "./Wonderland"),
        (f"{X}/PkgID/more/below", f"{X}/PkgID/more"),
        ("./SCOMO/Download/z/Wonderland/Alice", "./SCOMO/Download/z/Wonderland"),
    ],
)
def test_parent_that_cannot_be_made_is_named(device: Device, uri: str, culprit: str) -> None:
    (status,) = device.answers(add(uri))
    assert isinstance(status, Status)
    assert status.code == DmStatus.COMMAND_NOT_ALLOWED
    assert status.items == (Item(target=culprit),)


def test_node_itself_is_not_named_when_it_cannot_be_made(device: Device) -> None:
    (status,) = device.answers(add(f"{X}/Wonderland"))
    assert isinstance(status, Status)
    assert (status.code, status.items) == (DmStatus.COMMAND_NOT_ALLOWED, ())


@pytest.mark.parametrize("kind", [Sequence, Atomic])
def test_container_without_cmd_id_is_malformed_and_nothing_in_it_is_done(
    device: Device, kind: type[Sequence | Atomic]
) -> None:
    before = device.picture()
    answers = device.answers(kind(commands=(add(f"{X}/Name", cmd_id="2"), ask("3"))))
    assert [line(answer)[1:] for answer in answers] == [
        ("0", DmStatus.BAD_REQUEST),
        ("2", NOT_DONE),
        ("3", NOT_DONE),
    ]
    assert (device.picture(), device.asked) == (before, [])


# -- Sequence ------------------------------------------------------------------------


def test_a_sequence_goes_on_after_a_failure(device: Device) -> None:
    unknown = Unknown(cmd_id="9", name="Dance")
    codes = device.codes(sequence(get("./Nothing"), unknown, add(f"{X}/Name")))
    assert codes == [OK, DmStatus.NOT_FOUND, DmStatus.COMMAND_NOT_IMPLEMENTED, OK]


def test_empty_containers_are_done_at_once(device: Device) -> None:
    assert device.codes(sequence(), atomic()) == [OK, OK]


@pytest.mark.spec("omadm T-27")
@pytest.mark.parametrize("code", [DmStatus.NOT_MODIFIED, DmStatus.REQUEST_TIMEOUT,
                                  DmStatus.OPTIONAL_FEATURE_NOT_SUPPORTED])  # fmt: skip
def test_a_sequence_ends_at_a_confirmation_that_is_not_given(
    device: Device, code: DmStatus
) -> None:
    inner = sequence(add(f"{X}/Name"), ask(), delete(X), atomic(delete(Y)))
    codes = device.codes(sequence(inner, add(f"{X}/Description")), person=[REFUSALS[code]])
    assert codes == [OK, OK, OK, code, *[NOT_DONE] * 3, OK], "the outer one goes on"
    names = device.records.tree.children(X)
    assert {"Name", "Description"} <= set(names)


@pytest.mark.parametrize("kind", [AlertCode.DISPLAY, AlertCode.TEXT_INPUT, AlertCode.SINGLE_CHOICE])
def test_a_sequence_goes_on_after_other_alerts_without_an_answer(
    device: Device, kind: AlertCode
) -> None:
    question = alert(kind, "", "t", "a")
    codes = device.codes(sequence(question, add(f"{X}/Name")), person=[LATE])
    assert codes == [OK, DmStatus.REQUEST_TIMEOUT, OK]


def test_a_sequence_goes_on_after_a_yes(device: Device) -> None:
    assert device.codes(sequence(ask(), add(f"{X}/Name")), person=[YES]) == [OK, OK, OK]


# -- alerts outside of containers -----------------------------------------------------


@pytest.mark.spec("omadm T-35")
@pytest.mark.parametrize("code", set(REFUSALS) - {DmStatus.OPERATION_CANCELLED})
def test_no_and_silence_are_no_concern_of_other_commands(device: Device, code: DmStatus) -> None:
    codes = device.codes(ask(), add(f"{X}/Name"), person=[REFUSALS[code]])
    assert codes == [code, OK]


def test_what_was_typed_and_chosen_is_in_the_status(device: Device) -> None:
    typed = UserAnswer(verdict=Verdict.DONE, text="Ada")
    chosen = UserAnswer(verdict=Verdict.DONE, chosen=(3, 1))
    name = alert(AlertCode.TEXT_INPUT, "MAXLEN=5", "Name?")
    many = alert(AlertCode.MULTIPLE_CHOICE, "", "Which?", "a", "b", "c")
    first, second = device.answers(name, many, person=[typed, chosen])
    assert isinstance(first, Status)
    assert isinstance(second, Status)
    assert first.items == (Item(data=b"Ada"),)
    assert second.items == (Item(data=b"3"), Item(data=b"1"))
    asked = [each for each in device.asked if isinstance(each, UserAlert)]
    assert [each.text for each in asked] == ["Name?", "Which?"]


@pytest.mark.spec("omadm §1.4")
def test_cancel_ends_the_work_on_the_message(device: Device) -> None:
    codes = device.codes(
        add(f"{X}/Name"),
        sequence(ask(), delete(X)),
        sequence(get("./DevInfo"), atomic(delete(X))),
        ask(),
        delete(X),
        person=[CANCEL],
    )
    assert codes == [OK, OK, DmStatus.OPERATION_CANCELLED, *[NOT_DONE] * 7]
    assert "Name" in device.records.tree.children(X)


def test_message_after_a_cancelled_one_is_worked_on(device: Device) -> None:
    executor = device.executor()
    with device.records.db.transaction():
        work = executor.execute("1", ask())
        next(work)
        with pytest.raises(StopIteration):
            work.send(CANCEL)
        for msg_ref, code in (("1", NOT_DONE), ("2", OK)):
            with pytest.raises(StopIteration) as stop:
                next(executor.execute(msg_ref, get("./DevInfo/Man")))
            assert stop.value.value[0].code == code


def test_person_sees_what_was_done_before_the_question(device: Device) -> None:
    before = device.picture()
    device.codes(add(f"{X}/Name"), ask(), add(f"{X}/Description"), person=[YES])
    (seen,) = device.seen
    assert f"{X}/Name" in seen.keys() - before.keys()
    assert f"{X}/Description" not in seen


def test_alert_that_cannot_be_read_asks_nobody(device: Device) -> None:
    long = alert(AlertCode.DISPLAY, "", "t" * (LIMITS.max_text_bytes + 1))
    assert device.codes(sequence(long, add(f"{X}/Name"))) == [
        OK, DmStatus.REQUESTED_SIZE_TOO_BIG, OK,
    ]  # fmt: skip
    assert device.asked == []


# -- Atomic (omadm §2.6) -----------------------------------------------------------


@pytest.mark.spec("omadm T-28")
@pytest.mark.parametrize("failing", [add(f"{X}/PkgID"), delete("./Nothing"), Add(cmd_id="1")])
def test_atomic_with_a_failing_member_undoes_all(device: Device, failing: Command) -> None:
    (code,) = device.codes(failing)
    before = device.picture()
    members = (add(f"{X}/Name"), replace(f"{X}/PkgURL"), execute(GO), failing, delete(X))
    assert device.codes(atomic(*members)) == [
        DmStatus.ATOMIC_FAILED,
        *[DmStatus.ATOMIC_ROLL_BACK_OK] * 3,
        code,
        DmStatus.NOT_EXECUTED,
    ]
    assert device.picture() == before, "also the operation of the Exec is gone"


def test_atomic_fails_with_one_item_of_a_command(device: Device) -> None:
    before = device.picture()
    two = Add(cmd_id="1", items=(item(f"{X}/Description", "1"), item(f"{X}/PkgID", "p")))
    answers = device.answers(atomic(add(f"{X}/Name"), two))
    assert [(line(a)[2], a.target_refs) for a in answers if isinstance(a, Status)] == [
        (DmStatus.ATOMIC_FAILED, ()),
        (DmStatus.ATOMIC_ROLL_BACK_OK, ()),
        (OK, (f"{X}/Description",)),
        (DmStatus.ALREADY_EXISTS, (f"{X}/PkgID",)),
    ]
    assert device.picture() == before


@pytest.mark.parametrize(
    "inner",
    [get("./DevInfo"), atomic(), sequence(get("./DevInfo")), sequence(sequence(atomic()))],
    ids=["Get", "Atomic", "Get in a Sequence", "Atomic in two Sequences"],
)
def test_atomic_with_what_it_may_not_hold_does_nothing(device: Device, inner: Command) -> None:
    before = device.picture()
    codes = device.codes(atomic(add(f"{X}/Name"), ask(), inner))
    assert codes[0] == DmStatus.COMMAND_FAILED
    assert set(codes[1:]) == {NOT_DONE}
    inside = inner.commands if isinstance(inner, Sequence) else ()
    depth = 1 if inside and isinstance(inside[0], Sequence) else 0
    assert len(codes) == 4 + len(inside) + depth, "every command has its Status"
    assert (device.picture(), device.asked) == (before, [])


def test_atomic_without_a_failure_does_all(device: Device) -> None:
    wanted = [OK, OK, DmStatus.ACCEPTED_FOR_PROCESSING]
    assert device.codes(atomic(add(f"{X}/Name"), execute(GO))) == wanted
    assert len(device.records.journal.live()) == 1


def test_sequence_in_an_atomic_stands_and_falls_with_it(device: Device) -> None:
    good = atomic(sequence(add(f"{X}/Name"), ask()), delete(Y))
    assert device.codes(good, person=[YES]) == [OK] * 5
    before = device.picture()
    inner = sequence(add(f"{X}/Description", cmd_id="3"), delete("./No", cmd_id="4"), cmd_id="2")
    bad = atomic(inner, delete(X, cmd_id="5"))
    assert [line(answer)[1:] for answer in device.answers(bad)] == [
        ("1", DmStatus.ATOMIC_FAILED),
        ("2", DmStatus.ATOMIC_ROLL_BACK_OK),
        ("3", DmStatus.ATOMIC_ROLL_BACK_OK),
        ("4", DmStatus.NOT_FOUND),
        ("5", NOT_DONE),
    ]
    assert device.picture() == before


def test_atomic_in_a_sequence_fails_alone(device: Device) -> None:
    command = sequence(atomic(add(f"{X}/PkgID")), add(f"{X}/Name"))
    failed = [DmStatus.ATOMIC_FAILED, DmStatus.ALREADY_EXISTS]
    assert device.codes(command) == [OK, *failed, OK]


@pytest.mark.spec("omadm T-28")
@pytest.mark.parametrize("code", REFUSALS)
def test_atomic_without_the_persons_yes_is_undone(device: Device, code: DmStatus) -> None:
    before = device.picture()
    command = atomic(add(f"{X}/Name"), sequence(ask("2"), execute(GO)), delete(X))
    assert device.codes(command, person=[REFUSALS[code]]) == [
        DmStatus.ATOMIC_FAILED,
        DmStatus.ATOMIC_ROLL_BACK_OK,
        DmStatus.ATOMIC_ROLL_BACK_OK,
        code,
        NOT_DONE,
        NOT_DONE,
    ]
    assert device.picture() == before


def test_cancel_in_an_atomic_ends_the_work_on_the_message(device: Device) -> None:
    codes = device.codes(atomic(ask(), delete(X)), delete(X), person=[CANCEL])
    assert codes == [DmStatus.ATOMIC_FAILED, DmStatus.OPERATION_CANCELLED, NOT_DONE, NOT_DONE]


def test_all_alerts_of_an_atomic_are_asked_before_anything_is_done(device: Device) -> None:
    before = device.picture()
    name = alert(AlertCode.TEXT_INPUT, "", "Name?")
    command = atomic(add(f"{X}/Name"), ask(), delete(Y), sequence(name), execute(GO))
    text = UserAnswer(verdict=Verdict.DONE, text="Ada")
    answers = device.answers(command, person=[YES, text])
    assert device.seen == [before, before]
    assert [line(answer)[2] for answer in answers] == [
        *[OK] * 6, DmStatus.ACCEPTED_FOR_PROCESSING,
    ]  # fmt: skip
    assert [a.items for a in answers if isinstance(a, Status) and a.items] == [(Item(data=b"Ada"),)]


def test_after_a_no_nothing_more_of_an_atomic_is_asked(device: Device) -> None:
    codes = device.codes(atomic(ask(), ask(), delete(X)), person=[NO])
    assert codes == [DmStatus.ATOMIC_FAILED, DmStatus.NOT_MODIFIED, NOT_DONE, NOT_DONE]
    assert len(device.asked) == 1


def test_failure_before_the_question_is_the_one_that_counts(device: Device) -> None:
    codes = device.codes(atomic(add(f"{X}/PkgID"), ask(), delete(X)), person=[NO])
    assert codes == [DmStatus.ATOMIC_FAILED, DmStatus.ALREADY_EXISTS, NOT_DONE, NOT_DONE]


def test_alert_without_cmd_id_in_an_atomic_asks_nobody(device: Device) -> None:
    command = atomic(add(f"{X}/Name"), ask(cmd_id=""), Exec(cmd_id="3", items=(item(GO),)))
    assert device.codes(command) == [
        DmStatus.ATOMIC_FAILED, DmStatus.ATOMIC_ROLL_BACK_OK, DmStatus.BAD_REQUEST, NOT_DONE,
    ]  # fmt: skip
    assert device.asked == []


# -- what a yes means for an Exec after it (adc-2) --------------------------------------


@pytest.mark.parametrize(
    ("commands", "person", "is_confirmed"),
    [
        ((ask("1"), execute(GO, cmd_id="2")), (YES,), True),
        ((ask("1"), execute(GO, cmd_id="2")), (NO,), False),
        ((ask("1"), execute(GO, cmd_id="2")), (NOBODY,), False),
        ((ask("1"), ask("2"), execute(GO, cmd_id="3")), (YES, NO), False),
        ((ask("1"), ask("2"), execute(GO, cmd_id="3")), (NO, YES), True),
        ((sequence(ask("2"), execute(GO, cmd_id="3")),), (YES,), True),
        ((atomic(ask("2"), execute(GO, cmd_id="3")),), (YES,), True),
        ((execute(GO, cmd_id="1"), ask("2")), (YES,), False),
        ((alert(AlertCode.TEXT_INPUT, "", "Name?"), execute(GO, cmd_id="2")), (YES,), False),
    ],
)
def test_last_confirmation_of_the_session_goes_along_with_an_order(
    device: Device,
    commands: tuple[Command, ...],
    person: tuple[UserAnswer, ...],
    is_confirmed: bool,
) -> None:
    device.answers(*commands, person=person)
    (operation,) = device.records.journal.all()
    assert (operation.data.get(CONFIRMED) is True) is is_confirmed
