# SPDX-License-Identifier: Apache-2.0
"""DevInfo and DevDetail as a server reads them (omadm §8.1, §8.2)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scomod import __version__
from scomod.errors import NotAllowed, PermissionDenied
from scomod.mo import devdetail, devinfo, dmacc
from scomod.settings import Device
from tests.support.trees import Bench, tree_bench

DEVICE = Device(manufacturer="Maker", model="M1", language="de", oem="Oem", hardware_version="7")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with tree_bench(tmp_path) as made:
        install(made, DEVICE)
        yield made


def install(bench: Bench, device: Device) -> None:
    devinfo.install(bench.tree, device, "IMEI:493005100592800")
    devdetail.install(bench.tree, device)
    dmacc.install(bench.tree)


def read(bench: Bench, path: str) -> str:
    return bench.tree.get(path, "any server").value.decode()


@pytest.mark.spec("DM-STD 7.1.3.2")
def test_devinfo_identifies_the_device(bench: Bench) -> None:
    assert read(bench, "./DevInfo") == "DevId/DmV/Lang/Man/Mod"
    assert read(bench, "./DevInfo/DevId") == "IMEI:493005100592800"
    assert read(bench, "./DevInfo/Man") == "Maker"
    assert read(bench, "./DevInfo/Mod") == "M1"
    assert read(bench, "./DevInfo/DmV").endswith(__version__)
    assert read(bench, "./DevInfo/Lang") == "de"
    assert read(bench, "./DevInfo?prop=Type") == "urn:oma:mo:oma-dm-devinfo:1.0"


@pytest.mark.spec("DM-STD 7.1.3.3")
def test_devdetail_publishes_the_limits_that_are_kept(bench: Bench) -> None:
    assert read(bench, "./DevDetail") == "DevTyp/FwV/HwV/LrgObj/OEM/SwV/URI"
    depth, total, segment = (
        int(read(bench, f"./DevDetail/URI/{name}"))
        for name in ("MaxDepth", "MaxTotLen", "MaxSegLen")
    )
    limits = bench.tree.limits
    assert limits == devdetail.LIMITS
    assert (depth, total, segment) == (
        limits.max_depth_count,
        limits.max_total_chars,
        limits.max_segment_chars,
    )
    assert read(bench, "./DevDetail/LrgObj") == "true"
    assert read(bench, "./DevDetail/HwV") == "7"


def test_deepest_node_we_make_is_within_the_published_limits(bench: Bench) -> None:
    item = "./SCOMO/Inventory/Delivered/" + "n" * devdetail.LIMITS.max_segment_chars
    bench.tree.put(f"{item}/Operations/InstallInactive", acl="Get=*")
    assert read(bench, f"{item}/Operations/InstallInactive?prop=Format") == "null"


def test_start_that_changes_nothing_writes_nothing(bench: Bench) -> None:
    before = bench.db.execute("SELECT total_changes()").fetchone()
    install(bench, DEVICE)
    assert bench.db.execute("SELECT total_changes()").fetchone() == before


def test_changed_setting_reaches_the_tree(bench: Bench) -> None:
    install(bench, Device(model="M2"))
    assert read(bench, "./DevInfo/Mod") == "M2"
    assert read(bench, "./DevInfo/Mod?prop=VerNo") == "1"


@pytest.mark.spec("DM-TND 8.2.2.3")
def test_permanent_nodes_cannot_be_changed_by_whoever_has_the_rights(bench: Bench) -> None:
    everything = "Add=*&Delete=A&Exec=A&Get=*&Replace=A"
    bench.tree.put(".", acl=everything)
    for path in ("./DevInfo", "./DevInfo/Man", "./DevDetail/URI/MaxDepth", "./DMAcc"):
        with pytest.raises(NotAllowed):
            bench.tree.delete(path, "A")
        with pytest.raises(NotAllowed):
            bench.tree.replace(path, "A", format=None, type=None, value=b"x")
        with pytest.raises(NotAllowed):
            bench.tree.replace(f"{path}?prop=Name", "A", format=None, type=None, value=b"x")
    with pytest.raises(NotAllowed):
        bench.tree.add("./DevInfo/Ext", "A", format=None, type=None, value=b"")


def test_servers_without_rights_are_denied_before_anything_else(bench: Bench) -> None:
    with pytest.raises(PermissionDenied):
        bench.tree.delete("./DevInfo", "A")
    with pytest.raises(PermissionDenied):
        bench.tree.replace("./DevInfo/Man", "A", format=None, type=None, value=b"x")
