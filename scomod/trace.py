# SPDX-License-Identifier: Apache-2.0
"""Session traces: each DM session as one readable file, bounded and without secrets.

Not the log: nothing here says what went wrong, it shows what was said.  The outline of
a message, and what is blanked in it, is `explain.py`.  A trace never gets into the way
of its session: where it cannot be written it ends, and the log says so.

A trace is taken where the messages pass: between the session and its transport.
The directory is the daemon's alone (files 0600); `scomoctl trace` asks the daemon.
"""

from __future__ import annotations

import logging
import os
import re
import time
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scomod.errors import DecodeError, LimitExceeded, ScomodError
from scomod.facade import Unknown
from scomod.secret import without_passwords

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from scomod.clock import Clock
    from scomod.dmclient.transport import Reply, Transport
    from scomod.explain import Outline
    from scomod.facade import Record
    from scomod.settings import Log

log = logging.getLogger(__name__)

OFF: Final = "off"
FULL: Final = "full"
SENT: Final = "→"
RECEIVED: Final = "←"
INDENT: Final = "    "
CUT: Final = "the rest is left out: trace_file_bytes"
LAST_BYTES: Final = 512  # kept free for the note about what is left out, and the end
DETAIL_CHARACTERS: Final = 80
HMAC: Final = "x-syncml-hmac"
UNADORNED: Final[Mapping[str, str]] = MappingProxyType({})

_NAME: Final = re.compile(r"(\d{6,})\.txt")
_MAC: Final = re.compile(r"(mac\s*=\s*)[^,\s]+", re.IGNORECASE)
_BLANKED: Final = r"\1***"
_HEAD: Final = re.compile(r"session (\S*) with (.*)\nbegan (\S+)\n")
_END: Final = re.compile(r"\nended (\w+)(?:: (.*))?\n\Z")
_UNFINISHED: Final = "unfinished"


class Traces:
    """The directory; the configuration says whether anything is written, and how much."""

    def __init__(self, directory: Path, settings: Log, clock: Clock) -> None:
        self._directory = directory
        self._settings = settings
        self._clock = clock

    def begin(self, server_id: str, session_id: str) -> Trace:
        """Begin the trace of a session; where none is wanted it writes nothing."""
        if self._settings.trace == OFF:
            return Trace(None, self._settings, self._clock)
        try:
            trace = Trace(self._create(), self._settings, self._clock)
        except OSError as error:
            log.warning("no trace of this session: %s", error)
            return Trace(None, self._settings, self._clock)
        began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock.wall_s()))
        trace.write([f"session {session_id} with {server_id}", f"began {began}"])
        return trace

    def all(self) -> list[Record]:
        """Tell of all sessions that are kept, oldest first; without their text."""
        found = (self._read(number) for number in self._numbers())
        return [{key: record[key] for key in record if key != "text"} for record in found if record]

    def one(self, number: int) -> Record:
        """Tell of one session with its text; raises `Unknown` where it is not kept."""
        record = self._read(number)
        if record is None:
            raise Unknown(f"no trace {number}; see 'scomoctl trace'")
        return record

    def _create(self) -> Path:
        """Make room and the next file; numbers go up, as the clock of a device may not."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        numbers = self._numbers()
        for number in numbers[: len(numbers) + 1 - self._settings.trace_files_count]:
            self._path(number).unlink(missing_ok=True)
        path = self._path(numbers[-1] + 1 if numbers else 1)
        _append(path, b"", os.O_CREAT | os.O_EXCL)
        return path

    def _numbers(self) -> list[int]:
        try:
            names = [path.name for path in self._directory.iterdir()]
        except FileNotFoundError:
            return []
        return sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:06}.txt"

    def _read(self, number: int) -> Record | None:
        """Read a file; None where it is gone or none of ours."""
        try:
            text = self._path(number).read_text("utf-8", "replace")
        except OSError:
            return None
        head, end = _HEAD.match(text), _END.search(text)
        if head is None:
            return None
        return {
            "id": number,
            "session": head[1],
            "server": head[2],
            "began": datetime.fromisoformat(head[3]).timestamp(),
            "outcome": end[1] if end else _UNFINISHED,
            "detail": (end[2] or "") if end else "",
            "bytes": len(text.encode()),
            "text": text,
        }


def _append(path: Path, text: bytes, more_flags: int = 0) -> None:
    """Write at the end of a file that is ours; raises `OSError`."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | more_flags
    with os.fdopen(os.open(path, flags, 0o600), "ab", buffering=0) as file:
        file.write(text)


