# SPDX-License-Identifier: Apache-2.0
"""Cases of scomo §8 and transitions without an Exec that need more than one row of a table.

The other ids stand in the names of other tests: `docs/reference/requirements.md` lists all.
Every case has packages of its own; all run on one device.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest

from scomod.codes import (
    ALERT_TYPE_UPDATE_USER_REQUEST,
    MO_SCOMO_1_0,
    ComponentState,
    DmStatus,
    DownloadStatus,
    PackageState,
    ResultCode,
)
from scomod.lab import packages
from scomod.lab.commands import Value, components
from scomod.lab.packageserver import Fault
from tests.support.bed import ROOT
from tests.support.debs import Deb
from tests.support.failing import deb_of
from tests.support.kills import await_dpkg
from tests.support.serverside import SecondServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.lab.devices import Order
    from scomod.lab.packages import Payload
    from tests.support.bed import Bed

ACTIVE, INACTIVE = (str(int(state)) for state in (ComponentState.ACTIVE, ComponentState.INACTIVE))
DEPLOYED, DELIVERED = "Inventory/Deployed", "Inventory/Delivered"
LARGE_BYTES = 150_000  # more than two messages


def read(bed: Bed, *uris: str) -> dict[str, str]:
    """What the server reads in a session: URI -> text."""
    order = bed.rig.order("read", uris=" ".join(uris))
    bed.session()
    return {uri: text for step in order.steps for uri, text in step["values"].items()}


def codes(bed: Bed, *orders: Order) -> list[int]:
    """Hold a session; what the last command of each order was answered with."""
    bed.session()
    return [order.steps[-1]["code"] for order in orders]


def deliver(bed: Bed, payload: Payload, primitive: str = "Install") -> Order:
    """Order direct delivery: the package comes inside the DM protocol."""
    return bed.rig.order(
        "deliver",
        node=payload.name,
        pkg_id=f"{payload.name}-1.0",
        data=base64.b64encode(payload.path.read_bytes()).decode(),
        params=payload.install_params,
        primitive=primitive,
    )


# -- positive --------------------------------------------------------------------------


def discover(bed: Bed) -> None:
    values = read(bed, f"{ROOT}?prop=Type", ROOT)
    assert values[f"{ROOT}?prop=Type"] == MO_SCOMO_1_0
    assert {"Download", "Inventory"} <= set(values[ROOT].split("/"))
    assert set(values[f"{ROOT}/Inventory"].split("/")) >= {"Delivered", "Deployed"}


def inventory(bed: Bed) -> None:
    on, off = bed.package("p2-on"), bed.package("p2-off")
    orders = [
        bed.rig.order_install(on),
        bed.rig.order_install(off, primitive="DownloadInstallInactive"),
    ]
    bed.run(*orders)
    values = read(bed, f"{ROOT}/{DEPLOYED}")
    base = f"{ROOT}/{DEPLOYED}"
    rows = components(
        {
            uri: Value(format="node" if uri == base else "chr", data=text.encode())
            for uri, text in values.items()
        }
    )
    seen = {row["ID"]: (row["Version"], row["State"]) for row in rows}
    assert seen["p2-on"] == ("1.0", ACTIVE)
    assert seen["p2-off"] == ("1.0", INACTIVE)
    active = {name for name, (_, state) in seen.items() if state == ACTIVE}
    assert active == {name for name in seen if bed.device(name) == f"i {seen[name][0]}"}
    assert active == bed.installed()


def direct_delivery(bed: Bed) -> None:
    filler = hashlib.shake_256(b"p6").hexdigest(LARGE_BYTES // 2)
    payload = bed.package("p6", files={"usr/share/p6/f": filler})
    order = deliver(bed, payload)
    bed.done(order)
    chunks = [step for step in order.steps if step["uri"].endswith("/Data")]
    assert [step["code"] for step in chunks] == [DmStatus.OK]
    assert bed.value(f"{DELIVERED}/p6/State") == str(int(PackageState.INSTALLED))
    assert bed.value(f"{DEPLOYED}/p6/State") == ACTIVE
    assert bed.value(f"{DEPLOYED}/p6/PkgIDRef") == "p6-1.0"
    assert (bed.rig.root / "usr/share/p6/f").read_text() == filler


def whole_life(bed: Bed) -> None:
    bed.done(deliver(bed, bed.package("p7"), "InstallInactive"))
    states = [bed.value(f"{DEPLOYED}/p7/State")]
    for primitive in ("Activate", "Deactivate", "Activate", "Remove"):
        order = bed.rig.order("component", id="p7", primitive=primitive)
        bed.done(order)
        assert len(bed.rig.reports(order)) == 1
        states.append(bed.value(f"{DEPLOYED}/p7/State"))
    assert states == [INACTIVE, ACTIVE, INACTIVE, ACTIVE, None]
    assert bed.device("p7") == ""


def bundle_of(bed: Bed, name: str, *parts: str) -> Payload:
    directory, pki = bed.rig.bench.packages.directory, bed.rig.bench.pki
    archives = [bed.package(part).path for part in parts]
    return packages.bundle(name, "1.0", archives, directory, pki)


def several_components(bed: Bed) -> None:
    order = bed.rig.order_install(bundle_of(bed, "p9", "p9-b", "p9-a"))
    bed.done(order)
    assert bed.rig.reports(order) == [
        bed.report(
            order,
            source="Download/p9/Operations/DownloadInstall",
            target=f"{DEPLOYED}/{name}",
            identifier=name,
            result=ResultCode.SUCCESSFUL,
        )
        for name in ("p9-b", "p9-a")
    ]
    for name in ("p9-b", "p9-a"):
        assert bed.value(f"{DEPLOYED}/{name}/PkgIDRef") == "p9-1.0"
        assert bed.device(name) == "i 1.0"


def several_or_none(bed: Bed) -> None:
    payload = bundle_of(bed, "p9-bad", "p9-c", "p9-d")
    bed.spoil("p9-d", "postinst")
    order = bed.rig.order_install(payload)
    bed.run(order)
    assert bed.rig.reports(order) == [
        bed.report(
            order,
            source="Download/p9-bad/Operations/DownloadInstall",
            target="Download/p9-bad",
            identifier="p9-bad-1.0",
            result=ResultCode.INSTALL_FAILED,
        )
    ]
    for name in ("p9-c", "p9-d"):
        assert bed.value(f"{DEPLOYED}/{name}") is None
        assert bed.device(name) == ""


def update(bed: Bed) -> None:
    """The newer version replaces the older; one that fails leaves what was there."""
    for version in ("1.0", "2.0", "3.0"):
        payload = bed.package("update", version)
        if version == "3.0":
            bed.spoil("update", "postinst", version)
        order = bed.rig.order_install(payload)
        bed.run(order)
        is_good = version != "3.0"
        assert order.result == (ResultCode.SUCCESSFUL if is_good else ResultCode.INSTALL_FAILED)
    assert bed.device("update") == "i 2.0"
    assert bed.value(f"{DEPLOYED}/update/Version") == "2.0"
    assert bed.value(f"{DEPLOYED}/update/State") == ACTIVE
    assert (bed.rig.root / "usr/share/update/version").read_text() == "2.0\n"
    failed = str(int(DownloadStatus.INSTALL_FAILED_WITHOUT_DATA))
    assert bed.value("Download/update/Status") == failed


def fixed_node(bed: Bed) -> None:
    """A node that is there for ever is filled anew for each package (scomo §9, §3.5 b)."""
    for name in ("fixed-a", "fixed-b"):
        payload = bed.package(name)
        url = bed.rig.bench.package_url(payload.path)
        order = bed.rig.order("refill", node="fixed", url=url, params=payload.install_params)
        bed.done(order)
        assert bed.device(name) == "i 1.0"
        assert bed.value("Download/fixed/Status") == str(int(DownloadStatus.IDLE))


def relayed_commands(bed: Bed) -> None:
    """The server clicks for the person: start and stop, reported like everything else."""
    state = bed.put_systemd()
    state.write_text("inactive\n")
    unit = "usr/lib/systemd/system/relay.service"
    bed.done(bed.rig.order_install(bed.package("relay", files={unit: "[Service]\n"})))
    for primitive, reached in (("Start", "active\n"), ("Stop", "inactive\n")):
        order = bed.rig.order("component", id="relay", primitive=primitive)
        bed.done(order)
        assert state.read_text() == reached
        assert (bed.prompts[-1]["name"], bed.prompts[-1]["primitive"]) == ("relay", primitive)
        assert bed.rig.reports(order) == [
            bed.report(
                order,
                source=f"{DEPLOYED}/relay/Operations/Ext/{primitive}",
                target=f"{DEPLOYED}/relay",
                identifier="relay",
                result=ResultCode.SUCCESSFUL,
            )
        ]


def server_asks(bed: Bed) -> None:
    """A yes that the server got in the session covers the whole operation (ADC-2)."""
    before = len(bed.prompts)
    order = bed.rig.order_install(bed.package("server-asks"), confirm="Install it?")
    bed.done(order)
    assert [question["text"] for question in bed.questions] == ["Install it?"]
    assert bed.prompts[before:] == []


# -- negative --------------------------------------------------------------------------


def reboots(bed: Bed) -> None:
    """The power goes in the middle of the download, then in the middle of dpkg's run."""
    scripts = {"postinst": "sleep 1"}
    files = {"usr/share/n8/f": "x" * 1_500_000}
    payload = deb_of(bed.rig, Deb(name="n8", scripts=scripts, files=files))
    bed.rig.bench.packages.set_fault(payload.path.name, Fault.SLOW, 1)
    order = bed.rig.order_install(payload)
    bed.session()
    spool = bed.rig.root / "var/lib/scomod/spool"
    bed.rig.until(lambda: any(f.stat().st_size for f in spool.iterdir()), "the first octets")
    bed.reboot()
    group = await_dpkg(bed.rig.root, timeout_s=100)
    assert group is not None, bed.rig.logs()
    bed.reboot(group)
    bed.rig.result_of(order)
    bed.rig.until_reported()
    assert (order.result, len(bed.rig.reports(order))) == (ResultCode.SUCCESSFUL, 1)
    assert bed.value(f"{DEPLOYED}/n8/State") == ACTIVE
    assert (bed.device("n8"), bed.rig.dpkg_audit()) == ("i 1.0", "")
    assert bed.walk("Download/n8")[-1] is None


