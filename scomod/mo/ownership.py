# SPDX-License-Identifier: Apache-2.0
"""Whose packages and components are: texts of ACLs, and what follows from the settings (ADC-3).

What a server brings is its own; what nobody brought is the factory's, whose owner the
configuration names.  The texts are given once, where a node is made; afterwards the
owner may change them (?prop=ACL), and the tree alone judges by them (I11).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.mo.acl import EVERYONE, Acl, Right

if TYPE_CHECKING:
    from scomod.settings import Settings

FACTORY: Final = ""  # the owner of what nobody brought
READ_BY_ALL: Final = "Get=*"
WRITTEN_BY_ALL: Final = "Get=*&Replace=*"
OPERATED_BY_ALL: Final = "Exec=*&Get=*"  # without Replace: nobody may make it their own


def owner_acl(server_id: str) -> str:
    """Return the ACL of what a server brings: nobody else sees it, the owner may share it."""
    return str(Acl.granting(server_id, *Right))


def moved_acl(package_acl: str, server_id: str) -> str:
    """Return the ACL of what comes out of a package: the package's, and who ordered it.

    scomo §7.2: the explicit ACL moves along; the server that commands can go on.
    """
    return str(Acl.parse(package_acl).joined(Acl.parse(owner_acl(server_id))))


def component_acl(settings: Settings, owner: str) -> str:
    """Return the ACL of a component of a server, or of the factory.

    Software of the factory that belongs to no server is seen by all and operated by
    none, as pre-installed components are (scomo §7.2).
    """
    owner = owner or settings.scomo.factory_owner
    if owner == EVERYONE:
        return OPERATED_BY_ALL
    return owner_acl(owner) if owner else READ_BY_ALL


def shared_acls(settings: Settings) -> tuple[str, str]:
    """Return the ACLs of a predefined download node and of its leaves: it is the factory's.

    Where all servers use it, nobody may Replace the node itself, that is its ACL.
    """
    owner = settings.scomo.factory_owner
    if owner == EVERYONE:
        return OPERATED_BY_ALL, WRITTEN_BY_ALL
    return component_acl(settings, FACTORY), ""


def touches(settings: Settings, server_id: str) -> tuple[str, ...]:
    """Return the owners whose components an order of a server may change, `FACTORY` among them."""
    servers = (server_id, *settings.server(server_id).manages)
    may_factory = settings.scomo.factory_owner in (EVERYONE, *servers)
    return (*servers, FACTORY) if may_factory else servers
