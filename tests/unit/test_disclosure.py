# SPDX-License-Identifier: Apache-2.0
"""The second question: asked when what was fetched asks for what it may not do now, else not.

A whole device in this process (`tests.support.handset`), its software in a sandbox.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scomod.operation import Primitive, operation_leaf
from scomod.settings import Admission, Confirm, Health, Rule
from tests.support.bundles import pack
from tests.support.clocks import FakeClock
from tests.support.executing import add, execute
from tests.support.handset import Handset, settings_of
from tests.support.shelf import Shelf, package

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.operation import Operation

NETWORK, FILES = "It may use the network.", "It may read and write all files."
OLD = package("org.example.App", "1", permissions=[NETWORK])
NEW = package("org.example.App", "2", permissions=[NETWORK, FILES])
SAME = package("org.example.App", "2", permissions=[NETWORK])
HARMLESS = package("org.example.App", "1")
DOWNLOAD = "./SCOMO/Download/x"
DELIVERED = "./SCOMO/Inventory/Delivered/x"
DEPLOYED = "./SCOMO/Inventory/Deployed"
NOW_S = 100_000.0  # a device that was never told the time; small, so that moments are exact
DOWNLOAD_COMPLETE, INSTALL_FAILED = "40", "70"
P = Primitive


class Stage:
    """The device over its lives, and a server that orders."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.shelf = Shelf()
        self.clock = FakeClock()
        self.clock.now_s = NOW_S
        self.orders_count = 0
        self.device = self.boot()

    def boot(
        self, admission: Admission | None = None, health_s: float = 0.0, **policy: Any
    ) -> Handset:
        settings = replace(
            settings_of(),
            confirm=Confirm(**policy),
            admission=admission or Admission(),
            health=Health(time_s=health_s),
        )
        return Handset(self.root, self.shelf, self.clock, settings=settings)

    def begin_life(self, *more: Any, **policy: Any) -> None:
        """Start the daemon anew, with another policy; the clock stands still meanwhile."""
        self.device.close()
        self.device = self.boot(*more, **policy)

    def order(
        self, content: bytes, primitive: Primitive = P.DOWNLOAD_INSTALL, kind: str = "flatpak"
    ) -> None:
        """Have a package fetched, and perhaps installed."""
        url = self.shelf.put(f"{len(self.shelf.content)}", content)
        leaves = {"PkgID": "p", "PkgURL": url, "EnvType": kind}
        self.device.codes("srv", *(add(f"{DOWNLOAD}/{k}", v) for k, v in leaves.items()))
        self.exec(f"{DOWNLOAD}/{operation_leaf(primitive)}")

    def exec(self, uri: str) -> None:
        self.orders_count += 1
        assert self.device.codes("srv", execute(uri, f"order {self.orders_count}")) == [202]
        self.device.settle()

    @property
    def prompt(self) -> dict[str, Any]:
        (prompt,) = self.device.confirmations.prompts()
        return prompt

    def asked(self) -> list[str] | None:
        """Return the permissions that the open question is about."""
        found: list[str] | None = self.prompt["permissions"]
        return found

    @property
    def last(self) -> Operation:
        return self.device.records.journal.all()[-1]

    def answer(self, *answers: bool) -> None:
        for is_accepted in answers:
            self.device.answer(self.prompt["operation"], is_accepted=is_accepted)
            self.device.settle()

    def versions(self) -> dict[str, str]:
        return {item.id: item.version for item in self.device.stock() if item.is_active}

    def installed(self, content: bytes) -> None:
        """Have something there already, as policy let it pass."""
        self.begin_life(default="silent")
        self.order(content)
        assert self.last.result == 1200, self.last
        self.begin_life()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.device.close()


def test_person_hears_what_a_fetched_package_asks_for_before_it_is_installed(stage: Stage) -> None:
    stage.order(OLD)
    assert stage.asked() is None, "nobody can know them yet"
    stage.answer(True)
    assert stage.asked() == [NETWORK]
    assert stage.prompt["size"] == len(OLD)
    assert stage.device.value(f"{DOWNLOAD}/Status") == DOWNLOAD_COMPLETE
    assert stage.versions() == {}
    stage.answer(True)
    assert stage.versions() == {"org.example.App": "1"}
    record = stage.device.finished[-1].data
    assert record["permissions"] == [NETWORK]
    for key in ("consent", "disclosure"):
        given = record[key]
        assert isinstance(given, dict)
        assert (given["verdict"], given["by"]) == ("granted", "the person")


def test_no_to_what_it_asks_for_ends_with_1401_and_leaves_nothing(stage: Stage) -> None:
    stage.order(OLD)
    stage.answer(True, False)
    assert (stage.last.result, stage.last.step) == (1401, "disclose")
    assert stage.versions() == {}
    assert stage.device.leftovers()["spool"] == []
    assert stage.device.value(f"{DOWNLOAD}/Status") == INSTALL_FAILED


