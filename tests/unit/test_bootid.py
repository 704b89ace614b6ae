# SPDX-License-Identifier: Apache-2.0
"""Which boot this is, and who says so."""

import re
import subprocess
from pathlib import Path

import pytest

import scomod
from scomod.bootid import boot_id

KERNEL = Path("/proc/sys/kernel/random/boot_id")


def test_the_kernel_says_which_boot_this_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCOMOD_BOOT_ID", raising=False)
    assert boot_id(tmp_path) == KERNEL.read_text().strip()


def test_what_the_service_manager_says_is_written_as_the_kernel_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = KERNEL.read_text().strip()
    monkeypatch.setenv("SCOMOD_BOOT_ID", known.replace("-", ""))
    assert boot_id(tmp_path) == known


def test_a_device_in_a_directory_has_boots_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCOMOD_BOOT_ID", "0" * 32)
    (tmp_path / "run/scomod").mkdir(parents=True)
    (tmp_path / "run/scomod/boot-id").write_text("second\n")
    assert boot_id(tmp_path) == "second"


def test_the_root_helper_on_a_device_reads_no_file_of_the_daemon() -> None:
    """There the directory is the daemon's: a link or a pipe in it would reach further."""
    script = Path(scomod.__file__).with_name("installers") / "guard.sh"
    boot = re.search(r"^boot\(\) \{\n.*?^\}\n", script.read_text(), re.MULTILINE | re.DOTALL)
    assert boot
    told = subprocess.check_output(
        ["strace", "-f", "-qq", "-e", "trace=openat", "sh", "-c", f"ROOT=\n{boot[0]}boot"],
        text=True, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert str(KERNEL) in told
    assert "run/scomod" not in told
