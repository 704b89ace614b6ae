# SPDX-License-Identifier: Apache-2.0
"""Which extra steps an operation gets, from the configuration and from its package.

Who takes the order asks once (`plan_for`); the plan is kept with the operation.
The Reboot leaf has no documented values (scomo §6.2): words, or numbers that
`[reboot] numbers` gives words.  A value nobody knows asks for no restart.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from scomod.operation import Branch, Extra, Primitive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.operation import Operation
    from scomod.settings import Settings

log = logging.getLogger(__name__)

REBOOTS: Final[Mapping[str, frozenset[Extra]]] = {
    "": frozenset(),
    "none": frozenset(),
    "before": frozenset({Extra.REBOOT_BEFORE}),
    "after": frozenset({Extra.REBOOT_AFTER}),
    "both": frozenset({Extra.REBOOT_BEFORE, Extra.REBOOT_AFTER}),
}
# Only these two consult the leaf (scomo §6.2).
REBOOTING: Final = (Primitive.DOWNLOAD_INSTALL, Primitive.DOWNLOAD_INSTALL_INACTIVE)
NEVER: Final = "never"


def extras_for(
    settings: Settings,
    is_admitted: Callable[[Operation], bool],
    may_disclose: Callable[[Operation], bool],
) -> Callable[[Operation], frozenset[Extra]]:
    """Return what says the extras of an operation.

    `is_admitted` tells if it waits for rules, `may_disclose` if its package says what it may do.
    """

    def extras(operation: Operation) -> frozenset[Extra]:
        found = reboots(operation, settings)
        if settings.health.time_s:
            found |= {Extra.HEALTH}
        if is_admitted(operation):
            found |= {Extra.ADMIT}
        if may_disclose(operation):
            found |= {Extra.DISCLOSE}
        return found

    return extras


def reboots(operation: Operation, settings: Settings) -> frozenset[Extra]:
    """Return what the Reboot leaf asks for, as far as this device restarts at all."""
    asked, policy = operation.subject.reboot.strip().lower(), settings.reboot
    if operation.branch is not Branch.DOWNLOAD or operation.primitive not in REBOOTING:
        return frozenset()
    if asked.isdecimal() and int(asked) < len(policy.numbers):
        asked = policy.numbers[int(asked)]
    if asked not in REBOOTS:
        log.warning("%s: Reboot is %.40r, nobody knows what that means", operation.node, asked)
        return frozenset()
    return REBOOTS[asked] if policy.by != NEVER else frozenset()
