# SPDX-License-Identifier: Apache-2.0
"""The forms of the console: for every order, what may be said and how it is asked for.

What an order cannot do without stands in `scomo.PARAMETERS`; here are the words for people.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from scomod.dmclient.notification import UiMode
from scomod.dmclient.seal import Method
from scomod.lab.devices import AUTHS
from scomod.lab.packageserver import Fault
from scomod.lab.push import PORT, PROFILES
from scomod.lab.scomo import ALERTS, ORDERS, PARAMETERS, STANDARD_READ, VERBS

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input: `kind` is text, area (several lines), uri, choice or file (of a package).

    A choice with `is_open` takes other words too.
    """

    name: str
    label: str
    kind: str = "text"
    choices: tuple[str, ...] = ()
    is_open: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One order: what it does, in words, and its fields."""

    says: str
    fields: tuple[Field, ...]


FILE: Final = Field(
    name="file", label="Package", kind="file", hint="fills the fields below that are empty"
)
OLDER: Final = Field(
    name="delta_from", label="Delta from", kind="file", hint="serve the difference to it too"
)
NODE: Final = Field(name="node", label="Node name", hint="one segment, chosen by the server")
PKG_ID: Final = Field(name="pkg_id", label="PkgID")
PKG_URL: Final = Field(name="url", label="PkgURL")
NAME: Final = Field(name="name", label="Name")
PARAMS: Final = Field(
    name="params", label="InstallParams", hint="sha256=…;ed25519=…;size=… where the device checks"
)
DESCRIPTION: Final = Field(name="description", label="Description")
ENV_TYPE: Final = Field(name="env_type", label="EnvType")
PKG_TYPE: Final = Field(name="pkg_type", label="PkgType")
CONFIRM: Final = Field(
    name="confirm", label="Ask the person first", hint="a text (alert 1101) that must be agreed to"
)
URI: Final = Field(name="uri", label="Node", kind="uri")
FETCHING: Final = ("DownloadInstall", "DownloadInstallInactive", "Download")
INSTALLING: Final = ("Install", "InstallInactive")
LIVING: Final = ("Activate", "Deactivate", "Remove")


def _primitive(choices: tuple[str, ...]) -> Field:
    return Field(name="primitive", label="Operation", kind="choice", choices=choices, is_open=True)


FORMS: Final[Mapping[str, Form]] = {
    "install": Form(
        says="Announce a package and have the device fetch and install it",
        fields=(
            FILE, OLDER, NODE, PKG_ID, PKG_URL, NAME, PARAMS, DESCRIPTION, ENV_TYPE, PKG_TYPE,
            _primitive(FETCHING), Field(name="reboot", label="Reboot leaf"), CONFIRM,
        ),
    ),
    "deliver": Form(
        says="Write a package into the tree itself, then install it",
        fields=(
            FILE, NODE, PKG_ID, NAME, PARAMS, DESCRIPTION, Field(name="type", label="Media type"),
            ENV_TYPE, PKG_TYPE, _primitive(INSTALLING), CONFIRM,
        ),
    ),
    "refill": Form(
        says="Use a download node that is there for ever",
        fields=(FILE, OLDER, NODE, PKG_URL, PARAMS, _primitive(FETCHING), CONFIRM),
    ),
    "component": Form(
        says="Find a deployed component by its ID and operate it",
        fields=(Field(name="id", label="Component ID"), _primitive(LIVING), CONFIRM),
    ),
    "read": Form(
        says="Read everything below some nodes",
        fields=(
            Field(name="uris", label="Nodes", hint=f"nothing: {' '.join(STANDARD_READ)}"),
        ),
    ),
    "exec": Form(says="Exec any node", fields=(URI, CONFIRM)),
    "put": Form(
        says="Create or change a text leaf",
        fields=(URI, Field(name="value", label="Value", kind="area")),
    ),
    "delete": Form(says="Delete a node with all below it", fields=(URI,)),
    "command": Form(
        says="Send one command as it stands",
        fields=(
            Field(name="verb", label="Command", kind="choice", choices=tuple(VERBS)),
            Field(name="uri", label="Node", kind="uri", hint="with ?list=Struct and the like, too"),
            Field(name="value", label="Value", kind="area"),
            Field(name="format", label="Format", hint="chr, int, bool, node, b64 …"),
            Field(name="type", label="Media type"),
        ),
    ),
    "ask": Form(
        says="Have something shown to the person at the device",
        fields=(
            Field(name="alert", label="Alert", kind="choice", choices=tuple(ALERTS)),
            Field(name="text", label="Text", kind="area"),
            Field(name="options", label="Options", hint="MINDT=10&MAXDT=60 …"),
            Field(name="choices", label="Choices", kind="area", hint="one on a line"),
        ),
    ),
}  # fmt: skip


def described() -> dict[str, Any]:
    """Return what a page needs to know to draw the forms."""
    return {
        "orders": {
            kind: {**asdict(FORMS[kind]), "required": PARAMETERS[kind]}
            for kind in sorted(ORDERS, key=list(FORMS).index)
        },
        "faults": ["none", *Fault],
        "auths": AUTHS,
        "seals": [method.lower() for method in Method],
        "profiles": list(PROFILES),
        "ui_modes": {mode.value: mode.name.lower().replace("_", " ") for mode in UiMode},
        "push_port": PORT,
    }
