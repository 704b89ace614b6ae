# SPDX-License-Identifier: Apache-2.0
"""The demo's packages and the bench's keys, with the real dpkg-deb."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from scomod.lab.packages import (
    DECLINED,
    FILLER_BYTES,
    HELLO,
    PackageError,
    build,
    contents,
    payload_of,
)
from scomod.lab.pki import Pki

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    made = Pki(tmp_path / "pki")
    made.ensure()
    return made


def test_the_list_of_a_package_is_what_is_in_it(tmp_path: Path, pki: Pki) -> None:
    archive = build(HELLO, tmp_path, pki).path
    filler = "usr/share/hello-scomod/filler"
    assert sorted(contents(archive)) == sorted([*HELLO.files, filler])
    subprocess.run(["dpkg-deb", "-x", archive, tmp_path / "out"], check=True)
    for name, text in HELLO.files.items():
        assert (tmp_path / "out" / name).read_text() == text
    assert os.access(tmp_path / "out/usr/bin/hello-scomod", os.X_OK)
    assert (tmp_path / "out" / filler).stat().st_size == FILLER_BYTES


def test_the_same_recipe_gives_the_same_octets_whatever_the_umask(tmp_path: Path, pki: Pki) -> None:
    first = build(DECLINED, tmp_path, pki)
    before = os.umask(0o077)
    try:
        second = build(DECLINED, tmp_path, pki)
    finally:
        os.umask(before)
    assert first.sha256 == second.sha256


def test_a_payload_tells_its_digest_and_a_signature_that_verifies(tmp_path: Path, pki: Pki) -> None:
    payload = build(DECLINED, tmp_path, pki)
    digest = hashlib.sha256(payload.path.read_bytes())
    key = load_pem_public_key(pki.signing_public_file.read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    key.verify(base64.b64decode(payload.signature), digest.digest())
    wanted = f"sha256={digest.hexdigest()};ed25519={payload.signature};size={payload.size_bytes}"
    assert payload.install_params == wanted
    assert (payload.name, payload.version) == ("unwanted-scomod", "1.0")
    assert payload.size_bytes == payload.path.stat().st_size


def test_what_is_no_package_is_refused(tmp_path: Path, pki: Pki) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(b"no archive")
    with pytest.raises(PackageError, match="dpkg-deb --showformat"):
        payload_of(path, pki)


def test_keys_are_made_once_and_the_private_ones_are_private(pki: Pki) -> None:
    before = {path.name: path.read_bytes() for path in pki.directory.iterdir()}
    pki.ensure()
    assert {path.name: path.read_bytes() for path in pki.directory.iterdir()} == before
    for path in (pki.server_file, pki.signing_file):
        assert path.stat().st_mode & 0o077 == 0
