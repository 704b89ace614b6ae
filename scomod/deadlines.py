# SPDX-License-Identifier: Apache-2.0
"""How long a session or a step may be silent until something hangs, by the limits of its own.

Data for `vigil`: nothing is ended by these.  Each is the sum of what the configuration
allows to what may wait without a word, and `daemon.stuck_after_s` on top of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.operation import Phase, StepKind
from scomod.package import DELTA, addresses, announced_bytes

if TYPE_CHECKING:
    from scomod.operation import Operation
    from scomod.settings import Settings

SLOWEST_BYTES_S: Final = 1 << 20  # a file is read and hashed at this rate at least
# Steps that only read and move files of ours.
READING: Final = (StepKind.ADMIT, StepKind.VERIFY, StepKind.DELIVER, StepKind.DISCARD)


def session_s(settings: Settings) -> float:
    """Return how long a session may be silent: an exchange, and a person who is asked."""
    session = settings.session
    asked_s = session.user_alert_timeout_s * session.user_alert_attempts_count
    return settings.transport.exchange_timeout_s + asked_s + look_s(settings)


def look_s(settings: Settings) -> float:
    """Return how long a look at the device's packages may take."""
    return settings.install.program.query_timeout_s + settings.daemon.stuck_after_s


def step_s(settings: Settings, operation: Operation) -> float:
    """Return how long a step of an operation may be silent."""
    size = operation.data.get("size") or announced_bytes(operation) or 0
    limit_s = settings.daemon.stuck_after_s + float(str(size)) / SLOWEST_BYTES_S
    if operation.phase is not Phase.ROLLING_BACK:
        if operation.step is StepKind.ACQUIRE:
            return limit_s + _fetch_s(settings, operation)
        if operation.step in READING:
            return limit_s
    return limit_s + _tools_s(settings)


def _fetch_s(settings: Settings, operation: Operation) -> float:
    """Return how long all addresses of a package may say nothing, and a delta take."""
    limits = settings.download
    silent_s = limits.connect_timeout_s + max(limits.idle_timeout_s, limits.stall_s)
    is_delta = DELTA in operation.subject.install_params
    count = max(1, len(addresses(operation)))
    return 2 * count * silent_s + (limits.delta_timeout_s if is_delta else 0.0)


def _tools_s(settings: Settings) -> float:
    """Return how long the installing side may take for what it is ordered."""
    install = settings.install
    tools = (install.dpkg, install.opkg, install.flatpak, install.program)
    longest_s = max(each.timeout_s for each in tools) + install.dpkg.lock_wait_s
    service_s = install.systemd.timeout_s + settings.health.check_timeout_s
    # The answer to an upgrade of ourselves comes when the new version has reached a server.
    return max(install.result_timeout_s, longest_s) + service_s + settings.self_update.reach_s
