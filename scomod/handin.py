# SPDX-License-Identifier: Apache-2.0
"""A package file that somebody at the device hands in: from an open file to an operation, or not.

It belongs to a server, which is told the end (`announcing`).  The signature is always
required, as of all that no server has ordered.  The octets are copied into the spool, as
a fetch would (`download.attempt`), and judged there: what becomes of the file, and who it
belongs to, changes nothing afterwards.  What is refused leaves nothing; what a kill leaves
the next start sweeps away.  Not whose signature counts (`trust`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import stat
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from scomod import sigfile
from scomod.announcing import Announcing
from scomod.download import attempt
from scomod.download.attempt import Answer
from scomod.download.job import FetchRequest
from scomod.download.meter import Meter
from scomod.download.part import Origin
from scomod.errors import CommandError, DownloadError, OperationError, Reason, StoreError
from scomod.facade import Refused
from scomod.installers.base import BUNDLE, Facts
from scomod.installers.kinds import backend_name
from scomod.log import Event, announce
from scomod.mo.handler import ExecRequest
from scomod.net import Access
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from scomod.clock import Clock
    from scomod.download.spool import Spool
    from scomod.facade import Record
    from scomod.installers.kinds import Kind
    from scomod.records import Records
    from scomod.settings import Settings
    from scomod.trust import Proof, Trust

log = logging.getLogger(__name__)

INCOMING: Final = 0  # no operation has this number: what it left is swept at the next start
MAX_NAME: Final = 255  # what file systems take
NODE_DIGITS: Final = 16  # of the digest, in the name of the node
KIND_CHARACTERS: Final = 32


@frozen
class Brought:
    """A file as it came in: its name, kind and proof, and who brings it for which server."""

    name: str
    kind: str
    proof: Proof
    server_id: str
    by: str

    @property
    def url(self) -> str:
        """What stands for its address: it lies nowhere but in the spool."""
        return f"file:///{quote(self.name)}"


@frozen
class Known:
    """What is known of a file in the spool that was judged."""

    digest: str
    size_bytes: int
    facts: Facts


class HandIn:
    """Takes files, one at a time; `inspect` reads an archive as its backend would."""

    def __init__(
        self,
        store: Records,
        settings: Settings,
        clock: Clock,
        *,
        spool: Spool,
        kinds: Sequence[Kind],
        inspect: Callable[[str, Path], Facts],
        trust: Trust,
        observer: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._spool = spool
        self._kinds = kinds
        self._inspect = inspect
        self._trust = trust
        self._observe = observer
        self._announcing = Announcing(
            db=store.db,
            tree=store.tree,
            journal=store.journal,
            scomo=store.scomo,
            settings=settings,
            observer=observer,
        )
        self._one_at_a_time = asyncio.Lock()

    async def take(self, file: int, signature: bytes, what: Record, by: str) -> int:
        """Make an operation of a file for a server, see `Facade.install`; raises `Refused`."""
        name = str(what.get("name", ""))
        try:
            brought = self._brought(name, signature, what, by)
            async with self._one_at_a_time:
                return await self._take(file, brought)
        except (OperationError, CommandError, StoreError, Refused, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            announce(log, Event.PACKAGE_REJECTED, "%s is not taken: %s", name[:MAX_NAME], why)
            raise Refused(f"{name[:MAX_NAME]} is not taken: {why}") from error

    def _brought(self, name: str, signature: bytes, what: Record, by: str) -> Brought:
        """Look at what can be judged without the file; raises `Refused`, `OperationError`."""
        if "/" in name or name in ("", ".", "..") or len(name.encode()) > MAX_NAME:
            raise Refused("that is no name of a file")
        if not name.isprintable():
            raise Refused("its name has characters that cannot be shown")
        if not signature:
            raise Refused(f"it is not signed: {name}{sigfile.SUFFIX} is missing or empty")
        kind = str(what.get("kind", "")) or PurePath(name).suffix.removeprefix(".").lower()
        if not kind:
            raise Refused("its name does not say of which kind it is: name the kind")
        backend_name(kind[:KIND_CHARACTERS], "", self._kinds)
        proof = sigfile.read(signature[: self._settings.verify.max_certificate_bytes + 1])
        return Brought(name=name, kind=kind, proof=proof, server_id=what["server"], by=by)

    async def _take(self, file: int, brought: Brought) -> int:
        given_up = False
        try:
            known = await asyncio.to_thread(self._received, os.dup(file), brought, lambda: given_up)
            self._observe("file judged")
            number = self._order(brought, known)
        finally:
            given_up = True  # for the thread, where the daemon stops meanwhile
            self._spool.discard(INCOMING)
        self._observe("file taken")
        log.info("%s, handed in by %s, is operation %d", brought.name, brought.by, number)
        return number

    def _order(self, brought: Brought, known: Known) -> int:
        """Make the operation and give it the file, or neither."""
        given: list[int] = []

        def give(number: int) -> None:
            given.append(number)
            self._spool.hand_over(INCOMING, number)

        name = f"handed-{known.digest[:NODE_DIGITS]}"
        try:
            return self._announcing.order(
                name, _leaves(brought, known), _request(brought, known), give
            )
        except BaseException:
            for number in given:
                self._spool.discard(number)
            raise

    def _received(self, file: int, brought: Brought, is_cancelled: Callable[[], bool]) -> Known:
        """Copy the file in a thread, and judge the copy; closes the file."""
        request = self._request_for(brought)
        meter = Meter(
            clock=self._clock,
            request=request,
            progress=lambda *_: None,
            is_cancelled=is_cancelled,
        )
        try:
            came = attempt.run(request, _OpenFile(file, brought.url), meter, "")
        finally:
            os.close(file)
        if not came.size_bytes:
            raise Refused("it is empty")
        self._observe("file copied")
        self._trust.check(came.sha256, brought.proof)
        backend = backend_name(brought.kind, "", self._kinds)
        nobody = Facts(id="", version="")  # a package of several says nothing of itself
        facts = nobody if backend == BUNDLE else self._inspect(backend, request.part)
        return Known(digest=came.sha256, size_bytes=came.size_bytes, facts=facts)

    def _request_for(self, brought: Brought) -> FetchRequest:
        limits = self._settings.download
        return FetchRequest(
            url=brought.url,
            part=self._spool.part(INCOMING),
            max_bytes=limits.max_bytes,
            reserve_bytes=limits.reserve_bytes,
            connect_timeout_s=limits.connect_timeout_s,
            idle_timeout_s=limits.idle_timeout_s,
            total_timeout_s=limits.total_timeout_s,
            access=lambda _host: Access(),  # no network has a part in it
        )


def _leaves(brought: Brought, known: Known) -> dict[str, str]:
    name = known.facts.id or PurePath(brought.name).stem
    params = {
        "sha256": known.digest,
        "size": str(known.size_bytes),
        "signature": brought.proof.signature,
        "certificate": brought.proof.certificate,
    }
    return {
        "PkgID": name,
        "PkgURL": brought.url,
        "Name": name,
        "Description": known.facts.description,
        "InstallParams": ";".join(f"{key}={value}" for key, value in params.items() if value),
        "EnvType": brought.kind,
    }


def _request(brought: Brought, known: Known) -> ExecRequest:
    by = user_of(brought.by)
    handed = {"name": brought.name, "by": by, "version": known.facts.version}
    return ExecRequest(server_id=brought.server_id, handed=handed)


def user_of(caller: str) -> str:
    """Return the name of the user in what the bus says of a caller, else all of that."""
    import pwd  # noqa: PLC0415 - for who hands something in

    found = re.search(r" of user (\d+)$", caller)
    try:
        return pwd.getpwuid(int(found[1])).pw_name if found else caller
    except KeyError:
        return caller


class _OpenFile:
    """An open file as the source of a fetch; see `attempt.Source`."""

    errors = (OSError,)

    def __init__(self, file: int, url: str) -> None:
        self._file = file
        self._url = url

    @contextmanager
    def open(self, start: int, origin: Origin | None) -> Iterator[Answer | None]:
        """Begin at the beginning: nothing of another life is gone on with."""
        del start, origin
        try:
            found = os.fstat(self._file)
            if not stat.S_ISREG(found.st_mode):
                raise DownloadError(Reason.MALFORMED, "it is no plain file")
            os.lseek(self._file, 0, os.SEEK_SET)
        except OSError as error:
            raise self.failure(error) from error
        yield Answer(
            origin=Origin(url=self._url),
            start=0,
            total_bytes=found.st_size,
            read_into=lambda room: os.readv(self._file, [room]),
        )

    def failure(self, error: Exception) -> DownloadError:
        """Return the error for a file that cannot be read."""
        text = getattr(error, "strerror", None) or str(error)
        return DownloadError(Reason.INTERNAL, f"it cannot be read: {text}")
