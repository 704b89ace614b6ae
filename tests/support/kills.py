# SPDX-License-Identifier: Apache-2.0
"""Killing a package tool while it works."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Final

CHANGES: Final = {b"--install", b"--remove", b"--purge"}
_LOOK_S: Final = 0.005


def working_dpkg(root: Path) -> int | None:
    """Find the dpkg that is changing `root`; gives its process group."""
    wanted = f"--root={root}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == b"dpkg" and wanted in words and CHANGES & set(words):
            return None if b"--no-act" in words else int(folder.name)
    return None


def await_dpkg(root: Path, timeout_s: float) -> int | None:
    """Wait for that dpkg to appear; None when it does not in time."""
    give_up_s = time.monotonic() + timeout_s
    while time.monotonic() < give_up_s:
        if (group := working_dpkg(root)) is not None:
            return group
        time.sleep(_LOOK_S)
    return None


def kill_group(group: int) -> bool:
    """Kill a process group; tell whether there was one left."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
