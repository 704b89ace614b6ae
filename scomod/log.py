# SPDX-License-Identifier: Apache-2.0
"""Logging: records to the system journal with fields, or to stderr one line each.

Modules use the standard `logging`; this says where it goes and what goes with it.
Not here: what deserves a line.  Messages are lower-case facts without a final dot;
who and what they are about is bound by context, never formatted into the text.
What came from outside cannot break a line, and no password leaves: `Secret`
prints as `***`, and so does the user part of a URL.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scomod.secret import without_passwords

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

ROOT_LOGGER: Final = "scomod"
JOURNAL_SOCKET: Final = Path("/run/systemd/journal/socket")
VALUE_MAX_CHARACTERS: Final = 16384  # a record must fit one datagram

_PRIORITIES: Final = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_IN_TEXT: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_PLAIN: Final = re.compile(r"[^\s\"=]+")

_fields: ContextVar[Mapping[str, object]] = ContextVar("fields", default=MappingProxyType({}))


class Event(Enum):
    """What an operator may want to be told of: (MESSAGE_ID, level)."""

    SESSION_STARTED = ("d8fff9d22d97441b9adb8141700e3434", logging.INFO)
    SESSION_ENDED = ("330baf2653fb487fb7d6b435a62c7f95", logging.INFO)
    SESSION_FAILED = ("b5501bbf5dc3490c9a207e58104c0d88", logging.WARNING)
    AUTHENTICATION_REFUSED = ("e0a55cb9730e411d8a18b57d4e8ead5e", logging.WARNING)
    NOTIFICATION_REFUSED = ("9f30338f51ff4bfc9444c629fe9ba571", logging.WARNING)
    OPERATION_ACCEPTED = ("858377f8f3354e9283056bc2e2d77ca4", logging.INFO)
    OPERATION_SUCCEEDED = ("1f8ee1ff46f64942b2564f18a7aed013", logging.INFO)
    OPERATION_FAILED = ("3720aaf616bc46ee8c2f8499bfecc921", logging.ERROR)
    OPERATION_ROLLED_BACK = ("c12fe71c2cff437bbeade29d65cc20f1", logging.WARNING)
    OPERATION_STUCK = ("997201c5f378415bbd64846d00275699", logging.ERROR)
    PACKAGE_REJECTED = ("1886e35da64c47eaaa462c2c80af1110", logging.WARNING)
    STORAGE_DAMAGED = ("129a8aaa4ee6422390ddb144150d7535", logging.ERROR)
    CRASH_LOOP_BROKEN = ("f0fbdbf6db0c43528bc4572922364c51", logging.ERROR)
    ACCOUNT_MADE = ("5b0c6c1d8e7f4c0c9c0be3f6a9d6d0a4", logging.INFO)
    BOOTSTRAP_REFUSED = ("c4b1ee6d53f84b3f8a4d0f5c5e7a2b91", logging.WARNING)
    CERTIFICATE_ENDS = ("145957f0fa7e48518af07904822c816c", logging.WARNING)
    CONFIGURATION_REFUSED = ("6860e50091554ac2a8d9d790604f4ab7", logging.ERROR)
    SIGN_OF_LIFE_WITHHELD = ("57d426d48d97402ba1adadb1efb1f01c", logging.ERROR)
    SELF_UPDATE_STAYS = ("144153ac3cbf49568555f04f41707b42", logging.INFO)
    SELF_UPDATE_RETURNED = ("6b1fda2e82e147a5952e0f2bf67874cd", logging.ERROR)
    SELF_UPDATE_STUCK = ("082544dde4c044a5911b58b576b1e2ae", logging.ERROR)
    STORAGE_RETURNED = ("e5b1d67c55574dcbaf6ac6ef6c8ba4ec", logging.WARNING)

    @property
    def message_id(self) -> str:
        """The MESSAGE_ID in the journal and in the catalogue."""
        return self.value[0]

    @property
    def level(self) -> int:
        """How important it is."""
        return self.value[1]


def announce(logger: logging.Logger, event: Event, message: str, *arguments: object) -> None:
    """Log an event of the catalogue at its own level."""
    logger.log(event.level, message, *arguments, extra={"event": event}, stacklevel=2)


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Attach fields to whatever is logged inside, in this task and those it starts.

    `with bound(operation=7, step="install"):` shows as SCOMOD_OPERATION in the journal.
    """
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


