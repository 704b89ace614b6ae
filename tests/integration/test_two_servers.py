# SPDX-License-Identifier: Apache-2.0
"""Two servers of one device: neither sees, changes or hears of anything of the other's (ADC-3).

A whole device (`tests.support.handset`) with every kind of thing that belongs to the first
server; the second tries everything that a server can say about each of their nodes.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from scomod.codes import DmStatus
from scomod.dmclient.model import Results
from scomod.operation import PLANS, Branch, Primitive, operation_leaf
from scomod.settings import Scomo, Server, Settings
from tests.support.clocks import FakeClock
from tests.support.executing import add, copy, delete, execute, get, replace
from tests.support.handset import Handset, settings_of
from tests.support.shelf import Shelf, package

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.dmclient.model import Command

FIRST, SECOND = "first", "second"
BRANCHES = [f"./SCOMO/{branch}" for branch in Branch]
ITEMS = {
    Branch.DOWNLOAD: "./SCOMO/Download/announced",
    Branch.DELIVERED: "./SCOMO/Inventory/Delivered/kept",
    Branch.DEPLOYED: "./SCOMO/Inventory/Deployed/editor",
}
LISTS = ("?list=Struct", "?list=StructData", "?list=TNDS")


def bring(device: Handset, server: str, node: str, component: str, primitive: Primitive) -> None:
    """Announce a package and let the operation come to its end."""
    url = device.shelf.put(f"{component}.json", package(component, "1"))
    uri = f"./SCOMO/Download/{node}"
    codes = device.codes(
        server,
        add(f"{uri}/PkgID", node),
        add(f"{uri}/PkgURL", url),
        execute(f"{uri}/Operations/{primitive}", f"{server} {node}"),
    )
    assert codes == [200, 200, 202]
    device.settle()


def furnished(root: Path, settings: Settings | None = None) -> Handset:
    """Return a device with things of the first server, and one component of the factory."""
    device = Handset(root, Shelf(), FakeClock(), settings=settings)
    by_hand = root / "by-hand"
    by_hand.write_bytes(package("image", "7"))
    device.tool.install(by_hand, device.tool.inspect(by_hand))
    device.refresh()
    bring(device, FIRST, "kept", "reader", Primitive.DOWNLOAD)
    bring(device, FIRST, "installed", "editor", Primitive.DOWNLOAD_INSTALL)
    assert device.codes(FIRST, add(f"{ITEMS[Branch.DOWNLOAD]}/PkgID", "secret-id")) == [200]
    return device


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Handset]:
    made = furnished(tmp_path)
    yield made
    made.close()


def read(device: Handset, server: str, *uris: str) -> str:
    """Return all that a server is told when it reads these URIs."""
    return " ".join(
        f"{item.source} {(item.data or b'').decode()}"
        for answer in device.answers(server, *map(get, uris))
        if isinstance(answer, Results)
        for item in answer.items
    )


def tries(branch: Branch, item: str) -> list[Command]:
    """Return whatever can be said of an item that one knows the name of."""
    verbs = [primitive for at, primitive in PLANS if at is branch]
    return [
        *(get(f"{item}{more}") for more in ("", *LISTS, "/Status", "/Operations", "?prop=ACL")),
        *(execute(f"{item}/{operation_leaf(primitive)}", "stolen") for primitive in verbs),
        add(item, "mine"),
        add(f"{item}/Ext", "mine"),
        replace(f"{item}/Name", "mine"),
        replace(f"{item}?prop=ACL", f"Get={SECOND}&Replace={SECOND}"),
        replace(f"{item}?prop=Name", "mine"),
        copy(item, ITEMS[Branch.DEPLOYED]),
        copy("./SCOMO/Download/mine/Name", f"{item}/PkgID"),
        delete(f"{item}/Status"),
        delete(item),
    ]


def picture(device: Handset) -> dict[str, object]:
    """The whole tree and journal, to see that nothing changed."""
    tree, level = device.records.tree, ["./SCOMO"]
    found: dict[str, object] = {}
    while level:
        found |= {uri: (tree.node(uri), tree.value(uri)) for uri in level}
        level = [f"{uri}/{name}" for uri in level for name in tree.children(uri)]
    return found | {"journal": device.records.journal.all()}


@pytest.mark.parametrize("branch", Branch)
def test_what_is_anothers_cannot_be_touched_by_any_command(device: Handset, branch: Branch) -> None:
    before = picture(device)
    for command in tries(branch, ITEMS[branch]):
        (code,) = device.codes(SECOND, command)
        assert code >= DmStatus.BAD_REQUEST, command
    assert picture(device) == before
    assert device.codes(FIRST, get(f"{ITEMS[branch]}/Status")) == [200]


def test_no_reading_tells_of_what_is_anothers(device: Handset) -> None:
    lists = [f"{at}{more}" for at in ("./SCOMO", *BRANCHES) for more in LISTS]
    told = read(device, SECOND, "./SCOMO", *BRANCHES, *lists)
    assert "image" in told, "software of the factory is everybody's"
    assert not [word for word in ("announced", "secret-id", "kept", "editor") if word in told]
    own = read(device, FIRST, *BRANCHES, *lists)
    assert [word for word in ("announced", "secret-id", "kept", "editor") if word in own]


def test_reports_go_to_who_ordered_and_to_nobody_else(device: Handset) -> None:
    bring(device, SECOND, "theirs", "player", Primitive.DOWNLOAD_INSTALL)
    told = {
        server: [alert.correlator for _, alert in device.reports(server)]
        for server in (FIRST, SECOND)
    }
    assert told == {FIRST: ["first kept", "first installed"], SECOND: ["second theirs"]}
    assert "player" in read(device, SECOND, BRANCHES[-1])
    assert "player" not in read(device, FIRST, BRANCHES[-1])


def test_a_package_of_one_does_not_replace_a_component_of_the_other(device: Handset) -> None:
    """The name of the component only shows when the package is opened (scomo §7.2)."""
    bring(device, SECOND, "update", "editor", Primitive.DOWNLOAD_INSTALL)
    operation = device.records.journal.all()[-1]
    assert operation.result == 1405
    assert "belongs to" in operation.detail
    assert [(item.id, item.owner) for item in device.stock() if item.id == "editor"] == [
        ("editor", FIRST)
    ]


def test_names_that_the_other_uses_are_refused_without_a_word_of_why(device: Handset) -> None:
    for branch in (Branch.DOWNLOAD, Branch.DELIVERED):
        (taken,) = device.codes(SECOND, add(f"{ITEMS[branch]}/PkgID", "mine"))
        assert taken >= DmStatus.BAD_REQUEST
    assert device.codes(SECOND, add("./SCOMO/Download/free/PkgID", "mine")) == [200]


def test_the_owner_may_share_and_take_back(device: Handset) -> None:
    uri = ITEMS[Branch.DEPLOYED]
    rights = f"Delete={FIRST}&Exec={FIRST}&Get={FIRST}+{SECOND}&Replace={FIRST}"
    assert device.codes(FIRST, replace(f"{uri}?prop=ACL", rights)) == [200]
    assert "editor" in read(device, SECOND, BRANCHES[-1], f"{uri}/ID")
    (code,) = device.codes(SECOND, execute(f"{uri}/Operations/Remove", "stolen"))
    assert code == DmStatus.PERMISSION_DENIED
    rights = rights.replace(f"+{SECOND}", "")
    assert device.codes(FIRST, replace(f"{uri}?prop=ACL", rights)) == [200]
    assert "editor" not in read(device, SECOND, BRANCHES[-1])


def test_a_server_that_manages_another_operates_its_software_and_hears_of_it(
    tmp_path: Path,
) -> None:
    chief = dataclasses.replace(settings_of(), servers={SECOND: Server(manages=(FIRST,))})
    device = furnished(tmp_path, chief)
    try:
        before = len(device.reports(FIRST))
        order = execute(f"{ITEMS[Branch.DEPLOYED]}/Operations/Remove", "theirs")
        assert device.codes(SECOND, order) == [202]
        device.settle()
        assert [alert.correlator for _, alert in device.reports(SECOND)] == ["theirs"]
        assert len(device.reports(FIRST)) == before
        assert [item.id for item in device.stock()] == ["image"]
    finally:
        device.close()


@pytest.mark.parametrize(
    ("owner", "codes"), [("*", [202, 500]), (FIRST, [425, 202]), ("", [425] * 2)]
)
def test_software_of_the_factory_is_operated_by_whom_the_device_says(
    tmp_path: Path, owner: str, codes: list[int]
) -> None:
    device = furnished(
        tmp_path, dataclasses.replace(settings_of(), scomo=Scomo(factory_owner=owner))
    )
    try:
        order = "./SCOMO/Inventory/Deployed/image/Operations/Remove"
        given = [device.codes(server, execute(order, server)) for server in (SECOND, FIRST)]
        assert given == [[code] for code in codes]
    finally:
        device.close()
