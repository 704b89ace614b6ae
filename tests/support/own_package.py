# SPDX-License-Identifier: Apache-2.0
"""scomod as a Debian package, no more than tests need: pip installs the checkout, dpkg-deb packs.

    python -m tests.support.own_package ROOT

prepares what script/image-test boots: a layer over ROOT, made by mmdebstrap, in which
this package is installed.  The right package of a distribution is made elsewhere.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.container import overlay, run_once

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = Path(__file__).resolve().parents[2]
SOURCES = ("scomod", "setup.cfg", "pyproject.toml", "README.md")
UNITS = "usr/lib/systemd/system"
PLACES: Mapping[str, str] = {
    "systemd/scomod.service": UNITS,
    "systemd/scomod.socket": UNITS,
    "systemd/scomod.path": UNITS,
    "systemd/scomod-next-start": "usr/lib/scomod",
    "systemd/scomod-install.service": UNITS,
    "systemd/scomod-install.path": UNITS,
    "systemd/85-scomod.rules": "usr/lib/udev/rules.d",
    "systemd/org.scomod1.conf": "usr/share/dbus-1/system.d",
    "systemd/org.scomod1.service": "usr/share/dbus-1/system-services",
    "etc/scomod/scomod.toml": "etc/scomod",
}
CODE = "usr/lib/python3/dist-packages/scomod"
CONTROL = """Package: scomod
Version: {version}
Architecture: all
Maintainer: Test <test@example.org>
Depends: python3, python3-lxml, python3-requests, python3-cryptography, python3-pyudev,
 python3-dbus-next
Description: OMA DM client
"""
# What the tools of a distribution generate: accounts, compiled files, units.
SCRIPTS: Mapping[str, str] = {
    "postinst": f"""#!/bin/sh
set -e
systemd-sysusers scomod.conf
python3 -m compileall -q /{CODE}
systemctl --quiet enable scomod.service scomod.socket scomod.path scomod-install.path
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl start scomod.socket scomod.path
    systemctl try-restart scomod.service scomod-install.path
fi
""",
    "prerm": f"#!/bin/sh\nfind /{CODE} -name __pycache__ -prune -exec rm -r {{}} +\n",
}


def staged() -> Path:
    """Where the files lie that the package is made of."""
    return Path(os.environ["SCOMOD_IMAGE_DIR"], "own/stage")


def layer() -> Path:
    """Where lies what was installed over the root."""
    return Path(os.environ["SCOMOD_IMAGE_DIR"], "installed")


def stage(root: Path) -> None:
    """Have the pip of `root` install the checkout into a directory, and the rest be put beside."""
    place = staged().parent
    sources = place / "sources"
    sources.mkdir(parents=True)
    for name in SOURCES:
        path = PROJECT / name
        if path.is_dir():
            shutil.copytree(path, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(path, sources / name)
    run_once(
        root, "python3", "-m", "pip", "install", "--quiet", "--root-user-action=ignore",
        "--no-deps", "--no-index", "--no-build-isolation", "--no-compile",
        "--root=/mnt/stage", "--prefix=/usr", "/mnt/sources",
        options=[f"--bind={place}:/mnt", "--setenv=DEB_PYTHON_INSTALL_LAYOUT=deb"],
    )  # fmt: skip
    for source, folder in PLACES.items():
        target = staged() / folder
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / source, target / Path(source).name)
    sysusers = staged() / "usr/lib/sysusers.d"
    sysusers.mkdir(parents=True)
    shutil.copyfile(PROJECT / "systemd/scomod.sysusers", sysusers / "scomod.conf")


def build(version: str, folder: Path) -> Path:
    """Make the package of what is staged, which says that it has this version."""
    tree, target = folder / f"scomod-{version}", folder / f"scomod_{version}_all.deb"
    shutil.copytree(staged(), tree)
    named = tree / CODE / "__init__.py"
    named.write_text(re.sub(r'(__version__ = )".*"', rf'\1"{version}"', named.read_text()))
    control = tree / "DEBIAN"
    control.mkdir()
    (control / "control").write_text(CONTROL.format(version=version))
    (control / "conffiles").write_text("/etc/scomod/scomod.toml\n")
    for name, text in SCRIPTS.items():
        (control / name).write_text(text)
        (control / name).chmod(0o755)
    subprocess.run(
        ["dpkg-deb", "-Znone", "--root-owner-group", "-b", tree, target],
        check=True, capture_output=True,
    )  # fmt: skip
    shutil.rmtree(tree)
    return target


def main(root: Path) -> None:
    """Prepare the layer."""
    folder = layer()
    overlay(folder, [root])
    stage(folder / "root")
    place = staged().parent
    package = build("1.0", place)
    bound = [f"--bind={place}:/mnt"]
    run_once(folder / "root", "dpkg", "-i", f"/mnt/{package.name}", options=bound)
    (folder / "root/etc/hosts").write_text("127.0.0.1 localhost\n")
    subprocess.run(["umount", folder / "root"], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
