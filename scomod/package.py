# SPDX-License-Identifier: Apache-2.0
"""What an operation's package is, read from its subject: parameters, digest, size, kind, place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod import sigfile
from scomod.errors import InstallerError
from scomod.installers.base import BUNDLE
from scomod.installers.kinds import backend_name
from scomod.operation import HANDED, OFFER, Branch
from scomod.verify import InstallParams, parse_install_params

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scomod.download.spool import Spool
    from scomod.installers.kinds import Kind
    from scomod.operation import Operation
    from scomod.settings import Paths
    from scomod.trust import Proof

SIZE_DIGITS: Final = 15
# Keys of Operation.data: what a download descriptor said of the package.
DESCRIBED_BYTES: Final = "described_bytes"
DESCRIBED_TYPES: Final = "described_types"
# What became of a delta; in InstallParams the key that offers one.
DELTA: Final = "delta"
VENDOR: Final = "vendor"
INFO_URL: Final = "info_url"
ICON_URL: Final = "icon_url"
NEXT_URL: Final = "next_url"


def params_of(operation: Operation) -> InstallParams:
    """Return the parameters the server gave with the package."""
    return parse_install_params(operation.subject.install_params)


def proof_of(operation: Operation, payload: Path) -> Proof:
    """Return what proves the package: what came with the order, else the `.sig` beside it.

    Raises `VerifyError` where that is no signature.
    """
    params = params_of(operation)
    if params.signature:
        return params.proof
    try:
        return sigfile.read(sigfile.path_of(payload).read_bytes())
    except FileNotFoundError:
        return params.proof


def offer_of(operation: Operation) -> Mapping[str, object]:
    """Return what is kept of the offer of a medium, {} where there is none."""
    offer = operation.data.get(OFFER)
    return offer if isinstance(offer, dict) else {}


def handed_of(operation: Operation) -> Mapping[str, object]:
    """Return what is kept of a file that was handed in at the device, {} where none was."""
    handed = operation.data.get(HANDED)
    return handed if isinstance(handed, dict) else {}


def medium_mark(operation: Operation) -> Path | None:
    """Return the offer's file on the medium that brings the package, None without one."""
    offer = offer_of(operation)
    return Path(str(offer["path"])) if offer else None


def addresses(operation: Operation) -> tuple[str, ...]:
    """Return where the package lies, the first choice first; never empty, may hold "".

    PkgURL has one address, or several with white space between; `mirrors=` in InstallParams
    has more, with commas between.
    """
    more = params_of(operation).rest.get("mirrors", "").split(",")
    found = (*operation.subject.url.split(), *map(str.strip, more))
    return tuple(dict.fromkeys(filter(None, found))) or ("",)


def described_types(operation: Operation) -> tuple[str, ...]:
    """Return the media types that a download descriptor gave the package, () without one."""
    types = operation.data.get(DESCRIBED_TYPES)
    return tuple(map(str, types)) if isinstance(types, list | tuple) else ()


def announced_bytes(operation: Operation) -> int | None:
    """Return the size of the payload in octets, if the server announced it."""
    text = params_of(operation).rest.get("size", "")
    if text.isdecimal() and len(text) <= SIZE_DIGITS:
        return int(text)
    described = operation.data.get(DESCRIBED_BYTES)
    return described if isinstance(described, int) else None


def digest_of(operation: Operation) -> str:
    """Return the SHA-256 (hex) of the payload: delivered before, or just fetched; else ""."""
    return operation.subject.digest or str(operation.data.get("sha256", ""))


def backend_of(operation: Operation, kinds: Sequence[Kind]) -> str:
    """Return the name of the backend; raises `InstallerError(UNSUPPORTED_ENV)`."""
    return backend_name(operation.subject.environment, operation.subject.pkg_type, kinds)


def may_disclose(operation: Operation, kinds: Sequence[Kind]) -> bool:
    """Tell whether the package may say what it may do; of a bundle its content decides."""
    try:
        backend = backend_of(operation, kinds)
    except InstallerError:
        return False
    return backend == BUNDLE or has_sandbox(backend, kinds)


def has_sandbox(backend: str, kinds: Sequence[Kind]) -> bool:
    """Tell whether the archives of a backend may say what they may do."""
    return any(kind.has_sandbox for kind in kinds if kind.name == backend)


def payload_of(operation: Operation, paths: Paths, spool: Spool) -> Path:
    """Return where the package lies: fetched, fetched before, or come in a DM session."""
    if operation.branch is not Branch.DELIVERED:
        return spool.part(operation.id)
    fetched = paths.delivered_dir / digest_of(operation)
    return fetched if fetched.exists() else paths.values_dir / digest_of(operation)
