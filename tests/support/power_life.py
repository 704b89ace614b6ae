# SPDX-License-Identifier: Apache-2.0
"""A device life of the store: values, orders, answers, steps, downloads, reports, notices.

The parts are those of the daemon (`handset`), down to the part file of a download; the
package tool is a file that is written with care.  Deeds of one after the other: what is told
is that the call came back, as for a server that gets its Status, or a person.
"""

from __future__ import annotations

import hashlib
import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from scomod.dmclient.executor import Executor
from scomod.dmclient.model import Add, Item, Meta, Replace, Status
from scomod.download import attempt
from scomod.download.attempt import Answer
from scomod.download.descriptor import MEDIA_TYPE
from scomod.download.meter import Meter
from scomod.download.part import Origin
from scomod.errors import DownloadError, Reason
from scomod.installers import durable
from tests.support.clocks import FakeClock
from tests.support.executing import LIMITS, add, delete, execute, replace
from tests.support.handset import Handset, ToyDpkg, settings_of
from tests.support.progressing import hanging
from tests.support.shelf import NOTIFY_URL, TYPE, Shelf, package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scomod.dmclient.model import Alert, Command
    from scomod.download.job import FetchRequest, FetchResult
    from scomod.ledger import Ledger
    from scomod.operation import Operation
    from tests.support.power_story import Facts, Tell