def context() -> Mapping[str, object]:
    """Return the fields that are bound now."""
    return _fields.get()


def setup(
    level: str,
    stream: TextIO,
    *,
    environ: Mapping[str, str] = os.environ,
    journal: Path = JOURNAL_SOCKET,
) -> None:
    """Send all records to the journal if `stream` leads there anyway, else to `stream`.

    `level` is that of our own modules, in lower case; others speak from warnings on.
    May be called again: the later call counts.
    """
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _OURS)]:
        root.removeHandler(old)
        old.close()
    lines = LineHandler(stream)
    is_journaled = leads_to_journal(stream, environ) and journal.is_socket()
    root.addHandler(JournalHandler(journal, lines) if is_journaled else lines)
    root.setLevel(logging.WARNING)
    logging.getLogger(ROOT_LOGGER).setLevel(level.upper())


def leads_to_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether systemd connected the stream with the journal: JOURNAL_STREAM=device:inode."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class LineHandler(logging.StreamHandler["TextIO"]):
    """One line for a record: level, message, fields; a traceback follows on lines of its own."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = (f"{name}={_quoted(_clean(value))}" for name, value in _fields.get().items())
        line = " ".join((record.levelname.lower(), _clean(record.getMessage()), *fields))
        return line + "".join(f"\n{text}" for text in _traceback(record))


class JournalHandler(logging.Handler):
    """Records to journald in its native datagram protocol; what it does not take becomes a line."""

    def __init__(self, path: Path, fallback: LineHandler) -> None:
        super().__init__()
        self._path = str(path)
        self._fallback = fallback
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record, without ever waiting for the journal."""
        try:
            datagram = b"".join(_encoded(name, value) for name, value in _journal_fields(record))
        except (KeyError, TypeError, ValueError):  # message and arguments do not fit
            self.handleError(record)
            return
        try:
            self._socket.sendto(datagram, socket.MSG_DONTWAIT, self._path)
        except OSError:
            self._fallback.handle(record)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()
        super().close()


_OURS: Final = (LineHandler, JournalHandler)


def _journal_fields(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    """Yield the journal's fields of a record."""
    yield "MESSAGE", _clean(record.getMessage())
    yield "PRIORITY", str(_PRIORITIES.get(record.levelno, _PRIORITIES[logging.INFO]))
    yield "SYSLOG_IDENTIFIER", ROOT_LOGGER
    yield "LOGGER", record.name
    yield "CODE_FILE", record.pathname
    yield "CODE_LINE", str(record.lineno)
    yield "CODE_FUNC", record.funcName or ""
    event = getattr(record, "event", None)
    if isinstance(event, Event):
        yield "MESSAGE_ID", event.message_id
    for name, value in _fields.get().items():
        yield f"SCOMOD_{name.upper()}", _clean(value)
    for text in _traceback(record):
        yield "SCOMOD_TRACEBACK", text


def _encoded(name: str, value: str) -> bytes:
    """Return one field as journald reads it: with an equals sign, or with a length."""
    octets = value[:VALUE_MAX_CHARACTERS].encode("utf-8", "replace")
    if b"\n" in octets:
        length = len(octets).to_bytes(8, "little")
        return name.encode() + b"\n" + length + octets + b"\n"
    return name.encode() + b"=" + octets + b"\n"


def _traceback(record: logging.LogRecord) -> Iterator[str]:
    """Yield the traceback of a record, if it has one."""
    if record.exc_info:
        text = logging.Formatter().formatException(record.exc_info)
        yield _CONTROL_IN_TEXT.sub(_escape, without_passwords(text))


def _clean(value: object) -> str:
    """Return a value as text on one line, without what nobody may see."""
    return _CONTROL.sub(_escape, without_passwords(str(value)))


def _escape(match: re.Match[str]) -> str:
    """Return a control character in visible form."""
    return match[0].encode("unicode_escape").decode()


def _quoted(text: str) -> str:
    """Return a value so that its end is clear."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
