# SPDX-License-Identifier: Apache-2.0
"""What a server says of deltas in InstallParams, and which one is worth fetching; pure.

    delta=URL; delta_base=SHA256; delta_size=OCTETS; delta_sha256=SHA256

and the same with `delta2`, `delta3` … for devices that hold something else.  Not what a delta
is made of, nor how it is applied.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

NAMES: Final = ("delta", *(f"delta{number}" for number in range(2, 10)))
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_SIZE: Final = re.compile(r"[1-9]\d{0,14}", re.ASCII)
# What the tool needs besides the two files: itself, its libraries, its buffers (measured: 25 MiB).
TOOL_BYTES: Final = 32 << 20


@frozen
class Offer:
    """A file of `size_bytes` at `url` that makes the package out of the file `base`.

    Both digests are SHA-256 in hex, in small letters.
    """

    url: str
    sha256: str
    size_bytes: int
    base: str


@frozen
class Chosen:
    """An offer and the file on this device that it starts from."""

    offer: Offer
    base: Path


def offers(pairs: Mapping[str, str]) -> tuple[Offer, ...]:
    """Read the offers of a server; what lacks one of the four keys, or spoils it, is none."""
    found = (_offer(name, pairs) for name in NAMES)
    return tuple(offer for offer in found if offer is not None)


def chosen(
    offered: Iterable[Offer],
    find: Callable[[str], Path | None],
    *,
    whole_bytes: int | None,
    max_memory_bytes: int,
) -> Chosen | str:
    """Return the smallest delta that fits this device, or why there is none.

    `find` gives the file of a digest.  `whole_bytes` is the size of the package, None where
    nobody told it.
    """
    why = "nothing is offered"
    for offer in sorted(offered, key=lambda each: each.size_bytes):
        base = find(offer.base)
        base_bytes = base.stat().st_size if base else 0
        if base is None:
            why = "this device holds none of the files that the deltas start from"
        elif whole_bytes is not None and offer.size_bytes >= whole_bytes:
            return "the delta is not smaller than the package"
        elif base_bytes + (whole_bytes or base_bytes) + TOOL_BYTES > max_memory_bytes:
            why = f"the delta needs more memory than {max_memory_bytes} octets"
        else:
            return Chosen(offer=offer, base=base)
    return why


def _offer(name: str, pairs: Mapping[str, str]) -> Offer | None:
    url, base, size, sha256 = (
        pairs.get(key, "") for key in (name, f"{name}_base", f"{name}_size", f"{name}_sha256")
    )
    is_sound = _DIGEST.fullmatch(base) and _DIGEST.fullmatch(sha256) and _SIZE.fullmatch(size)
    if not url or not is_sound:
        return None
    return Offer(url=url, sha256=sha256.lower(), size_bytes=int(size), base=base.lower())
