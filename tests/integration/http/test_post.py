# SPDX-License-Identifier: Apache-2.0
"""Telling a server in one POST: what counts as told, what is tried again, where it never goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.download.post import Poster
from scomod.errors import DownloadError, Reason
from scomod.net import Access
from scomod.settings import Download, Settings, Transport
from tests.support.package_host import closed_port
from tests.support.raw_server import RawServer

if TYPE_CHECKING:
    from tests.support.raw_server import Conversation

BODY = b"900 Success\r\n"


class Desk:
    """A server that answers as it is told and remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, bytes]] = []
        self.answers: dict[str, str] = {}

    def answer(self, conversation: Conversation) -> None:
        self.heard.append((conversation.method, conversation.target, conversation.body))
        head = self.answers.get(conversation.target, "HTTP/1.1 200 OK")
        conversation.send(f"{head}\r\nContent-Length: 1000\r\n\r\nnever read".encode())


def post(url: str, *, allow_http: bool = True) -> None:
    settings = Settings(
        transport=Transport(allow_http=allow_http),
        download=Download(connect_timeout_s=5.0, idle_timeout_s=5.0),
    )
    Poster(settings, lambda _host: Access(), "tester").post(url, BODY)


def failure(url: str, *, allow_http: bool = True) -> DownloadError:
    with pytest.raises(DownloadError) as caught:
        post(url, allow_http=allow_http)
    return caught.value


@pytest.mark.parametrize("status", [200, 202, 204, 303])
def test_an_answer_of_success_is_enough_and_its_body_is_not_read(status: int) -> None:
    desk = Desk()
    desk.answers["/told"] = f"HTTP/1.1 {status} X\r\nLocation: /page"
    with RawServer({"/told": desk.answer}) as server:
        post(server.url("/told"))
    assert desk.heard == [("POST", "/told", BODY)]


def test_a_redirect_gets_the_same_words() -> None:
    desk = Desk()
    desk.answers["/told"] = "HTTP/1.1 307 X\r\nLocation: /there"
    with RawServer({"/told": desk.answer, "/there": desk.answer}) as server:
        post(server.url("/told"))
    assert desk.heard == [("POST", "/told", BODY), ("POST", "/there", BODY)]


@pytest.mark.parametrize(
    ("status", "is_retryable"), [(400, False), (404, False), (429, True), (500, True), (503, True)]
)
def test_what_may_be_tried_again_is_told_apart(status: int, is_retryable: bool) -> None:
    desk = Desk()
    desk.answers["/told"] = f"HTTP/1.1 {status} X\r\nRetry-After: 7"
    with RawServer({"/told": desk.answer}) as server:
        error = failure(server.url("/told"))
    assert (error.is_retryable, error.retry_after_s) == (is_retryable, 7.0)


def test_nobody_there_may_be_tried_again() -> None:
    error = failure(f"http://127.0.0.1:{closed_port()}/told")
    assert (error.reason, error.is_retryable) == (Reason.UNREACHABLE, True)


def test_plain_http_is_refused_where_it_is_not_allowed() -> None:
    error = failure("http://127.0.0.1/told", allow_http=False)
    assert (error.reason, error.is_retryable) == (Reason.INSECURE_URL, False)