def two_servers(bed: Bed) -> None:
    """What one brought the other does not see, and of its reports nothing is heard there."""
    bed.done(bed.rig.order_install(bed.package("n10")))
    with SecondServer(bed.rig, "second-lab") as second:
        second.bootstrap()
        orders = [
            second.order("exec", uri=f"{ROOT}/{DEPLOYED}/n10/Operations/Remove"),
            second.order("delete", uri=f"{ROOT}/{DEPLOYED}/n10"),
        ]
        theirs = second.order_install(second.payload(packages.DECLINED))
        assert second.session()["outcome"] == "ok", bed.rig.logs()
        refused = [order.steps[-1]["code"] for order in orders]
        assert set(refused) <= {DmStatus.PERMISSION_DENIED, DmStatus.NOT_FOUND}
        assert second.result_of(theirs) == ResultCode.SUCCESSFUL
        bed.rig.until_reported()
        name = theirs.params["name"]
        mine = bed.exec(f"{DEPLOYED}/{name}", "Remove")
        assert codes(bed, mine)[0] in (DmStatus.PERMISSION_DENIED, DmStatus.NOT_FOUND)
        assert [alert["correlator"] for alert in second.alerts()] == [theirs.correlator]
        assert bed.rig.reports(theirs) == []
        assert (bed.device("n10"), bed.device(name)) == ("i 1.0", "i 1.0")
    bed.dpkg("--purge", name)  # other cases see no more than what is theirs


