# SPDX-License-Identifier: Apache-2.0
"""Servers that mean harm: each ends in a named error, in bounded time and memory."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod.errors import DownloadError, LimitExceeded, Reason
from tests.support.exchanging import ending, exchange, failure, transport_with
from tests.support.fetching import fetch, request_for
from tests.support.hostile import ANSWERS, GREEDY, MIB, SLOW, zeros
from tests.support.raw_server import RawServer

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
MEMORY_BYTES = 24 * MIB
# what a person reads
SENTENCES = {
    "/gzip-bomb": "compressed (gzip)",
    "/chunked-bomb": "max_reply_bytes exceeded",
    "/endless-body": "max_reply_bytes exceeded",
    "/endless-chunks": "max_reply_bytes exceeded",
    "/huge-chunk": "max_reply_bytes exceeded",
    "/huge-length": "max_reply_bytes exceeded",
    "/endless-chunk-size": "header of the answer is too large",
    "/many-headers": "header of the answer is too large",
    "/endless-header": "header of the answer is too large",
    "/endless-status": "header of the answer is too large",
    "/endless-continue": "header of the answer is too large",
    "/large-headers": "header of the answer is too large",
    "/refusal-without-end": "HTTP 401",
    "/redirect-without-end": "more than 5 redirects",
}


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    zeros()  # before anybody waits for it
    with RawServer(ANSWERS) as running:
        yield running


def test_greedy_servers_get_a_sentence_and_little_memory(server: RawServer) -> None:
    command = [sys.executable, "-m", "tests.support.hostile", server.url("")]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["ends"]) == set(GREEDY) == set(SENTENCES)
    for path, words in SENTENCES.items():
        assert words in found["ends"][path], path
    assert found["grown_bytes"] < MEMORY_BYTES


@pytest.mark.parametrize("path", SLOW)
def test_an_answer_that_drips_ends_with_the_time_for_one_exchange(
    server: RawServer, path: str
) -> None:
    transport = transport_with(allow_http=True, exchange_timeout_s=0.5)
    error = failure(transport, server.url(path), within_s=3.0)
    assert error.is_retryable
    assert "no complete answer within 0.5 s" in str(error)


def test_a_server_that_does_not_shake_hands_ends_with_the_time_to_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        transport = transport_with(connect_timeout_s=0.3)
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        error = failure(transport, url, within_s=3.0)
    assert error.is_retryable
    assert "within the time allowed" in str(error)


def test_cookies_are_counted_over_the_session(server: RawServer) -> None:
    transport = transport_with(allow_http=True, max_cookies_count=100)
    exchange(transport, server.url("/cookie-flood"))
    error = ending(transport, server.url("/cookie-flood"))
    assert isinstance(error, LimitExceeded)
    assert error.limit == "max_cookies_count"


def test_after_a_cut_a_new_session_works(server: RawServer) -> None:
    transport = transport_with(allow_http=True, exchange_timeout_s=0.5)
    failure(transport, server.url("/slow-header"))
    assert exchange(transport, server.url("/fine")).body == b"hello"
    transport.close()


def test_a_whole_session_is_one_connection() -> None:
    with RawServer(ANSWERS) as server:
        transport = transport_with(allow_http=True)
        for _ in range(5):
            exchange(transport, server.url("/fine"))
        transport.close()
        assert server.connections == 1
        assert len(server.conversations) == 5


def test_a_package_whose_header_drips_ends_with_the_time_for_a_download(
    server: RawServer, tmp_path: Path
) -> None:
    request = request_for(server.url("/slow-header"), tmp_path / "p", total_timeout_s=0.5)
    with pytest.raises(DownloadError) as error:
        fetch(request)
    assert error.value.reason is Reason.TIMEOUT
