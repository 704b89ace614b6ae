# SPDX-License-Identifier: Apache-2.0
"""A DM server that answers rubbish: the session fails in words, and nothing is lost or done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.codes import ResultCode
from scomod.secret import Secret
from tests.support import bad_answers as bad
from tests.support.certificates import Certificates, make_certificates
from tests.support.detour import Answer, Detour
from tests.support.package_host import closed_port
from tests.support.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scomod.lab.devices import Order
    from tests.support.detour import Passage

    Fault = Callable[[Passage], Answer]

READ_TIMEOUT_S = 2.0
# what the server does, and a word of what scomoctl must say then
GARBAGE: dict[str, tuple[Fault, str]] = {
    "truncated": (bad.truncated, "end"),
    "malformed": (bad.malformed, "end"),
    "endless": (bad.endless, "document|announced"),
    "no header": (bad.no_header, "no SyncHdr"),
    "other session": (bad.other_session, "SessionID '7777' is not ours"),
    "other protocol": (bad.other_protocol, "a version of DM that we do not"),
}
FAULTS: dict[str, tuple[Fault, str]] = {
    "cut connection": (bad.cut_connection, "ended early"),
    "entities": (bad.entities, "entity|DOCTYPE"),
    "empty": (bad.empty, "the answer is empty"),
    "oversize": (bad.oversize, "session.max_msg_bytes exceeded"),
    "web page": (bad.web_page, "no DM message but a web page"),
    "500": (bad.http_error(500), "HTTP 500"),
    "404": (bad.http_error(404), "HTTP 404"),
    "redirect loop": (bad.redirect_to("/dm"), "more than 5 redirects"),
    "redirect to http": (bad.redirect_to("http://localhost/dm"), "not encrypted"),
    "redirect to nobody": (bad.redirect_to(f"https://localhost:{closed_port()}/"), "refused"),
    "silence": (bad.silence, "nothing arrived within the time"),
}


class Stand:
    """A device whose way to the bench leads through a detour."""

    def __init__(self, rig: Rig, detour: Detour) -> None:
        self.rig = rig
        self.detour = detour
        self.count = 0

    def lose_something(self, fault: Fault) -> tuple[Order, str]:
        """Get a report into the outbox that meets `fault`, and an order behind it.

        Gives the order of the report, and the node that the order behind it makes.
        """
        rig = self.rig
        self.detour.clear()
        assert rig.session()["outcome"] == "ok", rig.logs()
        rig.until_reported()
        self.count += 1
        node = f"./SCOMO/Download/next-{self.count}"
        lost = rig.order(
            "install", node=f"absent-{self.count}", pkg_id="absent-1",
            url=f"{rig.bench.base_url}/packages/absent.deb",
        )  # fmt: skip
        self.detour.fault = fault
        assert rig.session()["outcome"] == "ok"
        rig.order("put", uri=f"{node}/PkgID", value="next-1")
        rig.until(lambda: self.detour.is_armed, "the report on its way")
        return lost, node

    def check_loses_nothing(self, words: str, node: str) -> None:
        """The session fails with one of `words`; the report waits, the order is not begun."""
        operations = self.rig.operations()
        done = self.rig.run("scomod.cli", "session")
        assert done.returncode == 1
        assert any(word in done.stderr for word in words.split("|")), done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert self.rig.status()["alerts_waiting"] == 1
        assert self.rig.operations() == operations, "nothing was begun"
        assert node.rpartition("/")[2] not in self.rig.scomoctl("tree", "./SCOMO/Download")

    def check_all_arrives(self, lost: Order, node: str) -> None:
        """With a good server again everything arrives, the report unchanged."""
        rig = self.rig
        self.detour.clear()
        assert rig.session()["outcome"] == "ok", rig.logs()
        rig.until_reported()
        assert lost.result == ResultCode.DOWNLOAD_FAILED
        reports = rig.reports(lost)
        assert all(report == reports[0] for report in reports)
        assert rig.scomoctl("get", f"{node}/PkgID")["value"] == "next-1"


def make_stand(directory: Path, encoding: str) -> Iterator[Stand]:
    with Rig(directory) as rig:
        pki = rig.bench.pki
        certificates = Certificates(ca_file=pki.ca_file, server_file=pki.server_file)
        with Detour(rig.bench_reply, certificates) as detour:
            rig.override(
                f'[transport]\nencoding = "{encoding}"\nread_timeout_s = {READ_TIMEOUT_S}\n'
            )
            rig.bootstrap(detour.dm_url)
            rig.start_daemon()
            rig.start_helper()
            rig.until_up()
            yield Stand(rig, detour)
            detour.clear()
            rig.check_well()


@pytest.fixture(scope="module", params=["wbxml", "xml"])
def stand_in(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stand]:
    yield from make_stand(tmp_path_factory.mktemp("rig"), request.param)


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    yield from make_stand(tmp_path_factory.mktemp("rig"), "wbxml")


@pytest.mark.parametrize("name", GARBAGE)
def test_an_answer_that_cannot_be_read_fails_the_session_in_words(
    stand_in: Stand, name: str
) -> None:
    fault, words = GARBAGE[name]
    lost, node = stand_in.lose_something(fault)
    stand_in.check_loses_nothing(words, node)
    stand_in.check_all_arrives(lost, node)


@pytest.mark.parametrize("name", FAULTS)
def test_a_server_that_fails_is_named_with_its_failure(stand: Stand, name: str) -> None:
    fault, words = FAULTS[name]
    lost, node = stand.lose_something(fault)
    stand.check_loses_nothing(words, node)
    stand.check_all_arrives(lost, node)


@pytest.mark.parametrize(
    ("whose", "words"),
    [
        ("server_password", "the server is not authenticated: its credentials are wrong"),
        ("password", "the server refuses our credentials"),
    ],
)
def test_wrong_passwords_on_either_side_are_told_apart(
    stand: Stand, whose: str, words: str
) -> None:
    account = stand.rig.account

    def forgetful(passage: Passage) -> Answer:
        right = getattr(account, whose)
        setattr(account, whose, Secret("quite another one"))
        try:
            return Answer(body=passage.answered())
        finally:
            setattr(account, whose, right)

    lost, node = stand.lose_something(forgetful)
    stand.check_loses_nothing(words, node)
    stand.check_all_arrives(lost, node)


def test_a_server_of_a_foreign_authority_gets_nothing(stand: Stand, tmp_path: Path) -> None:
    with Detour(stand.rig.bench_reply, make_certificates(tmp_path)) as stranger:
        lost, node = stand.lose_something(bad.redirect_to(stranger.dm_url))
        stand.check_loses_nothing("the certificate is not trusted", node)
        assert stranger.requests == []
    stand.check_all_arrives(lost, node)
