# SPDX-License-Identifier: Apache-2.0
"""Logins towards the web server of an account: who gets them, and how often we try."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod.dmclient.transport import transport_for
from scomod.mo.account import Account, Credential
from scomod.secret import Secret
from scomod.settings import Settings, Transport
from tests.support.exchanging import USER_AGENT, exchange, failure
from tests.support.raw_server import Conversation, RawServer

if TYPE_CHECKING:
    from scomod.dmclient.transport import HttpTransport

NAME, PASSWORD, REALM = "device", "open sesame", "dm"
BASIC = "Basic ZGV2aWNlOm9wZW4gc2VzYW1l"


class Guard:
    """Lets in who proves to know the password; a nonce is good for `uses` requests."""

    def __init__(self, uses: int = 1000) -> None:
        self._uses = uses
        self._round = 0
        self._count = 0

    def basic(self, talk: Conversation) -> None:
        if talk.headers.get("authorization") == BASIC:
            talk.message(talk.body)
        else:
            self.refuse(talk, 'Basic realm="dm"')

    def digest(self, talk: Conversation) -> None:
        found = re.findall(r'(\w+)="?([^",]*)', talk.headers.get("authorization", ""))
        if found and self.is_right(dict(found), talk):
            talk.message(talk.body)
            return
        self._round, self._count = self._round + 1, 0
        self.refuse(talk, f'Digest realm="{REALM}", qop="auth", nonce="n{self._round}"')

    def is_right(self, got: dict[str, str], talk: Conversation) -> bool:
        first = md5(f"{NAME}:{REALM}:{PASSWORD}")
        second = md5(f"{talk.method}:{talk.target}")
        nonce = f"n{self._round}"
        self._count += 1
        nc = f"{self._count:08x}"
        expected = md5(f"{first}:{nonce}:{nc}:{got['cnonce']}:auth:{second}")
        return expected == got["response"] and self._count <= self._uses

    def refuse(self, talk: Conversation, challenge: str) -> None:
        talk.message(b"no", f"WWW-Authenticate: {challenge}", status="401 Unauthorized")


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 - HTTP Digest wants it


def transport_of(auth_type: str, password: str = PASSWORD) -> HttpTransport:
    credential = Credential(auth_type=auth_type, name=NAME, secret=Secret(password))
    account = Account(key="a", server_id="a", name="a", address="", http=credential)
    settings = Settings(transport=Transport(allow_http=True))
    return transport_for(
        account, settings, Path, user_agent=USER_AGENT, fresh_nonce=lambda: b"own nonce"
    )


@pytest.mark.spec("omadm 8.3")
@pytest.mark.parametrize(
    ("auth_type", "path", "requests"),
    [("HTTP-BASIC", "/basic", 3), ("HTTP-DIGEST", "/digest?a=b&c=%20d", 4)],
)
def test_a_session_logs_in_to_the_web_server(auth_type: str, path: str, requests: int) -> None:
    guard = Guard()
    with RawServer({"/basic": guard.basic, "/digest": guard.digest}) as server:
        transport = transport_of(auth_type)
        for _ in range(3):
            assert exchange(transport, server.url(path)).body == b"hello"
        transport.close()
        # the digest is asked for once
        assert len(server.conversations) == requests


def test_a_digest_that_got_old_is_made_anew() -> None:
    guard = Guard(uses=2)
    with RawServer({"/digest": guard.digest}) as server:
        transport = transport_of("HTTP-DIGEST")
        for _ in range(5):
            assert exchange(transport, server.url("/digest")).body == b"hello"
        transport.close()


@pytest.mark.parametrize("auth_type", ["HTTP-BASIC", "HTTP-DIGEST"])
def test_a_wrong_password_is_not_tried_for_ever(auth_type: str) -> None:
    guard = Guard()
    path = f"/{auth_type.removeprefix('HTTP-').lower()}"
    with RawServer({"/basic": guard.basic, "/digest": guard.digest}) as server:
        error = failure(transport_of(auth_type, "wrong"), server.url(path))
        assert len(server.conversations) <= 2
    assert not error.is_retryable
    assert "HTTP 401" in str(error)


@pytest.mark.parametrize("auth_type", ["HTTP-BASIC", "HTTP-DIGEST"])
def test_a_login_goes_nowhere_else(auth_type: str) -> None:
    guard = Guard()
    with RawServer({"/digest": guard.digest, "/basic": guard.basic}) as other:

        def lead_away(talk: Conversation) -> None:
            location = f"Location: {other.url(talk.target)}"
            talk.message(b"", location, status="307 Temporary Redirect")

        path = f"/{auth_type.removeprefix('HTTP-').lower()}"
        with RawServer({path: lead_away}) as server:
            error = failure(transport_of(auth_type), server.url(path))
        assert "HTTP 401" in str(error)
        assert [talk.headers.get("authorization") for talk in other.conversations] == [None]


def test_an_account_without_a_login_sends_none() -> None:
    guard = Guard()
    with RawServer({"/basic": guard.basic}) as server:
        transport = transport_of("SECURID")
        assert "HTTP 401" in str(failure(transport, server.url("/basic")))
        assert "authorization" not in server.conversations[0].headers
