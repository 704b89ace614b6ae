# SPDX-License-Identifier: Apache-2.0
"""How servers come to a device: documents given to it, files it was made with, first sessions.

What comes by push is `doorstep`'s, which has the same accounts made known here.

A new account owes its server a session (omadm §9.1: it is the acknowledgement); what is
owed is kept in the database, so that it survives the device being switched off.  What
is in a document, and whether it is trusted, is `dmclient.bootstrap`'s business.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Final

from scomod.errors import ScomodError, StoreError
from scomod.facade import Refused, WrongPin
from scomod.log import Event, announce
from scomod.mo import dmacc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scomod.db import Database
    from scomod.dmclient.bootstrap import Bootstrap, Enrolled
    from scomod.mo.tree import Tree
    from scomod.secret import Secret
    from scomod.settings import Settings

log = logging.getLogger(__name__)

OWED_KEY: Final = "first-sessions-owed"
FILE_KEY: Final = "bootstrap-file:"
WAITING_KEY: Final = "bootstrap-waiting"  # of `parcels`: what waits for a PIN
IGNORED_SUFFIXES: Final = ("~", ".bak", ".dpkg-new", ".dpkg-old", ".dpkg-dist")


class Enrolment:
    """Takes documents for one device; `want_session` asks for a session with a server.

    `imsi`, which who knows a modem sets, gives that of its subscriber or "".
    """

    def __init__(
        self, db: Database, tree: Tree, settings: Settings, want_session: Callable[[str], None]
    ) -> None:
        self._db = db
        self._tree = tree
        self._settings = settings
        self._want_session = want_session
        self.imsi: Callable[[], str] = lambda: ""

    def document(self, octets: bytes, sec: str, mac: str, pin: Secret) -> list[str]:
        """Take a document from an administrator; returns the ids of its servers.

        `sec` and `mac` are "" for one without a seal.  Raises `WrongPin`, `Refused`.
        """
        from scomod.dmclient import bootstrap  # noqa: PLC0415 - once in the life of a device

        parcel = bootstrap.Parcel(document=octets, sec=sec, mac=mac, is_local=True)
        try:
            made = self._bootstrap().take(parcel, pin)
        except bootstrap.WrongPin as error:
            raise WrongPin(f"the document is not taken: {error}") from error
        except ScomodError as error:
            raise Refused(f"the document is not taken: {error}") from error
        return self.greet(made)

    def folder(self, folder: Path) -> list[str]:
        """Take the files of a folder in the order of their names, each once; returns server ids.

        A file that changed is another file.  One that is no good is logged, and not
        tried again; one that cannot be read is tried at the next start.
        """
        return [server_id for file in _files(folder) for server_id in self._file(file)]

    def resume(self) -> None:
        """Ask for the sessions that are still owed."""
        for server_id in self._owed():
            if dmacc.by_server(self._tree, server_id) is not None:
                self._want_session(server_id)

    def met(self, server_id: str) -> None:
        """Note that a session with a server went well: nothing is owed any longer."""
        owed = self._owed()
        if server_id in owed:
            with self._db.transaction():
                self._keep_owed([each for each in owed if each != server_id])

    def owe(self, made: list[Enrolled]) -> None:
        """Note whose first session is due, in the transaction that makes the accounts.

        What sessions with an earlier account taught is forgotten there too.
        """
        from scomod.dmclient import logins  # noqa: PLC0415 - once in the life of a device

        for each in made:
            logins.forget(self._db, each.server_id)
        is_due = self._settings.bootstrap.first_session == "always"
        due = [each.server_id for each in made if is_due or each.asks_session]
        self._keep_owed(list(dict.fromkeys([*self._owed(), *due])))

    def greet(self, made: list[Enrolled]) -> list[str]:
        """Tell of new accounts, and ask for the sessions that are owed; returns server ids."""
        owed = self._owed()
        for each in made:
            announce(log, Event.ACCOUNT_MADE, "account of server %s is ready", each.server_id)
            if each.server_id in owed:
                self._want_session(each.server_id)
        return [each.server_id for each in made]

    def _file(self, file: Path) -> list[str]:
        try:
            octets = file.read_bytes()
        except OSError as error:
            log.error("bootstrap file %s cannot be read: %s", file.name, error.strerror)
            return []
        import zlib  # noqa: PLC0415 - a library that the waiting daemon does not need

        mark = f"{len(octets)}:{zlib.crc32(octets):08x}"
        kept = self._db.meta(FILE_KEY + file.name)
        if kept is not None and json.loads(kept)["mark"] == mark:
            return []
        servers, problem = self._taken(file.name, octets)
        outcome = {"mark": mark, "servers": servers, "problem": problem}
        with self._db.transaction():
            self._db.set_meta(FILE_KEY + file.name, json.dumps(outcome))
        return servers

    def _taken(self, name: str, octets: bytes) -> tuple[list[str], str]:
        """Take one file; returns its servers, or none and what is wrong with it."""
        from scomod.dmclient.bootstrap import Parcel  # noqa: PLC0415 - as above

        try:
            made = self._bootstrap().take(Parcel(document=octets, is_local=True))
        except StoreError:
            raise
        except ScomodError as error:
            announce(
                log, Event.BOOTSTRAP_REFUSED, "bootstrap file %s is not taken: %s", name, error
            )
            return [], str(error)
        return self.greet(made), ""

    def _bootstrap(self) -> Bootstrap:
        from scomod.dmclient.bootstrap import Bootstrap  # noqa: PLC0415 - as above

        return Bootstrap(self._db, self._tree, self._settings, self.owe, self.imsi)

    def _owed(self) -> list[str]:
        owed: list[str] = json.loads(self._db.meta(OWED_KEY) or "[]")
        return owed

    def _keep_owed(self, owed: list[str]) -> None:
        self._db.set_meta(OWED_KEY, json.dumps(owed))


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder by name; hidden ones and what editors leave are none."""
    try:
        found = sorted(folder.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        log.error("bootstrap folder %s cannot be read: %s", folder, error.strerror)
        return
    for file in found:
        is_left_over = file.name.startswith(".") or file.name.endswith(IGNORED_SUFFIXES)
        if file.is_file() and not is_left_over:
            yield file
