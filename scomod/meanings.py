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
from scomod.wording import say

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
    say("{name} is installed."),
    say("{name} could not be installed: {why}."),
    True,
)
_OFF: Final = (
    say("{name} is installed, switched off."),
    say("{name} could not be installed: {why}."),
    True,
)

MEANING: Final[Mapping[tuple[Branch, Primitive], Meaning]] = {
    (Branch.DOWNLOAD, Primitive.DOWNLOAD): Meaning(
        say("download and keep"),
        say("{server} asks to download and keep {name}."),
        say("It is fetched, checked and kept; nothing is installed yet."),
        say("{name} is downloaded."),
        say("{name} could not be downloaded: {why}."),
        True,
    ),
    (Branch.DOWNLOAD, Primitive.DOWNLOAD_INSTALL): Meaning(
        say("download and install"),
        say("{server} asks to download and install {name}."),
        say("It is fetched, checked and installed, and can be used at once."),
        *_INSTALLED,
    ),
    (Branch.DOWNLOAD, Primitive.DOWNLOAD_INSTALL_INACTIVE): Meaning(
        say("download and install, switched off"),
        say("{server} asks to download and install {name}, switched off."),
        say("It is fetched, checked and installed, but stays off until it is activated."),
        *_OFF,
    ),
    (Branch.DELIVERED, Primitive.INSTALL): Meaning(
        say("install"),
        say("{server} asks to install {name}."),
        say("It is on the device already, is installed now, and can be used at once."),
        *_INSTALLED,
    ),
    (Branch.DELIVERED, Primitive.INSTALL_INACTIVE): Meaning(
        say("install, switched off"),
        say("{server} asks to install {name}, switched off."),
        say("It is on the device already and is installed, but stays off until it is activated."),
        *_OFF,
    ),
    (Branch.DELIVERED, Primitive.REMOVE): Meaning(
        say("delete the downloaded package of"),
        say("{server} asks to delete the downloaded package of {name}."),
        say("The package is deleted; what is installed stays."),
        say("{name} is deleted."),
        say("{name} could not be deleted: {why}."),
        False,
    ),
    (Branch.DEPLOYED, Primitive.ACTIVATE): Meaning(
        say("switch on"),
        say("{server} asks to switch on {name}."),
        say("It is on the device already and can be used at once."),
        say("{name} is switched on."),
        say("{name} could not be switched on: {why}."),
        True,
    ),
    (Branch.DEPLOYED, Primitive.DEACTIVATE): Meaning(
        say("switch off (and keep)"),
        say("{server} asks to switch off {name}, and to keep it."),
        say("It stays on the device but cannot be used."),
        say("{name} is switched off."),
        say("{name} could not be switched off: {why}."),
        True,
    ),
    (Branch.DEPLOYED, Primitive.REMOVE): Meaning(
        say("remove from this device"),
        say("{server} asks to remove {name} from this device."),
        say("It is taken off this device."),
        say("{name} is removed."),
        say("{name} could not be removed: {why}."),
        False,
    ),
    (Branch.DEPLOYED, Primitive.START): Meaning(
        say("start"),
        say("{server} asks to start {name}."),
        say("It is started, as if somebody at the device did."),
        say("{name} is started."),
        say("{name} could not be started: {why}."),
        True,
    ),
    (Branch.DEPLOYED, Primitive.STOP): Meaning(
        say("stop"),
        say("{server} asks to stop {name}."),
        say("It is stopped, as if somebody at the device did."),
        say("{name} is stopped."),
        say("{name} could not be stopped: {why}."),
        True,
    ),
}

