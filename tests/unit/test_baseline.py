# SPDX-License-Identifier: Apache-2.0
"""The build that left the factory: when it is taken, what it holds, what is said of changes."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from scomod import baseline
from scomod.clock import SystemClock
from scomod.factory import Factory
from scomod.installers.base import Action, InstalledItem
from scomod.paths import Paths
from scomod.records import Records
from scomod.settings import Inventory, Settings
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OS_RELEASE = """# made by hand
NAME=Example
ID=example
VERSION_ID="2.1"
PRETTY_NAME="Example \\"OS\\" 2 \\$x"
BUILD_ID='20260101'
IMAGE_VERSION=7
"""
STATUS = """Package: {name}
Status: {status}
Architecture: all
Version: {version}
Description: a thing
Maintainer: x

"""
EXT = "./SCOMO/Ext/Baseline"


def dpkg_has(root: Path, packages: dict[str, str]) -> None:
    """Write a package database, as an image has one."""
    folder = root / "var/lib/dpkg"
    folder.mkdir(parents=True, exist_ok=True)
    status = "install ok installed"
    text = (STATUS.format(name=n, version=v, status=status) for n, v in packages.items())
    (folder / "status").write_text("".join(text))


class Device:
    """A device that starts again and again."""

    def __init__(self, root: Path, **more: Any) -> None:
        self.settings = Settings(inventory=Inventory(**more))
        Records(self.settings, Paths(root)).db.close()
        self.bench = Workbench(root)
        self.store = Records(self.settings, self.bench.paths)

    @property
    def factory(self) -> Factory:
        return Factory(self.settings, self.bench.paths, self.store, SystemClock())

    def start(self) -> None:
        self.store.db.close()
        self.store = Records(self.settings, self.bench.paths)
        asyncio.run(self.factory.first_start())

    def leaf(self, name: str) -> str:
        return self.store.tree.get(f"{EXT}/{name}", "srv").value.decode()

    def record(self) -> dict[str, Any]:
        return asyncio.run(self.factory.record())


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(OS_RELEASE)
    dpkg_has(tmp_path, {"libgreet": "1.0", "editor": "2.0-1", "game": "1"})
    device = Device(tmp_path)
    yield device
    device.store.db.close()


def test_the_first_start_keeps_what_there_is_and_shows_it_read_only(device: Device) -> None:
    device.start()
    lines = b"editor 2.0-1\ngame 1\nlibgreet 1.0\n"
    assert device.leaf("Digest") == hashlib.sha256(lines).hexdigest()
    assert (device.leaf("Count"), device.leaf("Problem")) == ("3", "")
    assert (device.leaf("Id"), device.leaf("VersionId")) == ("example", "2.1")
    assert (device.leaf("BuildId"), device.leaf("ImageVersion")) == ("20260101", "7")
    assert device.leaf("PrettyName") == 'Example "OS" 2 $x'
    assert device.leaf("ImageId") == ""
    assert len(device.leaf("Taken")) == len("20260101T000000Z")
    names = device.store.tree.get(EXT, "srv").value.decode().split("/")
    assert len(names) == len(baseline.IDENTITY) + 4


def test_later_starts_change_nothing_and_tell_what_has_changed(
    device: Device, tmp_path: Path
) -> None:
    device.start()
    digest = device.leaf("Digest")
    dpkg_has(tmp_path, {"libgreet": "1.1", "editor": "2.0~rc1", "new": "3"})
    (tmp_path / "etc/os-release").write_text("ID=example\nVERSION_ID=3\n")
    device.start()
    assert (device.leaf("Digest"), device.leaf("VersionId")) == (digest, "2.1")
    record = device.record()
    assert record["identity"]["VERSION_ID"] == "2.1"
    assert record["now"] == {"ID": "example", "VERSION_ID": "3"}
    assert record["added"] == [{"id": "new", "version": "3"}]
    assert record["removed"] == [{"id": "game", "version": "1"}]
    assert record["changed"] == [
        {"id": "editor", "from": "2.0-1", "to": "2.0~rc1", "how": "downgraded"},
        {"id": "libgreet", "from": "1.0", "to": "1.1", "how": "upgraded"},
    ]


def test_a_lost_database_loses_no_baseline(device: Device, tmp_path: Path) -> None:
    device.start()
    digest = device.leaf("Digest")
    device.store.db.close()
    for file in device.bench.paths.state_dir.glob("scomod.db*"):
        file.unlink()
    dpkg_has(tmp_path, {"other": "1"})
    device.store = Records(device.settings, device.bench.paths)
    device.start()
    assert device.leaf("Digest") == digest


def test_after_an_operation_nothing_is_made_up(device: Device) -> None:
    device.bench.backend = "fake"
    assert device.bench.do(Action.INSTALL, device.bench.fake_archive(id="a")).is_ok
    device.start()
    assert device.leaf("Problem") == baseline.NEVER_READ
    assert (device.leaf("Digest"), device.leaf("Id")) == ("", "")
    record = device.record()
    assert (record["is_known"], record["problem"]) == (False, baseline.NEVER_READ)
    assert record["now"]["ID"] == "example"


def test_packages_that_cannot_be_read_are_read_at_the_next_start(
    device: Device, tmp_path: Path
) -> None:
    status = tmp_path / "var/lib/dpkg/status"
    good = status.read_text()
    status.write_text("no package database\n")
    device.start()
    assert device.leaf("Problem") == baseline.NEVER_READ
    status.write_text(good)
    device.start()
    assert (device.leaf("Problem"), device.leaf("Count")) == ("", "3")


def test_a_damaged_baseline_is_not_taken_anew(device: Device) -> None:
    device.start()
    device.bench.paths.baseline.write_bytes(b"\0")
    device.start()
    assert device.leaf("Problem") == baseline.NEVER_READ
    assert device.bench.paths.baseline.read_bytes() == b"\0"


def test_a_list_that_is_too_long_leaves_its_digest(tmp_path: Path) -> None:
    dpkg_has(tmp_path, {f"p{number}": f"{number * 7919}" for number in range(400)})
    device = Device(tmp_path, max_baseline_bytes=1024)
    device.start()
    assert (device.leaf("Count"), device.leaf("Problem")) == ("400", baseline.NO_LIST)
    record = device.record()
    assert record["problem"] == baseline.NO_LIST
    assert "changed" not in record
    device.store.db.close()


def test_ten_thousand_packages_fit_into_the_default(tmp_path: Path) -> None:
    items = [
        InstalledItem(id=f"package-{hashlib.sha256(b'%d' % n).hexdigest()[:12]}",
                      version=f"1:{n}.{n * 7919 % 1000}-{n % 9}", environment="deb")
        for n in range(10_000)
    ]  # fmt: skip
    found = baseline.taken(tmp_path, baseline.packages_of(items), 0.0)
    kept = baseline.keep(tmp_path / "b.z", found, Inventory().max_baseline_bytes)
    assert kept.packages is not None
    assert baseline.load(tmp_path / "b.z") == found


def test_without_os_release_there_is_no_identity(tmp_path: Path) -> None:
    assert baseline.identity(tmp_path) == {}
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/os-release").write_text(f"ID={'x' * 1000}\nBUILD_ID\n\0=\nIMAGE_ID='\n")
    found = baseline.identity(tmp_path)
    assert found == {"ID": "x" * 256, "BUILD_ID": "", "IMAGE_ID": "'"}
