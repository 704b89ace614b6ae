"""What a download descriptor makes of an operation: the object it describes takes its place.

What the server said itself comes before what its descriptor says (scomo §6.1, §6.4).
Not how a descriptor is read (`download.descriptor`), nor the step (`acquiring`).
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from scomod.download import descriptor
from scomod.errors import DownloadError, InstallerError, Reason
from scomod.installers import registry
from scomod.installers.kinds import backend_name
from scomod.operation import StepKind
from scomod.package import DESCRIBED_BYTES, DESCRIBED_TYPES, backend_of
from scomod.stepresult import Done

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scomod.installers.kinds import Kind
    from scomod.operation import Operation
    from scomod.settings import Paths, Settings


def described(operation: Operation, octets: bytes, settings: Settings, paths: Paths) -> Done:
    """Read the descriptor that was fetched; gives the step that goes on with what it describes.

    Raises `BadDescriptor`, and `InstallerError(UNSUPPORTED_ENV)` for another kind of package.
    """
    subject = operation.subject
    found = descriptor.parse(
        octets, base_url=subject.url, max_params_bytes=settings.scomo.max_params_bytes
    )
    if found.size_bytes > settings.download.max_bytes:
        text = f"{found.size_bytes} octets, {settings.download.max_bytes} are allowed"
        raise DownloadError(Reason.TOO_LARGE, text)
    kind = _fitting(operation, found.types, registry.kinds(settings.install, paths))
    return Done(
        data={DESCRIBED_BYTES: found.size_bytes, DESCRIBED_TYPES: found.types},
        then=(StepKind.ACQUIRE,),
        subject=replace(
            subject,
            url=found.object_uri,
            install_params=subject.install_params or found.install_param,
            name=subject.name or found.name,
            description=subject.description or found.description,
            pkg_type=subject.pkg_type or kind,
        ),
    )


def _fitting(operation: Operation, types: Sequence[str], kinds: Sequence[Kind]) -> str:
    """Return the first of the types that is of the kind the server ordered.

    Raises `InstallerError(UNSUPPORTED_ENV)` where none is (DLOTA's 953).
    """
    backend = backend_of(operation, kinds)
    for kind in types:
        with contextlib.suppress(InstallerError):
            if backend_name(operation.subject.environment, kind, kinds) == backend:
                return kind
    raise InstallerError(
        Reason.UNSUPPORTED_ENV, f"the package is {', '.join(types)!r:.200}, not for {backend}"
    )
