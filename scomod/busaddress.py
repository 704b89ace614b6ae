# SPDX-License-Identifier: Apache-2.0
"""Where the daemon is found on D-Bus: which bus, which names; and why it may not be found.

Not a connection: nothing here imports the D-Bus library, so that the command
line can name addresses and errors without loading it (design §11, I15).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.errors import ScomodError

if TYPE_CHECKING:
    from collections.abc import Mapping

BUS_NAME: Final = "org.scomod1"
OBJECT_PATH: Final = "/org/scomod1"
AGENT_PATH: Final = "/org/scomod1/agent"

STATUS_INTERFACE: Final = "org.scomod1.Status"
CONTROL_INTERFACE: Final = "org.scomod1.Control"
TREE_INTERFACE: Final = "org.scomod1.Tree"
TRACE_INTERFACE: Final = "org.scomod1.Trace"
AGENT_INTERFACE: Final = "org.scomod1.Agent"

ERROR_REFUSED: Final = "org.scomod1.Error.Refused"
ERROR_WRONG_PIN: Final = "org.scomod1.Error.WrongPin"
ERROR_UNKNOWN: Final = "org.scomod1.Error.Unknown"
ERROR_FAILED: Final = "org.scomod1.Error.Failed"
ERROR_CANCELLED: Final = "org.scomod1.Error.Cancelled"
ERROR_DEFERRED: Final = "org.scomod1.Error.Deferred"
ERROR_NOT_SHOWN: Final = "org.scomod1.Error.NotShown"
ERROR_UNKNOWN_METHOD: Final = "org.freedesktop.DBus.Error.UnknownMethod"
ERROR_ACCESS_DENIED: Final = "org.freedesktop.DBus.Error.AccessDenied"

SYSTEM_BUS: Final = "unix:path=/run/dbus/system_bus_socket"
_VARIABLES: Final = ("DBUS_SYSTEM_BUS_ADDRESS", "DBUS_STARTER_ADDRESS")
_SESSION_VARIABLE: Final = "DBUS_SESSION_BUS_ADDRESS"


class NotReachable(ScomodError):  # noqa: N818 - a condition
    """The bus, or the daemon on it, is not there; the text says what to set or start."""


class NameTaken(ScomodError):  # noqa: N818
    """The bus does not give us the name `org.scomod1`; the text says what to do."""


class RemoteError(ScomodError):
    """The other side answered with an error; `name` is its D-Bus name."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


def find_address(environ: Mapping[str, str], root: Path) -> str:
    """Return the D-Bus address to use for the device below `root`.

    A device in a folder (`root` is not "/") may live on the bus of a desktop
    session; a real device never does, whatever the environment says.
    """
    names = _VARIABLES if root == Path("/") else (*_VARIABLES, _SESSION_VARIABLE)
    for name in names:
        if address := environ.get(name):
            return address
    return SYSTEM_BUS


def no_bus(address: str, why: object) -> NotReachable:
    """Return the error for a bus that cannot be reached at `address`."""
    return NotReachable(
        f"no message bus at {address} ({why}): "
        f"start dbus-daemon, or set {_VARIABLES[0]} to the address of a running one"
    )


def no_daemon(address: str) -> NotReachable:
    """Return the error for a bus at `address` on which no scomod runs or can be started."""
    return NotReachable(
        f"scomod does not run on the message bus at {address}: "
        "start it with 'systemctl start scomod' or 'scomod --resident'"
    )
