# SPDX-License-Identifier: Apache-2.0
"""A package that cannot be fetched: one result per cause, and no trace (scomo §5, §8 N2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.codes import DownloadStatus, ResultCode
from scomod.lab.packageserver import Fault
from tests.support.certificates import make_certificates
from tests.support.debs import Deb
from tests.support.failing import check_failed, deb_of
from tests.support.package_host import PackageHost, closed_port
from tests.support.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.lab.devices import Order


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("rig")) as made:
        made.override("[download]\nidle_timeout_s = 1\nretry_wait_s = 0.05\n")
        made.bootstrap()
        made.start_daemon()
        made.start_helper()
        made.until_up()
        yield made
        made.check_well()


def status_node(rig: Rig, order: Order) -> int:
    return int(rig.scomoctl("get", f"./SCOMO/Download/{order.params['node']}/Status")["value"])


FETCH_FAULTS = {
    Fault.NOT_FOUND: (ResultCode.DOWNLOAD_FAILED, "HTTP 404"),
    Fault.UNAUTHORISED: (ResultCode.ALTERNATE_DOWNLOAD_AUTHENTICATION_FAILED, "HTTP 401"),
    Fault.UNAVAILABLE: (ResultCode.ALTERNATE_DOWNLOAD_SERVER_ERROR, "HTTP 503"),
    Fault.STALL: (ResultCode.ALTERNATE_DOWNLOAD_SERVER_UNAVAILABLE, "nothing arrived"),
    Fault.TRUNCATE: (ResultCode.ALTERNATE_DOWNLOAD_SERVER_ERROR, "ended"),
    Fault.WRONG: (ResultCode.PACKAGE_VALIDATION_FAILED, "SHA-256 is"),
}


@pytest.mark.parametrize("fault", FETCH_FAULTS, ids=lambda fault: f"N2 {fault}")
def test_a_package_server_that_fails_is_reported_with_its_failure(rig: Rig, fault: Fault) -> None:
    result, words = FETCH_FAULTS[fault]
    payload = deb_of(rig, Deb(name=f"fetch-{fault.name.lower().replace('_', '-')}"))
    rig.bench.packages.set_fault(payload.path.name, fault)
    order = rig.order_install(payload)
    check_failed(rig, order, result, words)
    assert status_node(rig, order) == DownloadStatus.DOWNLOAD_FAILED


URLS = {
    "N2 refused port": (
        f"https://localhost:{closed_port()}/p.deb",
        ResultCode.ALTERNATE_DOWNLOAD_SERVER_UNAVAILABLE,
        "connection refused",
    ),
    "N2 unknown host": (
        "https://nobody.invalid/p.deb",
        ResultCode.ALTERNATE_DOWNLOAD_SERVER_UNAVAILABLE,
        "name of the host",
    ),
    "not encrypted": (
        "http://localhost/p.deb", ResultCode.DOWNLOAD_FAILED, "plain http is not allowed",
    ),
    "local file": ("file:///etc/passwd", ResultCode.DOWNLOAD_FAILED, "scheme not supported: file"),
    "no URL": ("the blue one", ResultCode.DOWNLOAD_FAILED, "scheme not supported"),
    "broken URL": ("https://[::1/p.deb", ResultCode.DOWNLOAD_FAILED, "no usable URL"),
    "impossible port": ("https://localhost:99999/", ResultCode.DOWNLOAD_FAILED, "no usable URL"),
    "impossible host": (f"https://{'a' * 70}.b/", ResultCode.DOWNLOAD_FAILED, "no usable URL"),
}  # fmt: skip


@pytest.mark.parametrize("name", URLS)
def test_a_url_that_leads_nowhere_is_reported(rig: Rig, name: str) -> None:
    url, result, words = URLS[name]
    payload = deb_of(rig, Deb(name=f"url-{name.lower().replace(' ', '-')}"))
    check_failed(rig, rig.order_install(payload, url), result, words)


def test_a_package_server_of_a_foreign_authority_is_not_asked(rig: Rig, tmp_path: Path) -> None:
    payload = deb_of(rig, Deb(name="foreign"))
    with PackageHost(make_certificates(tmp_path)) as host:
        order = rig.order_install(payload, host.put("/p.deb", payload.path.read_bytes()))
        check_failed(rig, order, ResultCode.DOWNLOAD_FAILED, "certificate is not trusted")
        assert host.seen("/p.deb") == []


def test_the_server_of_a_descriptor_is_told_how_it_ended(rig: Rig) -> None:
    payload = deb_of(rig, Deb(name="described"))
    bench = rig.bench
    (bench.packages.directory / "described.dd").write_text(
        f"<media><type>application/vnd.debian.binary-package</type>"
        f"<size>{payload.size_bytes}</size><objectURI>{payload.path.name}</objectURI>"
        "<installNotifyURI>described.dd</installNotifyURI><nextURL>/thanks</nextURL></media>"
    )
    url = bench.package_url(bench.packages.directory / "described.dd")
    order = rig.order_install(payload, url)
    assert rig.session()["outcome"] == "ok"
    assert rig.result_of(order) == ResultCode.SUCCESSFUL, rig.logs()
    rig.until(lambda: ("described.dd", "900 Success") in bench.packages.told)
    number = str(rig.operations()[-1]["id"])
    rig.until(lambda: "outcome" in rig.scomoctl("operations", "show", number)["notice"])
    shown = rig.scomoctl("operations", "show", number)
    assert (shown["notice"]["outcome"], shown["notice"]["tries"]) == ("told", 1)
    assert shown["next_url"] == f"{bench.base_url}/thanks"
    rig.until_reported()
