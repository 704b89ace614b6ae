# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a fetch and what must become of it: the one table of it.

`tests/integration/http/test_faults.py` holds the client against it, and docs/delivery.md
shows it: `python -m tests.support.fault_page`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from scomod import outcome
from scomod.errors import Reason
from scomod.operation import StepKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.codes import ResultCode
    from scomod.errors import OperationError

CUT_BYTES: Final = 65_536
ALL, NOTHING, SOME = "all that arrived", "nothing", "what was there before"
QUICK: Final = MappingProxyType({"idle_timeout_s": 0.2})
BRIEF: Final = MappingProxyType({"total_timeout_s": 1.5})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault; `reason` None: the file arrives all the same, in the same try.

    `words` are those of `scomod-lab faults`, "" where no server does it; `before` are the
    words of an earlier try, which left a part.  `kept` says what is on disk after the try:
    after the operation it is nothing, always.  `told` is what the order says of the file,
    `limits` are fields of the request.
    """

    what: str
    words: str = ""
    before: str = ""
    reason: Reason | None = None
    is_retried: bool = False
    kept: str = NOTHING
    is_tls: bool = False
    told: tuple[str, ...] = ("sha256",)
    limits: Mapping[str, Any] = field(default_factory=dict)

    @property
    def result(self) -> ResultCode | None:
        """What is reported if the fault stays."""
        return None if self.reason is None else outcome.result_for(StepKind.ACQUIRE, self.reason)


def _status(number: int, what: str, reason: Reason, *, is_retried: bool = False) -> Row:
    return Row(
        what=f"HTTP {number}, {what}",
        words=f"status={number}",
        reason=reason,
        is_retried=is_retried,
    )


CUT: Final = f"end-at={CUT_BYTES}"
SERVER_ROWS: Final = (
    Row(
        what="the connection is reset in the middle",
        words=f"reset-at={CUT_BYTES}",
        reason=Reason.SERVER_UNAVAILABLE,
        is_retried=True,
        kept=ALL,
    ),
    Row(
        what="the connection ends in the middle",
        words=CUT,
        reason=Reason.SERVER_UNAVAILABLE,
        is_retried=True,
        kept=ALL,
    ),
    Row(
        what="the same in a body of chunks",
        words=f"chunked/{CUT}",
        reason=Reason.SERVER_UNAVAILABLE,
        is_retried=True,
        kept=ALL,
    ),
    Row(
        what="TLS is cut in a body of unknown length",
        words=f"no-length/{CUT}",
        is_tls=True,
        told=(),
        reason=Reason.SERVER_UNAVAILABLE,
        is_retried=True,
        kept=ALL,
    ),
    Row(
        what="the connection closes without an answer",
        words="hang-up",
        reason=Reason.SERVER_UNAVAILABLE,
        is_retried=True,
    ),
    Row(
        what="the connection ends within the status line",
        words="header-end-at=7",
        told=(),
        reason=Reason.SERVER_UNAVAILABLE,
        is_retried=True,
    ),
    Row(
        what="the connection ends within the header",
        words="header-end-at=90",
        told=(),
        reason=Reason.SERVER_UNAVAILABLE,
        is_retried=True,
    ),
    Row(
        what="silence in place of an answer, for `idle_timeout_s`",
        words="silent",
        reason=Reason.TIMEOUT,
        is_retried=True,
        limits=QUICK,
    ),
    Row(
        what="silence in the middle, for `idle_timeout_s`",
        words=f"stall-at={CUT_BYTES}",
        reason=Reason.TIMEOUT,
        is_retried=True,
        kept=ALL,
        limits=QUICK,
    ),
    Row(
        what="a drip that is not over after `total_timeout_s`",
        words="drip=100",
        reason=Reason.TIMEOUT,
        is_retried=True,
        kept=ALL,
        limits=BRIEF,
    ),
    Row(
        what="a header that is not over after `total_timeout_s`",
        words="slow-header",
        reason=Reason.TIMEOUT,
        is_retried=True,
        limits=BRIEF,
    ),
    Row(
        what="a body without an end",
        words="endless",
        told=(),
        reason=Reason.TOO_LARGE,
        limits={"max_bytes": 1_000_000},
    ),
    Row(
        what="less than the server announces",
        words="length-error=7",
        told=(),
        reason=Reason.SERVER_UNAVAILABLE,
        is_retried=True,
        kept=ALL,
    ),
    Row(
        what="another size than the order says",
        words="length-error=-7",
        told=("size_bytes",),
        reason=Reason.NOT_AS_DESCRIBED,
    ),
    Row(what="less than there is, unannounced", words="length-error=-7", reason=Reason.DIGEST),
    Row(
        what="another range than asked for",
        before=CUT,
        words="range-error=7",
    ),
    Row(
        what="the same, called the right one; only the digest tells",
        before=CUT,
        words="range-lie=-7",
    ),
    Row(what="the range is ignored", before=CUT, words="no-ranges"),
    Row(
        what="no validator to go on with", before=f"{CUT}/no-etag/no-date", words="no-etag/no-date"
    ),
    Row(
        what="a weak validator, which promises no equal octets",
        before=f"{CUT}/weak-etag/no-date",
        words="weak-etag/no-date",
    ),
    Row(
        what="another file since the last try",
        before=CUT,
        words="changing",
        reason=Reason.DIGEST,
    ),
    Row(
        what="the page of a captive portal in place of the file",
        words="portal",
        told=(),
        reason=Reason.SERVER_UNAVAILABLE,
        is_retried=True,
    ),
    Row(
        what="the same in place of the rest",
        before=CUT,
        words="portal",
        reason=Reason.SERVER_UNAVAILABLE,
        is_retried=True,
        kept=SOME,
    ),
    _status(401, "or 407 of a proxy", Reason.UNAUTHORISED),
    _status(403, "refused", Reason.UNAUTHORISED),
    _status(404, "or 410, not there", Reason.REFUSED_BY_SERVER),
    _status(416, "though no range was asked for", Reason.REFUSED_BY_SERVER),
    _status(429, "too many requests", Reason.SERVER_UNAVAILABLE, is_retried=True),
    _status(500, "or another of its kind", Reason.SERVER_ERROR, is_retried=True),
    _status(503, "unavailable", Reason.SERVER_UNAVAILABLE, is_retried=True),
    Row(
        what="HTTP 503 in place of the rest",
        before=CUT,
        words="status=503/retry-after=1",
        reason=Reason.SERVER_UNAVAILABLE,
        is_retried=True,
        kept=SOME,
    ),
    Row(what="redirects without an end", words="loop", reason=Reason.REFUSED_BY_SERVER),
    Row(
        what="a redirect from https to http",
        words="to-http",
        is_tls=True,
        reason=Reason.INSECURE_URL,
    ),
)

REFUSED_PORT: Final = Row(
    what="nobody listens at the port", reason=Reason.UNREACHABLE, is_retried=True
)
NO_NAME: Final = Row(
    what="the name of the host is not known", reason=Reason.UNREACHABLE, is_retried=True
)
DEAD_IPV6: Final = Row(what="the host's first address, of IPv6, is silent; the next one is not")
ALL_DEAD: Final = Row(
    what="all addresses are silent, for `connect_timeout_s`",
    reason=Reason.UNREACHABLE,
    is_retried=True,
)
RESERVE: Final = Row(
    what="less room than the announced size and `reserve_bytes`", reason=Reason.NO_SPACE
)
FULL: Final = Row(what="the disk fills up while writing", reason=Reason.NO_SPACE)
QUOTA: Final = Row(what="a quota, or a limit on the size of files", reason=Reason.NO_SPACE)
READ_ONLY: Final = Row(what="the file system is read-only", reason=Reason.INTERNAL)

# those that no server of the bench does
OTHER_ROWS: Final = (
    REFUSED_PORT,
    NO_NAME,
    DEAD_IPV6,
    ALL_DEAD,
    RESERVE,
    FULL,
    QUOTA,
    READ_ONLY,
)


def check(row: Row, error: OperationError) -> None:
    """Hold an error against the table."""
    assert error.reason is row.reason
    assert getattr(error, "is_retryable", False) is row.is_retried
