# SPDX-License-Identifier: Apache-2.0
"""Who is who, message by message: MAC, nonces, kinds of credentials, challenges and their end."""

import dataclasses

import pytest

from scomod.codes import DmStatus
from scomod.dmclient import auth, codec
from scomod.dmclient.answers import status_of
from scomod.dmclient.auth import AuthType, MacHeader
from scomod.dmclient.credentials import Envelope
from scomod.dmclient.events import (
    ClientNonce,
    CommandReceived,
    Event,
    ServerNonce,
    TypeAccepted,
)
from scomod.dmclient.model import Get, Item, Message, Meta, Status
from scomod.dmclient.session import Session, SessionState
from scomod.secret import Secret
from tests.support.dialogue import (
    CLIENT,
    SERVER,
    WBXML,
    Server,
    challenge,
    cred,
    next_of,
    started,
    statuses,
)

GET = Get(cmd_id="7", items=(Item(target="./DevInfo"),))
OUR_MAC = dataclasses.replace(CLIENT, auth_type=AuthType.MAC)
ITS_MAC = dataclasses.replace(SERVER, auth_type=AuthType.MAC)


def sealed(message: Message, nonce: bytes, password: str = "server-pw") -> Envelope:
    """The octets of a server message and the header that proves them."""
    body = codec.encode(message, WBXML)
    mac = auth.mac("srv", Secret(password), nonce, body)
    header = auth.write_mac_header(MacHeader(user="srv", mac=mac))
    return Envelope(body=body, headers={"content-type": "x/y", auth.MAC_HEADER: header})


def commands_of(events: list[Event]) -> list[CommandReceived]:
    return [event for event in events if isinstance(event, CommandReceived)]


def chal_of(message: Message) -> Meta | None:
    header = message.commands[0]
    assert isinstance(header, Status)
    assert header.cmd_ref == "0"
    return header.chal


def nonce_of(message: Message) -> bytes:
    chal = chal_of(message)
    assert chal is not None
    assert chal.next_nonce is not None
    return auth.decode_nonce(chal.next_nonce)


def answer_all(session: Session, events: list[Event]) -> None:
    for event in commands_of(events):
        session.complete([status_of(event.msg_ref, event.command, DmStatus.OK)])


# -- our MAC ---------------------------------------------------------------------------


def our_proof(session: Session, message: Message) -> tuple[str, str] | None:
    """User and MAC of the header that goes beside a message of ours; None without one."""
    headers = session.headers(codec.encode(message, WBXML))
    if not headers:
        return None
    header = auth.read_mac_header(headers["x-syncml-hmac"])
    assert header is not None
    return header.user, header.mac


def expected(message: Message, nonce: bytes) -> tuple[str, str]:
    return "dev", auth.mac("dev", CLIENT.secret, nonce, codec.encode(message, WBXML))


@pytest.mark.spec("omadm T-11")
def test_every_message_is_proven_by_mac_with_the_latest_nonce_and_without_cred() -> None:
    session, message = started(client=OUR_MAC)
    assert our_proof(session, message) == expected(message, b"client-nonce")
    server, nonces = Server(), [b"one", b"two", b"three"]
    for nonce in nonces:
        assert (message.header.cred, message.header.source_name) == (None, "dev")
        reply = server.reply(
            message, [GET], header_code=200, chal=challenge(nonce, AuthType.MAC), credential=cred()
        )
        events = session.receive(reply)
        assert ClientNonce(nonce) in events, "kept at once: the next message uses it"
        answer_all(session, events)
        message = next_of(session)
        assert our_proof(session, message) == expected(message, nonce)


def test_challenge_for_a_mac_is_answered_with_one() -> None:
    session, first = started()
    assert our_proof(session, first) is None
    chal = challenge(b"other", AuthType.MAC)
    session.receive(Server().reply(first, header_code=401, chal=chal, credential=cred()))
    again = next_of(session)
    assert again.header.cred is None
    assert our_proof(session, again) == expected(again, b"other")


