# SPDX-License-Identifier: Apache-2.0
"""Fetching a signature that lies beside a package, before the package itself.

Without a proof nothing large is fetched.  Not whether the signature is right (`verify`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scomod import net, sigfile
from scomod.errors import DownloadError, Reason, VerifyError
from scomod.package import params_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.download.job import Fetcher, FetchRequest, FetchResult
    from scomod.operation import Operation
    from scomod.settings import Verify


def is_wanted(operation: Operation, settings: Verify) -> bool:
    """Tell whether a signature is looked for beside the package of an operation."""
    if params_of(operation).signature:
        return False
    when = settings.fetch_signature
    return when == "always" or (when == "auto" and settings.signature == "required")


def fetch_signed(
    fetcher: Fetcher,
    request: FetchRequest,
    settings: Verify,
    progress: Callable[[int, int | None], None],
    is_cancelled: Callable[[], bool],
) -> FetchResult:
    """Fetch the signature beside a package, then the package.

    Raises `DownloadError`, and `VerifyError` where there is no signature that is needed,
    where what is there is none, or where the digest differs.
    """
    refusal = _fetch_signature(fetcher, request, settings, is_cancelled)
    if refusal is None:
        return fetcher.fetch(request, progress, is_cancelled)
    return _fetch_unsigned(fetcher, request, is_cancelled, refusal)


def _fetch_signature(
    fetcher: Fetcher, package: FetchRequest, settings: Verify, is_cancelled: Callable[[], bool]
) -> VerifyError | None:
    """Fetch what lies beside a package; gives the refusal where there is none that is needed."""
    request = replace(
        package,
        url=sigfile.url_of(package.url),
        mirrors=tuple(map(sigfile.url_of, package.mirrors)),
        types=(),
        max_descriptor_bytes=0,
        part=sigfile.path_of(package.part),
        sha256="",
        sha512="",
        size_bytes=None,
        max_bytes=settings.max_certificate_bytes,
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
        if settings.signature == "required":
            text = f"the package is not signed, and signatures are required: {error}"
            return VerifyError(Reason.SIGNATURE, text)
    return None


def _fetch_unsigned(
    fetcher: Fetcher,
    request: FetchRequest,
    is_cancelled: Callable[[], bool],
    refusal: VerifyError,
) -> FetchResult:
    """Fetch a descriptor, which may bring the signature; a package itself is refused at its head.

    Raises `refusal` for anything else than a descriptor.
    """
    from scomod.download.attempt import COMBINED, WrongType  # noqa: PLC0415 - most come without
    from scomod.download.descriptor import MEDIA_TYPE  # noqa: PLC0415 - as above

    if not request.max_descriptor_bytes:
        raise refusal
    try:
        asked = replace(request, types=(MEDIA_TYPE, *COMBINED))
        return fetcher.fetch(asked, lambda *_: None, is_cancelled)
    except WrongType as error:
        raise refusal from error
