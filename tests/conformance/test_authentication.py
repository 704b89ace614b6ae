# SPDX-License-Identifier: Apache-2.0
"""Conformance of authentication: who proves what, when, with which nonce (omadm §2.7, §4)."""

import base64
import hashlib
from pathlib import Path

import pytest

from scomod.dmclient import auth
from scomod.dmclient.auth import AuthType
from scomod.dmclient.model import Add, Alert, Get, Replace, Status
from scomod.secret import Secret
from tests.support.scripted import (
    CLIENT_NAME,
    CLIENT_NONCE,
    CLIENT_SECRET,
    SERVER_ID,
    SERVER_SECRET,
    Device,
    Heard,
    Say,
    challenge,
    for_server,
    on,
)

GET = on(Get, "./DevInfo/Man")
ADD = on(Add, "./Toy/x/Text", "1")
WRONG = Secret("wrong")


def b64_md5(octets: bytes) -> bytes:
    return base64.b64encode(hashlib.md5(octets, usedforsecurity=False).digest())


def md5_digest(nonce: bytes) -> str:
    """The digest as the formula of omadm §4.1 says, without our own code."""
    identity = b64_md5(f"{CLIENT_NAME}:{CLIENT_SECRET.reveal()}".encode())
    return b64_md5(identity + b":" + nonce).decode()


def mac_of(heard: Heard, nonce: bytes) -> str:
    identity = b64_md5(f"{CLIENT_NAME}:{CLIENT_SECRET.reveal()}".encode())
    return b64_md5(identity + b":" + nonce + b":" + b64_md5(heard.body)).decode()


def cred_of(heard: Heard) -> tuple[str, str] | None:
    cred = heard.message.header.cred
    return (cred.type, cred.data) if cred else None


def is_package_1(heard: Heard) -> bool:
    return bool(heard.all(Alert)) and bool(heard.all(Replace))


def next_nonce(status: Status) -> bytes:
    assert status.chal is not None
    assert status.chal.next_nonce
    return auth.decode_nonce(status.chal.next_nonce)


@pytest.mark.spec("T-05")
def test_t05_407_challenge_repeats_package_1_with_credentials(device: Device) -> None:
    talk = device.session(Say(code=407, chal=challenge(AuthType.BASIC)), Say(commands=(GET,)))
    first, again, _ = talk.heard
    secret = f"{CLIENT_NAME}:{CLIENT_SECRET.reveal()}".encode()
    assert cred_of(again) == ("syncml:auth-basic", base64.b64encode(secret).decode())
    assert is_package_1(first)
    assert is_package_1(again)
    assert again.message.header.session_id == first.message.header.session_id
    assert again.message.header.msg_id == "2"
    assert again.header_status().msg_ref == "1"
    assert talk.is_ok


@pytest.mark.spec("T-06")
def test_t06_401_challenge_is_answered_with_the_digest_of_the_decoded_nonce(
    device: Device,
) -> None:
    nonce = bytes(range(16))
    talk = device.session(Say(code=401, chal=challenge(AuthType.MD5, nonce)), Say(commands=(GET,)))
    first, again, _ = talk.heard
    assert cred_of(first) == ("syncml:auth-md5", md5_digest(CLIENT_NONCE))
    assert cred_of(again) == ("syncml:auth-md5", md5_digest(nonce))
    assert again.message.header.source_name == CLIENT_NAME
    assert talk.is_ok


@pytest.mark.spec("T-07")
def test_t07_the_nonce_of_a_212_is_for_the_next_session_also_after_a_restart(
    device: Device,
) -> None:
    say = Say(commands=(GET,), chal=challenge(AuthType.MD5, b"for next time"))
    talk = device.session(say)
    assert cred_of(talk.heard[1]) is None, "212 holds for the whole session"
    device.restart()
    assert cred_of(device.session().heard[0]) == ("syncml:auth-md5", md5_digest(b"for next time"))


@pytest.mark.spec("T-07")
def test_t07_the_nonce_of_a_server_that_is_not_proven_is_not_kept(device: Device) -> None:
    say = Say(chal=challenge(AuthType.MD5, b"planted"), secret=WRONG)
    device.session(say)
    assert cred_of(device.session().heard[0]) == ("syncml:auth-md5", md5_digest(CLIENT_NONCE))


