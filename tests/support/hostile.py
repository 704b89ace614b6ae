# SPDX-License-Identifier: Apache-2.0
"""Answers of web servers that mean harm, by path; and a program that counts what they cost."""

from __future__ import annotations

import gzip
import json
import sys
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.raw_server import Answer, Conversation

MIB: Final = 1 << 20
OK: Final = b"HTTP/1.1 200 OK\r\n"
TYPE: Final = b"Content-Type: application/vnd.syncml.dm+wbxml\r\n"
BLOCK: Final = b"x" * (64 << 10)
PATIENCE_COUNT: Final = 100_000  # blocks: more than anybody waits for


def fine(talk: Conversation) -> None:
    """Answer as a server should."""
    talk.message(talk.body)


@cache
def zeros() -> bytes:
    """64 KiB that become 64 MiB; it takes a second, not each time this is imported."""
    return gzip.compress(bytes(64 * MIB))


def gzip_bomb(talk: Conversation) -> None:
    """Send a small body that becomes large when unpacked."""
    talk.message(zeros(), "Content-Encoding: gzip")


def chunked_bomb(talk: Conversation) -> None:
    """The same as a transfer coding, which nobody offered to take."""
    talk.send(OK + TYPE + b"Transfer-Encoding: gzip, chunked\r\n\r\n")
    endless_chunks_of(talk, zeros())


def endless_chunks_of(talk: Conversation, data: bytes) -> None:
    """Send the same chunk for ever."""
    for _ in range(PATIENCE_COUNT):
        talk.send(b"%x\r\n%s\r\n" % (len(data), data))


def endless_body(talk: Conversation) -> None:
    """Send a body that ends with the connection: never."""
    talk.send(OK + TYPE + b"\r\n")
    endlessly(talk, BLOCK)


def endless_chunks(talk: Conversation) -> None:
    """Send chunks, never the last one."""
    talk.send(OK + TYPE + b"Transfer-Encoding: chunked\r\n\r\n")
    endless_chunks_of(talk, BLOCK)


def huge_chunk(talk: Conversation) -> None:
    """Send one chunk as long as a disk."""
    talk.send(OK + TYPE + b"Transfer-Encoding: chunked\r\n\r\nfffffffffff\r\n")
    endlessly(talk, BLOCK)


def huge_length(talk: Conversation) -> None:
    """Announce a body as long as a disk, and begin to send it."""
    talk.send(OK + TYPE + b"Content-Length: 999999999999999\r\n\r\n")
    endlessly(talk, BLOCK)


def endless_chunk_size(talk: Conversation) -> None:
    """Never come to the end of the size of a chunk."""
    talk.send(OK + TYPE + b"Transfer-Encoding: chunked\r\n\r\n")
    endlessly(talk, b"0" * len(BLOCK))


def many_headers(talk: Conversation) -> None:
    """Send header after header."""
    talk.send(OK + TYPE)
    for number in range(PATIENCE_COUNT):
        talk.send(b"X-%d: 1\r\n" % number)


def endless_header(talk: Conversation) -> None:
    """Send one header that does not end."""
    talk.send(OK + TYPE + b"X-Long: ")
    endlessly(talk, BLOCK)


def endless_status(talk: Conversation) -> None:
    """Send a status line that does not end."""
    talk.send(b"HTTP/1.1 200 ")
    endlessly(talk, BLOCK)


