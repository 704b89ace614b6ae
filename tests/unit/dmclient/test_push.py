# SPDX-License-Identifier: Apache-2.0
"""WAP push datagrams: recorded ones, the forms WSP allows, and broken ones."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scomod.dmclient import notification, push
from scomod.dmclient.push import APPLICATION_ID_DM, CONTENT_TYPE_NOTIFICATION, parse_push
from scomod.errors import DecodeError, LimitExceeded

CASES: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parents[2] / "vectors/push/cases.toml").read_text()
)["push"]
COMPACT = bytes.fromhex("010603c4af87") + b"body"
TEXT_TYPE = b"application/vnd.syncml.notification\0"
TEXT_ID = b"x-wap-application:syncml.dm\0"
CP_TYPE = b"application/vnd.wap.connectivity-wbxml"
MAC = b"67031EF2D08E94AE1A99410A9137B9523F77F9BD"


def push_of(headers: bytes, pdu_type: int = 6) -> bytes:
    return bytes((1, pdu_type, len(headers))) + headers + b"body"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_recorded_datagrams_are_read(case: dict[str, Any]) -> None:
    parsed = parse_push(bytes.fromhex(case["datagram"]))
    assert parsed.content_type == CONTENT_TYPE_NOTIFICATION
    assert parsed.application_id == APPLICATION_ID_DM
    inner = notification.parse(parsed.body)
    assert (inner.session_id, inner.server_id) == (case["session_id"], case["server_id"])


@pytest.mark.spec("omadm 10.3")
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(bytes.fromhex("c4af87"), id="short"),
        pytest.param(bytes.fromhex("01c4af87"), id="general, length in one octet"),
        pytest.param(bytes.fromhex("1f01c4af87"), id="general, length quoted"),
        pytest.param(bytes.fromhex("020144af87"), id="general, long integer"),
        pytest.param(bytes.fromhex("04c4918092af87"), id="general, parameters"),
        pytest.param(TEXT_TYPE + b"\xaf\x87", id="text"),
        pytest.param(b"Application/vnd.SyncML.notification; a=b\0\xaf\x87", id="text, parameters"),
        pytest.param(bytes((31, len(TEXT_TYPE))) + TEXT_TYPE + b"\xaf\x87", id="general, text"),
        pytest.param(b"\xc4\xaf" + TEXT_ID, id="application id as text"),
        pytest.param(b"\xc4X-Wap-Application-Id\0" + TEXT_ID, id="header name as text"),
        pytest.param(b"\xc4\xaf\x01\x07", id="application id as long integer"),
        pytest.param(b"\xc4\x8d\xa0\xc3\x93\xaf\x87\x82\x80", id="short headers around"),
        pytest.param(b"\xc4\x9d\x03abc\xaf\x87", id="header with length before"),
        pytest.param(b"\xc4\x9d\x1f\x03abc\xaf\x87", id="header with quoted length before"),
        pytest.param(b"\xc4\xaf\x87Name\0value\0", id="text header after"),
        pytest.param(b"\xc4\x02\xaf\x85\x01\xaf\x87", id="other code page, then back"),
        pytest.param(b"\xc4\x7f\x02\xaf\x85\x7f\x01\xaf\x87", id="shift delimiter"),
        pytest.param(b"\xc4\xaf\x87\x02\xaf\x85", id="same code on another page"),
    ],
)
def test_content_type_and_application_id_in_every_form(headers: bytes) -> None:
    parsed = parse_push(push_of(headers))
    assert (parsed.content_type, parsed.application_id, parsed.body) == (
        CONTENT_TYPE_NOTIFICATION,
        APPLICATION_ID_DM,
        b"body",
    )


def test_confirmed_push_is_tolerated() -> None:
    assert parse_push(push_of(b"\xc4\xaf\x87", pdu_type=7)).body == b"body"


def test_length_of_two_octets_is_read() -> None:
    headers = b"\xc4" + b"Name\0" + b"v" * 200 + b"\0\xaf\x87"
    datagram = bytes((1, 6, 0x80 | len(headers) >> 7, len(headers) & 0x7F)) + headers + b"body"
    assert parse_push(datagram).application_id == APPLICATION_ID_DM


@pytest.mark.spec("omadm 9.3")
def test_client_provisioning_push_is_told_apart() -> None:
    headers = bytes.fromhex("1f2db6918192") + MAC + b"\0"
    parsed = parse_push(push_of(headers))
    assert parsed == push.Push(
        content_type="application/vnd.wap.connectivity-wbxml",
        application_id=None,
        body=b"body",
        sec="1",
        mac=MAC.decode(),
    )


@pytest.mark.spec("omadm 9.4")
def test_dm_profile_push_is_told_apart() -> None:
    headers = bytes.fromhex("1f2dc2918092") + MAC + b"\0\xaf\x87"
    parsed = parse_push(push_of(headers))
    assert (parsed.content_type, parsed.sec, parsed.mac) == (
        push.CONTENT_TYPE_DM_WBXML,
        "0",
        MAC.decode(),
    )
    assert parsed.application_id == APPLICATION_ID_DM


def general(inside: bytes) -> bytes:
    return bytes((31, len(inside))) + inside


@pytest.mark.spec("omadm 9.3")
@pytest.mark.parametrize(
    "content_type",
    [
        pytest.param(general(b"\xb6\x91\x81\x92" + MAC + b"\0"), id="codes"),
        pytest.param(general(b"\xb6\x92" + MAC + b"\0\x91\x81"), id="MAC first"),
        pytest.param(general(b"\xb6\x81\xea\x91\x81\x92" + MAC + b"\0"), id="charset before"),
        pytest.param(general(b"\x01\x36\x91\x01\x01\x92" + MAC + b"\0"), id="long integers"),
        pytest.param(general(b'\xb6\x91\x81\x92"' + MAC + b"\0"), id="quoted string"),
        pytest.param(general(b"\xb6SEC\x001\0MAC\0" + MAC + b"\0"), id="names"),
        pytest.param(general(CP_TYPE + b"\0\x91\x81\x92" + MAC + b"\0"), id="text, codes"),
        pytest.param(CP_TYPE + b"; SEC=1; MAC=" + MAC + b"\0", id="text"),
        pytest.param(general(CP_TYPE + b';mac="' + MAC + b'";sec=1\0'), id="general, text"),
    ],
)
def test_sec_and_mac_in_every_form(content_type: bytes) -> None:
    parsed = parse_push(push_of(content_type + b"\xaf\x87"))
    assert parsed.content_type == push.CONTENT_TYPE_CP_WBXML
    assert (parsed.sec, parsed.mac) == ("1", MAC.decode())
    assert parsed.application_id == APPLICATION_ID_DM


def test_absent_sec_and_mac_are_empty() -> None:
    parsed = parse_push(push_of(b"\xb5"))
    assert (parsed.content_type, parsed.sec, parsed.mac) == (push.CONTENT_TYPE_CP_XML, "", "")


def test_codes_without_a_name_are_shown_as_codes() -> None:
    parsed = parse_push(push_of(b"\xff\xaf\x89"))
    assert (parsed.content_type, parsed.application_id) == ("wsp-code:0x7f", "wsp-code:0x09")


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(b"", id="empty"),
        pytest.param(COMPACT[:1], id="no type"),
        pytest.param(COMPACT[:2], id="no length"),
        pytest.param(COMPACT[:4], id="headers cut"),
        pytest.param(push_of(b""), id="no content type"),
        pytest.param(push_of(b"\xc4", pdu_type=5), id="no push"),
        pytest.param(push_of(b"text without end"), id="text cut"),
        pytest.param(push_of(b"\x05\xc4"), id="general form cut"),
        pytest.param(push_of(b"\x00"), id="general form empty"),
        pytest.param(push_of(b"\xc4\xaf"), id="value missing"),
        pytest.param(push_of(b"\xc4\x7f"), id="page missing"),
        pytest.param(b"\1\6\xff\xff\xff\xff\xff\x7f", id="length of six octets"),
        pytest.param(b"\1\6\x8f\xff\xff\xff\x7f\xc4", id="length of 4 GiB"),
    ],
)
def test_broken_datagrams_are_refused(datagram: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_push(datagram)


def test_longer_than_the_limit_is_refused_by_name() -> None:
    with pytest.raises(LimitExceeded, match="MAX_DATAGRAM_BYTES"):
        parse_push(COMPACT + bytes(push.MAX_DATAGRAM_BYTES))


@given(st.binary(max_size=64))
def test_any_headers_are_read_or_refused(headers: bytes) -> None:
    try:
        parsed = parse_push(push_of(headers))
    except DecodeError:
        return
    assert parsed.body == b"body"


@given(st.binary(max_size=200))
def test_any_datagram_is_read_or_refused(datagram: bytes) -> None:
    try:
        parsed = parse_push(datagram)
    except DecodeError:
        return
    assert datagram.endswith(parsed.body)
