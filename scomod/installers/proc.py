# SPDX-License-Identifier: Apache-2.0
"""The only place that starts programs (I13).

A program gets an argument list (no shell), a fixed environment and locale, a short
text or nothing as standard input, a process group of its own and a deadline; at the
deadline the whole group is killed, and with it all that it started where an
`Enclosure` holds that together.  Of each output stream the last `KEPT_BYTES` are
kept: tools say last what went wrong; who wants to know how far a program is hears
its lines as they come.  This is not a supervisor: a process that a
maintainer script left in the background on purpose is left alone, and an output
stream that it keeps open does not hold us up.
"""

from __future__ import annotations

import os
import re
import select
import selectors
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NoReturn, Protocol

from scomod.errors import InstallerError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ENVIRONMENT: Final[Mapping[str, str]] = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "HOME": "/",
}
KEPT_BYTES: Final = 8 << 20
# A line that is longer is told in parts: nobody waits for its end in our memory.
LINE_BYTES: Final = 4096
_LINE_END: Final = re.compile(rb"[\r\n]")
# A word that becomes the number of a pipe, whose lines are heard instead of those of standard
# output: dpkg closes the descriptor it reports on for its scripts, which want the latter.
STATUS_FD: Final = "{status-fd}"
_CHUNK_BYTES: Final = 1 << 16
_POLL_S: Final = 0.05
_BETWEEN_EOF_AND_EXIT_S: Final = 0.001


class Enclosure(Protocol):
    """Holds what a program starts, also what leaves its process group."""

    def enter(self) -> None:
        """Put the calling process inside; called in the new one, before the program."""

    def kill(self) -> None:
        """Kill everything inside."""


_enclosure: ContextVar[Enclosure | None] = ContextVar("enclosure", default=None)


@contextmanager
def enclosed(enclosure: Enclosure) -> Iterator[None]:
    """Run programs inside an enclosure; only for a process with a single thread."""
    token = _enclosure.set(enclosure)
    try:
        yield
    finally:
        _enclosure.reset(token)


@dataclass(frozen=True, slots=True)
class Completed:
    """How a program ended: `rc` is negative after a signal; `is_truncated`: output was lost."""

    rc: int
    stdout: str
    stderr: str
    is_truncated: bool = False


def run(
    argv: Sequence[str],
    *,
    timeout_s: float,
    given: str = "",
    env: Mapping[str, str] = ENVIRONMENT,
    kept_bytes: int = KEPT_BYTES,
    hears: Callable[[str], None] | None = None,
    check: Callable[[], None] = lambda: None,
) -> Completed:
    """Run a program to its end and give what it said; `given` is its standard input.

    That is one line or a few: it must fit into a pipe.  `hears` is told each line of
    standard output (or of the pipe that is `STATUS_FD` in `argv`) while the program runs,
    without its end (a line feed or a carriage return), empty ones not, one of more than
    `LINE_BYTES` in parts; what it raises ends the program, and so does what `check` raises,
    which is called several times a second.
    Raises `InstallerError`: UNSUPPORTED_ENV when the program cannot be started,
    TIMEOUT when it had to be killed.  Any exit code is a result, not an error.
    """
    child, status = _start(argv, env, given)
    streams = tuple(each for each in (child.stdout, child.stderr, status) if each is not None)
    heard = len(streams) - 1 if status else 0
    tails = tuple(
        _Tail(kept_bytes, hears if number == heard else None) for number in range(len(streams))
    )
    try:
        is_over = _collect(child, time.monotonic() + timeout_s, streams, tails, check)
    except BaseException:
        _end_group(child)
        raise
    finally:
        for stream in streams:
            stream.close()
    if not is_over:
        _end_group(child)
        raise InstallerError(Reason.TIMEOUT, f"{argv[0]} was ended after {timeout_s:g} s")
    out, err, *_ = tails
    return Completed(child.wait(), out.text(), err.text(), out.is_cut or err.is_cut)


def below(root: Path, program: Sequence[str]) -> tuple[str, ...]:
    """Give the words that run a program for the device below `root`.

    A bare name is looked for in the device, so that the services of a device in a
    directory are never those of the machine it lies on; a path is taken as it is.
    """
    name, *rest = program
    is_elsewhere = root != Path("/") and "/" not in name
    return (str(root / "usr/bin" / name) if is_elsewhere else name, *rest)


