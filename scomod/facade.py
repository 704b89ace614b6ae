# SPDX-License-Identifier: Apache-2.0
"""What the edges (D-Bus, command line) may ask of a running daemon: the seam, no code.

All values are what JSON can carry, so that D-Bus, `--json` and the documents
agree.  `daemon.py` implements it, `bus.py` exports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from scomod.errors import ScomodError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.secret import Secret

Record = dict[str, Any]


class Refused(ScomodError):  # noqa: N818
    """The daemon will not do that now; the text says why and what to do."""


class AccessDenied(ScomodError):  # noqa: N818
    """The caller may not do that; the text says who may."""


class WrongPin(Refused):
    """The document is sealed with another PIN; it may be tried again."""


class Unknown(ScomodError):  # noqa: N818
    """No such server, operation, prompt or node."""


class Facade(Protocol):
    """Implemented by the daemon."""

    def status(self) -> Record:
        """Version, device id, servers, running session, what is live and what waits."""

    def inventory(self) -> Record:
        """`deployed`, `delivered` and `download`, each a list of records."""

    async def baseline(self) -> Record:
        """Give the build that the device left the factory with, and what has changed since."""

    def reasons(self, operation_id: int) -> Record:
        """Why nothing happens now, and what will by itself.

        It is about one operation or (0) all that are live and all servers.  Raises `Unknown`.
        """

    async def plan(self, operation_id: int) -> Record:
        """Say what would happen next with one operation or (0) with all that are live.

        Tools of backends may be asked, so it takes a moment.  Raises `Unknown`.
        """

    async def checkup(self) -> list[Record]:
        """Whether all is well: a finding for each thing that was looked at."""

    def operations(self) -> list[Record]:
        """All operations of the journal, oldest first."""

    def one_operation(self, operation_id: int) -> Record:
        """One operation with all that is kept of it; raises `Unknown`."""

    def history(self) -> list[Record]:
        """All operations that are over, each with all that is kept of it, oldest first."""

    async def request(self, kind: str, component: str, server_id: str) -> Record:
        """Ask a server for an update and return what it answered.

        `kind` is "user" or "device", the component may be "" for whatever there is, the
        server "" for the only account.  A session runs meanwhile, so call it without a
        timeout.  Raises `Unknown`, `Refused`.
        """

    def prompts(self) -> list[Record]:
        """Questions that wait for a person."""

    async def run_session(self, server_id: str) -> Record:
        """Run one session and return how it ended, so call it without a timeout.

        The server may be "" for the only account.  Raises `Unknown` for a foreign one.
        """

    def answer(self, operation_id: int, *, is_accepted: bool, by: str) -> None:
        """Answer the prompt of an operation for somebody; raises `Unknown` if none waits."""

    def defer(self, operation_id: int, when: str, *, by: str) -> float:
        """Defer the prompt of an operation and return when it comes again.

        `when` is "tonight", a time of the day ("22:00") or a while ("90s", "30m", "1h", "2d");
        the deadline comes first.  Raises `Unknown` if none waits, `Refused` if it cannot be
        deferred, or not so.
        """

    def cancel(self, operation_id: int, *, by: str) -> str:
        """Cancel an operation and say how.

        It is "cancelled" (nothing was changed yet), "undone" (what was changed is taken back)
        or "withdrawn" (the installing side had not begun).  Raises `Unknown`, and
        `Refused` where it is too late.
        """

    def bootstrap(self, document: bytes, sec: str, mac: str, pin: Secret) -> list[str]:
        """Make accounts from a bootstrap document and return the ids of their servers.

        `sec` and `mac` are the parameters that it came with, "" for none, `pin` what the
        person entered, if that is needed.  Raises `WrongPin`, `Refused`.
        """

    def push(self, kind: str, octets: bytes, sender: str) -> None:
        """Take what a program with a modem of its own received from `sender`.

        `kind` is "push" for a WAP push from its transaction id on, "sms" for the user data of
        a short message, header first, whose parts are put together; the sender is for the
        log.  Raises `Refused` for octets that are neither; what becomes of a push is in the
        log.
        """

    async def install(self, file: int, signature: bytes, what: Record, *, by: str) -> int:
        """Take a package that somebody at the device hands in and return its operation.

        `file` is open for reading and stays the caller's, `signature` what lies in the file
        beside it; `what` has the "name" of the file, and may have a "kind" ("deb", "ipk",
        "flatpak", "bundle", else what the name says) and a "server" (else the only account).
        The answer comes when it is copied and judged, so call it without a timeout.  Raises
        `Unknown`, `Refused`.
        """

    def tree_children(self, uri: str) -> list[str]:
        """Names below an interior node."""

    def tree_node(self, uri: str) -> Record:
        """One node; secrets read "***", of a value that is kept in a file only the length."""

    def tree_octets(self, uri: str, offset: int) -> bytes:
        """Give a piece of the value of a leaf from an offset on, nothing at its end.

        Raises `Unknown`, and `Refused` for secrets and interior nodes.
        """

    def traces(self) -> list[Record]:
        """Sessions of which a trace is kept, oldest first, without its text."""

    def trace(self, number: int) -> Record:
        """One of them with its text; raises `Unknown` where it is not kept."""


class AgentPort(Protocol):
    """How the daemon reaches the person at the device."""

    def is_present(self) -> bool:
        """Tell whether an agent is registered."""

    def identity(self) -> str:
        """Say who the agent is, for the history."""

    async def ask(self, prompt: Mapping[str, Any]) -> bool:
        """Show a prompt, return whether it was accepted; raises `AgentGone`, `Deferred`.

        Cancelled, it takes the prompt off the screen.
        """

    def inform(self, prompt: Mapping[str, Any]) -> None:
        """Tell without asking."""

    def completed(self, operation: Mapping[str, Any]) -> None:
        """Tell how an operation ended."""


class AlertPort(Protocol):
    """How the daemon shows user alerts of servers to the person at the device."""

    def is_present(self) -> bool:
        """Tell whether an agent is registered."""

    async def show(self, method: str, alert: Mapping[str, Any]) -> Any:
        """Put a user alert to the agent by one of its methods; returns what that replies.

        None for Display, bool for Confirm, str for Input, list[int] for Choose.
        Raises `AgentGone`, `Cancelled`, `NotShown`.
        """


class AgentGone(ScomodError):  # noqa: N818
    """The agent left, failed or gave no answer."""


class Deferred(ScomodError):  # noqa: N818
    """The person wants to be asked later; `when` is in the words of `daytime.until_s`."""

    def __init__(self, when: str) -> None:
        super().__init__(f"deferred: {when}")
        self.when = when


class Cancelled(ScomodError):  # noqa: N818
    """The person cancelled a user alert."""


class NotShown(ScomodError):  # noqa: N818
    """The agent has no means to show this kind of user alert."""
