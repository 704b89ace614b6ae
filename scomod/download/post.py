# SPDX-License-Identifier: Apache-2.0
"""Posts a few octets to a web server and looks at nothing of the answer but its head.

Blocking, meant for a thread.  One call is one try; where it may go, whom it trusts and how
a failure is called are as in fetching (`download.failures`).
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from scomod import net
from scomod.download.failures import explained, failure_of, refusal_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from scomod.settings import Settings
    from scomod.wire import Line

CONTENT_TYPE: Final = "text/plain; charset=us-ascii"


class Poster:
    """Posts to the hosts that packages come from; `access` says of each how it is reached."""

    def __init__(
        self, settings: Settings, access: Callable[[str], net.Access], user_agent: str
    ) -> None:
        self._limits = settings.download
        self._allow_http = settings.transport.allow_http
        self._access = access
        self._user_agent = user_agent

    def post(self, url: str, body: bytes) -> None:
        """Send a body; redirects are followed with it.  Raises `DownloadError`."""
        with ExitStack() as lines:

            def send(address: str) -> Response:
                line = lines.enter_context(self._open_line(address))
                return self._send(lines, line, address, body)

            with explained(partial(failure_of, url=url)):
                response = net.follow(
                    url, send, redirects=net.REDIRECTS, allow_http=self._allow_http
                )
            with closing(response):
                # 303 leads to something to be read: what was posted has been taken
                is_taken = response.ok and response.status_code not in net.REDIRECTS
                if not is_taken and response.status_code != HTTPStatus.SEE_OTHER:
                    raise refusal_of(response)

    def _open_line(self, url: str) -> Line:
        return net.open_line(
            self._access(urlsplit(url).hostname or ""),
            {"Accept": "*/*", "User-Agent": self._user_agent, "Content-Type": CONTENT_TYPE},
        )

    def _send(self, lines: ExitStack, line: Line, url: str, body: bytes) -> Response:
        limits = self._limits
        timeout_s = (limits.connect_timeout_s, limits.idle_timeout_s)
        # a header that comes drop by drop escapes the timeout of single reads
        lines.enter_context(line.limited(sum(timeout_s)))
        return line.post(url, data=body, stream=True, allow_redirects=False, timeout=timeout_s)
