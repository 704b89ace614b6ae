# SPDX-License-Identifier: Apache-2.0
"""Every way a session comes to its end, and what is refused on the way."""

import dataclasses
from typing import Any

import pytest

from scomod.codes import AlertCode
from scomod.dmclient.events import AlertAnswered, PendingAlert
from scomod.dmclient.model import (
    Alert,
    Atomic,
    Delete,
    Get,
    Item,
    Message,
    Meta,
    Results,
    Sequence,
    Status,
)
from scomod.dmclient.session import SessionState
from scomod.errors import LocalProtocolError
from tests.support.dialogue import (
    SERVER,
    Server,
    alerts,
    cred,
    generic,
    next_of,
    serve,
    started,
    statuses,
)

GET = Get(cmd_id="7", items=(Item(target="./DevInfo"),))
ABORT = Alert(cmd_id="9", code=AlertCode.SESSION_ABORT)
BIG = Results(msg_ref="1", cmd_ref="7", items=(Item(source="./x", data=b"v" * 700),))


def with_header(message: Message, field: str, value: str) -> Message:
    changed: dict[str, Any] = {field: value}
    return dataclasses.replace(message, header=dataclasses.replace(message.header, **changed))


# -- how our header is answered -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "words", "is_retryable"),
    [
        (417, "come again later", True),
        (408, "(408)", True),
        (400, "refuses our message (400)", False),
        (404, "refuses our message (404)", False),
        (500, "refuses our message (500)", True),
        (503, "refuses our message (503)", True),
        (511, "refuses our message (511)", True),
        (505, "our version of the DTD", False),
        (513, "our version of DM", False),
    ],
)
def test_a_refused_header_ends_the_session(code: int, words: str, is_retryable: bool) -> None:
    session, first = started(alerts=(PendingAlert(id=42, alert=generic()),))
    reply = Server().reply(first, [GET], header_code=code, credential=cred())
    assert session.receive(reply) == []
    assert session.next_message() is None
    assert session.state is SessionState.FAILED
    assert words in session.failure
    assert session.is_retryable is is_retryable


@pytest.mark.parametrize("code", [0, 101, 200, 202, 304])
def test_other_answers_to_our_header_let_the_session_go_on(code: int) -> None:
    session, first = started()
    reply = Server().reply(first, [GET], header_code=code, credential=cred())
    assert serve(session, reply) == [GET]


# -- abort -------------------------------------------------------------------------------------


@pytest.mark.spec("omadm T-34")
def test_nothing_in_a_message_that_aborts_is_carried_out() -> None:
    session, first = started(alerts=(PendingAlert(id=42, alert=generic()),))
    reply = Server().reply(first, [GET, ABORT], credential=cred())
    assert session.receive(reply) == [AlertAnswered(42, 200)], "what is answered is answered"
    assert session.next_message() is None
    assert session.state is SessionState.FAILED
    assert session.failure == "the server aborted the session"
    assert session.is_retryable


def test_an_unproven_server_may_abort_too_but_nothing_else_of_it_counts() -> None:
    session, first = started(alerts=(PendingAlert(id=42, alert=generic()),))
    assert session.receive(Server().reply(first, [ABORT])) == []
    assert session.next_message() is None
    assert session.state is SessionState.FAILED


@pytest.mark.spec("omadm 1.2")
def test_our_abort_takes_the_finished_answers_along_and_is_final() -> None:
    session, first = started()
    serve(session, Server().reply(first, [GET], credential=cred(), final=False))
    session.abort("enough")
    last = next_of(session)
    assert statuses(last) == [("SyncHdr", "0", 212), ("Get", "7", 200)]
    assert (alerts(last), last.final) == ([AlertCode.SESSION_ABORT], True)
    assert session.next_message() is None
    assert (session.state, session.failure) == (SessionState.FAILED, "enough")


def test_our_abort_is_final_even_where_answers_are_left_over() -> None:
    session, first = started(max_msg_bytes=2048)
    serve(session, Server().reply(first, [GET], credential=cred()), BIG, BIG, BIG)
    session.abort("enough")
    last = next_of(session)
    assert session._setup.size_of(last) <= 2048
    assert (alerts(last), last.final) == ([AlertCode.SESSION_ABORT], True)
    assert session.next_message() is None


def test_void_answers_do_not_leave_with_our_abort() -> None:
    session, first = started()
    serve(session, Server().reply(first, [GET], credential=cred()))
    session.abort("the disk is full", are_answers_void=True)
    last = next_of(session)
    assert statuses(last) == [("SyncHdr", "0", 212)]
    assert alerts(last) == [AlertCode.SESSION_ABORT]


