# SPDX-License-Identifier: Apache-2.0
"""Offers of removable media: what is accepted names a file beside it, and goes into parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod import offer
from scomod.errors import VerifyError
from scomod.facade import Refused
from scomod.verify import parse_install_params

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

DECLARED = (Refused, VerifyError)
WORDS = ("server", "sha256", "size", "expires", "install_params", " = ", '"', "[[", "{", "_", "inf")
PLAIN = (
    b'server = "srv"\npackage_id = "p"\nname = "n"\nversion = "1"\nfile = "p.deb"\nsize = 1\n'
    b'sha256 = "' + b"ab" * 32 + b'"\n'
)


def attempt(data: bytes) -> None:
    found = offer.read(data)
    assert "/" not in found.file
    assert found.size_bytes > 0
    assert parse_install_params(found.params).sha256 == found.sha256.lower()


def seeds() -> Iterator[bytes]:
    yield b""
    yield PLAIN
    yield PLAIN + b'expires = 2030-01-31T00:00:00+02:00\ninstall_params = "signature=AAAA"\n'
    yield PLAIN + b'description = """a\nb"""\nenvironment = \'deb\'\n'


def mutated(data: bytes, source: random.Random) -> bytes:
    """Shuffle, double or drop lines, and nest what is there."""
    lines = data.split(b"\n")
    source.shuffle(lines)
    nested = b"[" * source.randrange(200) if source.random() < 0.2 else b""
    return b"\n".join([*lines[source.randrange(2) :], *lines[: source.randrange(2)], nested])
