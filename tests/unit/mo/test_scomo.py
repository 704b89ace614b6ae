# SPDX-License-Identifier: Apache-2.0
"""The SCOMO object: what servers may announce, start and see (scomo §1 to §3, §7.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod import errors
from scomod.mo.handler import ExecRequest
from scomod.mo.inventory import InventoryItem
from scomod.operation import Branch, Phase, Primitive
from scomod.records import Records
from scomod.settings import Paths, Scomo, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

X = "./SCOMO/Download/x"
Y = "./SCOMO/Inventory/Deployed/editor"
D = "./SCOMO/Inventory/Delivered/d"


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    found = Records(Settings(), Paths(tmp_path))
    with found.db.transaction():
        yield found
    found.db.close()


def announce(records: Records, **leaves: str) -> None:
    for leaf, value in ({"PkgID": "p", "PkgURL": "https://h/p"} | leaves).items():
        if value:
            records.tree.add(f"{X}/{leaf}", "srv", format=None, type=None, value=value.encode())


def start(records: Records, path: str, server: str = "srv") -> None:
    assert not records.tree.execute(path, ExecRequest(server_id=server, correlator="c"))


def deploy(records: Records, *items: InventoryItem, acl: str = "Exec=srv&Get=*") -> None:
    records.inventory.reconcile(items, dict.fromkeys([item.id for item in items], acl))


def item(name: str = "editor", version: str = "1", *, is_active: bool = True) -> InventoryItem:
    return InventoryItem(id=name, version=version, environment="deb", is_active=is_active)


@pytest.mark.parametrize(
    ("version", "kind"),
    [("1.0", "urn:oma:mo:oma-scomo:1.0"), ("1.1", "urn:oma:mo:oma-scomo:1.1")],
)
def test_root_has_the_configured_type_also_after_a_change(
    tmp_path: Path, version: str, kind: str
) -> None:
    Records(Settings(), Paths(tmp_path)).db.close()
    records = Records(Settings(scomo=Scomo(version=version)), Paths(tmp_path))
    assert records.tree.get("./SCOMO?prop=Type", "srv").value.decode() == kind
    records.db.close()


def test_root_may_be_elsewhere(tmp_path: Path) -> None:
    records = Records(Settings(scomo=Scomo(root="./Vendor/SCM")), Paths(tmp_path))
    assert records.tree.children("./Vendor/SCM") == ["Download", "Inventory"]
    records.db.close()


@pytest.mark.spec("scomo 3.5 a")
def test_leaf_below_a_new_package_makes_the_whole_package(records: Records) -> None:
    announce(records)
    tree = records.tree
    assert tree.children(f"{X}/Operations") == [
        "Download", "DownloadInstall", "DownloadInstallInactive",
    ]  # fmt: skip
    assert tree.value(f"{X}/Status") == "10"


def test_operation_leaf_that_is_there_already_says_so(records: Records) -> None:
    announce(records)
    with pytest.raises(errors.NodeExists):
        records.tree.add(
            f"{X}/Operations/DownloadInstall", "srv", format="null", type=None, value=None
        )


@pytest.mark.spec("scomo ADC-3")
def test_package_belongs_to_the_server_that_announced_it(records: Records) -> None:
    announce(records)
    tree = records.tree
    assert tree.get(f"{X}/PkgURL", "srv").value == b"https://h/p"
    for act in (
        lambda: tree.get(f"{X}/PkgURL", "other"),
        lambda: tree.delete(X, "other"),
        lambda: tree.execute(f"{X}/Operations/Download", ExecRequest(server_id="other")),
        lambda: tree.replace(f"{X}/PkgURL", "other", format=None, type=None, value=b"https://e/"),
    ):
        with pytest.raises(errors.PermissionDenied):
            act()
    tree.delete(X, "srv")
    assert tree.node(X) is None


@pytest.mark.spec("scomo N6")
@pytest.mark.parametrize("missing", ["PkgID", "PkgURL"])
def test_exec_without_what_it_needs_is_not_found(records: Records, missing: str) -> None:
    announce(records, **{missing: ""})
    with pytest.raises(errors.NodeNotFound, match=missing):
        start(records, f"{X}/Operations/DownloadInstall")
    assert records.journal.all() == []


def test_exec_copies_what_it_needs_and_shows_progress(records: Records) -> None:
    announce(records, Name="Editor", InstallParams="size=3", EnvType="deb")
    start(records, f"{X}/Operations/DownloadInstall")
    records.tree.replace(f"{X}/PkgURL", "srv", format=None, type=None, value=b"https://other/")
    (operation,) = records.journal.live()
    assert operation.phase is Phase.QUEUED
    assert (operation.branch, operation.primitive) == (
        Branch.DOWNLOAD, Primitive.DOWNLOAD_INSTALL,
    )  # fmt: skip
    subject = operation.subject
    assert (subject.url, subject.name, subject.environment) == ("https://h/p", "Editor", "deb")
    assert records.tree.value(f"{X}/Status") == "30"


@pytest.mark.spec("scomo N7")
def test_second_exec_on_a_busy_package_is_refused(records: Records) -> None:
    announce(records)
    start(records, f"{X}/Operations/DownloadInstall")
    with pytest.raises(errors.Conflict):
        records.tree.execute(
            f"{X}/Operations/Download", ExecRequest(server_id="srv", correlator="d")
        )
    assert len(records.journal.live()) == 1


@pytest.mark.spec("scomo T10")
def test_leaf_of_a_package_cannot_be_deleted(records: Records) -> None:
    announce(records, Description="text")
    with pytest.raises(errors.NotAllowed):
        records.tree.delete(f"{X}/Description", "srv")


@pytest.mark.parametrize(
    "path", [X, f"{X}/Status", f"{X}/Operations", "./SCOMO", "./SCOMO/Inventory/Deployed"]
)
def test_exec_elsewhere_is_refused(records: Records, path: str) -> None:
    announce(records)
    with pytest.raises((errors.NotAllowed, errors.PermissionDenied)):
        start(records, path)


def test_component_belongs_to_the_server_that_brought_it(records: Records) -> None:
    deploy(records, item(), acl="Exec=srv&Get=srv")
    for act in (
        lambda: records.tree.get(f"{Y}/Version", "other"),
        lambda: start(records, f"{Y}/Operations/Remove", "other"),
    ):
        with pytest.raises(errors.PermissionDenied):
            act()
    start(records, f"{Y}/Operations/Remove")
    assert records.tree.value(f"{Y}/Status") == "30"


def test_servers_do_not_make_components(records: Records) -> None:
    new = "./SCOMO/Inventory/Deployed/new/ID"
    with pytest.raises((errors.NotAllowed, errors.PermissionDenied)):
        records.tree.add(new, "srv", format=None, type=None, value=b"n")


def test_servers_do_not_delete_components(records: Records) -> None:
    deploy(records, item(), acl="Add=srv&Delete=srv&Exec=srv&Get=*&Replace=srv")
    with pytest.raises(errors.NotAllowed):
        records.tree.delete(Y, "srv")


def test_inventory_follows_what_the_backend_reports(records: Records) -> None:
    deploy(records, item("a"), item("b"))
    deploy(records, item("b", "2", is_active=False), item("c"))
    tree, base = records.tree, "./SCOMO/Inventory/Deployed"
    assert tree.children(base) == ["b", "c"]
    assert (tree.value(f"{base}/b/Version"), tree.value(f"{base}/b/State")) == ("2", "10")
    assert records.inventory.uri_of("c") == f"{base}/c"
    assert records.inventory.uri_of("a") is None


def test_unchanged_inventory_is_not_written(records: Records) -> None:
    deploy(records, item())
    before = records.db.execute("SELECT total_changes()").fetchone()
    deploy(records, item())
    assert records.db.execute("SELECT total_changes()").fetchone() == before


def test_names_that_would_collide_get_a_number(records: Records) -> None:
    deploy(records, item("lib:amd64"), item("lib_amd64"), item("lib amd64"))
    ids = ("lib:amd64", "lib_amd64", "lib amd64")
    assert len({records.inventory.uri_of(name) for name in ids} - {None}) == 3


def test_owner_comes_also_when_the_inventory_was_quicker(records: Records) -> None:
    records.inventory.reconcile([item()], {})
    deploy(records, item())
    start(records, f"{Y}/Operations/Remove")
