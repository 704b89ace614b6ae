# SPDX-License-Identifier: Apache-2.0
"""The sections of the configuration that are about support: the flight recorder and metrics.

Part of `settings`, which all others import it from.
"""

from __future__ import annotations

from scomod.shapes import MIB, shaped, within
from scomod.value import section


@section
class Recorder:
    """The flight recorder: a ring of so many files of so many octets; none switches it off."""

    segments_count: int = within(2, 0, 64)
    segment_bytes: int = within(256 * 1024, 4096, 16 * MIB)
    session_commands_count: int = within(128, 0, 10000)


@section
class Metrics:
    """Figures for monitoring: on a socket while the daemon lives, in a file as its work ends."""

    socket: bool = False
    socket_mode: str = shaped("0660", "0[0-7]{3}", "a file mode such as 0660")
    textfile: str = ""
