# SPDX-License-Identifier: Apache-2.0
"""What the steps of an operation are in words: while one is at work, and while it is yet to come.

Pure.  What is planned of a single operation, with figures, is `forecast`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.operation import StepKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.operation import Operation

K = StepKind
# step: what it does now, what it is going to do
TALK: Final[Mapping[StepKind, tuple[str, str]]] = {
    K.CONSENT: ("it looks who is to be asked", "who is to be asked says the policy"),
    K.ADMIT: ("it looks whether it may begin now", "it begins when the policy lets it"),
    K.ACQUIRE: ("it is fetched", "it is fetched"),
    K.VERIFY: ("digest and signature are checked", "its digest and its signature are checked"),
    K.DISCLOSE: (
        "it looks what the package asks for",
        "if it asks for more than it may do now, that is asked",
    ),
    K.DELIVER: ("it is put aside", "it is put aside and kept; nothing is installed"),
    K.INSTALL: ("it is being installed", "it is installed, and can be used at once"),
    K.INSTALL_INACTIVE: ("it is being installed, switched off", "it is installed, switched off"),
    K.ACTIVATE: ("it is being switched on", "it is switched on"),
    K.DEACTIVATE: ("it is being switched off", "it is switched off, and kept"),
    K.REBOOT: ("the restart is ordered", "the device is restarted"),
    K.HEALTH: (
        "its health is checked",
        "it is watched whether it stays well; else it is taken back",
    ),
    K.REMOVE: ("it is being removed", "it is removed, and so is what was kept of it"),
    K.START: ("it is being started", "it is started"),
    K.STOP: ("it is being stopped", "it is stopped"),
    K.DISCARD: ("the package is being deleted", "the package is deleted"),
    K.SETTLE: ("the inventory is read anew", "the inventory is read anew, and the server is told"),
}


def doing(operation: Operation) -> str:
    """Say what the current step of an operation does now."""
    return TALK[operation.step][0]


def coming(step: StepKind) -> str:
    """Say what a step is going to do."""
    return TALK[step][1]
