# SPDX-License-Identifier: Apache-2.0
"""What the commands of `scomod-lab` ask a running bench, through its admin interface (`api`).

The bench is found by the file `url` in its directory; it trusts this machine, and this side
trusts the bench's own authority alone.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scomod.errors import ScomodError
from scomod.lab.packages import delta_params, payload_of
from scomod.lab.pki import Pki

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

URL_FILE: Final = "url"
TOKEN_FILE: Final = "token"  # noqa: S105 - the name of the file
TIMEOUT_S: Final = 30.0


class BenchError(ScomodError):
    """The bench cannot be reached or refuses; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Admin:
    """The bench that runs in a directory."""

    directory: Path

    @property
    def pki(self) -> Pki:
        """The keys of the bench."""
        return Pki(self.directory / "pki")

    @property
    def base_url(self) -> str:
        """What devices reach it under; raises `BenchError` where none runs."""
        try:
            return str((self.directory / URL_FILE).read_text())
        except FileNotFoundError as error:
            raise BenchError(
                f"no bench runs in {self.directory}: start it with 'scomod-lab serve', or say --dir"
            ) from error

    @contextlib.contextmanager
    def announced(self, base_url: str, token: str) -> Iterator[None]:
        """Have a bench found by these commands as long as it runs."""
        url_file, token_file = self.directory / URL_FILE, self.directory / TOKEN_FILE
        token_file.unlink(missing_ok=True)  # of a bench that was killed
        if token:
            token_file.touch(mode=0o600)
            token_file.write_text(token)
        url_file.write_text(base_url)
        try:
            yield
        finally:
            url_file.unlink(missing_ok=True)
            token_file.unlink(missing_ok=True)

    def _proof(self) -> dict[str, str]:
        """Show the token of a bench that other machines can reach."""
        try:
            return {"Authorization": f"Bearer {(self.directory / TOKEN_FILE).read_text()}"}
        except FileNotFoundError:
            return {}

    def call(self, path: str, body: Any = None) -> Any:
        """Return the JSON that a request gives: GET, or POST with a body.  Raises `BenchError`."""
        return json.loads(self.fetch(path, body))

    def fetch(self, path: str, body: Any = None) -> bytes:
        """Ask the running bench; raises `BenchError` if it is not there or refuses."""
        request = urllib.request.Request(  # noqa: S310 - the URL is our own file's, https
            f"{self.base_url}/api/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **self._proof()},
        )
        context = self.pki.client_context()
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as response:  # noqa: S310
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode("utf-8", "replace")
            with contextlib.suppress(ValueError, KeyError, TypeError):
                text = json.loads(text)["error"]
            raise BenchError(text) from error
        except urllib.error.URLError as error:
            raise BenchError(f"no bench at {request.full_url}: {error.reason}") from error

    def publish(self, archive: Path, older: Path | None = None) -> dict[str, str]:
        """Copy a package to where it is served, and say what an order must tell of it.

        With `older` a delta to it is served and offered too.
        """
        served, url = self.directory / "packages", f"{self.base_url}/packages"
        target = served / archive.name
        payload = payload_of(archive, self.pki)
        if not target.exists() or not target.samefile(archive):
            shutil.copyfile(archive, target)
        params = payload.order_params(f"{url}/{archive.name}")
        if older is not None:
            params["params"] += f";{delta_params(older, archive, served, url)}"
        return params
