# SPDX-License-Identifier: Apache-2.0
"""Packages of several messages, their Final, and whose Status is taken for what."""

import dataclasses

import pytest

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient.answers import status_of
from scomod.dmclient.events import AlertAnswered, AnswerReady, CommandReceived, PendingAlert
from scomod.dmclient.model import (
    Add,
    Alert,
    Command,
    Get,
    Item,
    Message,
    Meta,
    Results,
    Status,
)
from scomod.dmclient.session import Session, SessionState
from scomod.errors import RemoteProtocolError
from tests.support.dialogue import Server, alerts, cred, generic, next_of, serve, started, statuses

GET = Get(cmd_id="7", items=(Item(target="./DevInfo"),))
MORE = Alert(cmd_id="8", code=AlertCode.NEXT_MESSAGE)
BIG = Results(msg_ref="1", cmd_ref="7", items=(Item(source="./x", data=b"v" * 700),))


# -- the server's package has more messages ------------------------------------------


@pytest.mark.spec("omadm 1.2")
def test_each_unfinished_message_of_the_server_is_answered_with_1222_and_no_final() -> None:
    session, message = started()
    server = Server()
    for number in range(3):
        serve(session, server.reply(message, [GET], credential=cred(), final=False))
        message = next_of(session)
        assert alerts(message) == [AlertCode.NEXT_MESSAGE], number
        assert isinstance(message.commands[-1], Alert)
        assert not message.final
    serve(session, server.reply(message, [GET]))
    last = next_of(session)
    assert (alerts(last), last.final) == ([], True)


@pytest.mark.spec("omadm T-32")
def test_status_213_of_a_chunk_goes_with_1222() -> None:
    session, first = started()
    chunk = Add(cmd_id="7", items=(Item(target="./x", data=b"a", more_data=True),))
    (_, event) = _of(session, Server().reply(first, [chunk], credential=cred(), final=False))
    session.complete([status_of(event.msg_ref, chunk, DmStatus.CHUNKED_ITEM_ACCEPTED)])
    second = next_of(session)
    assert statuses(second)[1] == ("Add", "7", 213)
    assert (alerts(second), second.final) == ([AlertCode.NEXT_MESSAGE], False)


def _of(session: Session, reply: Message) -> tuple[Session, CommandReceived]:
    (event,) = [e for e in session.receive(reply) if isinstance(e, CommandReceived)]
    return session, event


def test_1222_goes_out_even_where_the_answers_do_not_all_fit() -> None:
    session, first = started(max_msg_bytes=2048)
    serve(session, Server().reply(first, [GET], credential=cred(), final=False), BIG, BIG, BIG)
    second = next_of(session)
    assert session._setup.size_of(second) <= 2048
    assert (alerts(second), second.final) == ([AlertCode.NEXT_MESSAGE], False)


def test_what_did_not_fit_beside_1222_goes_before_the_next_answers() -> None:
    session, message = started(max_msg_bytes=2048)
    server = Server()
    reply = server.reply(message, [GET], credential=cred(), final=False)
    serve(session, reply, BIG, BIG, BIG)
    first_part = next_of(session)
    serve(session, server.reply(first_part, [GET]))
    second_part = next_of(session)
    shape = [type(c).__name__ for m in (first_part, second_part) for c in m.commands]
    assert shape.count("Results") == 3
    assert [s[:2] for s in statuses(second_part)] == [("SyncHdr", "0"), ("Get", "7")]
    assert second_part.final


# -- ours has ------------------------------------------------------------------------


@pytest.mark.spec("omadm T-31")
def test_1222_of_the_server_is_answered_but_not_returned_while_our_package_goes_on() -> None:
    session, first = started(max_msg_bytes=2048)
    server = Server()
    serve(session, server.reply(first, [GET], credential=cred()), BIG, BIG, BIG)
    part = next_of(session)
    assert (alerts(part), part.final) == ([], False)
    serve(session, server.reply(part, [MORE], final=False))
    rest = next_of(session)
    assert statuses(rest) == [("SyncHdr", "0", 212), ("Alert", "8", 200)]
    assert (alerts(rest), rest.final) == ([], True)
    serve(session, server.reply(rest))
    assert session.next_message() is None
    assert session.state is SessionState.ENDED


def test_a_first_package_of_many_reports_is_spread_and_device_info_comes_first() -> None:
    reports = tuple(PendingAlert(id=n, alert=generic("r" * 300)) for n in range(12))
    session, message = started(alerts=reports, max_msg_bytes=2048)
    server, sent, finals = Server(), 0, []
    assert [type(c).__name__ for c in message.commands[:2]] == ["Alert", "Replace"]
    answered: list[int] = []
    while True:
        sent += alerts(message).count(AlertCode.GENERIC_ALERT)
        finals.append(message.final)
        more = [] if message.final else [MORE]
        reply = server.reply(message, more, credential=cred(), final=message.final)
        for event in session.receive(reply):
            if isinstance(event, AlertAnswered):
                answered.append(event.alert_id)
            elif isinstance(event, AnswerReady):
                session.complete([event.answer])
        if (following := session.next_message()) is None:
            break
        message = following
    assert (sent, answered) == (12, list(range(12)))
    assert len(finals) > 2
    assert finals == [False] * (len(finals) - 1) + [True]


