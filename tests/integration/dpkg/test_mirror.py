# SPDX-License-Identifier: Apache-2.0
"""The mirror and real dpkg: what a person changes by hand is in the tree at the next look."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
from typing import TYPE_CHECKING

import pytest

from scomod.clock import SystemClock
from scomod.installers import debversion, registry
from scomod.ledger import PIECE_COUNT
from scomod.mirror import Mirror
from scomod.paths import Paths
from scomod.records import Records
from scomod.settings import Install, Inventory, Settings
from tests.support.clocks import FakeClock
from tests.support.debs import Deb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.installers.base import InstalledItem

BASE = "./SCOMO/Inventory/Deployed"
ROW = """Package: p{0}
Status: install ok installed
Architecture: all
Version: {0}
Maintainer: x
Description: d

"""


class Looking:
    """A device with real dpkg; `reads` counts how often the backends were asked."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self.root = root
        self.store = store = Records(settings, Paths(root))
        self._stock = registry.stock(settings, Paths(root), SystemClock())
        self.reads = 0
        self.is_held = False
        ledger = store.ledger(FakeClock())
        self.mirror = Mirror(self, store.inventory, ledger, is_held=lambda: self.is_held)  # type: ignore[arg-type]

    def inventory(self) -> list[InstalledItem]:
        self.reads += 1
        return self._stock.items()

    def mark(self) -> str:
        return self._stock.mark()

    def look(self) -> dict[str, str]:
        """Look, as before a session, and return what is deployed in which version."""
        asyncio.run(self.mirror.look())
        tree = self.store.tree
        return {name: tree.value(f"{BASE}/{name}/Version") or "" for name in tree.children(BASE)}

    def dpkg(self, *arguments: str) -> None:
        options = ("--force-not-root", "--force-script-chrootless", "--force-depends")
        command = ["dpkg", f"--root={self.root}", *options, *arguments]
        subprocess.run(command, check=True, capture_output=True)

    def written(self) -> int:
        return int(self.store.db.execute("SELECT total_changes()").fetchone()[0])


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Looking]:
    admin = tmp_path / "device/var/lib/dpkg"
    for folder in ("info", "updates", "triggers", "parts"):
        (admin / folder).mkdir(parents=True)
    for file in ("status", "available"):
        (admin / file).touch()
    settings = Settings(install=Install(runner="direct"), inventory=Inventory(hide=("hidden*",)))
    device = Looking(tmp_path / "device", settings)
    yield device
    device.store.db.close()


def test_changes_by_hand_are_seen_and_only_they_are_read_and_written(
    device: Looking, tmp_path: Path
) -> None:
    assert device.look() == {}
    archives = {
        (name, version): str(Deb(name=name, version=version).build(tmp_path))
        for name, version in (("aa", "1"), ("bb", "1"), ("aa", "2"), ("hidden-x", "1"))
    }
    device.dpkg(
        "--install", *(archives[key] for key in (("aa", "1"), ("bb", "1"), ("hidden-x", "1")))
    )
    assert device.look() == {"aa": "1", "bb": "1"}
    reads, written = device.reads, device.written()
    assert device.look() == {"aa": "1", "bb": "1"}
    assert (device.reads, device.written()) == (reads, written)
    device.dpkg("--install", archives["aa", "2"])
    before = device.written()
    assert device.look() == {"aa": "2", "bb": "1"}
    assert device.written() - before == 3  # a leaf, the component's row, the mark
    device.is_held = True
    device.dpkg("--purge", "bb")
    assert device.look() == {"aa": "2", "bb": "1"}
    device.is_held = False
    assert device.look() == {"aa": "2"}
    device.dpkg("--install", archives["bb", "1"])
    device.dpkg("--remove", "aa")
    assert device.look() == {"bb": "1"}


def test_what_cannot_be_read_leaves_the_inventory_as_it_was(
    device: Looking, tmp_path: Path
) -> None:
    device.dpkg("--install", str(Deb(name="aa", version="1").build(tmp_path)))
    assert device.look() == {"aa": "1"}
    status = device.root / "var/lib/dpkg/status"
    good = status.read_text()
    status.write_text("nonsense\n")
    assert device.look() == {"aa": "1"}
    status.write_text(good)
    assert device.look() == {"aa": "1"}
    assert device.reads == 3


def test_the_loop_turns_while_much_is_written(device: Looking) -> None:
    status = device.root / "var/lib/dpkg/status"
    status.write_text("".join(ROW.format(number) for number in range(5 * PIECE_COUNT)))
    turns: list[int] = []

    async def story() -> None:
        async def turn() -> None:
            while True:
                turns.append(len(device.store.tree.children(BASE)))
                await asyncio.sleep(0)

        other = asyncio.create_task(turn())
        await device.mirror.look()
        other.cancel()

    asyncio.run(story())
    assert set(turns) >= {PIECE_COUNT * number for number in range(5)}
    assert len(device.look()) == 5 * PIECE_COUNT


VERSIONS = (
    "0", "1", "1.0", "1.0-0", "1.0-1", "1.0-1.1", "1.0~rc1", "1.0~~", "1.0~rc1-1", "1.0a",
    "1.0+b1", "1.00", "01.0", "1:0.1", "0:1.0", "2-1", "10", "1.0-1~bpo", "1.0.2", "1.0-a-1", "1a",
)  # fmt: skip


def test_versions_are_ordered_as_dpkg_orders_them() -> None:
    pairs = list(itertools.combinations(VERSIONS, 2))[::3]
    asked = [(a, word, b) for a, b in pairs for word in ("lt", "eq")]
    script = "".join(f"dpkg --compare-versions {a} {word} {b}; echo $?\n" for a, word, b in asked)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    said = iter(line == "0" for line in done.stdout.split())
    for a, b in pairs:
        is_older, is_equal = next(said), next(said)
        order = debversion.compare(a, b)
        assert (order < 0, order == 0) == (is_older, is_equal), (a, b)
