# SPDX-License-Identifier: Apache-2.0
"""Whose packages and components are: two servers and the factory (scomo ADC-3, §7.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod import errors
from scomod.mo.acl import Acl, Right
from scomod.mo.ownership import component_acl, moved_acl, owner_acl, touches
from scomod.settings import Scomo, Server, Settings
from tests.support.scomos import DEPLOYED, D, X, Y, component, scomo_object

if TYPE_CHECKING:
    from pathlib import Path

BRANCHES = ("./SCOMO/Download", "./SCOMO/Inventory/Delivered", DEPLOYED)


def test_names_of_others_are_not_told(tmp_path: Path) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.announce(X)
        scomo.announce("./SCOMO/Download/theirs", "other")
        scomo.bring()
        scomo.deploy(component("ours", owner="srv"), component("theirs", owner="other"))
        told = {server: [scomo.names(at, server) for at in BRANCHES] for server in ("srv", "other")}
        assert told == {"srv": [["x"], ["d"], ["ours"]], "other": [["theirs"], [], ["theirs"]]}
        listed = [node.path for node in scomo.tree.listing("./SCOMO", "other")]
        assert any(path.startswith(f"{DEPLOYED}/theirs/") for path in listed)
        assert not [path for path in listed if "/ours" in path or path.startswith((X, D))]


def test_what_is_not_told_cannot_be_touched(tmp_path: Path) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.deploy(component(owner="srv"))
        scomo.bring()
        for act in (
            lambda: scomo.read(f"{Y}/Version", "other"),
            lambda: scomo.read(Y, "other"),
            lambda: scomo.start(f"{Y}/Operations/Remove", "other"),
            lambda: scomo.start(f"{D}/Operations/Install", "other"),
            lambda: scomo.replace(f"{D}/Data", b"mine", "other"),
            lambda: scomo.add(f"{D}/Name", b"mine", "other"),
            lambda: scomo.tree.delete(D, "other"),
        ):
            with pytest.raises(errors.PermissionDenied):
                act()


@pytest.mark.spec("scomo 7.2")
def test_owner_shares_by_acl_and_the_acl_moves_with_the_package(tmp_path: Path) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.announce()
        scomo.replace(f"{X}?prop=ACL", b"Exec=srv&Get=srv+other&Replace=srv")
        assert scomo.names("./SCOMO/Download", "other") == ["x"]
        scomo.start(f"{X}/Operations/DownloadInstall")
        (operation,) = scomo.live
        moved = Acl.parse(operation.subject.acl)
        assert moved.allows(Right.GET, "other")
        assert not moved.allows(Right.EXEC, "other")
        assert moved.allows(Right.REPLACE, "srv")


def test_owner_of_a_component_shares_it_and_a_later_look_leaves_that(tmp_path: Path) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.deploy(component(owner="srv"))
        scomo.replace(f"{Y}?prop=ACL", b"Exec=srv&Get=*&Replace=srv")
        scomo.deploy(component(version="2", owner="srv"))
        assert scomo.read(f"{Y}/Version", "other") == "2"
        with pytest.raises(errors.PermissionDenied):
            scomo.replace(f"{Y}?prop=ACL", b"Exec=other&Get=other", "other")


def test_server_acts_for_those_it_manages(tmp_path: Path) -> None:
    chief = Server(manages=("srv",))
    with scomo_object(tmp_path, chief=chief) as scomo:
        scomo.deploy(component(owner="srv"), component("b", owner="chief"))
        assert scomo.names(DEPLOYED, "chief") == ["b", "editor"]
        assert scomo.names(DEPLOYED, "srv") == ["editor"]
        listed = [node.path for node in scomo.tree.listing(DEPLOYED, "chief")]
        assert f"{Y}/Version" in listed
        scomo.start(f"{Y}/Operations/Remove", "chief")
        assert [each.server_id for each in scomo.live] == ["chief"]


def test_managing_counts_in_this_object_only(tmp_path: Path) -> None:
    with scomo_object(tmp_path, chief=Server(manages=("srv",))) as scomo:
        scomo.tree.put("./DevInfo/Man", acl="Get=srv")
        with pytest.raises(errors.PermissionDenied):
            scomo.read("./DevInfo/Man", "chief")


@pytest.mark.parametrize(
    ("owner", "seen_by", "operated_by"),
    [
        ("*", ["other", "srv"], ["other", "srv"]),
        ("", ["other", "srv"], []),
        ("srv", ["srv"], ["srv"]),
    ],
)
def test_factory_software_has_the_configured_owner(
    tmp_path: Path, owner: str, seen_by: list[str], operated_by: list[str]
) -> None:
    with scomo_object(tmp_path, Scomo(factory_owner=owner)) as scomo:
        scomo.deploy(component())
        servers = ["other", "srv"]
        assert [server for server in servers if scomo.names(DEPLOYED, server)] == seen_by
        remove = f"{Y}/Operations/Remove"
        assert [each for each in servers if _may_start(scomo, remove, each)] == operated_by


def _may_start(scomo: object, uri: str, server: str) -> bool:
    try:
        scomo.start(uri, server)  # type: ignore[attr-defined]
    except errors.PermissionDenied:
        return False
    except errors.Conflict:  # the other one was first
        return True
    return True


def test_factory_software_that_is_everybodys_is_nobodys_to_keep(tmp_path: Path) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.deploy(component())
        with pytest.raises(errors.PermissionDenied):
            scomo.replace(f"{Y}?prop=ACL", b"Exec=srv&Get=srv")


def test_another_factory_owner_in_the_configuration_takes_over(tmp_path: Path) -> None:
    for owner in ("srv", "*", "other"):
        with scomo_object(tmp_path, Scomo(factory_owner=owner)) as scomo:
            scomo.deploy(component())
            seen = [server for server in ("other", "srv") if scomo.names(DEPLOYED, server)]
        assert seen == {"*": ["other", "srv"]}.get(owner, [owner])


def test_component_out_of_a_package_has_the_rights_of_who_ordered_it() -> None:
    assert moved_acl(owner_acl("a"), "a") == owner_acl("a")
    both = Acl.parse(moved_acl(owner_acl("a"), "b"))
    assert all(both.allows(right, server) for right in Right for server in "ab")
    assert moved_acl("", "b") == owner_acl("b")


def test_orders_may_change_what_is_their_servers() -> None:
    servers = {"chief": Server(manages=("a", "b"))}
    assert touches(Settings(), "a") == ("a", "")
    nobodys = Settings(servers=servers, scomo=Scomo(factory_owner=""))
    assert touches(nobodys, "chief") == ("chief", "a", "b")
    owned = Settings(servers=servers, scomo=Scomo(factory_owner="a"))
    assert (touches(owned, "a"), touches(owned, "b")) == (("a", ""), ("b",))
    assert touches(owned, "chief") == ("chief", "a", "b", "")
    assert component_acl(owned, "") == owner_acl("a")
