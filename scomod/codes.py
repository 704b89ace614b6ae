# SPDX-License-Identifier: Apache-2.0
"""Every OMA number the project uses, each once (invariant I9).

Clauses: "omadm" and "scomo" are the reference sheets, by section.  No other
module writes one of these numbers as a literal.
"""

from enum import IntEnum


class DmStatus(IntEnum):
    """Status codes of SyncML DM (omadm §3)."""

    IN_PROGRESS = 101
    OK = 200
    ACCEPTED_FOR_PROCESSING = 202
    AUTHENTICATION_ACCEPTED = 212
    CHUNKED_ITEM_ACCEPTED = 213
    OPERATION_CANCELLED = 214
    NOT_EXECUTED = 215
    ATOMIC_ROLL_BACK_OK = 216
    NOT_MODIFIED = 304
    BAD_REQUEST = 400
    INVALID_CREDENTIALS = 401
    FORBIDDEN = 403
    NOT_FOUND = 404
    COMMAND_NOT_ALLOWED = 405
    OPTIONAL_FEATURE_NOT_SUPPORTED = 406
    MISSING_CREDENTIALS = 407
    REQUEST_TIMEOUT = 408
    INCOMPLETE_COMMAND = 412
    ENTITY_TOO_LARGE = 413
    URI_TOO_LONG = 414
    UNSUPPORTED_TYPE_OR_FORMAT = 415
    REQUESTED_SIZE_TOO_BIG = 416
    RETRY_LATER = 417
    ALREADY_EXISTS = 418
    DEVICE_FULL = 420
    SIZE_MISMATCH = 424
    PERMISSION_DENIED = 425
    COMMAND_FAILED = 500
    COMMAND_NOT_IMPLEMENTED = 501
    DTD_VERSION_NOT_SUPPORTED = 505
    ATOMIC_FAILED = 507
    DATA_STORE_FAILURE = 510
    PROTOCOL_VERSION_NOT_SUPPORTED = 513
    ATOMIC_ROLL_BACK_FAILED = 516

    @property
    def is_success(self) -> bool:
        """2xx and 3xx count as success on our own commands (omadm §3, last paragraph)."""
        return is_success(self)


def is_success(status: int) -> bool:
    """Tell whether a received status number, known or not, is a success (2xx, 3xx)."""
    return DmStatus.OK <= status < DmStatus.BAD_REQUEST


class AlertCode(IntEnum):
    """Alert codes (omadm §1.3)."""

    DISPLAY = 1100
    CONFIRM_OR_REJECT = 1101
    TEXT_INPUT = 1102
    SINGLE_CHOICE = 1103
    MULTIPLE_CHOICE = 1104
    SERVER_INITIATED_MANAGEMENT = 1200
    CLIENT_INITIATED_MANAGEMENT = 1201
    NEXT_MESSAGE = 1222
    SESSION_ABORT = 1223
    CLIENT_EVENT = 1224
    NO_END_OF_DATA = 1225
    GENERIC_ALERT = 1226


class ResultCode(IntEnum):
    """Results of SCOMO operations (scomo §5)."""

    SUCCESSFUL = 1200
    CLIENT_ERROR = 1400
    USER_CANCELLED = 1401
    DOWNLOAD_FAILED = 1402
    ALTERNATE_DOWNLOAD_AUTHENTICATION_FAILED = 1403
    DOWNLOAD_OUT_OF_MEMORY = 1404
    INSTALL_FAILED = 1405
    INSTALL_OUT_OF_MEMORY = 1406
    PACKAGE_VALIDATION_FAILED = 1407
    REMOVE_FAILED = 1408
    ACTIVATE_FAILED = 1409
    DEACTIVATE_FAILED = 1410
    NOT_IMPLEMENTED = 1411
    UNDEFINED_ERROR = 1412
    UNSUPPORTED_ENVIRONMENT = 1413
    ALTERNATE_DOWNLOAD_SERVER_ERROR = 1500
    ALTERNATE_DOWNLOAD_SERVER_UNAVAILABLE = 1501


class DownloadStatus(IntEnum):
    """Values of Download/<x>/Status (scomo §2.2)."""

    IDLE = 10
    DOWNLOAD_FAILED = 20
    DOWNLOAD_PROGRESSING = 30
    DOWNLOAD_COMPLETE = 40
    INSTALL_PROGRESSING = 50
    INSTALL_FAILED_WITH_DATA = 60
    INSTALL_FAILED_WITHOUT_DATA = 70


class DeliveredStatus(IntEnum):
    """Values of Inventory/Delivered/<x>/Status (scomo §2.3)."""

    IDLE = 10
    REMOVE_FAILED = 20
    REMOVE_PROGRESSING = 30
    INSTALL_PROGRESSING = 40
    INSTALL_FAILED_WITH_DATA = 50
    INSTALL_FAILED_WITHOUT_DATA = 60


class DeployedStatus(IntEnum):
    """Values of Inventory/Deployed/<x>/Status (scomo §2.4)."""

    IDLE = 10
    REMOVE_FAILED = 20
    REMOVE_PROGRESSING = 30
    ACTIVATE_FAILED = 40
    ACTIVATE_PROGRESSING = 50
    DEACTIVATE_FAILED = 60
    DEACTIVATE_PROGRESSING = 70


class PackageState(IntEnum):
    """Values of Inventory/Delivered/<x>/State (scomo §2.1)."""

    DELIVERED = 10
    INSTALLED = 20


class ComponentState(IntEnum):
    """Values of Inventory/Deployed/<x>/State (scomo §2.1)."""

    INACTIVE = 10
    ACTIVE = 20


DELIVERED_INSTALL_FAILED_VZW = 70  # scomo §2.3: what one client writes for 60
ALERT_TYPE_OPERATION_COMPLETE = "urn:oma:at:scomo:1.0:OperationComplete"  # scomo §4.1
ALERT_TYPE_OPERATION_COMPLETE_2008 = (  # scomo §4.1, the candidate's
    "org.openmobilealliance.dm.softwarecomponent.OperationComplete"
)
ALERT_TYPE_UPDATE_USER_REQUEST = "urn:oma:at:scomo:1.1:UpdateUserRequest"  # scomo §4.6
ALERT_TYPE_UPDATE_DEVICE_REQUEST = "urn:oma:at:scomo:1.1:UpdateDeviceRequest"
ALERT_TYPE_FUMO_USER_REQUEST = "org.openmobilealliance.dm.firmwareupdate.userrequest"
ALERT_TYPE_FUMO_DEVICE_REQUEST = "org.openmobilealliance.dm.firmwareupdate.devicerequest"
MO_SCOMO_1_0 = "urn:oma:mo:oma-scomo:1.0"  # scomo §0.3
MO_SCOMO_1_1 = "urn:oma:mo:oma-scomo:1.1"
MO_DMACC = "urn:oma:mo:oma-dm-dmacc:1.0"  # omadm §7.7
MO_DEVINFO = "urn:oma:mo:oma-dm-devinfo:1.0"
MO_DEVDETAIL = "urn:oma:mo:oma-dm-devdetail:1.0"
MO_W7 = "org.openmobilealliance/1.0/w7"  # what some senders call a DMAcc
