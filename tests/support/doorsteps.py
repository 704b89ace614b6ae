# SPDX-License-Identifier: Apache-2.0
"""A device to which bootstrap documents are pushed, and the person who knows a PIN, or does not.

Records, enrolment, interview and doorstep are real, on real files; time stands still.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scomod.dmclient import push
from scomod.doorstep import Doorstep
from scomod.enrolment import WAITING_KEY, Enrolment
from scomod.facade import AgentGone, Cancelled, NotShown
from scomod.interview import Interview
from scomod.mo import dmacc
from scomod.parcels import Parcels
from scomod.records import Records
from scomod.settings import Paths, Settings
from tests.support.clocks import FakeClock
from tests.support.standstill import StillLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

IMSI = "310004105064640"
SILENT, GONE, MUTE = "(silent)", "(gone)", "(mute)"


def pushed(document: bytes, sec: str, key: bytes = b"") -> bytes:
    """A WSP push by the table of omadm §9.3; `sec` is "0" to "3", "" for no seal."""
    is_xml = document.startswith(b"<")
    content = bytes((0xB5 if is_xml else 0xB6 if document[1] == 0x0B else 0xC2,))
    if sec:
        content += bytes((0x91, 0x80 | int(sec)))
    if key:
        digest = hmac.new(key, document, hashlib.sha1).hexdigest().upper()
        content += b"\x92" + digest.encode() + b"\0"
    return b"\x01\x06" + bytes((len(content) + 2, 0x1F, len(content))) + content + document


class Person:
    """An `AlertPort`: gives these answers one after the other; None cancels.

    `SILENT` never answers, `GONE` leaves the bus while it is asked, `MUTE` is an agent that
    can read no text.  `asked` is what was shown.
    """

    def __init__(self, *answers: str | None) -> None:
        self.answers = list(answers)
        self.asked: list[Mapping[str, Any]] = []
        self.is_here = True
        self.hear: Callable[[str], None] = lambda _: None

    def is_present(self) -> bool:
        return self.is_here

    async def show(self, method: str, alert: Mapping[str, Any]) -> Any:
        assert method == "Input"
        assert alert["is_hidden"]
        self.asked.append(alert)
        self.hear("asked")
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if self.answers else SILENT
        if answer is None:
            raise Cancelled("no")
        if answer == MUTE:
            raise NotShown("no Input")
        if answer == SILENT:
            await asyncio.Event().wait()
        if answer == GONE:
            self.is_here = False
            raise AgentGone("left")
        self.hear("answered")
        return answer


class PushedDevice:
    """One device over several lives; `person` is its agent, None for nobody."""

    def __init__(self, root: Path, clock: FakeClock | None = None, **policy: Any) -> None:
        self.paths = Paths(root)
        self.clock = clock or FakeClock()
        defaults = Settings()
        self.settings = replace(defaults, bootstrap=replace(defaults.bootstrap, **policy))
        self.modem_imsi = ""
        self.hear: Callable[[str], None] = lambda _: None
        self.start()

    def start(self) -> None:
        """Begin a life, as the daemon does."""
        self.loop = StillLoop(self.clock)
        self.records = Records(self.settings, self.paths)
        self.wanted: list[str] = []
        self.enrolment = Enrolment(
            self.records.db, self.records.tree, self.settings, lambda each: self.want(each)
        )
        self.interview = Interview(self.settings.session, self.clock)
        self.doorstep = Doorstep(
            self.settings,
            self.clock,
            self.records,
            enrolment=self.enrolment,
            interview=self.interview,
            imsi=lambda: self.modem_imsi,
            start=self.loop.create_task,
        )
        self.enrolment.resume()

    def want(self, server_id: str) -> None:
        self.hear("wanted")
        self.wanted.append(server_id)

    def restart(self) -> None:
        self.close()
        self.start()
        self.doorstep.look()

    def close(self) -> None:
        self.records.db.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_idle()
        self.loop.close()

    def greet(self, person: Person) -> None:
        """An agent registers."""
        self.interview.agent = person
        self.doorstep.look()
        self.settle()

    def settle(self, seconds: float = 0) -> None:
        """Let time pass, and everything happen that can happen then."""
        self.clock.advance(seconds)
        self.loop.run_until_idle()
        for error in self.loop.troubles:
            raise error

    def push(self, datagram: bytes, sender: str = "sms:+4917012345") -> None:
        self.doorstep.take(push.parse_push(datagram), sender)
        self.settle()

    def servers(self) -> set[str]:
        return {account.server_id for account in dmacc.accounts(self.records.tree)}

    def waiting(self) -> int:
        return len(Parcels(self.records.db, WAITING_KEY).waiting())
