# SPDX-License-Identifier: Apache-2.0
"""Bundles of several archives, well made or not."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

from tests.support.debs import sha256

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def pack(
    target: Path,
    archives: Sequence[Path],
    *,
    environments: Sequence[str] = (),
    environment: str = "deb",
    scope: str = "whole",
    **changes: Any,
) -> Path:
    """Write archives as a bundle to `target`; `changes` go over the keys of the manifest.

    `environments` are those of the archives, one each, where they are not all `environment`.
    """
    kinds = environments or [environment] * len(archives)
    rows = [
        {"file": each.name, "environment": kind, "sha256": sha256(each)}
        for each, kind in zip(archives, kinds, strict=True)
    ]
    manifest = {"bundle": 1, "scope": scope, "components": rows} | changes
    members = [("manifest.json", json.dumps(manifest).encode())]
    return pack_members(target, [*members, *((each.name, each.read_bytes()) for each in archives)])


def pack_members(
    target: Path, members: Sequence[tuple[str, bytes]], tar_format: int = tarfile.USTAR_FORMAT
) -> Path:
    """Write named contents as a tar, whatever they are."""
    with tarfile.open(target, "w", format=tar_format) as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return target
