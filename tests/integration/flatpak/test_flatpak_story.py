# SPDX-License-Identifier: Apache-2.0
"""One application's life as a server orders it and a person is asked: the real flatpak below.

A whole device in this process (`tests.support.handset`); the application really runs.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod.operation import Primitive, operation_leaf
from tests.support.clocks import FakeClock
from tests.support.executing import add, execute
from tests.support.flatpak_bed import Bed
from tests.support.flatpaks import Bundle
from tests.support.handset import Handset, settings_of
from tests.support.shelf import Shelf
from tests.support.sleeper import SLEEPER

if TYPE_CHECKING:
    from collections.abc import Iterator

NETWORK, FILES = "It may use the network.", "It may read and write all files."
DOWNLOAD = "./SCOMO/Download/x"
DEPLOYED = "./SCOMO/Inventory/Deployed"
ME = pwd.getpwuid(os.geteuid())


@pytest.fixture
def app() -> Iterator[Bundle]:
    """Make an application that only waits and asks for the network."""
    context = "[Context]\nshared=network;\n"
    name = f"org.scomo.Story{os.getpid()}"
    yield Bundle(name=name, context=context, files={"bin/hello": SLEEPER})
    subprocess.run(["flatpak", "kill", name], check=False, capture_output=True, env=environment())
    for place in (".var/app", ".cache/.flatpak"):
        shutil.rmtree(Path(ME.pw_dir, place, name), ignore_errors=True)


def environment() -> dict[str, str]:
    """Return what flatpak finds the instances of this person by."""
    found = {**os.environ, "HOME": ME.pw_dir}
    found.pop("XDG_RUNTIME_DIR", None)
    own = Path("/run/user", str(ME.pw_uid))
    return {**found, "XDG_RUNTIME_DIR": str(own)} if own.is_dir() else found


def runs(app: Bundle) -> bool:
    """Ask flatpak whether an application runs; for some seconds it names what has ended."""
    listing = ["flatpak", "ps", "--columns=application,child-pid"]
    done = subprocess.run(listing, check=True, capture_output=True, text=True, env=environment())
    found = (line.split("\t") for line in done.stdout.splitlines())
    return any(name == app.name and Path("/proc", pid).exists() for name, pid in found)


class Tale:
    """A server that orders one thing after the other; every question is answered with yes."""

    def __init__(self, bed: Bed) -> None:
        self.shelf = Shelf()
        self.device = Handset(
            bed.folder / "root",
            self.shelf,
            FakeClock(),
            settings=settings_of("ask"),
            tools={"flatpak": bed.backend},
        )
        self.count = 0

    def announce(self, archive: Path) -> None:
        url = self.shelf.put(archive.name, archive.read_bytes())
        leaves = {"PkgID": "story", "PkgURL": url, "EnvType": "flatpak"}
        self.device.codes("srv", *(add(f"{DOWNLOAD}/{k}", v) for k, v in leaves.items()))

    def order(self, item: str, primitive: Primitive) -> list[list[str] | None]:
        """Have it done; gives the permissions that each question named.  It is reported well."""
        self.count += 1
        uri, correlator = f"{item}/{operation_leaf(primitive)}", f"order {self.count}"
        assert self.device.codes("srv", execute(uri, correlator)) == [202]
        self.device.settle()
        asked: list[list[str] | None] = []
        while prompts := self.device.confirmations.prompts():
            (prompt,) = prompts
            asked.append(prompt["permissions"])
            self.device.answer(prompt["operation"], is_accepted=True)
            self.device.settle()
        ((key, alert),) = self.device.reports("srv")
        self.device.taken([key])
        assert (alert.correlator, alert.items[0].source) == (correlator, uri)
        assert "<ResultCode>1200<" in str(alert.items[0].data), self.device.finished[-1].detail
        return asked

    def component(self, app: Bundle) -> str:
        """Return the node of the application."""
        nodes = [f"{DEPLOYED}/{name}" for name in self.device.children(DEPLOYED)]
        (node,) = [n for n in nodes if self.device.value(f"{n}/ID") == f"{app.name}:{app.branch}"]
        return node


def test_life_of_an_application_with_every_question_and_every_report(bed: Bed, app: Bundle) -> None:
    home = Bed(bed.folder, run_as=ME.pw_name)
    tale = Tale(home)
    tale.announce(app.build(home.folder))
    assert tale.order(DOWNLOAD, Primitive.DOWNLOAD_INSTALL) == [None, [NETWORK]]
    node = tale.component(app)
    assert home.deployed(app.name)

    assert tale.order(node, Primitive.START) == [None]
    assert runs(app)
    assert tale.order(node, Primitive.STOP) == [None]
    assert not runs(app)

    more = replace(app, day="2024-02-02", context=f"{app.context}filesystems=host;\n")
    tale.announce(more.build(home.folder))
    assert tale.order(DOWNLOAD, Primitive.DOWNLOAD_INSTALL) == [None, [FILES]], "what is new"

    assert tale.order(node, Primitive.DEACTIVATE) == [None]
    assert not home.deployed(app.name)
    assert tale.order(node, Primitive.ACTIVATE) == [[FILES, NETWORK]], "all, from the index"
    assert home.deployed(app.name)
    assert tale.order(node, Primitive.REMOVE) == [None]
    assert not home.deployed(app.name)
    assert tale.device.leftovers()["spool"] == []
    tale.device.close()
