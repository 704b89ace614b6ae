# SPDX-License-Identifier: Apache-2.0
"""Sessions of a real client with the bench, recorded through the proxy and played again."""

from __future__ import annotations

import json
import secrets
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests

from scomod.clock import SystemClock
from scomod.dmclient.codec import Encoding
from scomod.lab.__main__ import main
from scomod.lab.devices import Register
from scomod.lab.pki import Pki
from scomod.lab.recording import Recording, Writer, read
from scomod.lab.recordproxy import RecordProxy
from scomod.lab.replay import Departed
from scomod.lab.replayserver import ReplayServer
from scomod.secret import Secret
from tests.support.lab_line import Line
from tests.support.package_host import closed_port
from tests.support.raw_server import Conversation, RawServer
from tests.support.scripted import (
    CLIENT_NAME,
    CLIENT_NONCE,
    CLIENT_SECRET,
    SERVER_ID,
    SERVER_NONCE,
    SERVER_SECRET,
    speaking,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.scripted import Device


def recorded(line: Line, file: Path, story: str = "read put") -> Path:
    """Record a session per word, in which the bench does what the word says."""
    orders = {
        "read": ("read", {"uris": "./DevInfo ./Toy"}),
        "put": ("put", {"uri": "./Toy/x/Text", "value": "a value"}),
        "missing": ("read", {"uris": "./Nothing"}),
    }
    writer = Writer(file, line.bench.dm_url, "2026-01-01T00:00:00Z")
    pki = line.bench.pki
    with (
        RecordProxy(line.bench.dm_url, writer, pki.server_file, ca_file=pki.ca_file) as proxy,
        line.new_device(proxy.url(proxy.path, "localhost")) as device,
    ):
        for word in story.split():
            kind, params = orders[word]
            line.order(kind, **params)
            assert line.session(device).outcome == "ok"
    writer.close()
    return file


def played(line: Line, file: Path, auth: str = "md5", *, has_values: bool = False) -> ReplayServer:
    """Return a replay whose account is the one that devices of the line have."""
    directory = line.directory / f"replay-{secrets.token_hex(4)}"
    known_in(directory, auth)
    return ReplayServer(file, directory, user=CLIENT_NAME, has_values=has_values)


def known_in(directory: Path, auth: str = "md5") -> None:
    """Make the account that devices of a line have."""
    register = Register(directory / "replay", SystemClock(), secrets.token_bytes)
    account = register.add(
        CLIENT_NAME,
        password=CLIENT_SECRET.reveal(),
        server_id=SERVER_ID,
        server_password=SERVER_SECRET.reveal(),
        auth=auth,
    )
    account.client_nonce, account.server_nonce = CLIENT_NONCE, SERVER_NONCE
    register.save(account)


def client_of(line: Line, server: ReplayServer) -> Device:
    trust(line, server.ca_file)
    return line.new_device(server.url)


def trust(line: Line, ca_file: Path) -> None:
    with line.bench.pki.ca_file.open("ab") as trusted:
        trusted.write(ca_file.read_bytes())


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with Line(tmp_path_factory.mktemp("line")) as made:
        yield made


@pytest.fixture(scope="module")
def story(line: Line) -> Path:
    line.bench.switches.set("dm.nonce", "on", 1)  # the record has a round of credentials more
    return recorded(line, line.directory / "story.jsonl")


def test_a_recorded_story_is_played_to_another_device(line: Line, story: Path) -> None:
    with played(line, story) as server, client_of(line, server) as device:
        reports = [line.session(device) for _ in range(2)]
        assert [report.outcome for report in reports] == ["ok", "ok"]
        assert device.value("./Toy/x/Text") == "a value"
        assert server.wait(10)
        assert server.player.progress == (5, 5)


@pytest.mark.parametrize(("encoding", "auth"), [(Encoding.WBXML, "mac"), (Encoding.XML, "basic")])
def test_each_syntax_and_proof_is_recorded_and_played(
    tmp_path: Path, encoding: Encoding, auth: str
) -> None:
    with Line(tmp_path, speaking(encoding), auth) as line:
        file = recorded(line, tmp_path / "s.jsonl", "put")
        with played(line, file, auth) as server, client_of(line, server) as device:
            assert line.session(device).outcome == "ok"


def test_no_secret_is_in_a_recording(line: Line, tmp_path: Path) -> None:
    file = recorded(line, tmp_path / "s.jsonl", "read")
    text = file.read_text()
    messages = [side for ex in read(file).exchanges for side in (ex.request, ex.response)]
    account = line.account
    for secret in (account.password, account.server_password, Secret("client-pw")):
        assert secret.reveal() not in text
    for side in messages:
        message = side.message()
        assert message is not None
        if message.header.cred is not None:
            assert set(message.header.cred.data) == {"*"}
        nonces = [getattr(command, "chal", None) for command in message.commands]
        assert all(set(chal.next_nonce) == {"*"} for chal in nonces if chal)
    assert file.stat().st_mode & 0o777 == 0o600


def departure(line: Line, server: ReplayServer, device: Device, sessions: int) -> str:
    """Return what is said of a client that departs within so many sessions."""

    def hold() -> None:
        with server:
            for _ in range(sessions):
                line.session(device)

    with device, pytest.raises(Departed) as caught:
        hold()
    return str(caught.value)


def test_a_client_that_departs_is_caught_with_what_differs(line: Line, story: Path) -> None:
    server = played(line, story)
    device = client_of(line, server)
    device.put("./Toy/x")
    device.put("./Toy/x/Text", value="there already")
    text = departure(line, server, device, 2)
    assert "(message 2 of session" in text
    assert "\n- Status 200 ok to Add ./Toy/x/Text (" in text
    assert "\n+ Status 418 already exists to Add ./Toy/x/Text (" in text


def test_a_client_that_ends_early_is_caught(line: Line, story: Path) -> None:
    server = played(line, story)
    text = departure(line, server, client_of(line, server), 1)
    assert text.startswith("the client ended before exchange ")
    assert "\n- Alert: the session begins\n" in text


def test_a_client_that_goes_on_is_caught(line: Line, tmp_path: Path) -> None:
    server = played(line, recorded(line, tmp_path / "s.jsonl", "put"))
    text = departure(line, server, client_of(line, server), 2)
    assert "behind the end of the record" in text


def test_a_client_with_other_credentials_is_caught(line: Line, story: Path) -> None:
    server = played(line, story)
    server.account.password = Secret("another")
    assert "does not prove itself" in departure(line, server, client_of(line, server), 1)


def test_values_count_only_where_they_are_asked_for(line: Line, story: Path) -> None:
    server = played(line, story, has_values=True)
    text = departure(line, server, client_of(line, server), 1)
    assert "\n+ Replace ./DevInfo/DevId [chr text/plain] = 'urn:uuid:" in text


def test_a_server_that_is_away_is_played_too(line: Line, tmp_path: Path) -> None:
    line.bench.switches.set("dm.status", "503", 1)
    file = tmp_path / "s.jsonl"
    writer = Writer(file, "", "")
    pki = line.bench.pki
    with (
        RecordProxy(line.bench.dm_url, writer, pki.server_file, ca_file=pki.ca_file) as proxy,
        line.new_device(proxy.url("/dm", "localhost")) as device,
    ):
        assert "HTTP 503" in line.session(device).detail
        assert line.session(device).outcome == "ok"
    writer.close()
    with played(line, file) as server, client_of(line, server) as device:
        report = line.session(device)
        assert ("HTTP 503" in report.detail, report.retry_after_s) == (True, 1.0)
        assert line.session(device).outcome == "ok"


def test_the_proxy_verifies_the_server_and_says_that_no_answer_came(
    line: Line, tmp_path: Path
) -> None:
    writer = Writer(tmp_path / "s.jsonl", "", "")
    told: list[str] = []
    server_file = line.bench.pki.server_file
    with (
        RecordProxy(line.bench.dm_url, writer, server_file, notice=told.append) as proxy,
        line.new_device(proxy.url("/dm", "localhost")) as device,
    ):
        assert "HTTP 502" in line.session(device).detail
    writer.close()
    assert "CERTIFICATE_VERIFY_FAILED" in told[0]
    assert read(tmp_path / "s.jsonl").exchanges[0].response.failed


def test_a_new_address_leads_to_the_proxy_again(line: Line, tmp_path: Path) -> None:
    """Servers that name their session in RespURI would have the device go on past us."""
    heard: list[str] = []

    def answer(conversation: Conversation) -> None:
        heard.append(conversation.target)
        body = conversation.body.replace(b"<MsgID>", b"<RespURI>URI</RespURI><MsgID>")
        body = body.replace(b"URI<", f"{server.url('/dm', 'localhost')}?s=1<".encode(), 1)
        kind = "Content-Type: application/vnd.syncml.dm+xml"
        lines = ["HTTP/1.1 200 OK", kind, f"Content-Length: {len(body)}", "", ""]
        conversation.send("\r\n".join(lines).encode() + body)

    writer = Writer(tmp_path / "s.jsonl", "", "")
    with (
        RawServer({"/dm": answer}, line.bench.pki.server_context()) as server,
        RecordProxy(
            server.url("/dm", "localhost"), writer, line.bench.pki.server_file,
            ca_file=line.bench.pki.ca_file,
        ) as proxy,
    ):  # fmt: skip
        own = proxy.url("", "localhost")
        side, _ = proxy.ask("/dm", XML.encode(), {"content-type": Encoding.XML.value})
        assert f"<RespURI>{own}/dm?s=1</RespURI>".encode() in proxy.readdressed(side, own)
    writer.close()


def test_headers_come_through_also_without_a_value(line: Line, tmp_path: Path) -> None:
    def answer(conversation: Conversation) -> None:
        conversation.send(b"HTTP/1.1 200 OK\r\nX-Empty:\r\nX-Full: 1\r\nContent-Length: 0\r\n\r\n")

    writer, pki = Writer(tmp_path / "s.jsonl", "", ""), line.bench.pki
    with (
        RawServer({"/dm": answer}, pki.server_context()) as server,
        RecordProxy(
            server.url("/dm", "localhost"), writer, pki.server_file, ca_file=pki.ca_file
        ) as proxy,
    ):
        url = proxy.url("/dm", "localhost")
        response = requests.post(url, data=b"", verify=str(pki.ca_file), timeout=60)
    assert (response.headers["X-Empty"], response.headers["X-Full"]) == ("", "1")
    writer.close()


XML = (
    "<SyncML xmlns='SYNCML:SYNCML1.2'><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto>"
    "<SessionID>1</SessionID><MsgID>1</MsgID><Target><LocURI>a</LocURI></Target>"
    "<Source><LocURI>b</LocURI></Source></SyncHdr><SyncBody><Final/></SyncBody></SyncML>"
)


def test_the_command_line_records_whether_it_is_told_to_end_or_killed(
    line: Line, tmp_path: Path
) -> None:
    for number, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0)):
        file = tmp_path / f"{number}.jsonl"
        to = ["--to", line.bench.dm_url, "--ca", str(line.bench.pki.ca_file), "--port", "0"]
        process = subprocess.Popen(
            [sys.executable, "-m", "scomod.lab", "--dir", str(line.lab), "record", str(file), *to],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        with line.new_device(url) as device:
            assert line.session(device).outcome == "ok"
        process.send_signal(number)
        process.communicate()
        assert process.returncode == code
        assert len(read(file).exchanges) == 1


def test_the_command_line_replays_and_tells_by_its_code(
    line: Line, story: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = ["--dir", str(tmp_path), "replay", str(story)]
    assert main([*to, "--show"]) == 0
    assert "Add ./Toy/x/Text" in capsys.readouterr().out
    profile = tmp_path / "p.xml"
    assert main([*to, "--port", "0", "--wait", "0", "--profile", str(profile)]) == 1
    assert "the client ended before exchange 1" in capsys.readouterr().err
    assert "APPSRV" in profile.read_text()
    assert profile.stat().st_mode & 0o777 == 0o600


def test_the_command_line_tells_that_the_client_did_all(line: Line, story: Path) -> None:
    directory = line.directory / "command"
    known_in(directory)
    pki = Pki(directory / "pki")
    pki.ensure()
    trust(line, pki.ca_file)
    port = closed_port()
    to = ["--dir", str(directory), "replay", str(story), "--user", CLIENT_NAME]
    with ThreadPoolExecutor() as pool:
        code = pool.submit(main, [*to, "--port", str(port)])
        while not is_open(port) and not code.done():
            time.sleep(0.02)
        with line.new_device(f"https://localhost:{port}/dm") as device:
            reports = [line.session(device) for _ in range(2)]
        assert code.result(100) == 0, reports


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_recording_that_is_there_is_not_overwritten(
    story: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    to = ["--dir", str(tmp_path), "record", str(story), "--to", "https://localhost/dm"]
    assert main(to) == 1
    assert "File exists" in capsys.readouterr().err


def test_exchanges_are_whole_whatever_was_cut_off(story: Path, tmp_path: Path) -> None:
    whole = read(story)
    octets = story.read_bytes()
    file = tmp_path / "cut.jsonl"
    ends = [number for number, octet in enumerate(octets, start=1) if octet == 0x0A]
    counts = []
    for end in ends:
        for cut in (end - 1, end, end + 1):
            file.write_bytes(octets[:cut])
            if cut >= ends[0]:
                found: Recording = read(file)
                assert found.exchanges == whole.exchanges[: len(found.exchanges)]
                counts.append(len(found.exchanges))
    assert (min(counts), max(counts)) == (0, len(whole.exchanges))


def test_a_recording_can_be_written_by_hand(line: Line, story: Path, tmp_path: Path) -> None:
    """Without its octets a message is read from the XML, in which something was changed."""
    rows = [json.loads(text) for text in story.read_text().splitlines()]
    for row in rows[1:]:
        del row["body"]
        row["xml"] = row["xml"].replace("a value", "another value")
    file = tmp_path / "hand.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with played(line, file) as server, client_of(line, server) as device:
        line.session(device)
        line.session(device)
        assert device.value("./Toy/x/Text") == "another value"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no recording"),
        ("[]\n", "1: no object"),
        ("{}\n", "is no recording of version 1"),
        ('{"scomod-recording": 2}\n', "is no recording of version 1"),
        ('{"scomod-recording": 1}\n{\n', "2: no JSON"),
        ('{"scomod-recording": 1}\n{"body": "?"}\n', "2: body is no base64"),
        ('{"scomod-recording": 1}\n', "there is nothing to play"),
    ],
)
def test_a_file_that_cannot_be_played_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    file = tmp_path / "s.jsonl"
    file.write_text(text)
    assert main(["--dir", str(tmp_path), "replay", str(file), "--port", "0", "--wait", "0"]) == 1
    assert says in capsys.readouterr().err