@pytest.mark.spec("T-08")
def test_t08_credentials_that_are_refused_again_end_the_session(device: Device) -> None:
    refused = Say(code=401, chal=challenge(AuthType.MD5, b"n"))
    talk = device.session(*[refused] * 10)
    assert not talk.is_ok
    assert len(talk.heard) == 3, "the first try and two answers to challenges"
    assert device.account.client is not None


@pytest.mark.spec("T-09")
def test_t09_an_unknown_kind_of_authentication_ends_the_session(device: Device) -> None:
    talk = device.session(Say(code=407, chal=challenge("syncml:auth-dna", b"n")), Say())
    assert not talk.is_ok
    assert len(talk.heard) == 1


@pytest.mark.spec("T-10")
@pytest.mark.parametrize(
    ("say", "code"),
    [
        (Say(commands=(GET, ADD), proof=None), 407),
        (Say(commands=(GET, ADD), secret=WRONG), 401),
        (Say(commands=(GET, ADD), nonce=b"stale"), 401),
    ],
    ids=["no credentials", "wrong password", "stale nonce"],
)
def test_t10_nothing_is_done_for_a_server_that_is_not_proven(
    device: Device, say: Say, code: int
) -> None:
    answer = device.session(say).heard[1]
    assert answer.header_status().code == code
    assert answer.statuses() == [("Get", code), ("Add", code)]
    assert not answer.results()
    assert not answer.all(Alert)
    assert not answer.all(Replace)
    assert next_nonce(answer.header_status())
    assert not device.exists("./Toy/x")


@pytest.mark.spec("T-10")
def test_t10_a_server_that_answers_the_challenge_is_served(device: Device) -> None:
    talk = device.session(
        Say(commands=(ADD,), proof=None),
        Say(commands=(ADD,), nonce=b"fresh nonce 1"),
    )
    assert next_nonce(talk.heard[1].header_status()) == b"fresh nonce 1"
    assert talk.heard[2].header_status().code == 212
    assert talk.heard[2].codes() == [200]
    assert device.value("./Toy/x/Text") == "1"


@pytest.mark.spec("T-10")
def test_t10_an_unproven_server_without_commands_hears_nothing(device: Device) -> None:
    talk = device.session(Say(proof=None))
    assert len(talk.heard) == 1
    assert not talk.is_ok


@pytest.mark.spec("T-11")
def test_t11_every_message_of_an_hmac_session_is_sealed_and_gets_a_new_nonce(
    tmp_path: Path,
) -> None:
    with Device(tmp_path, client_auth="HMAC", server_auth="HMAC") as device:
        talk = device.session(
            Say(commands=(GET,), code=200, chal=challenge(AuthType.MAC, b"c2"), proof=AuthType.MAC),
            Say(
                commands=(GET,),
                code=200,
                chal=challenge(AuthType.MAC, b"c3"),
                proof=AuthType.MAC,
                nonce=b"fresh nonce 1",
            ),
            Say(
                code=200,
                chal=challenge(AuthType.MAC, b"c4"),
                proof=AuthType.MAC,
                nonce=b"fresh nonce 2",
            ),
        )
    assert talk.is_ok
    for heard, nonce in zip(talk.heard, (CLIENT_NONCE, b"c2", b"c3"), strict=True):
        assert cred_of(heard) is None
        header = auth.read_mac_header(heard.headers["x-syncml-hmac"])
        assert header is not None
        assert (header.user, header.mac) == (CLIENT_NAME, mac_of(heard, nonce))
    nonces = [next_nonce(heard.header_status()) for heard in talk.heard[1:]]
    assert nonces == [b"fresh nonce 1", b"fresh nonce 2"]
    assert [heard.header_status().code for heard in talk.heard[1:]] == [200, 200]


@pytest.mark.spec("T-11")
def test_t11_a_wrong_or_missing_seal_executes_nothing(tmp_path: Path) -> None:
    with Device(tmp_path, client_auth="HMAC", server_auth="HMAC") as device:
        for say in (
            Say(commands=(ADD,), code=200, proof=AuthType.MAC, secret=WRONG),
            Say(commands=(ADD,), code=200, proof=None),
        ):
            answers = device.session(say).heard[1:]
            assert all(heard.codes() in ([401], [407]) for heard in answers)
            assert not device.exists("./Toy/x")


