# SPDX-License-Identifier: Apache-2.0
"""The table of contents of a bundle is read under limits, and only when it is exact."""

from __future__ import annotations

import hashlib
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from scomod.errors import InstallerError, Reason, VerifyError
from scomod.installers import bundle
from scomod.installers.bundle import Scope
from scomod.settings import Bundle as Limits
from tests.support.bundles import pack, pack_members

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SMALL = Limits(max_components_count=3, max_manifest_bytes=1024)
ROW = {"file": "a", "environment": "deb", "sha256": hashlib.sha256(b"a" * 700).hexdigest()}


def manifest(*rows: Any, **changes: Any) -> tuple[str, bytes]:
    return "manifest.json", json.dumps({"bundle": 1, "components": rows} | changes).encode()


def read(path: Path) -> bundle.Bundle:
    with path.open("rb") as file:
        return bundle.read(file, SMALL)


def test_components_come_in_the_order_of_the_manifest(tmp_path: Path) -> None:
    archives = [tmp_path / "b.deb", tmp_path / "a.deb"]
    for archive in archives:
        archive.write_bytes(archive.name.encode() * 300)
    packed = pack(tmp_path / "x", archives, scope="part")
    found = read(packed)
    assert found.scope is Scope.PART
    assert [component.file for component in found.components] == ["b.deb", "a.deb"]
    with packed.open("rb") as file:
        for archive, component in zip(archives, found.components, strict=True):
            found.unpack(file, component, tmp_path / "out")
            assert (tmp_path / "out").read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
def test_a_whole_package_is_the_default(tmp_path: Path, tar_format: int) -> None:
    packed = pack_members(tmp_path / "x", [manifest(ROW), ("a", b"a" * 700)], tar_format)
    assert read(packed).scope is Scope.WHOLE


def test_a_component_that_is_another_is_refused(tmp_path: Path) -> None:
    packed = pack_members(tmp_path / "x", [manifest(ROW), ("a", b"b" * 700)])
    found = read(packed)
    with packed.open("rb") as file, pytest.raises(VerifyError):
        found.unpack(file, found.components[0], tmp_path / "out")


@pytest.mark.parametrize(
    "members",
    [
        [],
        [("a", b""), manifest(ROW)],
        [manifest(ROW)],
        [manifest(ROW), ("a", b""), ("b", b"")],
        [manifest(ROW), ("a", b""), ("a", b"")],
        [manifest(ROW, ROW), ("a", b"")],
        [manifest(ROW), ("../a", b"")],
        [manifest(ROW), ("x/a", b"")],
        [manifest(ROW), *((name, b"") for name in "abcd")],
        [("manifest.json", b"nonsense")],
        [("manifest.json", b"[" * 900)],
        [("manifest.json", b"[]")],
        [("manifest.json", b" " * 1025)],
        [manifest()],
        [manifest(ROW, bundle=2), ("a", b"")],
        [manifest(ROW, scope="half"), ("a", b"")],
        [manifest(ROW, extra=1), ("a", b"")],
        [manifest(components={}), ("a", b"")],
        [manifest("a"), ("a", b"")],
        [manifest({**ROW, "file": 1}), ("a", b"")],
        [manifest({**ROW, "sha256": "x"}), ("a", b"")],
        [manifest({**ROW, "more": "x"}), ("a", b"")],
        [manifest({**ROW, "file": "manifest.json"})],
    ],
)
def test_what_is_not_exact_is_malformed(tmp_path: Path, members: list[tuple[str, bytes]]) -> None:
    with pytest.raises(InstallerError) as caught:
        read(pack_members(tmp_path / "x", members))
    assert caught.value.reason is Reason.MALFORMED


def as_link(octets: bytearray) -> None:
    octets[156] = ord("2")


def as_extension(octets: bytearray) -> None:
    octets[156] = ord("x")


def with_huge_size(octets: bytearray) -> None:
    octets[124:136] = b"77777777777\0"


def with_binary_size(octets: bytearray) -> None:
    octets[124:136] = b"\x80" + b"\xff" * 11


def with_prefix(octets: bytearray) -> None:
    octets[345:348] = b"etc"


def unsigned(octets: bytearray) -> None:
    octets[0] ^= 1


@pytest.mark.parametrize(
    "change", [as_link, as_extension, with_huge_size, with_binary_size, with_prefix, unsigned]
)
def test_headers_of_other_kinds_are_malformed(
    tmp_path: Path, change: Callable[[bytearray], None]
) -> None:
    packed = pack_members(tmp_path / "x", [manifest(ROW), ("a", b"a" * 700)])
    octets = bytearray(packed.read_bytes())
    header = octets[1024:1536]
    change(header)
    if change is not unsigned:
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
    packed.write_bytes(octets[:1024] + header + octets[1536:])
    with pytest.raises(InstallerError) as caught:
        read(packed)
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("kept", [0, 100, 512, 1000, 1100, 1600, 2500, 2560])
def test_what_is_cut_short_is_malformed(tmp_path: Path, kept: int) -> None:
    packed = pack_members(tmp_path / "x", [manifest(ROW), ("a", b"a" * 700)])
    packed.write_bytes(packed.read_bytes()[:kept])
    with pytest.raises(InstallerError) as caught:
        read(packed)
    assert caught.value.reason is Reason.MALFORMED
