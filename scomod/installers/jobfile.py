# SPDX-License-Identifier: Apache-2.0
"""Orders and results as files, the only thing that crosses the privilege boundary.

The daemon writes `jobs/<id>.json`, the installing side answers with
`results/<id>.json`.  Reading trusts nothing: no link is followed, the size is
limited, every field must be known and of its type, and the id must be the file's
name.  Both files are written as a whole or not at all.
"""

from __future__ import annotations

import re
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Final, TypeVar

from scomod.errors import InstallerError, Reason
from scomod.installers import durable
from scomod.installers.base import Action, InstalledItem, Job, JobResult

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_BYTES: Final = 64 << 10
SUFFIX: Final = ".json"
DONE_SUFFIX: Final = ".done"
# A first dot is left out, so that "." and ".." and hidden files are no ids.
_ID: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
_JOB_MODE: Final = 0o600
_RESULT_MODE: Final = 0o644
# Fields that came later have a default too: files of an earlier version are read.
_REQUIRED: Final[Mapping[type, frozenset[str]]] = {
    Job: frozenset({"id", "backend", "action"}),
    JobResult: frozenset({"id", "is_ok", "reason", "detail", "components"}),
    InstalledItem: frozenset(
        {
            "id",
            "version",
            "environment",
            "is_active",
            "name",
            "description",
            "digest",
            "package_id",
        }
    ),
}

T = TypeVar("T", Job, InstalledItem, JobResult)


def is_job_id(text: str) -> bool:
    """Tell whether a text may name a job."""
    return bool(_ID.fullmatch(text))


def write_job(folder: Path, job: Job) -> None:
    """Put an order into `folder`; raises `InstallerError(MALFORMED)` for an id that is none."""
    durable.write_json(_place(folder, job.id), asdict(job), mode=_JOB_MODE)


def read_job(path: Path) -> Job:
    """Read an order; raises `InstallerError`: POLICY for no plain file, MALFORMED else."""
    value = durable.read_json(path, max_bytes=MAX_BYTES)
    _check_fields(Job, value)
    if value["action"] not in set(Action):
        raise InstallerError(Reason.MALFORMED, f"unknown action {value['action']!r:.80}")
    job = Job(**{**_with_tuples(value), "action": Action(value["action"])})
    _check_name(path, job.id)
    return job


def write_result(folder: Path, result: JobResult) -> None:
    """Put a result into `folder`, readable by the daemon."""
    durable.write_json(_place(folder, result.id), asdict(result), mode=_RESULT_MODE)


def read_result(path: Path) -> JobResult:
    """Read a result; raises `InstallerError` like `read_job`."""
    value = durable.read_json(path, max_bytes=MAX_BYTES)
    _check_fields(JobResult, value)
    components = [_item(raw) for raw in value["components"]]
    result = JobResult(**{**value, "components": tuple(components)})
    _check_name(path, result.id)
    return result


def kept_result(folder: Path, job_id: str) -> JobResult | None:
    """Look for the result of a job; None while there is none."""
    path = _place(folder, job_id)
    return read_result(path) if path.exists() else None


def forget(results_dir: Path, plans_dir: Path, job_id: str) -> None:
    """Delete the result of a job, and its plan first: without a result it would be resumed."""
    for folder in (plans_dir, results_dir):
        durable.discard(_place(folder, job_id))


def _place(folder: Path, job_id: str) -> Path:
    if not is_job_id(job_id):
        raise InstallerError(Reason.MALFORMED, f"{job_id!r:.80} cannot name a job")
    return folder / f"{job_id}{SUFFIX}"


def _item(value: object) -> InstalledItem:
    if not isinstance(value, dict):
        raise InstallerError(Reason.MALFORMED, "a component is no object")
    _check_fields(InstalledItem, value)
    return InstalledItem(**_with_tuples(value))


_TEXTS: Final = "tuple[str, ...]"
# A type in a dataclass is its text here (postponed annotations).
_JSON_TYPES: Final[Mapping[str, type]] = {
    "str": str,
    "bool": bool,
    "Action": str,
    "tuple[InstalledItem, ...]": list,
    _TEXTS: list,
}


def _check_fields(kind: type[T], value: Mapping[str, Any]) -> None:
    """Hold an object against the fields of its dataclass."""
    wanted = {field.name: str(field.type) for field in fields(kind)}
    if unknown := value.keys() - wanted.keys():
        raise InstallerError(Reason.MALFORMED, f"unknown field {min(unknown)!r:.80}")
    if missing := _REQUIRED[kind] - value.keys():
        raise InstallerError(Reason.MALFORMED, f"field {min(missing)!r} is missing")
    for name, item in value.items():
        is_right = type(item) is _JSON_TYPES[wanted[name]]
        if is_right and wanted[name] == _TEXTS:
            is_right = all(type(text) is str for text in item)
        if not is_right:
            raise InstallerError(Reason.MALFORMED, f"field {name!r} has the wrong type")


def _with_tuples(value: Mapping[str, Any]) -> dict[str, Any]:
    """Give checked fields as the dataclass has them: JSON knows lists only."""
    return {name: tuple(item) if type(item) is list else item for name, item in value.items()}


def _check_name(path: Path, job_id: str) -> None:
    if not is_job_id(job_id) or path.name != f"{job_id}{SUFFIX}":
        raise InstallerError(Reason.MALFORMED, f"{path.name} holds another id")
