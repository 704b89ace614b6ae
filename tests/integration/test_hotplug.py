# SPDX-License-Identifier: Apache-2.0
"""What udev tells of modems and media: mocked devices, a real udevd, real mounts."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod.listeners.mounts import Mounts
from tests.support.device_bed import DeviceBed
from tests.support.mortal import live
from tests.support.small_disk import PAGE_BYTES, alone, may_mount, mounted
from tests.support.udevd_life import COMMAND, RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

needs_root = pytest.mark.skipif(os.geteuid() != 0 or not may_mount(), reason="mounts need root")


@contextmanager
def watching(**environment: str) -> Iterator[Callable[[], str]]:
    """Have a watcher with such an environment; gives what reads its next line."""
    command = [sys.executable, "-m", "tests.support.plug_watcher"]
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield lambda: process.stdout.readline().strip() if process.stdout else ""
        process.stdin.close()
        assert process.wait() == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_first_port_of_a_modem_tells_and_the_last_one_that_goes() -> None:
    with DeviceBed() as bed:
        interface = bed.usb_interface("option")
        bed.add("tty", "ttyUSB9", bed.usb_interface("ch341", "adapter"))
        before = bed.add("tty", "ttyUSB0", interface)
        with watching(**bed.environment) as line:
            assert [line(), line()] == ["modem here", "watching"]
            second = bed.add("tty", "ttyUSB1", interface)
            bed.remove(before)
            bed.remove(second)
            assert line() == "modem gone"
            bed.add("usbmisc", "cdc-wdm0", interface)
            assert line() == "modem here"


def test_medium_is_one_with_a_file_system() -> None:
    with DeviceBed() as bed, watching(**bed.environment) as line:
        assert line() == "watching"
        disk = bed.add("block", "sda", ID_BUS="usb")
        stick = bed.add("block", "sda1", disk, ID_BUS="usb", ID_FS_USAGE="filesystem")
        assert line() == "medium here"
        bed.remove(stick)
        assert line() == "medium gone"


def test_modem_is_taken_to_be_here_where_udev_cannot_be_asked(tmp_path: Path) -> None:
    (tmp_path / "pyudev.py").write_text("raise ImportError('No library named udev')")
    with watching(PYTHONPATH=str(tmp_path)) as line:
        assert [line(), line()] == ["modem here", "watching"]


@needs_root
def test_udevd_marks_modems_by_the_shipped_rules_and_its_events_are_heard() -> None:
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["told"] == [True, False]
    assert "SYSTEMD_WANTS=scomod.service" in found["modem"]
    assert "SCOMOD=none" in found["none"]
    assert found["judged"] == {
        "option": True, "ch341": False, "wwan": True, "cdc-wdm": True, "stick": False,
    }  # fmt: skip


def test_rules_and_listener_know_the_same_devices() -> None:
    from scomod.listeners.hotplug import SIGNS  # noqa: PLC0415 - what the rules are held against

    lines = [line for line in RULES.read_text().splitlines() if "SUBSYSTEM==" in line]
    assert len(lines) == len(SIGNS)
    for sign, line in zip(SIGNS, lines, strict=True):
        key, value = sign.property
        assert f'SUBSYSTEM=="{sign.subsystem}"' in line
        assert f'ENV{{SCOMOD}}="{sign.kind}"' in line
        assert ("DRIVERS==" in line) == bool(sign.drivers)
        assert "|".join(sign.drivers) in line
        assert not key or f'ENV{{{key}}}=="{value}"' in line


@needs_root
def test_mounts_below_the_folders_are_told_when_they_come(tmp_path: Path) -> None:
    folder = tmp_path / "media"
    folder.mkdir()
    book = tmp_path / "book"

    async def story() -> None:
        seen: asyncio.Queue[Path] = asyncio.Queue()
        watch = Mounts([folder, Path("/nowhere")], seen.put_nowait)
        with mounted(folder / "before here", PAGE_BYTES):
            watch.open()
            first = await seen.get()
            with mounted(tmp_path / "elsewhere", PAGE_BYTES), mounted(folder / "stick", PAGE_BYTES):
                second = await seen.get()
            while len(watch._known) > 1:  # noqa: ASYNC110 - nothing tells that one is gone
                await asyncio.sleep(0.005)  # else the next may have its numbers
            with mounted(folder / "stick", PAGE_BYTES):
                third = await seen.get()
        watch.close()
        book.write_text("\n".join(path.name for path in (first, second, third)))

    def play(_: Callable[[str], None]) -> None:
        alone()
        asyncio.run(story())

    live(play)
    assert book.read_text().splitlines() == ["before here", "stick", "stick"]
