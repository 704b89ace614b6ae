# SPDX-License-Identifier: Apache-2.0
"""scomoctl as people and programs run it: a process, a real bus, a daemon that behaves."""

import asyncio
import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scomod import clitrace
from scomod.clicommands import COMMANDS
from scomod.clifmt import Style
from tests.support import json_shapes
from tests.support.fake_daemon import (
    BASELINE,
    INVENTORY,
    LONG_URI,
    LONG_VALUE,
    OPERATION,
    PROMPT,
    TRACE,
    FakeDaemon,
    RunningDaemon,
    running_daemon,
)
from tests.support.private_bus import PrivateBus, private_bus

PROGRAM = [sys.executable, "-c", "import sys; from scomod.cli import main; sys.exit(main())"]
VECTORS = Path(__file__).parents[2] / "vectors"
PROFILE = b"<wap-provisioningdoc/>"


@pytest.fixture
def bus() -> Iterator[PrivateBus]:
    with private_bus() as started:
        yield started


@pytest.fixture
def running(bus: PrivateBus) -> Iterator[RunningDaemon]:
    with running_daemon(bus.address) as started:
        yield started


def environment(bus: PrivateBus, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("SCOMOD_ROOT", "NO_COLOR")}
    return {**kept, "DBUS_SYSTEM_BUS_ADDRESS": bus.address, "LC_ALL": "C.UTF-8", **more}


def ctl(bus: PrivateBus, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=environment(bus),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        **more,
    )