def start_anew() -> NoReturn:
    """Execute the program that this process runs once more, with the same words."""
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - ourselves


def _start(
    argv: Sequence[str], env: Mapping[str, str], given: str
) -> tuple[subprocess.Popen[bytes], IO[bytes] | None]:
    """Start a program; gives the pipe of `STATUS_FD` as well, if that is one of its words."""
    reading, writing = os.pipe()
    os.write(writing, given.encode()[: select.PIPE_BUF])
    os.close(writing)
    told, telling = os.pipe() if STATUS_FD in argv else (None, None)
    enclosure = _enclosure.get()
    try:
        child = subprocess.Popen(
            [str(telling) if word == STATUS_FD else word for word in argv],
            stdin=reading,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=() if telling is None else (telling,),
            env=dict(env),
            cwd="/",
            start_new_session=True,
            # Unsafe beside threads, where nobody says `enclosed`.
            preexec_fn=enclosure.enter if enclosure is not None else None,  # noqa: PLW1509
        )
    except OSError as error:
        if told is not None:
            os.close(told)
        raise InstallerError(
            Reason.UNSUPPORTED_ENV, f"{argv[0]} cannot be started: {error.strerror}"
        ) from error
    finally:
        os.close(reading)
        if telling is not None:
            os.close(telling)
    return child, None if told is None else os.fdopen(told, "rb", buffering=0)


class _Tail:
    """The last octets of one stream, and its lines for who hears them."""

    def __init__(self, kept_bytes: int, hears: Callable[[str], None] | None = None) -> None:
        self._kept_bytes = kept_bytes
        self._data = bytearray()
        self._line = b""
        self._hears = hears
        self.is_cut = False

    def add(self, data: bytes) -> None:
        if self._hears is not None:
            *lines, self._line = _LINE_END.split(self._line + data)
            for line in lines:
                self._tell(line)
            if len(self._line) >= LINE_BYTES:
                self.end()
        self._data += data
        surplus = len(self._data) - self._kept_bytes
        if surplus > 0:
            del self._data[:surplus]
            self.is_cut = True

    def end(self) -> None:
        """Tell what has come of a line that has no end yet."""
        line, self._line = self._line, b""
        self._tell(line)

    def _tell(self, line: bytes) -> None:
        if self._hears is not None:
            for start in range(0, len(line), LINE_BYTES):
                self._hears(line[start : start + LINE_BYTES].decode("utf-8", "replace"))

    def text(self) -> str:
        return self._data.decode("utf-8", "replace")


def _collect(
    child: subprocess.Popen[bytes],
    deadline_s: float,
    streams: Sequence[IO[bytes]],
    tails: Sequence[_Tail],
    check: Callable[[], None],
) -> bool:
    """Read all streams until the program has ended; False when the deadline came first."""
    with selectors.DefaultSelector() as selector:
        for stream, tail in zip(streams, tails, strict=True):
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ, tail)
        while True:
            check()
            has_ended = child.poll() is not None
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return has_ended
            # Once it has ended, only what is already in the pipes belongs to it.
            wait_s = 0.0 if has_ended else min(left_s, _POLL_S)
            if not _drain(selector, wait_s):
                if has_ended:
                    for tail in tails:
                        tail.end()
                    return True
                if not selector.get_map():
                    time.sleep(_BETWEEN_EOF_AND_EXIT_S)


def _drain(selector: selectors.BaseSelector, wait_s: float) -> bool:
    """Take one round of output; tell whether there was any."""
    ready = selector.select(wait_s) if selector.get_map() else []
    for key, _ in ready:
        stream: IO[bytes] = key.fileobj  # type: ignore[assignment]  # what _collect registered
        data = os.read(stream.fileno(), _CHUNK_BYTES)
        if data:
            key.data.add(data)
        else:
            selector.unregister(stream)
    return bool(ready)


def _end_group(child: subprocess.Popen[bytes]) -> None:
    # The group has the leader's number, and that number is not given to anybody
    # else before wait() has taken the leader's exit status.
    if child.returncode is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if (enclosure := _enclosure.get()) is not None:
        enclosure.kill()
