# SPDX-License-Identifier: Apache-2.0
"""Conformance of the binding to HTTP and TLS, with a real web server (omadm §4.6, §6.1)."""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, ClassVar

import pytest

from scomod.codes import AlertCode
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Get
from scomod.dmclient.transport import transport_for
from scomod.lab.localserver import LocalServer
from scomod.settings import Settings
from tests.support.certificates import make_certificates, server_context
from tests.support.raw_server import RawServer
from tests.support.scripted import Device, Say, ScriptedServer, Talk, on

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.certificates import Certificates

DAY = timedelta(days=1)


class DmHandler(BaseHTTPRequestHandler):
    """Gives every POST to a scripted server."""

    script: ClassVar[ScriptedServer]
    paths: ClassVar[list[str]] = []
    requests: ClassVar[list[dict[str, str]]] = []

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self.paths.append(self.path)
        self.requests.append({name.lower(): value for name, value in self.headers.items()})
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.headers["Content-Type"]
        reply = asyncio.run(self.script.exchange(self.path, body, kind, dict(self.headers)))
        self.send_response(200)
        self.send_header("Content-Type", f"{reply.content_type}; charset=UTF-8")
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def trusting(certificates: Certificates, *, allow_http: bool = False) -> Settings:
    transport = dataclasses.replace(
        Settings().transport, ca_file=str(certificates.ca_file), allow_http=allow_http
    )
    return dataclasses.replace(Settings(), transport=transport)


def run(directory: Path, url: str, settings: Settings, *script: Say) -> Talk:
    """Hold a session over a real connection."""
    DmHandler.script = server = ScriptedServer(script, Encoding.WBXML)
    DmHandler.paths.clear()
    DmHandler.requests.clear()
    with Device(directory, settings, url=url) as device:
        client = device.client(
            lambda account: transport_for(
                account,
                settings,
                lambda name: device.paths.root / name,
                user_agent="conformance",
                fresh_nonce=lambda: b"n",
            )
        )
        trigger = AlertCode.CLIENT_INITIATED_MANAGEMENT
        report = asyncio.run(client.run(device.account, trigger, "A1"))
    return Talk(report, server.heard)


@pytest.mark.spec("R-17")
def test_r17_a_session_over_tls_posts_every_message_with_its_media_type(
    tmp_path: Path, certificates: Certificates
) -> None:
    with LocalServer(DmHandler, certificates.server_file) as host:
        say = Say(commands=(on(Get, "./DevInfo/Man"),), resp_uri=host.url("/other?s=1"))
        talk = run(tmp_path, host.url("/dm"), trusting(certificates), say)
    assert talk.is_ok
    assert DmHandler.paths == ["/dm", "/other?s=1"]
    for request in DmHandler.requests:
        assert request["content-type"] == Encoding.WBXML
        assert {part.strip() for part in request["accept"].split(",")} >= {Encoding.WBXML}
        assert "no-store" in request["cache-control"]


def refused(talk: Talk) -> bool:
    return not talk.is_ok and not talk.heard and not talk.report.is_retryable


@pytest.mark.spec("T-44")
@pytest.mark.parametrize(
    ("names", "valid_until"), [(("elsewhere.example",), DAY), (("127.0.0.1",), -DAY)]
)
def test_t44_a_certificate_of_another_name_or_time_is_refused(
    tmp_path: Path, names: tuple[str, ...], valid_until: timedelta
) -> None:
    bad = make_certificates(tmp_path, names=names, valid_from=-2 * DAY, valid_until=valid_until)
    with LocalServer(DmHandler, bad.server_file) as host:
        assert refused(run(tmp_path / "device", host.url("/dm"), trusting(bad)))


@pytest.mark.spec("T-44")
def test_t44_a_certificate_of_an_unknown_authority_is_refused(
    tmp_path: Path, certificates: Certificates
) -> None:
    others = make_certificates(tmp_path)
    with LocalServer(DmHandler, others.server_file) as host:
        assert refused(run(tmp_path / "device", host.url("/dm"), trusting(certificates)))


@pytest.mark.spec("T-44")
def test_t44_plain_http_is_refused_unless_allowed(
    tmp_path: Path, certificates: Certificates
) -> None:
    with LocalServer(DmHandler) as host:
        assert refused(run(tmp_path / "a", host.url("/dm"), trusting(certificates)))
        allowed = trusting(certificates, allow_http=True)
        assert run(tmp_path / "b", host.url("/dm"), allowed).is_ok


@pytest.mark.spec("T-44")
def test_t44_a_server_of_tls_1_1_is_refused(tmp_path: Path, certificates: Certificates) -> None:
    context = server_context(certificates)
    context.set_ciphers("ALL:@SECLEVEL=0")  # TLS 1.1 signs with SHA-1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with RawServer({}, context) as server:
        talk = run(tmp_path, server.url("/dm", "localhost"), trusting(certificates))
        assert server.conversations == []
    assert refused(talk)
    assert "no version of TLS that is allowed" in talk.report.detail
