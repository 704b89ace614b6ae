"""The inventory joins what the backends report with what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.installers.archive import Archives
from scomod.installers.base import Action
from scomod.installers.stock import Stock
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path, backend="fake")


def stock(bench: Workbench, *, is_managed_only: bool = False) -> Stock:
    archives = Archives(bench.paths.install_dir)
    return Stock(backends=[bench.fake], archives=archives, is_managed_only=is_managed_only)


def by_hand(bench: Workbench, **values: str) -> None:
    archive = bench.fake_archive(**values)
    bench.fake.install(archive, bench.fake.inspect(archive), may_downgrade=True)


def test_active_and_inactive_items_come_by_id(bench: Workbench) -> None:
    by_hand(bench, id="image", version="3")
    bench.do(Action.INSTALL, bench.fake_archive(id="zebra"), package_id="p1")
    bench.do(Action.INSTALL_INACTIVE, bench.fake_archive(id="ant"), package_id="p2")
    found = [(item.id, item.is_active, item.package_id) for item in stock(bench).items()]
    assert found == [("ant", False, "p2"), ("image", True, ""), ("zebra", True, "p1")]


def test_managed_items_only(bench: Workbench) -> None:
    by_hand(bench, id="image")
    bench.do(Action.INSTALL, bench.fake_archive(id="zebra"))
    assert [item.id for item in stock(bench, is_managed_only=True).items()] == ["zebra"]


def test_the_backend_outranks_the_index(bench: Workbench) -> None:
    bench.do(Action.INSTALL_INACTIVE, bench.fake_archive(id="a"))
    by_hand(bench, id="a", version="9")
    bench.do(Action.INSTALL, bench.fake_archive(id="b"))
    bench.fake.remove("b")
    found = [(item.id, item.version, item.is_active, item.digest) for item in stock(bench).items()]
    assert found == [("a", "9", True, "")]


def test_an_empty_device_has_nothing(bench: Workbench) -> None:
    assert stock(bench).items() == []
