# SPDX-License-Identifier: Apache-2.0
"""A package fetched as the difference to an older one: the real zstd, real archives, real HTTP."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from scomod.clock import SystemClock
from scomod.download.delta import Chosen, Offer
from scomod.download.deltafetcher import DeltaFetcher
from scomod.download.mirrors import open_fetcher
from scomod.download.part import state_path
from scomod.download.spool import PART_NAME, Spool, delta_path, patched_path
from scomod.errors import DownloadError, InstallerError, OperationError, Reason, VerifyError
from scomod.installers import patcher, proc
from tests.support.debs import Deb
from tests.support.fetching import BOOT_ID, request_for, some_octets
from tests.support.mortal import live
from tests.support.package_host import Behaviour, PackageHost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scomod.download.job import FetchResult

MEMORY = 64 << 20
TOUCHES = {"open", "os.rename", "os.remove", "os.truncate"}
CODE = Path(os.__file__).parent  # real files: what an interpreter is made of
PATCH_WORDS = """
import sys
from pathlib import Path
from scomod.installers import patcher
base, delta, result = map(Path, sys.argv[1:])
patcher.patch(base=base, delta=delta, result=result, max_bytes=1 << 30,
              max_memory_bytes=64 << 20, timeout_s=60.0, check=lambda: None)
"""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def make_delta(base: Path, new: Path, to: Path, *options: str) -> Path:
    """Make a delta as docs/delivery.md tells a server's operator to."""
    words = ["zstd", "-q", "-f", "-3", *options, f"--patch-from={base}", str(new), "-o", str(to)]
    subprocess.run(words, check=True, capture_output=True)
    return to


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two versions of a package of real files, of which one line in one file differs."""
    folder = tmp_path_factory.mktemp("packages")
    files = {
        f"usr/lib/demo/{path.name}": path.read_text() for path in sorted(CODE.glob("[ab]*.py"))
    }
    old = Deb(name="demo", version="1.0", files=files).build(folder)
    files["usr/lib/demo/base64.py"] += "# one more line\n"
    return old, Deb(name="demo", version="1.1", files=files).build(folder)


def no_other_tools(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let programs be found in a folder only, as on a device that has no more."""
    environment = cast("dict[str, str]", proc.ENVIRONMENT)
    monkeypatch.setitem(environment, "PATH", str(folder))


class Bed:
    """A package server that has a package and a delta, and a spool."""

    def __init__(self, folder: Path, host: PackageHost, old: Path, new: Path) -> None:
        self.host = host
        self.base = old
        self.whole = new.read_bytes()
        self.delta = make_delta(old, new, folder / "made.zst").read_bytes()
        self.part = Spool(folder / "spool", folder / "delivered").part(7)
        self.told: list[str] = []
        self.other = b""  # a delta to something else
        self.request = request_for(
            host.put("/demo.deb", self.whole), self.part, self.whole, size_bytes=len(self.whole)
        )

    def offer(self, content: bytes | None = None, behaviour: Behaviour | None = None) -> Offer:
        """Offer a delta: the right one, or another."""
        content = self.delta if content is None else content
        return Offer(
            url=self.host.put("/demo.zst", content, behaviour),
            sha256=sha256(content),
            size_bytes=len(content),
            base=sha256(self.base.read_bytes()),
        )

    def fetch(
        self,
        choice: Offer | str,
        is_cancelled: Callable[[], bool] = lambda: False,
        *,
        max_memory_bytes: int = MEMORY,
        timeout_s: float = 60.0,
        **options: Any,
    ) -> FetchResult:
        limits: dict[str, Any] = {"max_memory_bytes": max_memory_bytes, "timeout_s": timeout_s}
        fetcher = DeltaFetcher(
            fetcher=open_fetcher(clock=SystemClock(), boot_id=BOOT_ID, user_agent="scomod test"),
            whole=options.pop("whole", self.request),
            choice=Chosen(offer=choice, base=self.base) if isinstance(choice, Offer) else choice,
            patch=options.pop("patch", partial(patcher.patch, **limits)),
            **{"may_fall_back": True, "keeps_trying": False} | options,
            tell=self.told.append,
        )
        return fetcher.fetch(fetcher.whole, lambda *_: None, is_cancelled)

    def asked(self) -> list[str]:
        """What was asked of the server, in order of the two files."""
        paths = ("/demo.zst", "/demo.deb")
        return [path for path in paths for _ in self.host.seen(path)]

    def left(self) -> list[str]:
        return sorted(path.name for path in self.part.parent.iterdir())


