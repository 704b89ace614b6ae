# SPDX-License-Identifier: Apache-2.0
"""Messages to a real server and back: what is sent, and the sentence for each failure."""

from __future__ import annotations

import asyncio
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, ClassVar

import pytest

from scomod.dmclient.transport import ACCEPTED, CONTENT_TYPES, HttpTransport
from scomod.errors import LimitExceeded, TransportError
from scomod.lab.localserver import LocalServer
from scomod.net import Access
from tests.support.certificates import make_certificates
from tests.support.exchanging import (
    MAX_REPLY_BYTES,
    USER_AGENT,
    exchange,
    failure,
    transport_with,
)
from tests.support.package_host import closed_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.certificates import Certificates

WBXML, XML = ACCEPTED
RELEASE = threading.Event()


class DmHandler(BaseHTTPRequestHandler):
    """Answers by path: /echo, /status/N, /type/T, /redirect/N, /large, /drip, /stall, /gone."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[tuple[int, str, bytes, dict[str, str]]]] = []

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_error(405)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.seen.append((self.client_address[1], self.path, body, headers))
        word, _, value = self.path.strip("/").partition("/")
        getattr(self, f"answer_{word}")(value, body)

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_echo(self, _: str, body: bytes) -> None:
        self.reply(200, body, Content_Type=f"{WBXML}; charset=UTF-8", Set_Cookie="id=7; Path=/")

    def answer_sealed(self, _: str, body: bytes) -> None:
        self.reply(200, body, Content_Type=WBXML, X_SyncML_HMAC="mac=y", Set_Cookie="id=7")

    def answer_status(self, value: str, _: bytes) -> None:
        self.reply(int(value), b"sorry", Content_Type="text/plain")

    def answer_type(self, value: str, body: bytes) -> None:
        self.reply(200, body, **({"Content_Type": value} if value else {}))

    def answer_redirect(self, value: str, _: bytes) -> None:
        self.reply(int(value), Location="/echo")

    def answer_location(self, value: str, _: bytes) -> None:
        self.reply(307, b"", lOCATION=f"../{value}")

    def answer_nowhere(self, _: str, __: bytes) -> None:
        self.reply(302)

    def answer_busy(self, value: str, _: bytes) -> None:
        status, after = value.split("/", 1)
        self.reply(int(status), Retry_After=after.replace("%20", " "), Content_Type="text/plain")

    def answer_loop(self, _: str, __: bytes) -> None:
        self.reply(307, Location="/loop")

    def answer_away(self, _: str, __: bytes) -> None:
        self.reply(307, Location=f"http://127.0.0.1:{closed_port()}/echo")

    def answer_chunked(self, _: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", XML.upper())
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in (body[:1], body[1:]):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def answer_large(self, value: str, _: bytes) -> None:
        self.reply(200, bytes(int(value)), Content_Type=WBXML)

    def answer_stall(self, _: str, __: bytes) -> None:
        RELEASE.wait()
        self.close_connection = True

    def answer_gone(self, _: str, __: bytes) -> None:
        self.close_connection = True

    def answer_short(self, _: str, __: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", WBXML)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"12345")
        self.close_connection = True


@pytest.fixture
def server() -> Iterator[LocalServer]:
    RELEASE.clear()
    DmHandler.seen.clear()
    with LocalServer(DmHandler) as running:
        yield running
        RELEASE.set()


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    made = transport_with(allow_http=True, read_timeout_s=5.0)
    yield made
    made.close()


@pytest.mark.spec("omadm 6.1")
def test_a_message_is_posted_with_the_headers_of_the_binding(
    server: LocalServer, transport: HttpTransport
) -> None:
    reply = exchange(transport, server.url("/echo"))
    assert (reply.body, reply.content_type) == (b"hello", WBXML)
    _, _, body, headers = DmHandler.seen[0]
    assert body == b"hello"
    assert headers["content-type"] == WBXML
    assert headers["user-agent"] == USER_AGENT
    assert "no-store" in headers["cache-control"]
    assert "private" in headers["cache-control"]
    assert all(name in headers["accept"] for name in ACCEPTED)
    assert "content-encoding" not in headers


@pytest.mark.spec("omadm 4.2")
def test_more_headers_go_out_and_all_but_cookies_come_back(
    server: LocalServer, transport: HttpTransport
) -> None:
    more = {"x-syncml-hmac": 'username="a", mac=x'}
    reply = asyncio.run(transport.exchange(server.url("/sealed"), b"hello", WBXML, more))
    assert DmHandler.seen[0][3]["x-syncml-hmac"] == 'username="a", mac=x'
    assert reply.headers["x-syncml-hmac"] == "mac=y"
    assert reply.headers["content-length"] == "5"
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize("path", ["/echo", "/chunked"])
def test_one_session_is_one_connection(
    server: LocalServer, transport: HttpTransport, path: str
) -> None:
    for _ in range(3):
        exchange(transport, server.url(path))
    assert len({port for port, *_ in DmHandler.seen}) == 1
    assert transport.round_trips == 3
    assert transport.bytes_sent == transport.bytes_received == 3 * len(b"hello")


@pytest.mark.spec("omadm 6.1")
def test_cookies_are_kept_for_the_session_and_not_longer(
    server: LocalServer, transport: HttpTransport
) -> None:
    for _ in range(2):
        exchange(transport, server.url("/echo"))
    transport.close()
    exchange(transport, server.url("/echo"))
    assert ["cookie" in headers for *_, headers in DmHandler.seen] == [False, True, False]


@pytest.mark.spec("omadm 6.1")
def test_a_chunked_answer_is_read(server: LocalServer, transport: HttpTransport) -> None:
    assert exchange(transport, server.url("/chunked")).body == b"hello"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_gets_the_same_message(
    server: LocalServer, transport: HttpTransport, status: int
) -> None:
    assert exchange(transport, server.url(f"/redirect/{status}")).body == b"hello"
    assert [body for _, _, body, _ in DmHandler.seen] == [b"hello", b"hello"]


def test_a_redirect_that_asks_for_a_get_is_refused(
    server: LocalServer, transport: HttpTransport
) -> None:
    assert "HTTP 303" in str(failure(transport, server.url("/redirect/303")))


def test_redirects_come_to_an_end(server: LocalServer, transport: HttpTransport) -> None:
    error = failure(transport, server.url("/loop"))
    assert not error.is_retryable
    assert "more than 5 redirects" in str(error)
    assert len(DmHandler.seen) == 6


@pytest.mark.spec("omadm 6.1")
def test_a_location_may_be_relative_and_written_in_any_case(
    server: LocalServer, transport: HttpTransport
) -> None:
    assert exchange(transport, server.url("/location/echo")).body == b"hello"


def test_a_redirect_without_a_location_is_refused(
    server: LocalServer, transport: HttpTransport
) -> None:
    assert "without saying where" in str(failure(transport, server.url("/nowhere")))


@pytest.mark.parametrize(
    ("status", "after", "expected_s"),
    [
        (503, "120", 120.0),
        (429, "7", 7.0),
        (503, "Fri, 31 Dec 9999 23:59:59 GMT", float("inf")),
        (503, "Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        (503, "soon", 0.0),
        (503, "-5", 0.0),
        (404, "120", 0.0),
    ],
)
def test_a_busy_server_says_how_long_it_wants_to_be_left_alone(
    server: LocalServer, transport: HttpTransport, status: int, after: str, expected_s: float
) -> None:
    error = failure(transport, server.url(f"/busy/{status}/{after.replace(' ', '%20')}"))
    if expected_s == float("inf"):
        assert error.retry_after_s > 1e9
    else:
        assert error.retry_after_s == expected_s


@pytest.mark.parametrize(
    ("status", "is_retryable", "words"),
    [
        (201, False, ""),
        (204, False, "without a message"),
        (400, False, "does not understand"),
        (401, False, "login"),
        (403, False, "does not let us in"),
        (404, False, "nothing is at this address"),
        (405, False, "no DM server"),
        (407, False, "proxy wants a login"),
        (408, True, ""),
        (415, False, "syntax"),
        (429, True, "too often"),
        (500, True, "error of the server"),
        (503, True, "overloaded"),
        (511, True, "network wants a login"),
        (599, True, ""),
    ],
)
def test_any_other_status_is_an_error(
    server: LocalServer, transport: HttpTransport, status: int, is_retryable: bool, words: str
) -> None:
    error = failure(transport, server.url(f"/status/{status}"))
    assert error.is_retryable is is_retryable
    assert f"HTTP {status}" in str(error)
    assert words in str(error)


def test_an_empty_answer_is_a_passing_failure(
    server: LocalServer, transport: HttpTransport
) -> None:
    error = failure(transport, server.url("/large/0"))
    assert error.is_retryable
    assert "empty" in str(error)


@pytest.mark.spec("omadm 6.1")
@pytest.mark.parametrize("name", CONTENT_TYPES)
def test_the_types_that_servers_send_are_taken(
    server: LocalServer, transport: HttpTransport, name: str
) -> None:
    assert exchange(transport, server.url(f"/type/{name.upper()};a=b")).content_type == name


@pytest.mark.spec("omadm 6.1")
@pytest.mark.parametrize(
    "name", ["text/plain", "text/html", "application/vnd.syncml.dmtnds+xml", ""]
)
def test_an_answer_of_another_type_is_an_error(
    server: LocalServer, transport: HttpTransport, name: str
) -> None:
    error = failure(transport, server.url(f"/type/{name}"))
    assert "no DM message" in str(error)
    # the page of a network that wants a login goes away when somebody logs in
    assert error.is_retryable == (name == "text/html")


def test_an_answer_may_be_as_long_as_allowed_and_no_longer(
    server: LocalServer, transport: HttpTransport
) -> None:
    assert len(exchange(transport, server.url(f"/large/{MAX_REPLY_BYTES}")).body) == MAX_REPLY_BYTES
    with pytest.raises(LimitExceeded) as error:
        exchange(transport, server.url(f"/large/{1 << 28}"))
    assert error.value.limit == "max_reply_bytes"
    # it was not read to its end
    assert transport.bytes_received < 3 * MAX_REPLY_BYTES


def test_nobody_listening_is_a_passing_failure(transport: HttpTransport) -> None:
    error = failure(transport, f"http://127.0.0.1:{closed_port()}/echo")
    assert error.is_retryable
    assert "connection refused" in str(error)


def test_a_name_that_nobody_knows_is_a_passing_failure(transport: HttpTransport) -> None:
    error = failure(transport, "http://nowhere.invalid/", within_s=60.0)
    assert error.is_retryable
    # the second where no name server can be reached
    assert "is not known" in str(error) or "no name server answers" in str(error)


@pytest.mark.parametrize("path", ["/gone", "/short"])
def test_a_connection_that_ends_early_is_a_passing_failure(
    server: LocalServer, transport: HttpTransport, path: str
) -> None:
    assert failure(transport, server.url(path)).is_retryable


def test_silence_is_a_passing_failure(server: LocalServer) -> None:
    transport = transport_with(allow_http=True, read_timeout_s=0.2)
    error = failure(transport, server.url("/stall"))
    transport.close()
    assert error.is_retryable
    assert "within the time" in str(error)


def test_the_loop_goes_on_while_the_server_thinks(server: LocalServer) -> None:
    async def count_while_waiting() -> int:
        transport = transport_with(allow_http=True)
        waiting = asyncio.ensure_future(transport.exchange(server.url("/stall"), b"", WBXML))
        start, turns = time.monotonic(), 0
        while time.monotonic() - start < 0.3:
            await asyncio.sleep(0.01)
            turns += 1
        RELEASE.set()
        with pytest.raises(TransportError):
            await waiting
        transport.close()
        return turns

    assert asyncio.run(count_while_waiting()) > 5


@pytest.mark.spec("omadm 5.1")
def test_plain_http_must_be_allowed(server: LocalServer) -> None:
    error = failure(transport_with(), server.url("/echo"))
    assert not error.is_retryable
    assert "not encrypted" in str(error)
    assert DmHandler.seen == []


@pytest.mark.parametrize("url", ["ftp://host/", "mailto:x", "http://[", ""])
def test_what_is_no_web_address_is_refused(transport: HttpTransport, url: str) -> None:
    assert not failure(transport, url).is_retryable


def test_tls_with_our_authority(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    with LocalServer(DmHandler, certificates.server_file) as server:
        transport = transport_with(Access(ca_file=str(certificates.ca_file)))
        assert exchange(transport, server.url("/echo", "localhost")).body == b"hello"
        error = failure(transport, server.url("/away"))
        assert "not encrypted" in str(error)
        transport.close()


@pytest.fixture
def foreign(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path, names=("elsewhere.example",))


def test_a_certificate_that_is_not_trusted(foreign: Certificates) -> None:
    with LocalServer(DmHandler, foreign.server_file) as server:
        transport = transport_with()
        error = failure(transport, server.url("/echo"))
        transport.close()
    assert not error.is_retryable
    assert "certificate is not trusted" in str(error)


def test_a_certificate_for_another_name(foreign: Certificates) -> None:
    with LocalServer(DmHandler, foreign.server_file) as server:
        transport = transport_with(Access(ca_file=str(foreign.ca_file)))
        error = failure(transport, server.url("/echo", "localhost"))
        transport.close()
    assert not error.is_retryable
    assert "another name" in str(error)
