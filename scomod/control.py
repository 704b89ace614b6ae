"""What the daemon answers to the edges: the `Facade`, over the parts it is given.

Records hold only what JSON can carry; their keys are what `docs/dbus.md` lists.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from scomod import __version__
from scomod.codes import ComponentState
from scomod.facade import Unknown
from scomod.mo import dmacc
from scomod.mo import uri as uris
from scomod.operation import Branch, Operation
from scomod.scheduler import Wish
from scomod.secret import SHOWN, is_secret_uri

if TYPE_CHECKING:
    from scomod.confirm import Confirmations
    from scomod.enrolment import Enrolment
    from scomod.facade import Record
    from scomod.journal import Journal
    from scomod.mo.scomo import Scomo
    from scomod.mo.tree import Tree
    from scomod.outbox import Outbox
    from scomod.scheduler import Scheduler
    from scomod.secret import Secret
    from scomod.trace import Traces


class Control:
    """Implements `facade.Facade`."""

    def __init__(
        self,
        *,
        tree: Tree,
        journal: Journal,
        outbox: Outbox,
        scomo: Scomo,
        scheduler: Scheduler,
        confirmations: Confirmations,
        enrolment: Enrolment,
        traces: Traces,
        device_id: str,
        root: str,
    ) -> None:
        self._tree = tree
        self._journal = journal
        self._outbox = outbox
        self._scomo = scomo
        self._scheduler = scheduler
        self._confirmations = confirmations
        self._enrolment = enrolment
        self._traces = traces
        self._device_id = device_id
        self._root = root
        self.last_sessions: dict[str, Record] = {}

    def status(self) -> Record:
        """Version, device id, servers, running session, operations and alerts waiting."""
        agent = self._confirmations.agent
        return {
            "version": __version__,
            "device_id": self._device_id,
            "root": self._root,
            "servers": [self._server(account) for account in dmacc.accounts(self._tree)],
            "session": self._scheduler.running,
            "operations_live": len(self._journal.live()),
            "alerts_waiting": len(self._outbox.waiting()),
            "prompts_waiting": len(self._confirmations.prompts()),
            "agent": agent is not None and agent.is_present(),
        }

    def inventory(self) -> Record:
        """Give the three branches of the SCOMO object."""
        return {
            "deployed": [self._component(uri) for uri in self._items(Branch.DEPLOYED)],
            "delivered": [self._package(uri) for uri in self._items(Branch.DELIVERED)],
            "download": [self._package(uri) for uri in self._items(Branch.DOWNLOAD)],
        }

    def operations(self) -> list[Record]:
        """Give all operations of the journal, oldest first."""
        unreported = {alert.operation_id for alert in self._outbox.waiting()}
        return [self.operation(entry, unreported) for entry in self._journal.all()]

    def operation(self, entry: Operation, unreported: set[int]) -> Record:
        """Give one operation; `reported` tells that the server has taken its alert."""
        record: Record = {
            "id": entry.id,
            "primitive": str(entry.primitive),
            "uri": self._scomo.item_uri(entry),
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
        if entry.result is not None:
            record["result"] = int(entry.result)
        return record

    def prompts(self) -> list[Record]:
        """Give the questions that wait for a person."""
        return self._confirmations.prompts()

    async def run_session(self, server_id: str) -> Record:
        """Run one session; an empty id means the only account."""
        if not server_id:
            servers = [account.server_id for account in dmacc.accounts(self._tree)]
            if len(servers) != 1:
                raise Unknown(
                    f"say which server: {', '.join(servers) or 'there is no account yet'}"
                )
            server_id = servers[0]
        if dmacc.by_server(self._tree, server_id) is None:
            raise Unknown(f"no account for server {server_id}; see 'scomoctl status'")
        return asdict(await self._scheduler.run_now(server_id))

    def answer(self, operation_id: int, *, is_accepted: bool) -> None:
        """Answer the prompt of an operation; raises `Unknown` if none waits."""
        self._confirmations.answer(operation_id, is_accepted=is_accepted)

    def bootstrap(self, document: bytes, sec: str, mac: str, pin: Secret) -> list[str]:
        """Make accounts from a bootstrap document; returns server ids.

        Raises `WrongPin`, `Refused`.
        """
        return self._enrolment.document(document, sec, mac, pin)

    def want_session(self, server_id: str) -> None:
        """Ask for a session that nobody waits for."""
        self._scheduler.want(Wish(server_id=server_id, is_kept=True))

    def tree_children(self, uri: str) -> list[str]:
        """Give the names below an interior node."""
        self._node(uri)
        return self._tree.children(uris.as_typed(uri))

    def tree_node(self, uri: str) -> Record:
        """Give one node; secrets are never shown (I19)."""
        node = self._node(uri)
        path = uris.as_typed(uri)
        return {
            "uri": path,
            "format": str(node.format),
            "type": node.type,
            "acl": node.acl,
            "value": SHOWN if is_secret_uri(path) else self._tree.value(path) or "",
        }

    def traces(self) -> list[Record]:
        """Give the sessions of which a trace is kept, oldest first."""
        return self._traces.all()

    def trace(self, number: int) -> Record:
        """Give one trace with its text."""
        return self._traces.one(number)

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
        if account.server_id in self.last_sessions:
            record["last_session"] = self.last_sessions[account.server_id]
        return record

    def _items(self, branch: Branch) -> list[str]:
        base = f"{self._scomo.root}/{branch}"
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
