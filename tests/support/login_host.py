# SPDX-License-Identifier: Apache-2.0
"""A package server that wants a login: Basic, or Digest checked as RFC 7616 says."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

from requests.utils import parse_dict_header

from scomod.lab.localserver import LocalServer

if TYPE_CHECKING:
    from pathlib import Path

NONCE = "dcd98b7102dd"
REALM = "packages"


class LoginHost(LocalServer):
    """Gives `content` at each path to who logs in; `asked` are the Authorization headers."""

    def __init__(
        self, content: bytes, login: str, *, digest: str = "", certificate_file: Path | None = None
    ) -> None:
        self.asked: list[str] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                given = self.headers.get("Authorization", "")
                host.asked.append(given)
                if not is_right(given, login, digest, self.path):
                    self.send_response(HTTPStatus.UNAUTHORIZED)
                    self.send_header("WWW-Authenticate", challenge(digest))
                    # a refusal without end: nobody may read it
                    self.end_headers()
                    self.close_connection = True
                    return
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        super().__init__(Handler, certificate_file)


def challenge(digest: str) -> str:
    if not digest:
        return f'Basic realm="{REALM}"'
    return f'Digest realm="{REALM}", nonce="{NONCE}", qop="auth", algorithm={digest}'


def is_right(given: str, login: str, digest: str, path: str) -> bool:
    kind, _, rest = given.partition(" ")
    if not digest:
        return kind == "Basic" and b64decode(rest).decode() == login
    said: dict[str, str] = parse_dict_header(rest)  # type: ignore[no-untyped-call]
    if kind != "Digest" or said["uri"] != path or said["nonce"] != NONCE:
        return False
    made = hashlib.new(digest.replace("-", "").lower(), b"").name

    def mixed(*parts: str) -> str:
        return hashlib.new(made, ":".join(parts).encode()).hexdigest()

    user, _, password = login.partition(":")
    one, two = mixed(user, REALM, password), mixed("GET", path)
    return said["response"] == mixed(one, NONCE, said["nc"], said["cnonce"], "auth", two)
