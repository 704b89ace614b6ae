# SPDX-License-Identifier: Apache-2.0
"""Every kind of operation, killed at every boundary: it ends as if nothing had been (DESIGN I6).

Each kind is played once undisturbed, which tells its boundaries; then again on fresh copies
of the device, where each boundary kills one life (SIGKILL, `tests.support.mortal`) and the
next goes on from the files.  Before a life goes on and after all of them, no Status says
progressing where nothing is at work.  Real processes die in `test_matrix.py`.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from scomod.dmclient.model import Meta
from scomod.errors import Reason
from scomod.operation import PLANS, Branch, Primitive, operation_leaf
from scomod.settings import Download, Health, Reboot, Scomo
from tests.support.bundles import pack
from tests.support.clocks import FakeClock
from tests.support.executing import add, execute
from tests.support.handset import Handset, settings_of
from tests.support.mortal import live
from tests.support.progressing import hanging
from tests.support.services import SystemManager
from tests.support.shelf import NOTIFY_URL, Shelf, package

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from tests.support.mortal import Life

OLD, NEW = package("editor", "1"), package("editor", "2")
BROKEN = package("editor", "2", fails=str(Reason.SCRIPT_FAILED), leaves="partial")
DOWNLOAD = "./SCOMO/Download/x"
DELIVERED = "./SCOMO/Inventory/Delivered/x"
DEPLOYED = "./SCOMO/Inventory/Deployed/editor"
PLACES = {Branch.DOWNLOAD: DOWNLOAD, Branch.DELIVERED: DELIVERED, Branch.DEPLOYED: DEPLOYED}
HEALTH_S = 60.0
RESTART = """#!/bin/sh
echo second > "${0%/usr/bin/restart}/run/scomod/boot-id"
"""
RESTARTS, LOOKS = 3, 4
DEVICES = 3  # a step is begun five times at most: its boundaries kill on several devices


def announced(device: Handset, content: bytes, name: str = "x") -> None:
    url = device.shelf.put(name, content)
    codes = device.codes("srv", add(f"{DOWNLOAD}/PkgID", "p"), add(f"{DOWNLOAD}/PkgURL", url))
    assert codes == [200, 200]


def ordered(device: Handset, branch: Branch, primitive: Primitive, correlator: str) -> None:
    uri = f"{PLACES[branch]}/{operation_leaf(primitive)}"
    assert device.codes("srv", execute(uri, correlator)) == [202]


def given(device: Handset) -> None:
    """Deliver a package inside the session."""
    data = add(f"{DELIVERED}/Data", OLD.decode(), meta=Meta(format="bin"))
    assert device.codes("srv", add(f"{DELIVERED}/PkgID", "p"), data) == [200, 200]


def wait_out(device: Handset) -> None:
    """Let the times pass that operations watch their component, and that others are told after."""
    device.settle()
    for _ in range(LOOKS):
        if device.records.journal.live() or device.records.journal.has_untold():
            device.clock.advance(HEALTH_S)
            device.settle()


def after(content: bytes, primitive: Primitive) -> Callable[[Handset], None]:
    """Return what brings a package to the device first, by an operation of its own."""

    def prepare(device: Handset) -> None:
        announced(device, content, "first")
        ordered(device, Branch.DOWNLOAD, primitive, "first")
        wait_out(device)
        assert not device.records.journal.live()
        device.taken(key for key, _ in device.reports("srv"))

    return prepare


def updating(old: bytes, new: bytes) -> Callable[[Handset], None]:
    def prepare(device: Handset) -> None:
        after(old, Primitive.DOWNLOAD_INSTALL)(device)
        announced(device, new)

    return prepare


def no_such_file(device: Handset) -> None:
    announced(device, OLD)
    device.shelf.content.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of operation: what is there before, what must be there after.

    `stock` is version and activity of the component, None for no component; `delivered`
    tells that the package's node and payload are there, `given` that the payload came as the
    node's value and is kept as such.  `answers` are those to the first question and to the
    one about permissions.  `more` are settings, `others` further components of version 2;
    `cancelled`: somebody cancels it as soon as it waits.  `told` is what the server of its
    descriptor is told.
    """

    branch: Branch
    primitive: Primitive
    prepare: Callable[[Handset], None]
    result: int = 1200
    stock: tuple[str, bool] | None = None
    delivered: bool = False
    given: bool = False
    confirm: str = "silent"
    answers: tuple[bool, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    cancelled: bool = False
    others: tuple[str, ...] = ()
    told: str = ""


def fresh(content: bytes) -> Callable[[Handset], None]:
    return lambda device: announced(device, content)


def described(content: bytes) -> Callable[[Handset], None]:
    def prepare(device: Handset) -> None:
        url = device.shelf.describe(content)
        codes = device.codes("srv", add(f"{DOWNLOAD}/PkgID", "p"), add(f"{DOWNLOAD}/PkgURL", url))
        assert codes == [200, 200]

    return prepare


def sandboxed(device: Handset) -> None:
    """Announce a package that asks for permissions."""
    announced(device, package("editor", "1", permissions=["It may use the network."]))
    assert device.codes("srv", add(f"{DOWNLOAD}/EnvType", "flatpak")) == [200]


def bundled(device: Handset) -> None:
    """Announce a package of two components; the older one of the first is there."""
    after(OLD, Primitive.DOWNLOAD_INSTALL)(device)
    root = device.paths.root
    archives = [root / "editor", root / "viewer"]
    for archive in archives:
        archive.write_bytes(package(archive.name, "2"))
    content = pack(root / "bundle", archives).read_bytes()
    announced(device, content)
    assert device.codes("srv", add(f"{DOWNLOAD}/EnvType", "bundle")) == [200]


def ill_after(prepare: Callable[[Handset], None]) -> Callable[[Handset], None]:
    """Let the component's own check say that it is not well."""

    def prepare_ill(device: Handset) -> None:
        prepare(device)
        check = device.paths.root / "usr/lib/scomod/checks/editor"
        check.parent.mkdir(parents=True)
        check.write_text("#!/bin/sh\nexit 1\n")
        check.chmod(0o755)

    return prepare_ill


def restarting(device: Handset) -> None:
    """Announce an update after which the device restarts: another boot id."""
    updating(OLD, NEW)(device)
    program = device.paths.root / "usr/bin/restart"
    program.write_text(RESTART)
    program.chmod(0o755)
    (device.paths.root / "run/scomod").mkdir(parents=True, exist_ok=True)
    (device.paths.root / "run/scomod/boot-id").write_text("first")
    assert device.codes("srv", add(f"{DOWNLOAD}/Reboot", "after")) == [200]


P = Primitive
HEALTH = Health(time_s=HEALTH_S)
# It opens a minute after the devices' clock began, wherever they are.
WINDOW = "-".join(time.strftime("%H:%M", time.localtime(at_s)) for at_s in (60.0, 43260.0))
KINDS = {
    "Download": Kind(
        branch=Branch.DOWNLOAD, primitive=P.DOWNLOAD, prepare=fresh(OLD), delivered=True
    ),
    "DownloadInstall": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=fresh(OLD),
        stock=("1", True),
    ),
    "DownloadInstallInactive": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL_INACTIVE,
        prepare=fresh(OLD),
        stock=("1", False),
    ),
    "update": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=updating(OLD, NEW),
        stock=("2", True),
    ),
    "Install": Kind(
        branch=Branch.DELIVERED,
        primitive=P.INSTALL,
        prepare=after(OLD, P.DOWNLOAD),
        stock=("1", True),
        delivered=True,
    ),
    "InstallInactive": Kind(
        branch=Branch.DELIVERED,
        primitive=P.INSTALL_INACTIVE,
        prepare=after(OLD, P.DOWNLOAD),
        stock=("1", False),
        delivered=True,
    ),
    "Install of what was given in the session": Kind(
        branch=Branch.DELIVERED,
        primitive=P.INSTALL,
        prepare=given,
        stock=("1", True),
        delivered=True,
        given=True,
    ),
    "Remove of a package": Kind(
        branch=Branch.DELIVERED, primitive=P.REMOVE, prepare=after(OLD, P.DOWNLOAD)
    ),
    "Activate": Kind(
        branch=Branch.DEPLOYED,
        primitive=P.ACTIVATE,
        prepare=after(OLD, P.DOWNLOAD_INSTALL_INACTIVE),
        stock=("1", True),
    ),
    "Deactivate": Kind(
        branch=Branch.DEPLOYED,
        primitive=P.DEACTIVATE,
        prepare=after(OLD, P.DOWNLOAD_INSTALL),
        stock=("1", False),
    ),
    "Remove of a component": Kind(
        branch=Branch.DEPLOYED, primitive=P.REMOVE, prepare=after(OLD, P.DOWNLOAD_INSTALL)
    ),
    "Start": Kind(
        branch=Branch.DEPLOYED,
        primitive=P.START,
        prepare=after(OLD, P.DOWNLOAD_INSTALL),
        stock=("1", True),
    ),
    "Stop": Kind(
        branch=Branch.DEPLOYED,
        primitive=P.STOP,
        prepare=after(OLD, P.DOWNLOAD_INSTALL),
        stock=("1", True),
    ),
    "a package is fetched when a window opens, and octets are counted": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=fresh(OLD),
        stock=("1", True),
        more={
            "download": Download(
                windows=(WINDOW,), spread_s=0.0, day_max_bytes=1 << 20, reserve_bytes=0
            )
        },
    ),
    "a described package": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=described(OLD),
        stock=("1", True),
        told="900 Success",
    ),
    "a described package that does not install": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=described(BROKEN),
        result=1405,
        told="952 Device Aborted",
    ),
    "a person says yes to what is described": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=described(OLD),
        confirm="ask",
        answers=(True,),
        stock=("1", True),
        told="900 Success",
    ),
    "a person says yes": Kind(
        branch=Branch.DEPLOYED,
        primitive=P.REMOVE,
        prepare=after(OLD, P.DOWNLOAD_INSTALL),
        confirm="ask",
        answers=(True,),
    ),
    "a person says no": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=fresh(OLD),
        confirm="ask",
        answers=(False,),
        result=1401,
    ),
    "a person says yes to permissions": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=sandboxed,
        confirm="ask",
        answers=(True, True),
        stock=("1", True),
    ),
    "a person says no to permissions": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=sandboxed,
        confirm="ask",
        answers=(True, False),
        result=1401,
    ),
    "policy says no": Kind(
        branch=Branch.DEPLOYED,
        primitive=P.DEACTIVATE,
        prepare=after(OLD, P.DOWNLOAD_INSTALL),
        confirm="refuse",
        result=1401,
        stock=("1", True),
    ),
    "no such file": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=no_such_file,
        result=1402,
    ),
    "no package": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=fresh(b"no archive at all"),
        result=1407,
    ),
    "a failing update": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=updating(OLD, BROKEN),
        result=1405,
        stock=("1", True),
    ),
    "a bundle": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=bundled,
        stock=("2", True),
        others=("viewer",),
    ),
    "a healthy update": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=updating(OLD, NEW),
        stock=("2", True),
        more={"health": HEALTH},
    ),
    "an ill update": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=ill_after(updating(OLD, NEW)),
        result=1405,
        stock=("1", True),
        more={"health": HEALTH},
    ),
    "a restart": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=restarting,
        stock=("2", True),
        more={"reboot": Reboot(program=("restart",)), "scomo": Scomo(version="1.1")},
    ),
    "cancelled while a person is asked": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=fresh(OLD),
        confirm="ask",
        cancelled=True,
        result=1401,
    ),
    "cancelled while its health is watched": Kind(
        branch=Branch.DOWNLOAD,
        primitive=P.DOWNLOAD_INSTALL,
        prepare=updating(OLD, NEW),
        cancelled=True,
        result=1401,
        stock=("1", True),
        more={"health": HEALTH},
    ),
}


