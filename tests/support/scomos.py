# SPDX-License-Identifier: Apache-2.0
"""The SCOMO object on a real tree and database, as servers meet it; one transaction around all."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from scomod.mo.handler import ExecRequest
from scomod.mo.inventory import InventoryItem
from scomod.records import Records
from scomod.settings import Paths, Scomo, Server, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.operation import Operation

X = "./SCOMO/Download/x"
D = "./SCOMO/Inventory/Delivered/d"
DEPLOYED = "./SCOMO/Inventory/Deployed"
Y = f"{DEPLOYED}/editor"
GO = f"{X}/Operations/DownloadInstall"


def component(name: str = "editor", version: str = "1", **more: object) -> InventoryItem:
    facts = {"id": name, "version": version, "environment": "deb", "is_active": True, **more}
    return InventoryItem(**facts)  # type: ignore[arg-type]


class ScomoObject:
    """What servers do to the object; the server is "srv" where none is named."""

    def __init__(self, records: Records, paths: Paths) -> None:
        self.records = records
        self.paths = paths
        self.tree = records.tree

    def add(self, uri: str, value: bytes = b"", server: str = "srv", **meta: str) -> None:
        self.tree.add(uri, server, format=meta.get("format"), type=meta.get("type"), value=value)

    def replace(self, uri: str, value: bytes = b"", server: str = "srv") -> None:
        self.tree.replace(uri, server, format=None, type=None, value=value)

    def read(self, uri: str, server: str = "srv") -> str:
        return self.tree.get(uri, server).value.decode()

    def names(self, uri: str, server: str = "srv") -> list[str]:
        return [name for name in self.read(uri, server).split("/") if name]

    def announce(self, uri: str = X, server: str = "srv", **leaves: str) -> None:
        """Make a download node; a leaf without a value is left out."""
        for leaf, value in ({"PkgID": "p", "PkgURL": "https://h/p"} | leaves).items():
            if value:
                self.add(f"{uri}/{leaf}", value.encode(), server)

    def bring(self, data: bytes = b"package", uri: str = D, server: str = "srv") -> None:
        """Deliver a package inside the session."""
        self.add(f"{uri}/PkgID", b"d-1", server)
        self.add(f"{uri}/Data", data, server, format="bin")

    def start(self, uri: str, server: str = "srv", correlator: str | None = "c") -> bool:
        return self.tree.execute(uri, ExecRequest(server_id=server, correlator=correlator))

    def deploy(self, *items: InventoryItem) -> None:
        self.records.inventory.reconcile(items, {})

    @property
    def live(self) -> list[Operation]:
        return self.records.journal.live()


@contextlib.contextmanager
def scomo_object(
    directory: Path, scomo: Scomo | None = None, **servers: Server
) -> Iterator[ScomoObject]:
    """Open a device's object, inside a transaction."""
    settings = Settings(scomo=scomo or Scomo(), servers=servers)
    records = Records(settings, Paths(directory))
    try:
        with records.db.transaction():
            yield ScomoObject(records, Paths(directory))
    finally:
        records.db.close()
