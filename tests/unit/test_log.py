# SPDX-License-Identifier: Apache-2.0
"""Log records as lines and as datagrams of the journal."""

import asyncio
import io
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from scomod import log
from scomod.log import Event
from scomod.secret import Secret

LOGGER = logging.getLogger("scomod.test")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger(log.ROOT_LOGGER)
    handlers, levels = list(root.handlers), (root.level, ours.level)
    yield
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


class Journal:
    """What journald is to us: a datagram socket, and the fields of what arrives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(5)

    def record(self) -> dict[str, str]:
        fields = {}
        rest = self.socket.recv(1 << 20)
        while rest:
            head, _, tail = rest.partition(b"\n")
            if b"=" in head:
                name, _, value = head.partition(b"=")
                rest = tail
            else:
                length = int.from_bytes(tail[:8], "little")
                name, value, rest = head, tail[8 : 8 + length], tail[8 + length :]
                assert rest.startswith(b"\n")
                rest = rest[1:]
            fields[name.decode()] = value.decode()
        return fields


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "socket")
    stream_file = tmp_path / "stderr"
    with stream_file.open("w") as stream:
        status = os.fstat(stream.fileno())
        environ = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        log.setup("debug", stream, environ=environ, journal=journal.path)
        yield journal
    journal.socket.close()


def log_raised(error: ValueError) -> None:
    def fail() -> None:
        raise error

    try:
        fail()
    except ValueError:
        LOGGER.exception("failed")


def lines_of(level: str = "debug") -> io.StringIO:
    stream = io.StringIO()
    log.setup(level, stream, environ={})
    return stream


def test_line_has_level_message_and_fields() -> None:
    stream = lines_of()
    with log.bound(operation=7, step="install"):
        LOGGER.warning("took %d s", 3)
    assert stream.getvalue() == "warning took 3 s operation=7 step=install\n"


def test_fields_end_with_their_block_and_nest() -> None:
    stream = lines_of()
    with log.bound(server="a"):
        with log.bound(session=1, server="b"):
            LOGGER.info("inner")
        LOGGER.info("outer")
    LOGGER.info("none")
    assert stream.getvalue() == "info inner server=b session=1\ninfo outer server=a\ninfo none\n"


def test_fields_end_with_their_block_when_it_fails() -> None:
    stream = lines_of()
    with pytest.raises(KeyError), log.bound(server="a"):
        raise KeyError
    LOGGER.info("after")
    assert stream.getvalue() == "info after\n"


def test_fields_follow_a_task_and_stay_in_it() -> None:
    stream = lines_of()

    async def work(number: int) -> None:
        with log.bound(operation=number):
            await asyncio.sleep(0)
            await asyncio.to_thread(LOGGER.info, "in a thread")

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(work(1))
            group.create_task(work(2))
        LOGGER.info("outside")

    asyncio.run(both())
    lines = stream.getvalue().splitlines()
    assert sorted(lines[:2]) == ["info in a thread operation=1", "info in a thread operation=2"]
    assert lines[2] == "info outside"


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a b", '"a b"'), ("", '""'), ("a=b", '"a=b"'), ('a"b', '"a\\"b"'), ("./A/B", "./A/B")],
)
def test_value_that_would_blur_the_line_is_quoted(value: str, shown: str) -> None:
    stream = lines_of()
    with log.bound(uri=value):
        LOGGER.info("x")
    assert stream.getvalue() == f"info x uri={shown}\n"


def test_text_from_outside_cannot_start_a_new_line() -> None:
    stream = lines_of()
    with log.bound(server="a\nb\u2028c"):
        LOGGER.info("name %s", "x\ninfo forged\x1b[2J\r")
    assert len(stream.getvalue().splitlines()) == 1
    assert "x\\ninfo forged\\x1b[2J\\r" in stream.getvalue()


def test_secrets_and_users_of_urls_are_not_written() -> None:
    stream = lines_of()
    secret = Secret("OhBehave")
    with log.bound(password=secret, uri="https://me:OhBehave@dm.example/x"):
        LOGGER.info("%s %r %s", secret, [secret], "http://u:OhBehave@host/")
        log_raised(ValueError("https://me:OhBehave@dm.example/", secret))
    assert "OhBehave" not in stream.getvalue()
    assert "https://***@dm.example/x" in stream.getvalue()


def test_traceback_follows_the_line() -> None:
    stream = lines_of()
    log_raised(ValueError("bad\x1b\nthing"))
    first, second, *_, last = stream.getvalue().splitlines()
    assert (first, second) == ("error failed", "Traceback (most recent call last):")
    assert last == "thing"
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_level_is_the_least_that_is_written(level: str, shown: list[str]) -> None:
    stream = lines_of(level)
    for name in ("debug", "info", "warning", "error"):
        LOGGER.log(logging.getLevelNamesMapping()[name.upper()], "x")
    assert [line.split()[0] for line in stream.getvalue().splitlines()] == shown


def test_libraries_speak_from_warnings_on() -> None:
    stream = lines_of("debug")
    logging.getLogger("urllib3").info("chatter")
    logging.getLogger("asyncio").error("task failed")
    assert stream.getvalue() == "error task failed\n"


def test_later_setup_replaces_the_earlier() -> None:
    first, second = lines_of(), lines_of()
    LOGGER.info("x")
    assert (first.getvalue(), second.getvalue()) == ("", "info x\n")


def test_journal_gets_message_priority_place_and_fields(journal: Journal) -> None:
    with log.bound(operation=7, server="srv"):
        LOGGER.error("failed: %s", "why")
    record = journal.record()
    assert record["MESSAGE"] == "failed: why"
    assert record["PRIORITY"] == "3"
    assert record["SYSLOG_IDENTIFIER"] == "scomod"
    assert record["LOGGER"] == "scomod.test"
    assert record["CODE_FILE"] == __file__
    assert record["CODE_FUNC"] == "test_journal_gets_message_priority_place_and_fields"
    assert record["CODE_LINE"].isdecimal()
    assert (record["SCOMOD_OPERATION"], record["SCOMOD_SERVER"]) == ("7", "srv")
    assert "MESSAGE_ID" not in record


@pytest.mark.parametrize(
    ("level", "priority"), [("debug", "7"), ("info", "6"), ("warning", "4"), ("critical", "2")]
)
def test_journal_priority_follows_the_level(journal: Journal, level: str, priority: str) -> None:
    getattr(LOGGER, level)("x")
    assert journal.record()["PRIORITY"] == priority


def test_journal_value_of_several_lines_is_sent_with_its_length(journal: Journal) -> None:
    log_raised(ValueError("bad"))
    record = journal.record()
    assert record["MESSAGE"] == "failed"
    assert record["SCOMOD_TRACEBACK"].splitlines()[-1] == "ValueError: bad"


def test_journal_value_from_outside_makes_no_field(journal: Journal) -> None:
    with log.bound(server="a\nPRIORITY=0"):
        LOGGER.info("x\nMESSAGE_ID=forged")
    record = journal.record()
    assert record["PRIORITY"] == "6"
    assert "MESSAGE_ID" not in record


def test_journal_value_is_cut_to_fit_a_datagram(journal: Journal) -> None:
    LOGGER.info("\u20ac" * 10_000_000)
    assert len(journal.record()["MESSAGE"]) == log.VALUE_MAX_CHARACTERS


def test_event_carries_its_id_and_level_and_the_place_of_the_caller(journal: Journal) -> None:
    log.announce(LOGGER, Event.SESSION_FAILED, "session failed: %s", "no route")
    record = journal.record()
    assert record["MESSAGE"] == "session failed: no route"
    assert record["MESSAGE_ID"] == Event.SESSION_FAILED.message_id
    assert record["PRIORITY"] == "4"
    assert record["CODE_FILE"] == __file__


def test_journal_that_is_gone_is_replaced_by_lines(journal: Journal, tmp_path: Path) -> None:
    journal.path.unlink()
    LOGGER.info("still said")
    assert (tmp_path / "stderr").read_text() == "info still said\n"


def test_full_journal_is_not_waited_for(journal: Journal, tmp_path: Path) -> None:
    for number in range(2000):
        LOGGER.info("%d", number)
    assert (tmp_path / "stderr").read_text().endswith("info 1999\n")
    assert journal.record()["MESSAGE"] == "0"


def test_stream_without_a_file_leads_to_no_journal() -> None:
    assert not log.leads_to_journal(io.StringIO(), {"JOURNAL_STREAM": "1:2"})


def test_stream_that_is_another_file_leads_to_no_journal(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as stream:
        assert not log.leads_to_journal(stream, {"JOURNAL_STREAM": "1:2"})
        assert not log.leads_to_journal(stream, {})


@pytest.mark.usefixtures("journal")
def test_message_that_does_not_fit_its_arguments_stops_nobody(
    capsys: pytest.CaptureFixture[str],
) -> None:
    handlers = logging.getLogger().handlers
    (handler,) = (handler for handler in handlers if isinstance(handler, log.JournalHandler))
    record = LOGGER.makeRecord("scomod", logging.INFO, __file__, 1, "%d", ("no number",), None)
    assert handler.handle(record)
    assert "Logging error" in capsys.readouterr().err


def test_event_ids_are_uuids_and_differ() -> None:
    ids = [event.message_id for event in Event]
    assert len(set(ids)) == len(ids)
    assert all(UUID(text).version == 4 and UUID(text).hex == text for text in ids)


def test_logging_loads_nothing_heavy() -> None:
    script = "import sys, scomod.log; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    loaded = set(done.stdout.decode().split())
    assert "scomod.log" in loaded
    assert not loaded & {"lxml", "requests", "cryptography", "dbus_next", "asyncio", "ssl"}
