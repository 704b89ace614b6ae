# SPDX-License-Identifier: Apache-2.0
"""Servers with habits of their own (scomo §9): what each word changes, and for whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from scomod import errors
from scomod.mo import quirks
from scomod.operation import Primitive
from scomod.quirk import Quirk
from scomod.settings import Server
from tests.support.scomos import D, X, Y, component, scomo_object


def odd(*words: Quirk) -> Server:
    return Server(quirks=tuple(words))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (f"{X}/Operations/DownlaodInstallInactive", Primitive.DOWNLOAD_INSTALL_INACTIVE),
        (f"{X}/Operations/DownloadInstallInactivate", Primitive.DOWNLOAD_INSTALL_INACTIVE),
        (f"{X}/Operations/DownloadAndInstall", Primitive.DOWNLOAD_INSTALL),
        (f"{Y}/Operations/Deactive", Primitive.DEACTIVATE),
    ],
)
def test_misspelt_primitives_are_understood_and_reported_as_written(
    tmp_path: Path, written: str, meant: Primitive
) -> None:
    with scomo_object(tmp_path, odd=odd(Quirk.MISSPELT_PRIMITIVES)) as scomo:
        scomo.announce(X, "odd")
        scomo.deploy(component(owner="odd"))
        with pytest.raises(errors.NodeNotFound):
            scomo.start(written)
        with pytest.raises(errors.NodeExists):
            scomo.add(written, server="odd", format="null")
        scomo.start(written, "odd")
        scomo.start(written, "odd")  # asked again: the same operation
        (operation,) = scomo.live
        assert (operation.primitive, operation.exec_uri) == (meant, written)


def test_fixed_names_in_any_case_and_the_servers_own_name_as_it_is(tmp_path: Path) -> None:
    with scomo_object(tmp_path, odd=odd(Quirk.ANY_CASE)) as scomo:
        scomo.add("./SCOMO/download/Status/pkgid", b"p", "odd")
        scomo.add("./SCOMO/DOWNLOAD/Status/pkgurl", b"https://h/", "odd")
        assert scomo.tree.children("./SCOMO/Download") == ["Status"]
        assert scomo.read("./SCOMO/download/Status/status", "odd") == "10"
        scomo.start("./SCOMO/download/Status/operations/downloadinstall", "odd")
        assert scomo.live[0].exec_uri == "./SCOMO/download/Status/operations/downloadinstall"
        scomo.add("./SCOMO/inventory/delivered/a/data", b"package", "odd", format="bin")
        assert scomo.read("./SCOMO/Inventory/Delivered/a/State", "odd") == "10"
        with pytest.raises(errors.NotAllowed):
            scomo.add("./SCOMO/Download/x/pkgid", b"p")


@pytest.mark.parametrize(("words", "is_done"), [((), False), ((Quirk.NO_202,), True)])
def test_server_that_does_not_know_202_is_told_200(
    tmp_path: Path, words: tuple[Quirk, ...], is_done: bool
) -> None:
    with scomo_object(tmp_path, srv=odd(*words)) as scomo:
        scomo.announce()
        for _again in range(2):
            assert scomo.start(f"{X}/Operations/Download") is is_done
        assert len(scomo.live) == 1


def test_busy_is_told_as_403_to_who_wants_that(tmp_path: Path) -> None:
    with scomo_object(tmp_path, srv=odd(Quirk.BUSY_403)) as scomo:
        scomo.announce()
        scomo.start(f"{X}/Operations/Download")
        with pytest.raises(errors.Forbidden):
            scomo.start(f"{X}/Operations/Download", correlator="d")


def test_download_node_stays_for_who_expects_it(tmp_path: Path) -> None:
    with scomo_object(tmp_path, srv=odd(Quirk.KEEP_DOWNLOAD)) as scomo:
        for server in ("srv", "other"):
            uri = f"./SCOMO/Download/{server}"
            scomo.announce(uri, server)
            scomo.start(f"{uri}/Operations/DownloadInstall", server)
        for operation in scomo.live:
            scomo.records.scomo.projection.show_success(operation)
        assert scomo.tree.children("./SCOMO/Download") == ["srv"]
        assert scomo.read("./SCOMO/Download/srv/Status") == "10"


def test_leaves_are_shown_to_each_server_as_it_reads_them(tmp_path: Path) -> None:
    words = (Quirk.STATE_CHR, Quirk.PKGIDREF_MINUS_ONE, Quirk.DELIVERED_70)
    with scomo_object(tmp_path, odd=odd(*words)) as scomo:
        scomo.deploy(component())
        scomo.bring(server="odd")
        scomo.tree.put(f"{D}/Status", value="60")
        seen = {
            server: [scomo.tree.get(f"{Y}/{leaf}", server) for leaf in ("State", "PkgIDRef")]
            for server in ("srv", "odd")
        }
        plain = [(each.format, each.value) for each in seen["srv"]]
        assert plain == [("int", b"20"), ("chr", b"")]
        assert [(each.format, each.value) for each in seen["odd"]] == [
            ("chr", b"20"),
            ("chr", b"-1"),
        ]
        assert scomo.read(f"{D}/Status", "odd") == "70"
        listed = {node.path: node.value for node in scomo.tree.listing("./SCOMO", "odd")}
        assert listed[f"{Y}/PkgIDRef"] == b"-1"
        assert scomo.tree.value(f"{D}/Status") == "60"


def test_every_word_has_its_row_in_the_page() -> None:
    page = (Path(__file__).parents[3] / "docs/scomo.md").read_text()
    assert [word for word in Quirk if f"| `{word}` |" not in page] == []


def test_names_of_the_object_differ_in_more_than_case() -> None:
    assert len(quirks.NAMES) == len(set(quirks.NAMES.values()))
