# SPDX-License-Identifier: Apache-2.0
"""Package #0: octets of the standard's sample, of independent senders, and of nobody."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scomod.dmclient import notification
from scomod.dmclient.notification import UiMode
from scomod.errors import DecodeError, LimitExceeded
from scomod.secret import Secret

CASES: dict[str, Any] = tomllib.loads(
    (Path(__file__).parents[2] / "vectors/notification/cases.toml").read_text()
)
WORKED = CASES["worked"]
PASSWORD = Secret(WORKED["password"])
TRIGGER = bytes.fromhex(WORKED["trigger"])
DIGESTS = {
    bytes.fromhex(nonce): bytes.fromhex(digest)
    for nonce, digest in WORKED["digest_of_nonce"].items()
}
BODY = DIGESTS[b"Nonce"] + TRIGGER


@pytest.mark.spec("omadm 10.1")
@pytest.mark.parametrize("nonce", DIGESTS)
def test_digest_of_the_worked_example(nonce: bytes) -> None:
    digest = notification.digest_of(WORKED["server_id"], PASSWORD, nonce, TRIGGER)
    assert digest == DIGESTS[nonce]


@pytest.mark.spec("omadm 10.1")
def test_fields_of_the_worked_example() -> None:
    parsed = notification.parse(BODY)
    assert parsed == notification.Notification(
        version=11,
        ui_mode=UiMode.BACKGROUND,
        initiator_is_server=False,
        session_id=0x1234,
        server_id="com.mgmtsrv.manage",
        vendor=b"",
        digest=DIGESTS[b"Nonce"],
        trigger=TRIGGER,
    )


@pytest.mark.spec("omadm 10.1")
def test_building_the_worked_example_gives_its_octets() -> None:
    body = notification.build(
        server_id=WORKED["server_id"],
        password=PASSWORD,
        nonce=b"Nonce",
        session_id=WORKED["session_id"],
        initiator_is_server=False,
    )
    assert body == BODY


def test_user_interaction_and_server_initiator_are_read() -> None:
    parsed = notification.parse(bytes(16) + bytes.fromhex(CASES["user_interaction"]["trigger"]))
    assert (parsed.ui_mode, parsed.initiator_is_server) == (UiMode.USER_INTERACTION, True)
    assert (parsed.session_id, parsed.server_id) == (0xA, "srv1")


def test_version_12_of_an_independent_sender_is_read() -> None:
    case = CASES["version_12"]
    parsed = notification.parse(bytes.fromhex(case["body"]) + case["server_id"].encode())
    assert (parsed.version, parsed.server_id) == (12, "funambol")
    assert (parsed.ui_mode, parsed.initiator_is_server) == (UiMode.BACKGROUND, True)


def test_vendor_part_is_kept_and_covered_by_the_digest() -> None:
    body = notification.build(
        server_id="s", password=PASSWORD, nonce=b"n", session_id=1, vendor=b"more"
    )
    parsed = notification.parse(body)
    assert parsed.vendor == b"more"
    assert notification.is_authentic(parsed, ["s"], PASSWORD, [b"n"])
    forged = notification.parse(body[:-1] + b"x")
    assert not notification.is_authentic(forged, ["s"], PASSWORD, [b"n"])


@pytest.mark.parametrize(
    ("names", "nonces"),
    [
        (["com.mgmtsrv.manage"], [b"Nonce"]),
        (["com.mgmtsrv.manage", "other"], [b"old", b"Nonce"]),
        (["other", "com.mgmtsrv.manage"], [b"Nonce", b"old"]),
    ],
)
def test_authentic_with_any_name_and_any_nonce(names: list[str], nonces: list[bytes]) -> None:
    assert notification.is_authentic(notification.parse(BODY), names, PASSWORD, iter(nonces))


@pytest.mark.parametrize(
    ("names", "password", "nonces"),
    [
        (["other"], "srvpw", [b"Nonce"]),
        (["com.mgmtsrv.manage"], "other", [b"Nonce"]),
        (["com.mgmtsrv.manage"], "srvpw", [b"other"]),
        (["com.mgmtsrv.manage"], "srvpw", []),
        ([], "srvpw", [b"Nonce"]),
    ],
)
def test_not_authentic_otherwise(names: list[str], password: str, nonces: list[bytes]) -> None:
    parsed = notification.parse(BODY)
    assert not notification.is_authentic(parsed, names, Secret(password), nonces)


@pytest.mark.spec("omadm 10.4")
def test_resynchronisation_nonce_is_four_zero_octets() -> None:
    parsed = notification.parse(DIGESTS[bytes(4)] + TRIGGER)
    assert notification.is_authentic(
        parsed, ["com.mgmtsrv.manage"], PASSWORD, [notification.RESYNC_NONCE]
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "at least 25"),
        (BODY[:24], "at least 25"),
        (BODY[:-1], "cut server identifier"),
        (BODY[:23] + b"\0" + BODY[24:], "cut server identifier"),
        (BODY[:21] + b"\0\0" + BODY[23:], "session id 0"),
        (BODY[:24] + b"\xff" + BODY[25:], "UTF-8"),
        (bytes(16) + bytes.fromhex("0250") + TRIGGER[2:], "version 9 "),
        (bytes(16) + bytes.fromhex("0350") + TRIGGER[2:], "version 13 "),
    ],
)
def test_what_is_no_notification_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        notification.parse(body)


@pytest.mark.parametrize("head", ["0290", "02d0", "0310"])
def test_versions_10_to_12_are_accepted(head: str) -> None:
    parsed = notification.parse(bytes(16) + bytes.fromhex(head) + TRIGGER[2:])
    assert parsed.version == int(head, 16) >> 6


def test_longer_than_the_limit_is_refused_by_name() -> None:
    with pytest.raises(LimitExceeded, match="MAX_BODY_BYTES"):
        notification.parse(bytes(notification.MAX_BODY_BYTES + 1))


@pytest.mark.parametrize(
    ("server_id", "session_id"), [("", 1), ("x" * 256, 1), ("s", 0), ("s", -1), ("s", 0x10000)]
)
def test_what_does_not_fit_is_not_built(server_id: str, session_id: int) -> None:
    with pytest.raises(ValueError, match=r"1\.\.FFFF"):
        notification.build(server_id=server_id, password=PASSWORD, nonce=b"", session_id=session_id)


@pytest.mark.parametrize(
    ("number", "text"), [(0x1234, "1234"), (0xA, "A"), (1, "1"), (0xFFFF, "FFFF")]
)
@pytest.mark.spec("omadm 10.2")
def test_session_id_is_upper_case_hexadecimal(number: int, text: str) -> None:
    assert notification.session_id_text(number) == text


@given(
    server_id=st.text(min_size=1, max_size=63),
    session_id=st.integers(1, 0xFFFF),
    ui_mode=st.sampled_from(UiMode),
    initiator_is_server=st.booleans(),
    vendor=st.binary(max_size=64),
)
def test_what_is_built_is_read_back(
    server_id: str, session_id: int, ui_mode: UiMode, initiator_is_server: bool, vendor: bytes
) -> None:
    parsed = notification.parse(
        notification.build(
            server_id=server_id,
            password=PASSWORD,
            nonce=b"n",
            session_id=session_id,
            ui_mode=ui_mode,
            initiator_is_server=initiator_is_server,
            vendor=vendor,
        )
    )
    assert (parsed.server_id, parsed.session_id, parsed.vendor) == (server_id, session_id, vendor)
    assert (parsed.ui_mode, parsed.initiator_is_server) == (ui_mode, initiator_is_server)


@given(st.binary(max_size=80))
def test_any_octets_are_read_or_refused(body: bytes) -> None:
    try:
        parsed = notification.parse(body)
    except DecodeError:
        return
    assert parsed.digest + parsed.trigger == body
