# SPDX-License-Identifier: Apache-2.0
"""What every kind of operation means to a person: the words, and nothing that chooses among them.

How a record is made of them is `question.py`.  Short sentences, each with all that it
says in words: who listens to a screen reader must miss nothing (docs/agents.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.errors import Reason
from scomod.operation import Branch, Primitive
from scomod.wording import worded

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is asked, what comes of a yes, how the end is told; whether it can be taken back.

    `asks` has the parts `server` and `name`, `done` has `name`, `failed` `name` and `why`.
    """

    what: str
    asks: str
    effect: str
    done: str
    failed: str
    is_reversible: bool


_INSTALLED: Final = (
    worded("{name} is installed."),
    worded("{name} could not be installed: {why}."),
    True,
)
_OFF: Final = (
    worded("{name} is installed, switched off."),
    worded("{name} could not be installed: {why}."),
    True,
)

MEANING: Final[Mapping[tuple[Branch, Primitive], Meaning]] = {
    (Branch.DOWNLOAD, Primitive.DOWNLOAD): Meaning(
        worded("download and keep"),
        worded("{server} asks to download and keep {name}."),
        worded("It is fetched, checked and kept; nothing is installed yet."),
        worded("{name} is downloaded."),
        worded("{name} could not be downloaded: {why}."),
        True,
    ),
    (Branch.DOWNLOAD, Primitive.DOWNLOAD_INSTALL): Meaning(
        worded("download and install"),
        worded("{server} asks to download and install {name}."),
        worded("It is fetched, checked and installed, and can be used at once."),
        *_INSTALLED,
    ),
    (Branch.DOWNLOAD, Primitive.DOWNLOAD_INSTALL_INACTIVE): Meaning(
        worded("download and install, switched off"),
        worded("{server} asks to download and install {name}, switched off."),
        worded("It is fetched, checked and installed, but stays off until it is activated."),
        *_OFF,
    ),
    (Branch.DELIVERED, Primitive.INSTALL): Meaning(
        worded("install"),
        worded("{server} asks to install {name}."),
        worded("It is on the device already, is installed now, and can be used at once."),
        *_INSTALLED,
    ),
    (Branch.DELIVERED, Primitive.INSTALL_INACTIVE): Meaning(
        worded("install, switched off"),
        worded("{server} asks to install {name}, switched off."),
        worded(
            "It is on the device already and is installed, but stays off until it is activated."
        ),
        *_OFF,
    ),
    (Branch.DELIVERED, Primitive.REMOVE): Meaning(
        worded("delete the downloaded package of"),
        worded("{server} asks to delete the downloaded package of {name}."),
        worded("The package is deleted; what is installed stays."),
        worded("{name} is deleted."),
        worded("{name} could not be deleted: {why}."),
        False,
    ),
    (Branch.DEPLOYED, Primitive.ACTIVATE): Meaning(
        worded("switch on"),
        worded("{server} asks to switch on {name}."),
        worded("It is on the device already and can be used at once."),
        worded("{name} is switched on."),
        worded("{name} could not be switched on: {why}."),
        True,
    ),
    (Branch.DEPLOYED, Primitive.DEACTIVATE): Meaning(
        worded("switch off (and keep)"),
        worded("{server} asks to switch off {name}, and to keep it."),
        worded("It stays on the device but cannot be used."),
        worded("{name} is switched off."),
        worded("{name} could not be switched off: {why}."),
        True,
    ),
    (Branch.DEPLOYED, Primitive.REMOVE): Meaning(
        worded("remove from this device"),
        worded("{server} asks to remove {name} from this device."),
        worded("It is taken off this device."),
        worded("{name} is removed."),
        worded("{name} could not be removed: {why}."),
        False,
    ),
    (Branch.DEPLOYED, Primitive.START): Meaning(
        worded("start"),
        worded("{server} asks to start {name}."),
        worded("It is started, as if somebody at the device did."),
        worded("{name} is started."),
        worded("{name} could not be started: {why}."),
        True,
    ),
    (Branch.DEPLOYED, Primitive.STOP): Meaning(
        worded("stop"),
        worded("{server} asks to stop {name}."),
        worded("It is stopped, as if somebody at the device did."),
        worded("{name} is stopped."),
        worded("{name} could not be stopped: {why}."),
        True,
    ),
}

