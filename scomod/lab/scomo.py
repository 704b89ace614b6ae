"""What a server wants of a device: orders, each a small generator of DM commands.

An order yields a batch of commands and is sent what came back for each, in the
same order; so it can react (read an interior node, then its children).  It knows
nothing of messages, credentials or packages: `conversation.py` does that.
Sequences as servers in the field send them: scomo §3.5.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scomod.codes import AlertCode, DmStatus, is_success
from scomod.dmclient.model import Add, Alert, Delete, Exec, Get, Item, Meta, Replace
from scomod.errors import ScomodError
from scomod.lab.outgoing import Sendable

if TYPE_CHECKING:
    from scomod.lab.devices import Order

TEXT: Final = Meta(format="chr", type="text/plain")
ROOT: Final = "./SCOMO"
STANDARD_READ: Final = ("./DevInfo", "./DevDetail", f"{ROOT}/Inventory")
NOT_READ: Final = ("Operations", "Data")  # nothing to see, and Data has no Get (scomo §1.2)
MAX_NODES_COUNT: Final = 20000
COMPONENT_LEAVES: Final = ("ID", "PkgIDRef", "Name", "Version", "State", "Status", "EnvType")


ALERTS: Final[Mapping[str, AlertCode]] = {
    "display": AlertCode.DISPLAY,
    "confirm": AlertCode.CONFIRM_OR_REJECT,
    "input": AlertCode.TEXT_INPUT,
    "choice": AlertCode.SINGLE_CHOICE,
    "choices": AlertCode.MULTIPLE_CHOICE,
}


class OrderError(ScomodError):
    """An order cannot be carried out; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """The value of one node as a device reported it."""

    format: str = "chr"
    type: str = "text/plain"
    data: bytes = b""

    @property
    def text(self) -> str:
        """The value for people."""
        return self.data.decode("utf-8", "replace")

    @property
    def children(self) -> list[str]:
        """Names below an interior node (omadm §7.3); [] for a leaf."""
        return [name for name in self.text.split("/") if name] if self.format == "node" else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came back for one command; `code` is 0 when the device never answered it."""

    command: Sendable
    code: int = 0
    values: Mapping[str, Value] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        """The node that the command was for."""
        return self.command.items[0].target or ""

    @property
    def is_ok(self) -> bool:
        """Tell whether the device did it."""
        return is_success(self.code)


Batch = list[Sendable]
Plan = Generator[Batch, list[Outcome], str]  # what it returns is a sentence for people


def get(uri: str) -> Get:
    """Read a node."""
    return Get(items=(Item(target=uri),))


def add(uri: str, value: str) -> Add:
    """Create a text leaf."""
    return Add(items=(Item(target=uri, meta=TEXT, data=value.encode()),))


def replace(uri: str, value: str) -> Replace:
    """Change a text leaf."""
    return Replace(items=(Item(target=uri, meta=TEXT, data=value.encode()),))


def execute(uri: str, correlator: str) -> Exec:
    """Start what a node stands for."""
    return Exec(correlator=correlator or None, items=(Item(target=uri),))


def walk(*roots: str) -> Generator[Batch, list[Outcome], dict[str, Value]]:
    """Read everything below some nodes, level by level; returns URI → value.

    What a device refuses to show is left out.
    """
    found: dict[str, Value] = {}
    level = list(roots)
    while level:
        outcomes = yield [get(uri) for uri in level]
        level = []
        for outcome in outcomes:
            found |= outcome.values
            level += [
                f"{uri}/{name}"
                for uri, value in outcome.values.items()
                for name in value.children
                if name not in NOT_READ
            ]
        if len(found) + len(level) > MAX_NODES_COUNT:
            raise OrderError(f"more than {MAX_NODES_COUNT} nodes below {', '.join(roots)}")
    return found


def components(found: Mapping[str, Value]) -> list[dict[str, str]]:
    """Make a table of a walked inventory: one row per deployed component, by ID."""
    base = f"{ROOT}/Inventory/Deployed"
    names = found[base].children if base in found else []
    empty = Value()
    rows = [
        {"node": f"{base}/{name}"}
        | {leaf: found.get(f"{base}/{name}/{leaf}", empty).text for leaf in COMPONENT_LEAVES}
        for name in names
    ]
    return sorted(rows, key=lambda row: row["ID"])


def _read(order: Order) -> Plan:
    """`uris` separated by blanks, or what a server usually wants to know."""
    roots = order.params.get("uris", "").split() or STANDARD_READ
    found = yield from walk(*roots)
    return f"{len(found)} nodes read"


def _fill_and_exec(order: Order) -> Plan:
    """Announce a package and start an operation on it (indirect delivery, scomo §6.4)."""
    node = f"{ROOT}/Download/{order.params['node']}"
    yield from _write(
        node,
        PkgID=order.params["pkg_id"],
        PkgURL=order.params["url"],
        Name=order.params.get("name", ""),
        InstallParams=order.params.get("params", ""),
        Description=order.params.get("description", ""),
        EnvType=order.params.get("env_type", ""),
    )
    primitive = order.params.get("primitive", "DownloadInstall")
    return (yield from _start(f"{node}/Operations/{primitive}", order))


def _deliver(order: Order) -> Plan:
    """Write a package into the tree itself (direct delivery, scomo §6.3), then start on it."""
    node = f"{ROOT}/Inventory/Delivered/{order.params['node']}"
    data = base64.b64decode(order.params["data"])
    mime = order.params.get("type", "application/vnd.debian.binary-package")
    yield from _write(
        node,
        PkgID=order.params["pkg_id"],
        Name=order.params.get("name", ""),
        InstallParams=order.params.get("params", ""),
        EnvType=order.params.get("env_type", ""),
    )
    item = Item(target=f"{node}/Data", meta=Meta(format="bin", type=mime), data=data)
    outcomes = yield [Add(items=(item,))]
    _demand(outcomes)
    primitive = order.params.get("primitive", "Install")
    return (yield from _start(f"{node}/Operations/{primitive}", order))


def _component(order: Order) -> Plan:
    """Find a deployed component by its ID and start an operation on it."""
    wanted, primitive = order.params["id"], order.params["primitive"]
    base = f"{ROOT}/Inventory/Deployed"
    listing = _demand((yield [get(base)]))
    names = listing[0].values[base].children if base in listing[0].values else []
    outcomes = yield [get(f"{base}/{name}/ID") for name in names]
    for name, outcome in zip(names, outcomes, strict=True):
        if any(value.text == wanted for value in outcome.values.values()):
            return (yield from _start(f"{base}/{name}/Operations/{primitive}", order))
    raise OrderError(f"no component {wanted!r} is deployed; there are {len(names)} others")


def _exec(order: Order) -> Plan:
    """Exec any node."""
    return (yield from _start(order.params["uri"], order))


def _put(order: Order) -> Plan:
    """Create or change one text leaf."""
    uri = order.params["uri"]
    parent, _, leaf = uri.rpartition("/")
    yield from _write(parent, **{leaf: order.params.get("value", "")})
    return f"{uri} written"


def _delete(order: Order) -> Plan:
    """Delete a node with all below it."""
    uri = order.params["uri"]
    _demand((yield [Delete(items=(Item(target=uri),))]))
    return f"{uri} deleted"


def _ask(order: Order) -> Plan:
    """Have a user alert shown (omadm §1.4); `choices` stand on lines of their own."""
    texts = [order.params.get("options", ""), order.params["text"]]
    texts += order.params.get("choices", "").splitlines()
    items = tuple(Item(data=text.encode()) for text in texts)
    (outcome,) = yield [Alert(code=ALERTS[order.params["alert"]], items=items)]
    answers = [value.text for value in outcome.values.values()]
    return f"answered with {outcome.code} {' '.join(answers)}".rstrip()


ORDERS: Final[Mapping[str, Callable[[Order], Plan]]] = {
    "read": _read,
    "install": _fill_and_exec,
    "deliver": _deliver,
    "component": _component,
    "exec": _exec,
    "put": _put,
    "delete": _delete,
    "ask": _ask,
}
# what each order cannot do without; checked before it enters the queue
PARAMETERS: Final[Mapping[str, tuple[str, ...]]] = {
    "read": (),
    "install": ("node", "pkg_id", "url"),
    "deliver": ("node", "pkg_id", "data"),
    "component": ("id", "primitive"),
    "exec": ("uri",),
    "put": ("uri",),
    "delete": ("uri",),
    "ask": ("alert", "text"),
}


def check(kind: str, params: Mapping[str, str]) -> None:
    """Raise `OrderError` for an order that nobody could carry out."""
    if kind not in ORDERS:
        raise OrderError(f"no order {kind!r}; there are: {', '.join(ORDERS)}")
    for name in PARAMETERS[kind]:
        if not params.get(name):
            raise OrderError(f"order {kind} needs {name}")
    if kind == "ask" and params["alert"] not in ALERTS:
        raise OrderError(f"alert is one of {', '.join(ALERTS)}")


def plan_of(order: Order) -> Plan:
    """Begin an order, from its start: an order that was cut off is simply given again."""
    check(order.kind, order.params)
    return ORDERS[order.kind](order)


def _write(parent: str, **leaves: str) -> Generator[Batch, list[Outcome], None]:
    """Add leaves, and replace those that are there already; empty ones are left out."""
    wanted = {f"{parent}/{name}": value for name, value in leaves.items() if value}
    outcomes = yield [add(uri, value) for uri, value in wanted.items()]
    known = [outcome.uri for outcome in outcomes if outcome.code == DmStatus.ALREADY_EXISTS]
    _demand([outcome for outcome in outcomes if outcome.uri not in known])
    if known:
        _demand((yield [replace(uri, wanted[uri]) for uri in known]))


def _start(uri: str, order: Order) -> Plan:
    (outcome,) = _demand((yield [execute(uri, order.correlator)]))
    accepted = outcome.code == DmStatus.ACCEPTED_FOR_PROCESSING
    return "accepted, a report will follow" if accepted else "done"


def _demand(outcomes: list[Outcome]) -> list[Outcome]:
    """Raise `OrderError` unless the device did everything."""
    for outcome in outcomes:
        if not outcome.is_ok:
            verb = type(outcome.command).__name__
            raise OrderError(f"{verb} {outcome.uri} was answered with {outcome.code}")
    return outcomes
