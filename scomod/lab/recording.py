# SPDX-License-Identifier: Apache-2.0
"""The file of a recorded session: JSON lines, a head and two lines for each exchange.

    {"scomod-recording": 1, "began": "2026-01-01T00:00:00Z", "server": "https://dm.example/dm"}
    {"exchange": 1, "from": "device", "after_s": 0.0, "path": "/dm", "type": ..., "headers": {},
     "octets": 579, "xml": "<SyncML ...", "body": BASE64}
    {"exchange": 1, "from": "server", "after_s": 0.2, "status": 200, "type": ..., ...}

`body` counts, `xml` is for people; a line without `body` is read from its `xml`, so that
recordings can be written and changed by hand.  Each line is on the disk before the message
goes on, and a line that was cut off by a kill is not there.  Why so: docs/adr/0048.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from scomod.dmclient import codec, xmltext
from scomod.errors import DecodeError, LimitExceeded, ScomodError
from scomod.lab import recordblank

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scomod.dmclient.model import Message

MARK: Final = "scomod-recording"
VERSION: Final = 1
DEVICE: Final = "device"
SERVER: Final = "server"
MAX_FILE_BYTES: Final = 256 << 20
KEPT_HEADERS: Final = (
    *("user-agent", "accept", "accept-charset", "x-syncml-hmac", "server", "date"),
    *("retry-after", "location", "www-authenticate"),
)


class RecordingError(ScomodError):
    """A file that is no recording, or none that we read; says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One message as it passed; of a device `path`, of a server `status`, or why none came."""

    body: bytes = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    after_s: float = 0.0
    path: str = ""
    status: int = 0
    failed: str = ""

    def message(self) -> Message | None:
        """Return it decoded, None where it is no DM message."""
        try:
            encoding = codec.encoding_of(self.content_type)
            return codec.decode(self.body, encoding, recordblank.LIMITS)
        except (DecodeError, LimitExceeded):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A message of the device, and what the server answered."""

    number: int
    request: Side
    response: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A whole file."""

    server: str
    began: str
    exchanges: tuple[Exchange, ...]


class Writer:
    """A recording that is being written; raises `FileExistsError` rather than overwrite one.

    `is_full` tells that there was no room for more: nothing is written from then on.
    """

    def __init__(self, path: Path, server: str, began: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        self._lock = threading.Lock()
        self._left = MAX_FILE_BYTES
        self._count = 0
        self.is_full = False
        self._write({MARK: VERSION, "began": began, "server": server})
        _sync_directory(path)

    def request(self, side: Side) -> int:
        """Write a message of the device; returns the number of its exchange."""
        with self._lock:
            self._count += 1
            number = self._count
            self._write({"exchange": number, "from": DEVICE, **_row(side, {"path": side.path})})
        return number

    def response(self, number: int, side: Side) -> None:
        """Write what was answered."""
        own = {"failed": side.failed} if side.failed else {"status": side.status}
        with self._lock:
            self._write({"exchange": number, "from": SERVER, **_row(side, own)})

    def close(self) -> None:
        """Write nothing more."""
        os.close(self._file)

    def _write(self, row: Mapping[str, Any]) -> None:
        line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
        self._left -= len(line)
        self.is_full = self.is_full or self._left < 0
        if self.is_full:
            return
        try:
            self.is_full = os.write(self._file, line) < len(line)
            os.fsync(self._file)
        except OSError:  # a full disk ends the recording, not the session
            self.is_full = True


def _sync_directory(path: Path) -> None:
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _row(side: Side, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is written of a message: without secrets, with its XML where it has one."""
    row: dict[str, Any] = {"after_s": round(side.after_s, 3), **own, "type": side.content_type}
    headers = {name: value for name, value in side.headers.items() if name in KEPT_HEADERS}
    if "x-syncml-hmac" in headers:
        headers["x-syncml-hmac"] = recordblank.HMAC_SECRET.sub(r"\1***", headers["x-syncml-hmac"])
    row |= {"headers": headers, "octets": len(side.body)}
    body, text = side.body, ""
    try:
        encoding = codec.encoding_of(side.content_type)
        body, text = recordblank.without_secrets(body, encoding)
    except (DecodeError, LimitExceeded) as error:
        row["unreadable"] = str(error)
    row |= {"xml": text} if text else {}
    return row | {"body": base64.b64encode(body).decode()}


def read(path: Path) -> Recording:
    """Read a file; exchanges without an answer are left out.  Raises `RecordingError`, `OSError`.

    What stands behind the last end of a line was being written when the recorder was killed.
    """
    with path.open("rb") as file:
        text = file.read(MAX_FILE_BYTES + 1)
    if len(text) > MAX_FILE_BYTES:
        raise RecordingError(f"{path} is longer than {MAX_FILE_BYTES} octets")
    lines = text.split(b"\n")[:-1]
    rows = [_parsed(line, f"{path}:{number}") for number, line in enumerate(lines, start=1)]
    head = rows[0] if rows else {}
    if head.get(MARK) != VERSION:
        raise RecordingError(f"{path} is no recording of version {VERSION} ({MARK})")
    requests: dict[int, Side] = {}
    exchanges: list[Exchange] = []
    for number, row in enumerate(rows[1:], start=2):
        side = _side(row, f"{path}:{number}")
        key = row.get("exchange", 0)
        if row.get("from") == DEVICE:
            requests[key] = side
        elif key in requests:
            exchanges.append(Exchange(number=key, request=requests.pop(key), response=side))
    return Recording(
        server=str(head.get("server", "")),
        began=str(head.get("began", "")),
        exchanges=tuple(exchanges),
    )


def _parsed(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise RecordingError(f"{where}: no JSON: {error}") from error
    if not isinstance(row, dict):
        raise RecordingError(f"{where}: no object")
    return row


def _side(row: Mapping[str, Any], where: str) -> Side:
    """Read one line; raises `RecordingError`."""
    try:
        return Side(
            body=_body(row),
            content_type=str(row.get("type", "")),
            headers={str(name): str(value) for name, value in row.get("headers", {}).items()},
            after_s=float(row.get("after_s", 0.0)),
            path=str(row.get("path", "")),
            status=int(row.get("status", 0)),
            failed=str(row.get("failed", "")),
        )
    except (ValueError, TypeError, AttributeError, DecodeError, LimitExceeded) as error:
        raise RecordingError(f"{where}: {error}") from error


def _body(row: Mapping[str, Any]) -> bytes:
    if "body" not in row and "xml" in row:
        root = xmltext.decode(str(row["xml"]).encode(), recordblank.LIMITS, for_people=True)
        return recordblank.write(root, codec.encoding_of(str(row.get("type", ""))))
    try:
        return base64.b64decode(str(row.get("body", "")), validate=True)
    except binascii.Error as error:
        raise ValueError(f"body is no base64: {error}") from error