@pytest.mark.parametrize("primitive", [P.DOWNLOAD_INSTALL, P.DOWNLOAD_INSTALL_INACTIVE])
def test_package_that_asks_for_nothing_is_one_question(stage: Stage, primitive: Primitive) -> None:
    stage.order(HARMLESS, primitive)
    stage.answer(True)
    assert stage.last.result == 1200
    assert "disclosure" not in stage.last.data


def test_update_is_asked_about_only_for_what_it_may_not_do_now(stage: Stage) -> None:
    stage.installed(OLD)
    stage.order(NEW)
    stage.answer(True)
    assert stage.asked() == [FILES]
    stage.answer(False)
    assert stage.versions() == {"org.example.App": "1"}


def test_update_that_asks_for_no_more_than_now_is_one_question(stage: Stage) -> None:
    stage.installed(OLD)
    stage.order(SAME)
    stage.answer(True)
    assert stage.versions() == {"org.example.App": "2"}
    assert "disclosure" not in stage.last.data


def test_switched_off_software_may_do_nothing_now(stage: Stage) -> None:
    stage.installed(OLD)
    stage.exec(f"{DEPLOYED}/org.example.App/Operations/Deactivate")
    assert stage.asked() is None
    stage.answer(True)
    stage.exec(f"{DEPLOYED}/org.example.App/Operations/Activate")
    assert stage.asked() == [NETWORK], "known of what is kept, so asked at once"
    stage.answer(True)
    assert stage.last.result == 1200
    assert "disclosure" not in stage.last.data


@pytest.mark.parametrize("primitive", [P.INSTALL, P.INSTALL_INACTIVE])
def test_package_that_is_here_already_is_one_question_with_permissions(
    stage: Stage, primitive: Primitive
) -> None:
    stage.order(OLD, P.DOWNLOAD)
    assert stage.asked() is None
    stage.answer(True)
    stage.exec(f"{DELIVERED}/{operation_leaf(primitive)}")
    assert stage.asked() == [NETWORK]
    stage.answer(True)
    assert stage.last.result == 1200
    assert stage.last.data["permissions"] == [NETWORK]


def test_delivered_package_that_is_none_is_refused_before_anybody_is_asked(stage: Stage) -> None:
    stage.order(b"no archive", P.DOWNLOAD)
    stage.answer(True)
    stage.exec(f"{DELIVERED}/{operation_leaf(P.INSTALL)}")
    assert stage.last.result == 1407
    assert stage.device.confirmations.prompts() == []


@pytest.mark.parametrize("kind", ["deb", ""])
def test_package_without_a_sandbox_says_nothing_of_permissions(stage: Stage, kind: str) -> None:
    stage.order(HARMLESS, kind=kind)
    assert stage.asked() is None
    assert "ermission" not in stage.prompt["effect"]
    assert "disclose" not in stage.last.plan


def test_new_life_asks_again_and_its_deadline_goes_on(stage: Stage) -> None:
    stage.order(OLD)
    stage.clock.advance(3600)
    stage.answer(True)
    first = stage.prompt
    stage.clock.advance(60)
    stage.begin_life()
    stage.device.settle()
    assert stage.asked() == [NETWORK]
    assert stage.prompt["deadline"] == pytest.approx(first["deadline"])
    assert len(stage.shelf.content) == 1
    stage.answer(True)
    assert stage.versions() == {"org.example.App": "1"}


def test_second_question_has_its_own_deadline_and_deferrals(stage: Stage) -> None:
    stage.begin_life(deadline_s=3600.0, max_deferrals_count=1)
    stage.order(OLD)
    stage.device.later(stage.last.id, "30m")
    stage.device.settle()
    stage.clock.advance(1800)
    stage.device.settle()
    assert stage.prompt["deferrals_left"] == 0
    stage.clock.advance(1700)
    stage.answer(True)
    assert stage.prompt["deferrals_left"] == 1
    assert stage.prompt["deadline"] == pytest.approx(stage.clock.wall_s() + 3600)
    stage.device.later(stage.last.id, "30m")
    stage.device.settle()
    assert stage.last.data["deferrals"] == stage.last.data["disclosure_deferrals"] == 1
    stage.clock.advance(1800)
    stage.device.settle()
    stage.clock.advance(1800)
    stage.device.settle()
    assert stage.last.result == 1401
    given = stage.last.data["disclosure"]
    assert isinstance(given, dict)
    assert (given["verdict"], given["how"]) == ("unanswered", "deadline")


def test_all_deferrals_there_can_be_of_both_questions_are_no_crash_loop(stage: Stage) -> None:
    count = 10  # the most that the configuration takes
    stage.begin_life(Admission(windows=("00:00-24:00",)), max_deferrals_count=count)
    stage.order(OLD)
    for _ in range(2):
        for _ in range(count):
            stage.device.later(stage.last.id, "30m")
            stage.device.settle()
            stage.begin_life(Admission(windows=("00:00-24:00",)), max_deferrals_count=count)
            stage.clock.advance(1801)
            stage.device.settle()
        stage.answer(True)
    assert stage.last.result == 1200, stage.last.detail


