# SPDX-License-Identifier: Apache-2.0
"""The test kit passes a sound backend, and each duty is failed by one that breaks it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scomod.clock import SystemClock
from scomod.errors import ScomodError
from scomod.installers import testkit
from scomod.installers.duties import DUTIES, Bench, Samples, Verdict, examine
from scomod.installers.kinds import Place
from scomod.settings import Install
from tests.support.faulty import FAULTY, Sound, kind_with

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.installers.kinds import Kind


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    def archive(name: str, **values: str) -> Path:
        path = tmp_path / name
        path.write_text(json.dumps({"id": "hello", "version": "1.0", **values}))
        return path

    return Samples(
        payload=archive("old.json"),
        newer=archive("new.json", version="2.0"),
        broken=archive("broken.json", id="hello", fails="script failed", leaves="untouched"),
        config="hello.conf",
    )


def place(tmp_path: Path) -> Place:
    return Place(root=tmp_path, settings=Install(), clock=SystemClock())


def verdict(kind: Kind, samples: Samples, tmp_path: Path, name: str) -> Verdict:
    backend = kind.make(place(tmp_path))
    assert backend is not None
    bench = Bench(
        backend=backend,
        kind=kind,
        place=place(tmp_path),
        samples=samples,
        scratch=tmp_path,
        old=backend.inspect(samples.payload),
        new=backend.inspect(samples.newer),
    )
    return examine(bench, next(duty for duty in DUTIES if duty.name == name))


def test_a_sound_backend_keeps_every_duty(samples: Samples, tmp_path: Path) -> None:
    told: list[Verdict] = []
    found = testkit.run(kind_with(Sound), place(tmp_path), samples, told.append)
    assert [(each.name, each.is_kept, each.why) for each in found] == [
        (duty.name, True, "") for duty in DUTIES
    ]
    assert told == found


@pytest.mark.parametrize("backend", FAULTY, ids=lambda each: each.__name__)
def test_a_duty_that_is_broken_is_found(
    backend: type[Sound], samples: Samples, tmp_path: Path
) -> None:
    duty = (backend.__doc__ or "").partition(":")[0]
    found = verdict(kind_with(backend), samples, tmp_path, duty)
    assert found.is_kept is False
    assert found.why


def test_every_duty_has_a_backend_that_breaks_it() -> None:
    broken = {(backend.__doc__ or "").partition(":")[0] for backend in FAULTY}
    assert broken == {duty.name for duty in DUTIES}


def test_a_file_that_does_not_tell_is_found(samples: Samples, tmp_path: Path) -> None:
    found = verdict(kind_with(Sound, watched="another"), samples, tmp_path, "marked")
    assert (found.is_kept, "watched" in found.why) == (False, True)


def test_what_cannot_be_seen_is_said(samples: Samples, tmp_path: Path) -> None:
    plain = Samples(payload=samples.payload, newer=samples.newer)
    found = verdict(kind_with(Sound), plain, tmp_path, "failed")
    assert (found.is_kept, "--broken" in found.why) == (None, True)


def test_a_backend_that_calls_itself_otherwise_is_refused(samples: Samples, tmp_path: Path) -> None:
    class Other(Sound):
        environment = "other"

    with pytest.raises(ScomodError, match="calls itself"):
        testkit.run(kind_with(Other), place(tmp_path), samples, lambda _: None)
