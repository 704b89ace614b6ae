# SPDX-License-Identifier: Apache-2.0
"""Short messages through oFono and ModemManager of Debian become sessions with the bench."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import pytest

from scomod.dmclient import seal
from scomod.dmclient.seal import Method, Profile
from scomod.lab import profile, push
from tests.support.at_modem import IMSI
from tests.support.kannel import Kannel, Network, may_have_networks
from tests.support.modem_services import ModemManager, Ofonod
from tests.support.rig import Rig
from tests.support.short_messages import deliver_pdu, in_parts, text_pdu

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MESSAGING = "org.freedesktop.ModemManager1.Messaging"
# a push of another application: WAP's own push of a service indication, application 2
FOREIGN = bytes.fromhex("01 06 03 ae af 82") + b"not for device management"
FIRST_PART_BYTES = 30


class Phone:
    """A device with a modem, and the network that sends it messages."""

    def __init__(self, rig: Rig, service: Any, words: str) -> None:
        self.rig = rig
        self._words = words
        self.service = service
        self.modem = service.modem

    def __enter__(self) -> Self:
        with self.heard_again():
            self.daemon = self.rig.start_daemon()
        return self

    def __exit__(self, *_: object) -> None:
        self.rig.kill(self.daemon)

    @contextmanager
    def heard_again(self) -> Iterator[None]:
        """Wait until the daemon has found the modem once more than before."""
        count = self.log().count(self._words)
        yield
        self.rig.until(lambda: self.log().count(self._words) > count, self._words)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Have no daemon meanwhile."""
        self.rig.kill(self.daemon)
        yield
        self.__enter__()

    def log(self) -> str:
        file = self.rig.directory / "scomod.log"
        return file.read_text() if file.exists() else ""

    def fresh(self) -> bytes:
        """A genuine push that nobody has seen yet."""
        return push.push_of(self.rig.account, self.rig.account.next_session_id())

    def send(self, octets: bytes, part_bytes: int = 120) -> None:
        """Send a push, its last part first."""
        reference = self.rig.account.session_id % 256
        for user_data in reversed(in_parts(octets, reference, part_bytes)):
            self.modem.deliver(deliver_pdu(user_data))

    def sessions(self) -> list[str]:
        """The ids of the sessions that the bench saw, oldest first."""
        return [r["session"] for r in self.rig.account.records if r["what"] == "start"]

    def check_rings(self, *before: bytes) -> None:
        """A genuine push of two parts asks for one session, what comes before it for none."""
        known = self.sessions()
        for octets in before:
            self.send(octets)
        self.send(self.fresh(), FIRST_PART_BYTES)
        self.check_session(known)

    def check_session(self, known: list[str]) -> None:
        """The session that was asked for last comes, and no other."""
        wanted = f"{self.rig.account.session_id:X}"
        self.rig.until(lambda: wanted in self.sessions(), f"session {wanted}")
        self.rig.until_reported()
        assert self.sessions() == [*known, wanted]


@contextmanager
def reached_over(kind: type[Ofonod | ModemManager], directory: Path, words: str) -> Iterator[Phone]:
    """Have a device that listens to a modem as soon as its log has `words`."""
    with (
        Rig(directory) as rig,
        kind(rig.bus_address, directory) as service,
        Phone(rig, service, words) as phone,
    ):
        rig.bootstrap()
        yield phone


@pytest.fixture(scope="module")
def over_ofono(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phone]:
    with reached_over(Ofonod, tmp_path_factory.mktemp("rig"), "gives its pushes to us") as phone:
        yield phone


@pytest.fixture(scope="module")
def over_modemmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phone]:
    with reached_over(ModemManager, tmp_path_factory.mktemp("rig"), "are listened to") as phone:
        yield phone


def flipped(octets: bytes) -> bytes:
    """The same with another digest."""
    at = len(push.WSP_PUSH)
    return octets[:at] + bytes((octets[at] ^ 1,)) + octets[at + 1 :]


def test_ofono_rings_once_for_each_genuine_push(over_ofono: Phone) -> None:
    octets = over_ofono.fresh()
    known = over_ofono.sessions()
    over_ofono.send(octets)
    over_ofono.check_session(known)
    over_ofono.check_rings(octets, flipped(over_ofono.fresh()))
    assert "seen before" in over_ofono.log()
    assert "wrong digest" in over_ofono.log()


def test_ofono_is_heard_after_it_or_its_modem_or_we_were_away(over_ofono: Phone) -> None:
    service = over_ofono.service
    assert isinstance(service, Ofonod)
    with over_ofono.heard_again():
        service.restart()
    over_ofono.check_rings()
    with over_ofono.heard_again():
        service.set("Powered", is_on=False)
        service.switch_on()
    over_ofono.check_rings()
    with over_ofono.away():
        pass
    over_ofono.check_rings()


@pytest.mark.spec("omadm 9.3")
def test_document_sealed_with_the_imsi_of_the_modem_makes_an_account(over_ofono: Phone) -> None:
    rig = over_ofono.rig
    newcomer = rig.bench.register.add("device-2", server_id="second.example")
    document = profile.profile_of(newcomer, rig.bench.dm_url).encode()
    mac = seal.mac_of(seal.network_secret(IMSI), document)
    over_ofono.send(push.sealed_push(document, Profile.CP, Method.NETWPIN, mac))

    def is_made() -> bool:
        return "second.example" in [each["server_id"] for each in rig.status()["servers"]]

    rig.until(is_made, "the account")


@pytest.mark.skipif(not may_have_networks(), reason="Kannel needs a network of its own: root")
def test_push_by_kannel_comes_through_ofono(over_ofono: Phone) -> None:
    known = over_ofono.sessions()
    directory = over_ofono.rig.directory / "kannel"
    with Network() as network, Kannel(network, directory) as kannel:
        body = over_ofono.fresh().removeprefix(push.WSP_PUSH)
        for user_data in reversed(kannel.short_messages(body)):
            over_ofono.modem.deliver(deliver_pdu(user_data))
    over_ofono.check_session(known)


def test_modemmanager_rings_once_and_only_ours_are_deleted(over_modemmanager: Phone) -> None:
    phone = over_modemmanager
    foreign = [text_pdu("see you at eight"), deliver_pdu(in_parts(FOREIGN)[0])]
    for pdu in foreign:
        phone.modem.deliver(pdu)
    octets = phone.fresh()
    known = phone.sessions()
    phone.send(octets)
    phone.check_session(known)
    phone.check_rings(octets, flipped(phone.fresh()))
    phone.rig.until(lambda: sorted(phone.modem.kept.values()) == sorted(foreign), "the deletion")
    assert MESSAGING in phone.service.authority.asked, "who may delete is for polkit to say"


def test_modemmanager_kept_what_came_while_nobody_listened(over_modemmanager: Phone) -> None:
    phone = over_modemmanager
    others = sorted(phone.modem.kept.values())
    with phone.heard_again():
        phone.service.restart()
    phone.check_rings()
    phone.service.authority.refused.add(MESSAGING)
    known = phone.sessions()
    with phone.away():
        phone.send(phone.fresh(), FIRST_PART_BYTES)
        phone.rig.until(phone.modem.is_read, "ModemManager")
    phone.check_session(known)
    phone.rig.until(lambda: "Delete of modem" in phone.log(), "the refusal")
    phone.service.authority.refused.clear()
    phone.check_rings()
    phone.rig.until(lambda: sorted(phone.modem.kept.values()) == others, "the deletion")
