# SPDX-License-Identifier: Apache-2.0
"""What went wrong between us and a server, as the errors of fetching: two tables.

Not the words for it (`mishap`), nor whether it is tried again (`patience`).
"""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from scomod import mishap, net
from scomod.errors import DownloadError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from requests import Response

# how talking failed -> reason, and whether trying again may help
FAILURES: Final[Mapping[mishap.Failure, tuple[Reason, bool]]] = {
    mishap.Failure.UNREACHABLE: (Reason.UNREACHABLE, True),
    mishap.Failure.TIMEOUT: (Reason.TIMEOUT, True),
    mishap.Failure.BROKEN: (Reason.SERVER_UNAVAILABLE, True),
    mishap.Failure.REFUSED: (Reason.REFUSED_BY_SERVER, False),
    mishap.Failure.UNTRUSTED: (Reason.INSECURE_URL, False),
    mishap.Failure.UNTIMELY: (Reason.INSECURE_URL, True),
}
# what the server answered -> the same; the rest is in `refusal_of`
STATUSES: Final[Mapping[int, tuple[Reason, bool]]] = {
    HTTPStatus.UNAUTHORIZED: (Reason.UNAUTHORISED, False),
    HTTPStatus.FORBIDDEN: (Reason.UNAUTHORISED, False),
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: (Reason.UNAUTHORISED, False),
    HTTPStatus.REQUEST_TIMEOUT: (Reason.SERVER_UNAVAILABLE, True),
    HTTPStatus.TOO_MANY_REQUESTS: (Reason.SERVER_UNAVAILABLE, True),
    HTTPStatus.SERVICE_UNAVAILABLE: (Reason.SERVER_UNAVAILABLE, True),
}
WANTS_LOGIN: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
# Stores of objects say 403 of what they do not have to those who may not list them.
ABSENT: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


def failure_of(error: Exception, url: str) -> DownloadError:
    """Return the error for a connection that could not be made, or broke."""
    failure, text = mishap.explain(error, url)
    reason, is_retryable = FAILURES[failure]
    return DownloadError(reason, text, is_retryable=is_retryable)


@contextmanager
def explained(failure: Callable[[Exception], DownloadError]) -> Iterator[None]:
    """Turn what asking a web server raises into `DownloadError`.

    `failure` gives the one for what the network did.
    """
    try:
        yield
    except net.ClockNotSet as error:
        raise DownloadError(Reason.INSECURE_URL, str(error), is_retryable=True) from error
    except net.AccessRefused as error:
        raise DownloadError(Reason.INSECURE_URL, str(error)) from error
    except net.RedirectRefused as error:
        raise DownloadError(Reason.REFUSED_BY_SERVER, str(error)) from error
    except mishap.network_errors() as error:
        raise failure(error) from error


def refusal_of(response: Response) -> DownloadError:
    """Return the error for an answer that brings no file."""
    status = response.status_code
    others = (Reason.REFUSED_BY_SERVER, False)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        others = (Reason.SERVER_ERROR, True)
    reason, is_retryable = STATUSES.get(status, others)
    text = f"{net.shown(response.url)}: the server answered HTTP {status}"
    if status in WANTS_LOGIN:
        host = urlsplit(response.url).hostname
        text += f'; a login, or a certificate, for it is a key of [source."{host}"]'
    elif status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        text += "; a login for a proxy is proxy_login_file"
    wait_s = net.retry_after_s(response.headers)
    return DownloadError(
        reason,
        text,
        is_retryable=is_retryable,
        retry_after_s=wait_s,
        is_absent=status in ABSENT,
    )
