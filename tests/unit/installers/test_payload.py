# SPDX-License-Identifier: Apache-2.0
"""A payload is taken over so that nobody can change it any more."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scomod.errors import InstallerError, Reason
from scomod.installers.base import Action, Job
from scomod.installers.payload import Payloads
from scomod.settings import Paths

MAX_BYTES = 100_000
CONTENT = b"payload of the tests"


class Device:
    """A daemon's directories, ours, and one payload in the spool."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.work = self.paths.install_dir / "work"
        for folder in (self.paths.spool_dir, self.paths.delivered_dir, self.work):
            folder.mkdir(parents=True)
        self.source = self.paths.spool_dir / "part"
        self.source.write_bytes(CONTENT)
        self.payloads = Payloads(paths=self.paths, work_dir=self.work, max_bytes=MAX_BYTES)

    def job(self, source: Path | str | None = None, *, keep: bool = False) -> Job:
        payload = str(self.source if source is None else source)
        return Job(
            id="7", backend="fake", action=Action.INSTALL, payload=payload, keep_payload=keep
        )

    def refusal(self, source: Path | str, *, keep: bool = False) -> Reason:
        with pytest.raises(InstallerError) as caught:
            self.payloads.take(self.job(source, keep=keep))
        return caught.value.reason


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_it_moves_without_being_written_again(device: Device) -> None:
    inode = device.source.stat().st_ino
    taken = device.payloads.take(device.job())
    assert taken.read_bytes() == CONTENT
    assert taken.stat().st_ino == inode
    assert taken.stat().st_mode & 0o777 == 0o600
    assert not device.source.exists()


def test_a_kept_payload_stays_and_is_copied(device: Device) -> None:
    taken = device.payloads.take(device.job(keep=True))
    assert taken.read_bytes() == device.source.read_bytes() == CONTENT
    assert taken.stat().st_ino != device.source.stat().st_ino


def test_an_open_writer_makes_it_a_copy(device: Device) -> None:
    with device.source.open("r+b") as writer:
        taken = device.payloads.take(device.job())
        writer.write(b"EVIL")
        writer.flush()
        assert taken.read_bytes() == CONTENT


def test_a_second_name_makes_it_a_copy(device: Device) -> None:
    other = device.paths.spool_dir / "other name"
    os.link(device.source, other)
    taken = device.payloads.take(device.job())
    other.write_bytes(b"EVIL")
    assert taken.read_bytes() == CONTENT


def test_taking_again_gives_the_same(device: Device) -> None:
    assert device.payloads.take(device.job()) == device.payloads.take(device.job())


def test_a_kill_after_the_rename_is_resumed(device: Device) -> None:
    folder = device.work / "7"
    folder.mkdir()
    device.source.rename(folder / "incoming")
    (folder / "copy").write_bytes(b"half of")
    assert device.payloads.take(device.job()).read_bytes() == CONTENT


def test_it_comes_from_delivered_and_from_folders_as_well(device: Device) -> None:
    folder = device.paths.delivered_dir / "a/b"
    folder.mkdir(parents=True)
    device.source.rename(folder / "x")
    assert device.payloads.take(device.job(folder / "x")).read_bytes() == CONTENT


def test_dropping_leaves_nothing(device: Device) -> None:
    device.payloads.take(device.job())
    device.payloads.drop("7")
    device.payloads.drop("7")
    assert list(device.work.iterdir()) == []


def test_what_is_not_there_is_not_present(device: Device) -> None:
    assert device.refusal(device.paths.spool_dir / "nothing") is Reason.NOT_PRESENT
    assert device.refusal(device.paths.spool_dir / "no/folder") is Reason.NOT_PRESENT


@pytest.mark.parametrize(
    "source",
    ["", "x", "/etc/passwd", "{spool}", "{spool}/../scomod.db", "{spool}/a/../../x", "{state}/x"],
)
def test_other_places_are_refused(device: Device, source: str) -> None:
    (device.paths.state_dir / "scomod.db").touch()
    name = source.format(spool=device.paths.spool_dir, state=device.paths.state_dir)
    assert device.refusal(name) is Reason.POLICY


def test_links_are_not_followed(device: Device) -> None:
    spool = device.paths.spool_dir
    (spool / "link").symlink_to("/etc/passwd")
    (spool / "folder").symlink_to("/etc")
    assert device.refusal(spool / "link") is Reason.POLICY
    assert device.refusal(spool / "folder/passwd") is Reason.POLICY


def test_a_link_in_place_of_the_spool_is_not_followed(device: Device, tmp_path: Path) -> None:
    device.paths.spool_dir.rename(tmp_path / "moved")
    device.paths.spool_dir.symlink_to(tmp_path / "moved")
    assert device.refusal(device.source) is Reason.POLICY


@pytest.mark.timeout(5)
def test_a_pipe_or_directory_is_refused_at_once(device: Device) -> None:
    os.mkfifo(device.paths.spool_dir / "pipe")
    (device.paths.spool_dir / "folder").mkdir()
    assert device.refusal(device.paths.spool_dir / "pipe") is Reason.POLICY
    assert device.refusal(device.paths.spool_dir / "folder") is Reason.POLICY


@pytest.mark.parametrize("keep", [True, False])
def test_a_payload_over_the_limit_is_refused(device: Device, keep: bool) -> None:
    device.source.write_bytes(b"x" * (MAX_BYTES + 1))
    assert device.refusal(device.source, keep=keep) is Reason.POLICY
    assert device.source.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="two owners need root")
def test_a_hard_link_to_a_file_of_root_is_refused_and_left_alone(device: Device) -> None:
    os.chown(device.paths.state_dir, 65534, 65534)
    victim = device.paths.root / "shadow"
    victim.write_text("secret")
    victim.chmod(0o640)
    os.link(victim, device.paths.spool_dir / "mine")
    assert device.refusal(device.paths.spool_dir / "mine") is Reason.POLICY
    assert victim.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="two owners need root")
def test_the_payload_belongs_to_who_installs(device: Device) -> None:
    for path in (device.paths.state_dir, device.source):
        os.chown(path, 65534, 65534)
    info = device.payloads.take(device.job()).stat()
    assert (info.st_uid, info.st_gid) == (os.geteuid(), os.getegid())


def test_another_file_system_makes_it_a_copy(device: Device) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == device.work.stat().st_dev:
        pytest.skip("one file system only")
    folder = memory / f"scomod-test-{os.getpid()}"
    folder.mkdir()
    try:
        payloads = Payloads(paths=device.paths, work_dir=folder, max_bytes=MAX_BYTES)
        assert payloads.take(device.job()).read_bytes() == CONTENT
        assert not device.source.exists()
    finally:
        payloads.drop("7")
        folder.rmdir()