def endless_continue(talk: Conversation) -> None:
    """Ask to go on for ever."""
    endlessly(talk, b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def large_headers(talk: Conversation) -> None:
    """Send a header that the library takes, and we do not."""
    talk.message(b"hello", *(f"X-{number}: {'x' * 60_000}" for number in range(90)))


def cookie_flood(talk: Conversation) -> None:
    """Set more cookies with each answer."""
    first = 80 * sum(1 for letter in talk.headers.get("cookie", "") if letter == "=")
    talk.message(talk.body, *(f"Set-Cookie: c{first + number}=1" for number in range(80)))


def refusal_without_end(talk: Conversation) -> None:
    """Refuse, and explain at length."""
    talk.send(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest nonce=a, realm=b\r\n\r\n")
    endlessly(talk, BLOCK)


def redirect_without_end(talk: Conversation) -> None:
    """Lead in a circle, with a long body at each station."""
    talk.send(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /redirect-without-end\r\n\r\n")
    endlessly(talk, BLOCK)


def endlessly(talk: Conversation, block: bytes) -> None:
    """Send the same octets until the peer goes."""
    for _ in range(PATIENCE_COUNT):
        talk.send(block)


# -- slow ones: they cost time, not memory ---------------------------------------------


def slow_status(talk: Conversation) -> None:
    """Send an octet now and then, from the first line on."""
    slowly(talk, OK * PATIENCE_COUNT)


def slow_header(talk: Conversation) -> None:
    """The same after the first line."""
    talk.send(OK + TYPE)
    slowly(talk, b"X-A: b\r\n" * PATIENCE_COUNT)


def slow_body(talk: Conversation) -> None:
    """The same in a body of known length."""
    talk.send(OK + TYPE + b"Content-Length: 90000\r\n\r\n")
    slowly(talk, BLOCK)


def slow_body_to_the_end(talk: Conversation) -> None:
    """The same in a body that ends with the connection."""
    talk.send(OK + TYPE + b"Connection: close\r\n\r\n")
    slowly(talk, BLOCK)


def slow_chunks(talk: Conversation) -> None:
    """The same in chunks of one octet."""
    talk.send(OK + TYPE + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        talk.send(b"1\r\nx\r\n")
        talk.pause(0.02)


def endless_trailer(talk: Conversation) -> None:
    """Send header after header when the body is over."""
    talk.send(OK + TYPE + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n")
    while True:
        talk.send(b"X-A: b\r\n" * 100)
        talk.pause(0.02)


def slowly(talk: Conversation, data: bytes) -> None:
    """Send an octet every 20 ms."""
    for octet in data:
        talk.send(bytes([octet]))
        talk.pause(0.02)


GREEDY: Final[Mapping[str, Answer]] = {
    "/gzip-bomb": gzip_bomb,
    "/chunked-bomb": chunked_bomb,
    "/endless-body": endless_body,
    "/endless-chunks": endless_chunks,
    "/huge-chunk": huge_chunk,
    "/huge-length": huge_length,
    "/endless-chunk-size": endless_chunk_size,
    "/many-headers": many_headers,
    "/endless-header": endless_header,
    "/endless-status": endless_status,
    "/endless-continue": endless_continue,
    "/large-headers": large_headers,
    "/refusal-without-end": refusal_without_end,
    "/redirect-without-end": redirect_without_end,
}
SLOW: Final[Mapping[str, Answer]] = {
    "/slow-status": slow_status,
    "/slow-header": slow_header,
    "/slow-body": slow_body,
    "/slow-body-to-the-end": slow_body_to_the_end,
    "/slow-chunks": slow_chunks,
    "/endless-trailer": endless_trailer,
}
ANSWERS: Final[Mapping[str, Answer]] = {
    "/fine": fine,
    "/cookie-flood": cookie_flood,
    **GREEDY,
    **SLOW,
}


def main(base: str) -> None:
    """Meet all greedy answers in this process; says what each ended with and what all cost."""
    from tests.support.exchanging import ending, exchange, transport_with  # noqa: PLC0415
    from tests.support.memory import peak_bytes  # noqa: PLC0415

    transport = transport_with(allow_http=True)
    exchange(transport, f"{base}/fine")
    transport.close()
    before = peak_bytes()
    ends = {path: str(ending(transport_with(allow_http=True), base + path)) for path in GREEDY}
    print(json.dumps({"ends": ends, "grown_bytes": peak_bytes() - before}))


if __name__ == "__main__":
    main(sys.argv[1])
