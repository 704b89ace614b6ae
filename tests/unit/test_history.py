# SPDX-License-Identifier: Apache-2.0
"""What is kept of an operation, from the ledger's writes to the record that billing reads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scomod.codes import ResultCode
from scomod.history import components, facts, result_text
from scomod.ledger import TIMELINE_COUNT
from scomod.mo.handler import ExecRequest
from scomod.mo.inventory import InventoryItem
from scomod.operation import Branch, Operation, Phase, Primitive, Subject
from scomod.records import Records
from scomod.settings import Paths, Settings
from tests.support.clocks import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

X = "./SCOMO/Download/x"


class Office:
    """Records of a device, and a ledger that writes them."""

    def __init__(self, directory: Path) -> None:
        self.records = Records(Settings(), Paths(directory))
        self.clock = FakeClock()
        self.ledger = self.records.ledger(self.clock)

    def order(self) -> Operation:
        with self.records.db.transaction():
            for leaf, value in (("PkgID", "p"), ("PkgURL", "https://h/p?signed=1")):
                self.records.tree.add(
                    f"{X}/{leaf}", "srv", format="chr", type=None, value=value.encode()
                )
            request = ExecRequest(server_id="srv", correlator="c")
            self.records.tree.execute(f"{X}/Operations/DownloadInstall", request)
        return self.records.journal.all()[-1]

    def has(self, **versions: str) -> None:
        items = [item(name, version) for name, version in versions.items()]
        with self.records.db.transaction():
            self.records.inventory.reconcile(items, {})


def item(name: str, version: str) -> InventoryItem:
    return InventoryItem(id=name, version=version, environment="deb", is_active=True)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path / "device")
    yield made
    made.records.db.close()


def test_all_that_a_bill_needs_is_kept_from_order_to_acknowledgement(office: Office) -> None:
    office.has(editor="1.0", tools="7")
    operation = office.order()
    journey: tuple[tuple[str, dict[str, object]], ...] = (
        ("consent", {"consent": {"by": "jo", "how": "agent", "at": 1.0}}),
        ("acquire", {"sha256": "ab" * 32, "size": 4096}),
        ("verify", {"disclosure": {"by": "al"}, "permissions": ["It may print."]}),
        ("install", {"components": ["editor", "fonts"]}),
    )
    for number, (step, data) in enumerate(journey):
        assert str(operation.step) == step
        office.clock.advance(10)
        operation = office.ledger.record(replace(operation, phase=Phase.RUNNING))
        office.clock.advance(1)
        operation = office.ledger.record(
            replace(operation, cursor=number + 1, data={**operation.data, **data})
        )
    office.clock.advance(10)
    items = (item("editor", "1.1"), item("fonts", "2"), item("tools", "7"))
    office.ledger.succeed(operation, items)
    (alert,) = office.records.outbox.waiting()
    office.records.outbox.answered(alert.id, 200, 99.0)
    (kept,) = office.records.journal.finished()
    record = facts(kept)
    timeline = record.pop("timeline")
    assert record == {
        "accepted": kept.created_s,
        "begun": 10.0,
        "finished": 54.0,
        "components": [
            {"id": "editor", "before": "1.0", "after": "1.1"},
            {"id": "fonts", "before": "", "after": "2"},
        ],
        "url": "https://h/p?***",
        "digest": "ab" * 32,
        "size": 4096,
        "consent": {"by": "jo", "how": "agent", "at": 1.0},
        "disclosure": {"by": "al"},
        "permissions": ["It may print."],
        "result_text": "successful",
        "reported_at": 99.0,
        "report_status": 200,
    }
    assert [entry["step"] for entry in timeline][:3] == ["consent", "acquire", "verify"]
    assert timeline[0] == {"at": 10.0, "phase": "running", "step": "consent"}
    assert timeline[-1] == {"at": 54.0, "phase": "succeeded", "step": ""}


def test_what_repeats_takes_no_room_and_a_long_story_loses_its_middle(office: Office) -> None:
    operation = office.order()
    for _ in range(5):
        operation = office.ledger.record(replace(operation, phase=Phase.RUNNING))
    assert len(operation.timeline) == 1
    for number in range(3 * TIMELINE_COUNT):
        office.clock.advance(1)
        phase = (Phase.WAITING, Phase.RUNNING)[number % 2]
        operation = office.ledger.record(replace(operation, phase=phase))
    assert len(operation.timeline) == TIMELINE_COUNT
    assert operation.timeline[0] == (0.0, "running", "consent")
    assert operation.timeline[-1][0] == 3.0 * TIMELINE_COUNT


@pytest.mark.parametrize(
    ("primitive", "phase", "after"),
    [
        (Primitive.REMOVE, Phase.SUCCEEDED, ""),
        (Primitive.REMOVE, Phase.FAILED, "1.0"),
        (Primitive.ACTIVATE, Phase.SUCCEEDED, "1.0"),
        (Primitive.DEACTIVATE, Phase.FAILED, "1.0"),
    ],
)
def test_component_keeps_or_loses_its_version(
    primitive: Primitive, phase: Phase, after: str
) -> None:
    operation = Operation(
        id=1,
        branch=Branch.DEPLOYED,
        primitive=primitive,
        node="x",
        exec_uri="u",
        server_id="srv",
        subject=Subject(component_id="editor", version="1.0"),
        phase=phase,
    )
    assert components(operation) == [{"id": "editor", "before": "1.0", "after": after}]


def test_failed_update_has_changed_nothing() -> None:
    operation = Operation(
        id=1,
        branch=Branch.DOWNLOAD,
        primitive=Primitive.DOWNLOAD_INSTALL,
        node="x",
        exec_uri="u",
        server_id="srv",
        subject=Subject(pkg_id="p"),
        phase=Phase.FAILED,
        data={"components": ["editor"], "before": {"editor": "1.0"}},
    )
    assert components(operation) == [{"id": "editor", "before": "1.0", "after": "1.0"}]


@pytest.mark.parametrize("code", list(ResultCode))
def test_every_result_has_words(code: ResultCode) -> None:
    assert result_text(code).replace(" ", "").isalpha()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (1405, "install failed"),
        (1251, "successful (vendor)"),
        (1476, "client error (vendor)"),
        (1551, "download server error (vendor)"),
        (1999, "unknown result"),
    ],
)
def test_results_of_others_have_words_too(code: int, text: str) -> None:
    assert result_text(code) == text
