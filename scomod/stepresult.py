# SPDX-License-Identifier: Apache-2.0
"""What a step came to: values that the engine matches on, nothing else.

Failures are no results: they are raised as `OperationError`.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.mo.inventory import InventoryItem
    from scomod.operation import StepKind, Subject


@frozen
class Done:
    """The step is over; `data` goes to the journal, `items` to the inventory.

    `mark` is that of the device when the items were read; `then` are steps that the plan
    gets right after this one.  `subject` takes the place of what the operation was about.
    """

    data: Mapping[str, object] = field(default_factory=dict)
    items: tuple[InventoryItem, ...] | None = None
    mark: str = ""
    then: tuple[StepKind, ...] = ()
    subject: Subject | None = None


@frozen
class Wait:
    """The step waits; it is done again when the engine is nudged, and after `again_s`.

    `data` goes to the journal before anything else happens.
    """

    again_s: float | None = None
    data: Mapping[str, object] = field(default_factory=dict)


@frozen
class Begin:
    """What the step waited for is there: it is begun anew, which the journal says first.

    How often that may be is for the step to say.  `data` goes to the journal with it.
    """

    data: Mapping[str, object] = field(default_factory=dict)


StepResult = Done | Wait | Begin
