# SPDX-License-Identifier: Apache-2.0
"""Traces of sessions: what is kept, how much of it, and that no secret is."""

from __future__ import annotations

import asyncio
import base64
import os
import re
from typing import TYPE_CHECKING

import pytest

from scomod.dmclient import codec
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Add, Cred, Get, Item, Message, Meta, Replace, SyncHdr
from scomod.errors import TransportError
from scomod.facade import Unknown
from scomod.settings import Log, Settings
from scomod.trace import Traced, Traces
from tests.support.clocks import FakeClock
from tests.support.scripted import (
    CLIENT_NONCE,
    CLIENT_SECRET,
    SERVER_NONCE,
    SERVER_SECRET,
    Device,
    Say,
)

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.dmclient.transport import Reply

HEADER = SyncHdr(session_id="A1", msg_id="1", target="t", source="s")
HMAC = 'algorithm=MD5, username="dev1", mac=NTI2OTJhMDAwNjYxODkwYmQ3NWUxN2RhN2ZmYmJlMzk='


def traces(directory: Path, trace: str = "full", count: int = 20, size: int = 65536) -> Traces:
    settings = Log(trace=trace, trace_files_count=count, trace_file_bytes=size)
    return Traces(directory, settings, FakeClock())


def body(*items: Item, cred: Cred | None = None) -> bytes:
    header = SyncHdr(session_id="A1", msg_id="1", target="t", source="s", cred=cred)
    message = Message(header=header, commands=(Replace(cmd_id="1", items=items),))
    return codec.encode(message, Encoding.WBXML)


def kept(found: Traces) -> str:
    """Return the text of the only trace."""
    (record,) = found.all()
    return str(found.one(record["id"])["text"])


def test_session_is_a_readable_file(tmp_path: Path) -> None:
    found = traces(tmp_path / "traces")
    trace = found.begin("com.example.dm", "A1")
    trace.sent({}, body(Item(target="./A", data=b"x")), Encoding.WBXML.value)
    trace.received({"x-syncml-hmac": HMAC, "server": "?"}, b"\x02junk", Encoding.WBXML.value)
    trace.end("failed", "the server sent junk")
    size = len(body(Item(target="./A", data=b"x")))
    assert kept(found).splitlines() == [
        "session A1 with com.example.dm",
        "began 1970-01-01T00:00:00Z",
        "",
        f"→ {size} octets, application/vnd.syncml.dm+wbxml, after 0.000 s",
        "    message 1 of session A1, DM/1.2, DTD 1.2",
        "    to t",
        "    from s",
        "    1 Replace ./A = x",
        "    Final",
        "",
        "← 5 octets, application/vnd.syncml.dm+wbxml, after 0.000 s",
        '    x-syncml-hmac: algorithm=MD5, username="dev1", mac=***',
        "    not readable: character set 117 is not UTF-8 (at octet 3)",
        "ended failed: the server sent junk",
    ]
    (record,) = found.all()
    assert {key: record[key] for key in record if key != "bytes"} == {
        "id": 1,
        "session": "A1",
        "server": "com.example.dm",
        "began": 0.0,
        "outcome": "failed",
        "detail": "the server sent junk",
    }
    assert record["bytes"] == (tmp_path / "traces/000001.txt").stat().st_size


def test_files_are_for_the_daemon_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        traces(tmp_path / "traces").begin("s", "A1").end("ok", "")
    finally:
        os.umask(old)
    assert (tmp_path / "traces").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "traces/000001.txt").stat().st_mode & 0o777 == 0o600


def test_headers_only_are_commands_without_values(tmp_path: Path) -> None:
    found = traces(tmp_path, "headers")
    trace = found.begin("s", "A1")
    trace.sent({}, body(Item(target="./A", data=b"value")), Encoding.WBXML.value)
    trace.end("ok", "")
    assert "    1 Replace ./A\n" in kept(found)
    assert "value" not in kept(found)


def test_off_writes_nothing_and_shows_what_is_there(tmp_path: Path) -> None:
    found = traces(tmp_path / "traces", "off")
    trace = found.begin("s", "A1")
    trace.sent({}, body(), Encoding.WBXML.value)
    trace.received({}, body(), Encoding.WBXML.value)
    trace.end("ok", "")
    assert not (tmp_path / "traces").exists()
    assert found.all() == []
    traces(tmp_path / "traces").begin("s", "A2").end("ok", "")
    assert [record["session"] for record in found.all()] == ["A2"]


def test_oldest_files_go_and_numbers_go_on(tmp_path: Path) -> None:
    found = traces(tmp_path, count=3)
    (tmp_path / "README").write_text("not ours")
    for number in range(6):
        found.begin("s", f"S{number}").end("ok", "")
    assert [(r["id"], r["session"]) for r in found.all()] == [(4, "S3"), (5, "S4"), (6, "S5")]
    fewer = traces(tmp_path, count=1)
    fewer.begin("s", "last").end("ok", "")
    assert [record["id"] for record in fewer.all()] == [7]
    assert (tmp_path / "README").exists()