def document(bus: PrivateBus, *arguments: str) -> Any:
    done = ctl(bus, "--json", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    (command,) = [each for each in arguments if each in COMMANDS][:1]
    return json_shapes.check(command, json.loads(done.stdout))


def said(bus: PrivateBus, *arguments: str) -> str:
    done = ctl(bus, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout  # no terminal, no colour
    return done.stdout


def refusal(done: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    """Return exit status and the one sentence on standard error."""
    assert done.stdout == ""
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("scomoctl: ")
    return done.returncode, sentence


# every command, as text and as a document


def test_status(bus: PrivateBus, running: RunningDaemon) -> None:
    text = said(bus, "status")
    assert "urn:uuid:42" in text
    assert "https://dm.example.org/" in text
    assert document(bus, "status") == running.daemon.status()


def test_status_tells_how_to_make_the_first_account(
    bus: PrivateBus, running: RunningDaemon
) -> None:
    running.daemon.servers.clear()
    assert "scomoctl bootstrap FILE" in said(bus, "status")


def test_inventory(bus: PrivateBus, running: RunningDaemon) -> None:
    text = said(bus, "inventory")
    assert "Deployed components:" in text
    assert "bash" in text
    assert "Delivered packages" not in text
    assert document(bus, "inventory") == INVENTORY
    running.daemon.inventory_record = {"deployed": [], "delivered": [], "download": []}
    assert said(bus, "inventory") == "nothing delivered, deployed or to download\n"


def test_baseline(bus: PrivateBus, running: RunningDaemon) -> None:
    text = said(bus, "baseline")
    assert "Example OS 2 (ID=example)" in text
    assert "Example OS 3" in text
    rows = [line.split() for line in text.splitlines()[-3:]]
    assert rows == [
        ["upgraded", "libgreet", "1.0", "1.1"],
        ["added", "editor", "1.0"],
        ["removed", "game", "2"],
    ]
    assert document(bus, "baseline") == BASELINE
    running.daemon.baseline_record = {"is_known": False, "problem": "never read", "now": {}}
    assert said(bus, "baseline").splitlines()[0] == "never read"


def test_operations(bus: PrivateBus, running: RunningDaemon) -> None:
    [heading, line] = said(bus, "operations").splitlines()
    assert heading.split() == [
        "ID", "PRIMITIVE", "WHAT", "PHASE", "STEP", "RESULT", "REPORTED", "REASON",
    ]  # fmt: skip
    assert line.split() == ["7", "DownloadInstall", "Hello", "waiting", "consent", "no"]
    assert document(bus, "operations") == [OPERATION]
    running.daemon.records.clear()
    assert said(bus, "operations") == "no operations yet\n"


def test_operation_in_full_and_cancelled(bus: PrivateBus, running: RunningDaemon) -> None:
    assert document(bus, "operations", "show", "7") == OPERATION
    assert said(bus, "operations", "cancel", "7") == "operation 7: cancelled\n"
    assert running.daemon.waiting == {}
    assert refusal(ctl(bus, "operations", "cancel", "7"))[0] == 4
    assert refusal(ctl(bus, "operations", "show"))[0] == 2


def test_history_is_filtered(bus: PrivateBus, running: RunningDaemon) -> None:
    done = {**OPERATION, "phase": "succeeded", "finished": 1_700_000_100.0}
    failed = {**done, "id": 8, "phase": "failed", "finished": 1_700_000_200.0, "server": "srv2"}
    running.daemon.past = [done, failed]
    assert document(bus, "history") == [done, failed]
    assert document(bus, "history", "--server", "srv1") == [done]
    assert document(bus, "history", "--failed", "--since", "2023-11-14") == [failed]
    assert said(bus, "history", "--since", "1m") == "nothing in the history\n"


def test_request_says_what_the_server_answered(bus: PrivateBus, running: RunningDaemon) -> None:
    assert said(bus, "request", "install", "hello") == "srv1 will look at it later (202)\n"
    running.daemon.request_answer = {"is_waiting": True, "detail": "no route"}
    done = ctl(bus, "request", "update", "--server", "srv2", "--device")
    assert (done.returncode, done.stdout) == (
        1, "srv2 was not reached: the request is kept and sent again\n",
    )  # fmt: skip
    assert done.stderr == "scomoctl: the session failed: no route\n"
    assert running.daemon.requests == [("user", "hello", ""), ("device", "", "srv2")]


def test_session(bus: PrivateBus, running: RunningDaemon) -> None:
    text = said(bus, "session", "srv1")
    assert text.startswith("session with srv1: ok; 4 messages, 3 commands, 1 alerts delivered")
    assert "4.8 MiB received" in text
    record = document(bus, "session")  # one account: it need not be named
    assert (record["server"], record["outcome"]) == ("srv1", "ok")
    assert running.daemon.sessions == 2
    assert "last session with srv1: ok" in said(bus, "status")


def test_failed_session_is_exit_status_1_and_a_sentence(
    bus: PrivateBus, running: RunningDaemon
) -> None:
    running.daemon.session_outcome = "failed"
    done = ctl(bus, "--json", "session", "srv1")
    assert done.returncode == 1
    assert json.loads(done.stdout)["outcome"] == "failed"
    assert done.stderr == "scomoctl: the session failed: the server refused the credentials\n"


def test_tree(bus: PrivateBus, running: RunningDaemon) -> None:
    assert running.daemon
    assert said(bus, "tree") == "DevInfo\nSCOMO\n"
    assert document(bus, "tree", "./DevInfo") == ["DevId", "Man"]
    assert said(bus, "tree", "--recursive").splitlines() == [
        ".",
        "├── DevInfo",
        "│   ├── DevId = urn:uuid:42",
        "│   └── Man = Example",
        "└── SCOMO",
    ]
    whole = document(bus, "tree", "--recursive", "./DevInfo")
    assert [child["text"] for child in whole["children"]] == ["urn:uuid:42", "Example"]


def test_get(bus: PrivateBus, running: RunningDaemon) -> None:
    assert "value   Example" in said(bus, "get", "./DevInfo/Man")
    assert document(bus, "get", "./DevInfo/Man") == running.daemon.tree_node("./DevInfo/Man")


def test_long_value_is_shown_up_to_a_limit_and_written_in_full(
    bus: PrivateBus, running: RunningDaemon, tmp_path: Path
) -> None:
    shown = said(bus, "get", LONG_URI)
    assert "beginning" in shown
    assert f"and {len(LONG_VALUE) - 1000} octets more" in shown
    file = tmp_path / "value"
    assert f"{len(LONG_VALUE)} octets written" in said(bus, "get", LONG_URI, "--output", str(file))
    assert file.read_bytes() == LONG_VALUE
    refused = ctl(bus, "get", "./DevInfo", "--output", str(tmp_path / "none"))
    assert refused.returncode == 4
    assert not (tmp_path / "none").exists()


def test_confirm_finds_the_only_prompt(bus: PrivateBus, running: RunningDaemon) -> None:
    assert said(bus, "confirm") == "operation 7 accepted\n"
    assert running.daemon.records[0]["phase"] == "running"


def test_decline(bus: PrivateBus, running: RunningDaemon) -> None:
    assert document(bus, "decline", "7") == {"operation": 7, "is_accepted": False}
    assert running.daemon.records[0]["reason"] == "cancelled"


def test_defer_says_until_when_and_the_daemon_hears_who(
    bus: PrivateBus, running: RunningDaemon
) -> None:
    assert document(bus, "defer", "7", "1h") == {"operation": 7, "until": 1_700_003_600.0}
    (caller,) = running.daemon.callers
    assert re.fullmatch(rf":\d+\.\d+ of user {os.geteuid()}", caller)


def test_defer_finds_the_only_prompt_and_is_told_what_is_no_time(
    bus: PrivateBus, running: RunningDaemon
) -> None:
    assert refusal(ctl(bus, "defer", "soon")) == (4, "scomoctl: 'soon' is no time")
    assert said(bus, "defer", "1h").startswith("operation 7 deferred until 2023-11-1")
    assert running.daemon.waiting == {}


def test_answer_needs_a_number_when_several_wait(bus: PrivateBus, running: RunningDaemon) -> None:
    running.daemon.waiting[8] = {**PROMPT, "operation": 8}
    assert refusal(ctl(bus, "confirm")) == (
        2,
        "scomoctl: several prompts wait, say which: 7, 8",
    )
    running.daemon.waiting.clear()
    code, sentence = refusal(ctl(bus, "decline"))
    assert (code, "nothing waits" in sentence) == (1, True)


def test_bootstrap_by_the_daemon(bus: PrivateBus, running: RunningDaemon, tmp_path: Path) -> None:
    file = tmp_path / "profile.xml"
    file.write_bytes(PROFILE)
    assert said(bus, "bootstrap", str(file)) == "account srv2 is ready\n"
    assert document(bus, "bootstrap", str(file)) == ["srv2"]
    piped = ctl(bus, "bootstrap", "-", input=PROFILE.decode())
    assert (piped.returncode, piped.stdout) == (0, "account srv2 is ready\n")
    assert running.daemon.profiles == [PROFILE] * 3


def test_pushes_of_others_are_handed_over(
    bus: PrivateBus, running: RunningDaemon, tmp_path: Path
) -> None:
    file = tmp_path / "push"
    file.write_bytes(b"\x01\x06\xff\0")
    assert said(bus, "notify", str(file), "--sms", "--from", "+4917012345").startswith(
        "handed over"
    )
    assert running.daemon.pushes == [("sms", b"\x01\x06\xff\0", "+4917012345")]
    code, sentence = refusal(ctl(bus, "notify", "-", input=""))
    assert (code, sentence) == (4, "scomoctl: it is not taken: it is empty")


def hand_in(bus: PrivateBus, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    (folder / "editor.deb").write_bytes(b"package")
    return ctl(bus, "install", str(folder / "editor.deb"), *more)


def test_file_is_handed_in_open_with_the_signature_beside_it(
    bus: PrivateBus, running: RunningDaemon, tmp_path: Path
) -> None:
    (tmp_path / "editor.deb.sig").write_bytes(b"signed")
    done = hand_in(bus, tmp_path, "--no-wait", "--server", "srv1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "operation 8; see 'scomoctl operations show 8'\n"
    [(content, signature, what, by)] = running.daemon.handed
    assert (content, signature) == (b"package", b"signed")
    assert what == {"name": "editor.deb", "kind": "", "server": "srv1"}
    assert f"user {os.getuid()}" in by


class Finishing(FakeDaemon):
    """Ends the operation of a file after it was looked at for the first time."""

    def __init__(self, end: dict[str, Any]) -> None:
        super().__init__()
        self.end = end

    def one_operation(self, operation_id: int) -> dict[str, Any]:
        record = dict(super().one_operation(operation_id))
        if record["phase"] == "running":
            asyncio.get_running_loop().call_soon(self.finish)
        return record

    def finish(self) -> None:
        self.emit("PromptChanged", {**PROMPT, "operation": 8})
        self.emit("OperationChanged", {**OPERATION, "phase": "failed"})  # another one
        self.records[-1].update(self.end)
        self.emit("OperationChanged", self.records[-1])


DONE = {"phase": "succeeded", "step": "", "result": 1200}
BROKEN = {"phase": "failed", "reason": "conflict", "detail": "in its way"}


@pytest.mark.parametrize(
    ("end", "code", "words"), [(DONE, 0, "succeeded, result 1200"), (BROKEN, 1, "conflict")]
)
def test_end_of_what_was_handed_in_is_told(
    bus: PrivateBus, tmp_path: Path, end: dict[str, Any], code: int, words: str
) -> None:
    (tmp_path / "another").write_bytes(b"signed")
    with running_daemon(bus.address, Finishing(end)):
        done = hand_in(bus, tmp_path, "--signature", str(tmp_path / "another"))
    assert done.returncode == code
    assert words in done.stdout.splitlines()[-1]
    assert "scomoctl confirm 8" in done.stderr
    assert ("is not installed: conflict (in its way)" in done.stderr) is bool(code)


def test_file_that_is_refused_is_exit_status_4(
    bus: PrivateBus, running: RunningDaemon, tmp_path: Path
) -> None:
    done = hand_in(bus, tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == "scomoctl: editor.deb is not taken: it is not signed\n"


def test_daemon_that_goes_away_while_a_file_is_handed_in_is_exit_status_3(
    bus: PrivateBus, tmp_path: Path
) -> None:
    with running_daemon(bus.address, DyingDaemon()):
        done = hand_in(bus, tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith("scomoctl: ")


class DyingDaemon(FakeDaemon):
    async def install(self, *_: Any, **__: Any) -> int:
        await self.leave()
        return 0


def test_sealed_document_with_a_pin(
    bus: PrivateBus, running: RunningDaemon, tmp_path: Path
) -> None:
    file = tmp_path / "profile.xml"
    file.write_bytes(PROFILE)
    seal = ("bootstrap", "--sec", "USERPIN", "--mac", "00", str(file))
    assert said(bus, *seal, "--pin", "1234") == "account srv2 is ready\n"
    code, sentence = refusal(ctl(bus, *seal, "--pin", "4321"))
    assert (code, sentence) == (4, "scomoctl: 00 does not fit this PIN")
    code, sentence = refusal(ctl(bus, *seal, stdin=subprocess.DEVNULL))
    assert (code, "give it with --pin" in sentence) == (2, True)
    code, sentence = refusal(ctl(bus, "bootstrap", "--sec", "9", "--mac", "00", str(file)))
    assert (code, "'9' is not known" in sentence) == (2, True)
    assert running.daemon.profiles == [PROFILE]


def test_pin_is_asked_for_until_it_is_right_and_does_not_show(
    bus: PrivateBus, running: RunningDaemon, tmp_path: Path
) -> None:
    file = tmp_path / "profile.xml"
    file.write_bytes(PROFILE)
    ours, theirs = pty.openpty()
    command = [*PROGRAM, "bootstrap", "--sec", "1", "--mac", "00", str(file)]
    process = subprocess.Popen(
        command, env=environment(bus), stdin=theirs, stdout=theirs, stderr=theirs
    )
    try:
        shown = read_until(ours, "PIN: ")
        os.write(ours, b"4321\n")
        shown += (again := read_until(ours, "PIN: "))
        assert "the PIN is wrong" in again
        os.write(ours, b"1234\n")
        shown += read_until(ours, "account srv2 is ready")
        assert process.wait(200) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)
    assert "4321" not in shown
    assert "1234" not in shown
    assert running.daemon.profiles == [PROFILE]


def test_description_of_the_tree_needs_no_daemon(bus: PrivateBus, tmp_path: Path) -> None:
    (tmp_path / "etc/scomod").mkdir(parents=True)
    (tmp_path / "etc/scomod/scomod.toml").write_text('[scomo]\nroot = "./Vendor/SCM"\n')
    root = ("--root", str(tmp_path))
    text = said(bus, *root, "ddf")
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    assert "<NodeName>SCM</NodeName>" in text
    assert document(bus, *root, "ddf", "./DevInfo/Man").count("<Node>") == 1
    assert refusal(ctl(bus, *root, "ddf", "./SCOMO")) == (
        1,
        "scomoctl: no node can be at ./SCOMO",
    )


def test_bootstrap_without_a_daemon_writes_the_accounts(bus: PrivateBus, tmp_path: Path) -> None:
    file = VECTORS / "provisioning/two-servers.xml"
    arguments = ("--json", "--root", str(tmp_path), "bootstrap", str(file))
    done = ctl(bus, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)) == 2
    assert (tmp_path / "var/lib/scomod/scomod.db").exists()


def test_bootstrap_without_a_daemon_refuses_rubbish(bus: PrivateBus, tmp_path: Path) -> None:
    (tmp_path / "rubbish").write_bytes(b"\x7fELF")
    done = ctl(bus, "--root", str(tmp_path), "bootstrap", str(tmp_path / "rubbish"))
    assert refusal(done)[0] == 4


def test_traces_are_listed(bus: PrivateBus, running: RunningDaemon) -> None:
    heading, line = said(bus, "trace").splitlines()
    assert heading.split() == ["ID", "BEGAN", "SESSION", "SERVER", "SIZE", "ENDED"]
    assert line.startswith("3   2023-11-1")
    assert line.endswith("A1       srv1    4.0 KiB  failed: the server went away")
    (record,) = document(bus, "trace")
    assert (record["id"], record["session"], "text" in record) == (3, "A1", False)


def test_trace_is_shown_as_it_was_written(bus: PrivateBus, running: RunningDaemon) -> None:
    assert said(bus, "trace", "3") == TRACE["text"]
    assert document(bus, "trace", "3") == TRACE


def test_trace_has_colour_on_a_terminal_only() -> None:
    shown = list(clitrace.coloured(TRACE["text"], Style(is_coloured=True)))
    painted = [line for line in shown if line.startswith("\x1b[")]
    assert [line[2:4] for line in painted] == ["1m", "1m", "1m", "31", "31"]
    assert list(clitrace.coloured(TRACE["text"], Style(is_coloured=False))) == (
        TRACE["text"].splitlines()
    )


def test_config_needs_no_daemon(bus: PrivateBus, tmp_path: Path) -> None:
    (tmp_path / "etc/scomod").mkdir(parents=True)
    (tmp_path / "etc/scomod/scomod.toml").write_text('[device]\nmodel = "X1"\n')
    text = said(bus, "--root", str(tmp_path), "config", "show")
    assert "[device]" in text
    assert f'model = "X1"  # {tmp_path}/etc/scomod/scomod.toml\n' in text
    assert "[install.dpkg]" in text
    assert document(bus, "--root", str(tmp_path), "config", "show")["device"]["model"] == "X1"


# how it ends when it cannot be done


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("inventory",),
        ("baseline",),
        ("operations",),
        ("session",),
        ("tree",),
        ("get", "."),
        ("confirm",),
        ("decline", "1"),
        ("watch",),
        ("agent", "--answer", "no"),
    ],
)
def test_absent_daemon_is_exit_status_3(bus: PrivateBus, arguments: tuple[str, ...]) -> None:
    code, sentence = refusal(ctl(bus, *arguments))
    assert code == 3
    assert "systemctl start scomod" in sentence


def test_absent_bus_is_exit_status_3(bus: PrivateBus) -> None:
    gone = PrivateBus("unix:path=/nonexistent/bus", bus.pid)
    code, sentence = refusal(ctl(gone, "status"))
    assert code == 3
    assert "set DBUS_SYSTEM_BUS_ADDRESS" in sentence


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("session", "srv9"), "no account srv9"),
        (("get", "./Nothing"), "no node ./Nothing"),
        (("confirm", "9"), "operation 9 asks nothing"),
        (("bootstrap", "/nonexistent"), "/nonexistent: No such file"),
    ],
)
def test_what_does_not_exist_is_exit_status_1(
    bus: PrivateBus, running: RunningDaemon, arguments: tuple[str, ...], text: str
) -> None:
    assert running.daemon
    code, sentence = refusal(ctl(bus, *arguments))
    assert code == 1
    assert text in sentence


