# SPDX-License-Identifier: Apache-2.0
"""What a server does with a device, in plain calls: publish, order, hold a session, hear reports.

`Rig` is the first server of its device; `SecondServer` another one, with a bench,
an authority and a signing key of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from typing import TYPE_CHECKING, Any, Protocol, Self

from scomod.busaddress import NotReachable, RemoteError
from scomod.clock import SystemClock
from scomod.lab import packages, profile
from scomod.lab.bench import Bench
from scomod.lab.packages import Payload, Recipe

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.lab.devices import Account, Order

DEADLINE_S = 150.0  # machines differ by more than a factor of ten


class ServerSide(Protocol):
    """One server of the device: its bench and its account there."""

    bench: Bench
    account: Account

    def in_bench(self, work: Any) -> Any:
        """Run a coroutine in the bench's thread."""

    def ask(self, method: str, *arguments: str) -> Any:
        """Ask the daemon over D-Bus."""

    def until(self, condition: Any, what: str = "", seconds: float = DEADLINE_S) -> Any:
        """Wait for a condition."""

    def payload(self, recipe: Recipe) -> Payload:
        return packages.build(recipe, self.bench.packages.directory, self.bench.pki)

    def no_package(self) -> Payload:
        """A signed file that is no package at all."""
        path = self.bench.packages.directory / "no-package_1.0_all.deb"
        path.write_bytes(b"this is no archive\n" * 100)
        return self.signed(path, "no-package")

    def signed(self, path: Path, name: str, version: str = "1.0") -> Payload:
        """What the bench announces a file with."""
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return Payload(
            path=path,
            name=name,
            version=version,
            size_bytes=path.stat().st_size,
            sha256=digest,
            signature=self.bench.pki.sign(bytes.fromhex(digest)),
        )

    def order_install(self, payload: Payload, url: str = "", **params: str) -> Order:
        wanted = payload.order_params(url or self.bench.package_url(payload.path))
        return self.order("install", **{**wanted, **params})

    def order(self, kind: str, **params: str) -> Order:
        async def enqueue() -> Order:
            return self.bench.register.enqueue(self.account, kind, params)

        order: Order = self.in_bench(enqueue())
        return order

    def session(self) -> Any:
        """Run a session to its end; a daemon that dies meanwhile shows as outcome "lost"."""
        try:
            return self.ask("run_session", self.account.server_id)
        except (NotReachable, RemoteError) as error:
            return {"outcome": "lost", "detail": str(error)}

    def alerts(self) -> list[dict[str, Any]]:
        return [r for r in self.account.records if r["what"] == "alert" and r.get("type")]

    def reports(self, order: Order) -> list[dict[str, Any]]:
        """What the device reported of an order, without when and in which session."""
        return [
            {key: value for key, value in alert.items() if key not in ("at_s", "session")}
            for alert in self.alerts()
            if alert["correlator"] == order.correlator
        ]

    def result_of(self, order: Order, seconds: float = DEADLINE_S) -> int:
        """Wait for the report of an order and return its result."""
        self.until(lambda: order.result is not None, f"the report of {order.kind}", seconds)
        assert order.result is not None
        return order.result


class OfDevice(ServerSide, Protocol):
    """The first server, which knows where the device is."""

    root: Path
    directory: Path

    def scomoctl(self, *arguments: str, code: int | None = 0) -> Any:
        """Run scomoctl."""


class SecondServer(ServerSide):
    """Another server of the device of a rig; entered before the daemon starts, or it restarts.

    The device trusts its authority and its signing key like those of the first.
    """

    def __init__(self, rig: OfDevice, server_id: str) -> None:
        self._rig = rig
        self.server_id = server_id

    def __enter__(self) -> Self:
        self.bench = self.in_bench(self._open())
        self.account = self.bench.register.add("device-1", server_id=self.server_id)
        folder = self._rig.root / "etc/scomod"
        with (folder / "ca.pem").open("ab") as trusted:
            trusted.write(self.bench.pki.ca_file.read_bytes())
        key = self.bench.pki.signing_public_file.read_bytes()
        (folder / f"keys/{self.server_id}.pem").write_bytes(key)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the rig has closed its loop already
            self.in_bench(self.bench.__aexit__(None, None, None))

    async def _open(self) -> Bench:
        place = self._rig.directory / self.server_id
        bench = Bench(place, clock=SystemClock(), random=secrets.token_bytes)
        return await bench.__aenter__()

    def bootstrap(self) -> None:
        document = self._rig.directory / f"{self.server_id}.xml"
        document.write_text(profile.profile_of(self.account, self.bench.dm_url))
        self._rig.scomoctl("bootstrap", str(document))

    def in_bench(self, work: Any) -> Any:
        return self._rig.in_bench(work)

    def ask(self, method: str, *arguments: str) -> Any:
        return self._rig.ask(method, *arguments)

    def until(self, condition: Any, what: str = "", seconds: float = DEADLINE_S) -> Any:
        return self._rig.until(condition, what, seconds)
