# SPDX-License-Identifier: Apache-2.0
"""Whatever servers, people, users of the device and power cuts do: it agrees with the model.

After every event the world comes to rest; then the tree, the package tool and what waits
for the servers must be what `tests.support.scomo_model` says.  In the end each server knows
the result of each of its orders, and of no other's.

`SCOMOD_MODEL_EXAMPLES=500` plays longer, with another seed each time (docs/hacking.md).
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from scomod.codes import DmStatus
from scomod.dmclient.model import Results
from scomod.operation import OWN_PRIMITIVES, PLANS, Branch, Phase, StepKind, operation_leaf
from tests.support.clocks import FakeClock
from tests.support.executing import add, delete, execute, get
from tests.support.executing import replace as put
from tests.support.handset import Handset, settings_of
from tests.support.progressing import hanging
from tests.support.scomo_model import (
    INACTIVE,
    SERVER_TROUBLE,
    Model,
    Order,
    Package,
)
from tests.support.services import SystemManager
from tests.support.shelf import Shelf, package
from tests.support.workbench import Killed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.dmclient.model import Alert
    from scomod.operation import Operation, Primitive

pytestmark = pytest.mark.timeout(0 if os.environ.get("SCOMOD_MODEL_EXAMPLES") else 300)
EXAMPLES = int(os.environ.get("SCOMOD_MODEL_EXAMPLES", "0"))
SERVERS = ("A", "B")
NODES = {server: tuple(f"{server.lower()}{number}" for number in "12") for server in SERVERS}
COMPONENTS = {"A": ("ant", "bee"), "B": ("cat", "bee")}
NAMES = ("ant", "bee", "cat", "cow")
VERSIONS = ("1", "2", "3")
FLAWS = ("", "", "", "", "gone", "garbage", "fails", "foreign")
PRIMITIVES = {branch: [verb for at, verb in PLANS if at is branch] for branch in Branch}
RETRY_S, HOUR_S = 31.0, 3600.0
LONG_S = 8 * 86400.0  # longer than anybody waits for an answer
# At most three in one step: the fifth would be a crash loop.
DEATHS = st.lists(st.integers(0, 12), max_size=3)
MOODS = ("yes", "yes", "no", "later", "away")


class Deaths:
    """Ends a life at the boundaries that were drawn, counted from now."""

    def __init__(self) -> None:
        self._left: list[int] = []

    def plan(self, waits: list[int]) -> None:
        self._left = list(waits)

    def __call__(self, _boundary: str) -> None:
        if not self._left:
            return
        self._left[0] -= 1
        if self._left[0] < 0:
            self._left.pop(0)
            raise Killed


class Scomo(RuleBasedStateMachine):
    """One device, two servers, somebody at the keyboard, and bad luck."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.shelf, self.clock, self.deaths = Shelf(), FakeClock(), Deaths()
        self.model = Model()
        self.settings = settings_of()
        self.received: dict[str, list[Alert]] = {server: [] for server in SERVERS}
        self._correlators = 0
        self.mood = "yes"
        self.set: Handset | None = None

    @property
    def device(self) -> Handset:
        assert self.set is not None
        return self.set

    @initialize(confirm=st.sampled_from(["silent", "ask"]))
    def begin(self, confirm: str) -> None:
        self.settings = settings_of(confirm)
        self._boot()
        services = SystemManager(self.device.paths.root)
        for name in NAMES:
            services.put(f"{name}.service")

    def _boot(self) -> None:
        root = Path(self._folder.name)
        self.set = Handset(
            root, self.shelf, self.clock, settings=self.settings, observer=self.deaths
        )

    def teardown(self) -> None:
        try:
            if self.set is not None:
                self._come_to_an_end()
        finally:
            if self.set is not None:
                self.set.close()
            self._folder.cleanup()

    # -- what servers do --------------------------------------------------------------------

    @rule(
        server=st.sampled_from(SERVERS),
        number=st.integers(0, 1),
        component=st.integers(0, 1),
        version=st.sampled_from(VERSIONS),
        flaw=st.sampled_from(FLAWS),
    )
    def announces(self, server: str, number: int, component: int, version: str, flaw: str) -> None:
        offered = Package(component_id=COMPONENTS[server][component], version=version, flaw=flaw)
        self._announce(server, NODES[server][number], offered)
        self._rest()

    @precondition(lambda self: self.has_items)
    @rule(server=st.sampled_from(SERVERS), deaths=DEATHS, data=st.data())
    def orders(self, server: str, deaths: list[int], data: st.DataObject) -> None:
        """One to three operations on what it has, each at rest before the next."""
        for _ in range(data.draw(st.integers(1, 3))):
            items = self._own(server)
            if items:
                item = data.draw(st.sampled_from(items))
                primitive = data.draw(st.sampled_from(PRIMITIVES[item[0]]))
                self.deaths.plan(deaths)
                self._order(server, item, primitive)

    @rule(
        server=st.sampled_from(SERVERS),
        number=st.integers(0, 1),
        component=st.integers(0, 1),
        version=st.sampled_from(VERSIONS),
        primitive=st.sampled_from(PRIMITIVES[Branch.DOWNLOAD]),
        deaths=DEATHS,
    )
    def announces_and_orders(
        self,
        *,
        server: str,
        number: int,
        component: int,
        version: str,
        primitive: Primitive,
        deaths: list[int],
    ) -> None:
        """The usual message."""
        node = NODES[server][number]
        offered = Package(component_id=COMPONENTS[server][component], version=version)
        self._announce(server, node, offered)
        self.deaths.plan(deaths)
        self._order(server, (Branch.DOWNLOAD, node, f"./SCOMO/Download/{node}"), primitive)

    @precondition(lambda self: self.model.orders)
    @rule(server=st.sampled_from(SERVERS), data=st.data())
    def repeats_an_order_whose_answer_was_lost(self, server: str, data: st.DataObject) -> None:
        """The same words again are the same order as long as its report waits."""
        known = [each for each in self.model.orders.values() if each.server == server]
        if not known:
            return
        order = data.draw(st.sampled_from(known))
        waits = {alert.correlator for _, alert in self.device.reports(server)}
        if order.result is not None and order.correlator not in waits:
            return
        before = len(self.device.records.journal.all())
        (code,) = self.device.codes(server, execute(order.uri, order.correlator))
        # a finished order may have taken its node along
        assert code in (DmStatus.ACCEPTED_FOR_PROCESSING, DmStatus.NOT_FOUND)
        assert len(self.device.records.journal.all()) == before
        self._rest()

    @precondition(lambda self: self.model.announced or self.model.delivered)
    @rule(server=st.sampled_from(SERVERS), data=st.data())
    def deletes(self, server: str, data: st.DataObject) -> None:
        packages = [item for item in self._own(server) if item[0] is not Branch.DEPLOYED]
        if not packages:
            return
        branch, node, uri = data.draw(st.sampled_from(packages))
        (code,) = self.device.codes(server, delete(uri))
        busy = [order for order in self.model.live() if order.item == (branch, node)]
        if busy and branch is Branch.DELIVERED:
            assert code == DmStatus.FORBIDDEN
        else:
            assert code == 200
            for order in busy:
                self.model.orders[order.correlator] = replace(order, is_refused=True)
            nodes = self.model.announced if branch is Branch.DOWNLOAD else self.model.delivered
            del nodes[node]
        self._rest()

    @precondition(lambda self: self.model.announced or self.model.delivered)
    @rule(server=st.sampled_from(SERVERS), data=st.data())
    def touches_what_is_not_its_own(self, server: str, data: st.DataObject) -> None:
        (other,) = set(SERVERS) - {server}
        foreign = [item for item in self._own(other) if item not in self._own(server)]
        if not foreign:
            return
        branch, _node, uri = data.draw(st.sampled_from(foreign))
        primitive = PRIMITIVES[branch][0]
        commands = (
            get(uri),
            get(f"{uri}/Status"),
            put(f"{uri}/Name", "mine"),
            execute(f"{uri}/{operation_leaf(primitive)}", "stolen"),
            delete(uri),
            put(f"{uri}?prop=ACL", f"Get={server}"),
        )
        codes = self.device.codes(server, *commands)
        assert all(code >= DmStatus.BAD_REQUEST for code in codes), (uri, codes)
        self._rest()

    @rule(server=st.sampled_from(SERVERS), is_answered=st.booleans())
    def holds_a_session(self, server: str, is_answered: bool) -> None:
        self.device.refresh()
        self._check_what_it_sees(server)
        sent = self.device.reports(server)
        self.received[server].extend(alert for _, alert in sent)
        if is_answered:
            self.device.taken(key for key, _ in sent)
        self._rest()

    # -- what people do -----------------------------------------------------------------------

    @precondition(lambda self: self.settings.confirm.default == "ask")
    @rule(mood=st.sampled_from(MOODS))
    def the_person_changes_their_mind(self, mood: str) -> None:
        self.mood = mood
        self._rest()

    @rule(name=st.sampled_from(NAMES), version=st.sampled_from(["", *VERSIONS]))
    def somebody_changes_the_software(self, name: str, version: str) -> None:
        self._by_hand(name, version)
        self.device.refresh()
        self._rest()

    # -- what the world does --------------------------------------------------------------------

    @rule(what=st.sampled_from(["a minute", "days", "package server", "restart", "restart"]))
    def the_world_turns(self, what: str) -> None:
        if what == "restart":
            self._restart()
        elif what == "package server":
            self.shelf.is_closed = not self.shelf.is_closed
        else:
            self._time_passes(RETRY_S if what == "a minute" else LONG_S)
        self._rest()

    @property
    def has_items(self) -> bool:
        return bool(self.model.announced or self.model.delivered or self.model.deployed())

    # -- how it is done ------------------------------------------------------------------------

    def _time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        if seconds == LONG_S:  # what still waits for an answer, now or later, gets none
            for operation in self.device.records.journal.live():
                if operation.step is StepKind.CONSENT:
                    self._note(operation.id, is_refused=True)

    def _announce(self, server: str, node: str, offered: Package) -> None:
        uri = f"./SCOMO/Download/{node}"
        facts = {
            "PkgID": node,
            "PkgURL": self._offer(offered),
            "EnvType": "rpm" if offered.flaw == "foreign" else "deb",
        }
        verb = put if node in self.model.announced else add
        codes = self.device.codes(server, *(verb(f"{uri}/{k}", v) for k, v in facts.items()))
        assert codes == [200] * len(facts)
        self.model.announced[node] = offered

    def _offer(self, offered: Package) -> str:
        """Put a package where it can be fetched, unless it is "gone"; returns its address."""
        url = self.shelf.put(offered.name, offered.content())
        if offered.flaw == "gone":
            del self.shelf.content[url]
        return url

    def _own(self, server: str) -> list[tuple[Branch, str, str]]:
        """Return the items that a server may operate: branch, node or component id, URI."""
        mine = [
            (branch, node, f"./SCOMO/{branch}/{node}")
            for branch, nodes in (
                (Branch.DOWNLOAD, self.model.announced),
                (Branch.DELIVERED, self.model.delivered),
            )
            for node in sorted(nodes)
            if node in NODES[server]
        ]
        for name in sorted(self.model.deployed()):
            if self.model.owner_of(name) not in ("", server):
                continue
            uri = self.device.records.inventory.uri_of(name)
            if uri is not None:
                mine.append((Branch.DEPLOYED, name, uri))
        return mine

    def _order(self, server: str, item: tuple[Branch, str, str], primitive: Primitive) -> None:
        branch, node, uri = item
        self._correlators += 1
        name = f"{server}-{self._correlators}"
        target = f"{uri}/{operation_leaf(primitive)}"
        (code,) = self.device.codes(server, execute(target, name))
        if primitive in OWN_PRIMITIVES and code == DmStatus.NOT_FOUND:
            _version, state, package_id = self.model.deployed()[node]
            assert state == INACTIVE or not package_id, "what was brought can be started"
        elif self.model.is_busy(branch, node):
            assert code == DmStatus.COMMAND_FAILED
        else:
            assert code == DmStatus.ACCEPTED_FOR_PROCESSING
            self.model.orders[name] = Order(
                correlator=name,
                server=server,
                uri=target,
                branch=branch,
                primitive=primitive,
                node=node,
                package=self._package_at(branch, node),
                component_id=node if branch is Branch.DEPLOYED else "",
            )
        self._rest()

    def _package_at(self, branch: Branch, node: str) -> Package | None:
        if branch is Branch.DOWNLOAD:
            return self.model.announced[node]
        return self.model.delivered[node][0] if branch is Branch.DELIVERED else None

    def _by_hand(self, name: str, version: str) -> None:
        tool = self.device.tool
        if version:
            path = Path(self._folder.name) / "by-hand"
            path.write_bytes(package(name, version))
            tool.install(path, tool.inspect(path), may_downgrade=True)
            self.model.tool[name] = version
        else:
            tool.remove(name)
            self.model.tool.pop(name, None)

    def _answer(self, prompt: Mapping[str, Any]) -> None:
        key = prompt["operation"]
        if self.mood == "later" and prompt["deferrals_left"]:
            self.device.later(key, "1h")
        else:
            self._note(key, is_refused=self.mood != "yes")
            self.device.answer(key, is_accepted=self.mood == "yes")

    def _note(self, key: int, *, is_refused: bool) -> None:
        operation = self.device.records.journal.load(key)
        assert operation is not None
        order = self.model.orders[str(operation.correlator)]
        self.model.orders[order.correlator] = replace(order, is_refused=is_refused)

    def _restart(self) -> None:
        self.device.close()
        self._boot()

    # -- what must be so at rest ------------------------------------------------------------------

    def _rest(self) -> None:
        """Let everything happen that can, through any number of lives, and compare."""
        self._settle()
        while self.mood != "away" and (prompts := self.device.confirmations.prompts()):
            self._answer(prompts[0])
            self._settle()
        self.deaths.plan([])
        if self.shelf.is_closed:
            for order in self.model.live():
                self.model.orders[order.correlator] = replace(order, may_end=SERVER_TROUBLE)
        self._take_over()
        self.device.refresh()
        self._compare()

    def _settle(self) -> None:
        while True:
            try:
                self.device.settle()
            except Killed:
                self._restart()
            else:
                return

    def _take_over(self) -> None:
        """Let the model do what the device has done since, in the order it did."""
        for operation in self.device.records.journal.all():
            order = self.model.orders[str(operation.correlator)]
            assert operation.server_id == order.server
            if order.result is None and not operation.phase.is_live:
                assert operation.result is not None
                self.model.finish(order, int(operation.result))

    def _compare(self) -> None:
        device, model = self.device, self.model
        live = {self._item_of(each): each for each in device.records.journal.live()}
        assert live.keys() == {order.item for order in model.live()}
        assert set(device.children("./SCOMO/Download")) == set(model.announced)
        assert set(device.children("./SCOMO/Inventory/Delivered")) == set(model.delivered)
        assert self._deployed() == model.deployed()
        assert {item.id: item.version for item in device.tool.inventory()} == model.tool, (
            "what the tool has"
        )
        assert {each.phase for each in live.values()} <= {Phase.WAITING, Phase.RUNNING}
        assert hanging(device) == []
        self._check_leftovers()

    def _item_of(self, operation: Operation) -> tuple[Branch, str]:
        if operation.branch is Branch.DEPLOYED:
            return operation.branch, operation.subject.component_id
        return operation.branch, operation.node

    def _deployed(self) -> dict[str, tuple[str | None, str | None, str | None]]:
        device = self.device
        base = "./SCOMO/Inventory/Deployed"
        return {
            str(device.value(f"{base}/{name}/ID")): (
                device.value(f"{base}/{name}/Version"),
                device.value(f"{base}/{name}/State"),
                device.value(f"{base}/{name}/PkgIDRef"),
            )
            for name in device.children(base)
        }

    def _check_what_it_sees(self, server: str) -> None:
        """A server is shown what it may operate, and nothing else."""
        for branch in Branch:
            (shown,) = [
                (item.data or b"").decode()
                for answer in self.device.answers(server, get(f"./SCOMO/{branch}"))
                if isinstance(answer, Results)
                for item in answer.items
            ]
            mine = {uri.rpartition("/")[2] for at, _, uri in self._own(server) if at is branch}
            assert set(filter(None, shown.split("/"))) == mine

    def _check_leftovers(self) -> None:
        found = self.device.leftovers()
        live = {f"{each.id}.part" for each in self.device.records.journal.live()}
        assert set(found["spool"]) <= live
        assert found["work"] == []
        needed = {each.sha256 for each, _ in self.model.delivered.values()}
        live_needs = {each.subject.digest for each in self.device.records.journal.live()}
        assert needed <= set(found["delivered"]) <= needed | live_needs

    def _come_to_an_end(self) -> None:
        """Everybody answers, every server listens: nothing is left open."""
        self.shelf.is_closed = False
        self.mood = "yes"
        while self.model.live():
            self.clock.advance(HOUR_S)
            self._rest()
        for server in SERVERS:
            self.holds_a_session(server, is_answered=True)
            assert self.device.reports(server) == []
            self._check_reports(server)

    def _check_reports(self, server: str) -> None:
        """Each order was reported, at least once and always in the same words."""
        told: dict[str, Any] = {}
        for alert in self.received[server]:
            assert told.setdefault(str(alert.correlator), alert) == alert
        orders = {key: order for key, order in self.model.orders.items() if order.server == server}
        assert told.keys() == orders.keys()
        for key, alert in told.items():
            (item,) = alert.items
            assert f"<ResultCode>{orders[key].result}</ResultCode>".encode() in item.data
            assert item.source == orders[key].uri
            is_ok = orders[key].result == 1200
            assert item.meta.mark == ("informational" if is_ok else "critical")


TestScomo = Scomo.TestCase
TestScomo.settings = settings(
    max_examples=EXAMPLES or 8,
    stateful_step_count=60 if EXAMPLES else 30,
    derandomize=not EXAMPLES,
    deadline=None,
    phases=[Stage.generate],
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=bool(EXAMPLES),
)
