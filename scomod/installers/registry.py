"""Which backend serves which environment, and how the parts fit together.

The only module that knows all backends.

The environment is what a server writes into EnvType, the content type what it
writes into PkgType (scomo §2.2): both are matched without regard to case, and an
absent one matches anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers.archive import Archives
from scomod.installers.dpkg import DpkgBackend
from scomod.installers.layout import Layout
from scomod.installers.payload import Payloads
from scomod.installers.stock import Stock
from scomod.installers.work import SignaturePolicy, Workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from scomod.clock import Clock
    from scomod.installers.base import Backend
    from scomod.settings import Install, Paths, Settings

_ENVIRONMENTS: Final[Mapping[str, str]] = {"deb": "dpkg", "dpkg": "dpkg", "debian": "dpkg"}
_CONTENT_TYPES: Final[Mapping[str, str]] = {
    "application/vnd.debian.binary-package": "dpkg",
    "application/x-debian-package": "dpkg",
    "application/x-deb": "dpkg",
}
# What a server writes that does not care or does not know.
_ANY_CONTENT: Final = frozenset({"", "application/octet-stream"})
_DEFAULT: Final = "dpkg"


def backends(settings: Install, root: Path, clock: Clock) -> dict[str, Backend]:
    """Make every backend, by name, for the device below `root`."""
    made: list[Backend] = [DpkgBackend(root=root, settings=settings.dpkg, clock=clock)]
    return {backend.name: backend for backend in made}


def backend_name(environment: str, content_type: str = "") -> str:
    """Choose the backend for what a server said of a package.

    Raises `InstallerError(UNSUPPORTED_ENV)` where one of the two is not known.
    """
    named = environment.strip().lower()
    content = content_type.partition(";")[0].strip().lower()
    by_environment = _ENVIRONMENTS.get(named) if named else ""
    by_content = "" if content in _ANY_CONTENT else _CONTENT_TYPES.get(content)
    if by_environment is None or by_content is None:
        raise InstallerError(
            Reason.UNSUPPORTED_ENV, f"no backend for {environment!r:.80}, {content_type!r:.80}"
        )
    return by_environment or by_content or _DEFAULT


def stock(settings: Settings, paths: Paths, clock: Clock) -> Stock:
    """Make the reader of the inventory."""
    return Stock(
        backends=backends(settings.install, paths.root, clock).values(),
        archives=Archives(paths.install_dir),
        is_managed_only=settings.install.dpkg.inventory == "managed",
    )


def workshop(
    settings: Settings, paths: Paths, clock: Clock, observer: Callable[[str], None]
) -> Workshop:
    """Make what carries out orders, for the helper and for a runner in this process."""
    layout = Layout(paths.install_dir)
    return Workshop(
        layout=layout,
        archives=Archives(paths.install_dir),
        payloads=Payloads(
            paths=paths, work_dir=layout.work_dir, max_bytes=settings.download.max_bytes
        ),
        backends=backends(settings.install, paths.root, clock),
        policy=SignaturePolicy(
            is_required=settings.verify.signature == "required",
            key_dir=paths.below_root(settings.verify.key_dir),
        ),
        observer=observer,
    )
