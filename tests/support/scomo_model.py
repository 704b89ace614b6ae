# SPDX-License-Identifier: Apache-2.0
"""What SCOMO means, small enough to be read: what each operation does to a device, no I/O.

The device of the model never crashes; that the real one may, at any boundary, and still
ends the same way is what `tests/property/test_scomo_model.py` shows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from scomod.codes import ComponentState
from scomod.errors import Reason
from scomod.operation import OWN_PRIMITIVES, Branch, Primitive
from tests.support.shelf import package as archive

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

OK: Final = 1200
CANCELLED: Final = 1401
DOWNLOAD_FAILED: Final = 1402
INSTALL_FAILED: Final = 1405
INVALID: Final = 1407
ACTIVATE_FAILED: Final = 1409
DEACTIVATE_FAILED: Final = 1410
UNSUPPORTED: Final = 1413
NOT_THERE: Final = {Primitive.START: ACTIVATE_FAILED, Primitive.STOP: DEACTIVATE_FAILED}
SERVER_TROUBLE: Final = frozenset({1402, 1500, 1501})

ACTIVE, INACTIVE = str(int(ComponentState.ACTIVE)), str(int(ComponentState.INACTIVE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What lies behind an address; `flaw` is "" or what is wrong with it.

    "gone": not there; "garbage": no archive; "fails": its script fails;
    "foreign": for an environment that the device has not.
    """

    component_id: str
    version: str
    flaw: str = ""

    @property
    def name(self) -> str:
        return f"{self.component_id}-{self.version}{self.flaw}"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content()).hexdigest()

    def content(self) -> bytes:
        """Return its octets, an archive of `tests.support.backends.FakeBackend` or garbage."""
        if self.flaw == "garbage":
            return f"no archive {self.name}".encode()
        fault = {"fails": str(Reason.SCRIPT_FAILED), "leaves": "untouched"}
        more = fault if self.flaw == "fails" else {}
        return archive(self.component_id, self.version, note=self.flaw, **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the installing side keeps of a component: its archive, and whose it is."""

    package: Package
    package_id: str
    is_active: bool
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One accepted Exec; `package` is what it was about when it came."""

    correlator: str
    server: str
    uri: str
    branch: Branch
    primitive: Primitive
    node: str
    package: Package | None = None
    component_id: str = ""
    is_refused: bool = False
    may_end: AbstractSet[int] = frozenset()
    result: int | None = None

    @property
    def item(self) -> tuple[Branch, str]:
        return self.branch, self.node


@dataclass(slots=True)
class Model:
    """The whole world: packages at the nodes, software on the device, orders of the servers.

    `tool` is what the system's package tool has (id -> version), `kept` what we keep.
    """

    announced: dict[str, Package] = field(default_factory=dict)
    delivered: dict[str, tuple[Package, bool]] = field(default_factory=dict)
    tool: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Kept] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)

    # -- questions ---------------------------------------------------------------------

    def live(self) -> list[Order]:
        return [order for order in self.orders.values() if order.result is None]

    def owner_of(self, name: str) -> str:
        """Return who may operate a component: the server that brought it, "" for anybody."""
        kept = self.kept.get(name)
        is_gone = kept is None or (kept.is_active and name not in self.tool)
        return "" if kept is None or is_gone else kept.owner

    def is_busy(self, branch: Branch, node: str) -> bool:
        return any(order.item == (branch, node) for order in self.live())

    def deployed(self) -> dict[str, tuple[str, str, str]]:
        """Return component id -> version, State, PkgIDRef, as the tree must show them."""
        found = {}
        for name, version in self.tool.items():
            kept = self.kept.get(name)
            is_ours = kept is not None and kept.package.version == version
            found[name] = (version, ACTIVE, kept.package_id if kept and is_ours else "")
        for name, kept in self.kept.items():
            if not kept.is_active and name not in self.tool:
                found[name] = (kept.package.version, INACTIVE, kept.package_id)
        return found

    # -- what an operation does ----------------------------------------------------------

    def finish(self, order: Order, result: int) -> None:
        """Take the end of an operation over; fails where it cannot have ended so."""
        draft = replace_world(self)
        expected = draft.play(order)
        assert result == expected or result in order.may_end, (order, result, expected)
        if result == expected:
            self.announced, self.delivered = draft.announced, draft.delivered
            self.tool, self.kept = draft.tool, draft.kept
        self.orders[order.correlator] = replace(order, result=result)

    def play(self, order: Order) -> int:
        """Carry an operation out; returns its result."""
        package = order.package
        is_foreign = package is not None and package.flaw == "foreign"
        if is_foreign and order.primitive is not Primitive.REMOVE:
            return UNSUPPORTED
        if order.is_refused:
            return CANCELLED
        if order.branch is Branch.DEPLOYED:
            return self._operate(order)
        assert package is not None
        if order.branch is Branch.DELIVERED:
            return self._from_delivered(order, package)
        if package.flaw == "gone":
            return DOWNLOAD_FAILED
        return self._from_download(order, package)

    def _from_download(self, order: Order, package: Package) -> int:
        if order.primitive is Primitive.DOWNLOAD:
            self.delivered[order.node] = (package, False)
            result = OK
        elif order.primitive is Primitive.DOWNLOAD_INSTALL:
            result = self._install(package, order)
        else:
            result = self._install_inactive(package, order)
        if result == OK:
            self.announced.pop(order.node, None)
        return result

    def _from_delivered(self, order: Order, package: Package) -> int:
        if order.primitive is Primitive.REMOVE:
            self.delivered.pop(order.node, None)
            return OK
        put = self._install if order.primitive is Primitive.INSTALL else self._install_inactive
        result = put(package, order)
        if result == OK and order.node in self.delivered:
            self.delivered[order.node] = (self.delivered[order.node][0], True)
        return result

    def _install(self, package: Package, order: Order) -> int:
        name = package.component_id
        if package.flaw == "garbage":
            return INVALID
        if self.owner_of(name) not in ("", order.server):
            return INSTALL_FAILED
        result = self._run_tool(package)
        if result == OK:
            self._keep(package, order, is_active=True)
        return result

    def _keep(self, package: Package, order: Order, *, is_active: bool) -> None:
        self.kept[package.component_id] = Kept(
            package=package, package_id=order.node, is_active=is_active, owner=order.server
        )

    def _run_tool(self, package: Package) -> int:
        now = self.tool.get(package.component_id, "")
        kept = self.kept.get(package.component_id)
        is_done = kept is not None and kept.is_active and kept.package == package
        if is_done and now == package.version:
            return OK
        if now > package.version or package.flaw == "fails":
            return INSTALL_FAILED
        self.tool[package.component_id] = package.version
        return OK

    def _install_inactive(self, package: Package, order: Order) -> int:
        if package.flaw == "garbage":
            return INVALID
        is_foreign = self.owner_of(package.component_id) not in ("", order.server)
        if is_foreign or package.component_id in self.tool:
            return INSTALL_FAILED
        self._keep(package, order, is_active=False)
        return OK

    def _operate(self, order: Order) -> int:
        name, kept = order.component_id, self.kept.get(order.component_id)
        if order.primitive in OWN_PRIMITIVES:
            return OK if name in self.tool else NOT_THERE[order.primitive]
        if order.primitive is Primitive.REMOVE:
            self.tool.pop(name, None)
            self.kept.pop(name, None)
            return OK
        if order.primitive is Primitive.ACTIVATE:
            return self._activate(name, kept)
        if kept is None or self.tool.get(name, kept.package.version) != kept.package.version:
            return DEACTIVATE_FAILED
        self.tool.pop(name, None)
        self.kept[name] = replace(kept, is_active=False)
        return OK

    def _activate(self, name: str, kept: Kept | None) -> int:
        if kept is None:
            return OK if name in self.tool else ACTIVATE_FAILED
        is_there = self.tool.get(name) == kept.package.version
        if not is_there and self._run_tool(kept.package) != OK:
            return ACTIVATE_FAILED
        self.kept[name] = replace(kept, is_active=True)
        return OK


def replace_world(model: Model) -> Model:
    """Return a copy whose changes do not reach the original."""
    return Model(
        announced=dict(model.announced),
        delivered=dict(model.delivered),
        tool=dict(model.tool),
        kept=dict(model.kept),
    )
