# SPDX-License-Identifier: Apache-2.0
"""Client provisioning documents, written as XML and encoded by libwbxml, read back the same."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scomod.dmclient import provisioning, provwbxml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scomod.dmclient.provwbxml import Tag

    Place = tuple[str, list[tuple[str, str]], list[Any]]

DOCTYPE = (
    '<?xml version="1.0"?><!DOCTYPE wap-provisioningdoc PUBLIC "-//WAPFORUM//DTD PROV 1.0//EN"'
    ' "http://www.wapforum.org/DTD/prov.dtd">'
)
_NAMES = """
NAME NAP-ADDRESS NAP-ADDRTYPE CALLTYPE VALIDUNTIL AUTHTYPE AUTHNAME AUTHSECRET LINGER BEARER NAPID
COUNTRY NETWORK INTERNET PROXY-ID PROXY-PROVIDER-ID DOMAIN PROVURL PXAUTH-TYPE PXAUTH-ID PXAUTH-PW
STARTPAGE BASAUTH-ID BASAUTH-PW PUSHENABLED PXADDR PXADDRTYPE TO-NAPID PORTNBR SERVICE LINKSPEED
DNLINKSPEED LOCAL-ADDR LOCAL-ADDRTYPE CONTEXT-ALLOW TRUST MASTER SID SOC WSP-VERSION
PHYSICAL-PROXY-ID CLIENT-ID DELIVERY-ERR-SDU DELIVERY-ORDER TRAFFIC-CLASS MAX-SDU-SIZE
MAX-BITRATE-UPLINK MAX-BITRATE-DNLINK RESIDUAL-BER SDU-ERROR-RATIO TRAFFIC-HANDL-PRIO
TRANSFER-DELAY GUARANTEED-BITRATE-UPLINK GUARANTEED-BITRATE-DNLINK PXADDR-FQDN PROXY-PW
PPGAUTH-TYPE PULLENABLED DNS-ADDR MAX-NUM-RETRY FIRST-RETRY-TIMEOUT REREG-THRESHOLD T-BIT
AUTH-ENTITY SPI AACCEPT AAUTHDATA AAUTHLEVEL AAUTHNAME AAUTHSECRET AAUTHTYPE ADDR ADDRTYPE APPID
APROTOCOL PROVIDER-ID TO-PROXY URI RULE INIT OF-OUR-OWN
"""
_KINDS = """
PXLOGICAL PXPHYSICAL PORT VALIDITY NAPDEF BOOTSTRAP VENDORCONFIG CLIENTIDENTITY PXAUTHINFO
NAPAUTHINFO ACCESS APPLICATION APPADDR APPAUTH RESOURCE OF-OUR-OWN
"""
NAMES, KINDS = _NAMES.split(), _KINDS.split()
WORDS = (
    "IPV4 IPV6 E164 APN PAP CHAP HTTP-BASIC MD5 GSM-GPRS APPSRV CLIENT DIGEST HTTP- BASIC AAA , x"
)
values = st.lists(
    st.sampled_from(WORDS.split()) | st.text("aZ09 .:/@&<>\"'=-\u00e9\u4e2d", max_size=8),
    max_size=4,
).map(lambda parts: "".join(parts).strip())
parms = st.tuples(st.sampled_from(NAMES), values)
places: st.SearchStrategy[Place] = st.recursive(
    st.tuples(st.sampled_from(KINDS), st.lists(parms, max_size=4), st.just([])),
    lambda inner: st.tuples(
        st.sampled_from(KINDS), st.lists(parms, max_size=3), st.lists(inner, max_size=3)
    ),
    max_leaves=5,
)


def xml_of(place: Place) -> str:
    kind, parameters, inner = place
    written = "".join(
        f"<parm name={quoteattr(name)} value={quoteattr(value)}/>" for name, value in parameters
    )
    below = "".join(xml_of(each) for each in inner)
    return f"<characteristic type={quoteattr(kind)}>{written}{below}</characteristic>"


def tags_of(place: Place) -> Iterator[Tag | None]:
    kind, parameters, inner = place
    yield "characteristic", {"type": kind}
    for name, value in parameters:
        yield "parm", {"name": name, "value": value}
        yield None
    for each in inner:
        yield from tags_of(each)
    yield None


def encoded(text: str, *options: str) -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory, "a.xml"), Path(directory, "a.wbxml")
        source.write_text(DOCTYPE + text)
        command = ["xml2wbxml", *options, "-v", "1.3", "-o", str(target), str(source)]
        subprocess.run(command, check=True, capture_output=True)
        return target.read_bytes()


@pytest.mark.spec("omadm 9.2")
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(places, min_size=1, max_size=3), st.booleans())
def test_any_document_of_libwbxml_has_the_tags_it_was_made_from(
    found: list[Place], has_table: bool
) -> None:
    text = '<wap-provisioningdoc version="1.1">'
    text += "".join(map(xml_of, found)) + "</wap-provisioningdoc>"
    expected: list[Tag | None] = [("wap-provisioningdoc", {"version": "1.1"})]
    for place in found:
        expected += tags_of(place)
    octets = encoded(text, *(() if has_table else ("-n",)))
    assert provwbxml.is_provisioning(octets)
    assert list(provwbxml.events(octets)) == [*expected, None]


ids = st.text("abc.-", min_size=1, max_size=12)
addresses: st.SearchStrategy[Place] = st.builds(
    lambda address, ports: (
        "APPADDR",
        [("ADDR", f"https://{address}")],
        [("PORT", [("PORTNBR", str(port))], []) for port in ports],
    ),
    ids,
    st.lists(st.integers(1, 65535), max_size=2),
)
logins: st.SearchStrategy[Place] = st.builds(
    lambda level, kind, name, secret, data: (
        "APPAUTH",
        [
            ("AAUTHLEVEL", level),
            ("AAUTHTYPE", kind),
            ("AAUTHNAME", name),
            ("AAUTHSECRET", secret),
            ("AAUTHDATA", data),
        ],
        [],
    ),
    st.sampled_from(["APPSRV", "CLIENT", "HTTP", "OBEX"]),
    st.sampled_from(["BASIC", "DIGEST", "HMAC", "HTTP-BASIC", "HTTP-DIGEST"]),
    values,
    values,
    values,
)


@pytest.mark.spec("omadm 9.2")
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    ids,
    st.lists(addresses, min_size=1, max_size=3),
    st.lists(logins, max_size=3),
    st.lists(st.tuples(st.sampled_from(["TO-NAPID", "TO-PROXY"]), ids), max_size=3),
)
def test_any_account_reads_the_same_from_both_syntaxes(
    server_id: str, places: list[Place], auths: list[Place], links: list[tuple[str, str]]
) -> None:
    head = [("APPID", "w7"), ("PROVIDER-ID", server_id), *links]
    application = ("APPLICATION", head, [*places, *auths])
    text = f'<wap-provisioningdoc version="1.0">{xml_of(application)}</wap-provisioningdoc>'
    [account] = provisioning.parse((DOCTYPE + text).encode())
    assert provisioning.parse(encoded(text, "-n")) == (account,)
    assert account.server_id == server_id
    assert len(account.credentials) == len(auths)
