# SPDX-License-Identifier: Apache-2.0
"""Client provisioning documents: what an operator's bootstrap says of DM accounts.

Reads `wap-provisioningdoc`, XML or WBXML, and maps applications of id w7 to
account profiles (omadm §8.3, §9.2).  Not here: whether the document may be
trusted, its size, and the tree.  Network access points and proxies are not mapped:
there is no object for them; an account keeps their names as references.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scomod.dmclient import provwbxml
from scomod.dmclient.auth import decode_nonce
from scomod.errors import DecodeError, RemoteProtocolError
from scomod.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scomod.dmclient.provwbxml import Tag

ROOT: Final = "wap-provisioningdoc"
APPLICATION_DM: Final = "w7"

# who proves itself with it, as DMAcc says it: named from the other side (omadm §8.3)
LEVELS: Final = {"APPSRV": "CLCRED", "CLIENT": "SRVCRED", "HTTP": "HTTP", "OBEX": "OBEX"}
ADDRESS_TYPES: Final = {"": "URI", "URI": "URI", "IPV4": "IPv4", "IPV6": "IPv6"}
CONNECTIONS: Final = ("TO-PROXY", "TO-NAPID")
_DEFAULT_AUTH_TYPE: Final = "DIGEST"
_SCHEMES: Final = ("https://", "http://")
_PORT_TEXT: Final = re.compile(r"[0-9]{1,5}")
_PORTS: Final = range(1, 65536)


class BadProfile(RemoteProtocolError):  # noqa: N818 - a condition, like its siblings
    """A well-formed document that makes no account; says what is missing or wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileCredential:
    """One credential set; `level` is CLCRED (ours), SRVCRED (the server's), HTTP or OBEX.

    `auth_type` is a DMAcc AAuthType such as BASIC, DIGEST, HMAC; `data` the decoded nonce.
    """

    level: str
    auth_type: str
    name: str
    secret: Secret
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileAddress:
    """Where a server is; `type` is a DMAcc AddrType: URI (http or https), IPv4, IPv6."""

    address: str
    type: str = "URI"
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountProfile:
    """One DM account; `addresses` has at least one.

    `connections` are names of access points and proxies, `auth_pref` is the type of
    its first own credentials or empty.
    """

    server_id: str
    name: str
    addresses: tuple[ProfileAddress, ...]
    connections: tuple[str, ...] = ()
    auth_pref: str = ""
    credentials: tuple[ProfileCredential, ...] = ()
    start_session: bool = False


@dataclass(slots=True)
class _Characteristic:
    """One characteristic: the values of its parameters by name, and what is inside."""

    type: str
    parms: dict[str, list[str]] = field(default_factory=dict)
    inner: list[_Characteristic] = field(default_factory=list)

    def all(self, kind: str) -> Iterator[_Characteristic]:
        """Yield the characteristics directly inside that are of this type."""
        return (child for child in self.inner if child.type == kind)

    def exact(self, name: str) -> str:
        """Return a parameter as it stands, the first of several, empty if absent."""
        return next(iter(self.parms.get(name, ())), "")

    def parm(self, name: str) -> str:
        """Return a parameter, stripped, the first of several, empty if absent."""
        return self.exact(name).strip()


def parse(document: bytes) -> tuple[AccountProfile, ...]:
    """Read the DM accounts of a provisioning document, in its order, at least one.

    Raises `DecodeError` if it cannot be read, `LimitExceeded` if it nests too deep,
    `BadProfile` if an account in it is of no use, or there is none.
    """
    is_wbxml = provwbxml.is_wbxml(document)
    root = _tree(provwbxml.events(document) if is_wbxml else _xml_events(document))
    applications = [
        inner for inner in root.all("APPLICATION") if inner.parm("APPID") == APPLICATION_DM
    ]
    if not applications:
        raise BadProfile("no APPLICATION with APPID w7 in the provisioning document")
    return tuple(_profile(application) for application in applications)


def _xml_events(document: bytes) -> Iterator[Tag | None]:
    """Yield the tags of an XML document; see `provwbxml.events`.

    UTF-8 is forced, so that an entity declaration cannot hide in another encoding.
    """
    from lxml import etree  # noqa: PLC0415 - heavy, and bootstrap is rare

    if b"<!ENTITY" in document:
        raise DecodeError("provisioning document: entities are not allowed")
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(document, parser)
    except etree.XMLSyntaxError as error:
        raise DecodeError(f"provisioning document: {error.msg}") from error
    for event, element in etree.iterwalk(root, events=("start", "end")):
        is_start = event == "start"
        yield (str(element.tag), _attributes(element.attrib.items())) if is_start else None


