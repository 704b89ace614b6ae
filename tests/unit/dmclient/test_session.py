# SPDX-License-Identifier: Apache-2.0
"""The session machine, driven through whole conversations in memory."""

import dataclasses

import pytest

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient import auth
from scomod.dmclient.answers import status_of
from scomod.dmclient.auth import AuthType
from scomod.dmclient.events import (
    AlertAnswered,
    ClientNonce,
    CommandReceived,
    PendingAlert,
    ServerNonce,
)
from scomod.dmclient.model import Alert, Get, Item, Message, Meta, Replace, Results, Status
from scomod.dmclient.session import Session, SessionState
from scomod.errors import LocalProtocolError, RemoteProtocolError
from tests.support.dialogue import (
    CLIENT,
    SERVER,
    Server,
    challenge,
    cred,
    generic,
    next_of,
    setup,
    started,
    statuses,
)

GET = Get(cmd_id="7", items=(Item(target="./DevInfo"),))


@pytest.mark.spec("omadm T-01")
def test_first_message_has_alert_then_device_info_then_final() -> None:
    _, first = started()
    alert, replace = first.commands
    assert isinstance(alert, Alert)
    assert alert.code == AlertCode.CLIENT_INITIATED_MANAGEMENT
    assert isinstance(replace, Replace)
    assert [item.source for item in replace.items] == ["./DevInfo/DevId", "./DevInfo/Man"]
    assert first.final
    assert (first.header.ver_dtd, first.header.ver_proto) == ("1.2", "DM/1.2")
    assert (first.header.session_id, first.header.msg_id) == ("A1", "1")


def test_first_message_proves_us_with_the_stored_nonce() -> None:
    _, first = started()
    assert first.header.source_name == "dev"
    assert first.header.cred is not None
    assert first.header.cred.data == auth.md5("dev", CLIENT.secret, b"client-nonce")


@pytest.mark.spec("omadm T-04")
def test_empty_answer_ends_the_session_without_another_message() -> None:
    session, first = started()
    assert session.receive(Server().reply(first, credential=cred())) == []
    assert session.next_message() is None
    assert session.state is SessionState.ENDED


def test_session_takes_nothing_after_its_end() -> None:
    session, first = started()
    session.receive(Server().reply(first, credential=cred()))
    session.next_message()
    with pytest.raises(LocalProtocolError):
        session.receive(Server().reply(first))


def test_command_is_answered_behind_the_status_of_the_header() -> None:
    session, first = started()
    (event,) = session.receive(Server().reply(first, [GET], credential=cred()))
    assert isinstance(event, CommandReceived)
    result = Results(msg_ref="1", cmd_ref="7", items=(Item(source="./DevInfo", data=b"x"),))
    session.complete([status_of(event.msg_ref, event.command, DmStatus.OK), result])
    second = next_of(session)
    assert statuses(second) == [("SyncHdr", "0", 212), ("Get", "7", 200)]
    assert isinstance(second.commands[2], Results)
    assert [c.cmd_id for c in second.commands] == ["1", "2", "3"]
    assert second.final
    assert second.header.cred is None, "212 makes further credentials needless"


@pytest.mark.spec("omadm T-10")
@pytest.mark.parametrize(
    ("credential", "code"), [(None, 407), (cred(password="wrong"), 401), (cred(b"stale"), 401)]
)
def test_unproven_server_gets_a_challenge_and_no_execution(credential: object, code: int) -> None:
    session, first = started()
    reply = Server().reply(first, [GET], credential=credential)  # type: ignore[arg-type]
    assert session.receive(reply) == []
    second = next_of(session)
    assert statuses(second) == [("SyncHdr", "0", code), ("Get", "7", code)]
    header = second.commands[0]
    assert isinstance(header, Status)
    assert header.chal is not None
    assert header.chal.next_nonce == auth.encode_nonce(b"fresh-1")


def test_server_that_answers_the_challenge_is_served() -> None:
    session, first = started()
    server = Server()
    session.receive(server.reply(first, [GET]))
    second = next_of(session)
    events = session.receive(server.reply(second, [GET], credential=cred(b"fresh-1")))
    assert any(isinstance(event, CommandReceived) for event in events)
    assert ServerNonce(b"fresh-1") in events


def test_server_that_never_proves_itself_is_left() -> None:
    session, message = started()
    server = Server()
    for _ in range(3):
        assert session.state is SessionState.MANAGING
        session.receive(server.reply(message, [GET], credential=cred(password="wrong")))
        message = session.next_message() or message
    assert session.state is SessionState.FAILED
    assert "not authenticated" in session.failure


