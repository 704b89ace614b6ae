# SPDX-License-Identifier: Apache-2.0
"""Media with offers, as whoever hands them out makes them, and a device that takes them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from scomod import sigfile
from scomod.download.mirrors import open_fetcher
from scomod.mo import dmacc
from scomod.mo.dmacc import NewAccount
from scomod.offer import NAME
from scomod.offers import Offers
from scomod.trust import trust_of
from tests.support import signers
from tests.support.handset import Handset

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.download.job import Fetcher

MAKER = "ed25519"
ACCOUNT = NewAccount(
    root="./DMAcc",
    name="srv",
    leaves={
        "AppID": "w7",
        "ServerID": "srv",
        "AppAddr/1/Addr": "https://dm.example.com",
        "AppAddr/1/AddrType": "URI",
    },
)


def offer_text(package: bytes, **changed: str) -> bytes:
    """What an offer of a package says; `changed` are TOML values, "" leaves a key out."""
    lines = {
        "server": '"srv"',
        "package_id": '"editor"',
        "name": '"Editor"',
        "version": '"2.1"',
        "file": '"editor.deb"',
        "size": str(len(package)),
        "sha256": f'"{hashlib.sha256(package).hexdigest()}"',
        **changed,
    }
    return "".join(f"{key} = {value}\n" for key, value in lines.items() if value).encode()


def fill(medium: Path, package: bytes, sign: Callable[[bytes], str] | None, **changed: str) -> Path:
    """Put a package and its offer on a medium; `sign` makes base64 of the digest, None nothing."""
    medium.mkdir(parents=True, exist_ok=True)
    text = offer_text(package, **changed)
    (medium / "editor.deb").write_bytes(package)
    (medium / NAME).write_bytes(text)
    if sign is not None:
        made = sign(hashlib.sha256(text).digest())
        (medium / f"{NAME}{sigfile.SUFFIX}").write_text(made)
    return medium


def by_maker(digest: bytes) -> str:
    """Sign as whom the device trusts."""
    return signers.signed(signers.key_of(MAKER), digest.hex())


def by_stranger(digest: bytes) -> str:
    """Sign as somebody else."""
    return signers.signed(signers.key_of(f"{MAKER} other"), digest.hex())


class PluggedHandset(Handset):
    """A device of the server "srv", that trusts `by_maker` and fetches from its own files."""

    def __init__(self, root: Path, *given: Any, **named: Any) -> None:
        super().__init__(root, *given, **named)
        signers.install(_folder(root), "maker.pem", signers.key_of(MAKER))
        with self.records.db.transaction():
            dmacc.put_account(self.records.tree, ACCOUNT)
        self.offers = Offers(
            db=self.records.db,
            tree=self.records.tree,
            journal=self.records.journal,
            scomo=self.records.scomo,
            settings=self.settings,
            now_s=self.clock.wall_s,
            trust=trust_of(self.settings, self.paths, self.clock),
            observer=self._observer,
        )

    def open_fetcher(self) -> Fetcher:
        """What fetches: the real one."""
        return open_fetcher(clock=self.clock, boot_id="boot", user_agent="test")

    def plug(self, medium: Path) -> None:
        """Have a medium looked at, and let happen what can happen then."""
        self.loop.run_until_complete(self.offers.look(medium))
        self.settle()


def _folder(root: Path) -> Path:
    folder = root / "etc/scomod/trust.d"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
