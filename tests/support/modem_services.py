# SPDX-License-Identifier: Apache-2.0
"""ofonod and ModemManager of Debian on a private bus, each with a modem of ours.

    with Ofonod(bus_address, directory) as service:
        service.modem.deliver(pdu)
        service.restart()

Entered, the modem is on and in its network.  What they keep stays in a file system of
their own where root starts them; other users have no rights to leave anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import time
from typing import TYPE_CHECKING, Any, Self

from scomod.busaddress import RemoteError
from scomod.buswire import Message, Variant, open_bus, unpack
from tests.support.at_modem import AtModem
from tests.support.authority import Authority

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEADLINE_S = 150.0
APART = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs "$0" && exec "$@"']
MM, MM_PATH = "org.freedesktop.ModemManager1", "/org/freedesktop/ModemManager1"


class _Service:
    """One of them; `command` is in PATH or /usr/sbin."""

    name: str
    keeps_in: str
    modem: AtModem

    def __init__(self, address: str, directory: Path) -> None:
        self._address = address
        self._directory = directory
        self._stack = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._furnish()
        self._stack.enter_context(self.modem)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._stack.close()

    def start(self) -> None:
        self._process = self._spawn()
        self.switch_on()

    def stop(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        self.stop()
        self.start()

    def _furnish(self) -> None:
        raise NotImplementedError

    def switch_on(self) -> None:
        """Have the modem on and in its network."""
        raise NotImplementedError

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _spawn(self) -> subprocess.Popen[bytes]:
        apart = [*APART, self.keeps_in] if os.geteuid() == 0 else []
        environment = {
            **os.environ,
            "PATH": f"/usr/sbin:{os.environ['PATH']}",
            "DBUS_SYSTEM_BUS_ADDRESS": self._address,
            "OFONO_PHONESIM_CONFIG": str(self._directory / "phonesim.conf"),
        }
        with (self._directory / f"{self.name}.log").open("ab") as log:
            return subprocess.Popen(
                [*apart, *self._command()], env=environment, stdout=log, stderr=log
            )

    def call(self, path: str, method: str, takes: str = "", *body: Any) -> Any:
        """Call a method (INTERFACE.MEMBER); returns its first value."""
        interface, _, member = method.rpartition(".")

        async def call() -> Any:
            bus = await open_bus(self._address)
            try:
                message = Message(
                    destination=self.name,
                    path=path,
                    interface=interface,
                    member=member,
                    signature=takes,
                    body=list(body),
                )
                return unpack(await bus.invoke(message))
            finally:
                await bus.close()

        return next(iter(asyncio.run(call())), None)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait for a condition; while the service refuses to answer it is not met."""
        end_s = time.monotonic() + DEADLINE_S
        while True:
            with contextlib.suppress(RemoteError):
                if value := condition():
                    return value
            assert time.monotonic() < end_s, (self._directory / f"{self.name}.log").read_text()
            time.sleep(0.05)

    def until_done(self, path: str, method: str, takes: str, *body: Any) -> None:
        """Call a method until it is not refused any more."""

        def is_done() -> bool:
            self.call(path, method, takes, *body)
            return True

        self.until(is_done)


class Ofonod(_Service):
    """oFono with one modem; messages are handed over at once."""

    name = "org.ofono"
    keeps_in = "/var/lib/ofono"

    def _furnish(self) -> None:
        self.modem = AtModem.on_tcp()
        where = f"Address=127.0.0.1\nPort={self.modem.port}\n"
        (self._directory / "phonesim.conf").write_text(f"[phonesim]\n{where}")

    def _command(self) -> list[str]:
        return ["ofonod", "--nodetach", "--noplugin=udevng,udev"]

    def switch_on(self) -> None:
        for what in ("Powered", "Online"):
            self.set(what, is_on=True)

    def set(self, what: str, *, is_on: bool) -> None:
        """Switch the modem or its radio."""
        method = "org.ofono.Modem.SetProperty"
        self.until_done("/phonesim", method, "sv", what, Variant("b", is_on))


class ModemManager(_Service):
    """ModemManager with one modem, and the authority it asks."""

    name = MM
    keeps_in = "/var/lib"

    def _furnish(self) -> None:
        self._port = f"abstract:scomod-{os.getpid()}-{id(self)}"
        self.modem = AtModem.on_abstract_name(self._port)
        self.authority = self._stack.enter_context(Authority(self._address))

    def _command(self) -> list[str]:
        alone = ["--test-no-udev", "--test-no-suspend-resume", "--test-no-qrtr", "--no-auto-scan"]
        return ["ModemManager", "--test-enable", *alone]

    def switch_on(self) -> None:
        self.until_done(MM_PATH, f"{MM}.Test.SetProfile", "ssas", "test", "generic", [self._port])
        path = self.until(lambda: next(iter(self._objects()), None))
        self.until_done(path, f"{MM}.Modem.Enable", "b", True)

    def _objects(self) -> Any:
        return self.call(MM_PATH, "org.freedesktop.DBus.ObjectManager.GetManagedObjects")
