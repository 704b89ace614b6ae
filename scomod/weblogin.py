# SPDX-License-Identifier: Apache-2.0
"""Our login at a web server that has packages: Basic (RFC 7617) or Digest (RFC 7616), as it asks.

Not for DM servers, whose accounts say what they want (`dmclient.httpauth`), and not for
proxies.  Nothing is sent before the server asked; a session that has this login is for one
host only.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from requests.auth import HTTPBasicAuth, HTTPDigestAuth

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from scomod.secret import Secret

UNAUTHORISED = 401


class WebLogin(HTTPDigestAuth):
    """Answers a challenge with `user:password`; once known, the answer goes along at once."""

    def __init__(self, login: Secret) -> None:
        user, _, password = login.reveal().partition(":")
        super().__init__(user, password)
        # octets: the library would write a text as Latin-1
        self._basic: Any = HTTPBasicAuth(user.encode(), password.encode())
        self._digest: Any = super().__call__
        self._retried: Any = super().handle_401
        self._is_basic = False

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """Put in what is known by now."""
        made: PreparedRequest = self._basic(r) if self._is_basic else self._digest(r)
        return made

    def handle_401(self, r: Response, **kwargs: Any) -> Response:
        """Ask again with what the server wants."""
        answer: Response
        if r.status_code != UNAUTHORISED:
            answer = self._retried(r, **kwargs)
            return answer
        # its body is of no use, and may have no end
        r.raw.close()
        r.raw = BytesIO()
        schemes = r.headers.get("WWW-Authenticate", "").lower()
        if "digest" in schemes or "basic" not in schemes:
            answer = self._retried(r, **kwargs)
            return answer
        self._is_basic = True
        asked = self._basic(r.request.copy())
        answer = r.connection.send(asked, **kwargs)
        answer.history.append(r)
        answer.request = asked
        return answer
