# SPDX-License-Identifier: Apache-2.0
"""scomod's package in versions that do not work, made of one that does."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.support import own_package

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CODE = "usr/lib/python3/dist-packages/scomod"
# Where the daemon begins, which scomod-install never comes to.
CRASHES: Mapping[str, str] = {f"{CODE}/serve.py": 'raise SystemExit("a new fault")\n'}
# It starts as well as any, and finds no way out.
MUTE: Mapping[str, str] = {
    "usr/lib/scomod/config.d/90-mute.toml": '[transport]\nproxy = "http://127.0.0.1:9"\n'
}
NEXT_SCHEMA = 1 + len(list((own_package.PROJECT / "scomod/migrations").glob("*.sql")))
NEWER_SCHEMA: Mapping[str, str] = {
    f"{CODE}/migrations/{NEXT_SCHEMA:04}.sql": "CREATE TABLE of_the_future (id INTEGER);\n"
}


def build(
    version: str,
    folder: Path,
    files: Mapping[str, str],
    scripts: Mapping[str, str] | None = None,
) -> Path:
    """Make a version with text added to the end of files, and to the begin of its scripts."""
    package = own_package.build(version, folder)
    tree = folder / "spoiled"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    for name, text in files.items():
        place = tree / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text((place.read_text() if place.exists() else "") + text)
    for name, text in (scripts or {}).items():
        _begin_with(text, tree / "DEBIAN" / name)
    subprocess.run(
        ["dpkg-deb", "-Znone", "--root-owner-group", "-b", tree, package],
        check=True, capture_output=True,
    )  # fmt: skip
    shutil.rmtree(tree)
    return package


def _begin_with(text: str, script: Path) -> None:
    head, strict, rest = script.read_text().partition("set -e\n")
    assert strict, script
    script.write_text(f"{head}{strict}{text}\n{rest}")
