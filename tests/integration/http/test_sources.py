# SPDX-License-Identifier: Apache-2.0
"""What holds for one package server: login, certificate, pins, rate; and for no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scomod import net
from scomod.errors import DownloadError, Reason
from scomod.net import Access
from scomod.settings import Download, Paths, Settings, Source, Transport
from scomod.shapes import DIRECT
from tests.support.certificates import make_certificates
from tests.support.fetching import fetch, request_for, some_octets
from tests.support.login_host import LoginHost
from tests.support.package_host import Behaviour, PackageHost

if TYPE_CHECKING:
    from tests.support.certificates import Certificates

CONTENT = some_octets(100_001, seed=41)
LOGIN = "device:sésame:7"
KINDS = ["", "MD5", "SHA-256"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def login_file(tmp_path: Path) -> str:
    file = tmp_path / "login"
    file.write_text(f"{LOGIN}\n")
    file.chmod(0o600)
    return str(file)


def failure(url: str, part: Path, **more: Any) -> DownloadError:
    with pytest.raises(DownloadError) as error:
        fetch(request_for(url, part, CONTENT, **more))
    return error.value


@pytest.mark.parametrize("digest", KINDS)
def test_a_login_is_told_as_the_server_wants_it(
    tmp_path: Path, login_file: str, digest: str
) -> None:
    with LoginHost(CONTENT, LOGIN, digest=digest) as host:
        request = request_for(host.url("/p"), tmp_path / "p", CONTENT, login_file=login_file)
        assert fetch(request).size_bytes == len(CONTENT)
        # nothing is told before it was asked for
        assert [bool(each) for each in host.asked] == [False, True]


@pytest.mark.parametrize("digest", KINDS)
def test_a_wrong_login_names_the_key_and_shows_nothing(
    tmp_path: Path, login_file: str, digest: str
) -> None:
    with LoginHost(CONTENT, "device:another", digest=digest) as host:
        error = failure(host.url("/p"), tmp_path / "p", login_file=login_file)
        assert len(host.asked) == 2
    assert (error.reason, error.is_retryable) == (Reason.UNAUTHORISED, False)
    assert '[source."127.0.0.1"]' in str(error)
    assert "same" not in str(error)


def test_without_a_login_the_text_says_what_to_set(tmp_path: Path) -> None:
    with LoginHost(CONTENT, LOGIN) as host:
        error = failure(host.url("/p"), tmp_path / "p")
        assert host.asked == [""]
    assert error.reason is Reason.UNAUTHORISED
    assert "a login" in str(error)


def test_a_login_goes_to_no_other_host(tmp_path: Path, login_file: str) -> None:
    part = tmp_path / "p"
    with LoginHost(CONTENT, LOGIN) as other, PackageHost() as host:
        away = other.url("/p", "localhost")
        url = host.put("/p", b"", Behaviour(redirect_to=away))
        mine = {"127.0.0.1": Access(login_file=login_file)}
        request = replace(
            request_for(url, part, CONTENT, mirrors=(away,)),
            access=lambda name: mine.get(name, Access()),
        )
        with pytest.raises(DownloadError) as error:
            fetch(request)
        assert set(other.asked) == {""}
        assert '[source."localhost"]' in str(error.value)


def test_a_login_that_others_may_read_is_not_used(tmp_path: Path, login_file: str) -> None:
    (tmp_path / "login").chmod(0o644)
    with LoginHost(CONTENT, LOGIN) as host:
        error = failure(host.url("/p"), tmp_path / "p", login_file=login_file)
        assert host.asked == []
    assert "every user may read it" in str(error)


def test_a_pinned_package_server_must_have_that_key(
    certificates: Certificates, tmp_path: Path
) -> None:
    with PackageHost(certificates) as host:
        url = host.put("/p", CONTENT)
        error = failure(url, tmp_path / "p", ca_file=str(certificates.ca_file), pins=("A" * 43,))
        assert host.seen("/p") == []
    assert error.reason is Reason.INSECURE_URL
    assert "among the pins" in str(error)


def test_a_section_is_for_its_host_and_the_rest_comes_from_elsewhere() -> None:
    settings = Settings(
        transport=Transport(ca_file="etc/t.pem", proxy="http://general:1"),
        download=Download(proxy="http://packages:1", proxy_login_file="etc/general"),
        sources={
            "a.example": Source(
                ca_file="etc/a.pem", pins=("p",), certificate_file="etc/c", key_file="etc/k",
                min_tls="1.3", login_file="etc/login", max_rate_bytes=7, proxy=DIRECT,
            ),
            "b.example": Source(proxy="http://own:1", proxy_login_file="/etc/own"),
        },
    )  # fmt: skip
    access = net.package_access(settings, Paths(Path("/")).below_root)
    assert access("A.example") == Access(
        ca_file="/etc/a.pem", pins=("p",), certificate_file="/etc/c", key_file="/etc/k",
        min_tls="1.3", login_file="/etc/login", max_rate_bytes=7,
    )  # fmt: skip
    assert access("b.example").proxy == "http://own:1"
    assert access("b.example").proxy_login_file == "/etc/own"
    assert access("c.example") == Access(
        ca_file="/etc/t.pem", proxy="http://packages:1", proxy_login_file="/etc/general"
    )
