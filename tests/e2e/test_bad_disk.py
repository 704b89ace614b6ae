# SPDX-License-Identifier: Apache-2.0
"""No room: while fetching (1404) and while installing (1406); room given back makes all well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.codes import ResultCode
from tests.support.certificates import Certificates
from tests.support.debs import Deb
from tests.support.package_host import Behaviour, PackageHost
from tests.support.rig import Rig
from tests.support.small_disk import may_mount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from scomod.lab.packages import Payload

BIG = Deb(name="big", files={"usr/share/big/filler": "x" * 3_000_000})
ROOM_BYTES = 1 << 20
ULIMIT_BLOCK_BYTES = 512


def limited() -> Sequence[str]:
    """No file of the process may pass the limit: writing fails in the middle."""
    return ("sh", "-c", f'ulimit -f {ROOM_BYTES // ULIMIT_BLOCK_BYTES}; exec "$@"', "sh")


def with_small_disk(place: Path) -> Sequence[str]:
    """A small file system at `place`, seen by the process alone."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    mount = f'mount -t tmpfs -o size={ROOM_BYTES} tmpfs "$0" && exec "$@"'
    return ("unshare", "-m", "sh", "-c", mount, str(place))


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path) as made:
        made.bootstrap()
        yield made


@pytest.fixture
def host(rig: Rig) -> Iterator[PackageHost]:
    """A package server that does not say how long the package is."""
    pki = rig.bench.pki
    certificates = Certificates(ca_file=pki.ca_file, server_file=pki.server_file)
    with PackageHost(certificates) as made:
        yield made


def big_payload(rig: Rig) -> Payload:
    return rig.signed(BIG.build(rig.bench.packages.directory), BIG.name)


def check_result(rig: Rig, url: str, payload: Payload, result: ResultCode) -> None:
    params = f"sha256={payload.sha256};ed25519={payload.signature}"
    order = rig.order_install(payload, url, params=params)
    assert rig.session()["outcome"] == "ok"
    assert rig.result_of(order) == result, rig.logs()
    rig.until_reported()
    assert len(rig.reports(order)) == 1
    assert rig.dpkg_state("big") in ("", "in")  # "in": wanted once, not installed
    assert rig.dpkg_audit() == ""
    assert rig.spool() == []


@pytest.mark.parametrize("kind", ["reserve", "limit", "disk", "disk, length unknown"])
def test_n3_no_room_for_the_package_is_reported_and_leaves_nothing(
    rig: Rig, host: PackageHost, kind: str
) -> None:
    if kind.startswith("disk") and not may_mount():
        pytest.skip("needs the right to mount")
    within: Sequence[str] = ()
    if kind == "reserve":
        rig.override(f"[download]\nreserve_bytes = {1 << 40}\n")
    else:
        spool = rig.root / "var/lib/scomod/spool"
        within = limited() if kind == "limit" else with_small_disk(spool)
    daemon = rig.start_daemon(within=within)
    rig.start_helper()
    rig.until_up()
    payload = big_payload(rig)
    behaviour = Behaviour(chunked=kind == "disk, length unknown")
    url = host.put("/big.deb", payload.path.read_bytes(), behaviour)
    check_result(rig, url, payload, ResultCode.DOWNLOAD_OUT_OF_MEMORY)

    rig.stop(daemon)
    rig.override("")
    rig.start_daemon()
    rig.until_up()
    rig.check_well()


def test_n3_no_room_to_install_is_reported_and_leaves_nothing(rig: Rig) -> None:
    if not may_mount():
        pytest.skip("needs the right to mount")
    rig.start_daemon()
    helper = rig.start_helper(within=with_small_disk(rig.root / "usr"))
    rig.until_up()
    payload = big_payload(rig)
    check_result(rig, "", payload, ResultCode.INSTALL_OUT_OF_MEMORY)
    assert list((rig.root / "var/lib/scomod-install/store").iterdir()) == []

    rig.stop(helper)
    rig.start_helper()
    rig.check_well()
