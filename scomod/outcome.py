# SPDX-License-Identifier: Apache-2.0
"""The one place that turns failures into OMA numbers (invariant I8).

Two questions, two functions: what DM status does a failed command get
(omadm §3), what SCOMO result does a failed step give (scomo §5).  Both are
total: every error type and every (step, reason) has an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod import errors
from scomod.codes import DmStatus, ResultCode
from scomod.errors import Reason
from scomod.operation import StepKind

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUS: Final[Mapping[type[errors.ScomodError], DmStatus]] = {
    errors.NodeNotFound: DmStatus.NOT_FOUND,
    errors.NodeExists: DmStatus.ALREADY_EXISTS,
    errors.NotAllowed: DmStatus.COMMAND_NOT_ALLOWED,
    errors.PermissionDenied: DmStatus.PERMISSION_DENIED,
    errors.Forbidden: DmStatus.FORBIDDEN,
    errors.UriTooLong: DmStatus.URI_TOO_LONG,
    errors.BadRequest: DmStatus.BAD_REQUEST,
    errors.BadFormat: DmStatus.UNSUPPORTED_TYPE_OR_FORMAT,
    errors.IncompleteCommand: DmStatus.INCOMPLETE_COMMAND,
    errors.NotSupported: DmStatus.OPTIONAL_FEATURE_NOT_SUPPORTED,
    errors.NotImplementedCommand: DmStatus.COMMAND_NOT_IMPLEMENTED,
    errors.TooLarge: DmStatus.ENTITY_TOO_LARGE,
    errors.TooMuchToShow: DmStatus.REQUESTED_SIZE_TOO_BIG,
    errors.DeviceFull: DmStatus.DEVICE_FULL,
    errors.SizeMismatch: DmStatus.SIZE_MISMATCH,
    errors.StorageFailed: DmStatus.DATA_STORE_FAILURE,
    errors.StoreFull: DmStatus.DEVICE_FULL,
    errors.StoreError: DmStatus.DATA_STORE_FAILURE,
    errors.LimitExceeded: DmStatus.ENTITY_TOO_LARGE,
    errors.RemoteProtocolError: DmStatus.BAD_REQUEST,
    errors.AuthError: DmStatus.INVALID_CREDENTIALS,
    errors.Conflict: DmStatus.COMMAND_FAILED,  # scomo §3.3, the busy case
    errors.ScomodError: DmStatus.COMMAND_FAILED,
}

# Reasons that mean the same in every step.
ANY_STEP: Final[Mapping[Reason, ResultCode]] = {
    Reason.CANCELLED: ResultCode.USER_CANCELLED,
    Reason.UNSUPPORTED_ENV: ResultCode.UNSUPPORTED_ENVIRONMENT,
    Reason.NOT_IMPLEMENTED: ResultCode.NOT_IMPLEMENTED,
    Reason.DIGEST: ResultCode.PACKAGE_VALIDATION_FAILED,
    Reason.SIGNATURE: ResultCode.PACKAGE_VALIDATION_FAILED,
    Reason.MALFORMED: ResultCode.PACKAGE_VALIDATION_FAILED,
}

# scomo §6.4 and test list N2: 401, 5xx, unreachable.
ONE_STEP: Final[Mapping[tuple[StepKind, Reason], ResultCode]] = {
    (StepKind.ACQUIRE, Reason.UNREACHABLE): ResultCode.ALTERNATE_DOWNLOAD_SERVER_UNAVAILABLE,
    (StepKind.ACQUIRE, Reason.TIMEOUT): ResultCode.ALTERNATE_DOWNLOAD_SERVER_UNAVAILABLE,
    (StepKind.ACQUIRE, Reason.SERVER_ERROR): ResultCode.ALTERNATE_DOWNLOAD_SERVER_ERROR,
    (StepKind.ACQUIRE, Reason.SERVER_UNAVAILABLE): ResultCode.ALTERNATE_DOWNLOAD_SERVER_ERROR,
    (StepKind.ACQUIRE, Reason.UNAUTHORISED): ResultCode.ALTERNATE_DOWNLOAD_AUTHENTICATION_FAILED,
    (StepKind.ACQUIRE, Reason.NO_SPACE): ResultCode.DOWNLOAD_OUT_OF_MEMORY,
    (StepKind.ACQUIRE, Reason.TOO_LARGE): ResultCode.DOWNLOAD_OUT_OF_MEMORY,
    (StepKind.DELIVER, Reason.NO_SPACE): ResultCode.DOWNLOAD_OUT_OF_MEMORY,
    (StepKind.INSTALL, Reason.NO_SPACE): ResultCode.INSTALL_OUT_OF_MEMORY,
    (StepKind.INSTALL_INACTIVE, Reason.NO_SPACE): ResultCode.INSTALL_OUT_OF_MEMORY,
}

STEP_DEFAULT: Final[Mapping[StepKind, ResultCode]] = {
    StepKind.CONSENT: ResultCode.CLIENT_ERROR,
    StepKind.ADMIT: ResultCode.CLIENT_ERROR,
    StepKind.ACQUIRE: ResultCode.DOWNLOAD_FAILED,
    StepKind.VERIFY: ResultCode.PACKAGE_VALIDATION_FAILED,
    StepKind.DISCLOSE: ResultCode.CLIENT_ERROR,
    StepKind.DELIVER: ResultCode.DOWNLOAD_FAILED,
    StepKind.INSTALL: ResultCode.INSTALL_FAILED,
    StepKind.INSTALL_INACTIVE: ResultCode.INSTALL_FAILED,
    StepKind.ACTIVATE: ResultCode.ACTIVATE_FAILED,
    StepKind.DEACTIVATE: ResultCode.DEACTIVATE_FAILED,
    StepKind.REMOVE: ResultCode.REMOVE_FAILED,
    # No standard code says it; the Source of the alert tells which of the two it was.
    StepKind.START: ResultCode.CLIENT_ERROR,
    StepKind.STOP: ResultCode.CLIENT_ERROR,
    # These two stand for what they follow (`operation.blamed_step`).
    StepKind.HEALTH: ResultCode.INSTALL_FAILED,
    StepKind.REBOOT: ResultCode.CLIENT_ERROR,
    StepKind.DISCARD: ResultCode.REMOVE_FAILED,
    StepKind.SETTLE: ResultCode.UNDEFINED_ERROR,
}


def status_for(error: errors.ScomodError) -> DmStatus:
    """Return the DM status of a failed command: that of the nearest known base class."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return DmStatus.COMMAND_FAILED


def result_for(step: StepKind, reason: Reason) -> ResultCode:
    """Return the SCOMO result of a step that failed for a reason."""
    if reason in ANY_STEP:
        return ANY_STEP[reason]
    return ONE_STEP.get((step, reason), STEP_DEFAULT[step])
