# SPDX-License-Identifier: Apache-2.0
"""The packages of other distributions say and install what this project has.

Not a build of them: OpenWrt's rules run with real make on a stand-in of its build system,
the recipe's installation step with a real shell, and its style is looked at by oelint-adv.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import scomod

PROJECT = Path(__file__).resolve().parents[2]
OPENWRT = PROJECT / "packaging/openwrt"
LAYER = PROJECT / "packaging/yocto/meta-scomod"
RECIPE = LAYER / f"recipes-support/scomod/scomod_{scomod.__version__}.bb"
SDK = PROJECT / "tests/support/openwrt_sdk"
PROCD = PROJECT / "tests/support/procd_stand_in.sh"
RUNTIME = {"lxml", "requests", "cryptography", "pyudev", "dbus-next"}
FOR_THE_LAB = {"scomod-lab"}
# Rules of the linter that do not fit, and why.
NOT_OURS = {
    "oelint.vars.fileextrapaths": "the layer lies in the sources that it builds",
    "oelint.vars.outofcontext": "the same",
    "oelint.var.mandatoryvar.HOMEPAGE": "there is none",
    "oelint.vars.mispell.unknown": "PARTS is the recipe's own",
    "oelint.var.filesoverride": "packages that the recipe adds have no FILES to append to",
    "oelint.vars.dependsordered": "libraries stand after what comes with Python",
}


def commands() -> set[str]:
    """What this project installs in /usr/bin."""
    parser = configparser.ConfigParser()
    parser.read(PROJECT / "setup.cfg")
    lines = parser["options.entry_points"]["console_scripts"].strip().splitlines()
    return {line.partition("=")[0].strip() for line in lines}


def made(package: str, target: str, out: Path, **words: object) -> str:
    """Run OpenWrt's rules of a package."""
    given = {"TOPDIR": SDK, "BUILD_DIR": out / "build", "OUT": out / "root", **words}
    return subprocess.check_output(
        ["make", "--no-print-directory", target, *(f"{k}={v}" for k, v in given.items())],
        cwd=OPENWRT / package, text=True, stderr=subprocess.STDOUT,
    )  # fmt: skip


def told(package: str, name: str, out: Path) -> dict[str, str]:
    lines = made(package, f"show-{name}", out).splitlines()
    return dict(line.split("=", 1) for line in lines if re.match("[A-Z]+=", line))


def test_openwrt_package_has_every_dependency_and_the_version(tmp_path: Path) -> None:
    said = told("scomod", "scomod", tmp_path)
    assert said["VERSION"] == scomod.__version__
    assert {f"+python3-{name}" for name in RUNTIME} <= set(said["DEPENDS"].split())
    assert said["USERID"] == "scomod:scomod"
    library = told("python-dbus-next", "python3-dbus-next", tmp_path)
    assert re.fullmatch("[0-9a-f]{64}", library["HASH"])


def test_openwrt_package_has_programs_and_configuration_and_no_bench(tmp_path: Path) -> None:
    sources = tmp_path / f"build/scomod-{scomod.__version__}"
    made("scomod", "prepare", tmp_path)
    assert (sources / "scomod/daemon.py").is_file()
    assert not (sources / "scomod/lab").exists()
    programs = sources / "ipkg-install/usr/bin"
    programs.mkdir(parents=True)
    for name in commands():
        (programs / name).write_text("#!/usr/bin/python3\n")
    made("scomod", "install-scomod", tmp_path)
    root = tmp_path / "root"
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    desktop = {"scomod-agent-desktop"}
    assert found == {f"usr/bin/{name}" for name in commands() - FOR_THE_LAB - desktop} | {
        "etc/init.d/scomod",
        "etc/scomod/scomod.toml",
        "etc/scomod/config.d/50-openwrt.toml",
        "usr/share/dbus-1/system.d/org.scomod1.conf",
    }
    assert os.access(root / "etc/init.d/scomod", os.X_OK)


