# SPDX-License-Identifier: Apache-2.0
"""What a server wants of a device: orders, each a small generator of DM commands.

An order yields a batch of commands and is sent what came back for each, in the
same order; so it can react (read an interior node, then its children).  The words
it uses are in `commands.py`.  Sequences as servers in the field send them: scomo §3.5.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient.model import (
    Add,
    Alert,
    Delete,
    Exec,
    Get,
    Item,
    ItemCommand,
    Meta,
    Replace,
)
from scomod.lab.commands import (
    ROOT,
    OrderError,
    Plan,
    Steps,
    demand,
    execute,
    get,
    replace,
    walk,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.lab.devices import Order

STANDARD_READ: Final = ("./DevInfo", "./DevDetail", f"{ROOT}/Inventory")
DEB_TYPE: Final = "application/vnd.debian.binary-package"
EXTENSIONS: Final = ("Start", "Stop")  # of scomod's own, below Operations/Ext
# what an order may say of a package, and the leaf that it becomes
DESCRIPTION: Final[Mapping[str, str]] = {
    "name": "Name",
    "params": "InstallParams",
    "description": "Description",
    "env_type": "EnvType",
    "pkg_type": "PkgType",
}
VERBS: Final[Mapping[str, type[ItemCommand]]] = {
    verb.__name__: verb for verb in (Get, Add, Replace, Delete, Exec)
}
DETAIL_CHARACTERS: Final = 200
ALERTS: Final[Mapping[str, AlertCode]] = {
    "display": AlertCode.DISPLAY,
    "confirm": AlertCode.CONFIRM_OR_REJECT,
    "input": AlertCode.TEXT_INPUT,
    "choice": AlertCode.SINGLE_CHOICE,
    "choices": AlertCode.MULTIPLE_CHOICE,
}


def _read(order: Order) -> Plan:
    """`uris` separated by blanks, or what a server usually wants to know."""
    roots = order.params.get("uris", "").split() or STANDARD_READ
    found = yield from walk(*roots)
    return f"{len(found)} nodes read"


def _fill_and_exec(order: Order) -> Plan:
    """Announce a package and start an operation on it (indirect delivery, scomo §6.4)."""
    node = f"{ROOT}/Download/{order.params['node']}"
    leaves = {"PkgID": order.params["pkg_id"], "PkgURL": order.params["url"]}
    leaves |= {"Reboot": order.params.get("reboot", "")}
    yield from write(node, **leaves, **_description(order))
    primitive = order.params.get("primitive", "DownloadInstall")
    return (yield from _start(f"{node}/Operations/{primitive}", order))


def _refill_and_exec(order: Order) -> Plan:
    """Use a download node that is there for ever: nothing is added (scomo §3.5, fixed DP node)."""
    node = f"{ROOT}/Download/{order.params['node']}"
    values = {"PkgURL": order.params["url"], "InstallParams": order.params.get("params", "")}
    demand((yield [replace(f"{node}/{leaf}", value) for leaf, value in values.items() if value]))
    primitive = order.params.get("primitive", "DownloadInstall")
    return (yield from _start(f"{node}/Operations/{primitive}", order))


def _deliver(order: Order) -> Plan:
    """Write a package into the tree itself (direct delivery, scomo §6.3), then start on it."""
    node = f"{ROOT}/Inventory/Delivered/{order.params['node']}"
    data = base64.b64decode(order.params["data"])
    yield from write(node, PkgID=order.params["pkg_id"], **_description(order))
    meta = Meta(format="bin", type=order.params.get("type", DEB_TYPE))
    demand((yield [Add(items=(Item(target=f"{node}/Data", meta=meta, data=data),))]))
    primitive = order.params.get("primitive", "Install")
    return (yield from _start(f"{node}/Operations/{primitive}", order))


def _component(order: Order) -> Plan:
    """Find a deployed component by its ID and start an operation on it."""
    wanted, primitive = order.params["id"], order.params["primitive"]
    leaf = f"Ext/{primitive}" if primitive in EXTENSIONS else primitive
    base = f"{ROOT}/Inventory/Deployed"
    listing = demand((yield [get(base)]))
    names = listing[0].values[base].children if base in listing[0].values else []
    outcomes = yield [get(f"{base}/{name}/ID") for name in names]
    for name, outcome in zip(names, outcomes, strict=True):
        if any(value.text == wanted for value in outcome.values.values()):
            return (yield from _start(f"{base}/{name}/Operations/{leaf}", order))
    raise OrderError(f"no component {wanted!r} is deployed; there are {len(names)} others")


def _exec(order: Order) -> Plan:
    """Exec any node."""
    return (yield from _start(order.params["uri"], order))


def _put(order: Order) -> Plan:
    """Create or change one text leaf."""
    uri = order.params["uri"]
    parent, _, leaf = uri.rpartition("/")
    yield from write(parent, **{leaf: order.params.get("value", "")})
    return f"{uri} written"


def _command(order: Order) -> Plan:
    """Send one command as it stands; whatever the device answers, the order is done."""
    verb, form = VERBS[order.params["verb"]], order.params.get("format") or "chr"
    item = Item(target=order.params["uri"])
    if verb in (Add, Replace):
        kind = order.params.get("type") or (None if form == "node" else "text/plain")
        data = None if form == "node" else order.params.get("value", "").encode()
        item = Item(target=item.target, meta=Meta(format=form, type=kind), data=data)
    (outcome,) = yield [verb(items=(item,))]
    values = " ".join(value.text for value in outcome.values.values())
    return f"answered with {outcome.code} {values[:DETAIL_CHARACTERS]}".rstrip()


def _delete(order: Order) -> Plan:
    """Delete a node with all below it."""
    uri = order.params["uri"]
    demand((yield [Delete(items=(Item(target=uri),))]))
    return f"{uri} deleted"


def _ask(order: Order) -> Plan:
    """Have a user alert shown (omadm §1.4); `choices` stand on lines of their own."""
    texts = [order.params.get("options", ""), order.params["text"]]
    texts += order.params.get("choices", "").splitlines()
    (outcome,) = yield [_alert(ALERTS[order.params["alert"]], *texts)]
    answers = [value.text for value in outcome.values.values()]
    return f"answered with {outcome.code} {' '.join(answers)}".rstrip()


ORDERS: Final[Mapping[str, Callable[[Order], Plan]]] = {
    "read": _read,
    "install": _fill_and_exec,
    "refill": _refill_and_exec,
    "deliver": _deliver,
    "component": _component,
    "exec": _exec,
    "put": _put,
    "delete": _delete,
    "command": _command,
    "ask": _ask,
}
# what each order cannot do without; checked before it enters the queue
PARAMETERS: Final[Mapping[str, tuple[str, ...]]] = {
    "read": (),
    "install": ("node", "pkg_id", "url"),
    "refill": ("node", "url"),
    "deliver": ("node", "pkg_id", "data"),
    "component": ("id", "primitive"),
    "exec": ("uri",),
    "put": ("uri",),
    "delete": ("uri",),
    "command": ("verb", "uri"),
    "ask": ("alert", "text"),
}


def check(kind: str, params: Mapping[str, str]) -> None:
    """Raise `OrderError` for an order that nobody could carry out."""
    if kind not in ORDERS:
        raise OrderError(f"no order {kind!r}; there are: {', '.join(ORDERS)}")
    for name in PARAMETERS[kind]:
        if not params.get(name):
            raise OrderError(f"order {kind} needs {name}")
    if kind == "command" and params["verb"] not in VERBS:
        raise OrderError(f"verb is one of {', '.join(VERBS)}")
    if kind == "ask" and params["alert"] not in ALERTS:
        raise OrderError(f"alert is one of {', '.join(ALERTS)}")


def plan_of(order: Order) -> Plan:
    """Begin an order, from its start: an order that was cut off is simply given again."""
    check(order.kind, order.params)
    return ORDERS[order.kind](order)


def _description(order: Order) -> dict[str, str]:
    return {leaf: order.params.get(name, "") for name, leaf in DESCRIPTION.items()}


def _start(uri: str, order: Order) -> Plan:
    """Exec, after the person's yes if the order has a question of its own (scomo §7.1)."""
    if question := order.params.get("confirm", ""):
        yield from _confirm(question)
    (outcome,) = demand((yield [execute(uri, order.correlator)]))
    accepted = outcome.code == DmStatus.ACCEPTED_FOR_PROCESSING
    return "accepted, a report will follow" if accepted else "done"


def _confirm(question: str) -> Steps:
    """Ask the person through the device; raises `OrderError` unless the answer is yes."""
    (outcome,) = yield [_alert(AlertCode.CONFIRM_OR_REJECT, "", question)]
    if outcome.code != DmStatus.OK:
        raise OrderError(f"the person did not agree: {outcome.code}")


def _alert(code: AlertCode, *texts: str) -> Alert:
    return Alert(code=code, items=tuple(Item(data=text.encode()) for text in texts))
