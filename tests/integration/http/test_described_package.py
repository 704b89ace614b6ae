# SPDX-License-Identifier: Apache-2.0
"""PkgURL may lead to a download descriptor: what it describes is fetched then (scomo §6.4)."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scomod.acquiring import Acquiring
from scomod.clock import SystemClock
from scomod.codes import ResultCode
from scomod.download.http import HttpFetcher
from scomod.download.spool import Spool
from scomod.errors import OperationError
from scomod.operation import Operation, StepKind, Subject
from scomod.outcome import result_for
from scomod.settings import Download, Paths, Settings, Transport, Verify
from scomod.stepresult import Done, Wait
from tests.support.operations import an_operation
from tests.support.package_host import Behaviour, PackageHost
from tests.support.patient import patience_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.stepresult import StepResult

DEB = "application/vnd.debian.binary-package"
PACKAGE = b"octets of a package"
DIGEST = hashlib.sha256(PACKAGE).hexdigest()
DESCRIPTOR = Behaviour(content_type="application/vnd.oma.dd+xml; charset=utf-8")
AS_PACKAGE = Behaviour(content_type=DEB)


def document(
    *, uri: str = "files/p.deb", size: str = str(len(PACKAGE)), kind: str = DEB, more: str = ""
) -> bytes:
    return (
        f"<media><type>{kind}</type><size>{size}</size><objectURI>{uri}</objectURI>{more}</media>"
    ).encode()


@pytest.fixture
def host() -> Iterator[PackageHost]:
    with PackageHost() as host:
        host.put("/p.dd", document(), DESCRIPTOR)
        host.put("/files/p.deb", PACKAGE, AS_PACKAGE)
        yield host


class Device:
    """Runs the acquire step as the engine does: each result becomes part of the operation."""

    def __init__(self, path: Path, url: str, *, signature: str = "optional") -> None:
        self.spool = Spool(path / "spool", path / "delivered")
        limits = Download(reserve_bytes=0, attempts_count=2, max_descriptor_bytes=1024)
        self.acquiring = Acquiring(
            settings=Settings(
                transport=Transport(allow_http=True),
                download=limits,
                verify=Verify(signature=signature),
            ),
            paths=Paths(path),
            patience=patience_of(path, limits),
            open_fetcher=lambda: HttpFetcher(clock=SystemClock(), boot_id="b", user_agent="t"),
            spool=self.spool,
            on_progress=lambda *_: None,
        )
        self.operation = an_operation(StepKind.ACQUIRE, subject=Subject(pkg_id="p", url=url))

    def order(self, **subject: str) -> None:
        self.operation = replace(self.operation, subject=replace(self.operation.subject, **subject))

    def step(self) -> StepResult:
        result = asyncio.run(self.acquiring.do(self.operation))
        if isinstance(result, Done):
            self.operation = merged(self.operation, result)
        return result

    def payload(self) -> bytes:
        """Do all the steps there are, two at most."""
        first = self.step()
        assert isinstance(first, Done)
        if first.then:
            assert isinstance(self.step(), Done)
        return self.spool.part(self.operation.id).read_bytes()

    def failure(self) -> ResultCode:
        with pytest.raises(OperationError) as caught:
            self.payload()
        return result_for(StepKind.ACQUIRE, caught.value.reason)


def merged(operation: Operation, result: Done) -> Operation:
    return replace(
        operation,
        data={**operation.data, **result.data},
        subject=result.subject or operation.subject,
    )


def test_what_is_described_is_fetched_by_a_step_of_its_own(
    host: PackageHost, tmp_path: Path
) -> None:
    device = Device(tmp_path, host.url("/p.dd"))
    first = device.step()
    assert isinstance(first, Done)
    assert first.then == (StepKind.ACQUIRE,)
    assert not device.spool.part(7).exists()
    assert host.seen("/files/p.deb") == []
    assert device.payload() == PACKAGE
    assert device.operation.data["sha256"] == DIGEST
    assert len(host.seen("/p.dd")) == 1


def test_what_the_server_said_comes_before_what_the_descriptor_says(
    host: PackageHost, tmp_path: Path
) -> None:
    more = f"<name>D</name><description>of D</description><installParam>sha256={'0' * 64}"
    host.put("/p.dd", document(more=more + "</installParam>"), DESCRIPTOR)
    device = Device(tmp_path, host.url("/p.dd"))
    device.order(install_params=f"sha256={DIGEST}", name="S")
    assert device.payload() == PACKAGE
    subject = device.operation.subject
    assert (subject.name, subject.description) == ("S", "of D")
    assert subject.pkg_type == DEB


def test_the_descriptor_brings_the_parameters_where_the_server_gave_none(
    host: PackageHost, tmp_path: Path
) -> None:
    params = f"sha256={DIGEST};signature=c2ln"
    more = f"<installParam>{params}</installParam>"
    host.put("/p.dd", document(more=more), DESCRIPTOR)
    device = Device(tmp_path, host.url("/p.dd"), signature="required")
    assert device.payload() == PACKAGE
    assert device.operation.subject.install_params == params


def test_the_digest_in_the_descriptor_is_held_against_the_package(
    host: PackageHost, tmp_path: Path
) -> None:
    more = f"<installParam>sha256={'0' * 64}</installParam>"
    host.put("/p.dd", document(more=more), DESCRIPTOR)
    device = Device(tmp_path, host.url("/p.dd"))
    assert device.failure() is ResultCode.PACKAGE_VALIDATION_FAILED


def test_a_signature_beside_the_described_package_counts(host: PackageHost, tmp_path: Path) -> None:
    host.put("/files/p.deb.sig", b"c2ln\n")
    device = Device(tmp_path, host.url("/p.dd"), signature="required")
    assert device.payload() == PACKAGE
    assert (tmp_path / "spool/7.part.sig").read_bytes() == b"c2ln\n"


def test_without_any_signature_the_package_is_not_fetched(
    host: PackageHost, tmp_path: Path
) -> None:
    device = Device(tmp_path, host.url("/p.dd"), signature="required")
    assert device.failure() is ResultCode.PACKAGE_VALIDATION_FAILED
    assert host.seen("/files/p.deb") == []


@pytest.mark.parametrize(
    ("descriptor", "result"),
    [
        (b"<media/>", ResultCode.DOWNLOAD_FAILED),
        (b"", ResultCode.DOWNLOAD_FAILED),
        (document(more=" " * 1024), ResultCode.DOWNLOAD_OUT_OF_MEMORY),
        (document(more="<DDVersion>2.0</DDVersion>"), ResultCode.DOWNLOAD_FAILED),
        (document(size="18"), ResultCode.DOWNLOAD_FAILED),
        (document(size="20"), ResultCode.DOWNLOAD_FAILED),
        (document(size="9" * 15), ResultCode.DOWNLOAD_OUT_OF_MEMORY),
        (document(kind="image/jpeg"), ResultCode.UNSUPPORTED_ENVIRONMENT),
        (document(kind="application/vnd.flatpak"), ResultCode.UNSUPPORTED_ENVIRONMENT),
        (document(kind="application/x-deb"), ResultCode.DOWNLOAD_FAILED),
        (document(uri="gone.deb"), ResultCode.DOWNLOAD_FAILED),
        (document(uri="/p.dd"), ResultCode.DOWNLOAD_FAILED),
    ],
)
def test_what_is_wrong_with_a_descriptor_has_its_result(
    host: PackageHost, tmp_path: Path, descriptor: bytes, result: ResultCode
) -> None:
    host.put("/p.dd", descriptor, DESCRIPTOR)
    assert Device(tmp_path, host.url("/p.dd")).failure() is result


def test_a_digest_of_the_package_is_not_held_against_the_descriptor(
    host: PackageHost, tmp_path: Path
) -> None:
    device = Device(tmp_path, host.url("/p.dd"))
    device.order(install_params=f"sha256={DIGEST};size={len(PACKAGE)}")
    assert device.payload() == PACKAGE


def test_a_file_of_another_type_is_the_package_itself(host: PackageHost, tmp_path: Path) -> None:
    host.put("/direct.deb", PACKAGE, AS_PACKAGE)
    device = Device(tmp_path, host.url("/direct.deb"))
    assert device.payload() == PACKAGE
    assert device.operation.subject.url == host.url("/direct.deb")


# -- descriptor and package in one body -------------------------------------------------


def combined(first: bytes, *, kind: str = DEB, packed: bytes = PACKAGE) -> bytes:
    return b"".join(
        (
            b"--cut\r\nContent-Type: application/vnd.oma.dd+xml\r\n\r\n" + first + b"\r\n",
            b"--cut\r\nContent-Type: " + kind.encode() + b"\r\nContent-ID: <object>\r\n\r\n",
            packed + b"\r\n--cut--\r\n",
        )
    )


@pytest.mark.parametrize("subtype", ["related", "mixed"])
def test_descriptor_and_package_may_come_in_one_body(
    host: PackageHost, tmp_path: Path, subtype: str
) -> None:
    more = "<name>D</name><installNotifyURI>/told</installNotifyURI>"
    whole = combined(document(uri="cid:object", more=more))
    host.put("/p", whole, Behaviour(content_type=f"multipart/{subtype}; boundary=cut"))
    device = Device(tmp_path, host.url("/p"))
    result = device.step()
    assert isinstance(result, Done)
    assert result.then == ()
    assert device.spool.part(7).read_bytes() == PACKAGE
    assert (device.operation.data["sha256"], device.operation.data["size"]) == (DIGEST, 19)
    assert device.operation.data["notify_url"] == host.url("/told")
    assert device.operation.subject.name == "D"
    assert len(host.seen("/p")) == 1


@pytest.mark.parametrize(
    ("body", "result"),
    [
        (combined(document(size="18")), ResultCode.DOWNLOAD_FAILED),
        (combined(document(), kind="image/png"), ResultCode.DOWNLOAD_FAILED),
        (combined(b"<media/>"), ResultCode.DOWNLOAD_FAILED),
        (combined(document())[5:], ResultCode.DOWNLOAD_FAILED),
        (combined(document(more=" " * 1024)), ResultCode.DOWNLOAD_OUT_OF_MEMORY),
        (b"--cut\r\n\r\n" + PACKAGE + b"\r\n--cut--", ResultCode.DOWNLOAD_FAILED),
    ],
    ids=["size", "type", "descriptor", "boundary", "limit", "no descriptor"],
)
def test_what_is_wrong_with_a_combined_body_has_its_result(
    host: PackageHost, tmp_path: Path, body: bytes, result: ResultCode
) -> None:
    host.put("/p", body, Behaviour(content_type="multipart/related; boundary=cut"))
    assert Device(tmp_path, host.url("/p")).failure() is result


def test_a_combined_body_that_is_cut_is_fetched_anew(host: PackageHost, tmp_path: Path) -> None:
    whole = combined(document())
    behaviour = Behaviour(content_type="multipart/related; boundary=cut", truncate_after=230)
    host.put("/p", whole, behaviour)
    device = Device(tmp_path, host.url("/p"))
    assert isinstance(device.step(), Wait)
    host.put("/p", whole, Behaviour(content_type="multipart/related; boundary=cut"))
    assert device.payload() == PACKAGE
    assert [seen.range for seen in host.seen("/p")] == ["", ""]
