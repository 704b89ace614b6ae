# SPDX-License-Identifier: Apache-2.0
"""Whole sessions of the real client with the bench's server: proofs, limits, and what is kept.

Device and server share the codec only; between them go octets and headers.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scomod.codes import AlertCode
from scomod.dmclient import auth, codec
from scomod.dmclient.auth import MAC_HEADER
from scomod.dmclient.model import Alert, Status
from scomod.mo import dmacc
from scomod.outbox import AlertItem, OutboxAlert
from scomod.secret import Secret
from tests.support.bench_link import LIMITS, URL, Pair, open_pair

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.dmclient.model import Message
    from scomod.dmclient.transport import Reply


def alerts(message: Message) -> list[int]:
    return [c.code for c in message.commands if isinstance(c, Alert)]


def reports(pair: Pair) -> None:
    """Put a report into the device's outbox."""
    with pair.records.db.transaction():
        pair.records.outbox.insert(
            OutboxAlert(
                operation_id=1, server_id="scomod-lab", correlator="c", source="./SCOMO/x",
                items=(AlertItem(data="d"),), type="t", mark="informational", created_s=0.0,
            )
        )  # fmt: skip


# -- MAC ---------------------------------------------------------------------------------


@pytest.mark.spec("omadm T-11")
@pytest.mark.parametrize("encoding", ["wbxml", "xml"])
def test_a_session_with_mac_on_both_sides_works_and_so_does_the_next(
    tmp_path: Path, encoding: str
) -> None:
    with open_pair(tmp_path, "mac", encoding=encoding) as pair:
        used: set[str] = set()
        for number in range(2):
            order = pair.order("read", uris="./DevInfo")
            report = pair.run(f"{number + 1}")
            assert (report.outcome, report.detail) == ("ok", "")
            assert order.phase == "done"
            assert all(passage.message.header.cred is None for passage in pair.link.passed)
            macs = {passage.headers[MAC_HEADER] for passage in pair.link.passed}
            assert len(macs) == len(pair.link.passed) > 1
            assert not used & macs
            used |= macs
            assert pair.local.client is not None
            assert pair.local.client.nonce == pair.account.client_nonce, "both know the next one"
        challenged = [r for r in pair.account.records if r["what"] == "challenged"]
        assert challenged == [], "the nonces kept were right at once"


def test_a_message_that_was_changed_on_its_way_is_not_carried_out(tmp_path: Path) -> None:
    with open_pair(tmp_path, "mac", encoding="xml") as pair:
        pair.order("put", uri="./SCOMO/Download/a/PkgID", value="good")
        pair.link.change = lambda _, reply: replace(
            reply, body=reply.body.replace(b"good", b"evil")
        )
        report = pair.run()
        assert report.outcome == "failed"
        assert "not authenticated" in report.detail
        assert not report.is_retryable
        assert pair.records.tree.children("./SCOMO/Download") == []


def test_a_reply_without_its_mac_is_challenged_and_then_served(tmp_path: Path) -> None:
    with open_pair(tmp_path, "mac") as pair:
        order = pair.order("read", uris="./DevInfo")
        pair.link.change = lambda number, reply: (
            replace(reply, headers={}) if number == 1 else reply
        )
        assert pair.run().outcome == "ok"
        codes = [c.code for c in pair.link.passed[1].message.commands if isinstance(c, Status)]
        assert set(codes) == {407}
        assert order.phase == "done"


@pytest.mark.parametrize("kind", ["md5", "basic", "mac"])
def test_stale_nonces_on_both_sides_are_repaired_by_challenges(tmp_path: Path, kind: str) -> None:
    with open_pair(tmp_path, kind) as pair:
        with pair.records.db.transaction():
            dmacc.set_client_nonce(pair.records.tree, pair.local, b"stale")
            dmacc.set_server_nonce(pair.records.tree, pair.local, b"stale too")
        order = pair.order("read", uris="./DevInfo")
        assert pair.run().outcome == "ok"
        assert order.phase == "done"
        assert pair.run("2").outcome == "ok"
        assert pair.link.passed[0].message.commands[0] == Alert(
            cmd_id="1", code=AlertCode.CLIENT_INITIATED_MANAGEMENT
        )


# -- which kind ------------------------------------------------------------------------------


