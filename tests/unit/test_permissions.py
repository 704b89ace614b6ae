# SPDX-License-Identifier: Apache-2.0
"""What operations allow: read out of archives, of bundles one component after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.download.spool import Spool
from scomod.errors import InstallerError, Reason
from scomod.installers.base import InstalledItem
from scomod.operation import Branch, Primitive, StepKind, Subject
from scomod.permissions import SENTENCE_CHARACTERS, SENTENCES_COUNT, Permissions
from scomod.settings import Bundle, Paths
from tests.support.backends import FakeSandboxBackend
from tests.support.bundles import pack
from tests.support.installing_side import InstallingSide
from tests.support.operations import an_operation
from tests.support.shelf import package

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.installers.base import Facts
    from scomod.operation import Operation

NETWORK, PRINT = "It may use the network.", "It may print."
KINDS = {
    "flatpak": Subject(environment="flatpak"),
    "bundle": Subject(environment="bundle"),
}


class Reader(InstallingSide):
    """Reads archives of software in a sandbox; says which ones."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._backend = FakeSandboxBackend(directory / "none.json")
        self.read: list[str] = []

    def inspect(self, backend: str, payload: Path) -> Facts:
        self.read.append(backend)
        return self._backend.inspect(payload)


class Desk:
    """A package that was fetched for an operation."""

    def __init__(self, directory: Path) -> None:
        self.folder = directory / "spool"
        self.spool = Spool(self.folder, directory / "delivered")
        self.reader = Reader(directory)
        self.permissions = Permissions(Paths(directory), self.spool, self.reader, Bundle())

    def new(self, content: bytes, kind: str = "flatpak", *installed: InstalledItem) -> list[str]:
        operation = an_operation(StepKind.VERIFY, subject=KINDS[kind])
        self.spool.part(operation.id).write_bytes(content)
        return self.permissions.new(operation, installed)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def item(*permissions: str, version: str = "1", is_active: bool = True) -> InstalledItem:
    return InstalledItem(
        id="editor",
        version=version,
        environment="flatpak",
        is_active=is_active,
        permissions=permissions,
    )


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ((), [NETWORK, PRINT]),
        ((item(PRINT),), [NETWORK]),
        ((item(PRINT, NETWORK, "It may do more."),), []),
        ((item(PRINT, is_active=False),), [NETWORK, PRINT]),
        ((InstalledItem(id="other", version="1", environment="flatpak"),), [NETWORK, PRINT]),
    ],
    ids=["new", "one is new", "none is new", "what is off may do nothing", "another one"],
)
def test_new_is_what_active_software_of_that_id_may_not_do(
    desk: Desk, installed: tuple[InstalledItem, ...], expected: list[str]
) -> None:
    content = package("editor", "2", permissions=[NETWORK, PRINT])
    assert desk.new(content, "flatpak", *installed) == expected


def test_several_components_are_told_apart(desk: Desk, tmp_path: Path) -> None:
    archives = [tmp_path / name for name in ("editor", "lib", "viewer")]
    for archive in archives:
        archive.write_bytes(package(archive.name, "1", permissions=[PRINT]))
    bundle = pack(tmp_path / "bundle", archives, environments=("flatpak", "deb", "flatpak"))
    assert desk.new(bundle.read_bytes(), "bundle") == [f"editor: {PRINT}", f"viewer: {PRINT}"]
    assert desk.reader.read == ["flatpak", "flatpak"], "what has no sandbox is left alone"
    assert [path.name for path in desk.folder.iterdir()] == ["7.part"]


def test_component_that_is_none_leaves_nothing_in_the_spool(desk: Desk, tmp_path: Path) -> None:
    archive = tmp_path / "junk"
    archive.write_bytes(b"junk")
    bundle = pack(tmp_path / "bundle", [archive], environment="flatpak").read_bytes()
    with pytest.raises(InstallerError) as caught:
        desk.new(bundle, "bundle")
    assert caught.value.reason is Reason.MALFORMED
    assert [path.name for path in desk.folder.iterdir()] == ["7.part"]


def test_piece_that_a_death_left_goes_with_its_operation(desk: Desk) -> None:
    desk.spool.piece(7).touch()
    desk.spool.sweep({7})
    assert desk.spool.piece(7).exists()
    desk.spool.discard(7)
    assert not desk.spool.piece(7).exists()


def test_what_nobody_would_read_is_cut_and_that_is_said(desk: Desk) -> None:
    texts = [f"It may {number}{'x' * 1000}" for number in range(SENTENCES_COUNT + 10)]
    found = desk.new(package("editor", "1", permissions=texts))
    assert len(found) == SENTENCES_COUNT
    assert found[-1] == "It asks for 11 permissions more, which are not told here."
    assert max(map(len, found)) == SENTENCE_CHARACTERS


@pytest.mark.parametrize(
    ("branch", "primitive", "environment", "expected"),
    [
        (Branch.DOWNLOAD, Primitive.DOWNLOAD_INSTALL, "flatpak", False),
        (Branch.DELIVERED, Primitive.INSTALL, "flatpak", True),
        (Branch.DELIVERED, Primitive.INSTALL, "bundle", True),
        (Branch.DELIVERED, Primitive.INSTALL, "deb", False),
        (Branch.DELIVERED, Primitive.INSTALL, "no such kind", False),
        (Branch.DELIVERED, Primitive.REMOVE, "flatpak", False),
        (Branch.DEPLOYED, Primitive.ACTIVATE, "flatpak", True),
        (Branch.DEPLOYED, Primitive.DEACTIVATE, "flatpak", False),
        (Branch.DEPLOYED, Primitive.START, "flatpak", False),
    ],
)
def test_first_question_tells_what_is_on_the_device_and_would_do_more(
    desk: Desk, branch: Branch, primitive: Primitive, environment: str, expected: bool
) -> None:
    operation: Operation = an_operation(
        branch=branch, primitive=primitive, subject=Subject(environment=environment)
    )
    assert desk.permissions.at_once(operation) is expected
