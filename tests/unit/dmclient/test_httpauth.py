# SPDX-License-Identifier: Apache-2.0
"""Basic and Digest towards a web server: the published examples, and what servers ask for."""

from __future__ import annotations

import re

import pytest

from scomod.dmclient.httpauth import HttpLogin
from scomod.mo.account import Credential
from scomod.secret import Secret

# RFC 7616 §3.9.1; its client nonce is this text, ours are written in hexadecimal
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"


def login(auth_type: str, name: str, password: str, own_nonce: bytes = b"\x01\x02") -> HttpLogin:
    credential = Credential(auth_type=auth_type, name=name, secret=Secret(password))
    return HttpLogin(credential, lambda: own_nonce)


def challenge(algorithm: str = "", qop: str = 'qop="auth, auth-int", ') -> str:
    named = f", algorithm={algorithm}" if algorithm else ""
    realm = 'realm="http-auth@example.org"'
    return f'Digest {realm}, {qop}nonce="{NONCE}", opaque="{OPAQUE}"{named}'


def field(header: str, name: str) -> str:
    found = re.search(rf'\b{name}="?([^",]*)', header)
    return found[1] if found else ""


class Typed(bytes):
    """Octets that a nonce of a published example stands for."""

    def hex(self, *_: object) -> str:
        return self.decode()


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm: str, response: str) -> None:
    own = Typed(b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    one = login("HTTP-DIGEST", "Mufasa", "Circle of Life", own)
    assert one.header("GET", "/dir/index.html") == ""
    assert one.take(challenge(algorithm))
    header = one.header("GET", "/dir/index.html")
    assert header.startswith("Digest ")
    assert field(header, "response") == response
    assert field(header, "username") == "Mufasa"
    assert field(header, "uri") == "/dir/index.html"
    assert field(header, "opaque") == OPAQUE
    assert (field(header, "qop"), field(header, "nc")) == ("auth", "00000001")


def test_the_example_of_rfc_2069_without_quality_of_protection() -> None:
    one = login("DIGEST", "Mufasa", "CircleOfLife")
    # as corrected by erratum 749
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    assert one.take(f'Digest realm="testrealm@host.com", nonce="{nonce}"')
    header = one.header("GET", "/dir/index.html")
    assert field(header, "response") == "1949323746fe6a43ef61f9606e7febea"
    assert "qop" not in header
    assert "cnonce" not in header


def test_the_example_of_rfc_7617() -> None:
    one = login("HTTP-BASIC", "Aladdin", "open sesame")
    assert one.header("POST", "/") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert not one.take('Basic realm="again"')


def test_each_request_with_the_same_nonce_counts() -> None:
    one = login("HTTP-DIGEST", "a", "b")
    one.take(challenge())
    counts = [field(one.header("POST", "/"), "nc") for _ in range(3)]
    assert counts == ["00000001", "00000002", "00000003"]
    assert one.take(challenge().replace(NONCE, "new"))
    assert field(one.header("POST", "/"), "nc") == "00000001"


def test_the_same_challenge_again_means_that_the_password_is_wrong() -> None:
    one = login("HTTP-DIGEST", "a", "b")
    assert one.take(challenge())
    assert not one.take(challenge())


def test_the_strongest_of_several_is_taken() -> None:
    one = login("HTTP-DIGEST", "a", "b")
    assert one.take(f'Basic realm="x", {challenge("MD5")}, {challenge("SHA-256")}')
    assert field(one.header("POST", "/"), "algorithm") == "SHA-256"


def test_a_session_variant_differs_from_the_plain_one() -> None:
    answers = set()
    for algorithm in ("MD5", "MD5-sess", "SHA-256-sess"):
        one = login("HTTP-DIGEST", "a", "b")
        assert one.take(challenge(algorithm))
        header = one.header("POST", "/")
        assert field(header, "cnonce") == "0102"
        answers.add(field(header, "response"))
    assert len(answers) == 3


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Basic",
        'Basic realm="x"',
        "Digest",
        'Digest realm="x"',
        challenge("SHA-512-256"),
        challenge(qop='qop="auth-int", '),
        'Digest nonce="never closed',
        "=,=,=" * 1000,
        "\\" * 30_000,
        'a="' * 10_000,
    ],
)
def test_what_we_cannot_answer_is_not_tried_again(answer: str) -> None:
    one = login("HTTP-DIGEST", "a", "b")
    assert not one.take(answer)
    assert one.header("POST", "/") == ""


def test_names_cannot_break_out_of_the_header() -> None:
    one = login("HTTP-DIGEST", 'a"\r\nX-Evil: \\é', "b")
    one.take(challenge())
    header = one.header("POST", "/")
    assert '\\"X-Evil: \\\\' in header
    assert "\r" not in header
    assert "\n" not in header
    assert header.encode("latin-1").decode("utf-8").count("é") == 1
