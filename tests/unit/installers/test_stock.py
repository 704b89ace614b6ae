# SPDX-License-Identifier: Apache-2.0
"""The inventory joins what the backends report with what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.installers.archive import Archives
from scomod.installers.base import Action
from scomod.installers.kinds import KINDS
from scomod.installers.stock import Stock, shown_by
from scomod.settings import Dpkg, Install, Inventory, Settings
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path, backend="fake")


def stock(bench: Workbench, *, inventory: str = "all", filters: Inventory | None = None) -> Stock:
    settings = Settings(
        install=Install(dpkg=Dpkg(inventory=inventory)), inventory=filters or Inventory()
    )
    archives = Archives(bench.paths.install_dir)
    return Stock(
        kinds=tuple(KINDS.values()),
        open_backends=lambda: [bench.fake],
        watch=lambda: [bench.fake.mark()],
        archives=archives,
        is_shown=shown_by(settings),
    )


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
    assert [item.id for item in stock(bench, inventory="managed").items()] == ["zebra"]


def test_the_backend_outranks_the_index(bench: Workbench) -> None:
    bench.do(Action.INSTALL_INACTIVE, bench.fake_archive(id="a"))
    by_hand(bench, id="a", version="9")
    bench.do(Action.INSTALL, bench.fake_archive(id="b"))
    bench.fake.remove("b")
    found = [(item.id, item.version, item.is_active, item.digest) for item in stock(bench).items()]
    assert found == [("a", "9", True, "")]


def test_what_a_person_upgrades_by_hand_stays_its_server_s(bench: Workbench) -> None:
    bench.do(Action.INSTALL, bench.fake_archive(id="a", version="1"), owner="srv", package_id="p")
    by_hand(bench, id="a", version="2")
    by_hand(bench, id="b", version="1")
    found = [(item.id, item.owner, item.package_id) for item in stock(bench).items()]
    assert found == [("a", "srv", ""), ("b", "", "")]


def test_an_empty_device_has_nothing(bench: Workbench) -> None:
    assert stock(bench).items() == []


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (Inventory(), ["editor", "libc6:i386", "libgreet", "theirs"]),
        (Inventory(hide=("lib*",)), ["editor", "theirs"]),
        (Inventory(show=("lib*",)), ["libc6:i386", "libgreet", "theirs"]),
        (Inventory(show=("lib*", "editor"), hide=("*:i386",)), ["editor", "libgreet", "theirs"]),
        (Inventory(show=()), ["theirs"]),
        (Inventory(hide=("*",)), ["theirs"]),
        (Inventory(hide=("THEIRS", "Editor", "lib[!c]*")), ["editor", "libc6:i386", "theirs"]),
    ],
)
def test_policy_shows_and_hides_by_pattern_but_never_what_a_server_brought(
    bench: Workbench, filters: Inventory, wanted: list[str]
) -> None:
    for name in ("editor", "libc6:i386", "libgreet"):
        by_hand(bench, id=name)
    bench.do(Action.INSTALL, bench.fake_archive(id="theirs"))
    assert [item.id for item in stock(bench, filters=filters).items()] == wanted


def test_another_mark_after_each_change_and_the_same_without(bench: Workbench) -> None:
    shown = stock(bench)
    marks = [shown.mark()]
    by_hand(bench, id="a", version="1")
    marks.append(shown.mark())
    by_hand(bench, id="a", version="2")
    marks.append(shown.mark())
    bench.do(Action.INSTALL, bench.fake_archive(id="b"))
    marks.append(shown.mark())
    bench.do(Action.DEACTIVATE, component_id="b")
    marks.append(shown.mark())
    assert len(set(marks)) == len(marks)
    assert shown.items()
    assert shown.mark() == marks[-1]
