# SPDX-License-Identifier: Apache-2.0
"""Backends that are programs, written into a device's directory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from scomod.settings import Install, Paths

if TYPE_CHECKING:
    from collections.abc import Iterable

EXAMPLES = Path(__file__).resolve().parents[2] / "docs/examples"
DECLARATION = 'protocol = 1\nenvironments = ["acme"]\nwatched = ["acme.db"]\n'


def bring(root: Path, name: str, body: str, declaration: str = DECLARATION) -> Path:
    """Write a program (a shell script) and its declaration; gives the program."""
    folder = Paths(root).below_root(Install().backends_dir)
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    program.with_name(f"{name}.toml").write_text(declaration)
    return program


def bring_example(root: Path) -> None:
    """Put the backend of docs/examples where a device has it."""
    folder = Paths(root).below_root(Install().backends_dir)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tarball", "tarball.toml"):
        shutil.copy(EXAMPLES / name, folder / name)


def package(folder: Path, name: str, lines: Iterable[str], value: str) -> Path:
    """Write an installed Python package with an entry point; gives what goes on the path."""
    (folder / f"{name}.py").write_text("\n".join(lines))
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[scomod.backends]\nacme = {value}\n")
    return folder
