# SPDX-License-Identifier: Apache-2.0
"""`scomod-lab faults` as a person runs it, with another client than ours."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from scomod.lab.faults import listed
from scomod.lab.pki import Pki

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = bytes(range(256)) * 16


def test_it_serves_files_as_their_paths_say_until_it_is_interrupted(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages/a.deb").write_bytes(CONTENT)
    command = [sys.executable, "-m", "scomod.lab", "--dir", str(tmp_path), "faults", "--port", "0"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    base = running.stdout.readline().split()[-1]
    context = Pki(tmp_path / "pki").client_context()

    def read(path: str) -> bytes:
        with urllib.request.urlopen(base + path, timeout=60, context=context) as answer:
            found: bytes = answer.read()
            return found

    assert read("") == listed().encode()
    assert read("a.deb") == read("chunked/a.deb") == CONTENT
    assert read("no-length/a.deb") == CONTENT
    with pytest.raises(http.client.IncompleteRead) as cut:
        read("end-at=100/first=1/a.deb")
    assert cut.value.partial == CONTENT[:100]
    assert read("end-at=100/first=1/a.deb") == CONTENT
    for path, status in (
        ("status=503/retry-after=7/a.deb", 503),
        ("nonsense/a.deb", 404),
        ("b.deb", 404),
    ):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            read(path)
        with refusal.value as answer:
            assert answer.code == status
            assert answer.headers.get("Retry-After") == ("7" if status == 503 else None)
    running.send_signal(signal.SIGTERM)
    assert running.communicate(timeout=60)[0] == ""
    assert running.returncode == 0
