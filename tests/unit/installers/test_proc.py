# SPDX-License-Identifier: Apache-2.0
"""Programs are started with nothing but what they are given, and end when they must."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from scomod.errors import InstallerError, Reason
from scomod.installers import proc


def test_a_program_gets_the_fixed_environment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD_OF_THE_TEST", "evil")
    done = proc.run(["/usr/bin/env"], timeout_s=60)
    assert dict(line.split("=", 1) for line in done.stdout.splitlines()) == dict(proc.ENVIRONMENT)


def test_standard_input_is_at_its_end() -> None:
    assert proc.run(["cat"], timeout_s=60) == proc.Completed(0, "", "")


def test_exit_code_and_both_streams_come_back() -> None:
    done = proc.run(["sh", "-c", "echo out; echo err >&2; exit 7"], timeout_s=60)
    assert (done.rc, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_a_signal_shows_as_negative_code() -> None:
    assert proc.run(["sh", "-c", "kill -9 $$"], timeout_s=60).rc == -9


def test_arguments_meet_no_shell() -> None:
    assert proc.run(["echo", "$HOME; ls *"], timeout_s=60).stdout == "$HOME; ls *\n"


def test_a_missing_program_is_an_unsupported_environment() -> None:
    with pytest.raises(InstallerError, match="no-such-program cannot be started") as caught:
        proc.run(["no-such-program"], timeout_s=60)
    assert caught.value.reason is Reason.UNSUPPORTED_ENV


def test_a_hanging_program_dies_with_its_children(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/child; wait"
    began_s = time.monotonic()
    with pytest.raises(InstallerError) as caught:
        proc.run(["sh", "-c", script], timeout_s=0.3)
    assert caught.value.reason is Reason.TIMEOUT
    assert time.monotonic() - began_s < 5
    _assert_gone(int((tmp_path / "child").read_text()))


def test_a_program_that_ignores_its_end_dies_as_well() -> None:
    with pytest.raises(InstallerError):
        proc.run(["sh", "-c", "trap '' TERM INT HUP; sleep 60; sleep 60"], timeout_s=0.2)


def test_a_background_child_that_holds_the_output_does_not_hold_us() -> None:
    began_s = time.monotonic()
    done = proc.run(["sh", "-c", "sleep 5 & echo started"], timeout_s=4)
    assert done.stdout == "started\n"
    assert time.monotonic() - began_s < 2


def test_of_much_output_the_end_is_kept() -> None:
    done = proc.run(["sh", "-c", "seq 100000; echo last"], timeout_s=10, kept_bytes=1000)
    assert done.is_truncated
    assert len(done.stdout) == 1000
    assert done.stdout.endswith("100000\nlast\n")


def test_output_that_is_no_text_is_still_read() -> None:
    assert proc.run(["printf", r"\377ok"], timeout_s=60).stdout == "\ufffdok"


def test_lines_are_heard_while_the_program_runs(tmp_path: Path) -> None:
    heard: list[str] = []

    def hear(line: str) -> None:
        heard.append(line)
        (tmp_path / line).touch()

    script = f"echo one; until test -e {tmp_path}/one; do sleep 0.01; done; printf two; printf 3"
    done = proc.run(["sh", "-c", script], timeout_s=60, hears=hear)
    assert heard == ["one", "two3"]
    assert done.stdout == "one\ntwo3"


def test_only_standard_output_is_heard_and_carriage_returns_end_lines_too() -> None:
    heard: list[str] = []
    script = r"printf '10%%\r20%%\r\n\n30%%\n'; echo err >&2"
    done = proc.run(["sh", "-c", script], timeout_s=60, hears=heard.append)
    assert heard == ["10%", "20%", "30%"]
    assert done.stderr == "err\n"


def test_a_pipe_of_its_own_is_heard_instead_of_standard_output() -> None:
    heard: list[str] = []
    script = 'echo "one is told" >&"$0"; echo out; echo err >&2'
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - numbers
    done = proc.run(["bash", "-c", script, proc.STATUS_FD], timeout_s=60, hears=heard.append)
    assert heard == ["one is told"]
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    with pytest.raises(InstallerError):
        proc.run(["no-such-program", proc.STATUS_FD], timeout_s=60)
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - numbers


def test_a_line_without_end_is_heard_in_parts_and_kept_within_the_limit() -> None:
    heard: list[str] = []
    script = "head -c 100000 /dev/zero | tr '\\0' x; echo; echo last"
    done = proc.run(["sh", "-c", script], timeout_s=60, kept_bytes=1000, hears=heard.append)
    assert heard[-1] == "last"
    assert max(map(len, heard)) <= proc.LINE_BYTES
    assert "".join(heard[:-1]) == "x" * 100000
    assert len(done.stdout) == 1000
    assert done.is_truncated


def test_a_program_that_talks_all_the_time_still_meets_its_deadline() -> None:
    began_s = time.monotonic()
    with pytest.raises(InstallerError) as caught:
        proc.run(["sh", "-c", "yes & wait"], timeout_s=0.3, hears=lambda _line: None)
    assert caught.value.reason is Reason.TIMEOUT
    assert time.monotonic() - began_s < 5


def test_a_failure_of_who_hears_ends_the_program_with_its_children(tmp_path: Path) -> None:
    def fail(line: str) -> None:
        raise ValueError(line)

    script = f"sleep 60 & echo $! > {tmp_path}/child; echo bad; wait"
    with pytest.raises(ValueError, match="bad"):
        proc.run(["sh", "-c", script], timeout_s=60, hears=fail)
    _assert_gone(int((tmp_path / "child").read_text()))


def test_a_program_leads_a_group_of_its_own() -> None:
    done = proc.run(["sh", "-c", "ps -o pgid= -p $$ || cut -d' ' -f5 /proc/$$/stat"], timeout_s=60)
    assert int(done.stdout) != os.getpgid(0)


def _assert_gone(pid: int) -> None:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return
        time.sleep(0.02)
    pytest.fail(f"process {pid} is still there")
