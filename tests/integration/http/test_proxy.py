# SPDX-License-Identifier: Apache-2.0
"""The way through an HTTP proxy: tunnels, logins, refusals, and what the server sees of it."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from scomod import net
from scomod.net import Access
from scomod.settings import Download, Server, Transport
from scomod.shapes import DIRECT
from tests.support.certificates import make_certificates, server_context
from tests.support.exchanging import exchange, failure, transport_with
from tests.support.fetching import fetch, request_for, some_octets
from tests.support.hostile import ANSWERS
from tests.support.package_host import PackageHost, closed_port
from tests.support.proxy import Proxy
from tests.support.raw_server import RawServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.certificates import Certificates

LOGIN = "device:open: sesame"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(certificates: Certificates) -> Iterator[RawServer]:
    with RawServer(ANSWERS, server_context(certificates)) as running:
        yield running


@pytest.fixture
def login_file(tmp_path: Path) -> Path:
    file = tmp_path / "login"
    file.write_text(f"{LOGIN}\n")
    file.chmod(0o600)
    return file


def through(proxy: str, certificates: Certificates, login_file: Path | str = "") -> Access:
    ca_file = str(certificates.ca_file)
    return Access(ca_file=ca_file, proxy=proxy, proxy_login_file=str(login_file))


def test_a_session_goes_through_one_tunnel(server: RawServer, certificates: Certificates) -> None:
    with Proxy() as proxy:
        transport = transport_with(through(proxy.url, certificates))
        for _ in range(3):
            assert exchange(transport, server.url("/fine", "localhost")).body == b"hello"
        transport.close()
    ((line, login),) = proxy.asked
    assert line.startswith(f"CONNECT localhost:{server.port} HTTP/1.")
    assert login == ""


def test_the_certificate_is_that_of_the_server_also_behind_a_proxy(
    server: RawServer, tmp_path: Path
) -> None:
    strangers = make_certificates(tmp_path, authority="another")
    with Proxy() as proxy:
        error = failure(transport_with(through(proxy.url, strangers)), server.url("/fine"))
    assert "certificate is not trusted" in str(error)


def test_a_proxy_gets_its_login_and_the_server_does_not(
    server: RawServer, certificates: Certificates, login_file: Path
) -> None:
    with Proxy(login=LOGIN) as proxy:
        transport = transport_with(through(proxy.url, certificates, login_file))
        exchange(transport, server.url("/fine", "localhost"))
        transport.close()
    assert proxy.asked[0][1] == f"Basic {b64encode(LOGIN.encode()).decode()}"
    assert "proxy-authorization" not in server.conversations[-1].headers


@pytest.mark.parametrize(
    ("refusal", "words", "is_retryable"),
    [
        ("407 Proxy Authentication Required", "HTTP 407, it wants another login", False),
        ("403 Forbidden", "HTTP 403", False),
        ("502 Bad Gateway", "HTTP 502", True),
        ("503 Service Unavailable", "HTTP 503", True),
    ],
)
def test_a_proxy_that_refuses_is_named_without_the_login(
    certificates: Certificates, login_file: Path, refusal: str, words: str, is_retryable: bool
) -> None:
    with Proxy(login=LOGIN, refusal=refusal) as proxy:
        transport = transport_with(through(proxy.url, certificates, login_file))
        error = failure(transport, "https://localhost:1/")
    assert error.is_retryable is is_retryable
    assert "through the proxy" in str(error)
    assert words in str(error)
    assert "sesame" not in repr(error) + repr(transport.__dict__)


def test_a_proxy_that_is_not_there_is_told_from_a_server(certificates: Certificates) -> None:
    proxy = f"http://127.0.0.1:{closed_port()}"
    error = failure(transport_with(through(proxy, certificates)), "https://localhost:1/")
    assert error.is_retryable
    assert "through the proxy: connection refused" in str(error)


def test_a_proxy_that_drips_ends_with_the_time_for_one_exchange(
    server: RawServer, certificates: Certificates
) -> None:
    with Proxy(drip_s=0.1) as proxy:
        access = through(proxy.url, certificates)
        transport = transport_with(access, exchange_timeout_s=0.5)
        error = failure(transport, server.url("/fine", "localhost"), within_s=3.0)
    assert "no complete answer within 0.5 s" in str(error)


def test_plain_http_goes_through_a_proxy_where_it_is_allowed(
    certificates: Certificates, login_file: Path
) -> None:
    with RawServer(ANSWERS) as plain, Proxy(login=LOGIN) as proxy:
        access = through(proxy.url, certificates, login_file)
        transport = transport_with(access, allow_http=True)
        assert exchange(transport, plain.url("/fine")).body == b"hello"
        transport.close()
        assert "proxy-authorization" not in plain.conversations[0].headers
        assert proxy.asked[0][0].startswith(f"POST {plain.url('/fine')} ")


def test_variables_of_the_environment_name_no_proxy(
    server: RawServer, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    transport = transport_with(Access(ca_file=str(certificates.ca_file)))
    exchange(transport, server.url("/fine", "localhost"))
    transport.close()
    monkeypatch.setenv("NO_PROXY", "*")
    with Proxy() as proxy:
        transport = transport_with(through(proxy.url, certificates))
        exchange(transport, server.url("/fine", "localhost"))
        transport.close()
        assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (None, 0o600, "cannot be read: No such file"),
        (LOGIN, 0o644, "every user may read it"),
        ("device", 0o600, "must hold user:password"),
        ("device:a\nb", 0o600, "must hold user:password"),
    ],
)
def test_a_login_that_cannot_be_used_is_named_and_not_shown(
    certificates: Certificates, tmp_path: Path, text: str | None, mode: int, words: str
) -> None:
    file = tmp_path / "login"
    if text is not None:
        file.write_text(text)
        file.chmod(mode)
    access = through(f"http://127.0.0.1:{closed_port()}", certificates, file)
    error = failure(transport_with(access), "https://localhost:1/")
    assert not error.is_retryable
    assert words in str(error)
    assert "sesame" not in str(error)


def test_a_package_comes_through_a_proxy(
    certificates: Certificates, tmp_path: Path, login_file: Path
) -> None:
    content = some_octets(300_000, seed=7)
    with PackageHost(certificates) as host, Proxy(login=LOGIN) as proxy:
        request = request_for(
            host.put("/p", content),
            tmp_path / "p",
            content,
            ca_file=str(certificates.ca_file),
            proxy=proxy.url,
            proxy_login_file=str(login_file),
        )
        assert fetch(request).size_bytes == len(content)
    assert len(proxy.asked) == 1


GENERAL = Transport(proxy="http://general:1", proxy_login_file="general")


@pytest.mark.parametrize("kind", [Server, Download])
@pytest.mark.parametrize(
    ("own", "own_file", "expected"),
    [
        ("", "", ("http://general:1", "general")),
        (DIRECT, "own", ("", "")),
        ("http://own:2", "own", ("http://own:2", "own")),
        # the password of one proxy is not for another
        ("http://own:2", "", ("http://own:2", "")),
    ],
)
def test_an_own_proxy_stands_in_place_of_the_general_one(
    kind: type[Server | Download], own: str, own_file: str, expected: tuple[str, str]
) -> None:
    chosen = kind(proxy=own, proxy_login_file=own_file)
    assert net.chosen_proxy(chosen, GENERAL) == expected
