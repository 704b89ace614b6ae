# SPDX-License-Identifier: Apache-2.0
"""Other ways than HTTP behind the same fetcher: FTP, and files of a medium."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from scomod.download.part import state_path
from scomod.errors import DownloadError, Reason
from tests.support.certificates import make_certificates
from tests.support.fetching import Progress, fetch, request_for, some_octets
from tests.support.ftp_host import FtpHost
from tests.support.package_host import Behaviour, PackageHost, closed_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = some_octets(500_001, seed=21)
CUT = 200_000
ALL = ("https", "http", "ftps", "ftp", "file")


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    directory = tmp_path / "shelf"
    directory.mkdir()
    (directory / "p.deb").write_bytes(CONTENT)
    return directory


@pytest.fixture
def host(shelf: Path) -> Iterator[FtpHost]:
    with FtpHost(shelf) as running:
        yield running


def failure(url: str, part: Path, content: bytes | None = CONTENT, **more: Any) -> DownloadError:
    with pytest.raises(DownloadError) as error:
        fetch(request_for(url, part, content, **({"schemes": ALL} | more)))
    return error.value


def test_a_file_comes_over_ftp(host: FtpHost, part: Path) -> None:
    progress = Progress()
    result = fetch(request_for(host.url("p.deb"), part, schemes=ALL), progress)
    assert part.read_bytes() == CONTENT
    assert result.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert (result.url, result.fetched_bytes) == (host.url("p.deb"), len(CONTENT))
    assert progress.reports[-1] == (len(CONTENT), len(CONTENT))
    assert "USER anonymous" in host.said


def test_a_cut_over_ftp_is_continued_where_the_digest_is_known(shelf: Path, part: Path) -> None:
    with FtpHost(shelf, cut_after=CUT) as host:
        assert failure(host.url("p.deb"), part).is_retryable
        have = part.stat().st_size
        assert CUT <= have < len(CONTENT)
        result = fetch(request_for(host.url("p.deb"), part, CONTENT, schemes=ALL))
        assert f"REST {have}" in host.said
    assert part.read_bytes() == CONTENT
    assert result.fetched_bytes == len(CONTENT) - have


def test_without_a_digest_ftp_begins_anew(shelf: Path, part: Path) -> None:
    with FtpHost(shelf, cut_after=CUT) as host:
        failure(host.url("p.deb"), part, None)
        result = fetch(request_for(host.url("p.deb"), part, schemes=ALL))
        assert not any(line.startswith("REST") for line in host.said)
    assert result.fetched_bytes == len(CONTENT)
    assert part.read_bytes() == CONTENT


def test_an_ftp_server_without_rest_or_size_sends_all_again(shelf: Path, part: Path) -> None:
    with FtpHost(shelf, cut_after=CUT, without=("REST", "SIZE")) as host:
        failure(host.url("p.deb"), part)
        fetch(request_for(host.url("p.deb"), part, CONTENT, schemes=ALL))
    assert part.read_bytes() == CONTENT


def test_an_ftp_login_comes_from_a_file(shelf: Path, part: Path, tmp_path: Path) -> None:
    login = tmp_path / "login"
    login.write_text("device:sesame\n")
    login.chmod(0o600)
    with FtpHost(shelf, user="device:sesame") as host:
        error = failure(host.url("p.deb"), part)
        assert (error.reason, error.is_retryable) == (Reason.UNAUTHORISED, False)
        assert "login_file" in str(error)
        request = request_for(host.url("p.deb"), part, CONTENT, schemes=ALL, login_file=str(login))
        assert fetch(request).size_bytes == len(CONTENT)


def test_ftps_encrypts_and_knows_the_server(shelf: Path, part: Path, tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    with FtpHost(shelf, certificate_file=certificates.server_file) as host:
        url = host.url("p.deb")
        assert failure(url, part).reason is Reason.INSECURE_URL
        assert failure(url.replace("ftps", "ftp"), part).reason is not Reason.CANCELLED
        request = request_for(url, part, CONTENT, schemes=ALL, ca_file=str(certificates.ca_file))
        assert fetch(request).size_bytes == len(CONTENT)
        assert "PROT P" in host.said
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("name", "reason", "is_absent"),
    [
        ("nothing.deb", Reason.REFUSED_BY_SERVER, True),
        ("a%0D%0ADELE%20p.deb", Reason.INSECURE_URL, False),
    ],
)
def test_what_an_ftp_server_does_not_give_has_its_reason(
    host: FtpHost, part: Path, name: str, reason: Reason, is_absent: bool
) -> None:
    error = failure(host.url(name), part)
    assert (error.reason, error.is_absent, error.is_retryable) == (reason, is_absent, False)


def test_an_ftp_server_that_is_not_there_is_unreachable(part: Path) -> None:
    error = failure(f"ftp://127.0.0.1:{closed_port()}/p", part)
    assert (error.reason, error.is_retryable) == (Reason.UNREACHABLE, True)


def test_ftp_does_not_go_round_a_proxy(host: FtpHost, part: Path) -> None:
    error = failure(host.url("p.deb"), part, proxy="http://127.0.0.1:1")
    assert error.reason is Reason.UNREACHABLE
    assert host.said == []


@pytest.mark.parametrize("scheme", ["ftp", "file", "ftps"])
def test_a_scheme_that_is_not_named_is_not_used(part: Path, scheme: str) -> None:
    error = failure(f"{scheme}://127.0.0.1/p", part, schemes=("https", "http"))
    assert (error.reason, "scheme not supported" in str(error)) == (Reason.INSECURE_URL, True)


def test_a_redirect_never_leaves_the_web(host: FtpHost, part: Path) -> None:
    with PackageHost() as web:
        url = web.put("/p", b"", Behaviour(redirect_to=host.url("p.deb")))
        assert failure(url, part).reason is Reason.INSECURE_URL
    assert host.said == []


# -- files --------------------------------------------------------------------------


def file_failure(path: str, part: Path, *folders: Path) -> DownloadError:
    return failure(f"file://{path}", part, None, file_dirs=folders)


def test_a_file_is_taken_from_a_folder_that_is_named(shelf: Path, part: Path) -> None:
    url = f"file://{shelf}/p.deb"
    result = fetch(request_for(url, part, CONTENT, schemes=ALL, file_dirs=(shelf,)))
    assert (result.url, result.size_bytes) == (url, len(CONTENT))
    assert part.read_bytes() == CONTENT
    assert (shelf / "p.deb").read_bytes() == CONTENT


def test_a_copy_that_was_cut_goes_on(shelf: Path, part: Path) -> None:
    url = f"file://{shelf}/p.deb"
    request = request_for(url, part, schemes=ALL, file_dirs=(shelf,))
    fetch(request)
    os.truncate(part, CUT)
    assert fetch(request).fetched_bytes == len(CONTENT) - CUT
    os.truncate(part, CUT)
    (shelf / "p.deb").write_bytes(CONTENT[::-1])
    assert fetch(request).fetched_bytes == len(CONTENT)
    assert part.read_bytes() == CONTENT[::-1]
    assert state_path(part).exists()


def test_nothing_is_taken_from_elsewhere(shelf: Path, part: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (shelf / "out").symlink_to(secret)
    (shelf / "in").symlink_to(shelf / "p.deb")
    os.mkfifo(shelf / "pipe")
    places = [f"{shelf}/out", f"{shelf}/../secret", f"{shelf}/%2E%2E/secret", str(secret)]
    for path in places:
        assert file_failure(path, part, shelf).reason is Reason.INSECURE_URL, path
    assert file_failure(f"{shelf}/p.deb", part).reason is Reason.INSECURE_URL
    assert file_failure(f"{shelf}/pipe", part, shelf).reason is Reason.REFUSED_BY_SERVER
    assert file_failure(f"{shelf}", part, tmp_path).reason is Reason.REFUSED_BY_SERVER
    assert file_failure(f"{shelf}/nothing", part, shelf).is_absent
    assert not part.exists() or part.stat().st_size == 0
    request = request_for(f"file://{shelf}/in", part, CONTENT, schemes=ALL, file_dirs=(shelf,))
    assert fetch(request).size_bytes == len(CONTENT)
