# SPDX-License-Identifier: Apache-2.0
"""The flight recorder: a bounded ring of lines that check themselves, without secrets."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scomod import ring
from scomod.dmclient.model import Add, Exec, Get, Item, Sequence, Status
from scomod.errors import ConfigError, Reason
from scomod.log import Event, announce, bound
from scomod.operation import Branch, Operation, Phase, Primitive, Subject
from scomod.recorder import Recorder, note_refusal
from scomod.ring import Ring
from scomod.secret import Secret, blanked
from scomod.settings import Paths
from scomod.settings import Recorder as Limits
from tests.support.clocks import FakeClock
from tests.support.mortal import live

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SMALL = Limits(segments_count=2, segment_bytes=4096)
SECRETS = ("hunter2", "s3cr3t-nonce", "tok-4711", "signed-query", "4938")
log = logging.getLogger("scomod.test")

OPERATION = Operation(
    id=7,
    branch=Branch.DOWNLOAD,
    primitive=Primitive.DOWNLOAD_INSTALL,
    node="x",
    exec_uri="./SCOMO/Download/x/Operations/DownloadInstall",
    server_id="srv",
    subject=Subject(pkg_id="editor", url="https://u:hunter2@host/p?sig=signed-query"),
    phase=Phase.RUNNING,
)
REPORT: dict[str, Any] = {
    "server": "srv", "outcome": "failed", "detail": "", "messages": 1, "bytes_sent": 2,
    "bytes_received": 3, "duration_s": 0.5, "alerts_delivered": 0, "commands": 4,
}  # fmt: skip


def entries(folder: Path) -> list[dict[str, Any]]:
    return list(ring.read(folder))


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path, Limits(), FakeClock())
    made.attach()
    yield made
    logging.getLogger("scomod").removeHandler(made)


# -- the ring ---------------------------------------------------------------------


def test_ring_keeps_its_limit_and_the_newest(tmp_path: Path) -> None:
    for number in range(400):
        Ring(tmp_path, SMALL).append([{"number": number, "text": "x" * 40}])
        assert size(tmp_path) <= 2 * SMALL.segment_bytes
    numbers = [entry["number"] for entry in entries(tmp_path)]
    assert numbers == list(range(numbers[0], 400))
    assert len(numbers) > 50
    assert len(list(tmp_path.iterdir())) == 2


def test_many_entries_at_once_are_parted_and_bounded_too(tmp_path: Path) -> None:
    Ring(tmp_path, SMALL).append({"number": number, "text": "x" * 90} for number in range(500))
    Ring(tmp_path, SMALL).append([{"number": 500}])
    assert size(tmp_path) <= 2 * SMALL.segment_bytes
    assert entries(tmp_path)[-1] == {"number": 500}


def test_entry_that_is_too_long_is_cut_not_lost(tmp_path: Path) -> None:
    Ring(tmp_path, SMALL).append([{"what": "log", "text": "\u1234" * 9000}])
    (entry,) = entries(tmp_path)
    assert entry["what"] == "log"
    assert entry["text"].endswith("...")
    assert size(tmp_path) <= ring.LINE_BYTES + 20


def test_line_torn_at_any_octet_is_skipped_and_what_follows_is_read(tmp_path: Path) -> None:
    Ring(tmp_path, SMALL).append([{"number": 1}, {"number": 2}])
    (segment,) = tmp_path.iterdir()
    whole = segment.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(len(whole)):
        segment.write_bytes(whole[:cut])
        Ring(tmp_path, SMALL).append([{"number": 3}])
        seen = [entry["number"] for entry in entries(tmp_path)]
        kept = [1] if cut >= first - 1 else []
        kept += [2] if cut >= len(whole) - 1 else []
        assert seen == [*kept, 3], cut


@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_rubbish_is_an_entry(rubbish: bytes, at: int) -> None:
    line = ring.line_of({"number": 1, "text": "some words"})[:-1]
    spoiled = line[:at] + rubbish + line[at + len(rubbish) :]
    assert ring.entry_of(spoiled) in (None, {"number": 1, "text": "some words"})
    assert (spoiled == line) or ring.entry_of(spoiled) is None


def test_link_in_place_of_a_segment_is_not_followed(tmp_path: Path) -> None:
    folder, other = tmp_path / "recorder", tmp_path / "other"
    folder.mkdir()
    other.write_text("mine")
    (folder / "000001.log").symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        Ring(folder, SMALL).append([{"number": 1}])
    assert other.read_text() == "mine"


def test_killed_at_any_write_the_next_life_goes_on(tmp_path: Path) -> None:
    """Some lives, each killed between two entries: nothing that was written is lost."""
    for life in range(5):

        def play(observer: Callable[[str], None], life: int = life) -> None:
            recorder = Recorder(tmp_path, SMALL, FakeClock())
            recorder.start("1", f"boot {life}")
            for number in range(10):
                recorder.begin(f"{life}-{number}", "srv")
                recorder.end(f"{life}-{number}", REPORT)
                observer(f"session {number}")

        deadly = (3 * life + 1) % 10
        assert live(play, [f"session {deadly}"]).killed_at == f"session {deadly}"
        ends = [each["session"] for each in entries(tmp_path) if each["what"] == "session end"]
        assert f"{life}-{deadly}" == ends[-1]


# -- what is noted ------------------------------------------------------------------


def test_start_alone_is_not_worth_a_write(recorder: Recorder, tmp_path: Path) -> None:
    recorder.start("1.0", "boot")
    log.info("plain news of nobody who is listened to")
    recorder.keep()
    assert list(tmp_path.iterdir()) == []
    recorder.stop("nothing left to do")
    assert [entry["what"] for entry in entries(tmp_path)] == ["start", "stop"]


def test_operation_is_noted_where_it_stands_anew(recorder: Recorder, tmp_path: Path) -> None:
    recorder.operation(OPERATION)
    recorder.operation(replace(OPERATION, attempts=2))
    failed = replace(OPERATION, phase=Phase.FAILED, reason=Reason.TIMEOUT, detail="too late")
    recorder.operation(failed)
    first, last = entries(tmp_path)
    assert (first["id"], first["of"], first["step"]) == (7, "editor", "consent")
    assert (last["phase"], last["reason"], last["detail"]) == ("failed", "timeout", "too late")


def test_commands_have_verb_uri_and_status_and_no_value(recorder: Recorder, tmp_path: Path) -> None:
    add = Add(cmd_id="3", items=(Item(target="./a", data=b"hunter2"), Item(target="./b")))
    whole = Sequence(cmd_id="1", commands=(Get(cmd_id="2", items=(Item(target="./c"),)), add))
    answers = [
        Status(msg_ref="1", cmd_ref=ref, cmd=verb, code=code)
        for ref, verb, code in (("1", "Sequence", 200), ("2", "Get", 404), ("3", "Add", 418))
    ]
    recorder.begin("1", "srv")
    recorder.commands(whole, [*answers])
    recorder.end("1", REPORT)
    noted = [
        (each["verb"], each["uri"], each["status"], each.get("items"))
        for each in entries(tmp_path)
        if each["what"] == "command"
    ]
    assert noted == [("Sequence", "", 200, None), ("Get", "./c", 404, None), ("Add", "./a", 418, 2)]


def test_commands_beyond_the_limit_are_counted(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, replaced(session_commands_count=3), FakeClock())
    order = Exec(cmd_id="1", items=(Item(target="./x"),))
    recorder.begin("1", "srv")
    for _ in range(5):
        recorder.commands(order, [Status(msg_ref="1", cmd_ref="1", cmd="Exec", code=202)])
    recorder.end("1", REPORT)
    seen = entries(tmp_path)
    assert [each["what"] for each in seen].count("command") == 3
    assert seen[-1]["commands_left_out"] == 2


def replaced(**values: int) -> Limits:
    return Limits(**values)


def test_a_flood_of_news_stays_within_memory_and_is_counted(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, Limits(), FakeClock())
    for _ in range(1100):
        recorder.handle(logging.makeLogRecord({"levelno": logging.WARNING, "msg": "dropped"}))
    recorder.keep()
    seen = entries(tmp_path)
    assert len(seen) == 1001
    assert seen[-1]["what"] == "left out"
    assert seen[-1]["count"] == 100


def test_switched_off_it_writes_nothing(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, replaced(segments_count=0), FakeClock())
    recorder.attach()
    recorder.begin("1", "srv")
    recorder.operation(OPERATION)
    recorder.stop("told to")
    assert list(tmp_path.iterdir()) == []
    assert recorder not in logging.getLogger("scomod").handlers


def test_disk_that_takes_nothing_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "recorder").write_text("a file where the folder should be")
    recorder = Recorder(tmp_path / "recorder", Limits(), FakeClock())
    for _ in range(3):
        recorder.operation(replace(OPERATION, phase=Phase.FAILED))
    assert caplog.text.count("the flight recorder cannot be written") == 1


def test_no_secret_reaches_the_file_on_any_path(recorder: Recorder, tmp_path: Path) -> None:
    """Known secrets, fed through every way in, in the shapes in which texts have them."""
    texts = (
        "GET https://u:hunter2@host/p?sig=signed-query#s3cr3t-nonce failed",
        "password=hunter2, nonce: s3cr3t-nonce; token=tok-4711",
        'said {"ServerPW": "hunter2", "clientpwd": "hunter2"}',
        "Authorization: Basic tok-4711",
        "the PIN: 4938",
    )
    for text in texts:
        recorder.start(text, text)
        recorder.begin(text, text)
        items = (Item(target=f"./x/{text}", data=b"hunter2"),)
        answer = Status(msg_ref="1", cmd_ref="1", cmd="Add", code=200)
        recorder.commands(Add(cmd_id="1", items=items), [answer])
        recorder.end(text, {**REPORT, "detail": text, "server": text})
        recorder.operation(replace(OPERATION, phase=Phase.FAILED, detail=text, server_id=text))
        with bound(server=text, pin=Secret("4938")):
            log.warning("failed: %s, %s", text, Secret("hunter2"))
            announce(log, Event.NOTIFICATION_REFUSED, "%s", text)
            logging.getLogger("scomod.wakeup").warning(text)
        recorder.stop(text)
    octets = b"".join(path.read_bytes() for path in tmp_path.iterdir()).decode()
    assert [secret for secret in SECRETS if secret in octets] == []
    assert octets.count("***") > len(texts) * 5


def test_refused_configuration_is_noted_where_the_device_has_its_place(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    error = ConfigError("scomod.toml: password = hunter2 is no key")
    note_refusal(paths, FakeClock(), error)
    assert not paths.state_dir.exists()
    paths.state_dir.mkdir(parents=True)
    note_refusal(paths, FakeClock(), error)
    (entry,) = entries(paths.recorder_dir)
    assert entry["event"] == "CONFIGURATION_REFUSED"
    assert entry["text"] == "scomod.toml: password = *** is no key"


def test_blanking_leaves_what_is_no_secret() -> None:
    for text in (
        "./DMAcc/x/AppAuth/y/AAuthSecret",
        "session with com.example.dm failed: https://host/dm does not answer",
        "needs a PIN to go on",
        "proxy_login_file = 'etc/scomod/login'",
    ):
        assert blanked(text) == text


def test_files_are_for_their_owner_only(recorder: Recorder, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        recorder.stop("told to")
    finally:
        os.umask(old)
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]