def test_a_server_that_takes_a_mac_for_the_session_still_gets_one_each_time() -> None:
    session, first = started(client=OUR_MAC)
    events = session.receive(Server().reply(first, [GET], header_code=212, credential=cred()))
    answer_all(session, events)
    second = next_of(session)
    assert our_proof(session, second) == expected(second, b"client-nonce")


# -- the server's MAC ----------------------------------------------------------------------


@pytest.mark.spec("omadm T-11")
def test_every_message_of_the_server_is_verified_with_the_nonce_it_was_given() -> None:
    session, message = started(server=ITS_MAC)
    server, nonce = Server(), b"server-nonce"
    for number in range(3):
        reply = server.reply(message, [GET])
        events = session.receive(reply, sealed(reply, nonce))
        assert len(commands_of(events)) == 1
        if number:
            assert ServerNonce(nonce) in events
        answer_all(session, events)
        message = next_of(session)
        assert statuses(message)[0] == ("SyncHdr", "0", 200)
        chal = chal_of(message)
        assert chal is not None
        assert (chal.type, chal.format) == ("syncml:auth-MAC", "b64")
        assert nonce_of(message) != nonce, "a new one each time"
        nonce = nonce_of(message)


def broken_seal(kind: str, message: Message) -> Envelope:
    envelope = sealed(message, b"server-nonce")
    header = envelope.headers[auth.MAC_HEADER]
    changed = {
        "none": {},
        "no mac": {auth.MAC_HEADER: 'algorithm=MD5, username="srv"'},
        "no user": {auth.MAC_HEADER: header.replace("username", "user")},
        "other algorithm": {auth.MAC_HEADER: header.replace("MD5", "SHA256")},
        "rubbish": {auth.MAC_HEADER: "rubbish"},
        "other password": sealed(message, b"server-nonce", "wrong").headers,
        "other nonce": sealed(message, b"other").headers,
    }
    body = envelope.body + b"\0" if kind == "other body" else envelope.body
    return Envelope(body=body, headers=changed.get(kind, envelope.headers))


BROKEN = (
    "none", "no mac", "no user", "other algorithm", "rubbish", "other password", "other nonce",
    "other body",
)  # fmt: skip


@pytest.mark.spec("omadm T-11")
@pytest.mark.parametrize("kind", BROKEN)
def test_a_message_without_a_right_mac_is_challenged_and_not_carried_out(kind: str) -> None:
    session, first = started(server=ITS_MAC)
    server = Server()
    reply = server.reply(first, [GET])
    assert session.receive(reply, broken_seal(kind, reply)) == []
    code = 407 if kind == "none" else 401
    second = next_of(session)
    assert statuses(second) == [("SyncHdr", "0", code), ("Get", "7", code)]
    chal = chal_of(second)
    assert chal is not None
    assert chal.type == "syncml:auth-MAC"
    better = server.reply(second, [GET])
    assert commands_of(session.receive(better, sealed(better, nonce_of(second))))


@pytest.mark.parametrize("kind", BROKEN)
def test_once_proven_by_mac_a_message_that_is_not_ends_the_session(kind: str) -> None:
    session, first = started(server=ITS_MAC)
    server = Server()
    reply = server.reply(first, [GET])
    answer_all(session, session.receive(reply, sealed(reply, b"server-nonce")))
    worse = server.reply(next_of(session), [GET])
    assert session.receive(worse, broken_seal(kind, worse)) == []
    assert session.next_message() is None
    assert session.state is SessionState.FAILED
    assert "not authenticated" in session.failure


def test_credentials_in_the_header_do_not_replace_a_demanded_mac() -> None:
    session, first = started(server=ITS_MAC)
    assert session.receive(Server().reply(first, [GET], credential=cred())) == []
    assert statuses(next_of(session))[0] == ("SyncHdr", "0", 407)


