# SPDX-License-Identifier: Apache-2.0
"""A package server on the loopback, with faults: each path behaves as it was told.

    with PackageHost() as host:
        host.put("/hello.deb", octets, Behaviour(stall_after=4096))
        fetch(host.url("/hello.deb"))
        assert host.seen("/hello.deb")[0].range == ""

With `certificates` it speaks TLS.  What it can do wrong is told in `scomod.lab.faults`.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from scomod.lab.faults import Behaviour
from scomod.lab.faultserver import FaultServer

if TYPE_CHECKING:
    from tests.support.certificates import Certificates

__all__ = ["Behaviour", "PackageHost", "closed_port"]


class PackageHost(FaultServer):
    """The package server; see the module's text."""

    def __init__(self, certificates: Certificates | None = None) -> None:
        self._files: dict[str, tuple[bytes, Behaviour]] = {}
        super().__init__(self._files.get, certificates.server_file if certificates else None)

    def put(self, path: str, content: bytes, behaviour: Behaviour | None = None) -> str:
        """Offer `content` at `path` and return its URL."""
        self._files[path] = (content, behaviour or Behaviour())
        return self.url(path)


def closed_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
