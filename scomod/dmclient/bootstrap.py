"""Bootstrap: a document that makes accounts, whoever brings it (omadm §9).

    client provisioning (w7), XML or WBXML     provisioning
    DM message, WBXML                          dmprofile, and ./Inbox for what it carries

The kind is told by the content.  Whether the document may be trusted is decided first
(`seal`), then all of it is done in one transaction, or nothing.  Nobody is answered
(omadm §9.4).  Not here: files, sessions, and how a PIN is asked for.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scomod.dmclient import codec, dmprofile, provisioning, provwbxml, push, seal
from scomod.dmclient.seal import Profile
from scomod.errors import LimitExceeded, ScomodError
from scomod.mo import dmacc, placing
from scomod.mo.account import server_id_at
from scomod.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from scomod.db import Database
    from scomod.dmclient.push import Push
    from scomod.dmclient.seal import Method, Seal
    from scomod.mo.tree import Tree
    from scomod.settings import Settings

    AskPin = Callable[["PinRequest"], Awaitable[Secret | None]]
    OnEnrolled = Callable[[list["Enrolled"]], None]

log = logging.getLogger(__name__)

NO_PIN: Final = Secret("")
CONTENT_TYPES: Final = (
    push.CONTENT_TYPE_CP_XML,
    push.CONTENT_TYPE_CP_WBXML,
    push.CONTENT_TYPE_DM_WBXML,
)


class NotTrusted(ScomodError):  # noqa: N818 - a condition
    """The document is not taken for who sent it, or for who cannot be told to have."""


class WrongPin(NotTrusted):
    """The MAC does not fit the PIN; another PIN may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A document and what came with it; `is_local` tells that an administrator gave it.

    `sec` and `mac` are the parameters as text, "" if absent.
    """

    document: bytes = field(repr=False)  # there are secrets in it (I19)
    sec: str = ""
    mac: str = ""
    is_local: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PinRequest:
    """What a person must be told to enter the PIN; the tries are counted down to 1."""

    method: Method
    tries_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A server that has an account now; `asks_session` tells that the document wants one."""

    server_id: str
    asks_session: bool = False


class Bootstrap:
    """Takes documents for one device; `on_enrolled` hears of accounts in their transaction."""

    def __init__(
        self, db: Database, tree: Tree, settings: Settings, on_enrolled: OnEnrolled
    ) -> None:
        self._db = db
        self._tree = tree
        self._on_enrolled = on_enrolled
        self._policy = settings.bootstrap
        subtree = settings.subtree
        self._limits = dmprofile.Limits(
            message=codec.Limits(
                max_bytes=self._policy.max_document_bytes,
                max_depth=settings.session.max_depth_count,
                max_elements=settings.session.max_commands_count * 20,
            ),
            tnds_bytes=subtree.max_document_bytes,
            tnds_nodes_count=subtree.max_nodes_count,
            tnds_depth_count=subtree.max_depth_count,
            uri=tree.limits,
        )

    def take(self, parcel: Parcel, pin: Secret = NO_PIN) -> list[Enrolled]:
        """Take a document with a PIN that is known already, or needs none.

        Raises `WrongPin`, `NotTrusted`, what `apply` raises.
        """
        self.check(parcel, pin)
        return self.apply(parcel.document)

    async def from_push(self, parcel: Push, ask_pin: AskPin) -> list[Enrolled]:
        """Take the body of a WAP push; a PIN is asked for up to `pin_tries_count` times.

        `ask_pin` returns None where the person gives up or there is nobody.  Raises
        `NotTrusted`, what `apply` raises.
        """
        if parcel.content_type not in CONTENT_TYPES:
            raise NotTrusted(f"a push of {parcel.content_type} is no bootstrap document")
        sealed = Parcel(document=parcel.body, sec=parcel.sec, mac=parcel.mac)
        found = seal.read(parcel.sec, parcel.mac)
        if found is None or not found.method.needs_pin:
            return self.take(sealed)
        for tries_left in range(self._policy.pin_tries_count, 0, -1):
            pin = await ask_pin(PinRequest(method=found.method, tries_left=tries_left))
            if pin is None:
                raise NotTrusted("nobody entered the PIN")
            try:
                self.check(sealed, pin)
            except WrongPin:
                log.warning("bootstrap: wrong PIN, %d more tries", tries_left - 1)
            else:
                return self.apply(sealed.document)
        raise NotTrusted("the PIN was wrong too often")

    def check(self, parcel: Parcel, pin: Secret) -> None:
        """Raise `WrongPin` or `NotTrusted` unless the document may be taken (omadm §9.3).

        Raises `BadSeal` where SEC and MAC say nothing, `LimitExceeded` above
        `max_document_bytes`.
        """
        if len(parcel.document) > self._policy.max_document_bytes:
            raise LimitExceeded("bootstrap.max_document_bytes", len(parcel.document))
        found = seal.read(parcel.sec, parcel.mac)
        if found is not None:
            self._check_seal(parcel.document, found, pin)
        elif not parcel.is_local and self._policy.unsigned != "accept":
            raise NotTrusted('there is no MAC, and [bootstrap] unsigned is "refuse"')

    def _check_seal(self, document: bytes, found: Seal, pin: Secret) -> None:
        if found.method.needs_network and not self._policy.imsi:
            raise NotTrusted(f"SEC={found.method} needs the IMSI: set [bootstrap] imsi")
        profile = _kind(document)
        if not seal.is_genuine(document, found, profile, self._policy.imsi, pin):
            if found.method.needs_pin:
                raise WrongPin("the MAC does not fit this PIN")
            raise NotTrusted("the MAC is wrong")

    def apply(self, document: bytes) -> list[Enrolled]:
        """Do what a document says that is trusted; all of it or nothing.

        Accounts that their servers have already are replaced.  Raises `DecodeError`,
        `LimitExceeded`, `BadProfile`, a `CommandError`.
        """
        apply = self._apply_cp if _kind(document) is Profile.CP else self._apply_dm
        with self._db.transaction():
            made = apply(document)
            self._on_enrolled(made)
        return made

    def _apply_cp(self, document: bytes) -> list[Enrolled]:
        profiles = provisioning.parse(document)
        for profile in profiles:
            dmacc.add_account(self._tree, profile)
        return [
            Enrolled(server_id=profile.server_id, asks_session=profile.start_session)
            for profile in profiles
        ]

    def _apply_dm(self, document: bytes) -> list[Enrolled]:
        found = dmprofile.read(document, self._limits)
        servers = [dmacc.put_account(self._tree, new).server_id for new in found.accounts]
        for nodes in found.documents:
            paths = placing.place(self._tree, nodes)
            servers += [each for path in paths if (each := server_id_at(self._tree, path))]
        for path in found.passed_over:
            log.info("bootstrap: no place for %s, passed over", path)
        if not servers:
            raise provisioning.BadProfile("no DM account in the message")
        return [Enrolled(server_id=server_id) for server_id in dict.fromkeys(servers)]


def _kind(document: bytes) -> Profile:
    """Tell what a document is: a DM message is WBXML, and not of client provisioning."""
    is_message = provwbxml.is_wbxml(document) and not provwbxml.is_provisioning(document)
    return Profile.DM if is_message else Profile.CP
