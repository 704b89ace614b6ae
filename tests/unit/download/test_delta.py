# SPDX-License-Identifier: Apache-2.0
"""Which offers of deltas count, and which of them is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.download.delta import TOOL_BYTES, Chosen, Offer, chosen, offers
from scomod.verify import parse_install_params

if TYPE_CHECKING:
    from pathlib import Path

A, B, DELTA = "aa" * 32, "bb" * 32, "dd" * 32
PAIRS = {
    "delta": "https://example.org/a-b.zst",
    "delta_base": A,
    "delta_size": "100",
    "delta_sha256": DELTA,
}
OFFER = Offer(url="https://example.org/a-b.zst", sha256=DELTA, size_bytes=100, base=A)
SMALLER = Offer(url="https://example.org/b-c.zst", sha256=DELTA, size_bytes=50, base=B)
MEMORY = TOOL_BYTES + 4096


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base"
    path.write_bytes(bytes(1000))
    return path


def test_an_offer_is_read_beside_the_other_parameters() -> None:
    text = "sha256=" + "cc" * 32 + ";" + ";".join(f"{key}={value}" for key, value in PAIRS.items())
    assert offers(parse_install_params(text).rest) == (OFFER,)


def test_several_bases_are_numbered() -> None:
    more = {key.replace("delta", "delta3", 1): value for key, value in PAIRS.items()}
    assert offers(PAIRS | more | {"delta3_base": B.upper()}) == (
        OFFER,
        Offer(url=OFFER.url, sha256=DELTA, size_bytes=100, base=B),
    )


@pytest.mark.parametrize("missing", list(PAIRS))
def test_an_offer_that_lacks_a_key_is_none(missing: str) -> None:
    assert offers({key: value for key, value in PAIRS.items() if key != missing}) == ()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("delta_base", "aa"),
        ("delta_sha256", "../" * 21 + "x"),
        ("delta_size", "0"),
        ("delta_size", "-5"),
        ("delta_size", "9" * 40),
        ("delta_size", "٣"),
    ],
)
def test_an_offer_that_is_spoilt_is_none(key: str, value: str) -> None:
    assert offers(PAIRS | {key: value}) == ()


def test_the_smallest_delta_that_fits_is_chosen(base: Path) -> None:
    found = chosen([OFFER, SMALLER], lambda _: base, whole_bytes=2000, max_memory_bytes=MEMORY)
    assert found == Chosen(offer=SMALLER, base=base)
    held = {A: base}.get
    found = chosen([SMALLER, OFFER], held, whole_bytes=2000, max_memory_bytes=MEMORY)
    assert found == Chosen(offer=OFFER, base=base)


def test_without_its_base_a_delta_is_no_use() -> None:
    why = chosen([OFFER], lambda _: None, whole_bytes=2000, max_memory_bytes=MEMORY)
    assert "holds none" in str(why)


def test_a_delta_as_large_as_the_package_is_no_use(base: Path) -> None:
    why = chosen([OFFER], lambda _: base, whole_bytes=100, max_memory_bytes=MEMORY)
    assert why == "the delta is not smaller than the package"


@pytest.mark.parametrize(("whole_bytes", "fits"), [(3096, True), (3097, False), (None, True)])
def test_old_and_new_package_must_fit_into_the_memory_that_is_allowed(
    base: Path, whole_bytes: int | None, *, fits: bool
) -> None:
    found = chosen([OFFER], lambda _: base, whole_bytes=whole_bytes, max_memory_bytes=MEMORY)
    assert isinstance(found, Chosen) is fits