SERVER: Final = "srv"
BIG_BYTES: Final = 100_000  # a value that long lies in a file of its own
MAX_OBJECT_BYTES: Final = 1 << 20
BULK: Final = "x" * 40_000
WAIT_S: Final = 60.0
ROUNDS: Final = 20
DOWNLOAD: Final = "./SCOMO/Download"
DELIVERED: Final = "./SCOMO/Inventory/Delivered"
DEPLOYED: Final = "./SCOMO/Inventory/Deployed"
NOTE: Final = f"{DOWNLOAD}/note/Name"
BIG_NODE: Final = f"{DELIVERED}/big"
BIG: Final = f"{BIG_NODE}/Data"
DESCRIBED: Final = "update"
NOTICE: Final = "900 Success"
SETUP: Final = "DownloadInstall"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One operation: what is announced before it, what comes of it.

    `after` is what the tool has of "editor" then: version and activity, () for nothing.
    """

    correlator: str
    uri: str
    content: bytes = b""
    is_described: bool = False
    has_digest: bool = False
    is_accepted: bool = True
    result: int = 1200
    after: tuple[str, bool] | tuple[()] = ()


def _setup(name: str, version: str, **more: Any) -> Order:
    content = package("editor", version, bulk=BULK, **more.pop("content", {}))
    uri = f"{DOWNLOAD}/{name}/Operations/{SETUP}"
    return Order(correlator=name, uri=uri, content=content, **{"after": (version, True), **more})


def _deployed(verb: str, **more: Any) -> Order:
    return Order(correlator=verb, uri=f"{DEPLOYED}/editor/Operations/{verb}", **more)


BROKEN: Final = {"fails": str(Reason.SCRIPT_FAILED), "leaves": "partial"}
ORDERS: Final = (
    _setup("first", "1", has_digest=True),
    _setup(DESCRIBED, "2", is_described=True),
    _setup("declined", "3", is_accepted=False, result=1401, after=("2", True)),
    _setup("broken", "3", content=BROKEN, result=1405, after=("2", True)),
    _deployed("Deactivate", after=("2", False)),
    _deployed("Activate", after=("2", True)),
    _deployed("Remove"),
)
LAST: Final = _setup("last", "4")
KNOWN: Final = {order.correlator: order for order in (*ORDERS, LAST)}


class DurableTool(ToyDpkg):
    """Notes what it did as real tools do: flushed."""

    def _set(self, key: str, value: dict[str, Any] | None) -> None:
        state = {name: now for name, now in self._read().items() if name != key}
        if value is not None:
            state[key] = value
        durable.write_json(self._database, state, mode=0o600)


@dataclass(slots=True)
class _Source:
    """The shelf, which cuts each file once in the middle."""

    shelf: Shelf
    url: str
    boot_id: str
    cut: set[str]
    errors: tuple[type[Exception], ...] = (ConnectionError,)

    @contextmanager
    def open(self, start: int, origin: Origin | None) -> Iterator[Answer]:
        content = self.shelf.content.get(self.url)
        if content is None:
            raise DownloadError(Reason.REFUSED_BY_SERVER, "404", is_absent=True)
        kind = MEDIA_TYPE if self.url.endswith(".dd") else TYPE
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "Content-Type": kind}
        made = Origin.of(self.url, headers, self.boot_id, len(content))
        left = memoryview(content)[start:]

        def read_into(room: memoryview) -> int:
            nonlocal left
            if self.url not in self.cut and len(left) <= len(content) // 2:
                self.cut.add(self.url)
                raise ConnectionError
            piece = left[: min(len(room), len(content) // 4 + 1)]
            room[: len(piece)] = piece
            left = left[len(piece) :]
            return len(piece)

        yield Answer(origin=origin or made, start=start, total_bytes=len(content),
                     read_into=read_into)  # fmt: skip

    def failure(self, error: Exception) -> DownloadError:
        return DownloadError(Reason.SERVER_UNAVAILABLE, repr(error), is_retryable=True)


class PoweredHandset(Handset):
    """One life between two power cuts."""

    def __init__(self, root: Path, shelf: Shelf, boot_id: str, world: Living) -> None:
        self._boot_id = boot_id
        self._world = world
        self._cut: set[str] = set()
        clock, settings = FakeClock(), settings_of("ask")
        super().__init__(root, shelf, clock, settings=settings, observer=world.observed)

    def _make_runner(self) -> Any:
        self.tool = DurableTool(self.paths.root / "tool.json")
        return super()._make_runner()

    def open_fetcher(self) -> PoweredHandset:
        return self

    def fetch(
        self,
        request: FetchRequest,
        progress: Callable[[int, int | None], None],
        is_cancelled: Callable[[], bool],
    ) -> FetchResult:
        source = _Source(self.shelf, request.url, self._boot_id, self._cut)
        meter = Meter(
            clock=self.clock, request=request, progress=progress, is_cancelled=is_cancelled
        )
        return attempt.run(request, source, meter, self._boot_id)

    def post(self, url: str, body: bytes) -> None:
        assert url == NOTIFY_URL
        self._world.noticed(body.decode().strip())

    def _make_ledger(self) -> Ledger:
        return self.records.ledger(self.clock, self._world.changed)

    def carry_out(self, *commands: Command) -> list[int]:
        """Carry out one message with values of any length; gives the Status codes."""
        executor = Executor(
            self.records.tree, self.records.db, server_id=SERVER,
            max_object_bytes=MAX_OBJECT_BYTES, alert_limits=LIMITS,
        )  # fmt: skip
        executor.tree_commands.takes = lambda size, _format: size <= MAX_OBJECT_BYTES
        codes: list[int] = []
        with self.records.db.transaction():
            for command in commands:
                running: Any = executor.execute("1", command)
                try:
                    next(running)
                except StopIteration as over:
                    codes += [each.code for each in over.value if isinstance(each, Status)]
        return codes


@dataclass(slots=True)
class Life:
    """The story (`power_story.Story`); `pragma` weakens the database on purpose."""

    pragma: str = ""
    size_mib: int = 32
    shelf: Shelf = field(default_factory=Shelf)
    urls: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, order in KNOWN.items():
            offer = self.shelf.describe if order.is_described else partial(self.shelf.put, name)
            self.urls[name] = offer(order.content)

    def play(self, root: Path, tell: Tell) -> None:
        for number, orders in enumerate((ORDERS[:3], ORDERS[3:])):
            live = Living(self, root, tell, f"boot-{number}")
            live.note(f"name {number}")
            live.put(number)
            for order in orders:
                live.run(order)
            live.put(number + 10)
            live.delete()
            live.device.close()

    def recover(self, root: Path, facts: Facts) -> None:
        live = Living(self, root, lambda *_: None, "boot-after")
        try:
            live.check_kept(facts)
            live.go_on()
            live.check_end(facts)
            live.run(LAST)
            assert live.result_of(LAST) == LAST.result
        finally:
            live.device.close()


class Living:
    """The device from one start to the next, and what it says to the world."""

    def __init__(self, life: Life, root: Path, tell: Tell, boot_id: str) -> None:
        self._life = life
        self._tell = tell
        self.notices: list[str] = []
        self.device = PoweredHandset(root / "device", life.shelf, boot_id, self)
        self._records = self.device.records
        if life.pragma:
            self._records.db.execute(life.pragma)

    # -- what the world hears

    def noticed(self, body: str) -> None:
        """The server of a descriptor is told."""
        self.notices.append(body)
        self._tell("notice", body)

    def observed(self, boundary: str) -> None:
        if boundary == "notice kept":
            self._tell("notice kept", "")

    def changed(self, operation: Operation) -> None:
        """The ledger has kept a transition: whoever watches the device sees it."""
        self._tell("transition", operation.correlator or "", operation.stores)

    # -- deeds

    def note(self, text: str) -> None:
        """Have the server write a short value."""
        self._do(NOTE, add(NOTE, text) if self._value(NOTE) is None else replace(NOTE, text))

    def put(self, number: int) -> None:
        """Have the server write a long value."""
        if number % 10 == 0 or self._value(BIG) is None:
            assert self.device.carry_out(add(f"{BIG_NODE}/PkgID", "p")) in ([200], [418])
        octets = random.Random(number).randbytes(BIG_BYTES)  # noqa: S311 - a seed
        big = Item(target=BIG, data=octets, meta=Meta(format="bin"))
        is_new = self._value(BIG) is None
        self._do(BIG, (Add if is_new else Replace)(cmd_id="1", items=(big,)))

    def delete(self) -> None:
        """Have the server delete the long value."""
        self._do(BIG, delete(BIG_NODE))

    def _do(self, uri: str, command: Command) -> None:
        codes = self.device.carry_out(command)
        assert codes == [200], codes
        self._tell("value", uri, self._value(uri))

    def run(self, order: Order) -> None:
        """Have the server order, the person answer, the server hear the end."""
        if order.content:
            self._announce(order)
        assert self.device.carry_out(execute(order.uri, order.correlator)) == [202]
        self._tell("transition", order.correlator, self._operation(order.correlator).stores)
        self.go_on()
        ((key, alert),) = self.device.reports(SERVER)
        self._tell("report", order.correlator, str(alert))
        self.device.taken([key])
        self._tell("report taken", order.correlator)

    def _announce(self, order: Order) -> None:
        place, digest = f"{DOWNLOAD}/{order.correlator}", hashlib.sha256(order.content).hexdigest()
        values = {"PkgID": order.correlator, "PkgURL": self._life.urls[order.correlator]}
        if order.has_digest:
            values["InstallParams"] = f"sha256={digest}"
        codes = self.device.carry_out(*(add(f"{place}/{k}", v) for k, v in values.items()))
        assert set(codes) == {200}, codes

    def go_on(self) -> None:
        """Let everything happen, and the person answer."""
        for _ in range(ROUNDS):
            self.device.settle()
            for prompt in self.device.confirmations.prompts():
                operation = self._records.journal.load(prompt["operation"])
                assert operation is not None
                wanted = KNOWN[operation.correlator or ""]
                self.device.answer(operation.id, is_accepted=wanted.is_accepted)
            self.device.settle()
            if not (self._records.journal.live() or self._records.journal.has_untold()):
                return
            self.device.clock.advance(WAIT_S)
        raise AssertionError(f"it does not end: {self._records.journal.live()}")

    # -- what must be there

    def check_kept(self, facts: Facts) -> None:
        """Right after the start: every value, every transition that was acknowledged."""
        for uri in (NOTE, BIG):
            allowed = facts.allowed("value", uri)
            is_new = not facts.seen("value", uri)
            found = self._value(uri)
            assert found in allowed or (is_new and found is None), f"{uri} is {found}: {allowed}"
        for name in KNOWN:
            every = self._records.journal.all()
            stores = [each.stores for each in every if each.correlator == name]
            allowed = facts.allowed("transition", name)
            is_new = not facts.seen("transition", name)
            assert len(stores) <= 1, f"{name} is there twice"
            assert (stores and stores[0] in allowed) or (is_new and not stores), (
                f"{name} has {stores} transitions: {allowed}"
            )
        assert hanging(self.device) == []

    def check_end(self, facts: Facts) -> None:
        """At the end: one result for each order, told as it was told before, nothing left over."""
        waiting = [alert for _, alert in self.device.reports(SERVER)]
        for name in facts.seen("transition"):
            self._check_report(facts, KNOWN[name], [a for a in waiting if a.correlator == name])
        found = self._records.journal.all()
        assert [each.result for each in found] == [KNOWN[e.correlator or ""].result for e in found]
        stock = {item.id: (item.version, item.is_active) for item in self.device.stock()}
        after = KNOWN[found[-1].correlator or ""].after if found else ()
        assert stock == ({"editor": after} if after else {})
        left = self.device.leftovers()
        assert left["spool"] == left["work"] == [], left
        assert hanging(self.device) == []
        done = {each.correlator for each in found}
        told = {*facts.seen("notice"), *self.notices}
        assert told == ({NOTICE} if DESCRIBED in done else set())
        assert not (facts.seen("notice kept") and self.notices), "told twice"
        self.device.taken(key for key, _ in self.device.reports(SERVER))

    def _check_report(self, facts: Facts, order: Order, waiting: list[Alert]) -> None:
        heard = facts.allowed("report", order.correlator)
        assert len(waiting) <= 1, "more than one report"
        if facts.seen("report taken", order.correlator):
            assert not waiting, "a report that the server took is there again"
        elif not facts.seen("report", order.correlator):
            assert waiting, f"no report of {order.correlator}"
        for alert in waiting if facts.seen("report", order.correlator) else ():
            assert str(alert) == heard[0], "the report changed its words"

    # -- looking

    def result_of(self, order: Order) -> int | None:
        return self._operation(order.correlator).result

    def _operation(self, correlator: str) -> Operation:
        (found,) = [e for e in self._records.journal.all() if e.correlator == correlator]
        return found

    def _value(self, uri: str) -> str | None:
        """What a node holds, a digest for octets; None where there is no node."""
        node = self._records.tree.node(uri)
        if node is None:
            return None
        body = self._records.tree.body(node)
        octets = node.value if body is None else body.read(0, body.size_bytes)
        return hashlib.sha256(octets or b"").hexdigest()