@pytest.mark.spec("T-12")
def test_t12_the_server_gets_a_new_nonce_in_every_session_and_the_device_keeps_it(
    device: Device,
) -> None:
    status = device.session(Say(commands=(GET,))).heard[1].header_status()
    issued = next_nonce(status)
    assert status.code == 212
    device.restart()
    talk = device.session(Say(commands=(GET,)))
    assert talk.heard[1].header_status().code == 212
    assert next_nonce(talk.heard[1].header_status()) != issued


@pytest.mark.spec("T-13")
def test_t13_credentials_after_a_challenge_go_to_resp_uri(device: Device) -> None:
    elsewhere = "https://other.example/login"
    say = Say(code=407, chal=challenge(AuthType.MD5, b"n"), resp_uri=elsewhere)
    talk = device.session(say, Say(commands=(GET,)))
    assert talk.heard[1].url == elsewhere
    assert is_package_1(talk.heard[1])


# -- requirements ---------------------------------------------------------------------------


@pytest.mark.spec("R-13")
def test_r13_a_challenge_is_answered_with_all_of_package_1(device: Device) -> None:
    talk = device.session(Say(code=401, chal=challenge(AuthType.MD5, b"n")), Say())
    first, again = talk.heard
    assert [type(c) for c in again.message.commands[1:]] == [
        type(c) for c in first.message.commands
    ]
    assert again.message.final


@pytest.mark.spec("R-14")
def test_r14_md5_is_spoken_by_both_sides(device: Device) -> None:
    talk = device.session(Say(commands=(GET,)))
    assert cred_of(talk.heard[0]) == ("syncml:auth-md5", md5_digest(CLIENT_NONCE))
    assert talk.heard[1].header_status().code == 212
    chal = talk.heard[1].header_status().chal
    assert chal is not None
    assert (chal.type, chal.format) == ("syncml:auth-md5", "b64")


@pytest.mark.spec("R-15")
def test_r15_basic_is_spoken_by_both_sides(tmp_path: Path) -> None:
    with Device(tmp_path, client_auth="BASIC", server_auth="BASIC") as device:
        talk = device.session(Say(commands=(ADD,), proof=AuthType.BASIC))
        assert device.value("./Toy/x/Text") == "1"
    assert talk.heard[0].message.header.cred is not None
    assert talk.heard[0].message.header.cred.type == "syncml:auth-basic"
    assert talk.heard[1].header_status().code == 212


@pytest.mark.spec("R-16")
def test_r16_a_demand_for_hmac_is_met(device: Device) -> None:
    talk = device.session(Say(code=407, chal=challenge(AuthType.MAC, b"n1")), Say(code=200))
    first, again = talk.heard
    assert "x-syncml-hmac" not in first.headers
    header = auth.read_mac_header(again.headers["x-syncml-hmac"])
    assert header is not None
    assert header.mac == mac_of(again, b"n1")
    assert cred_of(again) is None


@pytest.mark.spec("R-18")
def test_r18_the_server_must_prove_itself_in_every_session(device: Device) -> None:
    proven = device.session(Say(commands=(GET,)))
    assert proven.is_ok
    unproven = device.session(Say(commands=(ADD,), proof=None))
    assert unproven.heard[1].codes() == [407]
    assert not device.exists("./Toy/x")
    assert device.session(Say(commands=(ADD,))).is_ok
    assert device.exists("./Toy/x")


@pytest.mark.spec("R-18")
def test_r18_the_formula_of_the_server_is_that_of_the_client_with_its_own_name(
    device: Device,
) -> None:
    identity = b64_md5(f"{SERVER_ID}:{SERVER_SECRET.reveal()}".encode())
    digest = b64_md5(identity + b":server nonce").decode()
    assert digest == auth.md5(SERVER_ID, SERVER_SECRET, b"server nonce")
    assert device.session(Say(commands=(GET,))).heard[1].header_status().code == 212


@pytest.mark.spec("R-15")
def test_r15_the_kind_to_begin_with_can_be_configured(tmp_path: Path) -> None:
    with Device(tmp_path, for_server(auth="basic")) as device:
        first = device.session().heard[0]
    assert first.message.header.cred is not None
    assert first.message.header.cred.type == "syncml:auth-basic"
