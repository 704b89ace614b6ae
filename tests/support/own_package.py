# SPDX-License-Identifier: Apache-2.0
"""scomod's own Debian packages for tests: as `script/deb` builds them, and of other versions.

    python -m tests.support.own_package ROOT

prepares what script/image-test boots: a layer over ROOT, made by mmdebstrap, in which dpkg
has installed the package scomod and nobody has done anything else.
"""

from __future__ import annotations

import atexit
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.container import overlay, run_once

PROJECT = Path(__file__).resolve().parents[2]
CODE = "usr/lib/python3/dist-packages/scomod/__init__.py"
VERSION = '__version__ = "{}"'


def layer() -> Path:
    """Where lies what was installed over the root."""
    return Path(os.environ["SCOMOD_IMAGE_DIR"], "installed")


@functools.cache
def packages() -> Path:
    """Give the folder of the packages; made now, for this process, where no script made them."""
    if "SCOMOD_DEBS" in os.environ:
        return Path(os.environ["SCOMOD_DEBS"])
    folder = Path(tempfile.mkdtemp(prefix="scomod-debs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run([PROJECT / "script/deb", "--quick", folder], check=True, capture_output=True)
    return folder


def built(name: str) -> Path:
    """Give one of the packages as it was built."""
    (found,) = packages().glob(f"{name}_*_all.deb")
    return found


def build(version: str, folder: Path) -> Path:
    """Make the package scomod of another version, for upgrades: it says so, and so does scomod."""
    tree, target = folder / f"scomod-{version}", folder / f"scomod_{version}_all.deb"
    subprocess.run(["dpkg-deb", "-R", built("scomod"), tree], check=True)
    for file, line in ((tree / "DEBIAN/control", "Version: {}"), (tree / CODE, VERSION)):
        text = file.read_text()
        pattern = f"^{line.format('.+')}$"
        assert re.search(pattern, text, re.MULTILINE), pattern
        file.write_text(re.sub(pattern, line.format(version), text, flags=re.MULTILINE))
    (tree / "DEBIAN/md5sums").unlink()  # one of them is wrong now
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
    bound = [f"--bind-ro={packages()}:/mnt"]
    run_once(folder / "root", "dpkg", "-i", f"/mnt/{built('scomod').name}", options=bound)
    (folder / "root/etc/hosts").write_text("127.0.0.1 localhost\n")
    subprocess.run(["umount", folder / "root"], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
