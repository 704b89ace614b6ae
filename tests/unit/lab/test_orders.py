# SPDX-License-Identifier: Apache-2.0
"""Orders of a SCOMO server beyond the plain ones: what each sends, and when it does not."""

from __future__ import annotations

import hashlib
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from scomod.codes import (
    ALERT_TYPE_UPDATE_DEVICE_REQUEST,
    ALERT_TYPE_UPDATE_USER_REQUEST,
    AlertCode,
    DmStatus,
)
from scomod.dmclient.model import Alert, Item, Meta, Replace
from scomod.lab.devices import Phase
from scomod.lab.packages import DECLINED, FORGED, build, bundle
from scomod.lab.pki import Pki

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.lab_stand import Stand

HELLO = "./SCOMO/Inventory/Deployed/hello"
FIXED = "./SCOMO/Download/fixed"
NO = DmStatus.NOT_MODIFIED


@pytest.mark.parametrize("primitive", ["Start", "Stop"])
def test_relayed_commands_stand_below_ext(stand: Stand, primitive: str) -> None:
    stand.device.tree = {f"{HELLO}/ID": b"hello"}
    stand.order("component", id="hello", primitive=primitive)
    stand.device.run()
    assert [uri for uri, _ in stand.device.executed] == [f"{HELLO}/Operations/Ext/{primitive}"]


def test_a_fixed_node_is_filled_without_adding_anything(stand: Stand) -> None:
    stand.device.tree = {f"{FIXED}/PkgID": b"fixed", f"{FIXED}/PkgURL": b"dummy"}
    stand.order("refill", node="fixed", url="https://h/p", primitive="Download")
    stand.device.run()
    assert stand.device.tree == {f"{FIXED}/PkgID": b"fixed", f"{FIXED}/PkgURL": b"https://h/p"}
    sent = [c for m in stand.device.received for c in m.commands if isinstance(c, Replace)]
    assert len(sent) == 1
    assert [uri for uri, _ in stand.device.executed] == [f"{FIXED}/Operations/Download"]


def test_what_an_order_says_of_a_package_becomes_leaves(stand: Stand) -> None:
    stand.order(
        "install", node="x", pkg_id="p", url="u", reboot="after", env_type="bundle", pkg_type="a/b"
    )
    stand.device.run()
    base = "./SCOMO/Download/x"
    said = {"Reboot": b"after", "EnvType": b"bundle", "PkgType": b"a/b"}
    assert {uri: stand.device.tree.get(f"{base}/{uri}") for uri in said} == said


@pytest.mark.parametrize("says", [DmStatus.OK, NO])
def test_the_server_may_ask_first_and_takes_a_no(stand: Stand, says: DmStatus) -> None:
    stand.device.says = says
    order = stand.order("exec", uri="./X", confirm="May I?")
    stand.device.run()
    (alert,) = [c for m in stand.device.received for c in m.commands if isinstance(c, Alert)]
    assert (alert.code, alert.items[1].data) == (AlertCode.CONFIRM_OR_REJECT, b"May I?")
    if says == DmStatus.OK:
        assert stand.device.executed == [("./X", order.correlator)]
    else:
        assert stand.device.executed == []
        assert (order.phase, order.detail) == (Phase.FAILED, "the person did not agree: 304")


# -- requests of the device ---------------------------------------------------------


def request(kind: str, component: str) -> Alert:
    data = f"<Identifier>{component}</Identifier>".encode() if component else b""
    item = Item(source=HELLO, meta=Meta(type=kind, format="text/plain"), data=data)
    return Alert(code=AlertCode.GENERIC_ALERT, items=(item,))


def offer(stand: Stand, *components: str) -> None:
    for name in components:
        params = {"node": name, "pkg_id": f"{name}-2", "url": "https://h/p"}
        stand.account.offers[name] = params


@pytest.mark.parametrize("kind", [ALERT_TYPE_UPDATE_USER_REQUEST, ALERT_TYPE_UPDATE_DEVICE_REQUEST])
def test_a_request_brings_what_is_on_offer_in_the_same_session(stand: Stand, kind: str) -> None:
    offer(stand, "hello", "other")
    stand.device.run(alerts=(request(kind, "hello"),))
    assert stand.device.alert_answers[-1] == DmStatus.OK
    assert stand.device.tree["./SCOMO/Download/hello/PkgID"] == b"hello-2"
    assert len(stand.device.executed) == 1
    stand.device.run("2", alerts=(request(kind, "hello"),))
    assert stand.device.alert_answers[-1] == DmStatus.ACCEPTED_FOR_PROCESSING
    assert len(stand.device.executed) == 1, "an offer is given once"


def test_a_request_for_anything_brings_all_offers(stand: Stand) -> None:
    offer(stand, "hello", "other")
    stand.restart()
    stand.device.run(alerts=(request(ALERT_TYPE_UPDATE_DEVICE_REQUEST, ""),))
    assert len(stand.device.executed) == 0, "what was not saved is not on offer"
    offer(stand, "hello", "other")
    stand.device.run("2", alerts=(request(ALERT_TYPE_UPDATE_DEVICE_REQUEST, ""),))
    assert len(stand.device.executed) == 2


# -- bundles -------------------------------------------------------------------------


def test_a_bundle_is_a_tar_that_begins_with_its_table(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    pki.ensure()
    parts = [build(recipe, tmp_path, pki).path for recipe in (FORGED, DECLINED)]
    payload = bundle("suite", "2.0", parts, tmp_path, pki, scope="part")
    with tarfile.open(payload.path, "r:") as tar:
        assert tar.getnames() == ["manifest.json", *(part.name for part in parts)]
        table = tar.extractfile("manifest.json")
        assert table is not None
        manifest = json.load(table)
    assert manifest == {
        "bundle": 1,
        "scope": "part",
        "components": [
            {
                "file": part.name,
                "environment": "deb",
                "sha256": hashlib.sha256(part.read_bytes()).hexdigest(),
            }
            for part in parts
        ],
    }
    params = payload.order_params("u")
    assert (params["env_type"], params["pkg_type"]) == (
        "bundle",
        "application/vnd.scomod.bundle+tar",
    )
