# SPDX-License-Identifier: Apache-2.0
"""Kannel, the WAP and SMS gateway, in a network of its own: a push gateway that is not ours.

    with Network() as network, Kannel(network, directory) as kannel:
        kannel.push(body)                            # to UDP 2948 of that network
        user_data = kannel.short_messages(body)      # as an SMS centre would get them

Real programs of Debian; for root, who alone may have networks.  What a test does inside
is `network.inside(work)`; a socket made there may be used by whoever has it.
"""

from __future__ import annotations

import ctypes
import http.client
import os
import re
import secrets
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Self, TypeVar
from urllib.parse import unquote_to_bytes

from scomod.dmclient import push, sms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

T = TypeVar("T")

HOST: Final = "127.0.0.1"
PORT: Final = 2948
PHONE: Final = "+358408201681"
DEADLINE_S: Final = 60.0
PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
ADMIN_PORT, SMSBOX_PORT, BOX_PORT, CENTRE_PORT, PPG_PORT = 13000, 13001, 13002, 10000, 18080
SECRET: Final = "only-here"

CONFIG: Final = f"""
group = core
admin-port = {ADMIN_PORT}
admin-password = {SECRET}
smsbox-port = {SMSBOX_PORT}
wapbox-port = {BOX_PORT}
wdp-interface-name = "{HOST}"
log-file = "bearerbox.log"
log-level = 0

group = wapbox
bearerbox-host = {HOST}
log-file = "wapbox.log"
log-level = 0

group = smsbox
bearerbox-host = {HOST}

group = sms-service
keyword = default
text = "not started"

group = smsc
smsc = fake
smsc-id = CENTRE
port = {CENTRE_PORT}
connect-allow-ip = {HOST}

group = ppg
ppg-url = /wappush
ppg-port = {PPG_PORT}
concurrent-pushes = 100
trusted-pi = true
users = 10
ppg-allow-ip = "{HOST}"
service-name = ppg
default-smsc = CENTRE

group = wap-push-user
wap-push-user = tester
ppg-username = tester
ppg-password = {SECRET}
"""

# To whom: the address of a push (Push Access Protocol) and the bearer that carries it.
OVER_IP: Final = (f"WAPPUSH={HOST}/TYPE=IPv4@ppg.example", "CSD")
OVER_SMS: Final = (f"WAPPUSH={PHONE}/TYPE=PLMN@ppg.example", "SMS")

CONTROL: Final = """<?xml version="1.0"?>
<!DOCTYPE pap PUBLIC "-//WAPFORUM//DTD PAP//EN" "http://www.wapforum.org/DTD/pap_1.0.dtd">
<pap><push-message push-id="{name}@push.example" progress-notes-requested="false">
<address address-value="{address}"></address>
<quality-of-service priority="low" delivery-method="unconfirmed" network-required="true"
 network="GSM" bearer-required="true" bearer="{bearer}"></quality-of-service>
</push-message></pap>
"""


def may_have_networks() -> bool:
    """Tell whether this user can make a network of its own."""
    done = subprocess.run(["unshare", "-n", "true"], check=False, capture_output=True)
    return os.geteuid() == 0 and done.returncode == 0


