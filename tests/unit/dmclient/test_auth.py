# SPDX-License-Identifier: Apache-2.0
"""Proofs of identity against what others printed."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from scomod.dmclient import auth
from scomod.dmclient.auth import AuthType
from scomod.secret import Secret

CASES: dict[str, list[dict[str, Any]]] = tomllib.loads(
    (Path(__file__).parents[2] / "vectors/auth/cases.toml").read_text()
)
USER, PASSWORD, NONCE = "Bruce2", Secret("OhBehave"), b"Nonce"


@pytest.mark.spec("omadm 4.1")
@pytest.mark.parametrize("case", CASES["md5"], ids=lambda case: case["source"])
def test_md5_digest_is_what_others_compute(case: dict[str, Any]) -> None:
    nonce = bytes.fromhex(case["nonce"])
    assert auth.md5(case["user"], Secret(case["password"]), nonce) == case["data"]


@pytest.mark.spec("omadm 4.1")
@pytest.mark.parametrize("case", CASES["basic"], ids=lambda case: case["source"])
def test_basic_is_what_others_compute(case: dict[str, Any]) -> None:
    assert auth.basic(case["user"], Secret(case["password"])) == case["data"]


@pytest.mark.spec("omadm 4.1")
@pytest.mark.parametrize("case", CASES["mac"], ids=lambda case: case["source"])
def test_mac_covers_the_body(case: dict[str, Any]) -> None:
    nonce, body = bytes.fromhex(case["nonce"]), bytes.fromhex(case["body"])
    secret = Secret(case["password"])
    assert auth.mac(case["user"], secret, nonce, body) == case["data"]
    assert auth.verify(AuthType.MAC, case["data"], case["user"], secret, [nonce], body=body)
    assert not auth.verify(
        AuthType.MAC, case["data"], case["user"], secret, [nonce], body=body + b" "
    )


def test_types_are_spelled_as_on_the_wire() -> None:
    assert [kind.value for kind in AuthType] == [
        "syncml:auth-basic",
        "syncml:auth-md5",
        "syncml:auth-MAC",
    ]


@pytest.mark.parametrize("nonces", [[NONCE], [b"", NONCE], [NONCE, b"other"]])
def test_md5_is_right_for_any_of_the_nonces(nonces: list[bytes]) -> None:
    data = auth.md5(USER, PASSWORD, NONCE)
    assert auth.verify(AuthType.MD5, data, USER, PASSWORD, nonces)


@pytest.mark.parametrize(
    ("data", "nonces"),
    [
        (auth.md5(USER, PASSWORD, NONCE), []),
        (auth.md5(USER, PASSWORD, NONCE), [b"other"]),
        (auth.md5("bruce2", PASSWORD, NONCE), [NONCE]),
        (auth.md5(USER, Secret("ohbehave"), NONCE), [NONCE]),
        ("", [NONCE]),
        ("====", [NONCE]),
        ("p\u00e4ss\udc80", [NONCE]),
    ],
)
def test_wrong_md5_is_refused(data: str, nonces: list[bytes]) -> None:
    assert not auth.verify(AuthType.MD5, data, USER, PASSWORD, nonces)


def test_padding_and_blanks_around_a_proof_do_not_matter() -> None:
    data = f"\n {auth.md5(USER, PASSWORD, NONCE).rstrip('=')} "
    assert auth.verify(AuthType.MD5, data, USER, PASSWORD, [NONCE])


def test_basic_needs_no_nonce() -> None:
    assert auth.verify(AuthType.BASIC, "QnJ1Y2UyOk9oQmVoYXZl", USER, PASSWORD, [])
    assert not auth.verify(AuthType.BASIC, "QnJ1Y2UyOk9oQmVoYXZm", USER, PASSWORD, [])


@pytest.mark.spec("omadm 4.5 rule 7")
@pytest.mark.parametrize(
    ("text", "nonce"),
    [
        ("LG3iZQhhdmKNHg==", bytes.fromhex("2c6de265086176628d1e")),
        ("AAAAAA==\n", bytes(4)),
        ("", b""),
        ("Nonce", b"Nonce"),
        ("no base64!", b"no base64!"),
        ("\u00e4", b"\xc3\xa4"),
    ],
)
def test_nonce_is_base64_or_else_literal(text: str, nonce: bytes) -> None:
    assert auth.decode_nonce(text) == nonce


def test_encoded_nonce_decodes_to_itself() -> None:
    nonce = bytes(range(256))
    assert auth.decode_nonce(auth.encode_nonce(nonce)) == nonce


def test_secret_never_shows_its_text() -> None:
    shown = (repr(PASSWORD), str(PASSWORD), f"{PASSWORD}", f"{[PASSWORD]}", "%s" % PASSWORD)  # noqa: UP031 - logging formats so
    assert not any("OhBehave" in text for text in shown)
    assert repr(PASSWORD) == "***"


def test_secrets_are_equal_by_text_and_only_to_secrets() -> None:
    assert Secret("OhBehave") == PASSWORD
    assert hash(Secret("OhBehave")) == hash(PASSWORD)
    assert Secret("other") != PASSWORD
    assert PASSWORD != "OhBehave"


HEADERS = {
    'algorithm=MD5, username="Robert Jordan", mac=NTI2OTJhMDAw': ("Robert Jordan", "NTI2OTJhMDAw"),
    'mac=6AZk96DG6F0jSIaEpbK4Ng==,username="Bruce2"': ("Bruce2", "6AZk96DG6F0jSIaEpbK4Ng=="),
    ' USERNAME = "a,b=\\"c\\\\d\\"" , Mac = "eA==" ': ('a,b="c\\d"', "eA=="),
    "username=plain, mac=x, algorithm=md5": ("plain", "x"),
}


@pytest.mark.spec("omadm 4.2")
@pytest.mark.parametrize("text", HEADERS)
def test_mac_header_is_read_in_any_order_and_without_algorithm(text: str) -> None:
    header = auth.read_mac_header(text)
    assert header is not None
    assert (header.user, header.mac) == HEADERS[text]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rubbish",
        'username="u"',
        "mac=x",
        'username="", mac=x',
        'username="u", mac=""',
        'username="u", mac=x, algorithm=SHA',
        'username="u", mac=x, mac=y',
        'username="u" mac=x',
        'username="u, mac=x',
    ],
)
def test_mac_header_that_lacks_something_is_none(text: str) -> None:
    assert auth.read_mac_header(text) is None


@pytest.mark.parametrize("user", ["Bruce2", 'a "b" \\c', "x, mac=y"])
def test_mac_header_that_is_written_can_be_read(user: str) -> None:
    header = auth.MacHeader(user=user, mac="6AZk96DG6F0jSIaEpbK4Ng==")
    assert auth.read_mac_header(auth.write_mac_header(header)) == header


def test_mac_header_holds_a_name_of_any_script_as_octets() -> None:
    text = auth.write_mac_header(auth.MacHeader(user="J\u00f6rg \u4e2d", mac="x"))
    assert text.encode("latin-1").decode() == 'algorithm=MD5, username="J\u00f6rg \u4e2d", mac=x'


def test_mac_header_of_any_length_is_read_at_once() -> None:
    for text in ('username="' + "\\" * 60000, "a=" * 60000, "a = b, " * 10 + " " * 60000):
        assert auth.read_mac_header(text) is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("syncml:auth-MAC", AuthType.MAC),
        ("Syncml:Auth-MD5", AuthType.MD5),
        ("", None),
        ("md5", None),
    ],
)
def test_types_are_known_in_any_case(name: str, kind: AuthType | None) -> None:
    assert auth.type_named(name) is kind