def test_refusal_is_exit_status_4(bus: PrivateBus, running: RunningDaemon, tmp_path: Path) -> None:
    (tmp_path / "other.xml").write_text("<other/>")
    code, sentence = refusal(ctl(bus, "bootstrap", str(tmp_path / "other.xml")))
    assert (code, sentence) == (4, "scomoctl: that is no provisioning document")
    assert running.daemon.profiles == []


@pytest.mark.parametrize(
    "arguments", [(), ("dance",), ("confirm", "x"), ("confirm", "-1"), ("get",), ("config", "set")]
)
def test_wrong_use_is_exit_status_2(bus: PrivateBus, arguments: tuple[str, ...]) -> None:
    done = ctl(bus, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: scomoctl")


def test_agent_without_a_terminal_and_an_answer_is_wrong_use(
    bus: PrivateBus, running: RunningDaemon
) -> None:
    code, sentence = refusal(ctl(bus, "agent", stdin=subprocess.DEVNULL))
    assert (code, "--answer yes" in sentence) == (2, True)
    assert not running.bus.is_present()


def test_closed_pipe_is_no_traceback(bus: PrivateBus, running: RunningDaemon) -> None:
    running.daemon.records = [{**OPERATION, "id": n} for n in range(3000)]
    process = start(bus, "operations")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=100) == 1
    assert process.stderr is not None
    with process.stderr as errors:
        assert errors.read() == ""


