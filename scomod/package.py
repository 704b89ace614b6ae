"""What an operation's package is, read from its subject: parameters, digest, size, backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.installers.registry import backend_name
from scomod.verify import InstallParams, parse_install_params

if TYPE_CHECKING:
    from scomod.operation import Operation

SIZE_DIGITS: Final = 15


def params_of(operation: Operation) -> InstallParams:
    """Return the parameters the server gave with the package."""
    return parse_install_params(operation.subject.install_params)


def announced_bytes(operation: Operation) -> int | None:
    """Return the size of the payload in octets, if the server announced it."""
    text = params_of(operation).rest.get("size", "")
    return int(text) if text.isdecimal() and len(text) <= SIZE_DIGITS else None


def digest_of(operation: Operation) -> str:
    """Return the SHA-256 (hex) of the payload: delivered before, or just fetched; else ""."""
    return operation.subject.digest or str(operation.data.get("sha256", ""))


def backend_of(operation: Operation) -> str:
    """Return the name of the backend; raises `InstallerError(UNSUPPORTED_ENV)`."""
    return backend_name(operation.subject.environment, operation.subject.pkg_type)
