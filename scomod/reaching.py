# SPDX-License-Identifier: Apache-2.0
"""A daemon that is the new version in an upgrade of scomod: it calls its servers, and says so.

One session that went well is enough; the guard of the way back (`installers.wayback`) is
told by a file, and believes it for this upgrade and this boot only.  What runs the old
program, though an upgrade is pending, says nothing.  People are told how it ended by the
daemon that is there then, be it in the midst of its life or a later one.  What the server is
told is the order's business.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

import scomod
from scomod.bootid import boot_id
from scomod.installers import durable, wayback
from scomod.installers.base import stamp
from scomod.log import Event, announce

if TYPE_CHECKING:
    from scomod.db import Database
    from scomod.installers.wayback import Pending
    from scomod.settings import Paths

log = logging.getLogger(__name__)

TOLD_KEY: Final = "self-update-told"
_PRIVATE: Final = 0o600
_ENDS: Final = {
    "stays": (Event.SELF_UPDATE_STAYS, "%s stays: it has reached a server; it was %s"),
    "returned": (Event.SELF_UPDATE_RETURNED, "%s did not stay; %s is back"),
    "stuck": (Event.SELF_UPDATE_STUCK, "%s did not stay, and %s cannot be brought back"),
}


class Reaching:
    """An upgrade that was not through when this process began; `pending` if it is the new one."""

    def __init__(self, paths: Paths, db: Database, pending: Pending | None) -> None:
        self._paths = paths
        self._db = db
        self.pending = pending

    def reached(self) -> None:
        """Tell the guard that a session with a server went well, or people that it is over."""
        if self.pending is not None and self._paths.way_back.exists():
            words = self.pending.words(boot_id(self._paths.root))
            durable.write(self._paths.state_dir / wayback.SAID, words.encode(), mode=_PRIVATE)
            text = "a server is reached: %s %s may stay"
            log.info(text, self.pending.component_id, self.pending.after)
        tell(self._paths, self._db)


def begin(paths: Paths, db: Database) -> Reaching | None:
    """Look what is pending, or tell what is over; None where nothing is pending."""
    tell(paths, db)
    if not paths.way_back.exists():
        return None
    pending = wayback.read(paths)
    is_old = pending is not None and stamp(Path(scomod.__file__).resolve()) == pending.stamp
    return Reaching(paths, db, None if is_old else pending)


def tell(paths: Paths, db: Database) -> None:
    """Log how the last upgrade ended, once."""
    words = wayback.last(paths)
    text = " ".join(words)
    if not words or words[-1] not in _ENDS or db.meta(TOLD_KEY) == text:
        return
    _, before, after, end = words
    event, message = _ENDS[end]
    announce(log, event, message, after, before)
    with db.transaction():
        db.set_meta(TOLD_KEY, text)