# -- without an Exec ---------------------------------------------------------------------


def delete_announced(bed: Bed) -> None:
    payload = bed.package("t10")
    bed.rig.bench.packages.set_fault(payload.path.name, Fault.TRUNCATE)
    bed.run(bed.rig.order_install(payload))
    assert bed.value("Download/t10/PkgID") == "t10-1.0"
    deletion = bed.rig.order("delete", uri=f"{ROOT}/Download/t10")
    assert codes(bed, deletion) == [DmStatus.OK]
    assert bed.value("Download/t10") is None
    assert bed.rig.spool() == []


def delete_delivered(bed: Bed) -> None:
    payload = bed.package("t11")
    bed.done(bed.rig.order_install(payload, primitive="Download"))
    bed.done(bed.exec(f"{DELIVERED}/t11", "Install"))
    kept = bed.kept()
    orders = [
        bed.rig.order("delete", uri=f"{ROOT}/{DELIVERED}/t11"),
        bed.rig.order("delete", uri=f"{ROOT}/{DEPLOYED}/t11"),
    ]
    assert codes(bed, *orders) == [DmStatus.OK, DmStatus.COMMAND_NOT_ALLOWED]
    assert bed.value(f"{DELIVERED}/t11") is None
    bed.rig.until(lambda: len(bed.kept()) == len(kept) - 1, "its payload gone")
    assert (bed.value(f"{DEPLOYED}/t11/State"), bed.device("t11")) == (ACTIVE, "i 1.0")


