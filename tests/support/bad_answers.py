# SPDX-License-Identifier: Apache-2.0
"""What a broken or hostile DM server answers; each takes a passage and gives an answer.

Those that need a real answer to spoil let the bench have the message first: the
device never learns that its report arrived.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scomod.dmclient.codec import Encoding, Limits, decode, encode, encoding_of
from tests.support.detour import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.dmclient.model import Message, SyncHdr
    from tests.support.detour import Passage

LIMITS = Limits(max_bytes=1 << 20, max_depth=64, max_elements=10000)
WBXML_START = bytes.fromhex("02a4016a00")  # version 1.2, SyncML 1.2, UTF-8, no string table
OVERSIZE_BYTES = 1 << 20  # far beyond what [session] max_msg_bytes allows


def truncated(passage: Passage) -> Answer:
    reply = passage.answered()
    return Answer(body=reply[: len(reply) * 2 // 3])


def cut_connection(passage: Passage) -> Answer:
    reply = passage.answered()
    return Answer(body=reply[: len(reply) // 2], length=len(reply))


def malformed(passage: Passage) -> Answer:
    """The right document type, and rubbish where the message begins."""
    if encoding_of(passage.content_type) is Encoding.XML:
        return Answer(body=b"<SyncML xmlns='SYNCML:SYNCML1.2'><SyncHdr></SyncBody></SyncML>")
    return Answer(body=WBXML_START + bytes.fromhex("6d6cff7fff7f"))


def endless(passage: Passage) -> Answer:
    """A text that says to be 4 GiB long, or elements without an end."""
    if encoding_of(passage.content_type) is Encoding.XML:
        return Answer(body=b"<SyncML xmlns='SYNCML:SYNCML1.2'>" + b"<Item>" * 5000)
    return Answer(body=WBXML_START + bytes.fromhex("6d6c71c38fffffff7f"))


def no_header(passage: Passage) -> Answer:
    if encoding_of(passage.content_type) is Encoding.XML:
        return Answer(body=b"<SyncML xmlns='SYNCML:SYNCML1.2'><SyncBody/></SyncML>")
    return Answer(body=WBXML_START + bytes.fromhex("6d2b01"))


def entities(_: Passage) -> Answer:
    """A billion laughs: must cost nothing."""
    doctype = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    text = f'<!DOCTYPE SyncML [<!ENTITY a0 "ha">{doctype}]><SyncML>&a9;</SyncML>'
    return Answer(body=text.encode(), content_type=Encoding.XML)


def empty(_: Passage) -> Answer:
    return Answer()


def oversize(_: Passage) -> Answer:
    return Answer(body=b" " * OVERSIZE_BYTES)


def web_page(_: Passage) -> Answer:
    return Answer(body=b"<html>Welcome to our network</html>", content_type="text/html")


def http_error(status: int) -> Callable[[Passage], Answer]:
    return lambda _: Answer(status=status, body=b"no")


def redirect_to(location: str) -> Callable[[Passage], Answer]:
    return lambda _: Answer(status=302, headers={"Location": location})


def silence(_: Passage) -> Answer:
    return Answer(is_silent=True)


def other_session(passage: Passage) -> Answer:
    return rewritten(passage, lambda header: replace(header, session_id="7777"))


def other_protocol(passage: Passage) -> Answer:
    return rewritten(passage, lambda header: replace(header, ver_proto="DM/9.9"))


def rewritten(passage: Passage, change: Callable[[SyncHdr], SyncHdr]) -> Answer:
    """The real answer with another header."""
    encoding = encoding_of(passage.content_type)
    message: Message = decode(passage.answered(), encoding, LIMITS)
    return Answer(body=encode(replace(message, header=change(message.header)), encoding))