@pytest.fixture
def bed(tmp_path: Path, packages: tuple[Path, Path]) -> Iterator[Bed]:
    with PackageHost() as host:
        yield Bed(tmp_path, host, *packages)


def test_a_new_version_costs_what_is_new_in_it(bed: Bed) -> None:
    result = bed.fetch(bed.offer())
    assert (result.sha256, result.size_bytes) == (sha256(bed.whole), len(bed.whole))
    assert bed.part.read_bytes() == bed.whole
    assert result.fetched_bytes == len(bed.delta) < len(bed.whole) // 100
    assert bed.asked() == ["/demo.zst"]
    assert bed.left() == ["7.part"]
    assert bed.told == [f"used: {len(bed.delta)} octets fetched for {len(bed.whole)}"]


def test_a_cut_delta_is_gone_on_with(bed: Bed) -> None:
    octets = some_octets(1 << 20, seed=2)  # any: only the fetch is looked at
    offer = bed.offer(octets, Behaviour(truncate_after=300_000, times=1))
    with pytest.raises(DownloadError) as caught:
        bed.fetch(offer, keeps_trying=True)
    assert caught.value.is_retryable
    assert bed.left() == ["7.part.delta", "7.part.delta.state"]
    bed.fetch(offer, keeps_trying=True)
    assert bed.host.seen("/demo.zst")[1].range.startswith("bytes=")


# -- every failure of the delta ends with the whole package, or with its own name --------------


def bomb(bed: Bed) -> bytes:
    """A few octets that become 16 MiB."""
    words = ["zstd", "-q", "-c", "-1"]
    return subprocess.run(words, input=bytes(16 << 20), check=True, capture_output=True).stdout


def wide(bed: Bed) -> bytes:
    """A frame that says it needs a window of 2 GiB (RFC 8878 §3.1.1.1.2), then a block of one
    octet repeated."""
    return patcher.MAGIC + bytes([0x00, (31 - 10) << 3]) + bytes([0x03, 0x00, 0x10, 0x41])