def first_type(pair: Pair) -> str:
    header = pair.link.passed[0].message.header
    return header.cred.type if header.cred else "syncml:auth-MAC"


@pytest.mark.spec("omadm 4.4")
def test_without_a_preference_the_kind_that_was_taken_last_comes_first(tmp_path: Path) -> None:
    with open_pair(tmp_path, "mac") as pair:
        for name, value in (("AAuthPref", ""), ("AppAuth/1/AAuthType", "DIGEST")):
            with pair.records.db.transaction():
                pair.records.tree.put(f"./DMAcc/{pair.local.key}/{name}", value=value)
        assert pair.run().outcome == "ok"
        assert first_type(pair) == "syncml:auth-md5"
        assert pair.run("2").outcome == "ok"
        assert (first_type(pair), len(pair.link.passed)) == ("syncml:auth-MAC", 1)


@pytest.mark.parametrize("kind", ["basic", "hmac"])
def test_the_configuration_names_the_kind_before_all_others(tmp_path: Path, kind: str) -> None:
    with open_pair(tmp_path, "md5", auth=kind) as pair:
        assert pair.run().outcome == "ok"
        assert first_type(pair) == {"basic": "syncml:auth-basic", "hmac": "syncml:auth-MAC"}[kind]


@pytest.mark.parametrize("kind", ["TRANSPORT", "X509"])
def test_a_side_proven_by_the_transport_needs_no_credentials(tmp_path: Path, kind: str) -> None:
    with open_pair(tmp_path) as pair:
        with pair.records.db.transaction():
            for number in (1, 2):
                path = f"./DMAcc/{pair.local.key}/AppAuth/{number}/AAuthType"
                pair.records.tree.put(path, value=kind)
        report = pair.run()
        assert pair.link.passed[0].message.header.cred is None
        assert report.detail == "the server demands credentials and the account has none"


def test_wrong_password_is_tried_three_times_and_not_again(tmp_path: Path) -> None:
    with open_pair(tmp_path) as pair:
        pair.account.password = Secret("changed")
        report = pair.run()
        assert (report.outcome, report.is_retryable, report.messages) == ("failed", False, 3)
        assert report.detail == "the server refuses our credentials"


# -- DM 1.1 -----------------------------------------------------------------------------------


