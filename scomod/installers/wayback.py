# SPDX-License-Identifier: Apache-2.0
"""The way back of an upgrade of scomod itself, once it is there: `arming` makes it.

While `way-back/` is there, the answer to the order that it belongs to is the guard's
(`guard.sh`): the upgrade stays once the new daemon has reached a server, else the
previous version comes back.  Here is what helper and daemon must know of it; neither
decides anything.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError
from scomod.installers import durable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scomod.installers.base import JobResult
    from scomod.paths import Paths

UNIT: Final = "scomod-way-back.service"
SAID: Final = "reached"  # in the state directory: what the new daemon says
_MAX_BYTES: Final = 16 << 10
_PRIVATE: Final = 0o600
_UNITS: Final = "etc/systemd/system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An upgrade that is not through: its order, from which version to which.

    `nonce` is of this upgrade only; `stamp` is that of the program file of before.
    """

    job_id: str
    component_id: str
    before: str
    after: str
    nonce: str
    stamp: str

    def words(self, boot: str) -> str:
        """Say what the guard believes: that a server was reached in this boot, and by whom."""
        return f"{self.job_id} {self.after} {self.nonce} {boot}"


_WORDS: Final[Mapping[str, str]] = {
    "job_id": "JOB",
    "component_id": "COMPONENT",
    "before": "FROM",
    "after": "TO",
    "nonce": "NONCE",
    "stamp": "STAMP",
}


def written(pending: Pending, more: Mapping[str, object]) -> str:
    """Write the order of a guard: a word and its value a line."""
    known = {_WORDS[name]: value for name, value in asdict(pending).items()}
    return "".join(f"{word}={value}\n" for word, value in {**known, **more}.items())


def read(paths: Paths) -> Pending | None:
    """Read what is pending; None where nothing is, or it cannot be read by us."""
    text = _text(paths.way_back / "order")
    if text is None:
        return None
    found = dict(line.partition("=")[::2] for line in text.splitlines())
    return Pending(**{name: found.get(word, "") for name, word in _WORDS.items()})


def is_answered(paths: Paths, job_id: str) -> bool:
    """Tell whether the answer to an order is the guard's already."""
    pending = read(paths)
    ends = ("answer.json", "state")
    folder = paths.way_back
    return (
        pending is not None
        and pending.job_id == job_id
        and any((folder / name).exists() for name in ends)
    )


def hold(paths: Paths, result: JobResult) -> bool:
    """Leave an answer to the guard, if its order is the one that is pending; tells whether.

    A good one counts once the new version has reached a server; a failure makes the
    guard see to it at once that the previous version is there.
    """
    pending = read(paths)
    if pending is None or pending.job_id != result.id:
        return False
    folder = paths.way_back
    if result.is_ok:
        durable.write_json(folder / "answer.json", asdict(result), mode=_PRIVATE)
    else:
        durable.write_json(folder / "returned.json", asdict(result), mode=_PRIVATE)
        go_back(paths)
    return True


def go_back(paths: Paths) -> None:
    """Have the guard bring the previous version back."""
    durable.write(paths.way_back / "state", b"back\n", mode=_PRIVATE)


def drop(paths: Paths) -> None:
    """Take the way back away: nothing was changed yet."""
    folder = paths.way_back
    folder.rename(folder.with_suffix(".old"))
    durable.sync_dir(folder.parent)
    sweep(paths)


def sweep(paths: Paths) -> None:
    """Take away what was left of arming or disarming that was cut off."""
    for suffix in (".new", ".old"):
        shutil.rmtree(paths.way_back.with_suffix(suffix), ignore_errors=True)
    if not paths.way_back.exists():
        for place in units(paths.root):
            place.unlink(missing_ok=True)


def units(root: Path) -> tuple[Path, Path]:
    """Say where the guard's unit is, and what has it started at boot."""
    folder = root / _UNITS
    return folder / "multi-user.target.wants" / UNIT, folder / UNIT


def last(paths: Paths) -> tuple[str, ...]:
    """Return how the last upgrade of scomod ended: order, version before, after, one word.

    The word is "stays", "returned" or "stuck"; () where there was none.
    """
    words = (_text(paths.last_way_back) or "").split()
    return tuple(words) if len(words) == 4 else ()  # noqa: PLR2004 - as above


def _text(path: Path) -> str | None:
    """Read a small file of the other side; None where none can be read by us."""
    try:
        with open(durable.open_regular(path), "rb") as file:  # noqa: PTH123 - a descriptor
            return file.read(_MAX_BYTES).decode("utf-8", "replace")
    except InstallerError:
        return None
