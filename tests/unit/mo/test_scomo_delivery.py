# SPDX-License-Identifier: Apache-2.0
"""Packages that come inside the DM session (scomo §6.3, T6, T11, P6)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from scomod import errors
from scomod.mo.node import Blob
from scomod.operation import Branch
from tests.support.scomos import D, scomo_object

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INSTALL = f"{D}/Operations/Install"
SHORT, LONG = b"a" * 64, b"p" * 100_000


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.spec("scomo 6.3")
@pytest.mark.parametrize("data", [SHORT, LONG], ids=["short", "long"])
def test_data_that_came_whole_is_delivered_without_a_report(tmp_path: Path, data: bytes) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.bring(data)
        assert (scomo.read(f"{D}/State"), scomo.read(f"{D}/Status")) == ("10", "10")
        assert scomo.names(f"{D}/Operations") == ["Install", "InstallInactive", "Remove"]
        assert scomo.records.journal.all() == []
        assert scomo.records.outbox.waiting() == []


@pytest.mark.parametrize("data", [SHORT, LONG], ids=["short", "long"])
def test_install_works_from_the_one_file_that_the_data_is(tmp_path: Path, data: bytes) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.bring(data)
        assert not scomo.start(INSTALL)
        (operation,) = scomo.live
        assert operation.subject.digest == sha256(data)
        assert (scomo.paths.values_dir / sha256(data)).read_bytes() == data
        assert scomo.records.scomo.payloads() == {sha256(data)}
        assert scomo.read(f"{D}/Status") == "40"


def test_server_cannot_name_what_another_one_delivered(tmp_path: Path) -> None:
    theirs = "./SCOMO/Inventory/Delivered/theirs"
    with scomo_object(tmp_path) as scomo:
        scomo.bring(b"secret", theirs, "other")
        scomo.bring(sha256(b"secret").encode())
        scomo.start(INSTALL)
        assert scomo.live[0].subject.digest == sha256(sha256(b"secret").encode())


def test_package_of_which_no_data_came_is_not_delivered(tmp_path: Path) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.add(f"{D}/PkgID", b"d-1")
        with pytest.raises(errors.NodeNotFound, match="Data"):
            scomo.start(INSTALL)
        with pytest.raises(errors.NodeNotFound):
            scomo.read(f"{D}/State")
        scomo.add(f"{D}/Data", b"", format="bin")
        with pytest.raises(errors.NodeNotFound, match="Data"):
            scomo.start(INSTALL)
        assert scomo.live == []


def test_package_id_may_come_after_the_data_but_before_the_order(tmp_path: Path) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.add(f"{D}/Data", LONG, format="bin")
        with pytest.raises(errors.NodeNotFound, match="PkgID"):
            scomo.start(INSTALL)
        scomo.add(f"{D}/PkgID", b"d-1")
        scomo.start(INSTALL)
        assert scomo.live[0].subject.pkg_id == "d-1"


@pytest.mark.parametrize(
    ("leaf", "meant"), [("", "application/x-deb"), ("application/x-ipk", "application/x-ipk")]
)
def test_type_of_the_data_counts_where_there_is_no_pkg_type(
    tmp_path: Path, leaf: str, meant: str
) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.add(f"{D}/Data", LONG, format="bin", type="application/x-deb")
        scomo.add(f"{D}/PkgID", b"d-1")
        scomo.add(f"{D}/PkgType", leaf.encode())
        scomo.start(INSTALL)
        assert scomo.live[0].subject.pkg_type == meant


def test_data_cannot_be_read(tmp_path: Path) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.bring()
        with pytest.raises(errors.NotAllowed):
            scomo.read(f"{D}/Data")
        with pytest.raises(errors.NotAllowed):
            scomo.read(f"{D}/Data?prop=Size")
        with pytest.raises(errors.NotAllowed):
            scomo.tree.copy("./SCOMO/Inventory/Delivered/e/Data", f"{D}/Data", "srv")


def test_new_data_is_a_new_delivery_and_the_old_goes(tmp_path: Path) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.bring(LONG)
        scomo.tree.put(f"{D}/State", value="20")
        scomo.tree.put(f"{D}/Status", value="50")
        scomo.replace(f"{D}/Data", SHORT)
        assert (scomo.read(f"{D}/State"), scomo.read(f"{D}/Status")) == ("10", "10")
        paths = scomo.paths
    assert [file.name for file in paths.values_dir.iterdir()] == [sha256(SHORT)]


def test_data_stays_as_it_is_while_an_operation_works_on_it(tmp_path: Path) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.bring()
        scomo.start(INSTALL)
        acts: list[Callable[[], object]] = [
            lambda: scomo.replace(f"{D}/Data", b"other"),
            lambda: scomo.tree.delete(D, "srv"),
            lambda: scomo.replace(f"{D}?prop=Name", b"e"),
        ]
        for act in acts:
            with pytest.raises(errors.Forbidden):
                act()


@pytest.mark.spec("scomo T11")
def test_delete_drops_the_data(tmp_path: Path) -> None:
    told: list[str] = []
    with scomo_object(tmp_path) as scomo:
        scomo.records.scomo.on_deleted = lambda: told.append("deleted")
        scomo.bring(LONG)
        told.clear()
        scomo.tree.delete(D, "srv")
        assert scomo.records.scomo.payloads() == set()
        paths = scomo.paths
    assert list(paths.values_dir.iterdir()) == []
    assert told == ["deleted"]


@pytest.mark.spec("scomo T6")
def test_remove_drops_the_data_and_nothing_that_was_installed(tmp_path: Path) -> None:
    with scomo_object(tmp_path) as scomo:
        scomo.bring(LONG)
        scomo.start(f"{D}/Operations/Remove")
        (operation,) = scomo.live
        assert scomo.read(f"{D}/Status") == "30"
        scomo.records.scomo.projection.show_success(operation)
        assert scomo.tree.node(D) is None
        paths = scomo.paths
    assert list(paths.values_dir.iterdir()) == []


def test_downloaded_package_is_named_by_its_payload_and_may_be_replaced(tmp_path: Path) -> None:
    with scomo_object(tmp_path) as scomo:
        fetched = Blob(sha256="b" * 64, size_bytes=3)
        scomo.tree.put(D, acl="Add=srv&Exec=srv&Get=srv&Replace=srv")
        scomo.records.scomo.packages.complete(D, Branch.DELIVERED, "Exec=srv&Get=srv&Replace=srv")
        scomo.tree.put(f"{D}/PkgID", value="d-1")
        scomo.tree.put(f"{D}/Data", value=fetched)
        assert scomo.records.scomo.payloads() == {"b" * 64}
        scomo.replace(f"{D}/Data", SHORT)
        scomo.start(INSTALL)
        assert scomo.live[0].subject.digest == sha256(SHORT)
        assert scomo.records.scomo.payloads() == {sha256(SHORT)}
