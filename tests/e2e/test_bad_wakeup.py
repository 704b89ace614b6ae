# SPDX-License-Identifier: Apache-2.0
"""Notifications that are old, forged or rubbish, and sessions that nobody can have."""

from __future__ import annotations

import random
import socket
import time
from typing import TYPE_CHECKING

import pytest

from scomod.busaddress import RemoteError
from scomod.dmclient.notification import UiMode
from scomod.lab import push
from scomod.lab.devices import Account
from scomod.secret import Secret
from tests.support.rig import Rig
from tests.support.serverside import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.nursery import Program

HOST = "127.0.0.1"
AGAIN_S = 0.3
HEADER_BYTES = len(push.WSP_PUSH)
DIGEST_BYTES = 16


class Door:
    """A device with its UDP port, and what came of what was sent there."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.daemon: Program = rig.start_daemon()
        rig.start_helper()
        rig.until_up()

    def sessions(self) -> list[str]:
        """The ids of the sessions that the bench saw, oldest first."""
        return [r["session"] for r in self.rig.account.records if r["what"] == "start"]

    def log(self) -> str:
        return (self.rig.directory / "scomod.log").read_text()

    def fresh(self, ui_mode: UiMode = UiMode.BACKGROUND) -> bytes:
        """A genuine notification that nobody has seen yet."""
        return push.push_of(self.rig.account, self.rig.account.next_session_id(), ui_mode)

    def send_until(self, condition: Callable[[], bool], *datagrams: bytes) -> None:
        """Send, again and again: the device drops what comes too often, whatever it is."""
        end_s = time.monotonic() + DEADLINE_S
        while True:
            for datagram in datagrams:
                push.send(datagram, HOST, self.rig.udp_port)
            time.sleep(AGAIN_S)
            if condition():
                return
            assert time.monotonic() < end_s, self.rig.logs()

    def check_rings(self, *datagrams: bytes) -> None:
        """What is sent asks for one session."""
        before = self.sessions()
        self.send_until(lambda: self.sessions() != before, *datagrams)
        self.rig.until_reported()
        assert self.sessions() == [*before, f"{self.rig.account.session_id:X}"]

    def check_silent(self, words: str, *datagrams: bytes) -> None:
        """What is sent gives but words in the log; a genuine notification still counts."""
        mark, before = len(self.log()), self.sessions()
        self.send_until(lambda: words in self.log()[mark:], *datagrams)
        assert self.sessions() == before
        self.check_rings(self.fresh())
        assert self.daemon.poll() is None

    def restart(self) -> None:
        self.rig.kill(self.daemon)
        self.daemon = self.rig.start_daemon()
        self.rig.until_up()


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with Rig(tmp_path_factory.mktemp("rig")) as rig:
        rig.udp_port = free_udp_port()
        rig.write_config()
        rig.bootstrap()
        made = Door(rig)
        yield made
        rig.check_well()


def test_a_notification_counts_once_also_after_a_restart(door: Door) -> None:
    datagram = door.fresh()
    door.check_rings(datagram, datagram, datagram)
    door.check_silent("seen before", datagram)
    door.restart()
    door.check_silent("seen before", datagram)


def test_a_notification_waits_for_a_person_who_says_yes_over_power_cuts(door: Door) -> None:
    before, datagram = door.sessions(), door.fresh(UiMode.USER_INTERACTION)
    session_id = f"{door.rig.account.session_id:X}"
    door.send_until(lambda: "waits for a person to be asked" in door.log(), datagram)
    door.restart()
    assert door.sessions() == before
    agent = door.rig.start_agent("yes")
    door.rig.until(lambda: door.sessions() == [*before, session_id], "the session")
    door.rig.until_reported()
    door.restart()
    door.rig.until(lambda: door.rig.status()["agent"], "the agent, again")
    door.check_silent("seen before", datagram)
    door.rig.stop(agent)


@pytest.mark.parametrize("bit", [0, 77, DIGEST_BYTES * 8 - 1])
def test_a_flipped_bit_of_the_digest_is_noticed(door: Door, bit: int) -> None:
    datagram = bytearray(door.fresh())
    datagram[HEADER_BYTES + bit // 8] ^= 1 << bit % 8
    door.check_silent("wrong digest for server scomod-lab", bytes(datagram))


@pytest.mark.parametrize("offset", [-1, DIGEST_BYTES + 6])
def test_a_flipped_bit_of_the_message_is_noticed(door: Door, offset: int) -> None:
    datagram = bytearray(door.fresh())
    datagram[HEADER_BYTES + offset if offset >= 0 else offset] ^= 1
    door.check_silent("dropped", bytes(datagram))


def test_short_messages_of_another_program_are_put_together(door: Door) -> None:
    datagram, before = door.fresh(), door.sessions()
    ports = bytes.fromhex("05040b84c002")
    parts = [
        b"\x0b\x00\x03\x07\x02" + bytes((number,)) + ports + half
        for number, half in ((2, datagram[20:]), (1, datagram[:20]))
    ]
    for part in parts:
        door.rig.ask("push", "sms", part, "+4917012345")
    door.rig.until(lambda: door.sessions() != before, "the session")
    door.rig.until_reported()
    for kind, octets, words in (
        ("sms", b"\0x", "it is not taken: short message to port None, not 2948"),
        ("sms", b"", "it is not taken: user data ends within its header"),
        ("fax", b"", "fax is none of: push, sms"),
    ):
        with pytest.raises(RemoteError, match=words):
            door.rig.ask("push", kind, octets, "")
    door.rig.ask("push", "push", b"rubbish", "")
    door.rig.until(lambda: "of user " in door.log(), "who brought the rubbish")


def test_a_server_without_an_account_is_not_listened_to(door: Door) -> None:
    stranger = Account(
        user="x", password=Secret("x"), server_id="stranger", server_password=Secret("x"),
        server_nonce=door.rig.account.server_nonce,
    )  # fmt: skip
    door.check_silent("no account for server stranger", push.push_of(stranger, 9))


def test_rubbish_is_dropped_and_the_daemon_lives(door: Door) -> None:
    noise = random.Random(5)  # noqa: S311 - a seed
    genuine = door.fresh()
    rubbish = [b"", b"\0", b"GET / HTTP/1.0\r\n\r\n", b"\xff" * 1400]
    rubbish += [genuine[:length] for length in range(0, len(genuine), 5)]
    rubbish += [noise.randbytes(noise.randrange(1, 200)) for _ in range(40)]
    noise.shuffle(rubbish)
    door.check_silent("dropped", *rubbish)


@pytest.mark.parametrize("server", ["nobody", "scomod-la", "scomod-lab/../x", "a b"])
def test_a_session_with_an_unknown_server_is_refused_in_words(door: Door, server: str) -> None:
    before = door.sessions()
    done = door.rig.run("scomod.cli", "session", server)
    assert done.returncode == 1
    assert done.stderr.startswith(f"scomoctl: no account for server {server}"), done.stderr
    assert door.sessions() == before


def test_a_session_without_any_account_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Rig(tmp_path_factory.mktemp("rig")) as rig:
        rig.start_daemon()
        rig.until_up()
        done = rig.run("scomod.cli", "session")
        assert (done.returncode, done.stderr) == (
            1, "scomoctl: say which server: there is no account yet\n",
        )  # fmt: skip