@dataclass(slots=True)
class Story:
    """One kind on one device's files."""

    kind: Kind
    root: Path
    shelf: Shelf
    clock: FakeClock

    def boot(self, observer: Callable[[str], None], confirm: str = "") -> Handset:
        settings = replace(settings_of(confirm or self.kind.confirm), **self.kind.more)
        return Handset(self.root, self.shelf, self.clock, settings=settings, observer=observer)

    def begin(self) -> None:
        """Bring the device to where the order has been accepted, and nothing more."""
        SystemManager(self.root).put("editor.service", ActiveState="active")
        device = self.boot(lambda _: None, "silent")
        try:
            self.kind.prepare(device)
            ordered(device, self.kind.branch, self.kind.primitive, "the order")
        finally:
            device.close()

    def go_on(self, observer: Callable[[str], None]) -> None:
        """One life: what an earlier one left, then to the end, over restarts of the device."""
        for _ in range(RESTARTS):
            device = self.boot(observer)
            assert hanging(device) == []
            device.settle()
            self._act(device)
            wait_out(device)
            is_over = not device.records.journal.live()
            device.close()
            if is_over:
                return

    def _act(self, device: Handset) -> None:
        """Do what people do with an operation that waits."""
        for operation in device.records.journal.live() if self.kind.cancelled else ():
            device.engine.cancel(operation.id, "somebody")
        for prompt in device.confirmations.prompts() if self.kind.answers else ():
            answer = self.kind.answers[-1 if prompt["permissions"] else 0]
            device.answer(prompt["operation"], is_accepted=answer)
        device.settle()

    def live_on(self, deadly: Collection[str] = ()) -> Life:
        """Live until the end, dying once at each of these boundaries; returns the last life."""
        left = set(deadly)
        while killed_at := (life := live(self.go_on, left)).killed_at:
            left.remove(killed_at)
        assert not left, "not all of them were reached"
        self.check()
        return life

    def check(self) -> None:
        """It is over, as it should be, and nothing is left behind."""
        device = self.boot(lambda _: None)
        try:
            operation = device.records.journal.all()[-1]
            assert operation.result == self.kind.result, operation
            assert hanging(device) == []
            found = {item.id: (item.version, item.is_active) for item in device.stock()}
            expected = {"editor": self.kind.stock} if self.kind.stock else {}
            assert found == expected | dict.fromkeys(self.kind.others, ("2", True))
            assert bool(device.children("./SCOMO/Inventory/Delivered")) is self.kind.delivered
            left = device.leftovers()
            assert (left["spool"], left["work"]) == ([], [])
            assert len(left["delivered"]) == (self.kind.delivered and not self.kind.given)
            # a death between the answer and our note of it tells it twice
            assert told(device) == ({self.kind.told} if self.kind.told else set())
            assert not device.records.journal.has_untold()
            ((_, alert),) = device.reports("srv")
            assert alert.correlator == "the order"
        finally:
            device.close()


