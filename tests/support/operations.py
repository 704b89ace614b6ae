# SPDX-License-Identifier: Apache-2.0
"""Operations as the journal has them, for parts that look at one."""

from __future__ import annotations

from typing import Any

from scomod.operation import Branch, Operation, Primitive, StepKind, Subject

PACKAGE = Subject(pkg_id="com.example.editor", name="Editor", url="https://h/p", digest="")
COMPONENT = Subject(component_id="editor", pkg_id="com.example.editor", version="1.0")


def an_operation(step: StepKind = StepKind.CONSENT, **fields: Any) -> Operation:
    """Return a DownloadInstall whose current step is the first of that kind in its plan."""
    known: dict[str, Any] = {
        "id": 7,
        "branch": Branch.DOWNLOAD,
        "primitive": Primitive.DOWNLOAD_INSTALL,
        "node": "x",
        "exec_uri": "./SCOMO/Download/x/Operations/DownloadInstall",
        "server_id": "srv",
        "subject": PACKAGE,
        "created_s": 1000.0,
        **fields,
    }
    operation = Operation(**known)
    return Operation(**{**known, "cursor": operation.plan.index(step)})
