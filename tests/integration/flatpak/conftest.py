# SPDX-License-Identifier: Apache-2.0
"""What the tests of flatpak share: a device with the runtime, and two states of a signed remote."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.flatpak_bed import Bed
from tests.support.flatpaks import INSTALLS_AS, NEW, OLD, RUNTIME, Shelf, Shop, key_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def leave() -> None:
    """Make sure that flatpak may install."""
    if os.getuid() != 0:
        pytest.skip(INSTALLS_AS)


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a device that has the runtime and nothing else, for all tests to copy."""
    made = Bed(tmp_path_factory.mktemp("platform"))
    made.install(RUNTIME)
    return made.folder / "root"


@pytest.fixture
def bed(tmp_path: Path, platform: Path) -> Bed:
    shutil.copytree(platform, tmp_path / "root", symlinks=True)
    return Bed(tmp_path)


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Make a remote with the runtime and an application, before and after it was published anew."""
    with key_folder() as keys:
        made = Shelf(tmp_path_factory.mktemp("shelf"), keys)
        made.put("old", RUNTIME, OLD)
        made.put("new", NEW, start="old")
        yield made


@pytest.fixture
def shop(shelf: Shelf, tmp_path: Path) -> Shop:
    """Open a remote that has the older application; the device has nothing yet."""
    made = Shop(tmp_path / "remote", shelf)
    made.show("old")
    return made