@pytest.mark.spec("omadm 2.2")
@pytest.mark.parametrize(
    ("encoding", "mark"), [("wbxml", b"\x02\x9f\x53\x6a\x00"), ("xml", b"SYNCML:SYNCML1.1")]
)
def test_an_old_server_gets_the_older_document_and_the_report_waits(
    tmp_path: Path, encoding: str, mark: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with open_pair(tmp_path, protocol="1.1", encoding=encoding) as pair:
        reports(pair)
        report = pair.run()
        (passage,) = pair.link.passed
        assert mark in passage.body
        assert alerts(passage.message) == [AlertCode.CLIENT_INITIATED_MANAGEMENT]
        assert len(pair.records.outbox.waiting()) == 1
        assert "1 reports wait" in caplog.text
        assert report.detail == "the server does not speak our version of the DTD (505)"


# -- limits ---------------------------------------------------------------------------------------


def asks_for_ever(pair: Pair) -> None:
    """Have the server send 1222 without end."""

    def change(number: int, reply: Reply) -> Reply:
        encoding = codec.encoding_of(reply.content_type)
        message = codec.decode(reply.body, encoding, LIMITS)
        more = Alert(cmd_id="77", code=AlertCode.NEXT_MESSAGE)
        header = replace(message.header, msg_id=str(number))
        endless = replace(message, header=header, commands=(*message.commands, more), final=False)
        return replace(reply, body=codec.encode(endless, encoding))

    pair.link.change = change


def test_a_server_that_never_ends_meets_the_limit_of_messages(tmp_path: Path) -> None:
    with open_pair(tmp_path) as pair:
        asks_for_ever(pair)
        pair.limit(max_messages_count=6)
        report = pair.run()
        assert report.detail == "session.max_messages_count reached: 6"
        assert (report.outcome, report.is_retryable, report.messages) == ("failed", True, 6)
        last = pair.link.passed[-1].message
        assert (alerts(last), last.final) == ([AlertCode.SESSION_ABORT], True)


def test_a_server_that_never_ends_meets_the_limit_of_time(tmp_path: Path) -> None:
    with open_pair(tmp_path) as pair:
        asks_for_ever(pair)
        pair.limit(max_duration_s=60.0)

        def pass_time() -> None:
            pair.clock.now_s += 25

        pair.link.on_message = pass_time
        report = pair.run()
        assert report.detail == "session.max_duration_s reached: 60"
        assert (report.messages, report.duration_s) == (4, 100)
        assert alerts(pair.link.passed[-1].message) == [AlertCode.SESSION_ABORT]


def test_the_last_message_within_the_limit_is_kept_for_the_abort(tmp_path: Path) -> None:
    with open_pair(tmp_path) as pair:
        order = pair.order("read", uris="./DevInfo")
        needed = pair.run().messages
        assert order.phase == "done"
        order = pair.order("read", uris="./DevInfo")
        for spare, outcome in ((0, "failed"), (1, "ok")):
            pair.limit(max_messages_count=needed + spare)
            assert pair.run(f"{spare + 2}").outcome == outcome
        assert order.phase == "done"


@pytest.mark.parametrize(
    ("key", "value", "encoding"),
    [
        ("max_msg_bytes", 40, "wbxml"),
        ("max_msg_bytes", 40, "xml"),
        ("max_depth_count", 2, "wbxml"),
        ("max_depth_count", 2, "xml"),
        ("max_commands_count", 1, "wbxml"),
        ("max_commands_count", 1, "xml"),
    ],
)
def test_a_reply_beyond_a_limit_names_the_key(
    tmp_path: Path, key: str, value: int, encoding: str
) -> None:
    with open_pair(tmp_path, encoding=encoding) as pair:
        pair.order("read", uris="./DevInfo")
        pair.limit(**{key: value})
        report = pair.run()
        assert report.outcome == "failed"
        assert report.detail.startswith(f"session.{key} exceeded: ")


# -- our own troubles ----------------------------------------------------------------------


def test_where_the_disk_fails_the_server_is_told_and_nothing_is_answered(tmp_path: Path) -> None:
    with open_pair(tmp_path) as pair:
        order = pair.order("put", uri="./SCOMO/Download/a/InstallParams", value="v" * 30000)
        (pages,) = pair.records.db.execute("PRAGMA page_count").fetchone()
        pair.records.db.execute(f"PRAGMA max_page_count={pages + 2}")
        report = pair.run()
        assert (report.outcome, report.is_retryable) == ("failed", True)
        last = pair.link.passed[-1].message
        assert (alerts(last), last.final) == ([AlertCode.SESSION_ABORT], True)
        answered = [c for c in last.commands if isinstance(c, Status) and c.cmd_ref != "0"]
        assert answered == []
        assert order.phase != "done"
        pair.records.db.execute("PRAGMA max_page_count=100000")
        assert pair.run("2").outcome == "ok"
        assert order.phase == "done"


def test_what_a_session_taught_survives_the_process(tmp_path: Path) -> None:
    with open_pair(tmp_path, "mac") as pair:
        pair.order("read", uris="./DevInfo")
        pair.run()
        nonce = pair.account.client_nonce
        (database,) = (tmp_path / "device").rglob("*.db")
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as other:
            kept = [row[0] for row in other.execute("SELECT value FROM node")]
        other.close()
        assert nonce in kept


def test_a_nonce_that_may_not_have_arrived_is_good_beside_the_old_one(tmp_path: Path) -> None:
    with open_pair(tmp_path, "mac") as pair:
        pair.order("read", uris="./DevInfo")

        def lose_the_second(number: int, reply: Reply) -> Reply:
            return replace(reply, body=b"") if number == 2 else reply

        pair.link.change = lose_the_second
        assert pair.run().outcome == "failed"
        assert pair.local.server is not None
        assert pair.local.server.nonce != pair.account.server_nonce, "it did arrive"
        pair.link.change = lambda _, reply: reply
        assert pair.run("2").outcome == "ok"
        proof = pair.link.passed[0].headers[MAC_HEADER]
        header = auth.read_mac_header(proof)
        assert header is not None
        assert header.user == "device-1"
        assert pair.link.passed[0].url == URL
