# SPDX-License-Identifier: Apache-2.0
"""A push gateway that is not ours wakes the device: Kannel, UDP 2948, a session.

Kannel and the port are in a network of their own; the daemon, which has the port from
whoever started it, and the bench are where the test is.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scomod.dmclient.push import APPLICATION_ID_DM, CONTENT_TYPE_NOTIFICATION
from scomod.lab import push
from scomod.lab.devices import Account
from scomod.secret import Secret
from tests.support.kannel import Kannel, Network, may_have_networks
from tests.support.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.skipif(
    not may_have_networks(), reason="only root may make a network of its own"
)
MMS = "x-wap-application:mms.ua"
# takes the descriptor $1 as the first one that a service manager passes on
ACTIVATE = 'exec 3<&"$1" && export LISTEN_FDS=1 LISTEN_PID=$$ && shift && exec "$@"'


class Subscriber:
    """A device that only Kannel reaches."""

    def __init__(self, rig: Rig, network: Network, folder: Path) -> None:
        self.rig = rig
        self.kannel = Kannel(network, folder)
        self._door = network.listening()
        self._log = rig.directory / "scomod.log"
        self.start()

    def start(self) -> None:
        """Start the daemon as a service manager would that listens for it."""
        door = self._door.fileno()
        program = [sys.executable, "-m", "scomod", "--resident", "--root", str(self.rig.root)]
        with self._log.open("ab") as log:
            self.daemon = subprocess.Popen(
                ["bash", "-c", ACTIVATE, "bash", str(door), *program],
                env=self.rig.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(door,),
            )

    def die(self) -> None:
        self.daemon.kill()
        self.daemon.wait()

    def close(self) -> None:
        self.die()
        self._door.close()

    def fresh(self) -> bytes:
        """A notification that nobody has seen yet."""
        account = self.rig.account
        return body_of(account, account.next_session_id())

    def sessions(self) -> list[str]:
        """The ids of the sessions that the bench saw, oldest first."""
        return [r["session"] for r in self.rig.account.records if r["what"] == "start"]

    def check_session(self) -> None:
        """The device has come, once, with the id that was last asked for."""
        session_id = f"{self.rig.account.session_id:X}"
        self.rig.until(lambda: session_id in self.sessions(), f"session {session_id}")
        self.rig.until_reported()
        assert self.sessions().count(session_id) == 1

    def check_dropped(
        self,
        words: str,
        body: bytes,
        *,
        content_type: str = CONTENT_TYPE_NOTIFICATION,
        application_id: str = APPLICATION_ID_DM,
    ) -> None:
        """A push is dropped with these words, and brings no session."""
        before, mark = self.sessions(), len(self._log.read_text())
        self.kannel.push(body, content_type=content_type, application_id=application_id)
        self.rig.until(lambda: words in self._log.read_text()[mark:], words)
        assert self.sessions() == before


def body_of(account: Account, session_id: int) -> bytes:
    return push.push_of(account, session_id)[len(push.WSP_PUSH) :]


@pytest.fixture(scope="module")
def subscriber(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subscriber]:
    folder = tmp_path_factory.mktemp("kannel")
    with Rig(tmp_path_factory.mktemp("rig")) as rig, Network() as network:
        rig.bootstrap()
        made = Subscriber(rig, network, folder)
        try:
            rig.until_up()
            with made.kannel:
                yield made
        finally:
            made.close()


def test_a_notification_by_the_gateway_brings_the_session_it_asks_for(
    subscriber: Subscriber,
) -> None:
    body = subscriber.fresh()
    subscriber.kannel.push(body)
    subscriber.check_session()
    subscriber.check_dropped("seen before", body)


def test_what_is_not_for_this_device_brings_none(subscriber: Subscriber) -> None:
    body = subscriber.fresh()
    forged = bytes((body[0] ^ 1,)) + body[1:]
    subscriber.check_dropped("wrong digest for server scomod-lab", forged)
    subscriber.check_dropped("is not for us", body, application_id=MMS)
    subscriber.check_dropped("is not for us", body, content_type="application/x-coupon")
    stranger = Account(
        user="x", password=Secret("x"), server_id="stranger", server_password=Secret("x"),
        server_nonce=b"nonce",
    )  # fmt: skip
    subscriber.check_dropped("no account for server stranger", body_of(stranger, 7))
    subscriber.kannel.push(body)
    subscriber.check_session()


def test_gateway_and_daemon_may_die_and_come_again(subscriber: Subscriber) -> None:
    """What is sent while no daemon runs waits in the port; what was taken is not lost."""
    subscriber.kannel.stop()
    subscriber.die()
    subscriber.kannel.start()
    subscriber.kannel.push(subscriber.fresh())
    subscriber.start()
    subscriber.check_session()