def test_file_is_no_larger_than_allowed_and_says_so(tmp_path: Path) -> None:
    found = traces(tmp_path, size=4096)
    trace = found.begin("s", "A1")
    for _ in range(20):
        trace.sent({}, body(Item(target="./A", data=b"x" * 500)), Encoding.WBXML.value)
    trace.end("failed", "d" * 5000)
    text = kept(found)
    assert len(text.encode()) <= 4096
    assert text.count("the rest is left out: trace_file_bytes") == 1
    assert text.splitlines()[-1].startswith("ended failed: ddd")


def test_session_that_was_cut_off_is_unfinished(tmp_path: Path) -> None:
    found = traces(tmp_path)
    found.begin("s", "A1").sent({}, body(), Encoding.WBXML.value)
    assert [record["outcome"] for record in found.all()] == ["unfinished"]


def test_what_a_server_calls_itself_stays_on_its_line(tmp_path: Path) -> None:
    found = traces(tmp_path)
    found.begin("evil\nended ok\n\x1b[2J", "A1").sent({}, body(), Encoding.WBXML.value)
    (record,) = found.all()
    assert record["outcome"] == "unfinished"
    assert "\x1b" not in kept(found)


def test_trace_that_is_not_there_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(Unknown, match="no trace 9"):
        traces(tmp_path).one(9)
    (tmp_path / "000009.txt").write_text("something else")
    with pytest.raises(Unknown):
        traces(tmp_path).one(9)
    assert traces(tmp_path).all() == []


def test_directory_that_cannot_be_written_costs_the_trace_not_the_session(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "traces").write_text("a file in the way")
    found = traces(tmp_path / "traces")
    trace = found.begin("s", "A1")
    trace.sent({}, body(), Encoding.WBXML.value)
    trace.end("ok", "")
    assert "no trace of this session" in caplog.text


def test_file_that_is_not_ours_any_more_ends_the_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trace = traces(tmp_path).begin("s", "A1")
    other = tmp_path / "other"
    other.write_text("untouched")
    (tmp_path / "000001.txt").unlink()
    (tmp_path / "000001.txt").symlink_to(other)
    trace.sent({}, body(), Encoding.WBXML.value)
    trace.sent({}, body(), Encoding.WBXML.value)
    trace.end("ok", "")
    assert other.read_text() == "untouched"
    assert caplog.text.count("the trace of this session ends here") == 1


class Silent:
    """A transport to nobody."""

    async def exchange(self, url: str, *_: object) -> Reply:
        raise TransportError(f"no route to {url}", is_retryable=True)

    def close(self) -> None:
        """Nothing is open."""


def test_message_without_an_answer_is_noted(tmp_path: Path) -> None:
    found = traces(tmp_path)
    trace = found.begin("s", "A1")
    transport = Traced(Silent(), trace)
    with pytest.raises(TransportError):
        asyncio.run(transport.exchange("https://u:pw@dm.example", body(), "text/plain", {}))
    transport.close()
    assert kept(found).endswith("← nothing: no route to https://***@dm.example\n")


@pytest.mark.parametrize("encoding", ["wbxml", "xml"])
@pytest.mark.parametrize("kind", ["BASIC", "DIGEST", "HMAC"])
def test_no_secret_of_a_session_is_in_its_trace(tmp_path: Path, encoding: str, kind: str) -> None:
    settings = Settings(log=Log(trace="full"))
    with Device(tmp_path, settings, client_auth=kind, server_auth="DIGEST") as device:
        new = "brand new secret"
        say = Say(
            commands=(
                Get(cmd_id="1", items=(Item(target="./DMAcc?list=TNDS"),)),
                Get(cmd_id="2", items=(Item(target="./DevInfo/Man"),)),
                Replace(cmd_id="3", items=(Item(target="./DMAcc/a/AAuthSecret",
                                                data=new.encode()),)),
                Add(cmd_id="4", items=(Item(target="./Toy/a", meta=Meta(format="chr"),
                                            data=b"a value to see"),)),
            )
        )  # fmt: skip
        talk = device.session(say)
        found = Traces(device.paths.traces_dir, settings.log, FakeClock())
        text = kept(found)
    assert talk.report.outcome == "ok"
    assert [record["outcome"] for record in found.all()] == ["ok"]
    assert "a value to see" in text
    assert text.count("→ ") == talk.report.messages
    for secret in _forms(CLIENT_SECRET.reveal(), SERVER_SECRET.reveal(), new):
        assert secret not in text
    for nonce in _forms(CLIENT_NONCE.decode(), SERVER_NONCE.decode(), "fresh nonce 1"):
        assert nonce not in text
    carried = [c for heard in talk.heard for c in re.findall(rb"[A-Za-z0-9+/]{22}==", heard.body)]
    for digest in carried:
        assert digest.decode() not in text


def _forms(*secrets: str) -> list[str]:
    """Return secrets as they are and as base64 shows them, wherever they begin."""
    found = list(secrets)
    for secret in secrets:
        for shift in range(3):
            octets = base64.b64encode(b"\0" * shift + secret.encode())
            found.append(octets[4:-4].decode())
    return found