def test_a_mac_is_taken_where_md5_was_agreed_and_then_demanded() -> None:
    session, first = started()
    server = Server()
    reply = server.reply(first, [GET])
    answer_all(session, session.receive(reply, sealed(reply, b"server-nonce")))
    second = next_of(session)
    assert statuses(second)[0] == ("SyncHdr", "0", 200)
    worse = server.reply(second, [GET], credential=cred(nonce_of(second)))
    assert session.receive(worse) == []
    assert session.state is SessionState.FAILED


def test_a_nonce_is_good_for_one_mac() -> None:
    session, first = started(server=ITS_MAC)
    server = Server()
    reply = server.reply(first, [GET])
    answer_all(session, session.receive(reply, sealed(reply, b"server-nonce")))
    replayed = server.reply(next_of(session), [GET])
    assert session.receive(replayed, sealed(replayed, b"server-nonce")) == []
    assert session.state is SessionState.FAILED


def test_both_sides_may_prove_every_message() -> None:
    session, first = started(client=OUR_MAC, server=ITS_MAC)
    reply = Server().reply(first, [GET], header_code=200, chal=challenge(b"next", AuthType.MAC))
    events = session.receive(reply, sealed(reply, b"server-nonce"))
    answer_all(session, events)
    second = next_of(session)
    assert our_proof(session, second) == expected(second, b"next")
    assert nonce_of(second) == b"fresh-1"


# -- md5 per message, and what is said about nonces -------------------------------------------


@pytest.mark.spec("omadm 4.3")
def test_after_200_credentials_with_the_next_nonce_are_in_every_message() -> None:
    session, message = started()
    server = Server()
    for nonce in (b"one", b"two"):
        reply = server.reply(
            message, [GET], header_code=200, chal=challenge(nonce), credential=cred()
        )
        answer_all(session, session.receive(reply))
        message = next_of(session)
        assert message.header.cred is not None
        assert message.header.cred.data == auth.md5("dev", CLIENT.secret, nonce)


@pytest.mark.spec("omadm 4.5 rule 4")
def test_the_nonce_for_the_next_session_is_offered_once() -> None:
    session, message = started()
    server = Server()
    offered = []
    for _ in range(3):
        answer_all(session, session.receive(server.reply(message, [GET], credential=cred())))
        message = next_of(session)
        offered.append(chal_of(message))
    assert offered == [challenge(b"fresh-1"), None, None]


def test_the_nonce_of_a_challenge_is_not_the_one_for_the_next_session() -> None:
    session, first = started()
    server = Server()
    session.receive(server.reply(first, [GET]))
    second = next_of(session)
    reply = server.reply(second, [GET], credential=cred(b"fresh-1"))
    answer_all(session, session.receive(reply))
    assert nonce_of(next_of(session)) == b"fresh-2"


@pytest.mark.spec("omadm 4.5 rule 5")
def test_a_nonce_that_never_left_is_never_told() -> None:
    session, first = started()
    assert session.receive(Server().reply(first, credential=cred())) == []
    assert session.next_message() is None
    assert session.pending_server_nonce is None


def test_every_failed_proof_gets_a_new_nonce_and_only_that_one_will_do() -> None:
    session, message = started()
    server = Server()
    session.receive(server.reply(message, [GET], credential=cred(b"stale")))
    message = next_of(session)
    session.receive(server.reply(message, [GET], credential=cred(b"server-nonce")))
    message = next_of(session)
    assert nonce_of(message) == b"fresh-2"
    assert commands_of(session.receive(server.reply(message, [GET], credential=cred(b"fresh-2"))))


# -- which kind -------------------------------------------------------------------------------


@pytest.mark.spec("omadm 4.4")
def test_a_kind_that_was_demanded_and_taken_is_told_for_the_next_session() -> None:
    session, first = started()
    server = Server()
    chal = challenge(b"n", AuthType.BASIC)
    session.receive(server.reply(first, header_code=407, chal=chal, credential=cred()))
    events = session.receive(server.reply(next_of(session), credential=cred()))
    assert TypeAccepted(AuthType.BASIC) in events


def test_the_kind_we_began_with_is_not_news() -> None:
    session, first = started()
    assert session.receive(Server().reply(first, credential=cred())) == []