class Network:
    """A network with nothing but its own 127.0.0.1; a thread lives in it and works for others."""

    def __enter__(self) -> Self:
        self._thread = ThreadPoolExecutor(1, initializer=_leave)
        self.run("ip", "link", "set", "lo", "up").wait(DEADLINE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def inside(self, work: Callable[[], T]) -> T:
        """Do something in the network."""
        return self._thread.submit(work).result(DEADLINE_S)

    def run(self, *command: str, directory: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a program in the network."""
        return self.inside(
            lambda: subprocess.Popen(
                command,
                cwd=directory,
                env={"PATH": PATH},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

    def listening(self, port: int = PORT) -> socket.socket:
        """Return a UDP socket of the network, as a service manager would pass it on."""

        def listen() -> socket.socket:
            door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            door.bind((HOST, port))
            return door

        return self.inside(listen)

    def connected(self, port: int) -> socket.socket:
        """Return a connection to a port; raises `OSError` where nobody listens."""
        return self.inside(lambda: socket.create_connection((HOST, port), DEADLINE_S))

    def is_open(self, port: int) -> bool:
        """Tell whether somebody listens on a port."""
        with suppress(ConnectionRefusedError), self.connected(port):
            return True
        return False


class Kannel:
    """Bearerbox and wapbox; entered they run, and may be restarted."""

    def __init__(self, network: Network, directory: Path) -> None:
        self._network = network
        self._directory = directory
        self._boxes: list[subprocess.Popen[bytes]] = []
        self._centre: BinaryIO | None = None

    def __enter__(self) -> Self:
        self._directory.mkdir(exist_ok=True)
        (self._directory / "kannel.conf").write_text(CONFIG)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the boxes and wait until they know each other."""
        for program, port in (("bearerbox", BOX_PORT), ("wapbox", PPG_PORT)):
            box = self._network.run(program, "kannel.conf", directory=self._directory)
            self._boxes.append(box)
            self._until(partial(self._network.is_open, port), program)
        self._until(lambda: "wapbox" in self.status(), "wapbox")

    def stop(self) -> None:
        """End the boxes at once."""
        if self._centre is not None:
            self._centre.close()
            self._centre = None
        for box in reversed(self._boxes):
            box.send_signal(signal.SIGKILL)
            box.wait(DEADLINE_S)
        self._boxes.clear()

    def status(self) -> str:
        """What Kannel says of itself."""
        return self._asked(ADMIN_PORT, "GET", f"/status.txt?password={SECRET}")[1]

    def push(
        self,
        body: bytes,
        *,
        content_type: str = push.CONTENT_TYPE_NOTIFICATION,
        application_id: str = push.APPLICATION_ID_DM,
        to: tuple[str, str] = OVER_IP,
    ) -> None:
        """Have a push sent; it was, when this returns and Kannel runs."""
        mark = secrets.token_hex(8)
        control = CONTROL.format(name=secrets.token_hex(8), address=to[0], bearer=to[1])
        parts = (
            ("Content-Type: application/xml", control.encode()),
            (f"Content-Type: {content_type}\r\nX-WAP-Application-Id: {application_id}", body),
        )
        written = b"".join(
            f"--{mark}\r\n{head}\r\n\r\n".encode() + content + b"\r\n" for head, content in parts
        )
        status, answer = self._asked(
            PPG_PORT,
            "POST",
            f"/wappush?username=tester&password={SECRET}",
            written + f"--{mark}--\r\n".encode(),
            f'multipart/related; boundary={mark}; type="application/xml"',
        )
        is_taken = status == http.client.ACCEPTED and re.search('code *="1001"', answer)
        assert is_taken, answer

    def short_messages(self, body: bytes, **how: str) -> list[bytes]:
        """Have a push sent by SMS; returns the user data of each message, header first."""
        if self._centre is None:
            with self._network.connected(CENTRE_PORT) as link:  # the file keeps it open
                self._centre = link.makefile("rb")
            self._until(lambda: "(online" in self.status(), "the SMS centre")
        self.push(body, to=OVER_SMS, **how)
        found: list[bytes] = []
        while not found or len(found) < sms.read(found[0]).total:
            found.append(_user_data(self._centre.readline()))
        return found

    def logs(self) -> str:
        """The ends of what the boxes wrote."""
        return "\n".join(
            log.read_text(errors="replace")[-3000:] for log in self._directory.glob("*.log")
        )

    def _asked(
        self, port: int, method: str, path: str, body: bytes = b"", kind: str = "text/plain"
    ) -> tuple[int, str]:
        def ask() -> tuple[int, str]:
            with closing(http.client.HTTPConnection(HOST, port, timeout=DEADLINE_S)) as link:
                link.request(method, path, body, {"Content-Type": kind})
                answer = link.getresponse()
                return answer.status, answer.read().decode(errors="replace")

        return self._network.inside(ask)

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        end_s = time.monotonic() + DEADLINE_S
        while not condition():
            assert all(box.poll() is None for box in self._boxes), self.logs()
            assert time.monotonic() < end_s, f"waited in vain for {what}\n{self.logs()}"
            time.sleep(0.05)


def _leave() -> None:
    """Take this thread, and what it starts, into a network of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x40000000):  # CLONE_NEWNET, linux/sched.h
        raise OSError(ctypes.get_errno(), "unshare")


def _user_data(line: bytes) -> bytes:
    """Read what Kannel sends to its fake SMS centre: SENDER RECEIVER udh HEADER data TEXT."""
    found = re.fullmatch(rb"\S+ \S+ udh (\S+) data (\S*)\n", line)
    assert found is not None, line
    # a space is written as in forms
    return b"".join(unquote_to_bytes(part.replace(b"+", b" ")) for part in found.groups())
