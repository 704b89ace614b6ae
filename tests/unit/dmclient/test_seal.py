# SPDX-License-Identifier: Apache-2.0
"""The MAC around a bootstrap document: recorded vectors, names, and what must not pass."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scomod.dmclient.seal import (
    BadSeal,
    Method,
    Profile,
    Seal,
    is_genuine,
    key_of,
    mac_of,
    network_secret,
    read,
)
from scomod.errors import RemoteProtocolError
from scomod.secret import Secret

VECTORS = Path(__file__).parents[2] / "vectors/provisioning"
SEALED = (VECTORS / "two-credentials.wbxml").read_bytes()
OTHER = (VECTORS / "two-servers.blanks.wbxml").read_bytes()
IMSI = "310004105064640"
NO_PIN = Secret("")
MACS = [
    (Method.NETWPIN, "", "D35D41DFF9ECA1FECCE948BAA6A51CEF92F29780"),
    (Method.USERPIN, "1234", "67031EF2D08E94AE1A99410A9137B9523F77F9BD"),
    (Method.USERNETWPIN, "1234", "8B682AD3D92D7B9703FB0BC7C69FA8FDD0E99099"),
]


def sealed_by(method: Method, mac: str, pin: str, profile: Profile = Profile.CP) -> bool:
    return is_genuine(SEALED, Seal(method=method, mac=mac), profile, IMSI, Secret(pin))


@pytest.mark.spec("omadm 9.3")
@pytest.mark.parametrize(
    ("imsi", "octets"),
    [("310004105064640", "3901001450606404"), ("12345678901234", "11325476981032f4")],
)
def test_imsi_becomes_semi_octets(imsi: str, octets: str) -> None:
    assert network_secret(imsi) == bytes.fromhex(octets)


@pytest.mark.spec("omadm 9.3")
@pytest.mark.parametrize(("method", "pin", "mac"), MACS)
def test_recorded_macs_are_right(method: Method, pin: str, mac: str) -> None:
    assert mac_of(key_of(method, Profile.CP, IMSI, Secret(pin)), SEALED) == mac
    assert sealed_by(method, mac, pin)
    assert sealed_by(method, mac.lower(), pin)


@pytest.mark.parametrize(("method", "pin", "mac"), MACS)
def test_mac_of_another_document_imsi_or_pin_is_wrong(method: Method, pin: str, mac: str) -> None:
    seal = Seal(method=method, mac=mac)
    assert not is_genuine(OTHER, seal, Profile.CP, IMSI, Secret(pin))
    assert not sealed_by(method, mac[:-1], pin)
    assert not sealed_by(method, mac + "0", pin)
    if method.needs_network:
        assert not is_genuine(SEALED, seal, Profile.CP, "310004105064641", Secret(pin))
        assert not is_genuine(SEALED, seal, Profile.CP, "", Secret(pin))
    if method.needs_pin:
        assert not sealed_by(method, mac, "1235")
        assert not sealed_by(method, mac, "")


@pytest.mark.spec("omadm 9.4")
def test_dm_profile_joins_pin_and_network_secret_with_a_colon() -> None:
    key = key_of(Method.USERNETWPIN, Profile.DM, IMSI, Secret("1234"))
    assert key == b"1234:" + bytes.fromhex("3901001450606404")
    mac = mac_of(key, SEALED)
    assert sealed_by(Method.USERNETWPIN, mac, "1234", Profile.DM)
    assert not sealed_by(Method.USERNETWPIN, mac, "1234", Profile.CP)


@pytest.mark.spec("omadm 9.3")
def test_user_enters_pin_and_digits_of_the_mac() -> None:
    seal = Seal(method=Method.USERPINMAC)
    assert is_genuine(SEALED, seal, Profile.CP, "", Secret("1234544129"))
    for wrong in ("1234544128", "1234644129", "123454412", "12345441290", "", "1234", "abcde44129"):
        assert not is_genuine(SEALED, seal, Profile.CP, "", Secret(wrong)), wrong


def test_empty_key_never_passes() -> None:
    """A MAC that anybody can compute proves nothing."""
    mac = mac_of(b"", SEALED)
    for method in Method:
        assert not is_genuine(SEALED, Seal(method=method, mac=mac), Profile.CP, "", NO_PIN)


@pytest.mark.spec("omadm 9.4")
@pytest.mark.parametrize(
    ("sec", "method"),
    [
        ("0", Method.NETWPIN),
        ("NETWPIN", Method.NETWPIN),
        ("NETWORKID", Method.NETWPIN),
        ("1", Method.USERPIN),
        ("userpin", Method.USERPIN),
        ("2", Method.USERNETWPIN),
        ("USERNETWPIN", Method.USERNETWPIN),
        (" USERPIN_NETWORKID ", Method.USERNETWPIN),
    ],
)
def test_method_by_number_and_name(sec: str, method: Method) -> None:
    assert read(sec, " ab ") == Seal(method=method, mac="ab")


@pytest.mark.parametrize("sec", ["3", "USERPINMAC"])
def test_user_pin_mac_needs_no_mac(sec: str) -> None:
    assert read(sec, "") == Seal(method=Method.USERPINMAC, mac="")


def test_nothing_is_no_seal() -> None:
    assert read("", "") is None


@pytest.mark.parametrize(
    ("sec", "mac", "words"),
    [("4", "ab", "'4' is not known"), ("", "ab", "no SEC"), ("1", " ", "without a MAC")],
)
def test_half_a_seal_is_refused(sec: str, mac: str, words: str) -> None:
    with pytest.raises(BadSeal, match=words) as caught:
        read(sec, mac)
    assert isinstance(caught.value, RemoteProtocolError)


@given(st.sampled_from(Method), st.sampled_from(Profile), st.text(max_size=45), st.text(max_size=9))
def test_no_made_up_mac_passes(method: Method, profile: Profile, mac: str, pin: str) -> None:
    assert not is_genuine(SEALED, Seal(method=method, mac=mac), profile, IMSI, Secret(pin))
