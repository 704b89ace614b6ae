# SPDX-License-Identifier: Apache-2.0
"""What the daemon answers to the edges: the `Facade`, over the parts it is given.

Records hold only what JSON can carry; their keys are what `docs/dbus.md` lists.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from scomod import __version__
from scomod.codes import ComponentState
from scomod.facade import Refused, Unknown
from scomod.mo import dmacc
from scomod.mo import uri as uris
from scomod.operation import Branch, Cancel, Operation, Phase, StepKind
from scomod.secret import SHOWN, is_secret_uri
from scomod.wishes import Wish

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from scomod.clock import Clock
    from scomod.confirm import Confirmations
    from scomod.enrolment import Enrolment
    from scomod.facade import Record
    from scomod.insight import Insight
    from scomod.meter import Meters
    from scomod.records import Records
    from scomod.scheduler import Scheduler
    from scomod.secret import Secret
    from scomod.trace import Traces
    from scomod.updaterequest import Requests
    from scomod.waking import Waking


# What the steps kept that is told of an operation, and how that is called; of two, the later.
TOLD: Final[Mapping[str, str]] = {
    "consent": "consent",
    "disclosure": "disclosure",
    "deferred_until_s": "deferred_until",
    "deferrals": "deferrals",
    "disclosure_deferred_until_s": "deferred_until",
    "disclosure_deferrals": "deferrals",
}


PIECE_BYTES: Final = 65536  # of a long value, in one answer


class Control:
    """Implements `facade.Facade`."""

    def __init__(
        self,
        *,
        store: Records,
        scheduler: Scheduler,
        confirmations: Confirmations,
        enrolment: Enrolment,
        traces: Callable[[], Traces],
        requests: Callable[[], Requests],
        cancel: Callable[[int, str], Cancel],
        entrance: Callable[[], Waking],
        baseline: Callable[[], Awaitable[Record]],
        insight: Callable[[], Insight],
        clock: Clock,
        root: str,
    ) -> None:
        self._tree = store.tree
        self._db = store.db
        self._journal = store.journal
        self._outbox = store.outbox
        self._sessions = store.sessions
        self._notices = store.notices
        self._scomo = store.scomo
        self._scheduler = scheduler
        self._confirmations = confirmations
        self._enrolment = enrolment
        self._traces = traces
        self._requests = requests
        self._cancel = cancel
        self._entrance = entrance
        self._baseline = baseline
        self._insight = insight
        self._clock = clock
        self._meters: Meters | None = None
        self._device_id = store.device_id
        self._root = root

    def status(self) -> Record:
        """Version, device id, servers, running session, operations and alerts waiting, counts."""
        from scomod.tally import counts  # noqa: PLC0415 - for who asks

        agent, waiting = self._confirmations.agent, self._outbox.waiting()
        return {
            "version": __version__,
            "device_id": self._device_id,
            "root": self._root,
            "servers": [self._server(account) for account in dmacc.accounts(self._tree)],
            "session": self._scheduler.running,
            "operations_live": len(self._journal.live()),
            "alerts_waiting": len(waiting),
            "alerts_since": waiting[0].created_s if waiting else None,
            "prompts_waiting": len(self._confirmations.prompts()),
            "agent": agent is not None and agent.is_present(),
            "counters": counts(self._db),
        }

    def inventory(self) -> Record:
        """Give the three branches of the SCOMO object."""
        return {
            "deployed": [self._component(uri) for uri in self._items(Branch.DEPLOYED)],
            "delivered": [self._package(uri) for uri in self._items(Branch.DELIVERED)],
            "download": [self._package(uri) for uri in self._items(Branch.DOWNLOAD)],
        }

    def one_operation(self, operation_id: int) -> Record:
        """Give one operation with all that is kept of it; raises `Unknown`."""
        entry = self._journal.load(operation_id)
        if entry is None:
            raise Unknown(f"no operation {operation_id}: see 'scomoctl operations'")
        return self._in_full([entry])[0]

    def history(self) -> list[Record]:
        """Give all operations that are over, each with all that is kept of it, oldest first."""
        return self._in_full(self._journal.finished())

    def _in_full(self, entries: list[Operation]) -> list[Record]:
        from scomod.history import facts, told  # noqa: PLC0415 - only who looks back needs it

        unreported, notices = self._unreported(), self._notices()
        return [
            {
                **self.operation(entry, unreported),
                **facts(entry),
                **({"notice": told(notices[entry.id])} if entry.id in notices else {}),
            }
            for entry in entries
        ]

    def _unreported(self) -> set[int]:
        return {alert.operation_id for alert in self._outbox.waiting() if alert.operation_id}

    async def baseline(self) -> Record:
        """Give what the factory left and what has changed since."""
        return await self._baseline()

    def reasons(self, operation_id: int) -> Record:
        """Say why nothing happens now, of one operation or (0) of all; raises `Unknown`."""
        return self._insight().reasons(operation_id, self.status())

    async def plan(self, operation_id: int) -> Record:
        """Say what would happen next, of one operation or (0) of all; raises `Unknown`."""
        return await self._insight().plan(operation_id, self.status())

    async def checkup(self) -> list[Record]:
        """Look whether all is well."""
        return await self._insight().checkup(self.status())

    def operations(self) -> list[Record]:
        """Give all operations of the journal, oldest first."""
        unreported = self._unreported()
        return [self.operation(entry, unreported) for entry in self._journal.all()]

    def operation(self, entry: Operation, unreported: set[int]) -> Record:
        """Give one operation; `reported` tells that the server has taken its alert."""
        record: Record = {
            "id": entry.id,
            "primitive": str(entry.primitive),
            "uri": self._scomo.layout.item_of(entry),
            "exec_uri": entry.exec_uri,
            "node": entry.node,
            "server": entry.server_id,
            "phase": str(entry.phase),
            "step": str(entry.failed_step or entry.step),
            "attempts": entry.attempts,
            "reason": str(entry.reason or ""),
            "detail": entry.detail,
            "pkg_id": entry.subject.pkg_id,
            "component": entry.subject.component_id,
            "name": entry.subject.name,
            "created": entry.created_s,
            "changed": entry.changed_s,
            "reported": not entry.phase.is_live and entry.id not in unreported,
        }
        if entry.correlator is not None:
            record["correlator"] = entry.correlator
        for key in TOLD:
            if key in entry.data:
                record[TOLD[key]] = entry.data[key]
        if entry.result is not None:
            record["result"] = int(entry.result)
        if _is_fetched(entry):
            record |= self._fetching(entry)
        return record

    def changed(self, entry: Operation) -> Record:
        """Take note that an operation moved on; returns what is told of it."""
        if self._meters is not None and not _is_fetched(entry):
            self._meters.forget(entry.id)
        return self.operation(entry, {entry.id})

    def progress(self, operation_id: int, done: int, total: int | None) -> Record:
        """Take note of how far an operation is; returns what is told of it."""
        if self._meters is None:
            from scomod.meter import Meters  # noqa: PLC0415 - while something is fetched

            self._meters = Meters(self._clock.monotonic_s)
        self._meters.take(operation_id, done, total or 0)
        return {"id": operation_id, "done": done, "total": total or 0}

    def _fetching(self, entry: Operation) -> Record:
        """Say how a download gets on, and what it waits for."""
        from scomod.tries import told  # noqa: PLC0415 - only downloads have them

        if self._meters is None or entry.phase is not Phase.RUNNING:
            return told(entry.data)
        return {**told(entry.data), **self._meters.figures(entry.id)}

    def prompts(self) -> list[Record]:
        """Give the questions that wait for a person."""
        return self._confirmations.prompts()

    async def run_session(self, server_id: str) -> Record:
        """Run one session; an empty id means the only account."""
        return asdict(await self._scheduler.run_now(self._known_server(server_id)))

    async def request(self, kind: str, component: str, server_id: str) -> Record:
        """Ask a server for an update, "" for the only one; returns what it answered.

        Raises `Unknown`, `Refused`.
        """
        server_id = self._known_server(server_id)
        alert_id, source = self._requests().add(kind, component, server_id)
        report = await self._scheduler.run_now(server_id)
        answers = [answer for answer in report.requests if answer["id"] == alert_id]
        said = answers[0] if answers else {"is_waiting": True, "detail": report.detail}
        return {"server": server_id, "source": source, "component": component, **said}

    def _known_server(self, server_id: str) -> str:
        """Return the server that is meant, "" meaning the only account; raises `Unknown`."""
        if not server_id:
            servers = [account.server_id for account in dmacc.accounts(self._tree)]
            if len(servers) != 1:
                raise Unknown(
                    f"say which server: {', '.join(servers) or 'there is no account yet'}"
                )
            server_id = servers[0]
        if dmacc.by_server(self._tree, server_id) is None:
            raise Unknown(f"no account for server {server_id}; see 'scomoctl status'")
        return server_id

    def answer(self, operation_id: int, *, is_accepted: bool, by: str) -> None:
        """Answer the prompt of an operation; raises `Unknown` if none waits."""
        self._confirmations.answer(operation_id, is_accepted=is_accepted, by=by)

    def defer(self, operation_id: int, when: str, *, by: str) -> float:
        """Defer the prompt of an operation; raises `Unknown`, `Refused`."""
        return self._confirmations.defer(operation_id, when, by=by)

    def cancel(self, operation_id: int, *, by: str) -> str:
        """Cancel an operation, say how (`operation.Cancel`); raises `Unknown`, `Refused`."""
        return str(self._cancel(operation_id, by))

    def bootstrap(self, document: bytes, sec: str, mac: str, pin: Secret) -> list[str]:
        """Make accounts from a bootstrap document; returns server ids.

        Raises `WrongPin`, `Refused`.
        """
        return self._enrolment.document(document, sec, mac, pin)

    def push(self, kind: str, octets: bytes, sender: str) -> None:
        """Take what a program with a modem of its own received; raises `Refused`."""
        self._entrance().brought(kind, octets, sender)

    async def install(self, file: int, signature: bytes, what: Record, *, by: str) -> int:
        """Take a package file that somebody hands in; raises `Unknown`, `Refused`."""
        known = {**what, "server": self._known_server(str(what.get("server", "")))}
        return await self._entrance().hand_in.take(file, signature, known, by)

    def want_session(self, server_id: str) -> None:
        """Ask for a session that nobody waits for."""
        self._scheduler.want(Wish(server_id=server_id, is_kept=True))

    def tree_children(self, uri: str) -> list[str]:
        """Give the names below an interior node."""
        self._node(uri)
        return self._tree.children(uris.as_typed(uri))

    def tree_node(self, uri: str) -> Record:
        """Give one node; secrets are never shown (I19), of files only the length."""
        node = self._node(uri)
        path = uris.as_typed(uri)
        record: Record = {
            "uri": path,
            "format": str(node.format),
            "type": node.type,
            "acl": node.acl,
            "value": SHOWN if is_secret_uri(path) else self._tree.value(path) or "",
        }
        if node.blob is not None:
            size_bytes = node.blob.size_bytes
            record |= {"value": f"({size_bytes} octets)", "size": size_bytes}
        return record

    def tree_octets(self, uri: str, offset: int) -> bytes:
        """Give a piece of the value of a leaf; raises `Unknown`, `Refused`."""
        node, path = self._node(uri), uris.as_typed(uri)
        if is_secret_uri(path):
            raise Refused("secrets are never shown")
        if node.is_interior:
            raise Refused(f"{path} has no value: it is an interior node")
        body = self._tree.body(node)
        if body is not None:
            return body.read(offset, PIECE_BYTES)
        return (self._tree.value(path) or "").encode()[offset : offset + PIECE_BYTES]

    def traces(self) -> list[Record]:
        """Give the sessions of which a trace is kept, oldest first."""
        return self._traces().all()

    def trace(self, number: int) -> Record:
        """Give one trace with its text."""
        return self._traces().one(number)

    def _node(self, uri: str) -> Any:
        node = self._tree.node(uris.as_typed(uri))
        if node is None:
            raise Unknown(f"no node {uri}")
        return node

    def _server(self, account: dmacc.Account) -> Record:
        record: Record = {
            "server_id": account.server_id,
            "name": account.name,
            "address": account.address,
        }
        if last := self._sessions.of(account.server_id):
            record["last_session"] = {**last.report, "ended_s": last.at.wall_s}
        return record

    def _items(self, branch: Branch) -> list[str]:
        base = self._scomo.layout.branch(branch)
        return [f"{base}/{name}" for name in sorted(self._tree.children(base))]

    def _leaf(self, uri: str, leaf: str) -> str:
        return self._tree.value(f"{uri}/{leaf}") or ""

    def _component(self, uri: str) -> Record:
        is_active = self._leaf(uri, "State") == str(int(ComponentState.ACTIVE))
        return {
            "uri": uri,
            "id": self._leaf(uri, "ID"),
            "name": self._leaf(uri, "Name"),
            "version": self._leaf(uri, "Version"),
            "state": "active" if is_active else "inactive",
            "status": int(self._leaf(uri, "Status") or 0),
            "environment": self._leaf(uri, "EnvType"),
            "pkg_id_ref": self._leaf(uri, "PkgIDRef"),
        }

    def _package(self, uri: str) -> Record:
        return {
            "uri": uri,
            "pkg_id": self._leaf(uri, "PkgID"),
            "name": self._leaf(uri, "Name"),
            "status": int(self._leaf(uri, "Status") or 0),
        }


def _is_fetched(entry: Operation) -> bool:
    """Tell whether an operation is where its package is fetched."""
    return entry.phase.is_live and entry.step is StepKind.ACQUIRE
