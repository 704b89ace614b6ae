# SPDX-License-Identifier: Apache-2.0
"""The exception tree: types and reasons, no behaviour and no OMA numbers.

What an error means to the DM server is decided in one place, `outcome.py`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ScomodError(Exception):
    """Root of all errors this project raises on purpose."""


class ConfigError(ScomodError):
    """The configuration cannot be used; says file, key and what is allowed."""


class StoreError(ScomodError):
    """The database or the disk below it failed."""


class StoreFull(StoreError):  # noqa: N818 - a condition, named as the standard library names BlockingIOError
    """No room left for the database."""


class ProtocolError(ScomodError):
    """Somebody broke the rules of the protocol."""


class LocalProtocolError(ProtocolError):
    """We did: a bug of ours."""


class RemoteProtocolError(ProtocolError):
    """The peer did."""


class DecodeError(RemoteProtocolError):
    """Bytes that are no message; `offset` is where reading stopped, if known."""

    def __init__(self, text: str, offset: int | None = None) -> None:
        super().__init__(text if offset is None else f"{text} (at octet {offset})")
        self.offset = offset


class LimitExceeded(RemoteProtocolError):  # noqa: N818
    """Something from outside is larger than a named limit."""

    def __init__(self, limit: str, value: int) -> None:
        super().__init__(f"{limit} exceeded: {value}")
        self.limit = limit
        self.value = value


class AuthError(ScomodError):
    """Credentials were refused, by either side."""


class TransportError(ScomodError):
    """The message exchange failed below the protocol; `is_retryable` tells if waiting may help.

    `retry_after_s` is how long the server asks us to stay away, 0 if it does not.
    """

    def __init__(self, text: str, *, is_retryable: bool, retry_after_s: float = 0.0) -> None:
        super().__init__(text)
        self.is_retryable = is_retryable
        self.retry_after_s = retry_after_s


class CommandError(ScomodError):
    """One DM command fails; the session goes on.

    `culprit` is the URI of the node that failed where that is not the one asked for.
    """

    culprit: str = ""


class NodeNotFound(CommandError):  # noqa: N818
    """The node, or something the command needs, does not exist."""


class NodeExists(CommandError):  # noqa: N818
    """Add on an existing node."""


class NotAllowed(CommandError):  # noqa: N818
    """The node's access type or kind excludes the command."""


class PermissionDenied(CommandError):  # noqa: N818
    """The ACL refuses."""


class Forbidden(CommandError):  # noqa: N818
    """Refused for a reason other than the ACL."""


class UriTooLong(CommandError):  # noqa: N818
    """A URI limit of DevDetail is exceeded."""


class BadRequest(CommandError):  # noqa: N818
    """The command is malformed."""


class BadFormat(CommandError):  # noqa: N818
    """Type or format the node does not take."""


class IncompleteCommand(CommandError):  # noqa: N818
    """An element the command needs is missing."""


class NotSupported(CommandError):  # noqa: N818
    """An optional feature we do not have."""


class NotImplementedCommand(CommandError):  # noqa: N818
    """A command element we do not know."""


class TooLarge(CommandError):  # noqa: N818
    """The object exceeds a size limit."""


class TooMuchToShow(CommandError):  # noqa: N818
    """A user alert is larger than what can be shown here."""


class DeviceFull(CommandError):  # noqa: N818
    """No storage for the value."""


class SizeMismatch(CommandError):  # noqa: N818
    """A large object is not as long as its first chunk said."""


class StorageFailed(CommandError):  # noqa: N818
    """The file of a long value cannot be written or read; the rest of the tree goes on."""


class Conflict(CommandError):  # noqa: N818
    """A live operation already works on that package or component."""


class Reason(StrEnum):
    """Why an operation failed, in words; `outcome.py` turns it into a result code."""

    # acquire
    UNREACHABLE = "unreachable"
    SERVER_ERROR = "server error"
    SERVER_UNAVAILABLE = "server unavailable"
    UNAUTHORISED = "unauthorised"
    REFUSED_BY_SERVER = "refused by server"
    NO_SPACE = "no space"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    TOO_LARGE = "too large"
    INSECURE_URL = "insecure url"
    DESCRIPTOR = "invalid descriptor"
    DESCRIPTOR_VERSION = "unknown version of descriptor"
    NOT_AS_DESCRIBED = "not as described"
    MEDIUM_GONE = "medium gone"
    # verify
    DIGEST = "digest mismatch"
    SIGNATURE = "signature not valid"
    POLICY = "policy"
    MALFORMED = "malformed package"
    # install
    DEPENDENCY = "dependency"
    CONFLICT = "conflict"
    BUSY = "busy"
    UNSUPPORTED_ENV = "unsupported environment"
    NOT_IMPLEMENTED = "not implemented"
    SCRIPT_FAILED = "script failed"
    NOT_PRESENT = "not present"
    UNHEALTHY = "unhealthy"
    CRASH_LOOP = "crash loop"
    INTERNAL = "internal"


class OperationError(ScomodError):
    """One SCOMO operation fails for `reason`; the text is for logs and people.

    `data` is kept with the operation.
    """

    def __init__(
        self, reason: Reason, text: str, *, data: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(text)
        self.reason = reason
        self.data = data or {}


class DownloadError(OperationError):
    """Raised by `download`; `is_retryable` tells if trying again may help.

    `retry_after_s` is how long the server asks us to stay away, 0 if it does not; `is_absent`
    that it has, for us, no such file; `fetched_bytes` how many octets of bodies had come.
    """

    def __init__(
        self,
        reason: Reason,
        text: str,
        *,
        is_retryable: bool = False,
        retry_after_s: float = 0.0,
        is_absent: bool = False,
        fetched_bytes: int = 0,
    ) -> None:
        super().__init__(reason, text)
        self.fetched_bytes = fetched_bytes
        self.is_retryable = is_retryable
        self.retry_after_s = retry_after_s
        self.is_absent = is_absent


class VerifyError(OperationError):
    """The payload is not what it should be."""


class InstallerError(OperationError):
    """Raised by backends and the runner."""
