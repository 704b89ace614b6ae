# SPDX-License-Identifier: Apache-2.0
"""Figures, read back by the parser that monitoring uses; where they are read from."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from scomod import metrics, openmetrics, tally
from scomod.db import Database
from scomod.metricsport import MetricsPort
from scomod.operation import Branch, Operation, Phase, Primitive, Subject
from scomod.settings import Metrics, Paths
from tests.support import monitoring

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STATUS: dict[str, Any] = {
    "version": '1.0 "odd\\\n',
    "session": "",
    "operations_live": 2,
    "alerts_waiting": 1,
    "prompts_waiting": 0,
    "servers": [
        {"server_id": 'a"b\\c\nd', "last_session": {"outcome": "ok", "ended_s": 12.5}},
        {"server_id": "new"},
    ],
}


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = Database.open(tmp_path / "state" / "scomod.db")
    yield made
    made.close()


def operation(phase: Phase, **data: object) -> Operation:
    return Operation(
        id=1,
        branch=Branch.DOWNLOAD,
        primitive=Primitive.DOWNLOAD,
        node="x",
        exec_uri="./x",
        server_id="srv",
        subject=Subject(),
        phase=phase,
        data=data,
    )


def test_text_is_openmetrics_with_names_types_units_and_help(db: Database) -> None:
    report = {"outcome": "ok", "bytes_sent": 700, "messages": 2, "duration_s": 0.25}
    with db.transaction():
        tally.count_session(db, report)
        tally.count_session(db, {**report, "outcome": "failed"})
        tally.count_operation(db, operation(Phase.SUCCEEDED, size=1000))
        tally.count_operation(db, operation(Phase.FAILED, size=1000))
    text = openmetrics.text(metrics.families({**STATUS, "counters": tally.counts(db)}))
    assert text.endswith("# EOF\n")
    found = monitoring.openmetrics(text)
    assert all(each.documentation for each in found.values())
    assert all(name.startswith("scomod_") for name in found)
    assert {each.type for each in found.values()} == {"counter", "gauge"}
    assert found["scomod_session_sent_bytes"].unit == "bytes"
    assert found["scomod_session_sent_bytes"].samples[0].value == 1400
    assert found["scomod_session_seconds"].samples[0].value == 0.5
    assert found["scomod_package_bytes"].samples[0].value == 1000
    ended = {
        sample.labels["outcome"]: sample.value for sample in found["scomod_operations"].samples
    }
    assert ended == {"succeeded": 1, "failed": 1}
    (last,) = found["scomod_last_session_end_seconds"].samples
    assert last.labels == {"server": 'a"b\\c\nd'}
    assert last.value == 12.5


def test_a_device_that_did_nothing_has_figures_too() -> None:
    found = monitoring.openmetrics(openmetrics.text(metrics.families({**STATUS, "servers": []})))
    assert [sample.value for sample in found["scomod_sessions"].samples] == [0, 0]
    assert "scomod_last_session_ok" not in found


def test_older_format_says_the_same() -> None:
    new = openmetrics.text(metrics.families(STATUS))
    old = openmetrics.text(metrics.families(STATUS), is_classic=True)
    assert "# EOF" not in old

    def samples(families: Any) -> set[Any]:
        return {
            (sample.name, tuple(sample.labels.items()), sample.value)
            for family in families.values()
            for sample in family.samples
        }

    assert samples(monitoring.prometheus(old)) == samples(monitoring.openmetrics(new))


def test_counts_outlive_the_process_and_what_was_rolled_back_is_not_counted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "state" / "scomod.db"
    first = Database.open(path)
    with first.transaction():
        tally.count_session(first, {"outcome": "ok"})
    with suppress(ZeroDivisionError), first.transaction():
        tally.count_session(first, {"outcome": "ok"})
        raise ZeroDivisionError
    first.close()
    again = Database.open(path)
    assert tally.counts(again) == {"sessions": {"ok": 1}}
    again.close()


async def asked(path: Path, request: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def test_socket_answers_http_and_is_gone_when_closed(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.run_dir.mkdir(parents=True)
    paths.metrics_socket.write_text("what an earlier life left")

    async def play() -> None:
        port = MetricsPort(Metrics(socket=True, socket_mode="0600"), paths, lambda: STATUS)
        await port.open()
        assert paths.metrics_socket.stat().st_mode & 0o777 == 0o600
        get = await asked(paths.metrics_socket, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = get.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.0 200 OK")
        assert openmetrics.CONTENT_TYPE.encode() in head
        assert monitoring.openmetrics(body.decode())["scomod_operations_live"].samples[0].value == 2
        assert (await asked(paths.metrics_socket, b"HEAD / HTTP/1.0\n\n")).endswith(b"\r\n\r\n")
        assert b" 405 " in await asked(paths.metrics_socket, b"POST / HTTP/1.0\r\n\r\n")
        assert await asked(paths.metrics_socket, b"x" * 9000) == b""
        port.close()
        assert not paths.metrics_socket.exists()

    asyncio.run(play())


def test_file_is_made_anew_for_all_to_read(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    port = MetricsPort(Metrics(textfile="/node/scomod.prom"), paths, lambda: STATUS)
    port.write()  # no folder yet: the log says so
    (tmp_path / "node").mkdir()
    old = os.umask(0o077)
    try:
        port.write()
    finally:
        os.umask(old)
    file = tmp_path / "node/scomod.prom"
    assert file.stat().st_mode & 0o777 == 0o644
    assert monitoring.prometheus(file.read_text())
    assert [each.name for each in file.parent.iterdir()] == ["scomod.prom"]


def test_nothing_is_opened_where_nothing_is_wanted(tmp_path: Path) -> None:
    port = MetricsPort(Metrics(), Paths(tmp_path), lambda: STATUS)
    asyncio.run(port.open())
    port.write()
    port.close()
    assert list(tmp_path.iterdir()) == []
