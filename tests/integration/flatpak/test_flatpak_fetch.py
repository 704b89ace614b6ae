# SPDX-License-Identifier: Apache-2.0
"""Fetching with flatpak: how far it is, killed on its way, no room, nothing new, no bus."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod.errors import InstallerError, Reason
from scomod.installers.base import Presence
from scomod.installers.flatpak import make
from tests.support.flatpak_bed import Bed
from tests.support.flatpak_web import served
from tests.support.flatpaks import HELLO, NEW, OLD, PLATFORM, RUNTIME, Shop

if TYPE_CHECKING:
    from scomod.installers.base import Facts

NOBODY = 65534
SYSTEM_BUS = Path("/run/dbus/system_bus_socket")
# How many objects the runtime and the application are, at least.
OBJECTS = 8


@pytest.fixture
def empty(tmp_path: Path) -> Bed:
    """Make a device where flatpak was never used, which may fetch from servers."""
    return Bed(tmp_path, may_use_network=True)


def test_a_fetch_tells_how_far_it_is(empty: Bed, shop: Shop) -> None:
    told: list[float] = []
    backend = make(replace(empty.place, progress=told.append))
    with served(shop.repo) as url:
        archive = shop.ref_file(url=url)
        backend.install(archive, backend.inspect(archive))
    assert empty.deployed() == shop.commit(OLD)
    assert told == sorted(told)
    assert {0.0, 0.5} <= set(told) <= {each / 200 for each in range(201)}


@pytest.mark.parametrize("seed", range(2))
def test_the_same_order_after_a_fetch_that_was_killed_ends_right(
    empty: Bed, shop: Shop, seed: int
) -> None:
    instant = random.Random(seed).randint(1, OBJECTS)  # noqa: S311 - a seed
    objects: list[str] = []
    running: list[subprocess.Popen[bytes]] = []

    def asked(path: str) -> None:
        objects.extend([path] if "/objects/" in path else [])
        if running and len(objects) == instant:
            os.killpg(running.pop().pid, signal.SIGKILL)

    key = empty.folder / "key"
    key.write_bytes(shop.shelf.keys.ours_public)
    with served(shop.repo, asked) as url:
        assert empty.tool("remote-add", f"--gpg-import={key}", "shop", url).returncode == 0
        words, environment = empty.argv("install", "-y", "--no-deploy", "shop", OLD.ref)
        with subprocess.Popen(
            words, stdout=subprocess.DEVNULL, env=environment, start_new_session=True
        ) as child:
            running.append(child)
        assert child.returncode == -signal.SIGKILL
        empty.install_file(shop.ref_file(url=url))
    assert empty.deployed() == shop.commit(OLD)


def test_a_disk_that_is_nearly_full_takes_nothing(bed: Bed, shop: Shop) -> None:
    bed.install(OLD)
    there = bed.deployed()
    config = bed.dir / "repo/config"
    few = re.sub("min-free-space-size=.*", "min-free-space-size=900000GB", config.read_text())
    config.write_text(few)
    shop.show("new")
    for archive in (NEW.build(bed.folder), shop.ref_file()):
        assert bed.failure(partial(bed.install_file, archive)) is Reason.NO_SPACE
        assert bed.deployed() == there
    assert set(bed.remotes().split()) == {"hello-origin", "platform-origin"}


def test_an_update_that_finds_nothing_is_0_and_only_what_is_listed_counts(
    empty: Bed, shop: Shop
) -> None:
    empty.install_file(shop.ref_file())
    old = shop.commit(OLD)
    shop.show("new")
    done = empty.tool("update", "-y", "--noninteractive", "--no-pull", OLD.ref)
    assert (done.returncode, done.stdout.strip()) == (0, "Nothing to do.")
    assert empty.deployed() == old != shop.commit(NEW)


@pytest.mark.skipif(SYSTEM_BUS.exists(), reason="this machine has a system bus")
def test_without_a_system_bus_an_ordinary_user_gets_runtimes_and_no_applications() -> None:
    with tempfile.TemporaryDirectory(prefix="scomod-flatpak-") as name:
        folder = Path(name)
        if os.getuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        bed = Bed(folder, "user")
        archives = [each.build(folder) for each in (RUNTIME, OLD)]
        facts = [bed.backend.inspect(archive) for archive in archives]
        assert as_ordinary_user(bed, archives[0], facts[0]) == ""
        assert as_ordinary_user(bed, archives[1], facts[1]) == Reason.UNSUPPORTED_ENV
        assert bed.backend.probe(PLATFORM, "") is Presence.ACTIVE
        assert bed.backend.probe(HELLO, "") is Presence.ABSENT
        assert bed.remotes().split() == ["platform-origin"]


def as_ordinary_user(bed: Bed, archive: Path, facts: Facts) -> str:
    """Install in a process of its own; gives the reason why not."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
            bed.backend.install(archive, facts)
        except InstallerError as error:
            os.write(writing, error.reason.encode())
        except BaseException as error:  # noqa: BLE001 - nothing may go on being the tests
            os.write(writing, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as file:  # noqa: PTH123 - a descriptor
        reason = file.read()
    assert os.waitpid(child, 0)[1] == 0
    return reason