# The second question, of a package that is here now, and what the first one says of it.
DISCLOSED: Final[Mapping[str, str]] = {
    "what": say("go on and install what asks for permissions"),
    "asks": say("{server} asks to go on and install {name}."),
    "effect": say(
        "The package is downloaded and checked, and asks for permissions. "
        "With a yes it is installed; else it is deleted, nothing changes."
    ),
}
OFFERED: Final = say("install from a removable medium")
OFFER_ASKS: Final = say("A removable medium offers to install {name}, of {server}.")
LIES_THERE: Final = say("It lies on the medium at {place}, signed; no server has ordered it now.")
FROM_FILE: Final = say("install from a file of this device")
HANDED_ASKS: Final = say("{by} asks to install {name} from a file, for {server}.")
HANDED_IN: Final = say("The file was handed in by {by}, signed; no server has ordered it now.")
TOLD_SINCE: Final = say("This was asked before; since then the server has described it.")
TOLD_LATER: Final = say("Permissions that it asks for are told before it is installed.")

# What it costs.
NOTHING_FETCHED: Final = say("Nothing is downloaded.")
FETCHED: Final = say("{size} are downloaded.")
FETCHED_UNKNOWN: Final = say("How much is downloaded is not known.")
METERED: Final[Mapping[bool | None, str]] = {
    True: say("The network in use now costs by volume."),
    False: say("The network in use now does not cost by volume."),
    None: say("Whether the network in use now costs by volume is not known."),
}
RESTARTS: Final = say("The device restarts for it.")
NO_RESTART: Final = say("The device does not restart for it, as far as is known.")
# What can be undone.
UNDONE: Final[Mapping[bool, str]] = {
    True: say("It can be undone on this device."),
    False: say("It cannot be undone on this device: getting it back needs the server."),
}

# What a person is told who is to restart the device.
RESTART_WHAT: Final = say("restart the device to finish")
RESTART_ASKS: Final = say("Please restart this device to finish {name}.")
RESTART_TEXT: Final = say(
    "It takes effect after a restart. Nothing restarts by itself: save your work first."
)
# What a person is told when a server reads the inventory.
INVENTORY_NAME: Final = say("the software on this device")
INVENTORY_TOLD: Final = say("{server} reads which software is on this device.")
INVENTORY_ASKED: Final = say(
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
    Reason.UNREACHABLE: say("the server with the package cannot be reached"),
    Reason.SERVER_ERROR: say("the server with the package failed"),
    Reason.SERVER_UNAVAILABLE: say("the server with the package is not available"),
    Reason.UNAUTHORISED: say("the server with the package did not let us in"),
    Reason.REFUSED_BY_SERVER: say("the server does not give the package"),
    Reason.NO_SPACE: say("there is not enough room"),
    Reason.CANCELLED: say("it was declined or cancelled"),
    Reason.TIMEOUT: say("it took too long"),
    Reason.TOO_LARGE: say("the package is too large"),
    Reason.INSECURE_URL: say("the way to the package is not safe"),
    Reason.DESCRIPTOR: say("the server describes the package in a way that is not understood"),
    Reason.DESCRIPTOR_VERSION: say("the server describes the package in a newer way than is known"),
    Reason.NOT_AS_DESCRIBED: say("the package is not what the server described"),
    Reason.MEDIUM_GONE: say("the medium with the package is gone or cannot be read"),
    Reason.DIGEST: say("the package was damaged on its way"),
    Reason.SIGNATURE: say("nobody trusted has signed the package"),
    Reason.POLICY: say("the rules of this device forbid it"),
    Reason.MALFORMED: say("the file is no package"),
    Reason.DEPENDENCY: say("something else that it needs is missing"),
    Reason.CONFLICT: say("something else is in its way"),
    Reason.BUSY: say("another program was installing software"),
    Reason.UNSUPPORTED_ENV: say("this device has no use for such packages"),
    Reason.NOT_IMPLEMENTED: say("this device cannot do that with such packages"),
    Reason.SCRIPT_FAILED: say("a script of the package failed"),
    Reason.NOT_PRESENT: say("it is not on this device"),
    Reason.UNHEALTHY: say("the device was not well with it"),
    Reason.CRASH_LOOP: say("it was tried too often"),
    Reason.INTERNAL: say("something unforeseen happened; the log of the device says more"),
}