def test_text_of_a_server_cannot_drive_the_terminal(
    bus: PrivateBus, running: RunningDaemon
) -> None:
    running.daemon.records[0]["name"] = "\x1b]0;evil\x07"
    assert "\x07" not in said(bus, "operations")


def test_help_loads_neither_d_bus_nor_xml_nor_http(bus: PrivateBus) -> None:
    code = (
        "import sys\nfrom scomod.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('dbus_next', 'lxml', 'requests', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(bus), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"


# the commands that stay


def start(bus: PrivateBus, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, *arguments],
        env=environment(bus),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def staying(bus: PrivateBus, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command, interrupt it at the end as Ctrl-C does, expect a clean end."""
    process = start(bus, *arguments)
    try:
        yield process
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=100)
        assert (process.returncode, errors) == (0, "")
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def until_heard(process: subprocess.Popen[str], running: RunningDaemon) -> str:
    """Emit until the watcher, which tells nobody when it has begun, shows a line."""
    assert process.stdout is not None
    while not select.select([process.stdout], [], [], 0.05)[0]:
        running.do(lambda: running.bus.emit("PromptChanged", PROMPT))
    return line_of(process)


def test_watch_shows_events_as_sentences(bus: PrivateBus, running: RunningDaemon) -> None:
    with staying(bus, "watch") as process:
        asks = "operation 7 asks: Example asks to install Hello 1.2\n"
        assert until_heard(process, running) == asks
        running.do(lambda: running.daemon.answer(7, is_accepted=False, by="me"))
        lines = [line for line in (line_of(process) for _ in range(2)) if line != asks]
        while len(lines) < 2:
            if (line := line_of(process)) != asks:
                lines.append(line)
    assert lines == [
        "operation 7: prompt closed, granted\n",
        "operation 7 DownloadInstall Hello: failed (consent), result 1401: cancelled\n",
    ]


def test_watch_prints_a_document_per_line(bus: PrivateBus, running: RunningDaemon) -> None:
    with staying(bus, "--json", "watch") as process:
        heard = json_shapes.check("watch", json.loads(until_heard(process, running)))
        assert heard == {"event": "PromptChanged", **PROMPT}


def test_watch_ends_with_the_bus(running: RunningDaemon, bus: PrivateBus) -> None:
    process = start(bus, "watch")
    until_heard(process, running)
    os.kill(bus.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 3
    assert "it went away" in errors


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_agent_answers_unattended(bus: PrivateBus, running: RunningDaemon, answer: str) -> None:
    with staying(bus, "agent", "--answer", answer) as process:
        assert line_of(process) == "waiting for prompts; Ctrl-C ends\n"
        asked = {**PROMPT, "text": f"{PROMPT['effect']}\n1.5 MiB are downloaded."}
        assert running.ask(asked).result(timeout=100) is (answer == "yes")
        shown = [line_of(process) for _ in range(7)]
    assert shown[0] == "Example asks to install Hello 1.2\n"
    text = "".join(shown)
    for fact in ("1.5 MiB", "srv1", "https://pkg.example.org/hello.deb", "can be used at once"):
        assert fact in text


def test_agent_prints_documents(bus: PrivateBus, running: RunningDaemon) -> None:
    with staying(bus, "--json", "agent", "--answer", "yes") as process:
        while not running.do(running.bus.is_present):
            pass
        running.do(lambda: running.bus.inform(PROMPT))
        told = json_shapes.check("agent", json.loads(line_of(process)))
        assert told == {"event": "inform", **PROMPT}
        assert running.ask(PROMPT).result(timeout=100) is True
        assert json.loads(line_of(process)) == {"event": "ask", **PROMPT}


def read_until(terminal: int, text: str) -> str:
    seen = ""
    while text not in seen:
        assert select.select([terminal], [], [], 100)[0], f"{text!r} did not come, but {seen!r}"
        seen += os.read(terminal, 4096).decode()
    return seen


@pytest.mark.parametrize(("typed", "verdict"), [("y\n", True), ("\n", False), ("\x04", False)])
def test_agent_asks_on_the_terminal(
    bus: PrivateBus, running: RunningDaemon, typed: str, verdict: bool
) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "agent"], env=environment(bus), stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    try:
        read_until(ours, "Ctrl-C ends")
        os.write(ours, b"y\n")  # typed too early: does not count
        read_until(ours, "y\r\n")
        asked = running.ask(PROMPT)
        shown = read_until(ours, "[y/N] ")
        assert "\x1b[1mExample asks to install Hello 1.2\x1b[0m" in shown
        os.write(ours, typed.encode())
        assert asked.result(timeout=100) is verdict
        read_until(ours, "accepted" if verdict else "declined")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=100) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)
