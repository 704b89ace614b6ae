# SPDX-License-Identifier: Apache-2.0
"""The bench over real HTTPS: packages with their faults, admin interface, command line, push."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest

from scomod.clock import SystemClock
from scomod.dmclient import notification, seal
from scomod.dmclient.auth import decode_nonce
from scomod.dmclient.codec import Encoding
from scomod.dmclient.push import parse_push
from scomod.download import delta
from scomod.lab import packages
from scomod.lab.__main__ import main
from scomod.lab.bench import Bench
from scomod.lab.packageserver import Fault
from scomod.lab.pki import Pki
from scomod.lab.push import WSP_PUSH
from scomod.secret import Secret
from scomod.verify import parse_install_params
from tests.support.scripted_device import ScriptedDevice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = bytes(range(256)) * 400
TIMEOUT_S = 100.0


class Running:
    """A bench in another thread, and a client of it."""

    def __init__(self, bench: Bench, loop: asyncio.AbstractEventLoop) -> None:
        self.bench = bench
        self.loop = loop
        self.context = bench.pki.client_context()

    def fetch(self, path: str, body: Any = None, **headers: str) -> http.client.HTTPResponse:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | headers
        request = urllib.request.Request(self.bench.base_url + path, data=data, headers=headers)
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S, context=self.context)
        assert isinstance(response, http.client.HTTPResponse)
        return response

    def read(self, path: str, body: Any = None, **headers: str) -> bytes:
        with self.fetch(path, body, **headers) as response:
            return response.read()

    def json(self, path: str, body: Any = None) -> Any:
        return json.loads(self.read(path, body))

    def refusal(self, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
        with pytest.raises(urllib.error.HTTPError) as caught:
            self.read(path, body, **headers)
        with caught.value as error:
            return error.code, error.read().decode()

    def post_message(self, body: bytes, encoding: Encoding) -> bytes:
        return self.read("/dm", body, **{"Content-Type": encoding.value})


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    bench = Bench(tmp_path / "lab", clock=SystemClock(), random=secrets.token_bytes)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def do(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(TIMEOUT_S)

    try:
        do(bench.__aenter__())
        (bench.packages.directory / "p.deb").write_bytes(CONTENT)
        yield Running(bench, loop)
        do(bench.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(TIMEOUT_S)
        loop.close()


def test_a_package_comes_with_a_validator_and_in_ranges(running: Running) -> None:
    with running.fetch("/packages/p.deb") as whole:
        assert whole.read() == CONTENT
        validator = whole.headers["ETag"]
    with running.fetch("/packages/p.deb", Range="bytes=100-", **{"If-Range": validator}) as part:
        assert part.status == http.HTTPStatus.PARTIAL_CONTENT
        assert part.read() == CONTENT[100:]


@pytest.mark.parametrize("name", ["q.deb", "..%2fpki%2fca.pem", ".hidden"])
def test_nothing_but_package_files_is_served(running: Running, name: str) -> None:
    (running.bench.packages.directory / ".hidden").write_bytes(b"x")
    code, _ = running.refusal(f"/packages/{name}")
    assert code == http.HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("fault", [Fault.NOT_FOUND, Fault.UNAUTHORISED, Fault.UNAVAILABLE])
def test_a_counted_fault_goes_away(running: Running, fault: Fault) -> None:
    running.json("/api/packages/p.deb/fault", {"fault": fault, "count": 2})
    codes = [running.refusal("/packages/p.deb")[0] for _ in range(2)]
    assert codes == [int(fault)] * 2
    assert running.read("/packages/p.deb") == CONTENT


def test_a_truncated_package_breaks_off(running: Running) -> None:
    running.json("/api/packages/p.deb/fault", {"fault": "truncate"})
    with pytest.raises(http.client.IncompleteRead) as caught:
        running.read("/packages/p.deb")
    assert caught.value.partial == CONTENT[: len(CONTENT) // 2]
    running.json("/api/packages/p.deb/fault", {"fault": "none"})
    assert running.read("/packages/p.deb") == CONTENT


def test_a_wrong_package_has_the_right_length(running: Running) -> None:
    running.json("/api/packages/p.deb/fault", {"fault": "wrong"})
    content = running.read("/packages/p.deb")
    assert len(content) == len(CONTENT)
    assert content != CONTENT


def test_a_stalled_package_sends_half_and_then_nothing(running: Running) -> None:
    running.json("/api/packages/p.deb/fault", {"fault": "stall"})
    with running.fetch("/packages/p.deb") as response:
        assert response.read(len(CONTENT) // 2) == CONTENT[: len(CONTENT) // 2]
        raw: Any = response.fp
        raw.raw._sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            response.read(1)


def test_a_fault_for_no_file_is_refused(running: Running) -> None:
    assert running.refusal("/api/packages/none/fault", {"fault": "404"}) == (
        http.HTTPStatus.BAD_REQUEST,
        '{"error": "no package file \'none\'"}',
    )


def test_somebody_with_other_authorities_does_not_trust_the_bench(running: Running) -> None:
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(
            running.bench.dm_url, timeout=TIMEOUT_S, context=ssl.create_default_context()
        )


def test_a_registered_device_runs_its_orders_over_https(running: Running) -> None:
    running.json("/api/devices", {"user": "d1", "device_id": "any", "password": "a"})
    order = running.json("/api/devices/d1/orders", {"kind": "exec", "params": {"uri": "./X"}})
    device = device_from(running, "d1")
    device.run()
    assert device.executed == [("./X", order["correlator"])]
    assert running.json("/api/devices/urn:test:1")["orders"] == {"1": "accepted"}
    assert running.json("/api/devices/d1/orders")[0]["steps"][0]["code"] == 202
    whats = [record["what"] for record in running.json("/api/devices/d1/records")]
    assert whats == ["admitted", "start", "judged us", "status", "order", "end"]


def test_no_secret_is_in_what_the_interface_shows(running: Running) -> None:
    shown = running.read("/api/devices", {"user": "d1", "password": "pw one"})
    shown += running.read("/api/devices") + running.read("/api/devices/d1/records")
    account = running.bench.register.get("d1")
    assert b"pw one" not in shown
    assert account.server_password.reveal().encode() not in shown


def test_the_profile_holds_both_sides_credentials(running: Running) -> None:
    running.json("/api/devices", {"user": "d1", "password": 'a"<&', "server_id": "srv"})
    account = running.bench.register.get("d1")
    document = ET.fromstring(running.read("/api/devices/d1/profile"))  # noqa: S314 - our own
    application = document.find("characteristic")
    assert application is not None
    parms = {parm.get("name"): parm.get("value") for parm in application.findall("parm")}
    assert parms == {
        "APPID": "w7",
        "PROVIDER-ID": "srv",
        "NAME": "scomod-lab",
        "ADDR": running.bench.dm_url,
    }
    auths = [
        {parm.get("name"): parm.get("value") for parm in auth.findall("parm")}
        for auth in application.findall("characteristic")
    ]
    assert [auth["AAUTHLEVEL"] for auth in auths] == ["APPSRV", "CLIENT"]
    assert auths[0]["AAUTHSECRET"] == 'a"<&'
    assert auths[1]["AAUTHNAME"] == "srv"
    nonces = [decode_nonce(auth["AAUTHDATA"] or "") for auth in auths]
    assert nonces == [account.client_nonce, account.server_nonce]


def test_a_push_is_a_signed_notification_in_one_datagram(running: Running) -> None:
    running.json("/api/devices", {"user": "d1"})
    account = running.bench.register.get("d1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(TIMEOUT_S)
        wanted = {"host": "127.0.0.1", "port": udp.getsockname()[1]}
        ids = [running.json("/api/devices/d1/push", wanted)["session_id"] for _ in range(2)]
        datagram = udp.recv(2000)
    parsed = notification.parse(datagram.removeprefix(WSP_PUSH))
    assert datagram.startswith(WSP_PUSH)
    assert ids == [1, 2]
    assert (parsed.server_id, parsed.session_id) == (account.server_id, 1)
    nonces = [account.server_nonce]
    names = [account.server_id]
    assert notification.is_authentic(parsed, names, account.server_password, nonces)


def test_a_profile_goes_out_sealed_and_the_person_is_told_what_to_enter(
    running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running.json("/api/devices", {"user": "d1"})
    (tmp_path / "lab/url").write_text(running.bench.base_url)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(TIMEOUT_S)
        to = ["--dir", str(tmp_path / "lab"), "push", "d1", f"127.0.0.1:{udp.getsockname()[1]}"]
        for word in ("netwpin", "userpin", "usernetwpin", "userpinmac"):
            for kind in ("cp", "dm"):
                keys = ["--pin", "12345", "--imsi", "262019876543210"]
                assert main([*to, "--bootstrap", word, "--profile", kind, *keys]) == 0
                parcel = parse_push(udp.recv(8000))
                entered = capsys.readouterr().out.rstrip().rpartition(" enters ")[2]
                pin = Secret("" if word == "netwpin" else entered)
                found = seal.read(parcel.sec, parcel.mac)
                assert found is not None
                assert found.method == word.upper()
                profile = seal.Profile.CP if kind == "cp" else seal.Profile.DM
                assert seal.is_genuine(parcel.body, found, profile, "262019876543210", pin)
        assert main([*to, "--bootstrap", "userpin"]) == 1
    assert "USERPIN needs a PIN" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "body", "code", "text"),
    [
        ("/api/devices", {"user": "a b"}, 400, "no user name"),
        ("/api/devices", b"{", 400, "no JSON"),
        ("/api/devices", {"user": "x", "colour": "red"}, 400, "must be an object with user"),
        ("/api/devices/none", None, 404, "no device 'none'; known: d0"),
        ("/api/devices/d0/orders", {"kind": "fly"}, 400, "no order 'fly'"),
        ("/api/devices/d0/orders", {"kind": "read", "params": {"uris": 1}}, 400, "a text"),
        ("/api/devices/d0/push", {"host": "127.0.0.1", "port": "x"}, 400, "port must be"),
        (
            "/api/devices/d0/bootstrap",
            {"host": "127.0.0.1", "seal": "wax"},
            400,
            "NETWPIN, USERPIN",
        ),
        ("/api/packages/p.deb/fault", {"fault": "fire"}, 400, "fault must be one of 404"),
    ],
)
def test_a_senseless_request_is_refused_with_a_sentence(
    running: Running, path: str, body: Any, code: int, text: str
) -> None:
    running.json("/api/devices", {"user": "d0"})
    refused = running.refusal(path, body)
    assert refused[0] == code
    assert text in json.loads(refused[1])["error"]


@pytest.mark.parametrize(
    ("content_type", "code"), [("text/plain", 415), (Encoding.WBXML.value, 400)]
)
def test_what_is_no_message_is_refused(running: Running, content_type: str, code: int) -> None:
    assert running.refusal("/dm", b"hello", **{"Content-Type": content_type})[0] == code


def test_the_command_line_serves_a_device_from_profile_to_order(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    command = [sys.executable, "-m", "scomod.lab", "--dir", str(lab)]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=250, check=False
        )

    assert "no bench runs in" in run("devices").stderr
    with contextlib.ExitStack() as stack:
        server = subprocess.Popen([*command, "serve", "--port", "0"], stdout=subprocess.PIPE)
        stack.callback(end, server)
        wait_for(lab / "url")
        assert "<wap-provisioningdoc" in run("profile", "d1").stdout
        deb = packages.build(packages.DECLINED, tmp_path, Pki(lab / "pki"))
        older = shutil.copy(deb.path, tmp_path / "older.deb")
        ordered = run("order", "d1", "install", f"file={deb.path}", f"delta_from={older}")
        assert ordered.stdout.startswith("order 1 is queued, correlator d1-1-")
        assert (lab / "packages" / deb.path.name).read_bytes() == deb.path.read_bytes()
        shown = json.loads(run("devices", "d1").stdout)
        params = shown["orders"][0]["params"]["params"]
        assert params.startswith(deb.install_params)
        (offer,) = delta.offers(parse_install_params(params).rest)
        assert (offer.base, offer.size_bytes < deb.size_bytes) == (deb.sha256, True)
        made = (lab / "packages" / offer.url.rpartition("/")[2]).read_bytes()
        assert hashlib.sha256(made).hexdigest() == offer.sha256
        refused = run("push", "nobody", "127.0.0.1")
        assert (refused.returncode, refused.stderr) == (
            1,
            "scomod-lab: no device 'nobody'; known: d1\n",
        )
    assert not (lab / "url").exists()


def end(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(TIMEOUT_S) == 0
    if process.stdout is not None:
        process.stdout.close()


def wait_for(path: Path) -> None:
    end_s = time.monotonic() + TIMEOUT_S
    while not path.exists():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def device_from(running: Running, user: str) -> ScriptedDevice:
    account = running.bench.register.get(user)
    return ScriptedDevice(
        post=running.post_message,
        user=user,
        password=Secret(account.password.reveal()),
        server_id=account.server_id,
        server_password=account.server_password,
        client_nonce=account.client_nonce,
        server_nonce=account.server_nonce,
    )
