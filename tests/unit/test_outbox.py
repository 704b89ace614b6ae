# SPDX-License-Identifier: Apache-2.0
"""Alerts on flash: what lets them go, what stays of them, rows of an older version."""

from __future__ import annotations

import dataclasses
import sqlite3
from typing import TYPE_CHECKING

import pytest

from scomod import db as db_module
from scomod.db import Database
from scomod.journal import Journal
from scomod.operation import Branch, Operation, Phase, Primitive, Subject
from scomod.outbox import AlertItem, Outbox, OutboxAlert

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ITEMS = (
    AlertItem(target="./SCOMO/Inventory/Deployed/a", data="<ResultCode>1200</ResultCode>"),
    AlertItem(data='quotes " and \u00fc'),
)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "state" / "scomod.db")
    yield opened
    opened.close()


def alert(**facts: object) -> OutboxAlert:
    whole: dict[str, object] = {
        "operation_id": 1,
        "server_id": "srv",
        "correlator": "c",
        "source": "./SCOMO/Download/x/Operations/DownloadInstall",
        "type": "t",
        "mark": "informational",
        "items": ITEMS,
        "created_s": 5.0,
    }
    return OutboxAlert(**{**whole, **facts})  # type: ignore[arg-type]


def finished(journal: Journal) -> Operation:
    return journal.insert(
        Operation(
            id=0,
            branch=Branch.DOWNLOAD,
            primitive=Primitive.DOWNLOAD,
            node="x",
            exec_uri="./SCOMO/Download/x/Operations/Download",
            server_id="srv",
            subject=Subject(pkg_id="p"),
            phase=Phase.SUCCEEDED,
        )
    )


def test_row_is_the_same_in_a_later_life(tmp_path: Path) -> None:
    path = tmp_path / "state" / "scomod.db"
    first = Database.open(path)
    with first.transaction():
        number = Outbox(first).insert(alert())
        Outbox(first).count_sent("srv")
    first.close()
    second = Database.open(path)
    assert Outbox(second).waiting() == [alert(id=number, sent_count=1)]
    second.close()


def test_only_the_originator_gets_it(db: Database) -> None:
    outbox = Outbox(db)
    outbox.insert(alert())
    outbox.insert(alert(server_id="other"))
    assert [each.server_id for each in outbox.waiting("srv")] == ["srv"]
    assert outbox.waiting("nobody") == []


@pytest.mark.parametrize(
    ("status", "report_is_over", "request_is_over"),
    [
        (200, True, True),
        (202, True, True),
        (299, True, True),
        (401, False, True),
        (403, False, True),
        (404, True, True),
        (406, True, True),
        (417, False, False),
        (425, False, True),
        (500, False, False),
        (510, False, False),
    ],
)
def test_answer_of_the_server_ends_it_or_not(
    db: Database, status: int, report_is_over: bool, request_is_over: bool
) -> None:
    outbox = Outbox(db)
    for operation_id, is_over in ((1, report_is_over), (None, request_is_over)):
        number = outbox.insert(alert(operation_id=operation_id))
        answered = outbox.answered(number, status, 50.0)
        assert answered is not None
        assert answered.is_settled_by(status) == is_over
        assert (outbox.waiting() == []) == is_over
        db.execute("DELETE FROM alert")


def test_operation_keeps_when_and_how_its_report_was_taken(db: Database) -> None:
    journal, outbox = Journal(db, keep_count=9), Outbox(db)
    operation = finished(journal)
    number = outbox.insert(alert(operation_id=operation.id))
    outbox.answered(number, 500, 40.0)
    assert journal.load(operation.id) == operation
    outbox.answered(number, 200, 50.0)
    kept = dataclasses.replace(operation, reported_s=50.0, report_status=200)
    assert journal.load(operation.id) == kept


def test_answer_to_what_is_gone_changes_nothing(db: Database) -> None:
    assert Outbox(db).answered(77, 200, 1.0) is None


def test_history_is_bounded_but_keeps_what_is_not_reported(db: Database) -> None:
    journal, outbox = Journal(db, keep_count=2), Outbox(db)
    ids = [finished(journal).id for _ in range(5)]
    outbox.insert(alert(operation_id=ids[0]))
    outbox.insert(alert(operation_id=None))  # a request, behind which no operation stands
    journal.prune()
    assert [entry.id for entry in journal.finished()] == [ids[0], *ids[-2:]]


def test_last_order_of_a_server_is_known(db: Database) -> None:
    journal = Journal(db, keep_count=9)
    assert journal.last("srv") is None
    first = finished(journal)
    journal.insert(dataclasses.replace(first, phase=Phase.RUNNING))
    journal.insert(dataclasses.replace(first, server_id="other"))
    assert journal.last("srv") == first


def test_report_of_the_version_before_is_sent_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "state" / "scomod.db"
    path.parent.mkdir(mode=0o700)
    plain = sqlite3.connect(path)
    for number, script in sorted(db_module._migrations().items())[:3]:
        plain.executescript(f"{script}; PRAGMA user_version={number};")
    plain.execute(
        "INSERT INTO alert (operation_id, server_id, source, target, type, mark, data, created_s,"
        " sent_count) VALUES (1, 'srv', 's', './T', 't', 'm', '<a>\"x\"</a>', 5.0, 3)"
    )
    plain.commit()
    plain.close()
    opened = Database.open(path)
    (row,) = Outbox(opened).waiting("srv")
    assert row.items == (AlertItem(target="./T", data='<a>"x"</a>'),)
    assert (row.source, row.correlator, row.sent_count) == ("s", None, 3)
    opened.close()