@pytest.mark.spec("omadm 2.7")
def test_unproven_server_without_commands_is_not_challenged() -> None:
    session, first = started()
    session.receive(Server().reply(first))
    assert session.next_message() is None
    assert session.state is SessionState.FAILED


def test_server_without_stored_credentials_is_trusted_by_its_transport() -> None:
    session, first = started(server=None)
    (event,) = session.receive(Server().reply(first, [GET]))
    assert isinstance(event, CommandReceived)
    session.complete([status_of(event.msg_ref, event.command, DmStatus.OK)])
    assert statuses(next_of(session))[0] == ("SyncHdr", "0", 200)


@pytest.mark.spec("omadm T-06")
def test_challenge_repeats_package_one_with_the_new_nonce() -> None:
    session, first = started()
    reply = Server().reply(first, header_code=401, chal=challenge(b"other"), credential=cred())
    assert session.receive(reply) == [ClientNonce(b"other")]
    again = next_of(session)
    assert again.header.session_id == "A1"
    assert again.header.msg_id == "2"
    assert again.header.cred is not None
    assert again.header.cred.data == auth.md5("dev", CLIENT.secret, b"other")
    names = [type(command).__name__ for command in again.commands]
    assert names == ["Status", "Alert", "Replace"]
    assert again.final


@pytest.mark.spec("omadm T-05")
def test_challenge_for_basic_is_answered_with_basic() -> None:
    session, first = started()
    chal = dataclasses.replace(challenge(b"n", AuthType.BASIC), next_nonce=None)
    session.receive(Server().reply(first, header_code=407, chal=chal, credential=cred()))
    again = next_of(session)
    assert again.header.cred is not None
    assert again.header.cred.data == auth.basic("dev", CLIENT.secret)


@pytest.mark.spec("omadm T-08")
def test_client_stops_after_two_refusals() -> None:
    session, message = started()
    server = Server()
    for number in range(3):
        nonce = f"n{number}".encode()
        reply = server.reply(message, header_code=401, chal=challenge(nonce), credential=cred())
        session.receive(reply)
        message = session.next_message() or message
    assert session.state is SessionState.FAILED
    assert message.header.msg_id == "3"


@pytest.mark.spec("omadm T-09")
def test_unknown_kind_of_credentials_ends_the_session() -> None:
    session, first = started()
    chal = challenge(b"n", "syncml:auth-securid")
    session.receive(Server().reply(first, header_code=401, chal=chal, credential=cred()))
    assert session.state is SessionState.FAILED
    assert "syncml:auth-securid" in session.failure
    assert not session.is_retryable


@pytest.mark.spec("omadm T-07")
def test_nonce_for_the_next_session_is_handed_out() -> None:
    session, first = started()
    events = session.receive(Server().reply(first, chal=challenge(b"tomorrow"), credential=cred()))
    assert events == [ClientNonce(b"tomorrow")]


@pytest.mark.spec("omadm 4.5 rule 2")
def test_nonce_of_an_unproven_server_is_not_handed_out() -> None:
    session, first = started()
    events = session.receive(Server().reply(first, [GET], chal=challenge(b"tomorrow")))
    assert events == []


def test_status_of_a_generic_alert_is_matched_with_the_outbox() -> None:
    session, first = started(alerts=(PendingAlert(id=42, alert=generic()),))
    assert isinstance(first.commands[2], Alert)
    assert first.commands[2].correlator == "c-1"
    events = session.receive(Server().reply(first, credential=cred()))
    assert events == [AlertAnswered(42, 200)]


def test_status_of_an_unproven_server_takes_no_alert() -> None:
    session, first = started(alerts=(PendingAlert(id=42, alert=generic()),))
    assert session.receive(Server().reply(first, credential=cred(password="wrong"))) == []
    assert session.state is SessionState.FAILED


def test_alert_goes_out_again_after_a_challenge() -> None:
    session, first = started(alerts=(PendingAlert(id=42, alert=generic()),))
    server = Server()
    session.receive(
        server.reply(first, header_code=401, chal=challenge(b"other"), credential=cred())
    )
    again = next_of(session)
    events = session.receive(server.reply(again, credential=cred()))
    assert AlertAnswered(42, 200) in events