def local_changes(bed: Bed) -> None:
    bed.dpkg("--install", str(bed.package("t12").path))
    assert read(bed, f"{ROOT}/{DEPLOYED}")[f"{ROOT}/{DEPLOYED}/t12/State"] == ACTIVE
    bed.dpkg("--install", str(bed.package("t12", "2.0").path))
    assert read(bed, f"{ROOT}/{DEPLOYED}")[f"{ROOT}/{DEPLOYED}/t12/Version"] == "2.0"
    bed.dpkg("--purge", "t12")
    assert f"{ROOT}/{DEPLOYED}/t12/ID" not in read(bed, f"{ROOT}/{DEPLOYED}")


# -- the device asks -----------------------------------------------------------------------


def update_request(bed: Bed) -> None:
    bed.done(bed.rig.order_install(bed.package("c1")))
    payload = bed.package("c1", "2.0")
    url = bed.rig.bench.package_url(payload.path)
    bed.rig.account.offers["c1"] = payload.order_params(url)
    bed.rig.ask("request", "user", "c1", bed.rig.account.server_id)
    bed.rig.until(lambda: bed.device("c1") == "i 2.0", "the update")
    bed.rig.until_reported()
    (asked,) = [a for a in bed.rig.alerts() if a["type"] == ALERT_TYPE_UPDATE_USER_REQUEST]
    assert asked["source"] == f"{ROOT}/{DEPLOYED}/c1"
    assert (asked["correlator"], asked["identifier"]) == ("", "c1")
    assert bed.value(f"{DEPLOYED}/c1/Version") == "2.0"


CASES: dict[str, Callable[[Bed], None]] = {
    "P1 discover the object": discover,
    "P2 inventory": inventory,
    "P6 direct delivery": direct_delivery,
    "P7 inactive, active, inactive, gone": whole_life,
    "P9 several components": several_components,
    "P9 several components or none": several_or_none,
    "update, and the older version restored": update,
    "fixed download node": fixed_node,
    "start and stop": relayed_commands,
    "the server asks first": server_asks,
    "N8 reboots during download and installation": reboots,
    "N10 two servers": two_servers,
    "T10 delete what is announced": delete_announced,
    "T11 delete what is delivered": delete_delivered,
    "T12 local changes": local_changes,
    "C1 the person wants an update": update_request,
}


@pytest.mark.parametrize("case", CASES)
def test_case(bed: Bed, case: str) -> None:
    CASES[case](bed)
