# SPDX-License-Identifier: Apache-2.0
"""Commands on a real tree and database, carried out as the client does: message by message.

A person who answers from a list stands by; without one, an alert that asks is a failure.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from scomod.codes import DmStatus
from scomod.dmclient.executor import Executor
from scomod.dmclient.model import (
    Add,
    Alert,
    Command,
    Copy,
    Delete,
    Exec,
    Get,
    Item,
    Meta,
    Replace,
    Status,
)
from scomod.dmclient.useralert import AlertLimits
from scomod.records import Records
from scomod.settings import Paths, Settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from scomod.dmclient.executor import Question
    from scomod.dmclient.useralert import UserAnswer

X, Y = "./SCOMO/Download/x", "./SCOMO/Download/y"
GO = f"{X}/Operations/DownloadInstall"
MAX_OBJECT_BYTES = 5000
MAX_PACKAGES = 256
INT = Meta(format="int", type="text/plain")
LIMITS = AlertLimits(
    max_text_bytes=100, max_choices_count=4, max_choice_bytes=20, max_input_count=10
)


def item(target: str | None = None, value: str | None = None, **more: object) -> Item:
    data = None if value is None else value.encode()
    return Item(target=target, data=data, **more)  # type: ignore[arg-type]


def add(uri: str, value: str = "v", cmd_id: str = "1", **more: object) -> Add:
    return Add(cmd_id=cmd_id, items=(item(uri, value, **more),))


def replace(uri: str, value: str = "v", cmd_id: str = "1", **more: object) -> Replace:
    return Replace(cmd_id=cmd_id, items=(item(uri, value, **more),))


def get(uri: str, cmd_id: str = "1") -> Get:
    return Get(cmd_id=cmd_id, items=(item(uri),))


def delete(uri: str, cmd_id: str = "1") -> Delete:
    return Delete(cmd_id=cmd_id, items=(item(uri),))


def execute(uri: str, correlator: str = "c-1", cmd_id: str = "1") -> Exec:
    return Exec(cmd_id=cmd_id, correlator=correlator, items=(item(uri),))


def copy(target: str, source: str) -> Copy:
    return Copy(cmd_id="1", items=(item(target, source=source),))


def alert(code: int, *texts: str, cmd_id: str = "1") -> Alert:
    return Alert(cmd_id=cmd_id, code=code, items=tuple(item(value=text) for text in texts))


class Device:
    """Records with one announced package of "srv", and executors for any server."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.asked: list[Question] = []
        self.seen: list[dict[str, object]] = []
        self.do(add(f"{X}/PkgID", "x-1"), add(f"{X}/PkgURL", "https://h/x"))
        self.do(add(f"{Y}/PkgID", "y-1"))

    def executor(self, server: str = "srv") -> Executor:
        executor = Executor(
            self.records.tree,
            self.records.db,
            server_id=server,
            max_object_bytes=MAX_OBJECT_BYTES,
            alert_limits=LIMITS,
        )
        executor.tree_commands.max_result_bytes = MAX_OBJECT_BYTES // 2
        executor.tree_commands.takes = lambda size, _format: size <= MAX_OBJECT_BYTES // 2
        return executor

    def answers(
        self, *commands: Command, server: str = "srv", person: Sequence[UserAnswer] = ()
    ) -> list[Command]:
        """Execute commands as one message.

        The transaction ends before the person is asked (`asked`), who sees the device as it
        is then (`seen`); another one begins after.
        """
        answers: list[Command] = []
        executor = self.executor(server)

        def work() -> Generator[Question, UserAnswer, None]:
            for command in commands:
                answers.extend((yield from executor.execute("1", command)))

        running, said = work(), list(person)
        answer: UserAnswer | None = None
        while True:
            with self.records.db.transaction():
                try:
                    alert = next(running) if answer is None else running.send(answer)
                except StopIteration:
                    break
            self.asked.append(alert)
            self.seen.append(self.picture())
            answer = said.pop(0)
        assert not said, "the person was not asked often enough"
        return answers

    def codes(
        self, *commands: Command, server: str = "srv", person: Sequence[UserAnswer] = ()
    ) -> list[int]:
        answers = self.answers(*commands, server=server, person=person)
        return [answer.code for answer in answers if isinstance(answer, Status)]

    def do(self, *commands: Command) -> None:
        assert all(code < DmStatus.BAD_REQUEST for code in self.codes(*commands))

    def picture(self) -> dict[str, object]:
        """The whole tree and journal, to see that nothing changed."""
        tree, level = self.records.tree, ["."]
        found: dict[str, object] = {}
        while level:
            found |= {uri: (tree.node(uri), tree.value(uri)) for uri in level}
            level = [f"{uri}/{name}" for uri in level for name in tree.children(uri)]
        return found | {"journal": self.records.journal.all()}


@contextlib.contextmanager
def open_device(directory: Path) -> Iterator[Device]:
    records = Records(Settings(), Paths(directory))
    try:
        yield Device(records)
    finally:
        records.db.close()