@pytest.mark.spec("omadm T-31")
def test_answers_too_large_for_one_message_are_spread_and_final_comes_last() -> None:
    session, first = started(max_msg_bytes=2048)
    server = Server()
    events = session.receive(server.reply(first, [GET], credential=cred()))
    for event in events:
        assert isinstance(event, CommandReceived)
        values = [
            Results(msg_ref="1", cmd_ref="7", items=(Item(source=f"./x{n}", data=b"v" * 700),))
            for n in range(5)
        ]
        session.complete([status_of(event.msg_ref, event.command, DmStatus.OK), *values])
    sources: list[str | None] = []
    message: Message | None = session.next_message()
    finals = []
    while message is not None:
        assert session._setup.size_of(message) <= 2048
        finals.append(message.final)
        sources += [c.items[0].source for c in message.commands if isinstance(c, Results)]
        more = [] if message.final else [Alert(cmd_id="9", code=AlertCode.NEXT_MESSAGE)]
        session.receive(server.reply(message, more, final=message.final))
        message = session.next_message()
    assert sources == [f"./x{n}" for n in range(5)]
    assert finals == [False, False, True]
    assert session.state is SessionState.ENDED


@pytest.mark.spec("omadm T-30")
def test_unfinished_package_of_the_server_is_asked_for_without_final() -> None:
    session, first = started()
    server = Server()
    (event,) = session.receive(server.reply(first, [GET], credential=cred(), final=False))
    assert isinstance(event, CommandReceived)
    session.complete([status_of(event.msg_ref, event.command, DmStatus.OK)])
    second = next_of(session)
    assert not second.final
    last = second.commands[-1]
    assert isinstance(last, Alert)
    assert last.code == AlertCode.NEXT_MESSAGE
    assert statuses(second) == [("SyncHdr", "0", 212), ("Get", "7", 200)]
    session.receive(server.reply(second, [], final=True))
    assert session.next_message() is None


@pytest.mark.spec("omadm T-34")
def test_abort_of_the_server_is_not_answered() -> None:
    session, first = started()
    abort = Alert(cmd_id="5", code=AlertCode.SESSION_ABORT)
    session.receive(Server().reply(first, [abort], credential=cred()))
    assert session.next_message() is None
    assert session.state is SessionState.FAILED


@pytest.mark.spec("omadm T-13")
def test_next_message_goes_where_the_server_wants_it() -> None:
    session, first = started()
    session.receive(
        Server().reply(first, [GET], credential=cred(), resp_uri="https://dm.example/dm?s=1")
    )
    session.complete([status_of("1", GET, DmStatus.OK)])
    second = next_of(session)
    assert session.url == "https://dm.example/dm?s=1"
    assert second.header.target == session.url


def test_message_of_another_session_is_refused() -> None:
    session, first = started()
    with pytest.raises(RemoteProtocolError, match="SessionID"):
        session.receive(Server().reply(first, session_id="B7"))


def test_leading_zeros_and_case_of_the_session_id_do_not_matter() -> None:
    session, first = started()
    session.receive(Server().reply(first, session_id="0a1", credential=cred()))
    assert session.next_message() is None


@pytest.mark.spec("omadm T-42")
def test_unknown_version_of_the_document_is_refused() -> None:
    session, first = started()
    session.receive(Server().reply(first, [GET], credential=cred(), ver_dtd="9.9"))
    assert statuses(next_of(session)) == [("SyncHdr", "0", 505), ("Get", "7", 505)]


def test_server_nonce_is_confirmed_only_after_it_was_answered() -> None:
    session, first = started()
    server = Server()
    assert session.receive(server.reply(first, [GET], credential=cred()))
    session.complete([status_of("1", GET, DmStatus.OK)])
    before = session.pending_server_nonce
    second = next_of(session)
    assert (before, session.pending_server_nonce) == (None, b"fresh-1")
    assert session.receive(server.reply(second)) == [ServerNonce(b"fresh-1")]


def test_either_of_two_nonces_proves_the_server() -> None:
    login = dataclasses.replace(SERVER, nonces=(b"old", b"maybe"))
    session, first = started(server=login)
    session.receive(Server().reply(first, credential=cred(b"maybe")))
    assert session.next_message() is None
    assert session.state is SessionState.ENDED


def test_limit_of_the_server_is_kept() -> None:
    session = Session(setup())
    first = session.begin()
    reply = Server().reply(first, [GET], credential=cred())
    small = dataclasses.replace(
        reply, header=dataclasses.replace(reply.header, meta=Meta(max_msg_size=1500))
    )
    session.receive(small)
    assert session.peer_max_msg_bytes == 1500
