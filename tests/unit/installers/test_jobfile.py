# SPDX-License-Identifier: Apache-2.0
"""Orders and results cross the boundary as files that trust nothing."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest

from scomod.errors import InstallerError, Reason
from scomod.installers import jobfile
from scomod.installers.base import Action, InstalledItem, Job, JobResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JOB = Job(
    id="7.install-1",
    backend="dpkg",
    action=Action.INSTALL,
    payload="/var/lib/scomod/spool/x",
    digest="ab" * 32,
    keep_payload=True,
)
ITEM = InstalledItem(id="hello", version="1.0", environment="deb", digest="ab" * 32)
RESULT = JobResult(id="7.install-1", is_ok=True, components=(ITEM,))


def written(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    value = asdict(JOB)
    change(value)
    path = folder / f"{JOB.id}.json"
    path.write_text(json.dumps(value))
    return path


def reason_of(path: Path) -> Reason:
    with pytest.raises(InstallerError) as caught:
        jobfile.read_job(path)
    return caught.value.reason


def test_an_order_comes_back_as_it_was(tmp_path: Path) -> None:
    jobfile.write_job(tmp_path, JOB)
    assert jobfile.read_job(tmp_path / "7.install-1.json") == JOB


def test_a_result_comes_back_as_it_was(tmp_path: Path) -> None:
    jobfile.write_result(tmp_path, RESULT)
    assert jobfile.kept_result(tmp_path, RESULT.id) == RESULT


def test_text_that_is_no_utf8_survives_in_a_result(tmp_path: Path) -> None:
    result = JobResult(id="1", is_ok=False, detail="file \udcff")
    jobfile.write_result(tmp_path, result)
    assert jobfile.kept_result(tmp_path, "1") == result


def test_no_result_is_none(tmp_path: Path) -> None:
    assert jobfile.kept_result(tmp_path, "7") is None


def test_only_the_daemon_reads_orders_and_everybody_reads_results(tmp_path: Path) -> None:
    jobfile.write_job(tmp_path, JOB)
    assert (tmp_path / "7.install-1.json").stat().st_mode & 0o777 == 0o600
    jobfile.write_result(tmp_path, RESULT)
    assert (tmp_path / "7.install-1.json").stat().st_mode & 0o777 == 0o644


def test_writing_leaves_no_other_file(tmp_path: Path) -> None:
    jobfile.write_job(tmp_path, JOB)
    jobfile.write_job(tmp_path, JOB)
    assert [path.name for path in tmp_path.iterdir()] == ["7.install-1.json"]


def test_a_link_left_at_the_temporary_name_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".7.install-1.json.new").symlink_to(victim)
    jobfile.write_result(tmp_path, RESULT)
    assert victim.read_text() == "mine"


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update(extra="x"),
        lambda value: value.pop("backend"),
        lambda value: value.update(keep_payload="yes"),
        lambda value: value.update(keep_payload=1),
        lambda value: value.update(component_id=None),
        lambda value: value.update(params=["x"]),
        lambda value: value.update(action="explode"),
        lambda value: value.update(id="8"),
    ],
    ids=["unknown", "missing", "text-for-bool", "int-for-bool", "null", "list", "action", "name"],
)
def test_an_order_of_another_shape_is_malformed(
    tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    assert reason_of(written(tmp_path, change)) is Reason.MALFORMED


@pytest.mark.parametrize(
    "text", ["", "[]", "nonsense", '{"id": ', "[" * 60000, '"x"', "\x00"], ids=range(7)
)
def test_what_is_no_object_is_malformed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "1.json"
    path.write_text(text)
    assert reason_of(path) is Reason.MALFORMED


def test_a_large_order_is_malformed_and_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "1.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert reason_of(path) is Reason.MALFORMED


def test_links_pipes_and_directories_are_refused(tmp_path: Path) -> None:
    jobfile.write_job(tmp_path, JOB)
    (tmp_path / "link.json").symlink_to(tmp_path / f"{JOB.id}.json")
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    for name in ("link", "pipe", "folder"):
        assert reason_of(tmp_path / f"{name}.json") is Reason.POLICY


@pytest.mark.parametrize("text", ["1", "a.b-c_D", "x" * 64, "-r"])
def test_ids_of_orders(text: str) -> None:
    assert jobfile.is_job_id(text)


@pytest.mark.parametrize("text", ["", ".", "..", ".x", "a/b", "x" * 65, "a b", "ä", "1\n"])
def test_other_texts_are_no_ids(tmp_path: Path, text: str) -> None:
    assert not jobfile.is_job_id(text)
    with pytest.raises(InstallerError):
        jobfile.write_job(tmp_path, Job(id=text, backend="dpkg", action=Action.REMOVE))


def test_a_result_with_a_bad_component_is_malformed(tmp_path: Path) -> None:
    value = asdict(RESULT)
    for components in (["hello"], [{"id": "hello"}]):
        (tmp_path / "7.install-1.json").write_text(json.dumps(value | {"components": components}))
        with pytest.raises(InstallerError):
            jobfile.kept_result(tmp_path, RESULT.id)


# -- files of earlier versions ---------------------------------------------------


def test_what_came_later_has_a_default(tmp_path: Path) -> None:
    later = ("owner", "touches", "undoes")
    path = written(tmp_path, lambda value: [value.pop(name) for name in later])
    assert jobfile.read_job(path) == JOB
    value = asdict(RESULT)
    del value["wants_reboot"], value["components"][0]["owner"], value["components"][0]["units"]
    path.write_text(json.dumps(value))
    assert jobfile.read_result(path) == RESULT


def test_who_may_touch_what_comes_back_as_it_was(tmp_path: Path) -> None:
    job = replace(JOB, owner="com.example.dm", touches=("", "com.example.other"), undoes="6")
    jobfile.write_job(tmp_path, job)
    assert jobfile.read_job(tmp_path / f"{job.id}.json") == job
    item = replace(ITEM, owner="com.example.dm", units=("hello.service",))
    result = replace(RESULT, components=(item,), wants_reboot=True)
    jobfile.write_result(tmp_path, result)
    assert jobfile.kept_result(tmp_path, result.id) == result


@pytest.mark.parametrize("owners", ["*", [1], [None], {"*": "*"}])
def test_owners_are_a_list_of_texts(tmp_path: Path, owners: object) -> None:
    assert reason_of(written(tmp_path, lambda value: value.update(touches=owners))) is (
        Reason.MALFORMED
    )