def test_the_status_of_1222_keeps_its_place_among_the_others() -> None:
    session, first = started()
    late = dataclasses.replace(GET, cmd_id="9")
    serve(session, Server().reply(first, [GET, MORE, late], credential=cred(), final=False))
    assert [ref for _, ref, _ in statuses(next_of(session))] == ["0", "7", "8", "9"]


def test_limits_of_the_server_may_change_within_the_session() -> None:
    session, message = started()
    server, sizes = Server(), []
    for limit in (9000, None, 3000, 99999):
        meta = None if limit is None else Meta(max_msg_size=limit, max_obj_size=2 * limit)
        serve(session, server.reply(message, [GET], credential=cred(), meta=meta))
        sizes.append((session.peer_max_msg_bytes, session.peer_max_obj_bytes))
        message = next_of(session)
    assert sizes == [(9000, 18000), (9000, 18000), (3000, 6000), (16384, 199998)]


# -- the same message twice --------------------------------------------------------------


def test_a_message_that_was_carried_out_is_not_taken_again() -> None:
    session, first = started()
    reply = Server().reply(first, [GET], credential=cred())
    assert serve(session, reply) == [GET]
    next_of(session)
    with pytest.raises(RemoteProtocolError, match="MsgID '1' comes twice"):
        session.receive(reply)


def test_a_refused_message_may_come_again_with_its_number() -> None:
    session, first = started()
    assert serve(session, Server().reply(first, [GET])) == []
    second = next_of(session)
    reply = Server().reply(second, [GET], credential=cred(b"fresh-1"))
    assert reply.header.msg_id == "1"
    assert serve(session, reply) == [GET]


# -- Statuses of ours ----------------------------------------------------------------------


@pytest.mark.spec("omadm 2.4")
def test_addresses_in_the_status_of_the_header_are_those_of_the_header() -> None:
    session, first = started()
    reply = Server().reply(first, [GET], credential=cred())
    odd = dataclasses.replace(
        reply.header, target="URN:UUID:%31?a=1&b", source="HTTPS://dm.EXAMPLE:443/./dm"
    )
    serve(session, dataclasses.replace(reply, header=odd))
    header = next_of(session).commands[0]
    assert isinstance(header, Status)
    assert header.target_refs == ("URN:UUID:%31?a=1&b",)
    assert header.source_refs == ("HTTPS://dm.EXAMPLE:443/./dm",)


# -- Statuses of the server ------------------------------------------------------------------


def answer(to: Message, code: int, cmd_ref: str = "3", msg_ref: str | None = None) -> Status:
    return Status(
        cmd_id="20", msg_ref=msg_ref or to.header.msg_id, cmd_ref=cmd_ref, cmd="Alert", code=code
    )


def with_only(reply: Message, *commands: Command) -> Message:
    return dataclasses.replace(reply, commands=commands)


@pytest.mark.parametrize("code", [200, 202, 401, 407, 412, 500])
def test_any_final_word_on_a_report_is_told(code: int) -> None:
    session, first = started(alerts=(PendingAlert(id=42, alert=generic()),))
    reply = with_only(Server().reply(first, credential=cred()), answer(first, code))
    assert session.receive(reply) == [AlertAnswered(42, code)]
    assert session.next_message() is None
    assert session.state is SessionState.ENDED


@pytest.mark.parametrize("code", [101, 213])
def test_an_unfinished_answer_to_a_report_is_waited_out(code: int) -> None:
    session, first = started(alerts=(PendingAlert(id=42, alert=generic()),))
    server = Server()
    reply = server.reply(first, credential=cred())
    assert session.receive(with_only(reply, answer(first, code), MORE))[0] == AnswerReady(
        status_of("1", MORE, DmStatus.OK)
    )
    session.complete([status_of("1", MORE, DmStatus.OK)])
    second = next_of(session)
    last = with_only(server.reply(second), answer(first, 200))
    assert AlertAnswered(42, 200) in session.receive(last)


@pytest.mark.parametrize(
    ("msg_ref", "cmd_ref"), [("1", "99"), ("77", "3"), ("", "3"), ("1", ""), ("x", "y")]
)
def test_statuses_of_nothing_we_sent_are_passed_over(msg_ref: str, cmd_ref: str) -> None:
    session, first = started(alerts=(PendingAlert(id=42, alert=generic()),))
    stray = answer(first, 500, cmd_ref, msg_ref or "none")
    assert session.receive(with_only(Server().reply(first, credential=cred()), stray)) == []
    assert session.next_message() is None
    assert session.state is SessionState.ENDED


def test_a_status_is_taken_once() -> None:
    session, first = started(alerts=(PendingAlert(id=42, alert=generic()),))
    twice = answer(first, 200), answer(first, 500)
    reply = with_only(Server().reply(first, credential=cred()), *twice)
    assert session.receive(reply) == [AlertAnswered(42, 200)]


@pytest.mark.spec("omadm 1.5")
def test_a_client_event_is_sent_like_a_report() -> None:
    event = Alert(
        code=AlertCode.CLIENT_EVENT,
        items=(Item(meta=Meta(type="com.example.event", format="chr"), data=b"low battery"),),
    )
    session, first = started(alerts=(PendingAlert(id=5, alert=event),))
    assert alerts(first) == [AlertCode.CLIENT_INITIATED_MANAGEMENT, AlertCode.CLIENT_EVENT]
    reply = Server().reply(first, credential=cred())
    assert session.receive(reply) == [AlertAnswered(5, 200)]
