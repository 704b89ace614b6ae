# SPDX-License-Identifier: Apache-2.0
"""Media that are plugged into a whole device: each offer's story, on one device.

Real mounts, in a namespace that the daemon shares with a process that holds it; for root.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from scomod.codes import ResultCode
from scomod.lab.packages import Recipe
from tests.support.device_bed import DeviceBed
from tests.support.media import by_stranger, fill
from tests.support.rig import Rig
from tests.support.small_disk import may_mount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.lab.packages import Payload

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not may_mount(), reason="mounting media needs root"
)
MORE = """
[media]
offers = true
dirs = ["media"]
[verify]
signature = "required"
"""
HOLD = "import sys; sys.stdin.read()"  # a namespace, until its input ends
LARGE_BYTES = 4 << 20
RATE_BYTES = 1 << 20
PAUSE_S = 0.2  # asking takes more of the processor than what is waited for


class Station:
    """A device into which media are plugged."""

    def __init__(self, rig: Rig, holder: subprocess.Popen[bytes]) -> None:
        self.rig = rig
        self._enter = ("nsenter", "--target", str(holder.pid), "--mount")
        self._count = 0

    def start(self) -> None:
        self.rig.start_daemon(within=self._enter)
        self.rig.until_up()

    def mount(self, source: Path, *options: str) -> Path:
        """Mount what is to be plugged in; gives where."""
        place = self.rig.root / f"media/stick {source.name}"
        place.mkdir(parents=True, exist_ok=True)
        self._run("mount", *options, str(source), str(place))
        return place

    def plug(self, source: Path) -> Path:
        """Have a folder be a medium."""
        return self.mount(source, "--bind")

    def pull(self, place: Path) -> None:
        """Take a medium out, whoever uses it."""
        self._run("umount", "--lazy", str(place))

    def _run(self, *command: str) -> None:
        subprocess.run([*self._enter, *command], check=True, capture_output=True)

    def offer(self, payload: Payload, sign: Any = None, **changed: str) -> Path:
        """Make what is on a medium; signed by the server's key unless somebody else does."""
        self._count += 1
        said = {
            "server": f'"{self.rig.account.server_id}"',
            "package_id": f'"{payload.name}"',
            "name": f'"{payload.name}"',
            "install_params": f'"signature={payload.signature}"',
        }
        folder = self.rig.directory / f"medium-{self._count}"
        sign = sign or self.rig.bench.pki.sign
        return fill(folder, payload.path.read_bytes(), sign, **{**said, **changed})

    def until_said(self, words: str) -> None:
        log = self.rig.directory / "scomod.log"
        self.rig.until(lambda: words in log.read_text(), f"the words {words!r}")

    def asked(self, name: str, *, answer: bool) -> int:
        """Wait for the question about a package and answer it; gives its operation."""

        def open_prompt() -> Any:
            time.sleep(PAUSE_S)
            return [each for each in self.rig.prompts() if each["name"] == name]

        (prompt,) = self.rig.until(open_prompt, f"the question about {name}")
        assert prompt["what"] == "install from a removable medium"
        number = int(prompt["operation"])
        self.rig.ask("answer", number, is_accepted=answer)
        return number

    def ended(self, number: int) -> Any:
        def over() -> Any:
            time.sleep(PAUSE_S)
            operation = self.rig.ask("one_operation", number)
            return operation if operation["reported"] else None

        return self.rig.until(over, f"the end of operation {number}")


@contextmanager
def held() -> Iterator[subprocess.Popen[bytes]]:
    """Have a namespace of mounts that this process and its children do not see."""
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as holder:
        try:
            yield holder
        finally:
            holder.kill()


def hello(rig: Rig, name: str) -> Payload:
    files = {f"usr/share/{name}/text": "x\n"}
    return rig.payload(Recipe(name=name, version="1.0", summary="a text", files=files))


def large(rig: Rig) -> Payload:
    path = rig.bench.packages.directory / "large_1.0_all.deb"
    path.write_bytes(os.urandom(LARGE_BYTES))
    return rig.signed(path, "large")


@needs_root
def test_stories_of_media(tmp_path: Path) -> None:
    with held() as holder, Rig(tmp_path, confirm="silent", more=MORE) as rig:
        station = Station(rig, holder)
        rig.override(f"[download]\nmax_rate_bytes = {RATE_BYTES}\n")
        rig.bootstrap()
        good = station.offer(hello(rig, "good"))
        first = station.plug(good)
        station.start()
        rig.start_helper()

        # there at the start, accepted, installed, told to the server; once
        operation = station.ended(station.asked("good", answer=True))
        assert operation["result"] == ResultCode.SUCCESSFUL, rig.logs()
        assert rig.dpkg_state("good") == "ii 1.0"
        (alert,) = rig.alerts()
        assert not alert["correlator"]
        station.pull(first)
        station.plug(good)
        station.until_said("was taken before, as operation")

        # none of these is asked about
        other = hello(rig, "other")
        station.plug(station.offer(other, lambda _: ""))
        station.until_said("an offer must be signed")
        station.plug(station.offer(other, by_stranger))
        station.until_said("the signature fits none of the 1 keys")
        station.plug(station.offer(other, server='"com.stranger"'))
        station.until_said("no server of this device is that")
        assert len(rig.operations()) == 1

        # declined
        station.plug(station.offer(other))
        assert station.ended(station.asked("other", answer=False))["result"] == (
            ResultCode.USER_CANCELLED
        )

        # another package than was offered
        station.plug(station.offer(other, sha256=f'"{"0" * 64}"'))
        assert station.ended(station.asked("other", answer=True))["reason"] == "digest mismatch"

        pulled_out_during_the_copy(station)
        assert rig.spool() == []
        assert rig.dpkg_audit() == ""
        rig.until_reported()
        assert len(rig.alerts()) == 4


def pulled_out_during_the_copy(station: Station) -> None:
    rig = station.rig
    image = rig.directory / "image"
    source = station.offer(large(rig))
    subprocess.run(["mke2fs", "-q", "-t", "ext2", "-d", source, image, "16M"], check=True)
    place = station.mount(image, "-o", "loop,ro")
    number = station.asked("large", answer=True)
    rig.until(lambda: rig.ask("one_operation", number).get("done", 0) > 0, "the copy")
    os.truncate(image, 0)  # what is not read yet cannot be read any more
    operation = station.ended(number)
    station.pull(place)
    assert operation["reason"] == "medium gone", rig.logs()
    assert operation["result"] == ResultCode.DOWNLOAD_FAILED


def test_daemon_stays_as_long_as_a_modem_is_plugged_in(tmp_path: Path) -> None:
    more = "[modem]\nhotplug = true\n[daemon]\nidle_exit_s = 1.0\n"
    with Rig(tmp_path, more=more) as rig, DeviceBed() as bed:
        port = bed.add("tty", "ttyUSB0", bed.usb_interface("option"))
        within = ["env", *(f"{name}={text}" for name, text in bed.environment.items())]
        daemon = rig.start("scomod", within=within)
        rig.until_up()
        time.sleep(3)
        assert daemon.poll() is None, rig.logs()
        bed.remove(port)
        rig.until(lambda: daemon.poll() is not None, "the daemon's leaving")
        assert daemon.poll() == 0, rig.logs()
        log = (tmp_path / "scomod.log").read_text()
        assert log.index("a modem is here") < log.index("no modem is here any more")
