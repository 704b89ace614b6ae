# SPDX-License-Identifier: Apache-2.0
"""Our backends and the example of the documentation keep their duties, with real tools.

In a usual run the example is looked at in full, ours at one duty each: they have tests of
their own for every row.  SCOMOD_TESTKIT=all looks at everything (minutes).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from scomod.clock import SystemClock
from scomod.installers import duties, testkit
from scomod.installers.duties import DUTIES, Bench, Samples
from scomod.installers.kinds import KINDS, Place
from scomod.settings import Flatpak, Install, Opkg
from tests.support.debs import Deb
from tests.support.flatpaks import INSTALLS_AS, Bundle
from tests.support.ipks import Ipk
from tests.support.opkg_bed import LEDE, YOCTO, stand_in
from tests.support.programs import bring_example

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Enough for half of an archive to lack something.
CONTENT = "".join(map(str, range(9000)))
IS_WHOLE = os.environ.get("SCOMOD_TESTKIT") == "all"


def tar(folder: Path, name: str, files: Mapping[str, str]) -> Path:
    path = folder / f"{name}.tar"
    with tarfile.open(path, "w") as archive:
        for member, content in files.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, BytesIO(content.encode()))
    return path


def tars(folder: Path) -> Samples:
    def archive(version: str) -> Path:
        files = {"package": f"hello {version}\n", "default.conf": "a=1\n", "content": CONTENT}
        return tar(folder, version, files)

    # A file cannot be a directory as well.
    broken = {"package": "broken 1\n", "place": "", "place/below": ""}
    return Samples(
        payload=archive("1.0"),
        newer=archive("1.10"),
        broken=tar(folder, "broken", broken),
        config="etc/opt/hello.conf",
    )


def debs(folder: Path) -> Samples:
    def archive(version: str) -> Path:
        files, conffiles = {"usr/share/hello/content": CONTENT}, {"etc/hello.conf": "a=1\n"}
        return Deb(version=version, files=files, conffiles=conffiles).build(folder)

    return Samples(
        payload=archive("1.0"),
        newer=archive("1.10"),
        broken=Deb(name="broken", scripts={"postinst": "exit 1"}).build(folder),
        config="etc/hello.conf",
    )


def ipks(folder: Path) -> Samples:
    def archive(version: str) -> Path:
        files, conffiles = {"usr/share/hello/content": CONTENT}, {"etc/hello.conf": "a=1\n"}
        return Ipk(version=version, files=files, conffiles=conffiles).build(folder)

    return Samples(
        payload=archive("1.0"),
        newer=archive("1.10"),
        broken=Ipk(name="broken", scripts={"postinst": "exit 1"}).build(folder),
        config="etc/hello.conf",
    )


def flatpaks(folder: Path) -> Samples:
    def archive(version: str, day: str) -> Path:
        return Bundle(is_runtime=True, version=version, day=day, content=CONTENT).build(folder)

    return Samples(payload=archive("1.0", "2024-01-01"), newer=archive("1.10", "2024-01-02"))


def unkept(
    name: str, install: Install, root: Path, samples: Samples, usual: str = "upgrade"
) -> dict[str, str]:
    """Return the duties that a backend of ours does not keep, and why; `usual` is looked at."""
    place = Place(root=root, settings=install, clock=SystemClock())
    backend = KINDS[name].make(place)
    assert backend is not None
    bench = Bench(
        backend=backend,
        kind=KINDS[name],
        place=place,
        samples=samples,
        scratch=root.parent,
        old=backend.inspect(samples.payload),
        new=backend.inspect(samples.newer),
    )
    looked_at = [duty for duty in DUTIES if IS_WHOLE or duty.name == usual]
    verdicts = [duties.examine(bench, duty) for duty in looked_at]
    return {each.name: each.why for each in verdicts if each.is_kept is False}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def test_dpkg_keeps_its_duties(root: Path, tmp_path: Path) -> None:
    assert unkept("dpkg", Install(), root, debs(tmp_path)) == {}


@pytest.mark.parametrize("flavour", [YOCTO, LEDE])
def test_opkg_keeps_its_duties(flavour: str, root: Path, tmp_path: Path) -> None:
    for name in ("etc/opkg", "var/lock", "tmp", "usr/lib/opkg"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("etc/opkg.conf", "etc/opkg/opkg.conf"):
        (root / name).write_text("dest root /\narch all 1\n")
    install = Install(opkg=Opkg(program=str(stand_in(tmp_path, flavour))))
    assert unkept("opkg", install, root, ipks(tmp_path)) == {}


@pytest.mark.skipif(os.getuid() != 0, reason=INSTALLS_AS)
def test_flatpak_keeps_its_duties(root: Path, tmp_path: Path) -> None:
    install = Install(flatpak=Flatpak(installation="user", dir="flatpak"))
    assert unkept("flatpak", install, root, flatpaks(tmp_path), usual="absent") == {}


def test_the_example_of_the_documentation_keeps_every_duty(root: Path, tmp_path: Path) -> None:
    bring_example(root)
    samples = tars(tmp_path)
    done = subprocess.run(
        [
            sys.executable, "-m", "scomod.installers.testkit", "tarball", "--json",
            "--root", root, "--payload", samples.payload, "--newer", samples.newer,
            "--broken", str(samples.broken), "--config", samples.config,
        ],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    found = {row["name"]: (row["is_kept"], row["why"]) for row in json.loads(done.stdout)}
    assert found == {duty.name: (True, "") for duty in DUTIES}


def test_the_kit_tells_what_it_cannot_begin_with(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = str(tars(tmp_path).payload)
    words = ["acme", "--root", str(root), "--payload", archive, "--newer", archive]
    assert testkit.main(words) == 2
    assert "acme is no backend" in capsys.readouterr().err


def test_the_kit_prints_a_row_for_each_duty_and_ends_with_1_where_one_is_broken(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring_example(root)
    program = root / "usr/lib/scomod/backends/tarball"
    # The one line that every change goes through no longer writes anything.
    program.write_text(program.read_text().replace('mv "$notes/.new" "$notes/$1"', "true"))
    samples = tars(tmp_path)
    words = ["tarball", "--root", root, "--payload", samples.payload, "--newer", samples.newer]
    assert testkit.main(list(map(str, words))) == 1
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == len(DUTIES)
    assert "BROKEN" in rows[0]
    assert "--broken FILE" in rows[4]