# The second question, of a package that is here now, and what the first one says of it.
DISCLOSED: Final[Mapping[str, str]] = {
    "what": worded("go on and install what asks for permissions"),
    "asks": worded("{server} asks to go on and install {name}."),
    "effect": worded(
        "The package is downloaded and checked, and asks for permissions. "
        "With a yes it is installed; else it is deleted, nothing changes."
    ),
}
OFFERED: Final = worded("install from a removable medium")
OFFER_ASKS: Final = worded("A removable medium offers to install {name}, of {server}.")
LIES_THERE: Final = worded(
    "It lies on the medium at {place}, signed; no server has ordered it now."
)
FROM_FILE: Final = worded("install from a file of this device")
HANDED_ASKS: Final = worded("{by} asks to install {name} from a file, for {server}.")
HANDED_IN: Final = worded("The file was handed in by {by}, signed; no server has ordered it now.")
TOLD_SINCE: Final = worded("This was asked before; since then the server has described it.")
TOLD_LATER: Final = worded("Permissions that it asks for are told before it is installed.")

# What it costs.
NOTHING_FETCHED: Final = worded("Nothing is downloaded.")
FETCHED: Final = worded("{size} are downloaded.")
FETCHED_UNKNOWN: Final = worded("How much is downloaded is not known.")
METERED: Final[Mapping[bool | None, str]] = {
    True: worded("The network in use now costs by volume."),
    False: worded("The network in use now does not cost by volume."),
    None: worded("Whether the network in use now costs by volume is not known."),
}
RESTARTS: Final = worded("The device restarts for it.")
NO_RESTART: Final = worded("The device does not restart for it, as far as is known.")
# What can be undone.
UNDONE: Final[Mapping[bool, str]] = {
    True: worded("It can be undone on this device."),
    False: worded("It cannot be undone on this device: getting it back needs the server."),
}

# What a person is told who is to restart the device.
RESTART_WHAT: Final = worded("restart the device to finish")
RESTART_ASKS: Final = worded("Please restart this device to finish {name}.")
RESTART_TEXT: Final = worded(
    "It takes effect after a restart. Nothing restarts by itself: save your work first."
)
# What a person is told when a server reads the inventory.
INVENTORY_NAME: Final = worded("the software on this device")
INVENTORY_TOLD: Final = worded("{server} reads which software is on this device.")
INVENTORY_ASKED: Final = worded(
    "It wants to read which software is on this device. Nothing is changed. Allow it?"
)

# Primitives that stop the services of what they work on, at least for a moment.
STOPPING: Final = frozenset(
    {
        Primitive.DOWNLOAD_INSTALL,
        Primitive.DOWNLOAD_INSTALL_INACTIVE,
        Primitive.INSTALL,
        Primitive.INSTALL_INACTIVE,
        Primitive.DEACTIVATE,
        Primitive.REMOVE,
        Primitive.STOP,
    }
)

# Reasons in a person's words.
WHY: Final[Mapping[Reason, str]] = {
    Reason.UNREACHABLE: worded("the server with the package cannot be reached"),
    Reason.SERVER_ERROR: worded("the server with the package failed"),
    Reason.SERVER_UNAVAILABLE: worded("the server with the package is not available"),
    Reason.UNAUTHORISED: worded("the server with the package did not let us in"),
    Reason.REFUSED_BY_SERVER: worded("the server does not give the package"),
    Reason.NO_SPACE: worded("there is not enough room"),
    Reason.CANCELLED: worded("it was declined or cancelled"),
    Reason.TIMEOUT: worded("it took too long"),
    Reason.TOO_LARGE: worded("the package is too large"),
    Reason.INSECURE_URL: worded("the way to the package is not safe"),
    Reason.DESCRIPTOR: worded("the server describes the package in a way that is not understood"),
    Reason.DESCRIPTOR_VERSION: worded(
        "the server describes the package in a newer way than is known"
    ),
    Reason.NOT_AS_DESCRIBED: worded("the package is not what the server described"),
    Reason.MEDIUM_GONE: worded("the medium with the package is gone or cannot be read"),
    Reason.DIGEST: worded("the package was damaged on its way"),
    Reason.SIGNATURE: worded("nobody trusted has signed the package"),
    Reason.POLICY: worded("the rules of this device forbid it"),
    Reason.MALFORMED: worded("the file is no package"),
    Reason.DEPENDENCY: worded("something else that it needs is missing"),
    Reason.CONFLICT: worded("something else is in its way"),
    Reason.BUSY: worded("another program was installing software"),
    Reason.UNSUPPORTED_ENV: worded("this device has no use for such packages"),
    Reason.NOT_IMPLEMENTED: worded("this device cannot do that with such packages"),
    Reason.SCRIPT_FAILED: worded("a script of the package failed"),
    Reason.NOT_PRESENT: worded("it is not on this device"),
    Reason.UNHEALTHY: worded("the device was not well with it"),
    Reason.CRASH_LOOP: worded("it was tried too often"),
    Reason.INTERNAL: worded("something unforeseen happened; the log of the device says more"),
}
