# SPDX-License-Identifier: Apache-2.0
"""A device without a server, one that pushes its documents, and a person at a terminal."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from scomod.dmclient.seal import Method, Profile
from scomod.lab import push
from scomod.secret import Secret
from tests.support.at_terminal import Terminal, scomoctl_at_terminal
from tests.support.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
IMSI = "310004105064640"
PIN = "940721685309"  # no port, time or number of a process has so many digits
QUESTION = "Ctrl-C cancels: "
OVERRIDE = f"""
[bootstrap]
imsi = "{IMSI}"
push_existing = "replace"
"""


class Newcomer:
    """A rig whose device has no server at first."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.daemon = rig.start_daemon()
        rig.until_up()

    def send(self, method: Method, kind: Profile) -> str:
        """Push the account of the bench; returns what the person has to enter."""
        bench = self.rig.bench

        async def send() -> Secret:
            return push.bootstrap(
                bench.register,
                self.rig.account,
                bench.dm_url,
                (HOST, self.rig.udp_port),
                kind=kind,
                method=method,
                pin=Secret(PIN),
                imsi=IMSI,
            )

        entered: Secret = self.rig.in_bench(send())
        return entered.reveal()

    def servers(self) -> list[str]:
        return [server["server_id"] for server in self.rig.status()["servers"]]

    def sessions(self) -> list[str]:
        """The ids of the sessions that the server saw."""
        return [r["session"] for r in self.rig.account.records if r["what"] == "start"]

    def until_met(self, before: list[str]) -> None:
        """Wait until a session went well that was not there before."""

        def is_met() -> bool:
            status = self.rig.status()
            is_over = self.sessions() != before and not status["session"]
            last = [server.get("last_session", {}) for server in status["servers"]]
            return is_over and [each.get("outcome") for each in last] == ["ok"]

        self.rig.until(is_met, "the first session")

    def kill(self) -> None:
        self.rig.kill(self.daemon)
        self.daemon = self.rig.start_daemon()
        self.rig.until_up()

    def log(self) -> str:
        return (self.rig.directory / "scomod.log").read_text()


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    with Rig(tmp_path_factory.mktemp("rig"), first_session="always") as rig:
        rig.udp_port = free_udp_port()
        rig.write_config()
        rig.override(OVERRIDE)
        yield Newcomer(rig)


@pytest.fixture(scope="module")
def person(device: Newcomer) -> Iterator[Terminal]:
    with scomoctl_at_terminal(device.rig.bus_address, "agent") as terminal:
        terminal.until("Ctrl-C ends")
        yield terminal


def entered(person: Terminal, text: str) -> str:
    """Wait for the question and answer it; returns what was shown."""
    shown = person.until(QUESTION)
    assert not person.is_echoing()
    person.type(f"{text}\n")
    return shown


def test_wrong_pin_three_times_makes_nothing(device: Newcomer, person: Terminal) -> None:
    device.send(Method.USERPIN, Profile.CP)
    for tries in (3, 2, 1):
        shown = entered(person, "00000")
        assert f"Tries left: {tries}." in shown
        assert device.rig.account.server_id in shown
    device.rig.until(lambda: "wrong too often" in device.log(), "the end of it")
    assert device.servers() == []
    assert device.sessions() == []


@pytest.mark.spec("omadm 9.3", "omadm 9.4")
@pytest.mark.parametrize(
    ("method", "kind"),
    [
        (Method.NETWPIN, Profile.DM),
        (Method.USERPIN, Profile.CP),
        (Method.USERNETWPIN, Profile.DM),
        (Method.USERPINMAC, Profile.CP),
    ],
)
def test_sealed_document_leads_to_a_first_session(
    device: Newcomer, person: Terminal, method: Method, kind: Profile
) -> None:
    before = device.sessions()
    pin = device.send(method, kind)
    if method.needs_pin:
        entered(person, pin)
    device.until_met(before)
    assert device.servers() == [device.rig.account.server_id]


def test_daemon_that_is_killed_in_the_middle_of_the_question_asks_again(
    device: Newcomer, person: Terminal
) -> None:
    before = device.sessions()
    pin = device.send(Method.USERPIN, Profile.DM)
    person.until(QUESTION)
    device.kill()
    person.until("waiting for prompts")
    entered(person, pin)
    device.until_met(before)


def test_what_was_typed_is_nowhere(device: Newcomer) -> None:
    kept = [path.read_bytes() for path in device.rig.directory.rglob("*.log")]
    kept += [path.read_bytes() for path in (device.rig.root / "var/lib/scomod").rglob("*.db*")]
    assert kept
    assert not any(PIN.encode() in octets for octets in kept)