def test_only_a_running_session_is_aborted() -> None:
    session, first = started()
    session.receive(Server().reply(first, credential=cred()))
    session.next_message()
    with pytest.raises(LocalProtocolError):
        session.abort("too late")


# -- versions -----------------------------------------------------------------------------------


@pytest.mark.spec("omadm T-42")
@pytest.mark.parametrize(
    ("field", "value", "code", "supported"),
    [
        ("ver_dtd", "2.0", 505, [b"1.1", b"1.2"]),
        ("ver_proto", "DM/9.9", 513, [b"DM/1.1", b"DM/1.2", b"DM/1.3"]),
    ],
)
def test_a_version_we_do_not_read_is_refused_with_those_we_do(
    field: str, value: str, code: int, supported: list[bytes]
) -> None:
    session, first = started()
    server = Server()
    reply = server.reply(first, [GET], credential=cred())
    assert session.receive(with_header(reply, field, value)) == []
    second = next_of(session)
    assert statuses(second) == [("SyncHdr", "0", code), ("Get", "7", code)]
    header = second.commands[0]
    assert isinstance(header, Status)
    assert [item.data for item in header.items] == supported
    assert header.chal is None
    session.receive(with_header(server.reply(second, [GET], credential=cred()), field, value))
    assert session.next_message() is None, "told once"
    assert session.state is SessionState.FAILED


def test_a_server_that_comes_to_its_senses_about_the_version_is_served() -> None:
    session, first = started()
    server = Server()
    session.receive(server.reply(first, [GET], credential=cred(), ver_dtd="2.0"))
    assert serve(session, server.reply(next_of(session), [GET], credential=cred())) == [GET]


@pytest.mark.spec("omadm 2.2")
def test_an_old_server_is_spoken_to_in_its_version_and_sent_no_generic_alert() -> None:
    event = Alert(code=AlertCode.CLIENT_EVENT, items=(Item(data=b"x"),))
    waiting = (PendingAlert(id=1, alert=generic()), PendingAlert(id=2, alert=event))
    session, first = started(protocol="1.1", alerts=waiting)
    assert (first.header.ver_dtd, first.header.ver_proto) == ("1.1", "DM/1.1")
    assert alerts(first) == [AlertCode.CLIENT_INITIATED_MANAGEMENT, AlertCode.CLIENT_EVENT]
    reply = Server().reply(first, [GET], credential=cred(), ver_dtd="1.1")
    assert AlertAnswered(2, 200) in session.receive(reply)


def test_a_server_that_answers_in_the_older_version_is_served() -> None:
    session, first = started()
    reply = Server().reply(first, [GET], credential=cred(), ver_dtd="1.1")
    old = dataclasses.replace(reply.header, ver_proto="DM/1.1")
    assert serve(session, dataclasses.replace(reply, header=old)) == [GET]
    assert next_of(session).header.ver_dtd == "1.2"


# -- refused commands -----------------------------------------------------------------------------


def test_what_stands_in_containers_is_refused_with_them_one_by_one() -> None:
    session, first = started()
    inner = Delete(cmd_id="3", items=(Item(target="./a"),))
    atomic = Atomic(cmd_id="2", commands=(inner,))
    outer = Sequence(cmd_id="1", commands=(atomic, GET))
    assert serve(session, Server().reply(first, [outer])) == []
    refused = [(cmd, ref) for cmd, ref, code in statuses(next_of(session)) if code == 407]
    assert refused == [
        ("SyncHdr", "0"), ("Sequence", "1"), ("Atomic", "2"), ("Delete", "3"), ("Get", "7"),
    ]  # fmt: skip


def test_commands_beside_a_challenge_are_not_carried_out_and_said_so() -> None:
    session, first = started()
    chal = Meta(type="syncml:auth-md5", format="b64", next_nonce="bm9uY2U=")
    reply = Server().reply(first, [GET], header_code=401, chal=chal, credential=cred())
    assert serve(session, reply) == []
    again = next_of(session)
    assert statuses(again) == [("SyncHdr", "0", 212), ("Get", "7", 215)]
    assert [type(c).__name__ for c in again.commands[2:]] == ["Alert", "Replace"]


def test_an_answer_to_a_report_counts_once_its_sender_is_proven() -> None:
    session, first = started(alerts=(PendingAlert(id=42, alert=generic()),))
    server = Server()
    assert session.receive(server.reply(first, [GET])) == []
    second = next_of(session)
    login_less = server.reply(second, [GET], credential=cred(SERVER.nonces[0]))
    assert session.receive(login_less) == [], "that nonce was replaced"
    proven = server.reply(next_of(session), [GET], credential=cred(b"fresh-2"))
    assert AlertAnswered(42, 200) in session.receive(proven)