HOSTILE = {
    "a bomb": (bomb, Reason.TOO_LARGE, "larger than it may be"),
    "a window of 2 GiB": (wide, Reason.MALFORMED, "zstd refuses"),
    "cut": (lambda bed: bed.delta[: len(bed.delta) // 2], Reason.MALFORMED, "zstd refuses"),
    "of another base": (lambda bed: bed.other, Reason.MALFORMED, "zstd refuses"),
    "another format": (lambda _: b"BSDIFF40" + bytes(64), Reason.MALFORMED, "no delta of zstd"),
    "empty inside": (lambda _: patcher.MAGIC, Reason.MALFORMED, "zstd refuses"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_delta_ends_the_tool_and_nothing_else(
    bed: Bed, name: str, tmp_path: Path
) -> None:
    make, reason, text = HOSTILE[name]
    other = tmp_path / "other"
    other.write_bytes(some_octets(200_000, seed=3))
    new = tmp_path / "other.new"
    new.write_bytes(other.read_bytes() + b"!")
    bed.other = make_delta(other, new, tmp_path / "other.zst").read_bytes()
    offer = bed.offer(make(bed))
    with pytest.raises(OperationError, match=text) as caught:
        bed.fetch(offer, may_fall_back=False)
    assert caught.value.reason is reason
    assert bed.left() == []
    assert bed.fetch(offer).sha256 == sha256(bed.whole)
    assert bed.left() == ["7.part", "7.part.state"]
    assert bed.told[-1].startswith("not used: ")


def test_a_delta_that_makes_another_package_is_not_believed(bed: Bed, tmp_path: Path) -> None:
    another = tmp_path / "another"
    another.write_bytes(bed.whole[:-1] + b"?")
    offer = bed.offer(make_delta(bed.base, another, tmp_path / "another.zst").read_bytes())
    with pytest.raises(VerifyError, match="is not the package"):
        bed.fetch(offer, may_fall_back=False)
    assert bed.fetch(offer).sha256 == sha256(bed.whole)


FAILING: dict[str, tuple[dict[str, Any], Reason, str]] = {
    "not there": ({"behaviour": Behaviour(status=404)}, Reason.REFUSED_BY_SERVER, "HTTP 404"),
    "not as announced": ({"behaviour": Behaviour(status=503)}, Reason.SERVER_UNAVAILABLE, "503"),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_delta_that_cannot_be_fetched_leaves_the_whole(bed: Bed, name: str) -> None:
    given, reason, text = FAILING[name]
    offer = bed.offer(**given)
    with pytest.raises(DownloadError, match=text) as caught:
        bed.fetch(offer, may_fall_back=False)
    assert caught.value.reason is reason
    result = bed.fetch(offer)
    assert result.fetched_bytes == len(bed.whole)
    assert bed.asked() == ["/demo.zst", "/demo.zst", "/demo.deb"]
    assert bed.left() == ["7.part", "7.part.state"]


def test_octets_that_the_server_did_not_name_never_reach_the_tool(bed: Bed) -> None:
    offer = replace(bed.offer(), sha256="00" * 32)

    def patch(**_: object) -> None:
        pytest.fail("the tool was run")

    with pytest.raises(VerifyError, match="SHA-256"):
        bed.fetch(offer, may_fall_back=False, patch=patch)


def test_the_tool_may_use_what_memory_is_allowed_and_no_more(bed: Bed) -> None:
    with pytest.raises(InstallerError) as caught:
        bed.fetch(bed.offer(), may_fall_back=False, max_memory_bytes=16 << 20)
    assert caught.value.reason is Reason.MALFORMED
    assert bed.fetch(bed.offer(), max_memory_bytes=16 << 20).sha256 == sha256(bed.whole)


def test_a_tool_that_takes_longer_than_it_may_is_ended(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = tmp_path / "zstd"
    tool.write_text("#!/bin/sh\nwhile :; do :; done\n")
    tool.chmod(0o755)
    no_other_tools(monkeypatch, tmp_path)
    with pytest.raises(InstallerError) as caught:
        bed.fetch(bed.offer(), may_fall_back=False, timeout_s=0.3)
    assert caught.value.reason is Reason.TIMEOUT
    assert bed.fetch(bed.offer(), timeout_s=0.3).sha256 == sha256(bed.whole)


def test_a_device_without_the_tool_fetches_the_whole(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    no_other_tools(monkeypatch, tmp_path)
    with pytest.raises(InstallerError, match="no zstd"):
        bed.fetch(bed.offer(), may_fall_back=False)
    assert bed.fetch(bed.offer()).fetched_bytes == len(bed.delta) + len(bed.whole)


def test_a_tool_that_is_killed_is_named(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = tmp_path / "zstd"
    tool.write_text("#!/bin/sh\nkill -SEGV $$\n")
    tool.chmod(0o755)
    no_other_tools(monkeypatch, tmp_path)
    with pytest.raises(InstallerError, match="SIGSEGV") as caught:
        bed.fetch(bed.offer(), may_fall_back=False)
    assert caught.value.reason is Reason.INTERNAL


def test_without_room_for_the_package_no_tool_is_run(bed: Bed) -> None:
    free = shutil.disk_usage(bed.part.parent).free
    whole = replace(bed.request, reserve_bytes=free - len(bed.delta) - len(bed.whole) // 2)
    with pytest.raises(DownloadError) as caught:
        bed.fetch(bed.offer(), may_fall_back=False, whole=whole)
    assert caught.value.reason is Reason.NO_SPACE
    assert bed.left() == []


def test_why_no_delta_was_chosen_is_told(bed: Bed) -> None:
    bed.fetch("this device holds none of the files")
    assert bed.told == ["not used: this device holds none of the files"]
    with pytest.raises(DownloadError, match="holds none"):
        bed.fetch("this device holds none of the files", may_fall_back=False)


def test_what_was_begun_as_a_whole_is_not_begun_again(bed: Bed) -> None:
    bed.host.put("/demo.deb", bed.whole, Behaviour(truncate_after=100_000, times=1))
    with pytest.raises(DownloadError):
        bed.fetch("no delta")
    bed.fetch(bed.offer())
    assert bed.asked() == ["/demo.deb", "/demo.deb"]


# -- crash-only ------------------------------------------------------------------------------


def test_a_kill_after_the_rename_costs_no_octet(bed: Bed) -> None:
    offer = bed.offer()
    bed.part.write_bytes(bed.whole)
    delta_path(bed.part).write_bytes(bed.delta)
    assert bed.fetch(offer).fetched_bytes == 0
    assert bed.asked() == []
    assert bed.left() == ["7.part"]


def test_what_a_killed_tool_left_is_written_anew_and_the_delta_is_not_fetched_again(
    bed: Bed,
) -> None:
    offer = bed.offer()

    def dies(**given: Any) -> None:
        given["result"].write_bytes(b"half")
        raise KeyboardInterrupt  # no OperationError: as if the process ended here

    with pytest.raises(KeyboardInterrupt):
        bed.fetch(offer, patch=dies)
    patched_path(bed.part).write_bytes(b"half")
    assert bed.fetch(offer).sha256 == sha256(bed.whole)
    assert len(bed.host.seen("/demo.zst")) == 1
    assert bed.left() == ["7.part"]


def test_a_tool_in_work_ends_when_the_operation_is_cancelled(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = tmp_path / "zstd"
    tool.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    tool.chmod(0o755)
    no_other_tools(monkeypatch, tmp_path)
    begun_s = time.monotonic()
    with pytest.raises(DownloadError, match="cancelled"):
        bed.fetch(bed.offer(), lambda: delta_path(bed.part).exists() and _is_whole(bed))
    assert time.monotonic() - begun_s < 30
    assert bed.left() == ["7.part.delta", "7.part.delta.state"]


def _is_whole(bed: Bed) -> bool:
    return delta_path(bed.part).stat().st_size == len(bed.delta)


def test_killed_at_any_instant_the_next_life_ends_with_the_package(
    bed: Bed, tmp_path: Path
) -> None:
    """The tool and who runs it die; what is left is what the next life knows how to use."""
    offer = bed.offer()
    instants = random.Random(1)  # noqa: S311 - a test
    for _ in range(4):
        delta_path(bed.part).write_bytes(bed.delta)
        words: Sequence[str | Path] = (
            sys.executable, "-c", PATCH_WORDS, bed.base, delta_path(bed.part),
            patched_path(bed.part),
        )  # fmt: skip
        child = subprocess.Popen(words, start_new_session=True, cwd=Path(__file__).parents[2])
        time.sleep(instants.uniform(0.0, 0.6))
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert set(bed.left()) <= {"7.part.delta", "7.part.patched"}
    delta_path(bed.part).unlink()
    assert bed.fetch(offer).sha256 == sha256(bed.whole)
    assert bed.left() == ["7.part"]


def test_killed_at_every_touch_of_the_spool_the_next_life_ends_with_the_package(
    bed: Bed,
) -> None:
    """Before each file of the spool is opened, renamed or removed, from the first to the last."""
    content = some_octets(5000, seed=4)
    whole = request_for(bed.host.put("/small", content), bed.part, content)
    offer, spool = bed.offer(some_octets(100, seed=5)), str(bed.part.parent)

    def copy(*, result: Path, **_: object) -> None:  # a tool that costs nothing
        result.write_bytes(content)

    def play(observer: Callable[[str], None]) -> None:
        def hook(event: str, arguments: tuple[object, ...]) -> None:
            if event in TOUCHES and arguments and str(arguments[0]).startswith(spool):
                observer(f"{event} {Path(str(arguments[0])).name}")

        sys.addaudithook(hook)
        bed.fetch(offer, patch=copy, whole=whole)

    boundaries = live(play).boundaries
    assert {"os.rename 7.part.patched", "os.remove 7.part.delta"} <= set(boundaries)
    for deadly in boundaries:
        for path in bed.part.parent.iterdir():
            path.unlink()
        assert live(play, {deadly}).killed_at == deadly
        assert {PART_NAME.fullmatch(name) is not None for name in bed.left()} <= {True}
        assert bed.fetch(offer, patch=copy, whole=whole).sha256 == sha256(content)
        assert bed.left() == ["7.part"], deadly
    assert bed.host.seen("/small") == []


def test_the_spool_knows_all_names_of_a_delta(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", tmp_path / "delivered")
    part = spool.part(7)
    delta = delta_path(part)
    for path in (delta, state_path(delta), patched_path(part)):
        path.write_bytes(b"left")
    assert spool.fetched_bytes(7) == 4
    spool.sweep({8})
    assert list((tmp_path / "spool").iterdir()) == []
