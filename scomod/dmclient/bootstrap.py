# SPDX-License-Identifier: Apache-2.0
"""Bootstrap: a document that makes accounts, whoever brings it (omadm §9).

    client provisioning (w7), XML or WBXML     provisioning
    DM message, WBXML                          dmprofile, and ./Inbox for what it carries

The kind is told by the content.  Whether the document may be trusted is decided first
(`seal`), then all of it is done in one transaction, or nothing.  Nobody is answered
(omadm §9.4).  Not here: files, sessions, who may push a document and how a PIN is asked for
(`doorstep`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from scomod.dmclient import codec, dmprofile, provisioning, provwbxml, seal
from scomod.dmclient.seal import Profile
from scomod.errors import LimitExceeded, ScomodError
from scomod.mo import dmacc, placing
from scomod.mo.account import server_id_at
from scomod.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.db import Database
    from scomod.dmclient.seal import Seal
    from scomod.mo.tree import Tree
    from scomod.settings import Settings

    OnEnrolled = Callable[[list["Enrolled"]], None]

log = logging.getLogger(__name__)

NO_PIN: Final = Secret("")


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


class Lack(Enum):
    """What is not known yet that the MAC of a document is checked with."""

    NOTHING = "nothing"
    PIN = "PIN"
    IMSI = "IMSI"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A server that has an account now; `asks_session` tells that the document wants one."""

    server_id: str
    asks_session: bool = False


class Bootstrap:
    """Takes documents for one device; `on_enrolled` hears of accounts in their transaction.

    `imsi` gives that of the modem, "" if it is not known; a configured one goes first.
    """

    def __init__(
        self,
        db: Database,
        tree: Tree,
        settings: Settings,
        on_enrolled: OnEnrolled,
        imsi: Callable[[], str] = lambda: "",
    ) -> None:
        self._db = db
        self._tree = tree
        self._on_enrolled = on_enrolled
        self._modem_imsi = imsi
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

    def lack(self, parcel: Parcel) -> Lack:
        """Return what is missing to check a document; the IMSI comes before the PIN.

        Raises `NotTrusted` without a seal where one is needed, `BadSeal`, `LimitExceeded`.
        """
        found = self._seal(parcel)
        if found is None:
            return Lack.NOTHING
        if found.method.needs_network and not self._imsi():
            return Lack.IMSI
        return Lack.PIN if found.method.needs_pin else Lack.NOTHING

    def check(self, parcel: Parcel, pin: Secret) -> None:
        """Raise `WrongPin` or `NotTrusted` unless the document may be taken (omadm §9.3).

        Raises `BadSeal` where SEC and MAC say nothing, `LimitExceeded` above
        `max_document_bytes`.
        """
        found = self._seal(parcel)
        if found is not None:
            self._check_seal(parcel.document, found, pin)

    def _seal(self, parcel: Parcel) -> Seal | None:
        """Return the seal of a document, None for one that needs none."""
        if len(parcel.document) > self._policy.max_document_bytes:
            raise LimitExceeded("bootstrap.max_document_bytes", len(parcel.document))
        found = seal.read(parcel.sec, parcel.mac)
        if found is None and not parcel.is_local and self._policy.unsigned != "accept":
            raise NotTrusted('there is no MAC, and [bootstrap] unsigned is "refuse"')
        return found

    def _check_seal(self, document: bytes, found: Seal, pin: Secret) -> None:
        imsi = self._imsi()
        if found.method.needs_network and not imsi:
            raise NotTrusted(f"SEC={found.method} needs the IMSI: set [bootstrap] imsi")
        if not seal.is_genuine(document, found, _kind(document), imsi, pin):
            if found.method.needs_pin:
                raise WrongPin("the MAC does not fit this PIN")
            raise NotTrusted("the MAC is wrong")

    def _imsi(self) -> str:
        return self._policy.imsi or self._modem_imsi()

    def servers(self, document: bytes) -> list[str]:
        """Return whose accounts a document makes, each once; nothing is written.

        Raises what `apply` raises of the document itself.
        """
        if _kind(document) is Profile.CP:
            found = [profile.server_id for profile in provisioning.parse(document)]
        else:
            message = dmprofile.read(document, self._limits)
            found = [new.server_id for new in message.accounts]
            found += [each for nodes in message.documents for each in placing.servers_of(nodes)]
        if not found:
            raise provisioning.BadProfile("no DM account in the document")
        return list(dict.fromkeys(found))

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
