# SPDX-License-Identifier: Apache-2.0
"""The copy of a database of before its schema changed, and going back to it (ADR 0050).

The newer version makes it in the moment before it changes anything, so that nothing which
was acknowledged until then is missing.  An older version that finds a schema it does not
know puts the newer file aside and takes the copy.  After a session that went well there is
no copy any more: a later downgrade is refused then, as what servers know would be lost.

    scomod.db.schema-6   the copy, of schema 6; there is one at most
    scomod.db.newer-7    what a newer version had made of it, for people; the last one
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_COPY: Final = ".schema-"
_ASIDE: Final = ".newer-"
_PRIVATE: Final = 0o600


def keep(execute: Callable[[str], object], path: Path, schema: int) -> None:
    """Copy an open database of a schema; whatever the database raises passes."""
    copy, new = _named(path, _COPY, schema), path.with_name(f"{path.name}.copying")
    new.unlink(missing_ok=True)
    quoted = str(new).replace("'", "''")
    execute(f"VACUUM INTO '{quoted}'")
    new.chmod(_PRIVATE)
    sync(new)
    new.replace(copy)
    sync(path.parent)
    drop(path, but=copy)


def found(path: Path, newest: int) -> Path | None:
    """Return the copy of the newest schema that is known, if there is one."""
    known = {number: file for file in _all(path, _COPY) if (number := _number(file)) <= newest}
    return known[max(known)] if known else None


def take(path: Path, copy: Path, schema: int) -> Path:
    """Put a copy in the place of a closed database of a schema; gives where that is kept.

    There is one of the two under the name at any instant.  Raises `OSError`.
    """
    aside = _named(path, _ASIDE, schema)
    for old in _all(path, _ASIDE):
        old.unlink()
    os.link(path, aside)
    copy.replace(path)
    sync(path.parent)
    return aside


def drop(path: Path, but: Path | None = None) -> None:
    """Delete copies: nobody goes back to them."""
    for old in _all(path, _COPY):
        if old != but:
            old.unlink()


def _named(path: Path, kind: str, schema: int) -> Path:
    return path.with_name(f"{path.name}{kind}{schema}")


def _all(path: Path, kind: str) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}{kind}*[0-9]"))


def _number(file: Path) -> int:
    return int(file.name.rpartition("-")[2])


def sync(place: Path) -> None:
    """Have a file or a directory on the disk."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
