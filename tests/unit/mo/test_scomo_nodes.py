# SPDX-License-Identifier: Apache-2.0
"""The object's nodes by version and setting: Reboot, Start and Stop, limits, fixed nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scomod import errors
from scomod.operation import WISH, Branch, Phase, Primitive, StepKind
from scomod.settings import Scomo
from tests.support.scomos import DEPLOYED, GO, X, Y, component, scomo_object

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RB = "./SCOMO/Download/RB_DP"
START, STOP = f"{Y}/Operations/Ext/Start", f"{Y}/Operations/Ext/Stop"


# -- Download/x/Reboot (scomo §1.3, §6.2) ------------------------------------------


def test_reboot_is_a_leaf_of_1_1_only(tmp_path: Path) -> None:
    with scomo_object(tmp_path, Scomo(version="1.1")) as scomo:
        scomo.announce(Reboot="before the parade")
        assert scomo.read(f"{X}/Reboot") == "before the parade"
    with scomo_object(tmp_path, Scomo(version="1.0")) as scomo:
        with pytest.raises(errors.NodeNotFound):
            scomo.read(f"{X}/Reboot")
        with pytest.raises(errors.NotAllowed):
            scomo.add(f"{X}/Reboot", b"before")
        scomo.start(GO)
        assert scomo.live[0].subject.reboot == ""


def test_reboot_goes_along_and_into_the_plan(tmp_path: Path) -> None:
    with scomo_object(tmp_path, Scomo(version="1.1")) as scomo:
        scomo.announce(Reboot="after")
        scomo.start(GO)
        (operation,) = scomo.live
        assert operation.subject.reboot == "after"
        assert StepKind.REBOOT in operation.steps


# -- Operations/Ext/Start and Stop (HLFR-5) ------------------------------------------


def test_component_with_services_can_be_started_and_stopped(tmp_path: Path) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.deploy(component(is_startable=True), component("lib"))
        assert scomo.names(f"{Y}/Operations/Ext") == ["Start", "Stop"]
        assert "Ext" not in scomo.names(f"{DEPLOYED}/lib/Operations")
        assert not scomo.start(START)
        (operation,) = scomo.live
        assert (operation.branch, operation.primitive) == (Branch.DEPLOYED, Primitive.START)
        assert operation.exec_uri == START
        with pytest.raises(errors.Conflict):
            scomo.start(STOP, correlator="d")


def test_start_leaves_come_and_go_with_the_services(tmp_path: Path) -> None:
    with scomo_object(tmp_path) as scomo:
        for is_startable in (False, True, False):
            scomo.deploy(component(is_startable=is_startable))
            assert ("Ext" in scomo.names(f"{Y}/Operations")) is is_startable
        with pytest.raises(errors.NodeNotFound):
            scomo.start(START)


# -- limits (scomo §1.2) ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("leaf", "limit"),
    [("PkgID", 256), ("Name", 128), ("Description", 512), ("PkgURL", 2048),
     ("InstallParams", 65536), ("EnvType", 100), ("PkgType", 100), ("Reboot", 100)],
)  # fmt: skip
def test_value_longer_than_its_leaf_is_too_large(tmp_path: Path, leaf: str, limit: int) -> None:
    with scomo_object(tmp_path, Scomo(version="1.1")) as scomo:
        scomo.announce(PkgID="", PkgURL="", Ext="")
        scomo.add(f"{X}/{leaf}", b"a" * limit)
        with pytest.raises(errors.TooLarge):
            scomo.replace(f"{X}/{leaf}", b"a" * (limit + 1))
        with pytest.raises(errors.TooLarge):
            scomo.add(f"./SCOMO/Download/y/{leaf}", b"a" * (limit + 1))


# -- download nodes that are always there (scomo §3.5, §9) -----------------------------


def test_predefined_node_is_complete_and_stays(tmp_path: Path) -> None:
    with scomo_object(tmp_path, Scomo(download_nodes=("RB_DP",))) as scomo:
        assert scomo.names("./SCOMO/Download") == ["RB_DP"]
        assert (scomo.read(f"{RB}/PkgID"), scomo.read(f"{RB}/Status")) == ("RB_DP", "10")
        acts: list[Callable[[], object]] = [
            lambda: scomo.tree.delete(RB, "srv"),
            lambda: scomo.replace(f"{RB}?prop=Name", b"mine"),
            lambda: scomo.replace(f"{RB}?prop=ACL", b"Get=srv"),
        ]
        for act in acts:
            with pytest.raises((errors.NotAllowed, errors.PermissionDenied)):
                act()


def test_predefined_node_cannot_be_deleted_by_its_owner_either(tmp_path: Path) -> None:
    mine = Scomo(download_nodes=("RB_DP",), factory_owner="srv")
    with scomo_object(tmp_path, mine) as scomo:
        with pytest.raises(errors.NotAllowed):
            scomo.tree.delete(RB, "srv")
        assert scomo.names("./SCOMO/Download", "other") == []


def test_predefined_node_is_used_again_without_a_new_id(tmp_path: Path) -> None:
    with scomo_object(tmp_path, Scomo(download_nodes=("RB_DP",))) as scomo:
        with pytest.raises(errors.NodeNotFound, match="PkgURL"):
            scomo.start(f"{RB}/Operations/DownloadInstall")
        for url in ("https://h/1", "https://h/2"):
            scomo.replace(f"{RB}/PkgURL", url.encode())
            scomo.start(f"{RB}/Operations/DownloadInstall", correlator=url)
            (operation,) = scomo.live
            assert (operation.subject.url, operation.subject.pkg_id) == (url, "RB_DP")
            assert scomo.read(f"{RB}/Status") == "30"
            scomo.records.scomo.projection.show_success(operation)
            scomo.records.journal.update(replace(operation, phase=Phase.SUCCEEDED))
            assert scomo.read(f"{RB}/Status") == "10"


def test_what_comes_out_of_a_predefined_node_belongs_to_who_ordered_it(tmp_path: Path) -> None:
    with scomo_object(tmp_path, Scomo(download_nodes=("RB_DP",))) as scomo:
        scomo.replace(f"{RB}/PkgURL", b"https://h/1", "other")
        scomo.start(f"{RB}/Operations/DownloadInstall", "other")
        assert "srv" not in scomo.live[0].subject.acl
        assert "*" not in scomo.live[0].subject.acl
        assert "Exec=other" in scomo.live[0].subject.acl


def test_predefined_node_keeps_what_it_held_over_a_restart(tmp_path: Path) -> None:
    settings = Scomo(download_nodes=("RB_DP",))
    with scomo_object(tmp_path, settings) as scomo:
        scomo.replace(f"{RB}/PkgURL", b"https://h/1")
    with scomo_object(tmp_path, settings) as scomo:
        assert scomo.read(f"{RB}/PkgURL") == "https://h/1"


# -- Delete during an operation (scomo T10) --------------------------------------------


def test_deleting_a_package_cancels_what_has_changed_nothing_yet(tmp_path: Path) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.announce()
        scomo.start(GO)
        scomo.tree.delete(X, "srv")
        (operation,) = scomo.live
        assert operation.data[WISH] == "server"
        with pytest.raises(errors.Conflict), scomo.records.db.savepoint():
            scomo.announce()
        scomo.records.scomo.projection.show_failure(operation)
        assert scomo.tree.node(X) is None


def test_deleting_a_package_that_is_being_installed_is_refused(tmp_path: Path) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.announce()
        scomo.start(GO)
        (operation,) = scomo.live
        at = operation.plan.index(StepKind.INSTALL)
        scomo.records.journal.update(replace(operation, phase=Phase.RUNNING, cursor=at))
        with pytest.raises(errors.Forbidden):
            scomo.tree.delete(X, "srv")
        assert WISH not in scomo.live[0].data
        assert scomo.tree.node(X) is not None


def test_package_is_not_renamed_under_an_operation(tmp_path: Path) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.announce()
        scomo.start(GO)
        with pytest.raises(errors.Forbidden):
            scomo.replace(f"{X}?prop=Name", b"z")
        assert WISH not in scomo.live[0].data
