"""Fetching a package and its signature: what is asked, and which failures are tried again.

What lies at PkgURL may be a download descriptor (scomo §6.4): then what it describes is
fetched by a step of its own, right after.

Which failures time may heal the fetcher says (404 is final, 503 is not); how long to
wait, and how often, is decided here.  A fetch that is interrupted leaves its part.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scomod import net, sigfile
from scomod.download.job import FetchRequest
from scomod.errors import DownloadError, InstallerError, Reason, VerifyError
from scomod.installers import registry
from scomod.installers.kinds import backend_name
from scomod.operation import StepKind
from scomod.package import (
    DESCRIBED_BYTES,
    DESCRIBED_TYPES,
    announced_bytes,
    backend_of,
    described_types,
    params_of,
)
from scomod.stepresult import Done, Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scomod.download.job import Fetcher, FetchResult
    from scomod.download.spool import Spool
    from scomod.installers.kinds import Kind
    from scomod.operation import Operation
    from scomod.settings import Download, Paths, Settings
    from scomod.stepresult import StepResult

GROWTH: Final = 2.0
# What servers say of a file whose type they do not know.
_UNTOLD: Final = ("application/octet-stream", "")


class Acquiring:
    """The acquire step; `on_progress(operation_id, octets, total)` is told from a thread."""

    def __init__(
        self,
        *,
        settings: Settings,
        paths: Paths,
        open_fetcher: Callable[[], Fetcher],
        spool: Spool,
        on_progress: Callable[[int, int, int | None], None],
    ) -> None:
        self._settings = settings
        self._paths = paths
        self._open_fetcher = open_fetcher
        self._spool = spool
        self._on_progress = on_progress
        self._interrupted: set[int] = set()
        self._is_stopping = False

    def stop(self) -> None:
        """End a running fetch soon, and let none begin; part files stay."""
        self._is_stopping = True

    def interrupt(self, operation_id: int) -> None:
        """End the fetch of one operation soon."""
        self._interrupted.add(operation_id)

    async def do(self, operation: Operation) -> StepResult:
        """Fetch; raises `DownloadError`, or `VerifyError` where the digest differs."""
        request = self._request(operation)
        self._interrupted.discard(operation.id)

        def progress(done: int, total: int | None) -> None:
            self._on_progress(operation.id, done, total)

        def is_cancelled() -> bool:
            return self._is_stopping or operation.id in self._interrupted

        def fetch() -> FetchResult:
            fetcher = self._open_fetcher()
            if not self._wants_signature(operation):
                return fetcher.fetch(request, progress, is_cancelled)
            refusal = self._fetch_signature(fetcher, request, is_cancelled)
            if refusal is None:
                return fetcher.fetch(request, progress, is_cancelled)
            return _fetch_unsigned(fetcher, request, is_cancelled, refusal)

        try:
            result = await asyncio.to_thread(fetch)
        except DownloadError as error:
            limits = self._settings.download
            if not error.is_retryable or operation.attempts >= limits.attempts_count:
                raise
            return Retry(after_s=wait_s(error, operation.attempts, limits), error=error)
        if result.is_descriptor:
            return self._described(operation)
        return Done(data={"sha256": result.sha256, "size": result.size_bytes})

    def _described(self, operation: Operation) -> Done:
        """Read the descriptor that was fetched, and go on with what it describes.

        What the server said itself comes before what its descriptor says (scomo §6.1).
        Raises `BadDescriptor`, and `InstallerError(UNSUPPORTED_ENV)` for another kind of package.
        """
        from scomod.download import descriptor  # noqa: PLC0415 - most packages come without

        subject, part = operation.subject, self._spool.part(operation.id)
        found = descriptor.parse(
            part.read_bytes(),
            base_url=subject.url,
            max_params_bytes=self._settings.scomo.max_params_bytes,
        )
        if found.size_bytes > self._settings.download.max_bytes:
            text = f"{found.size_bytes} octets, {self._settings.download.max_bytes} are allowed"
            raise DownloadError(Reason.TOO_LARGE, text)
        kinds = registry.kinds(self._settings.install, self._paths)
        kind = _fitting(operation, found.types, kinds)
        described = replace(
            subject,
            url=found.object_uri,
            install_params=subject.install_params or found.install_param,
            name=subject.name or found.name,
            description=subject.description or found.description,
            pkg_type=subject.pkg_type or kind,
        )
        self._spool.discard(operation.id)
        return Done(
            data={DESCRIBED_BYTES: found.size_bytes, DESCRIBED_TYPES: found.types},
            then=(StepKind.ACQUIRE,),
            subject=described,
        )

    def _wants_signature(self, operation: Operation) -> bool:
        if params_of(operation).signature:
            return False
        when = self._settings.verify.fetch_signature
        return when == "always" or (when == "auto" and self._is_signature_required)

    @property
    def _is_signature_required(self) -> bool:
        return self._settings.verify.signature == "required"

    def _fetch_signature(
        self, fetcher: Fetcher, package: FetchRequest, is_cancelled: Callable[[], bool]
    ) -> VerifyError | None:
        """Fetch what lies beside a package, first: without a proof nothing large is fetched.

        Gives the refusal where there is none that is needed.  Raises `VerifyError(SIGNATURE)`
        where what is there is none.
        """
        request = replace(
            package,
            url=sigfile.url_of(package.url),
            types=(),
            max_descriptor_bytes=0,
            part=sigfile.path_of(package.part),
            sha256="",
            size_bytes=None,
            max_bytes=self._settings.verify.max_certificate_bytes,
        )
        try:
            fetcher.fetch(request, lambda *_: None, is_cancelled)
            sigfile.read(request.part.read_bytes())
        except DownloadError as error:
            if error.reason is Reason.TOO_LARGE:
                text = f"{net.shown(request.url)} is no signature: {error}"
                raise VerifyError(Reason.SIGNATURE, text) from error
            if not error.is_absent:
                raise
            request.part.unlink(missing_ok=True)
            if self._is_signature_required:
                text = f"the package is not signed, and signatures are required: {error}"
                return VerifyError(Reason.SIGNATURE, text)
        return None

    def _request(self, operation: Operation) -> FetchRequest:
        limits, transport = self._settings.download, self._settings.transport
        ca_file = limits.ca_file or transport.ca_file
        proxy, login_file = net.chosen_proxy(limits, transport)
        types = described_types(operation)
        return FetchRequest(
            url=operation.subject.url,
            part=self._spool.part(operation.id),
            sha256=params_of(operation).sha256,
            size_bytes=announced_bytes(operation),
            types=(*types, *_UNTOLD) if types else (),
            max_bytes=limits.max_bytes,
            max_descriptor_bytes=0 if types else limits.max_descriptor_bytes,
            reserve_bytes=limits.reserve_bytes,
            connect_timeout_s=limits.connect_timeout_s,
            idle_timeout_s=limits.idle_timeout_s,
            total_timeout_s=limits.total_timeout_s,
            allow_http=transport.allow_http,
            ca_file=str(self._paths.below_root(ca_file)) if ca_file else "",
            proxy=proxy,
            proxy_login_file=str(self._paths.below_root(login_file)) if login_file else "",
        )


def _fetch_unsigned(
    fetcher: Fetcher,
    request: FetchRequest,
    is_cancelled: Callable[[], bool],
    refusal: VerifyError,
) -> FetchResult:
    """Fetch a descriptor, which may bring the signature; a package itself is refused at its head.

    Raises `refusal` for anything else than a descriptor.
    """
    from scomod.download.descriptor import MEDIA_TYPE  # noqa: PLC0415 - most come without
    from scomod.download.http import WrongType  # noqa: PLC0415 - brings requests

    if not request.max_descriptor_bytes:
        raise refusal
    try:
        asked = replace(request, types=(MEDIA_TYPE,))
        return fetcher.fetch(asked, lambda *_: None, is_cancelled)
    except WrongType as error:
        raise refusal from error


def _fitting(operation: Operation, types: Sequence[str], kinds: Sequence[Kind]) -> str:
    """Return the first of the types that is of the kind the server ordered.

    Raises `InstallerError(UNSUPPORTED_ENV)` where none is (DLOTA's 953).
    """
    backend = backend_of(operation, kinds)
    for kind in types:
        with contextlib.suppress(InstallerError):
            if backend_name(operation.subject.environment, kind, kinds) == backend:
                return kind
    raise InstallerError(
        Reason.UNSUPPORTED_ENV, f"the package is {', '.join(types)!r:.200}, not for {backend}"
    )


def wait_s(error: DownloadError, attempts: int, limits: Download) -> float:
    """Return the wait before the next try: doubling, or what the server asked for if longer."""
    own_s = limits.retry_wait_s * GROWTH ** (attempts - 1)
    return max(own_s, min(error.retry_after_s, limits.retry_after_max_s))
