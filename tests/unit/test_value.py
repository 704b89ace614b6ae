# SPDX-License-Identifier: Apache-2.0
"""Values whose classes share their methods behave as frozen dataclasses do."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, asdict, dataclass, field, replace
from typing import Any

import pytest

from scomod.value import frozen, section


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    name: str
    hidden: str = field(default="", repr=False)
    note: int = field(default=0, compare=False)


@frozen
class Shared:
    name: str
    hidden: str = field(default="", repr=False)
    note: int = field(default=0, compare=False)


@section
class Part:
    size: int = 3


@section
class Whole:
    part: Part = field(default_factory=Part)
    name: str = "some"


def test_text_equality_and_hash_are_those_of_a_dataclass() -> None:
    known, shared = Known(name="a", hidden="b", note=1), Shared(name="a", hidden="b", note=1)
    assert repr(shared) == repr(known).replace("Known", "Shared")
    assert hash(shared) == hash(known)
    assert shared == replace(shared, note=2)
    assert shared != replace(shared, hidden="c")
    assert shared.__eq__(known) is NotImplemented
    assert asdict(shared) == asdict(known)


@pytest.mark.parametrize("one", [Shared(name="a"), Whole()])
def test_what_is_made_stays_as_it_is(one: Any) -> None:
    with pytest.raises(FrozenInstanceError, match="name"):
        one.name = "b"
    with pytest.raises(FrozenInstanceError, match="name"):
        del one.name
    with pytest.raises(AttributeError):
        one.other = "b"


def test_section_takes_what_is_given_and_has_defaults_for_the_rest() -> None:
    assert Whole() == Whole(part=Part(size=3), name="some")
    assert replace(Whole(), name="b") == Whole(name="b")
    assert repr(Whole(name="b")) == "Whole(part=Part(size=3), name='b')"
    assert len({Whole(), Whole(), Whole(name="b")}) == 2


def test_section_refuses_a_key_that_it_has_not() -> None:
    wrong: dict[str, Any] = {"sise": 1}
    with pytest.raises(TypeError, match="Part has no sise"):
        Part(**wrong)
