# SPDX-License-Identifier: Apache-2.0
"""The program's own files: an order may replace or remove them while it is carried out.

What an order needs after its first tool is loaded before it, and a process whose files
have changed takes no other order: the new program does, started anew.
This is not how scomod is upgraded; that is a package like any other.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.installers.base import stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

# What is imported late and may be needed only after a tool: for going back, and for sweeping.
# What judges signatures is not among it, that is over before; nor are the backends, which are
# made at the beginning of an order.
LATE: Final = ("scomod.verify", "scomod.installers.apt", "hashlib", "shutil", "gzip", "zlib")

_OURS: Final = frozenset({"scomod", "cryptography"})


def load() -> None:
    """Load what an order may need when our files are others already."""
    for name in LATE:
        import_module(name)


def footprint() -> Mapping[str, str]:
    """Return the stamp of each file that code of ours was loaded from in this process."""
    files = (
        getattr(module, "__file__", None)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in _OURS
    )
    return {file: stamp(Path(file)) for file in files if file}


def are_changed(before: Mapping[str, str]) -> bool:
    """Tell whether one of the files of a footprint is another one now, or is gone."""
    return any(stamp(Path(file)) != known for file, known in before.items())
