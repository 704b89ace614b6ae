# SPDX-License-Identifier: Apache-2.0
"""What the server of a download descriptor is told of the end of an operation (omadm §11.3).

Pure: one table from reasons to the status codes of DLOTA, total over reasons, and their
words.  Told is only who asked for it, by installNotifyURI in the descriptor.
Not the SCOMO result of the operation, which the management server gets (`outcome`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.download.descriptor import DdStatus
from scomod.errors import Reason
from scomod.notices import Notice
from scomod.operation import NOTIFY_URL, Phase, StepKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.operation import Operation

WORDS: Final[Mapping[DdStatus, str]] = {
    DdStatus.SUCCESS: "Success",
    DdStatus.INSUFFICIENT_MEMORY: "Insufficient memory",
    DdStatus.USER_CANCELLED: "User Cancelled",
    DdStatus.LOSS_OF_SERVICE: "Loss of Service",
    DdStatus.ATTRIBUTE_MISMATCH: "Attribute mismatch",
    DdStatus.INVALID_DESCRIPTOR: "Invalid descriptor",
    DdStatus.INVALID_VERSION: "Invalid DDVersion",
    DdStatus.DEVICE_ABORTED: "Device Aborted",
    DdStatus.NON_ACCEPTABLE_CONTENT: "Non-Acceptable Content",
    DdStatus.LOADER_ERROR: "Loader Error",
}

# A connection that is lost, or a server that says it will be back, is a loss of service; one
# that was never there, or refuses, is an error of loading.
STATUS: Final[Mapping[Reason, DdStatus]] = {
    Reason.UNREACHABLE: DdStatus.LOADER_ERROR,
    Reason.SERVER_ERROR: DdStatus.LOADER_ERROR,
    Reason.SERVER_UNAVAILABLE: DdStatus.LOSS_OF_SERVICE,
    Reason.MEDIUM_GONE: DdStatus.LOADER_ERROR,
    Reason.UNAUTHORISED: DdStatus.LOADER_ERROR,
    Reason.REFUSED_BY_SERVER: DdStatus.LOADER_ERROR,
    Reason.NO_SPACE: DdStatus.INSUFFICIENT_MEMORY,
    Reason.CANCELLED: DdStatus.USER_CANCELLED,
    Reason.TIMEOUT: DdStatus.LOSS_OF_SERVICE,
    Reason.TOO_LARGE: DdStatus.INSUFFICIENT_MEMORY,
    Reason.INSECURE_URL: DdStatus.LOADER_ERROR,
    Reason.DESCRIPTOR: DdStatus.INVALID_DESCRIPTOR,
    Reason.DESCRIPTOR_VERSION: DdStatus.INVALID_VERSION,
    Reason.NOT_AS_DESCRIBED: DdStatus.ATTRIBUTE_MISMATCH,
    Reason.DIGEST: DdStatus.ATTRIBUTE_MISMATCH,
    Reason.SIGNATURE: DdStatus.NON_ACCEPTABLE_CONTENT,
    Reason.POLICY: DdStatus.DEVICE_ABORTED,
    Reason.MALFORMED: DdStatus.NON_ACCEPTABLE_CONTENT,
    Reason.DEPENDENCY: DdStatus.NON_ACCEPTABLE_CONTENT,
    Reason.CONFLICT: DdStatus.NON_ACCEPTABLE_CONTENT,
    Reason.BUSY: DdStatus.DEVICE_ABORTED,
    Reason.UNSUPPORTED_ENV: DdStatus.NON_ACCEPTABLE_CONTENT,
    Reason.NOT_IMPLEMENTED: DdStatus.NON_ACCEPTABLE_CONTENT,
    Reason.SCRIPT_FAILED: DdStatus.DEVICE_ABORTED,
    Reason.NOT_PRESENT: DdStatus.DEVICE_ABORTED,
    Reason.UNHEALTHY: DdStatus.DEVICE_ABORTED,
    Reason.CRASH_LOOP: DdStatus.DEVICE_ABORTED,
    Reason.INTERNAL: DdStatus.DEVICE_ABORTED,
}


def status_of(operation: Operation) -> DdStatus:
    """Return the status of an operation that is over.

    Success is that all of its plan was done, the installation too where it is part of it.
    """
    if operation.phase is Phase.SUCCEEDED:
        return DdStatus.SUCCESS
    reason = operation.reason or Reason.INTERNAL
    if reason is Reason.TIMEOUT and operation.failed_step is not StepKind.ACQUIRE:
        return DdStatus.DEVICE_ABORTED  # it was no line that took too long
    return STATUS[reason]


def notice_of(operation: Operation) -> Notice:
    """Return what is told of an operation that is over and has an address for it."""
    return Notice(
        operation_id=operation.id,
        url=str(operation.data[NOTIFY_URL]),
        status=status_of(operation),
        created_s=operation.changed_s,
    )


def text_of(status: int) -> str:
    """Return the words of a status."""
    return WORDS[DdStatus(status)]


def body_of(notice: Notice) -> bytes:
    """Return what is sent: the code, a space, the words, a line's end."""
    return f"{notice.status} {text_of(notice.status)}\r\n".encode("ascii")
