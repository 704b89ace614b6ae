# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference/dbus.md: methods and signals of `org.scomod1`, from its introspection.

`python -m tests.support.bus_reference` refreshes the page; a test compares it.  What a
method does says the docstring of what serves it (`facade.py`), who may call it
`busrights.py`.  Words for what no docstring is about stand here.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lxml import etree

from scomod.busaddress import OBJECT_PATH
from scomod.busmethods import introspection
from scomod.busrights import RIGHTS
from scomod.facade import Facade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PAGE: Final = Path(__file__).parents[2] / "docs/reference/dbus.md"
SERVED_BY: Final[Mapping[str, Callable[..., object]]] = {
    "Status.GetStatus": Facade.status,
    "Status.GetInventory": Facade.inventory,
    "Status.GetBaseline": Facade.baseline,
    "Status.GetOperations": Facade.operations,
    "Status.GetOperation": Facade.one_operation,
    "Status.GetHistory": Facade.history,
    "Status.GetReasons": Facade.reasons,
    "Status.GetPlan": Facade.plan,
    "Status.GetCheckup": Facade.checkup,
    "Status.GetPrompts": Facade.prompts,
    "Control.RunSession": Facade.run_session,
    "Control.Request": Facade.request,
    "Control.Answer": Facade.answer,
    "Control.Defer": Facade.defer,
    "Control.Cancel": Facade.cancel,
    "Control.Bootstrap": Facade.bootstrap,
    "Control.Push": Facade.push,
    "Control.Install": Facade.install,
    "Tree.Children": Facade.tree_children,
    "Tree.Node": Facade.tree_node,
    "Tree.Read": Facade.tree_octets,
    "Trace.List": Facade.traces,
    "Trace.Read": Facade.trace,
}
# What the bus does by itself, and signals.
WORDS: Final[Mapping[str, str]] = {
    "Control.RegisterAgent": "Makes the caller the agent, at this object path; the newest wins.",
    "Control.RegisterAgentIn": "The same, and says which languages the person reads, as"
    " `$LANGUAGE` has them (`de_AT:de`); empty for that of the device.",
    "Control.UnregisterAgent": "Ends that. Raises `Unknown` for who is not the agent.",
    "Status.SessionEnded": "A session ended, asked for by whomever.",
    "Status.OperationChanged": "An operation was accepted or moved on.",
    "Status.Progress": "Once a second per operation at most: octets while its step is"
    ' "acquire", total 0 while unknown; then how far the change is, in thousandths, where the'
    " tool tells it.",
    "Status.PromptChanged": "A prompt came up or, with the key `verdict`, was closed"
    " (`granted`, `refused`, `deferred`, `unanswered`, `withdrawn`).",
}
SEE: Final[Mapping[str, str]] = {
    "Status.GetReasons": "waking.md#why-nothing-happens",
    "Status.GetPlan": "waking.md#why-nothing-happens",
    "Status.GetCheckup": "troubleshooting.md",
    "Status.GetBaseline": "inventory.md",
    "Control.Defer": "confirmation.md",
    "Control.Push": "waking.md#notifications-and-pushes",
    "Control.Install": "operations.md#a-file-that-is-handed-in",
    "Control.RegisterAgent": "agents.md",
    "Control.RegisterAgentIn": "agents.md#languages",
    "Trace.List": "trace.md",
    "Trace.Read": "trace.md",
}
PREAMBLE: Final = """\
# D-Bus reference

Methods and signals of `/org/scomod1` with their signatures, rights and meaning.
Which keys are in a record (`a{sv}`), what errors mean, how to be the agent: [dbus.md](../dbus.md).
`Unknown`, `Refused` and `WrongPin` are errors below `org.scomod1.Error`.
A right is an action of polkit, `org.scomod1.RIGHT`.
Who needs none: [security.md](../security.md#who-may-call).
Made by `python -m tests.support.bus_reference` from the introspection of the code, not by hand.
"""


def page() -> str:
    """Return the whole page."""
    root = etree.fromstring(introspection(OBJECT_PATH).encode())
    return PREAMBLE + "".join(_interface(each) for each in root.iter("interface"))


def _interface(element: etree._Element) -> str:
    name = element.get("name") or ""
    home = name.rpartition(".")[2]
    methods = [_method(home, each) for each in element.iter("method")]
    lines = [f"\n## {name}\n", "| method | right | |", "|---|---|---|", *methods]
    if signals := [_signal(home, each) for each in element.iter("signal")]:
        lines += ["\n| signal | |", "|---|---|", *signals]
    return "\n".join([*lines, ""])


def _method(home: str, element: etree._Element) -> str:
    name = element.get("name") or ""
    right = "-" if home == "Status" else f"`{RIGHTS[name]}`"
    takes, gives = (", ".join(_arguments(element, way)) for way in ("in", "out"))
    shape = f"{name}({takes})" + (f" → {gives}" if gives else "")
    return f"| `{shape}` | {right} | {words(f'{home}.{name}')} |"


def _signal(home: str, element: etree._Element) -> str:
    name = element.get("name")
    return f"| `{name}({', '.join(_arguments(element, 'out'))})` | {words(f'{home}.{name}')} |"


def _arguments(element: etree._Element, direction: str) -> Iterator[str]:
    for each in element.iter("arg"):
        if each.get("direction") == direction:
            yield f"{each.get('type')} {each.get('name')}"


def words(member: str) -> str:
    """Return what a member is said to do, on one line; raises `KeyError` for one without words."""
    text = WORDS.get(member) or inspect.getdoc(SERVED_BY[member]) or ""
    if member in SEE:
        text += f" See [{SEE[member].partition('#')[0]}](../{SEE[member]})."
    return re.sub(r"\s+", " ", text)


if __name__ == "__main__":
    PAGE.write_text(page())