def test_openwrt_configuration_is_one_that_scomod_takes(tmp_path: Path) -> None:
    folder = tmp_path / "etc/scomod/config.d"
    folder.mkdir(parents=True)
    (folder / "50-openwrt.toml").write_bytes(
        (OPENWRT / "scomod/files/50-openwrt.toml").read_bytes()
    )
    check = (
        "import sys; from pathlib import Path; from scomod import config\n"
        "from scomod.settings import Paths\n"
        "print(*config.load(Paths(Path(sys.argv[1]))).install.backends)"
    )
    words = [sys.executable, "-c", check, str(tmp_path)]
    assert subprocess.check_output(words, text=True, cwd=PROJECT).split() == ["opkg"]


def test_openwrt_script_starts_daemon_and_helper_below_procd(tmp_path: Path) -> None:
    script = (OPENWRT / "scomod/files/scomod.init").read_text()
    (tmp_path / "etc/scomod/bootstrap.d").mkdir(parents=True)
    moved = re.sub(r"(?<![\w.$])/(etc|var)/", rf"{tmp_path}/\1/", script)
    (tmp_path / "script").write_text(moved)
    says = subprocess.check_output(["sh", PROCD, tmp_path / "script"], text=True)
    assert "command /usr/bin/scomod --resident\nuser scomod\ngroup scomod" in says
    assert "command /usr/bin/scomod-install --watch" in says
    state = tmp_path / "etc/scomod/state"
    assert (tmp_path / "var/lib/scomod").readlink() == state / "daemon"
    assert (tmp_path / "var/lib/scomod-install").readlink() == state / "helper"


@pytest.mark.parametrize("path", [OPENWRT / "scomod/files/scomod.init", PROCD], ids=str)
def test_shell_is_sound(path: Path) -> None:
    checked = subprocess.run(
        ["shellcheck", "--shell=dash", "--exclude=SC1008,SC1090,SC2329,SC2317", path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


def recipe(name: str) -> str:
    """Give a variable or a task of the recipe."""
    text = RECIPE.read_text()
    task = re.search(rf"^{re.escape(name)}\(\) \{{\n(.*?)^\}}", text, re.MULTILINE | re.DOTALL)
    value = re.search(rf'^{re.escape(name)} [+]?= "((?:[^"\\]|\\.|\\\n)*)"', text, re.MULTILINE)
    found = task or value
    assert found, f"the recipe has no {name}"
    return found[1].replace("\\\n", " ") if value and not task else found[1]


def test_recipe_depends_on_every_library_and_knows_the_licence() -> None:
    depends = set(recipe("RDEPENDS:${PN}").split())
    assert {f"python3-{name}" for name in RUNTIME} <= depends
    md5 = hashlib.md5((PROJECT / "LICENSE").read_bytes(), usedforsecurity=False).hexdigest()
    assert recipe("LIC_FILES_CHKSUM") == f"file://LICENSE;md5={md5}"
    assert all((PROJECT / name).exists() for name in recipe("PARTS").split())


def test_recipe_installs_every_unit_and_policy_of_the_project(tmp_path: Path) -> None:
    task = recipe("do_install:append")
    places = {
        "D": tmp_path, "S": PROJECT, "sysconfdir": "/etc", "datadir": "/usr/share",
        "mandir": "/usr/share/man", "nonarch_libdir": "/usr/lib",
        "nonarch_base_libdir": "/usr/lib", "systemd_system_unitdir": "/usr/lib/systemd/system",
    }  # fmt: skip
    for name, place in places.items():
        task = task.replace(f"${{{name}}}", str(place))
    task = task.replace(" -o root -g scomod", "")  # that user is made on the device
    subprocess.run(["sh", "-eu", "-c", task], check=True)
    found = {path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    wanted = [path for path in (PROJECT / "systemd").iterdir() if path.is_file()]
    wanted += [path for path in (PROJECT / "docs/man").iterdir() if path.is_file()]
    assert [str(path) for path in wanted if path.read_bytes() not in found] == []
    units = recipe("SYSTEMD_SERVICE:${PN}").split()
    assert all((tmp_path / f"usr/lib/systemd/system/{name}").is_file() for name in units)


def test_recipe_and_layer_please_the_linter() -> None:
    linter = str(Path(sys.executable).with_name("oelint-adv"))
    suppressed = [word for rule in NOT_OURS for word in ("--suppress", rule)]
    done = subprocess.run(
        [linter, "--quiet", "--hide", "info", *suppressed, RECIPE, LAYER / "conf/layer.conf"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
