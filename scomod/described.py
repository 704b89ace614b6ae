# SPDX-License-Identifier: Apache-2.0
"""What a download descriptor makes of an operation: the object it describes takes its place.

What the server said itself comes before what its descriptor says (scomo §6.1, §6.4).
Everything is looked at before the object is asked for: type, size, room.  A person who was
asked is asked again, with what the descriptor says.
Not how a descriptor is read (`download.descriptor`), nor the step (`acquiring`).
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scomod.confirm import CONSENT, PERSON, reopened
from scomod.download import descriptor
from scomod.download.part import require_room
from scomod.errors import DownloadError, InstallerError, OperationError, Reason
from scomod.fetchrequest import UNTOLD
from scomod.installers import registry
from scomod.installers.kinds import backend_name
from scomod.operation import NOTIFY_URL, StepKind
from scomod.package import (
    DESCRIBED_BYTES,
    DESCRIBED_TYPES,
    ICON_URL,
    INFO_URL,
    NEXT_URL,
    VENDOR,
    announced_bytes,
    backend_of,
)
from scomod.stepresult import Done

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scomod.download.descriptor import Descriptor
    from scomod.download.job import FetchResult
    from scomod.installers.kinds import Kind
    from scomod.operation import Operation
    from scomod.settings import Paths, Settings

# Steps of a plan that come again where the person is asked again.
ASKING: Final = (StepKind.CONSENT, StepKind.ADMIT)


def described(
    operation: Operation, came: FetchResult, part: Path, settings: Settings, paths: Paths
) -> Done:
    """Read the descriptor that came; gives what goes on with what it describes.

    It is what lies in `part`, or came before that.  Raises `BadDescriptor`, `DownloadError`
    where there is no room for the object or where what came is another one, and
    `InstallerError(UNSUPPORTED_ENV)` for another kind of package: each with the address
    where it is to be told.
    """
    try:
        found = descriptor.parse(
            came.descriptor or part.read_bytes(),
            base_url=came.url,
            max_params_bytes=settings.scomo.max_params_bytes,
            has_object=bool(came.descriptor),
        )
    except descriptor.BadDescriptor as error:
        error.data = {NOTIFY_URL: error.notify_uri}
        raise
    told: dict[str, object] = {NOTIFY_URL: found.notify_uri}
    try:
        if came.descriptor:
            _check_object(found, came)
        else:
            _check_size(found.size_bytes, settings, part.parent)
        kind = _fitting(operation, found.types, registry.kinds(settings.install, paths))
    except OperationError as error:
        error.data = told
        raise
    again = _asks_again(operation, found)
    asking = [step for step in ASKING if again and step in operation.plan]
    return Done(
        data={**told, **_facts(found), **(reopened() if again else {})},
        then=(*asking,) if came.descriptor else (*asking, StepKind.ACQUIRE),
        subject=replace(
            operation.subject,
            url=" ".join(found.object_uris) or operation.subject.url,
            install_params=operation.subject.install_params or found.install_param,
            name=operation.subject.name or found.name,
            description=operation.subject.description or found.description,
            pkg_type=operation.subject.pkg_type or kind,
        ),
    )


def _facts(found: Descriptor) -> dict[str, object]:
    """Return what is kept with the operation, apart from its subject."""
    said = {
        VENDOR: found.vendor,
        INFO_URL: found.info_url,
        ICON_URL: found.icon_uri,
        NEXT_URL: found.next_url,
    }
    known = {key: value for key, value in said.items() if value}
    return {DESCRIBED_BYTES: found.size_bytes, DESCRIBED_TYPES: found.types, **known}


def _asks_again(operation: Operation, found: Descriptor) -> bool:
    """Tell whether a person said yes without knowing what the descriptor says."""
    given = operation.data.get(CONSENT)
    if not isinstance(given, dict) or given.get("how") != PERSON:
        return False
    subject = operation.subject
    is_named = bool(found.name and not subject.name)
    is_told = bool(found.description and not subject.description)
    is_sized = announced_bytes(operation) != found.size_bytes
    return is_named or is_told or is_sized or bool(found.vendor or found.info_url)


def _check_object(found: Descriptor, came: FetchResult) -> None:
    """Raise `DownloadError` where what came with a descriptor is something else (905)."""
    if came.size_bytes != found.size_bytes:
        text = f"{came.size_bytes} octets came, {found.size_bytes} were described"
        raise DownloadError(Reason.NOT_AS_DESCRIBED, text)
    if came.content_type not in (*found.types, *UNTOLD):
        text = f"{came.content_type:.100} came, {', '.join(found.types)} was described"
        raise DownloadError(Reason.NOT_AS_DESCRIBED, text)


def _check_size(size_bytes: int, settings: Settings, spool: Path) -> None:
    """Raise `DownloadError` for what may not, or cannot, be stored (DLOTA's 901)."""
    limits = settings.download
    if size_bytes > limits.max_bytes:
        text = f"{size_bytes} octets, {limits.max_bytes} are allowed"
        raise DownloadError(Reason.TOO_LARGE, text)
    require_room(spool, size_bytes, limits.reserve_bytes)


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