class Trace:
    """One session being written to an empty file; `path` is None where nothing shall be."""

    def __init__(self, path: Path | None, settings: Log, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._began_s = clock.monotonic_s()
        self._has_data = settings.trace == FULL
        self._left = settings.trace_file_bytes - LAST_BYTES
        self._outlines: dict[str, Outline] = {}

    def sent(self, headers: Mapping[str, str], body: bytes, content_type: str) -> None:
        """Note a message of ours, as it leaves."""
        self._message(SENT, headers, body, content_type)

    def received(self, headers: Mapping[str, str], body: bytes, content_type: str) -> None:
        """Note a message of the server, before it is judged; header names in lower case."""
        self._message(RECEIVED, headers, body, content_type)

    def failed(self, error: ScomodError) -> None:
        """Note that no answer came."""
        self.write(["", f"{RECEIVED} nothing: {error}"])

    def end(self, outcome: str, detail: str) -> None:
        """Note how the session ended: a word, and why."""
        self._left = LAST_BYTES
        self.write([f"ended {outcome}" + (f": {detail[:DETAIL_CHARACTERS]}" if detail else "")])
        self._path = None

    def write(self, lines: Iterable[str]) -> None:
        """Write lines as far as there is room; the first that is too much ends it."""
        if self._path is None or self._left <= 0:
            return
        from scomod.clifmt import printable  # noqa: PLC0415 - its tables, the waiting daemon needs none

        text = bytearray()
        for line in lines:
            octets = f"{printable(without_passwords(line))}\n".encode("utf-8", "replace")
            self._left -= len(octets)
            if self._left < 0:
                text += f"{CUT}\n".encode()
                break
            text += octets
        try:
            _append(self._path, bytes(text))
        except OSError as error:
            log.warning("the trace of this session ends here: %s", error)
            self._path = None

    def _message(
        self, way: str, headers: Mapping[str, str], body: bytes, content_type: str
    ) -> None:
        if self._path is not None:
            self.write(self._lines(way, headers, body, content_type))

    def _lines(
        self, way: str, headers: Mapping[str, str], body: bytes, content_type: str
    ) -> Iterator[str]:
        after_s = self._clock.monotonic_s() - self._began_s
        yield ""
        yield f"{way} {len(body)} octets, {content_type}, after {after_s:.3f} s"
        for name, value in headers.items():
            if name.lower() == HMAC:
                yield f"{INDENT}{HMAC}: {_MAC.sub(_BLANKED, value)}"
        try:
            yield from (INDENT + line for line in self._outlined(way, body, content_type))
        except (DecodeError, LimitExceeded) as error:
            yield f"{INDENT}not readable: {error}"

    def _outlined(self, way: str, body: bytes, content_type: str) -> Iterator[str]:
        from scomod.dmclient import codec  # noqa: PLC0415 - an idle daemon needs neither
        from scomod.explain import LIMITS, Outline  # noqa: PLC0415

        message = codec.decode(body, codec.encoding_of(content_type), LIMITS)
        outline = self._outlines.setdefault(way, Outline(has_data=self._has_data))
        return outline.message(message)


class Traced:
    """A transport of which everything that passes is noted."""

    def __init__(self, transport: Transport, trace: Trace) -> None:
        self._transport = transport
        self._trace = trace

    async def exchange(
        self, url: str, body: bytes, content_type: str, headers: Mapping[str, str] = UNADORNED
    ) -> Reply:
        """Exchange as the transport does; raises what it raises."""
        self._trace.sent(headers, body, content_type)
        try:
            reply = await self._transport.exchange(url, body, content_type, headers)
        except ScomodError as error:
            self._trace.failed(error)
            raise
        self._trace.received(reply.headers, reply.body, reply.content_type)
        return reply

    def close(self) -> None:
        """End the conversation."""
        self._transport.close()
