# SPDX-License-Identifier: Apache-2.0
"""What the headers of a server tell."""

import pytest

from scomod.dmclient.model import SyncHdr
from scomod.dmclient.peer import Peer
from scomod.errors import RemoteProtocolError

URL = "https://dm.example:8443/a/dm?x=1"


def peer(session_id: str = "A1") -> Peer:
    return Peer(session_id=session_id, url=URL, max_msg_bytes=4096)


def header(session_id: str = "A1", resp_uri: str | None = None) -> SyncHdr:
    return SyncHdr(
        session_id=session_id, msg_id="1", target="urn:d", source="urn:s", resp_uri=resp_uri
    )


@pytest.mark.spec("omadm 1.1")
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("A1", "A1"),
        ("A1", "a1"),
        ("A1", "00A1"),
        ("A1", "161"),
        ("10", "16"),
        ("10", "A"),
        ("FFFF", "65535"),
        ("odd id", "odd id"),
    ],
)
def test_session_ids_are_compared_as_numbers(ours: str, theirs: str) -> None:
    peer(ours).check_identity(header(theirs))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("A1", "A2"), ("A1", "-161"), ("A1", "1_61"), ("A1", "+A1"), ("10", "17"), ("1", "one")],
)
def test_other_session_ids_are_refused(ours: str, theirs: str) -> None:
    with pytest.raises(RemoteProtocolError, match="SessionID"):
        peer(ours).check_identity(header(theirs))


def test_a_session_id_of_any_length_is_only_compared() -> None:
    with pytest.raises(RemoteProtocolError, match="SessionID"):
        peer().check_identity(header("9" * 100000))


@pytest.mark.spec("omadm 2.5")
@pytest.mark.parametrize(
    ("resp_uri", "url"),
    [
        (None, URL),
        ("https://other.example/x?y=z", "https://other.example/x?y=z"),
        (" https://other.example/ ", "https://other.example/"),
        ("?s=2", "https://dm.example:8443/a/dm?s=2"),
        ("/b", "https://dm.example:8443/b"),
    ],
)
def test_the_next_message_goes_to_the_resp_uri_absolute_or_not(
    resp_uri: str | None, url: str
) -> None:
    server = peer()
    server.take(header(resp_uri=resp_uri))
    assert server.url == url
    server.take(header())
    assert server.url == url, "until it says otherwise"


def test_a_resp_uri_that_cannot_be_read_is_an_error_in_words() -> None:
    with pytest.raises(RemoteProtocolError, match="RespURI"):
        peer().take(header(resp_uri="https://[::1/dm"))
