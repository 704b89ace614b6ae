# SPDX-License-Identifier: Apache-2.0
"""Whom the fetcher trusts, and how it says that it does not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from scomod.errors import DownloadError, Reason
from tests.support.certificates import make_certificates
from tests.support.fetching import fetch, request_for, some_octets
from tests.support.package_host import Behaviour, PackageHost

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.certificates import Certificates

CONTENT = some_octets(600_000, seed=4)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def failure(host: PackageHost, ca_file: str, part: Path, name: str = "127.0.0.1") -> DownloadError:
    host.put("/p", CONTENT)
    with pytest.raises(DownloadError) as error:
        fetch(request_for(host.url("/p", name), part, CONTENT, ca_file=ca_file))
    assert host.seen("/p") == []
    return error.value


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_server_of_our_authority_is_trusted(
    certificates: Certificates, tmp_path: Path, name: str
) -> None:
    with PackageHost(certificates) as host:
        host.put("/p", CONTENT)
        request = request_for(
            host.url("/p", name),
            tmp_path / "p",
            CONTENT,
            ca_file=str(certificates.ca_file),
            allow_http=False,
        )
        assert fetch(request).size_bytes == len(CONTENT)


def test_a_cut_is_continued_over_tls(certificates: Certificates, tmp_path: Path) -> None:
    with PackageHost(certificates) as host:
        url = host.put("/p", CONTENT, Behaviour(truncate_after=200_000, times=1))
        request = request_for(url, tmp_path / "p", CONTENT, ca_file=str(certificates.ca_file))
        with pytest.raises(DownloadError) as error:
            fetch(request)
        assert error.value.is_retryable
        fetch(request)
        assert host.octets_sent("/p") == len(CONTENT)


def test_a_stall_over_tls_is_a_timeout(certificates: Certificates, tmp_path: Path) -> None:
    with PackageHost(certificates) as host:
        url = host.put("/p", CONTENT, Behaviour(stall_after=200_000))
        ca_file = str(certificates.ca_file)
        with pytest.raises(DownloadError) as error:
            fetch(request_for(url, tmp_path / "p", ca_file=ca_file, idle_timeout_s=0.2))
        assert error.value.reason is Reason.TIMEOUT


def test_the_authorities_of_the_system_do_not_know_ours(
    certificates: Certificates, tmp_path: Path
) -> None:
    with PackageHost(certificates) as host:
        error = failure(host, "", tmp_path / "p")
    assert (error.reason, error.is_retryable) == (Reason.INSECURE_URL, False)
    assert "certificate is not trusted" in str(error)


def test_variables_of_the_environment_add_no_trust(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(certificates.ca_file))
    with PackageHost(certificates) as host:
        assert failure(host, "", tmp_path / "p").reason is Reason.INSECURE_URL


def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path, names=("elsewhere.example", "127.0.0.2"))
    with PackageHost(certificates) as host:
        for name, words in (("localhost", "another name"), ("127.0.0.1", "is for another")):
            error = failure(host, str(certificates.ca_file), tmp_path / "p", name)
            assert (error.reason, error.is_retryable) == (Reason.INSECURE_URL, False)
            assert words in str(error)


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "words", "is_retryable"),
    [(-2 * DAY, -DAY, "has expired", False), (DAY, 2 * DAY, "clock of this device", True)],
)
def test_a_certificate_out_of_its_time_is_refused(
    tmp_path: Path, valid_from: timedelta, valid_until: timedelta, words: str, is_retryable: bool
) -> None:
    certificates = make_certificates(tmp_path, valid_from=valid_from, valid_until=valid_until)
    with PackageHost(certificates) as host:
        error = failure(host, str(certificates.ca_file), tmp_path / "p")
    assert (error.reason, error.is_retryable) == (Reason.INSECURE_URL, is_retryable)
    assert words in str(error)


def test_a_missing_file_of_authorities_is_named_as_the_fault(
    certificates: Certificates, tmp_path: Path
) -> None:
    with PackageHost(certificates) as host:
        error = failure(host, str(tmp_path / "absent.pem"), tmp_path / "p")
    assert (error.reason, error.is_retryable) == (Reason.INSECURE_URL, False)
    assert "certificate authorities" in str(error)


def test_a_server_without_tls_behind_https_is_unavailable(tmp_path: Path) -> None:
    with PackageHost() as host:
        url = host.put("/p", CONTENT).replace("http:", "https:")
        with pytest.raises(DownloadError) as error:
            fetch(request_for(url, tmp_path / "p", CONTENT))
    assert error.value.reason is Reason.SERVER_UNAVAILABLE
    assert "TLS" in str(error.value)


def test_no_redirect_leads_from_https_to_http(certificates: Certificates, tmp_path: Path) -> None:
    with PackageHost(certificates) as host, PackageHost() as plain:
        target = plain.put("/p", CONTENT)
        url = host.put("/p", b"", Behaviour(redirect_to=target))
        request = request_for(url, tmp_path / "p", CONTENT, ca_file=str(certificates.ca_file))
        with pytest.raises(DownloadError) as error:
            fetch(request)
        assert error.value.reason is Reason.INSECURE_URL
        assert plain.seen("/p") == []


def test_a_redirect_from_http_to_https_is_followed_for_good(
    certificates: Certificates, tmp_path: Path
) -> None:
    with PackageHost(certificates) as host, PackageHost() as plain:
        secure = host.put("/p", CONTENT)
        url = plain.put("/start", b"", Behaviour(redirect_to=secure))
        request = request_for(url, tmp_path / "p", CONTENT, ca_file=str(certificates.ca_file))
        assert fetch(request).size_bytes == len(CONTENT)
        host.put("/p", b"", Behaviour(redirect_to=plain.put("/p", CONTENT)))
        (tmp_path / "p").unlink()
        with pytest.raises(DownloadError) as error:
            fetch(request)
        assert error.value.reason is Reason.INSECURE_URL