def told(device: Handset) -> set[str]:
    """What the servers of descriptors were told."""
    book = device.paths.root / "told"
    lines = book.read_text().splitlines() if book.exists() else []
    return {line.removeprefix(f"{NOTIFY_URL} ") for line in lines}


def story_of(name: str, root: Path) -> Story:
    return Story(kind=KINDS[name], root=root, shelf=Shelf(), clock=FakeClock())


def test_every_row_of_the_plans_is_a_kind() -> None:
    assert {(kind.branch, kind.primitive) for kind in KINDS.values()} == set(PLANS)


@pytest.mark.parametrize("name", KINDS)
def test_killed_at_every_boundary_it_ends_as_if_nothing_had_been(tmp_path: Path, name: str) -> None:
    ready = story_of(name, tmp_path / "ready")
    ready.begin()
    device = shutil.copytree(ready.root, tmp_path / "undisturbed")
    boundaries = replace(ready, root=device).live_on().boundaries
    for number, deadly in enumerate(groups(boundaries)):
        device = shutil.copytree(ready.root, tmp_path / f"device-{number}")
        replace(ready, root=device).live_on(deadly)


def groups(boundaries: Sequence[str]) -> list[list[str]]:
    """Share the boundaries out: few of each step to a device, alone what is seen twice in a life.

    A life after a death may come to a boundary only once that an undisturbed one sees twice.
    """
    again = [[name] for name in boundaries if ", " in name]
    once = [name for name in boundaries if ", " not in name]
    return [once[number::DEVICES] for number in range(DEVICES)] + again
