# SPDX-License-Identifier: Apache-2.0
"""What is asked of a package server: from an operation and the configuration to a request.

Decides nothing and fetches nothing; the step is `acquiring`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod import net
from scomod.download.job import FetchRequest
from scomod.knowntime import believed
from scomod.package import (
    addresses,
    announced_bytes,
    described_types,
    handed_of,
    medium_mark,
    params_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from scomod.knowntime import UnsetClock
    from scomod.operation import Operation
    from scomod.settings import Paths, Settings

# What servers say of a file whose type they do not know.
UNTOLD: Final = ("application/octet-stream", "")


def request_for(
    operation: Operation,
    settings: Settings,
    paths: Paths,
    part: Path,
    unset: Callable[[], UnsetClock | None] = believed,
) -> FetchRequest:
    """Return the request for the package of an operation, to be fetched into `part`.

    `unset` tells what is wrong with the clock of the device.
    """
    limits, transport = settings.download, settings.transport
    types = described_types(operation)
    params = params_of(operation)
    first, *mirrors = addresses(operation)
    mark = medium_mark(operation)
    is_near = mark is not None or bool(handed_of(operation))
    return FetchRequest(
        url=first,
        mirrors=tuple(mirrors),
        part=part,
        sha256=params.sha256,
        sha512=params.sha512,
        size_bytes=announced_bytes(operation),
        types=(*types, *UNTOLD) if types else (),
        max_bytes=limits.max_bytes,
        max_descriptor_bytes=0 if types or is_near else limits.max_descriptor_bytes,
        reserve_bytes=limits.reserve_bytes,
        connect_timeout_s=limits.connect_timeout_s,
        idle_timeout_s=limits.idle_timeout_s,
        total_timeout_s=limits.total_timeout_s,
        max_rate_bytes=limits.max_rate_bytes,
        min_rate_bytes=limits.min_rate_bytes,
        stall_s=limits.stall_s,
        allow_http=transport.allow_http,
        schemes=("file",) if is_near else limits.schemes,
        file_dirs=_file_dirs(mark, limits.file_dirs, paths, is_near=is_near),
        medium=mark,
        access=net.package_access(settings, paths.below_root, unset),
    )


def _file_dirs(
    mark: Path | None, allowed: Sequence[str], paths: Paths, *, is_near: bool
) -> tuple[Path, ...]:
    """Return where files may lie; what was handed in is here already, and lies nowhere else."""
    if mark is not None:
        return (mark.parent,)
    return () if is_near else tuple(map(paths.below_root, allowed))