@pytest.mark.parametrize(
    ("policy", "how"),
    [
        ({"default": "silent"}, "silent"),
        ({"default": "inform"}, "inform"),
        ({"no_agent": "accept"}, "silent"),
        ({"rule": (Rule(operation="DownloadInstall", mode="silent"),)}, "silent"),
    ],
)
def test_policy_that_asks_nobody_is_the_same_for_permissions_and_kept(
    stage: Stage, policy: dict[str, Any], how: str
) -> None:
    stage.begin_life(**policy)
    stage.order(OLD)
    assert stage.last.result == 1200
    given = stage.last.data["disclosure"]
    assert isinstance(given, dict)
    assert (given["verdict"], given["how"]) == ("granted", how)


def test_policy_that_has_become_a_refusal_meanwhile_is_heard(stage: Stage) -> None:
    stage.order(OLD)
    stage.answer(True)
    stage.begin_life(default="refuse")
    stage.device.settle()
    assert stage.last.result == 1401
    assert stage.versions() == {}


def test_yes_that_the_server_got_counts_for_both_questions(stage: Stage) -> None:
    stage.begin_life(server_confirmation="counts")
    stage.order(OLD)
    stage.device.records.journal.update(
        replace(stage.last, data={**stage.last.data, "confirmed_by_server": True})
    )
    stage.begin_life(server_confirmation="counts")
    stage.device.settle()
    assert stage.last.result == 1200
    given = stage.last.data["disclosure"]
    assert isinstance(given, dict)
    assert (given["how"], given["by"]) == ("server", "srv")


def test_cancelling_while_it_waits_changes_nothing(stage: Stage) -> None:
    stage.order(OLD)
    stage.answer(True)
    assert stage.device.engine.cancel(stage.last.id, "somebody") == "cancelled"
    stage.device.settle()
    assert stage.last.result == 1401
    assert stage.device.confirmations.prompts() == []
    assert stage.device.leftovers()["spool"] == []


def test_late_yes_waits_for_the_next_maintenance_window(stage: Stage) -> None:
    stage.begin_life(Admission(windows=("00:00-01:00",)))
    stage.order(OLD)
    stage.answer(True)
    for _ in range(24):
        stage.clock.advance(3600)
        stage.device.settle()
    assert stage.asked() == [NETWORK], "fetched in the window"
    stage.answer(True)
    assert stage.last.phase.is_live
    assert stage.device.value(f"{DOWNLOAD}/Status") == DOWNLOAD_COMPLETE
    for _ in range(24):
        stage.clock.advance(3600)
        stage.device.settle()
    assert stage.versions() == {"org.example.App": "1"}


def bundled(root: Path, *contents: bytes) -> bytes:
    """Pack archives; the first is in a sandbox, the others are not."""
    archives = [root / f"{number}.archive" for number in range(len(contents))]
    for archive, content in zip(archives, contents, strict=True):
        archive.write_bytes(content)
    environments = ["flatpak", *["deb"] * (len(archives) - 1)]
    return pack(root / "bundle", archives, environments=environments).read_bytes()


def test_components_of_a_bundle_are_each_looked_into(stage: Stage) -> None:
    content = bundled(stage.root, NEW, package("lib", "1"))
    stage.order(content, kind="bundle")
    stage.answer(True)
    assert stage.asked() == [NETWORK, FILES]
    assert stage.device.leftovers()["spool"] == ["1.part"]
    stage.answer(True)
    assert stage.versions() == {"org.example.App": "2", "lib": "1"}


def test_bundle_without_sandboxes_is_one_question(stage: Stage) -> None:
    content = bundled(stage.root, HARMLESS, package("lib", "1"))
    stage.order(content, kind="bundle")
    stage.answer(True)
    assert stage.last.result == 1200


def test_start_and_stop_are_its_own_tools_affair(stage: Stage) -> None:
    stage.installed(OLD)
    component = f"{DEPLOYED}/org.example.App"
    stage.begin_life(default="silent")
    for primitive, runs in ((P.START, True), (P.STOP, False)):
        stage.exec(f"{component}/{operation_leaf(primitive)}")
        assert stage.last.result == 1200
        assert stage.device.sandboxed.runs("org.example.App") is runs


@pytest.mark.parametrize(("says", "result"), [(0, 1200), (1, 1405)])
def test_health_of_what_nothing_starts_is_what_its_check_says(
    stage: Stage, says: int, result: int
) -> None:
    check = stage.root / "usr/lib/scomod/checks/org.example.App"
    check.parent.mkdir(parents=True)
    check.write_text(f"#!/bin/sh\nexit {says}\n")
    check.chmod(0o755)
    stage.begin_life(health_s=60.0, default="silent")
    stage.order(HARMLESS)
    assert stage.last.step == "health"
    stage.clock.advance(60)
    stage.device.settle()
    assert stage.last.result == result
    assert bool(stage.versions()) is (result == 1200)
