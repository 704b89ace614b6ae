"""What each step does, undoes, and how it survives a crash (design §7, the step table).

Every `do` may be run twice: that is the whole recovery (I6).  Consent asks
again, acquire resumes its part file, verify reads only, install and the other
jobs are idempotent on the installing side, settle compares.  Failures are
raised as `OperationError`; the engine decides what follows.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from scomod import net
from scomod.download.job import FetchRequest
from scomod.errors import DownloadError, InstallerError, Reason
from scomod.installers.base import Action, Job
from scomod.installers.registry import backend_name
from scomod.ledger import component_ids
from scomod.mo.inventory import InventoryItem
from scomod.operation import Branch, Operation, Primitive, StepKind
from scomod.verify import (
    InstallParams,
    check_signature,
    parse_install_params,
    require_signature,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from scomod.confirm import Confirmations
    from scomod.download.job import Fetcher
    from scomod.download.spool import Spool
    from scomod.installers.base import InstalledItem, Runner
    from scomod.settings import Paths, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The step is over; `data` goes to the journal, `items` to the inventory."""

    data: Mapping[str, object] = field(default_factory=dict)
    items: tuple[InventoryItem, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """The step waits; it is done again when the engine is nudged, and after `again_s`."""

    again_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The step failed in a way that time may heal."""

    after_s: float
    error: DownloadError


StepResult = Done | Wait | Retry

ACTIONS: Final[Mapping[StepKind, Action]] = {
    StepKind.INSTALL: Action.INSTALL,
    StepKind.INSTALL_INACTIVE: Action.INSTALL_INACTIVE,
    StepKind.ACTIVATE: Action.ACTIVATE,
    StepKind.DEACTIVATE: Action.DEACTIVATE,
    StepKind.REMOVE: Action.REMOVE,
}

# What a person is asked (USA-4): what happens if the answer is yes.
MEANING: Final[Mapping[tuple[Branch, Primitive], str]] = {
    (Branch.DOWNLOAD, Primitive.DOWNLOAD): "download and keep",
    (Branch.DOWNLOAD, Primitive.DOWNLOAD_INSTALL): "download and install",
    (Branch.DOWNLOAD, Primitive.DOWNLOAD_INSTALL_INACTIVE): "download and install, switched off",
    (Branch.DELIVERED, Primitive.INSTALL): "install",
    (Branch.DELIVERED, Primitive.INSTALL_INACTIVE): "install, switched off",
    (Branch.DELIVERED, Primitive.REMOVE): "delete the downloaded package of",
    (Branch.DEPLOYED, Primitive.ACTIVATE): "switch on",
    (Branch.DEPLOYED, Primitive.DEACTIVATE): "switch off (and keep)",
    (Branch.DEPLOYED, Primitive.REMOVE): "remove from this device",
    (Branch.DEPLOYED, Primitive.START): "start",
    (Branch.DEPLOYED, Primitive.STOP): "stop",
}
SIZE_DIGITS: Final = 15


class Steps:
    """The steps, gluing download, verification and installers."""

    def __init__(
        self,
        *,
        settings: Settings,
        paths: Paths,
        open_fetcher: Callable[[], Fetcher],
        spool: Spool,
        runner: Runner,
        confirmations: Confirmations,
        server_name: Callable[[str], str],
        on_progress: Callable[[int, int, int | None], None],
    ) -> None:
        self._settings = settings
        self._paths = paths
        self._open_fetcher = open_fetcher
        self._spool = spool
        self._runner = runner
        self._confirmations = confirmations
        self._server_name = server_name
        self._on_progress = on_progress
        self._is_stopping = False

    def stop(self) -> None:
        """End a running fetch soon; its part file stays."""
        self._is_stopping = True

    async def do(self, operation: Operation) -> StepResult:
        """Run the current step.  Raises `OperationError`."""
        step = operation.step
        if step in ACTIONS:
            return await self._job(operation)
        if step is StepKind.CONSENT:
            return self._consent(operation)
        if step is StepKind.ACQUIRE:
            return await self._acquire(operation)
        if step is StepKind.SETTLE:
            return Done(items=await self.inventory())
        return await asyncio.to_thread(self._file_step, operation)

    async def undo(self, operation: Operation, step: StepKind) -> None:
        """Take back one step; steps that leave nothing have nothing to take back."""
        if step in (StepKind.ACQUIRE, StepKind.VERIFY, StepKind.DELIVER):
            await asyncio.to_thread(self._spool.discard, operation.id)
        elif step in (StepKind.INSTALL, StepKind.INSTALL_INACTIVE) and operation.step is not step:
            # Only a later step can have failed: a failed install has undone itself.
            for component_id in component_ids(operation):
                await self._runner.run(self._removal(operation, component_id))

    def forget(self, operation: Operation) -> None:
        """Let go of what was kept for a finished operation."""
        self._spool.discard(operation.id)
        for step in operation.plan:
            if step in ACTIONS:
                self._runner.forget(_job_id(operation, step))

    async def inventory(self) -> tuple[InventoryItem, ...]:
        """Return what is installed, in the words of the tree."""
        return tuple(_items(await asyncio.to_thread(self._runner.inventory)))

    # -- the steps, in the order of the plans ---------------------------------

    def _consent(self, operation: Operation) -> StepResult:
        _backend(operation)  # an unsupported environment is refused before anybody is asked
        pending = self._confirmations.decide(operation.id, self._prompt(operation))
        return Done() if pending is None else Wait(again_s=pending.again_s)

    def _prompt(self, operation: Operation) -> dict[str, Any]:
        """Say what is asked: what, how big, who asks (USA-4)."""
        subject = operation.subject
        prompt: dict[str, Any] = {
            "operation": operation.id,
            "primitive": str(operation.primitive),
            "what": MEANING[operation.branch, operation.primitive],
            "name": subject.name or subject.pkg_id or subject.component_id,
            "description": subject.description,
            "version": subject.version,
            "server": operation.server_id,
            "server_name": self._server_name(operation.server_id),
            "url": subject.url,
        }
        size = _size(operation)
        if size is not None:
            prompt["size"] = size
        return prompt

    async def _acquire(self, operation: Operation) -> StepResult:
        request = self._request(operation)

        def progress(done: int, total: int | None) -> None:
            self._on_progress(operation.id, done, total)

        try:
            result = await asyncio.to_thread(
                self._open_fetcher().fetch, request, progress, lambda: self._is_stopping
            )
        except DownloadError as error:
            limits = self._settings.download
            if error.is_retryable and operation.attempts < limits.attempts_count:
                return Retry(after_s=limits.retry_wait_s, error=error)
            raise
        return Done(data={"sha256": result.sha256, "size": result.size_bytes})

    def _request(self, operation: Operation) -> FetchRequest:
        limits, transport = self._settings.download, self._settings.transport
        ca_file = limits.ca_file or transport.ca_file
        proxy, login_file = net.chosen_proxy(limits, transport)
        return FetchRequest(
            url=operation.subject.url,
            part=self._spool.part(operation.id),
            sha256=_params(operation).sha256,
            size_bytes=_size(operation),
            max_bytes=limits.max_bytes,
            reserve_bytes=limits.reserve_bytes,
            connect_timeout_s=limits.connect_timeout_s,
            idle_timeout_s=limits.idle_timeout_s,
            total_timeout_s=limits.total_timeout_s,
            allow_http=transport.allow_http,
            ca_file=str(self._paths.below_root(ca_file)) if ca_file else "",
            proxy=proxy,
            proxy_login_file=str(self._paths.below_root(login_file)) if login_file else "",
        )

    def _file_step(self, operation: Operation) -> StepResult:
        """Run a step that only touches files."""
        if operation.step is StepKind.VERIFY:
            self._verify(operation)
        elif operation.step is StepKind.DELIVER:
            self._spool.promote(self._spool.part(operation.id), _digest(operation))
        return Done()

    def _verify(self, operation: Operation) -> None:
        """Check the signature over the digest that the fetch computed on the way."""
        policy, params = self._settings.verify, _params(operation)
        require_signature(params.signature, is_required=policy.signature == "required")
        if params.signature:
            key_dir = self._paths.below_root(policy.key_dir)
            check_signature(_digest(operation), params.signature, key_dir)

    async def _job(self, operation: Operation) -> StepResult:
        step = operation.step
        action = ACTIONS[step]
        is_install = action in (Action.INSTALL, Action.INSTALL_INACTIVE)
        payload = self._payload(operation) if is_install else None
        result = await self._runner.run(
            Job(
                id=_job_id(operation, step),
                backend=_backend(operation),
                action=action,
                component_id=operation.subject.component_id,
                package_id=operation.subject.pkg_id,
                payload=str(payload or ""),
                digest=_digest(operation) if is_install else "",
                signature=_params(operation).signature,
                params=operation.subject.install_params,
                keep_payload=operation.branch is Branch.DELIVERED,
            )
        )
        if not result.is_ok:
            raise InstallerError(_reason(result.reason), result.detail)
        return Done(data={"components": [item.id for item in result.components]})

    def _payload(self, operation: Operation) -> Path:
        if operation.branch is Branch.DELIVERED:
            return self._paths.delivered_dir / _digest(operation)
        return self._spool.part(operation.id)

    def _removal(self, operation: Operation, component_id: str) -> Job:
        return Job(
            id=f"{_job_id(operation, StepKind.INSTALL)}-undo",
            backend=_backend(operation),
            action=Action.REMOVE,
            component_id=component_id,
        )


def _params(operation: Operation) -> InstallParams:
    return parse_install_params(operation.subject.install_params)


def _size(operation: Operation) -> int | None:
    """Return the size of the payload in octets, if the server announced it."""
    text = _params(operation).rest.get("size", "")
    return int(text) if text.isdecimal() and len(text) <= SIZE_DIGITS else None


def _backend(operation: Operation) -> str:
    return backend_name(operation.subject.environment, operation.subject.pkg_type)


def _digest(operation: Operation) -> str:
    return operation.subject.digest or str(operation.data.get("sha256", ""))


def _job_id(operation: Operation, step: StepKind) -> str:
    """Return an id that no other operation has, even after the database was lost."""
    return f"{operation.id}-{int(operation.created_s * 1000):x}-{step.replace(' ', '-')}"


def _reason(text: str) -> Reason:
    return Reason(text) if text in set(Reason) else Reason.INTERNAL


def _items(found: Iterable[InstalledItem]) -> Iterable[InventoryItem]:
    for item in found:
        yield InventoryItem(
            id=item.id,
            version=item.version,
            environment=item.environment,
            is_active=item.is_active,
            name=item.name,
            description=item.description,
            pkg_id_ref=item.package_id,
        )
