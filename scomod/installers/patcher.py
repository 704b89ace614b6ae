# SPDX-License-Identifier: Apache-2.0
"""Runs the tool that makes a package out of an older one and a delta: `zstd --patch-from`.

It works for the unprivileged daemon, under limits of memory, processor time and size that the
kernel keeps, so that a delta which asks for more than it may ends the tool and nothing else.
Whether the result is the right one is for the caller: a delta proves nothing.
"""

from __future__ import annotations

import math
import signal
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import proc

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAGIC: Final = b"\x28\xb5\x2f\xfd"  # a frame of RFC 8878
# The limits are set by the shell: in our own process beside threads nobody can set them, and
# systemd's `SystemCallFilter=~@resources` lets it.  1 KiB and 512 octets are POSIX's units.
LIMITED: Final = (
    'set -e; ulimit -c 0; ulimit -t "$1"; ulimit -v "$2"; ulimit -f "$3"; shift 3; exec "$@"'
)
_KIB: Final = 1024
_FILE_UNIT: Final = 512
_NOT_FOUND: Final = frozenset({126, 127})  # what a shell says of a program
_SAID_BYTES: Final = 4096
_SHOWN: Final = 200
_SIGNALS: Final = {
    signal.SIGXFSZ: (Reason.TOO_LARGE, "the result is larger than it may be"),
    signal.SIGXCPU: (Reason.TIMEOUT, "it took too long"),
}


def patch(
    *,
    base: Path,
    delta: Path,
    result: Path,
    max_bytes: int,
    max_memory_bytes: int,
    timeout_s: float,
    check: Callable[[], None],
) -> None:
    """Write `result`, at most `max_bytes` of it; what lies there goes first.

    It is not flushed to disk.  `check` is called several times a second; what it raises ends
    the tool.  Raises `InstallerError`: MALFORMED for what is no delta of this base,
    UNSUPPORTED_ENV without the tool, TOO_LARGE, TIMEOUT, INTERNAL where the tool was killed.
    """
    with delta.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise InstallerError(Reason.MALFORMED, "what was fetched is no delta of zstd")
    result.unlink(missing_ok=True)
    words = (
        *("/bin/sh", "-c", LIMITED, "sh"),
        str(math.ceil(timeout_s)),
        str(max_memory_bytes // _KIB),
        str(math.ceil(max_bytes / _FILE_UNIT)),
        *("zstd", "--decompress", "--quiet", "--force", "--no-sparse"),
        *(f"--memory={max_memory_bytes // _KIB}KB", f"--patch-from={base}"),
        *(str(delta), "-o", str(result)),
    )
    done = proc.run(words, timeout_s=timeout_s, kept_bytes=_SAID_BYTES, check=check)
    if done.rc:
        raise _failure(done)


def _failure(done: proc.Completed) -> InstallerError:
    if done.rc in _NOT_FOUND:
        return InstallerError(Reason.UNSUPPORTED_ENV, "this device has no zstd")
    if done.rc < 0:
        name = signal.Signals(-done.rc)
        reason, text = _SIGNALS.get(name, (Reason.INTERNAL, f"zstd was ended by {name.name}"))
        return InstallerError(reason, text)
    said = " ".join(done.stderr.split())[-_SHOWN:]
    return InstallerError(Reason.MALFORMED, f"zstd refuses the delta: {said}")
