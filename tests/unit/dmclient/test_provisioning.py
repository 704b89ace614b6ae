# SPDX-License-Identifier: Apache-2.0
"""Client provisioning documents in both syntaxes, good, incomplete and hostile."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scomod.dmclient import provwbxml
from scomod.dmclient.provisioning import (
    AccountProfile,
    BadProfile,
    ProfileAddress,
    ProfileCredential,
    parse,
)
from scomod.errors import DecodeError, LimitExceeded, RemoteProtocolError
from scomod.secret import Secret

VECTORS = Path(__file__).parents[2] / "vectors/provisioning"
WBXML = sorted(VECTORS.glob("*.wbxml"))
HEADER = bytes.fromhex("030b6a00")
W7 = '<parm name="APPID" value="w7"/>'
SERVER = W7 + '<parm name="PROVIDER-ID" value="srv"/>'
ADDR = '<parm name="ADDR" value="https://srv/dm"/>'


def document(application: str) -> bytes:
    return (
        "<wap-provisioningdoc><characteristic type='APPLICATION'>"
        f"{application}</characteristic></wap-provisioningdoc>"
    ).encode()


def parm(name: str, value: str) -> str:
    return f"<parm name='{name}' value='{value}'/>"


def inside(kind: str, *parms: str) -> str:
    return f"<characteristic type='{kind}'>{''.join(parms)}</characteristic>"


@pytest.mark.spec("omadm 8.3")
def test_w7_application_becomes_an_account() -> None:
    assert parse((VECTORS / "two-credentials.xml").read_bytes()) == (
        AccountProfile(
            server_id="com.mgmtsrv.manage",
            name="Mgmt",
            addresses=(ProfileAddress(address="https://dm.example/dm", ports=(443,)),),
            auth_pref="DIGEST",
            credentials=(
                ProfileCredential(
                    level="SRVCRED",
                    auth_type="DIGEST",
                    name="srv",
                    secret=Secret("pw"),
                    data=bytes(4),
                ),
                ProfileCredential(
                    level="CLCRED", auth_type="DIGEST", name="dev1", secret=Secret("pw2"), data=b""
                ),
            ),
            start_session=False,
        ),
    )


def test_two_servers_among_other_applications_are_found_in_order() -> None:
    first, second = parse((VECTORS / "two-servers.xml").read_bytes())
    assert first.addresses == (ProfileAddress(address="https://first.example/dm?a=1"),)
    assert (first.server_id, first.name, first.start_session) == (
        "first.example",
        "first.example",
        True,
    )
    assert first.credentials[0].name == "d\u00e9vice"
    assert first.credentials[0].secret == Secret(" kept blanks ")
    assert (second.name, second.auth_pref, second.start_session) == ("Second", "", False)
    assert [(cred.level, cred.data) for cred in second.credentials] == [
        ("OBEX", b""),
        ("HTTP", b"no base64!"),
    ]


@pytest.mark.spec("omadm 9.2")
@pytest.mark.parametrize("path", WBXML, ids=lambda path: path.name)
def test_wbxml_of_libwbxml_says_the_same_as_its_xml(path: Path) -> None:
    xml = path.with_name(path.name.partition(".")[0] + ".xml")
    assert parse(path.read_bytes()) == parse(xml.read_bytes())


@pytest.mark.parametrize(
    ("application", "words"),
    [
        (parm("APPID", "w2"), "no APPLICATION with APPID w7"),
        ("", "no APPLICATION with APPID w7"),
        (W7 + ADDR, "PROVIDER-ID is missing"),
        (SERVER, "ADDR is missing in the APPLICATION of srv"),
        (SERVER + inside("APPADDR"), "ADDR is missing"),
        (SERVER + parm("ADDR", "192.0.2.1"), "no http or https URL"),
        (
            SERVER + inside("APPADDR", ADDR, inside("PORT", parm("PORTNBR", "0"))),
            "PORTNBR in the APPLICATION of srv is no number",
        ),
        (SERVER + inside("APPADDR", ADDR, inside("PORT", parm("PORTNBR", "65536"))), "PORTNBR"),
        (SERVER + inside("APPADDR", ADDR, inside("PORT", parm("PORTNBR", "http"))), "PORTNBR"),
        (SERVER + ADDR + inside("APPAUTH"), "AAUTHLEVEL is missing"),
        (SERVER + ADDR + inside("APPAUTH", parm("AAUTHLEVEL", "BOSS")), "'BOSS' is not known"),
    ],
)
def test_incomplete_profile_is_refused_by_what_is_wrong(application: str, words: str) -> None:
    with pytest.raises(BadProfile, match=words):
        parse(document(application))


def test_bad_profile_is_an_error_of_the_peer() -> None:
    assert issubclass(BadProfile, RemoteProtocolError)


@pytest.mark.parametrize(
    ("level", "meaning"),
    [("APPSRV", "CLCRED"), ("CLIENT", "SRVCRED"), ("HTTP", "HTTP"), ("OBEX", "OBEX")],
)
@pytest.mark.spec("omadm 8.3")
def test_level_is_named_from_the_other_side(level: str, meaning: str) -> None:
    (profile,) = parse(document(SERVER + ADDR + inside("APPAUTH", parm("AAUTHLEVEL", level))))
    assert [cred.level for cred in profile.credentials] == [meaning]
    assert profile.credentials[0].auth_type == "DIGEST"


@pytest.mark.parametrize(("value", "starts"), [("", True), ("1", True), ("0", False)])
def test_init_asks_for_a_session(value: str, starts: bool) -> None:
    (profile,) = parse(document(SERVER + ADDR + parm("INIT", value)))
    assert profile.start_session is starts


def test_addresses_of_appaddr_go_before_one_in_the_application() -> None:
    ports = inside("PORT", parm("PORTNBR", "443")) + inside("PORT", parm("PORTNBR", "8443"))
    first = inside("APPADDR", parm("ADDR", "https://inner/dm"), ports)
    second = inside("APPADDR", parm("ADDR", "192.0.2.1"), parm("ADDRTYPE", "IPV4"))
    third = inside("APPADDR", parm("ADDR", "2001:db8::1"), parm("ADDRTYPE", "IPV6"))
    (profile,) = parse(document(SERVER + ADDR + first + second + third))
    assert profile.addresses == (
        ProfileAddress(address="https://inner/dm", ports=(443, 8443)),
        ProfileAddress(address="192.0.2.1", type="IPv4"),
        ProfileAddress(address="2001:db8::1", type="IPv6"),
        ProfileAddress(address="https://srv/dm"),
    )


@pytest.mark.parametrize("address", [ADDR, ""])
def test_appaddr_with_a_port_only_means_the_address_of_the_application(address: str) -> None:
    port = inside("APPADDR", address, inside("PORT", parm("PORTNBR", "444")))
    (profile,) = parse(document(SERVER + ADDR + port))
    assert profile.addresses == (ProfileAddress(address="https://srv/dm", ports=(444,)),)


def test_address_that_is_no_use_over_http_is_left_out() -> None:
    phone = inside("APPADDR", parm("ADDR", "+358508341234"), parm("ADDRTYPE", "E164"))
    (profile,) = parse(document(SERVER + phone + ADDR))
    assert profile.addresses == (ProfileAddress(address="https://srv/dm"),)
    with pytest.raises(BadProfile, match="ADDR is of type E164 only in the APPLICATION of srv"):
        parse(document(SERVER + phone))


@pytest.mark.spec("omadm 8.3")
def test_access_points_and_proxies_are_kept_as_references() -> None:
    parms = [("TO-NAPID", "NAP1"), ("TO-PROXY", "PX"), ("TO-NAPID", "NAP2"), ("TO-NAPID", "NAP1")]
    (profile,) = parse(document(SERVER + ADDR + "".join(parm(*each) for each in parms)))
    assert profile.connections == ("PX", "NAP1", "NAP2")


def test_secrets_do_not_show() -> None:
    shown = repr(parse((VECTORS / "two-credentials.xml").read_bytes()))
    assert "pw2" not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no document",
        b"<other/>",
        b"<wap-provisioningdoc>",
        b"<wap-provisioningdoc/><wap-provisioningdoc/>",
        b"<characteristic type='wap-provisioningdoc'/>x",
        "<?xml version='1.0' encoding='utf-16'?><wap-provisioningdoc/>".encode("utf-16"),
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><wap-provisioningdoc version='&b;'/>",
    ],
)
def test_xml_that_is_no_such_document_is_refused(text: bytes) -> None:
    with pytest.raises(DecodeError):
        parse(text)


def test_external_definitions_are_not_read(tmp_path: Path) -> None:
    definition = tmp_path / "wap.dtd"
    definition.write_text("<!ATTLIST parm value CDATA 'w7'>")
    text = (
        f"<!DOCTYPE wap-provisioningdoc SYSTEM '{definition.as_uri()}'>"
        "<wap-provisioningdoc><characteristic type='APPLICATION'><parm name='APPID'/>"
        "</characteristic></wap-provisioningdoc>"
    )
    with pytest.raises(BadProfile, match="w7"):
        parse(text.encode())


def test_entity_cannot_hide_in_another_encoding() -> None:
    hidden = "<?xml version='1.0' encoding='utf-7'?>+ADwAIQ-ENTITY b 'c'+AD4-<wap-provisioningdoc/>"
    with pytest.raises(DecodeError):
        parse(hidden.encode())


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\x03", id="header cut"),
        pytest.param(HEADER, id="no element"),
        pytest.param(bytes.fromhex("030c6a00") + b"\x05", id="other public id"),
        pytest.param(bytes.fromhex("03006a000500") + b"\x05", id="other public id as text"),
        pytest.param(bytes.fromhex("030b0400") + b"\x05", id="latin 1"),
        pytest.param(bytes.fromhex("030b6a7f") + b"\x05", id="string table cut"),
        pytest.param(bytes.fromhex("038080808080806a00"), id="number without end"),
        pytest.param(HEADER + b"\x01", id="end first"),
        pytest.param(HEADER + b"\x45", id="no end"),
        pytest.param(HEADER + b"\x08", id="unknown element"),
        pytest.param(HEADER + b"\xc5\x03a\x00\x01\x01", id="value without attribute"),
        pytest.param(HEADER + b"\xc5\x45\x03a", id="text without end"),
        pytest.param(HEADER + b"\xc5\x45\x03\xff\x00\x01\x01", id="text that is no UTF-8"),
        pytest.param(HEADER + b"\xc5\x45\x02\x83\xb0\x00\x01\x01", id="surrogate"),
        pytest.param(HEADER + b"\xc5\x45\x02\x8f\xff\xff\x7f\x01\x01", id="no character"),
        pytest.param(HEADER + b"\xc5\x45\xff\x01\x01", id="unknown value"),
        pytest.param(HEADER + b"\xc5\x00\x02\x05\x01\x01", id="unknown page"),
        pytest.param(HEADER + b"\xc5\x04\x00\x01\x01", id="literal attribute"),
    ],
)
def test_broken_wbxml_is_refused(octets: bytes) -> None:
    with pytest.raises(DecodeError):
        parse(octets)


def wbxml_with(auth_type: bytes, header: bytes = HEADER) -> bytes:
    """A minimal account whose AAUTHTYPE has these value octets; page 1 stays on."""
    appauth = b"\xc6\x57\x01" + b"\x87\x30\x06\x8d\x01" + b"\x87\x33\x06" + auth_type + b"\x01\x01"
    parms = b"\x87\x36\x06\x03w7\0\x01\x87\x38\x06\x03srv\0\x01\x87\x34\x06\x03https://srv\0\x01"
    return header + b"\x45\xc6\x00\x01\x55\x01" + parms + appauth + b"\x01\x01"


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        pytest.param(b"\x93", "DIGEST", id="CP 1.1"),
        pytest.param(b"\x83", "DIGEST", id="CP 1.0"),
        pytest.param(b"\x81\x82", "HTTP-BASIC", id="CP 1.0, two parts"),
        pytest.param(b"\x91\x93", "HTTP-DIGEST", id="CP 1.1, two parts"),
        pytest.param(b"\xc3\x04HMAC", "HMAC", id="opaque"),
        pytest.param(b"\x02\x48\x03MAC\0", "HMAC", id="character"),
    ],
)
@pytest.mark.spec("omadm 9.2")
def test_values_of_both_generations_are_read(octets: bytes, text: str) -> None:
    (profile,) = parse(wbxml_with(octets))
    assert profile.credentials[0].auth_type == text


def test_string_table_and_public_id_as_text_are_read() -> None:
    table = b"-//WAPFORUM//DTD PROV 1.0//EN\0HMAC\0"
    header = bytes((3, 0, 0, 0x6A, len(table))) + table
    (profile,) = parse(wbxml_with(bytes((0x83, table.index(b"HMAC"))), header))
    assert profile.credentials[0].auth_type == "HMAC"


def test_deep_nesting_is_refused_by_name() -> None:
    with pytest.raises(LimitExceeded, match="MAX_DEPTH"):
        parse(HEADER + b"\x45" * (provwbxml.MAX_DEPTH + 1))


@given(st.binary(max_size=120))
@example(b"\x45\x01")
def test_any_wbxml_is_read_or_refused(octets: bytes) -> None:
    with pytest.raises((DecodeError, BadProfile, LimitExceeded)):
        parse(HEADER + octets)


@given(st.binary(max_size=120))
def test_any_octets_are_refused(octets: bytes) -> None:
    with pytest.raises((DecodeError, BadProfile, LimitExceeded)):
        parse(octets)


@given(st.data())
def test_damaged_wbxml_is_read_or_refused(data: st.DataObject) -> None:
    octets = bytearray((VECTORS / "two-credentials.wbxml").read_bytes())
    octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    try:
        profiles = parse(bytes(octets))
    except (DecodeError, BadProfile, LimitExceeded):
        return
    assert all(profile.server_id for profile in profiles)
