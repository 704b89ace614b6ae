# SPDX-License-Identifier: Apache-2.0
"""What `Control` tells of operations and nodes, and that looking changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scomod.control import Control
from scomod.facade import Refused
from scomod.operation import Phase, StepKind
from scomod.records import Records
from scomod.settings import Paths, Settings
from tests.support.clocks import FakeClock
from tests.support.operations import an_operation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.mo.tree import Tree
    from scomod.operation import Operation

FETCHING = an_operation(StepKind.ACQUIRE)


def control_of(records: Records, clock: FakeClock) -> Control:
    """Return one without the parts that neither operations nor nodes need."""
    nobody: Any = None
    return Control(
        store=records,
        scheduler=nobody,
        confirmations=nobody,
        enrolment=nobody,
        traces=nobody,
        requests=nobody,
        cancel=nobody,
        entrance=nobody,
        baseline=nobody,
        insight=nobody,
        clock=clock,
        root="/",
    )


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    records = Records(Settings(), Paths(tmp_path))
    yield records
    records.db.close()


@pytest.fixture
def control(records: Records) -> Control:
    return control_of(records, FakeClock())


@pytest.fixture
def tree(records: Records) -> Tree:
    return records.tree


def told_of(control: Control, operation: Operation) -> tuple[Any, Any]:
    record = control.operation(operation, set())
    return record.get("done"), record.get("total")


def test_looking_at_an_operation_in_another_step_forgets_nothing(control: Control) -> None:
    control.progress(FETCHING.id, 5, 10)
    fetching = replace(FETCHING, phase=Phase.RUNNING)
    assert told_of(control, an_operation(StepKind.VERIFY)) == (None, None)
    assert told_of(control, fetching) == (5, 10)


@pytest.mark.parametrize("next_step", [StepKind.VERIFY, StepKind.CONSENT])
def test_what_moved_on_from_fetching_begins_anew_the_next_time(
    control: Control, next_step: StepKind
) -> None:
    fetching = replace(FETCHING, phase=Phase.RUNNING)
    control.progress(FETCHING.id, 5, 10)
    assert control.changed(fetching)["done"] == 5
    control.changed(an_operation(next_step))
    assert told_of(control, fetching) == (None, None)


def test_of_a_value_in_a_file_the_length_is_told(control: Control, tree: Tree) -> None:
    node = "./SCOMO/Inventory/Delivered/x"
    tree.put(f"{node}/Data", value=b"x" * 9)
    tree.put(f"{node}/PkgID", value="p")
    shown = [control.tree_node(f"{node}/{name}") for name in ("Data", "PkgID")]
    assert [(each["value"], each.get("size")) for each in shown] == [("(9 octets)", 9), ("p", None)]
    read = [control.tree_octets(f"{node}/{name}", 3) for name in ("Data", "PkgID")]
    assert read == [b"x" * 6, b""]
    with pytest.raises(Refused):
        control.tree_octets(node, 0)
