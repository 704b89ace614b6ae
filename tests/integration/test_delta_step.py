# SPDX-License-Identifier: Apache-2.0
"""The acquire step with offers of deltas: what counts as a base, what is told, what is tried."""

from __future__ import annotations

import asyncio
import hashlib
import stat
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scomod import deltafetch
from scomod.acquiring import Acquiring
from scomod.clock import SystemClock
from scomod.download.mirrors import open_fetcher
from scomod.download.spool import Spool
from scomod.errors import DownloadError
from scomod.history import facts
from scomod.installers.archive import Archives, Entry
from scomod.operation import StepKind
from scomod.settings import Download, Paths, Settings, Transport, Verify
from scomod.stepresult import Done, Wait
from scomod.tries import KEY, Tries
from tests.support.fetching import BOOT_ID, some_octets
from tests.support.operations import an_operation
from tests.support.package_host import Behaviour, PackageHost
from tests.support.patient import patience_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scomod.operation import Operation
    from scomod.stepresult import StepResult

OLD = some_octets(100_000, seed=1)
NEW = OLD[:50_000] + b"something new" + OLD[50_000:]
LIMITS = Download(reserve_bytes=0, attempts_count=4, retry_wait_s=1.0)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Device:
    """The acquire step of a device, and the server that it fetches from."""

    def __init__(self, root: Path, host: PackageHost) -> None:
        self.paths = Paths(root)
        self.paths.state_dir.mkdir(parents=True)
        self.host = host
        self.host.put("/new.img", NEW)
        old, new, delta = (root / name for name in ("old", "new", "delta"))
        old.write_bytes(OLD)
        new.write_bytes(NEW)
        words = ["zstd", "-q", f"--patch-from={old}", str(new), "-o", str(delta)]
        subprocess.run(words, check=True, capture_output=True)
        self.delta = delta.read_bytes()

    def keeps(self, readers: int | None) -> Path:
        """Let the installing side keep the old package."""
        archives = Archives(self.paths.install_dir, readers)
        archives.make_dirs()
        payload = self.paths.install_dir / "payload"
        payload.write_bytes(OLD)
        payload.chmod(0o600)
        archives.record(
            Entry(
                id="demo", version="1", digest=sha256(OLD), is_active=True,
                backend="dpkg", environment="deb",
            )
        )  # fmt: skip
        return archives.keep(payload, sha256(OLD), "deb")

    def order(self, behaviour: Behaviour | None = None, **given: object) -> Operation:
        params = {
            "sha256": sha256(NEW),
            "size": len(NEW),
            "delta": self.host.put("/old-new.zst", self.delta, behaviour),
            "delta_base": sha256(OLD),
            "delta_size": len(self.delta),
            "delta_sha256": sha256(self.delta),
        } | given
        text = ";".join(f"{key}={value}" for key, value in params.items() if value)
        operation = an_operation(StepKind.ACQUIRE, id=7)
        subject = replace(operation.subject, url=self.host.url("/new.img"), install_params=text)
        return replace(operation, subject=subject)

    def do(self, operation: Operation, limits: Download = LIMITS) -> StepResult:
        settings = Settings(
            download=limits,
            verify=Verify(signature="optional"),
            transport=Transport(allow_http=True),
        )
        room = Acquiring(
            settings=settings,
            paths=self.paths,
            patience=patience_of(self.paths.root, limits),
            open_fetcher=lambda: open_fetcher(
                clock=SystemClock(), boot_id=BOOT_ID, user_agent="scomod test"
            ),
            spool=Spool(self.paths.spool_dir, self.paths.delivered_dir),
            on_progress=lambda *_: None,
        )
        return asyncio.run(room.do(operation))

    def told(self, operation: Operation, limits: Download = LIMITS) -> str:
        result = self.do(operation, limits)
        assert isinstance(result, Done)
        assert self.part.read_bytes() == NEW
        assert result.data["sha256"] == sha256(NEW)
        return str(result.data.get("delta", ""))

    @property
    def part(self) -> Path:
        return self.paths.spool_dir / "7.part"


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with PackageHost() as host:
        yield Device(tmp_path, host)


def test_a_kept_archive_of_installed_software_is_a_base(device: Device) -> None:
    device.keeps(device.paths.state_dir.stat().st_gid)
    assert device.told(device.order()) == (
        f"used: {len(device.delta)} octets fetched for {len(NEW)}"
    )
    assert len(device.delta) < len(NEW) // 100
    assert device.host.seen("/new.img") == []


@pytest.mark.parametrize("name", ["delivered", "values"])
def test_what_the_daemon_holds_itself_is_a_base(device: Device, name: str) -> None:
    folder = device.paths.state_dir / name
    folder.mkdir(exist_ok=True)
    (folder / sha256(OLD)).write_bytes(OLD)
    assert device.told(device.order()).startswith("used")


def test_what_became_of_the_delta_stands_in_the_history(device: Device) -> None:
    device.keeps(device.paths.state_dir.stat().st_gid)
    operation = device.order()
    result = device.do(operation)
    assert isinstance(result, Done)
    assert facts(replace(operation, data=dict(result.data)))["delta"] == result.data["delta"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "holds none of the files"),
        ({"sha256": ""}, "no SHA-256 of the package"),
        ({"delta_size": len(NEW)}, "holds none"),
    ],
)
def test_an_offer_that_is_no_use_here_costs_nothing(
    device: Device, given: Mapping[str, Any], why: str
) -> None:
    assert why in device.told(device.order(**given))
    assert device.host.seen("/old-new.zst") == []


def test_a_device_that_wants_no_deltas_does_not_look_at_offers(device: Device) -> None:
    device.keeps(device.paths.state_dir.stat().st_gid)
    assert device.told(device.order(), replace(LIMITS, delta="never")) == ""
    assert device.host.seen("/old-new.zst") == []


def test_rather_no_package_than_a_whole_one(device: Device) -> None:
    with pytest.raises(DownloadError, match="holds none"):
        device.do(device.order(), replace(LIMITS, delta_fallback="never"))
    assert device.host.seen("/new.img") == []


def test_a_delta_has_half_of_the_tries_and_the_whole_the_others(device: Device) -> None:
    device.keeps(device.paths.state_dir.stat().st_gid)
    operation = device.order(Behaviour(status=503))
    first = device.do(operation)
    assert isinstance(first, Wait)
    assert device.host.seen("/new.img") == []
    tried = Tries(count=1, vain_count=1).kept()
    assert device.told(replace(operation, data=tried)).startswith("not used: ")
    assert first.data.keys() == {KEY}


def test_a_delta_that_failed_once_is_remembered(device: Device) -> None:
    device.keeps(device.paths.state_dir.stat().st_gid)
    device.host.put("/new.img", NEW, Behaviour(status=503, times=1))
    operation = device.order(Behaviour(status=404))
    failed = device.do(operation)
    assert isinstance(failed, Wait)
    assert str(failed.data["delta"]).startswith("not used: ")
    assert device.do(replace(operation, data={"delta": failed.data["delta"]})).data["size"]
    assert len(device.host.seen("/old-new.zst")) == 1


def test_without_readers_kept_archives_are_for_root_alone(device: Device) -> None:
    kept = device.keeps(None)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_readers_may_open_what_they_know_and_list_nothing(device: Device) -> None:
    gid = device.paths.state_dir.stat().st_gid
    kept = device.keeps(gid)
    for path, mode in ((kept, 0o640), (kept.parent, 0o710)):
        assert (path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (gid, mode)
    assert deltafetch.held(device.paths, sha256(OLD)) == kept
    assert deltafetch.held(device.paths, sha256(NEW)) is None
