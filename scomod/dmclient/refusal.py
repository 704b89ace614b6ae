# SPDX-License-Identifier: Apache-2.0
"""Answers over HTTP that bring no DM message, each with its sentence (omadm §6.1).

Not the failures of the network (`mishap`): here somebody answered.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from scomod import net
from scomod.errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Collection

    from requests import Response

# what a status means here
MEANINGS: Final = {
    HTTPStatus.NO_CONTENT: "an answer without a message",
    HTTPStatus.BAD_REQUEST: "it does not understand the request",
    HTTPStatus.UNAUTHORIZED: "it wants a login, or another one than the account's for HTTP",
    HTTPStatus.FORBIDDEN: "it does not let us in",
    HTTPStatus.NOT_FOUND: "nothing is at this address",
    HTTPStatus.METHOD_NOT_ALLOWED: "no DM server is at this address",
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: "the proxy wants a login, or another one",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "our message is too large for it",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "it does not take messages in this syntax",
    HTTPStatus.TOO_MANY_REQUESTS: "we come too often",
    HTTPStatus.INTERNAL_SERVER_ERROR: "an error of the server",
    HTTPStatus.BAD_GATEWAY: "the server behind it does not answer",
    HTTPStatus.SERVICE_UNAVAILABLE: "it is overloaded or being worked on",
    HTTPStatus.GATEWAY_TIMEOUT: "the server behind it does not answer",
    HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED: "this network wants a login first",
}
PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
PAGE: Final = "text/html"
PLAIN: Final = frozenset({"", "identity"})


def check_status(response: Response) -> None:
    """Raise `TransportError` for any status but 200, with what it asks us to wait."""
    status = response.status_code
    if status == HTTPStatus.OK:
        return
    text = f"{net.shown(response.url)}: the server answered HTTP {status}"
    if status in MEANINGS:
        text += f": {MEANINGS[HTTPStatus(status)]}"
    is_passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in PASSING
    raise TransportError(
        text,
        is_retryable=is_passing,
        retry_after_s=net.retry_after_s(response.headers) if is_passing else 0.0,
    )


def check_encoding(response: Response) -> None:
    """Raise `TransportError` for a compressed body: we did not ask for it, and do not unpack it."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in PLAIN:
        text = f"{net.shown(response.url)}: the answer is compressed ({encoding[:20]})"
        raise TransportError(f"{text}, which we do not take", is_retryable=False)


def checked_type(response: Response, expected: Collection[str]) -> str:
    """Return the media type, lower case, without parameters; raises `TransportError` for others."""
    found = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if found in expected:
        return found
    text = f"{net.shown(response.url)}: the answer is no DM message but "
    if found == PAGE:
        # also what a network answers that wants somebody to log in: that passes
        raise TransportError(
            f"{text}a web page (of a network that wants a login?)", is_retryable=True
        )
    raise TransportError(f"{text}{found[:80] or 'of no type'}", is_retryable=False)
