# SPDX-License-Identifier: Apache-2.0
"""What a person is told of an operation: before it what it means, after it how it ended.

Records for agents (docs/dbus.md), made of the operation alone; who is asked and when is
`confirm.py` (USA-2, USA-4), what a package asks for `permissions.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scomod.errors import Reason
from scomod.operation import Branch, Operation, Phase, Primitive, StepKind
from scomod.package import (
    DESCRIBED_BYTES,
    ICON_URL,
    INFO_URL,
    VENDOR,
    announced_bytes,
    medium_mark,
    offer_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is asked, what comes of a yes, how the end is told; whether it can be taken back."""

    what: str
    effect: str
    done: str
    failed: str
    is_reversible: bool


_INSTALLED: Final = ("is installed", "could not be installed", True)
_OFF: Final = ("is installed, switched off", "could not be installed", True)

MEANING: Final[Mapping[tuple[Branch, Primitive], Meaning]] = {
    (Branch.DOWNLOAD, Primitive.DOWNLOAD): Meaning(
        "download and keep",
        "It is fetched, checked and kept; nothing is installed yet.",
        "is downloaded",
        "could not be downloaded",
        True,
    ),
    (Branch.DOWNLOAD, Primitive.DOWNLOAD_INSTALL): Meaning(
        "download and install",
        "It is fetched, checked and installed, and can be used at once.",
        *_INSTALLED,
    ),
    (Branch.DOWNLOAD, Primitive.DOWNLOAD_INSTALL_INACTIVE): Meaning(
        "download and install, switched off",
        "It is fetched, checked and installed, but stays off until it is activated.",
        *_OFF,
    ),
    (Branch.DELIVERED, Primitive.INSTALL): Meaning(
        "install",
        "It is on the device already, is installed now, and can be used at once.",
        *_INSTALLED,
    ),
    (Branch.DELIVERED, Primitive.INSTALL_INACTIVE): Meaning(
        "install, switched off",
        "It is on the device already and is installed, but stays off until it is activated.",
        *_OFF,
    ),
    (Branch.DELIVERED, Primitive.REMOVE): Meaning(
        "delete the downloaded package of",
        "The package is deleted; what is installed stays. Getting it back needs the server.",
        "is deleted",
        "could not be deleted",
        False,
    ),
    (Branch.DEPLOYED, Primitive.ACTIVATE): Meaning(
        "switch on",
        "It is on the device already and can be used at once.",
        "is switched on",
        "could not be switched on",
        True,
    ),
    (Branch.DEPLOYED, Primitive.DEACTIVATE): Meaning(
        "switch off (and keep)",
        "It stays on the device but cannot be used.",
        "is switched off",
        "could not be switched off",
        True,
    ),
    (Branch.DEPLOYED, Primitive.REMOVE): Meaning(
        "remove from this device",
        "It is taken off this device; getting it back needs the server.",
        "is removed",
        "could not be removed",
        False,
    ),
    (Branch.DEPLOYED, Primitive.START): Meaning(
        "start",
        "It is started, as if somebody at the device did.",
        "is started",
        "could not be started",
        True,
    ),
    (Branch.DEPLOYED, Primitive.STOP): Meaning(
        "stop",
        "It is stopped, as if somebody at the device did.",
        "is stopped",
        "could not be stopped",
        True,
    ),
}

# The second question, of a package that is here now, and what the first one says of it.
_ASKED_FOR: Final = "The package is downloaded and checked, and asks for permissions."
OFFERED: Final = "install from a removable medium"
LIES_THERE: Final = "It lies on the medium at {}, signed; no server has ordered it now."
DISCLOSED: Final = {
    "what": "go on and install what asks for permissions",
    "effect": f"{_ASKED_FOR} With a yes it is installed; else it is deleted, nothing changes.",
}
TOLD_SINCE: Final = "This was asked before; since then the server has described it."
TOLD_LATER: Final = "Permissions that it asks for are told before it is installed."

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

