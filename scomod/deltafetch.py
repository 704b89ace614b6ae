# SPDX-License-Identifier: Apache-2.0
"""Puts a delta in the place of a package: what the server offers, what this device holds.

The offers are read by `download.delta`, the fetching is `download.deltafetcher`, the tool is
run by `installers.patcher`; here they are told of one another.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from scomod.download import delta
from scomod.download.deltafetcher import DeltaFetcher
from scomod.installers import patcher
from scomod.installers.archive import Archives
from scomod.package import DELTA, params_of
from scomod.tries import Tries

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.download.job import Fetcher, FetchRequest
    from scomod.operation import Operation
    from scomod.settings import Download, Paths


def around(
    fetcher: Fetcher,
    request: FetchRequest,
    operation: Operation,
    *,
    limits: Download,
    paths: Paths,
    tell: Callable[[str], None],
) -> Fetcher:
    """Return what fetches the package of an operation by a delta, if one is offered and wanted.

    `tell` hears what became of it.  A delta that once failed is not tried again.
    """
    offered = delta.offers(params_of(operation).rest)
    if limits.delta == "never" or not offered or operation.data.get(DELTA):
        return fetcher
    return DeltaFetcher(
        fetcher=fetcher,
        whole=request,
        choice=_choice(request, offered, limits, paths),
        patch=partial(
            patcher.patch,
            max_memory_bytes=limits.delta_max_memory_bytes,
            timeout_s=limits.delta_timeout_s,
        ),
        may_fall_back=limits.delta_fallback == "whole",
        keeps_trying=_keeps_trying(operation, limits),
        tell=tell,
    )


def held(paths: Paths, digest: str) -> Path | None:
    """Return the file with a digest (SHA-256, hex) if this device holds it and we may read it."""
    archives = Archives(paths.install_dir)
    kept = (
        archives.path(entry.digest, entry.environment)
        for entry in archives.entries()
        if entry.digest == digest
    )
    places = (paths.delivered_dir / digest, paths.values_dir / digest, *kept)
    return next((path for path in places if os.access(path, os.R_OK)), None)


def _choice(
    request: FetchRequest, offered: tuple[delta.Offer, ...], limits: Download, paths: Paths
) -> delta.Chosen | str:
    if not request.sha256:
        return "the server gave no SHA-256 of the package"
    try:
        return delta.chosen(
            offered,
            lambda digest: held(paths, digest),
            whole_bytes=request.size_bytes,
            max_memory_bytes=limits.delta_max_memory_bytes,
        )
    except OSError as error:  # the other side tidies up meanwhile
        return f"what the delta starts from cannot be read: {error.strerror}"


def _keeps_trying(operation: Operation, limits: Download) -> bool:
    """Tell whether a delta may fail once more; the other half of the tries is for the whole."""
    return Tries.of(operation.data).vain_count + 1 < limits.attempts_count // 2
