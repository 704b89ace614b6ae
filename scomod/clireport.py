# SPDX-License-Identifier: Apache-2.0
"""`scomoctl report`: one file for those who help, and a list of what is in it.

What goes in, piece by piece, is `evidence`; that no secret does, `secret.blanked`, which
every text passes.  Size and time have limits; what cannot be had is said, and why.
"""

from __future__ import annotations

import asyncio
import io
import os
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod import evidence
from scomod.busaddress import find_address
from scomod.clicall import EXIT_OK
from scomod.clifmt import printable, size
from scomod.errors import ScomodError
from scomod.secret import blanked
from scomod.settings import Paths

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from scomod.clicall import Screen
    from scomod.evidence import Piece

FOLDER: Final = "scomod-report"
PIECE_BYTES: Final = 4 << 20
FILE_MODE: Final = 0o600
NEVER: Final = (
    "Not in any report: the database, packages, keys, values of the management tree,",
    "passwords, nonces and PINs, logins and queries of URLs (they read ***).",
    "In it: names and versions of software, of servers and of this machine.",
)


@dataclass(frozen=True, slots=True)
class Collected:
    """What was found of one piece, or why nothing was."""

    piece: Piece
    octets: bytes
    lack: str = ""


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Collect, write the file, and tell what is in it."""
    paths = Paths(arguments.root.absolute())
    file = Path(arguments.file or time.strftime("scomod-report-%Y%m%d-%H%M%S.tar.gz"))
    asked = asyncio.run(evidence.asked(find_address(os.environ, arguments.root)))
    found = [_collected(each, paths, asked) for each in evidence.PIECES]
    _write(file, found)
    kept = [each for each in found if not each.lack]
    document = {
        "file": str(file),
        "contents": [
            {"name": each.piece.name, "bytes": len(each.octets), "what": each.piece.what}
            for each in kept
        ],
        "left_out": [{"name": each.piece.name, "why": each.lack} for each in found if each.lack],
    }
    screen.show(document, [*_index(found), "", f"{file}: look into it before you send it"])
    return EXIT_OK


def _collected(piece: Piece, paths: Paths, asked: evidence.Asked) -> Collected:
    """Collect one piece; whatever goes wrong with it is no reason to have no report."""
    try:
        text = piece.collect(paths, asked)
    except PermissionError as error:
        return Collected(piece, b"", f"may not be read by this user: {error.filename}")
    except OSError as error:
        return Collected(piece, b"", f"{error.filename}: {error.strerror}")
    except (ValueError, ScomodError) as error:
        return Collected(piece, b"", blanked(" ".join(str(error).split())))
    octets = blanked(text).encode("utf-8", "replace")
    if len(octets) > PIECE_BYTES:
        note = b"... only the last part of it, as it is long\n"
        octets = note + octets[-PIECE_BYTES:]
    return Collected(piece, octets)


def _index(found: list[Collected]) -> Iterator[str]:
    """Say what is in a report, and what is not."""
    yield "In this report:"
    for each in found:
        if not each.lack:
            yield f"  {each.piece.name:<20} {size(len(each.octets)):>10}  {each.piece.what}"
    yield ""
    yield "Left out:"
    for each in found:
        if each.lack:
            yield f"  {each.piece.name:<20} {printable(each.lack)}"
    yield ""
    yield from NEVER


def _write(file: Path, found: list[Collected]) -> None:
    """Write the archive, for its owner only."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    index = "".join(f"{line}\n" for line in _index(found)).encode()
    with (
        os.fdopen(os.open(file, flags, FILE_MODE), "wb") as opened,
        tarfile.open(fileobj=opened, mode="w:gz") as archive,
    ):
        for name, octets in [
            ("index.txt", index),
            *((each.piece.name, each.octets) for each in found if not each.lack),
        ]:
            member = tarfile.TarInfo(f"{FOLDER}/{name}")
            member.size, member.mode, member.mtime = len(octets), FILE_MODE, int(time.time())
            archive.addfile(member, io.BytesIO(octets))