# Reasons in a person's words; the others are told as they are called.
WHY: Final[Mapping[Reason, str]] = {
    Reason.UNREACHABLE: "the server with the package cannot be reached",
    Reason.SERVER_ERROR: "the server with the package failed",
    Reason.SERVER_UNAVAILABLE: "the server with the package is not available",
    Reason.UNAUTHORISED: "the server with the package did not let us in",
    Reason.REFUSED_BY_SERVER: "the server does not give the package",
    Reason.NO_SPACE: "there is not enough room",
    Reason.CANCELLED: "it was declined or cancelled",
    Reason.TIMEOUT: "it took too long",
    Reason.TOO_LARGE: "the package is too large",
    Reason.DESCRIPTOR: "the server describes the package in a way that is not understood",
    Reason.DESCRIPTOR_VERSION: "the server describes the package in a newer way than is known",
    Reason.NOT_AS_DESCRIBED: "the package is not what the server described",
    Reason.MEDIUM_GONE: "the medium with the package is gone or cannot be read",
    Reason.DIGEST: "the package was damaged on its way",
    Reason.SIGNATURE: "nobody trusted has signed the package",
    Reason.POLICY: "the rules of this device forbid it",
    Reason.MALFORMED: "the file is no package",
    Reason.DEPENDENCY: "something else that it needs is missing",
    Reason.CONFLICT: "something else is in its way",
    Reason.BUSY: "another program was installing software",
    Reason.UNSUPPORTED_ENV: "this device has no use for such packages",
    Reason.NOT_PRESENT: "it is not on this device",
    Reason.CRASH_LOOP: "it was tried too often",
}


def prompt_of(
    operation: Operation,
    *,
    server_name: str,
    units: Sequence[str] = (),
    permissions: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what a person must know to decide: what, how large, who asks, what follows.

    `units` are the services of what is there already, `permissions` what a yes allows that
    is not allowed now; nothing is said of them where there are none, or nobody knows.
    """
    subject, meaning = operation.subject, MEANING[operation.branch, operation.primitive]
    offer = offer_of(operation)
    prompt = {
        "operation": operation.id,
        "primitive": str(operation.primitive),
        "what": OFFERED if offer else meaning.what,
        "effect": _effect(operation, meaning),
        "name": name_of(operation),
        "description": subject.description,
        "version": offer.get("version", subject.version),
        "size": operation.data.get("size", announced_bytes(operation)),
        "server": operation.server_id,
        "server_name": server_name,
        "url": subject.url,
        "units": list(units) if operation.primitive in STOPPING else [],
        "reboot": StepKind.REBOOT in operation.plan,
        "reversible": meaning.is_reversible,
        "permissions": list(permissions) or None,
        "vendor": operation.data.get(VENDOR),
        "info_url": operation.data.get(INFO_URL),
        "icon_url": operation.data.get(ICON_URL),
    }
    return {**prompt, **DISCLOSED} if operation.step is StepKind.DISCLOSE else prompt


def _effect(operation: Operation, meaning: Meaning) -> str:
    is_described = operation.step is StepKind.CONSENT and DESCRIBED_BYTES in operation.data
    since = TOLD_SINCE if is_described else ""
    mark = medium_mark(operation)
    where = LIES_THERE.format(mark.parent) if mark else ""
    later = TOLD_LATER if StepKind.DISCLOSE in operation.plan else ""
    return " ".join(filter(None, (where, since, meaning.effect, later)))


def sentence(operation: Operation) -> str:
    """Say how an operation ended."""
    meaning = MEANING[operation.branch, operation.primitive]
    who = " ".join(filter(None, (name_of(operation), operation.subject.version)))
    if operation.phase is Phase.SUCCEEDED:
        return f"{who} {meaning.done}."
    reason = operation.reason or Reason.INTERNAL
    return f"{who} {meaning.failed}: {WHY.get(reason, str(reason))}."


def name_of(operation: Operation) -> str:
    """Return what a person knows the software by."""
    subject = operation.subject
    return subject.name or subject.pkg_id or subject.component_id or operation.node