def test_kinds_are_named_in_any_case() -> None:
    session, first = started()
    chal = challenge(b"n", "SYNCML:AUTH-mac")
    session.receive(Server().reply(first, header_code=401, chal=chal, credential=cred()))
    again = next_of(session)
    assert our_proof(session, again) == expected(again, b"n")


@pytest.mark.spec("omadm 4.3")
def test_the_kind_stays_for_the_session_once_it_was_taken() -> None:
    session, first = started()
    server = Server()
    events = session.receive(server.reply(first, [GET], header_code=200, credential=cred()))
    answer_all(session, events)
    chal = challenge(b"n", AuthType.BASIC)
    session.receive(server.reply(next_of(session), header_code=401, chal=chal))
    assert session.next_message() is None, "no password for who asks late"
    assert "other credentials" in session.failure


def test_a_challenge_of_the_same_kind_in_mid_session_begins_package_one_again() -> None:
    session, first = started()
    server = Server()
    answer_all(session, session.receive(server.reply(first, [GET], credential=cred())))
    second = next_of(session)
    session.receive(server.reply(second, header_code=401, chal=challenge(b"n")))
    again = next_of(session)
    assert [type(c).__name__ for c in again.commands] == ["Status", "Alert", "Replace"]
    assert again.header.cred is not None
    assert again.header.cred.data == auth.md5("dev", CLIENT.secret, b"n")
    assert again.final


# -- the end ------------------------------------------------------------------------------------


@pytest.mark.spec("omadm T-09")
@pytest.mark.parametrize(
    ("chal", "words"),
    [
        (None, "says no kind"),
        (Meta(format="b64"), "says no kind"),
        (Meta(type="syncml:auth-digipass"), "syncml:auth-digipass, which is not spoken"),
    ],
)
def test_a_challenge_that_cannot_be_met_ends_the_session(chal: Meta | None, words: str) -> None:
    session, first = started()
    session.receive(Server().reply(first, [GET], header_code=401, chal=chal, credential=cred()))
    assert session.next_message() is None
    assert words in session.failure
    assert not session.is_retryable


def test_a_challenge_where_the_transport_should_do_ends_the_session() -> None:
    session, first = started(client=None, server=None)
    assert (first.header.cred, first.header.source_name) == (None, None)
    session.receive(Server().reply(first, header_code=407, chal=challenge(b"n")))
    assert session.next_message() is None
    assert "the account has none" in session.failure


def test_both_sides_proven_by_the_transport_need_no_credentials() -> None:
    session, first = started(client=None, server=None)
    answer_all(session, session.receive(Server().reply(first, [GET], header_code=200)))
    second = next_of(session)
    assert statuses(second) == [("SyncHdr", "0", 200), ("Get", "7", 200)]
    assert chal_of(second) is None


def test_a_challenge_goes_where_the_server_wants_the_next_message() -> None:
    session, first = started()
    session.receive(
        Server().reply(first, header_code=401, chal=challenge(b"n"), resp_uri="/dm;s=1?x=y")
    )
    again = next_of(session)
    assert session.url == again.header.target == "https://dm.example/dm;s=1?x=y"


@pytest.mark.spec("omadm 2.7")
@pytest.mark.parametrize("credential", [None, cred(b"stale")])
def test_an_unproven_server_that_orders_nothing_gets_no_message(credential: object) -> None:
    session, first = started()
    session.receive(Server().reply(first, credential=credential))  # type: ignore[arg-type]
    assert session.next_message() is None
    assert not session.is_retryable, "it would say the same again"


@pytest.mark.spec("omadm T-08")
def test_both_sides_have_three_tries_and_no_more() -> None:
    session, message = started()
    server, tries = Server(), 0
    while message is not None and tries < 10:
        tries += 1
        session.receive(server.reply(message, [GET], credential=cred(b"stale")))
        message = session.next_message()  # type: ignore[assignment]
    assert tries == 3
    assert session.state is SessionState.FAILED