def _attributes(items: Iterable[tuple[object, object]]) -> dict[str, str]:
    """Return the attributes of an element as texts."""
    return {str(name): str(value) for name, value in items}


def _tree(tags: Iterator[Tag | None]) -> _Characteristic:
    """Build the characteristics; the root is returned as one of type `ROOT`."""
    top = _Characteristic("")
    path = [top]
    for tag in tags:
        if tag is None:
            path.pop()
        else:
            path.append(_enter(path[-1], *tag))
        if not path:
            break
    if len(top.inner) != 1 or top.inner[0].type != ROOT or len(path) != 1:
        raise DecodeError(f"no {ROOT}")
    return top.inner[0]


def _enter(parent: _Characteristic, element: str, attributes: dict[str, str]) -> _Characteristic:
    """Take in one element; elements of unknown name hold nothing we look for."""
    kind = attributes.get("type", "") if element == "characteristic" else element
    entered = _Characteristic(kind)
    if element == "parm":
        values = parent.parms.setdefault(attributes.get("name", ""), [])
        values.append(attributes.get("value", ""))
    else:
        parent.inner.append(entered)
    return entered


def _profile(application: _Characteristic) -> AccountProfile:
    """Map one w7 application (omadm §8.3)."""
    server_id = application.parm("PROVIDER-ID")
    if not server_id:
        raise BadProfile("PROVIDER-ID is missing in the w7 APPLICATION")
    where = f"APPLICATION of {server_id}"
    credentials = tuple(_credential(inner, where) for inner in application.all("APPAUTH"))
    own = [credential.auth_type for credential in credentials if credential.level == "CLCRED"]
    return AccountProfile(
        server_id=server_id,
        name=application.parm("NAME") or server_id,
        addresses=_addresses(application, where),
        connections=_connections(application),
        auth_pref=own[0] if own else "",
        credentials=credentials,
        start_session="INIT" in application.parms and application.parm("INIT") != "0",
    )


def _connections(application: _Characteristic) -> tuple[str, ...]:
    """Return the access points and proxies to use, each once, in the order of their kinds."""
    values = (value.strip() for name in CONNECTIONS for value in application.parms.get(name, ()))
    return tuple(dict.fromkeys(value for value in values if value))


def _addresses(application: _Characteristic, where: str) -> tuple[ProfileAddress, ...]:
    """Return all addresses: those in APPADDR, then one directly in the application.

    Addresses of a kind that HTTP cannot use are left out; if no other is there, that is
    refused.
    """
    places = list(application.all("APPADDR"))
    direct = application.parm("ADDR")
    if direct and all(place.parm("ADDR") not in ("", direct) for place in places):
        places.append(application)
    found = [each for place in places if (each := _address(place, direct, where))]
    if not found:
        unusable = sorted({place.parm("ADDRTYPE") for place in places if place.parm("ADDR")})
        problem = f"of type {', '.join(unusable)} only" if unusable else "missing"
        raise BadProfile(f"ADDR is {problem} in the {where}")
    return tuple(dict.fromkeys(found))


def _address(place: _Characteristic, direct: str, where: str) -> ProfileAddress | None:
    """Map one APPADDR, which may hold only the port of the application's own address."""
    address = place.parm("ADDR") or direct
    kind = ADDRESS_TYPES.get(place.parm("ADDRTYPE").upper())
    if not address or kind is None:
        return None
    if kind == ADDRESS_TYPES[""] and not address.lower().startswith(_SCHEMES):
        raise BadProfile(f"ADDR in the {where} is no http or https URL")
    ports = [port.parm("PORTNBR") for port in place.all("PORT") if port.parm("PORTNBR")]
    return ProfileAddress(
        address=address, type=kind, ports=tuple(_port(text, where) for text in ports)
    )


def _port(text: str, where: str) -> int:
    """Return a port number."""
    if not _PORT_TEXT.fullmatch(text) or int(text) not in _PORTS:
        raise BadProfile(f"PORTNBR in the {where} is no number of 1..65535")
    return int(text)


def _credential(appauth: _Characteristic, where: str) -> ProfileCredential:
    """Map one APPAUTH."""
    level = appauth.parm("AAUTHLEVEL")
    if level not in LEVELS:
        problem = f"{level!r} is not known" if level else "is missing"
        raise BadProfile(f"AAUTHLEVEL {problem} in an APPAUTH of the {where}")
    return ProfileCredential(
        level=LEVELS[level],
        auth_type=appauth.parm("AAUTHTYPE").upper() or _DEFAULT_AUTH_TYPE,
        name=appauth.parm("AAUTHNAME"),
        secret=Secret(appauth.exact("AAUTHSECRET")),
        data=decode_nonce(appauth.parm("AAUTHDATA")),
    )
