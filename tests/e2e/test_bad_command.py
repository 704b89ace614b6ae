# SPDX-License-Identifier: Apache-2.0
"""Bad commands over the wire: the Status that goes back, and a device that goes on (omadm §3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.codes import DmStatus, ResultCode
from scomod.dmclient.codec import Encoding, decode
from scomod.dmclient.model import Status
from scomod.lab.devices import Phase
from scomod.lab.packageserver import Fault
from tests.support.bad_answers import LIMITS
from tests.support.certificates import Certificates
from tests.support.debs import Deb
from tests.support.detour import Answer, Detour
from tests.support.failing import deb_of
from tests.support.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.detour import Passage

X = "./SCOMO/Download/x"
FIRST_ID = 900  # of what is slipped in; the bench's own ids begin at 1
END_OF_COMMANDS = b"<Final"


class Wire:
    """A device that speaks XML, behind a detour that slips text into what the bench says."""

    def __init__(self, rig: Rig, detour: Detour) -> None:
        self.rig = rig
        self.detour = detour

    def inject(self, text: str) -> dict[int, int]:
        """Have the device execute the commands in `text`; gives the Status codes by CmdRef."""
        waiting = [text.encode()]

        def slip_in(passage: Passage) -> Answer:
            reply = passage.answered()
            if waiting:
                assert END_OF_COMMANDS in reply
                reply = reply.replace(END_OF_COMMANDS, waiting.pop() + END_OF_COMMANDS)
            return Answer(body=reply)

        order = self.rig.order("read", uris="./DevInfo/DevId")  # so that the bench goes on too
        self.detour.clear()
        self.detour.fault, self.detour.is_armed = slip_in, True
        assert self.rig.session()["outcome"] == "ok", self.rig.logs()
        assert order.phase == Phase.DONE
        return self._codes()

    def _codes(self) -> dict[int, int]:
        messages = [decode(body, Encoding.XML, LIMITS) for body in self.detour.requests]
        statuses = [c for message in messages for c in message.commands if isinstance(c, Status)]
        return {int(s.cmd_ref): s.code for s in statuses if int(s.cmd_ref) >= FIRST_ID}


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with Rig(tmp_path_factory.mktemp("rig")) as rig:
        pki = rig.bench.pki
        certificates = Certificates(ca_file=pki.ca_file, server_file=pki.server_file)
        with Detour(rig.bench_reply, certificates) as detour:
            rig.override('[transport]\nencoding = "xml"\n')
            rig.bootstrap(detour.dm_url)
            rig.start_daemon()
            rig.start_helper()
            rig.until_up()
            rig.order("put", uri=f"{X}/PkgID", value="x-1")
            assert rig.session()["outcome"] == "ok"
            yield Wire(rig, detour)
            detour.clear()
            rig.check_well()


def target(uri: str) -> str:
    return f"<Item><Target><LocURI>{uri}</LocURI></Target></Item>"


def valued(uri: str, meta: str = "") -> str:
    head = f"<Target><LocURI>{uri}</LocURI></Target>"
    return f"<Item>{head}<Meta>{meta}</Meta><Data>v</Data></Item>"


def command(verb: str, inner: str, number: int = FIRST_ID) -> str:
    return f"<{verb}><CmdID>{number}</CmdID>{inner}</{verb}>"


INT = '<Format xmlns="syncml:metinf">int</Format>'
ONE = FIRST_ID
WIRE: dict[str, tuple[str, dict[int, int]]] = {
    "unknown element": (command("Frobnicate", target(X)), {ONE: 501}),
    "N6 unknown node": (command("Get", target("./SCOMO/Download/none")), {ONE: 404}),
    "N6 no PkgURL": (command("Exec", target(f"{X}/Operations/Download")), {ONE: 404}),
    "executes nothing": (command("Exec", target(f"{X}/PkgID")), {ONE: 405}),
    "is there": (command("Add", valued(f"{X}/PkgID")), {ONE: 418}),
    "N6 ACL denied": (command("Replace", valued("./DevInfo/DevId")), {ONE: 425}),
    "wrong format": (command("Add", valued(f"{X}/Name", INT)), {ONE: 415}),
    "no target": (command("Add", "<Item><Data>v</Data></Item>"), {ONE: 400}),
    "no item": (command("Replace", ""), {ONE: 412}),
    "empty name": (command("Get", target("./SCOMO//x")), {ONE: 400}),
    "long name": (command("Get", target(f"./{'n' * 2000}")), {ONE: 414}),
    "atomic": (
        command(
            "Atomic",
            command("Add", valued(f"{X}/Name"), ONE + 1)
            + command("Add", valued(f"{X}/PkgID"), ONE + 2)
            + command("Delete", target(X), ONE + 3),
        ),
        {ONE: 507, ONE + 1: 216, ONE + 2: 418, ONE + 3: 215},
    ),
    "sequence": (
        command(
            "Sequence",
            command("Delete", target("./SCOMO/Download/none"), ONE + 1)
            + command("Get", target(f"{X}/PkgID"), ONE + 2),
        ),
        {ONE: 200, ONE + 1: 404, ONE + 2: 200},
    ),
}


@pytest.mark.parametrize("name", WIRE)
def test_a_bad_command_is_answered_and_the_session_goes_on(wire: Wire, name: str) -> None:
    text, codes = WIRE[name]
    before = wire.rig.scomoctl("tree", "./SCOMO", "--recursive")
    assert wire.inject(text) == codes
    assert wire.rig.scomoctl("tree", "./SCOMO", "--recursive") == before
    assert wire.rig.status()["operations_live"] == 0


def test_n7_a_package_at_work_is_left_alone_and_finished(wire: Wire) -> None:
    """A second Exec while the first is fetched (scomo §8 N7)."""
    rig = wire.rig
    payload = deb_of(rig, Deb(name="busy", files={"usr/share/busy/f": "x" * 1_500_000}))
    rig.bench.packages.set_fault(payload.path.name, Fault.SLOW)
    first = rig.order_install(payload)
    assert rig.session()["outcome"] == "ok"
    second = rig.order("exec", uri="./SCOMO/Download/busy/Operations/Download")
    assert rig.session()["outcome"] == "ok"
    assert second.steps[-1]["code"] == DmStatus.COMMAND_FAILED
    assert first.result is None, "all this happened while it was fetched"
    assert rig.result_of(first) == ResultCode.SUCCESSFUL
    rig.until_reported()
    assert rig.dpkg_state("busy") == "ii 1.0"
    assert (len(rig.reports(first)), rig.reports(second)) == (1, [])


@pytest.mark.parametrize("sent", ["", "correlator & <text>"], ids=["none", "odd"])
def test_n9_a_correlator_comes_back_as_it_was(wire: Wire, sent: str) -> None:
    """Also none at all (scomo §8 N9)."""
    rig = wire.rig
    number = len(rig.alerts())
    url = f"{rig.bench.base_url}/packages/absent.deb"
    order = rig.order("install", node="echo", pkg_id="echo-1", url=url)
    order.correlator = sent
    assert rig.session()["outcome"] == "ok"
    rig.until(lambda: len(rig.alerts()) > number, "the report")
    assert rig.alerts()[-1]["correlator"] == sent
    assert rig.alerts()[-1]["result"] == ResultCode.DOWNLOAD_FAILED
    rig.until_reported()
