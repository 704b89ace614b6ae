# SPDX-License-Identifier: Apache-2.0
"""Download descriptors of OMA Download OTA 1.0: octets to values, and what is wrong with them.

Read tolerantly, as generators in the field write them (interop, "Download descriptors in the
wild"): children in any order, unknown ones ignored, a size with thousands marks, an ampersand
that nobody escaped.  Refused is what would be guessing: other text around the root, elements
inside an element, no object, no size.  Facts: omadm §11.1 and §11.3.
Pure: nothing is fetched here, and what a failure means for an operation says `outcome`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from scomod.errors import DownloadError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

MEDIA_TYPE: Final = "application/vnd.oma.dd+xml"
_ROOT: Final = "media"
_MAJOR_VERSION: Final = "1"
_VERSION: Final = re.compile(r"(?P<major>[0-9]{1,4})(\.[0-9]{1,4})?")
_SIZE: Final = re.compile(r"[0-9]{1,3}(,[0-9]{3}){1,5}|[0-9]{1,15}")
_TYPE: Final = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}", re.ASCII)
_BARE_AMPERSAND: Final = re.compile(rb"&(?!(?:[A-Za-z][A-Za-z0-9]{0,30}|#[0-9]+|#x[0-9A-Fa-f]+);)")
_MAX_TYPES_COUNT: Final = 16
_MAX_URIS_COUNT: Final = 8
_MAX_TEXT_CHARACTERS: Final = 1024
_SCHEMES: Final = frozenset({"http", "https"})


class DdStatus(IntEnum):
    """What is told to the address in installNotifyURI (omadm §11.3)."""

    SUCCESS = 900
    INSUFFICIENT_MEMORY = 901
    USER_CANCELLED = 902
    LOSS_OF_SERVICE = 903
    ATTRIBUTE_MISMATCH = 905
    INVALID_DESCRIPTOR = 906
    INVALID_VERSION = 951
    DEVICE_ABORTED = 952
    NON_ACCEPTABLE_CONTENT = 953
    LOADER_ERROR = 954


class BadDescriptor(DownloadError):  # noqa: N818 - a condition, like its siblings
    """A descriptor that cannot be used.

    `notify_uri` is where to say it, "" where the descriptor does not tell.
    """

    notify_uri: str = ""

    def __init__(self, text: str, reason: Reason = Reason.DESCRIPTOR) -> None:
        super().__init__(reason, f"download descriptor: {text}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """One object to download; the addresses are absolute http or https, "" where not given.

    `object_uris` are addresses of the same object, in the order in which they are tried,
    `types` are media types in lower case, `size_bytes` is that of the object.
    """

    object_uris: tuple[str, ...]
    size_bytes: int
    types: tuple[str, ...]
    notify_uri: str = ""
    next_url: str = ""
    name: str = ""
    description: str = ""
    vendor: str = ""
    info_url: str = ""
    icon_uri: str = ""
    install_param: str = ""


def is_descriptor(content_type: str) -> bool:
    """Tell whether a media type (with parameters or without) is that of a descriptor."""
    return content_type.partition(";")[0].strip().lower() == MEDIA_TYPE


def type_by_name(name: str) -> str:
    """Return the media type of a descriptor for a name that ends as theirs, else ""."""
    return MEDIA_TYPE if name.lower().endswith(".dd") else ""


def parse(
    octets: bytes, *, base_url: str, max_params_bytes: int, has_object: bool = False
) -> Descriptor:
    """Read a descriptor that came from `base_url`; of one that `has_object` no address is needed.

    `max_params_bytes` limits installParam.  Raises `BadDescriptor`: DESCRIPTOR where
    it cannot be read or lacks what it must have, DESCRIPTOR_VERSION where its major is not 1.
    """
    values = _values(octets)
    notify_uri = _address(values, "installNotifyURI", base_url)
    try:
        _check_version(_first(values, "DDVersion"))
        params = _first(values, "installParam")
        if len(params.encode()) > max_params_bytes:
            raise _invalid(f"installParam is longer than {max_params_bytes} octets")
        return Descriptor(
            object_uris=() if has_object else _object_uris(values, base_url),
            size_bytes=_size(_first(values, "size")),
            types=_types(values),
            notify_uri=notify_uri,
            next_url=_address(values, "nextURL", base_url),
            name=_words(values, "name"),
            description=_words(values, "description"),
            vendor=_words(values, "vendor"),
            info_url=_address(values, "infoURL", base_url),
            icon_uri=_address(values, "iconURI", base_url),
            install_param=params,
        )
    except BadDescriptor as error:
        error.notify_uri = notify_uri
        raise


# -- values -----------------------------------------------------------------------


def _check_version(text: str) -> None:
    match = _VERSION.fullmatch(text or _MAJOR_VERSION)
    if match is None or match["major"] != _MAJOR_VERSION:
        version = f"version {text!r:.40} is not understood"
        raise BadDescriptor(version, Reason.DESCRIPTOR_VERSION)


def _size(text: str) -> int:
    """Read a size; nothing and nought are none (omadm §11.1)."""
    size_bytes = int(text.replace(",", "")) if _SIZE.fullmatch(text) else 0
    if not size_bytes:
        raise _invalid(f"{text!r:.40} is no size")
    return size_bytes


def _types(values: Mapping[str, list[str]]) -> tuple[str, ...]:
    types = [text.partition(";")[0].strip().lower() for text in values.get("type", ())]
    bad = [text for text in types if not _TYPE.fullmatch(text)]
    if not types or bad or len(types) > _MAX_TYPES_COUNT:
        raise _invalid(f"{(bad or types)!r:.80} are no media types")
    return tuple(types)


def _object_uris(values: Mapping[str, list[str]], base_url: str) -> tuple[str, ...]:
    """Read the addresses of the object: one by DLOTA, more in the field; those of no use go."""
    found = [_resolved(text, base_url) for text in values.get("objectURI", ())]
    usable = tuple(dict.fromkeys(filter(None, found)))
    if not usable:
        raise _invalid("objectURI is missing or is no address of http or https")
    return usable[:_MAX_URIS_COUNT]


def _address(values: Mapping[str, list[str]], name: str, base_url: str) -> str:
    return _resolved(_first(values, name), base_url)


def _resolved(text: str, base_url: str) -> str:
    """Read an address, relative ones from where the descriptor came from; "" for another kind."""
    try:
        found = urljoin(base_url, text) if text else ""
        parts = urlsplit(found)
    except ValueError:
        return ""
    is_fit = parts.scheme in _SCHEMES and parts.hostname and found.isprintable()
    return found if is_fit and " " not in found else ""


def _words(values: Mapping[str, list[str]], name: str) -> str:
    """Read a text for people: one line, of bounded length."""
    return " ".join(_first(values, name).split())[:_MAX_TEXT_CHARACTERS]


def _first(values: Mapping[str, list[str]], name: str) -> str:
    return next(iter(values.get(name, ())), "")


# -- XML --------------------------------------------------------------------------


def _values(octets: bytes) -> dict[str, list[str]]:
    """Return the texts of the root's children by their local names, in their order."""
    root = _root(octets)
    if _local(root) != _ROOT:
        raise _invalid(f"the root is {_local(root)!r:.40}, not {_ROOT!r}")
    values: dict[str, list[str]] = {}
    for child in root:
        if len(child):
            raise _invalid(f"{_local(child)!r:.40} has elements inside")
        values.setdefault(_local(child), []).append((child.text or "").strip())
    return values


def _root(octets: bytes) -> Any:
    from lxml import etree  # noqa: PLC0415 - heavy, and most packages come without descriptor

    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(_BARE_AMPERSAND.sub(b"&amp;", octets), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _invalid(f"not well-formed: {error}") from error
    dtd: Any = root.getroottree().docinfo.internalDTD
    if dtd is not None and any(True for _ in dtd.iterentities()):
        raise _invalid("it declares entities")
    return root


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _invalid(text: str) -> BadDescriptor:
    return BadDescriptor(text)
