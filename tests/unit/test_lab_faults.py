# SPDX-License-Identifier: Apache-2.0
"""The words of the fault server: each is a behaviour, and what is no word is refused."""

from __future__ import annotations

from dataclasses import fields

import pytest

from scomod.lab.faults import WORDS, Behaviour, UnknownFault, listed, told

# set by tests that make their own files, not by words
FOR_TESTS = {"headers", "later"}


def test_a_path_is_a_file_and_its_faults() -> None:
    assert told("/hello.deb") == ("hello.deb", Behaviour())
    assert told("/reset-at=4096/first=2/no-etag/a.deb") == (
        "a.deb",
        Behaviour(reset_after=4096, times=2, etag=False),
    )
    assert told("/length-error=-7/a")[1].length_error == -7


@pytest.mark.parametrize("path", ["/nonsense/a", "/reset-at/a", "/portal=1/a", "/drip=x/a", "//a"])
def test_what_is_no_fault_is_refused(path: str) -> None:
    with pytest.raises(UnknownFault):
        told(path if path != "//a" else "/x//a")


def test_each_fault_has_a_word_and_is_listed() -> None:
    named = {name for word in WORDS.values() for name in (*word.fields, word.number) if name}
    assert named == {field.name for field in fields(Behaviour)} - FOR_TESTS
    assert [line.split()[0].partition("=")[0] for line in listed().splitlines()] == list(WORDS)
