# SPDX-License-Identifier: Apache-2.0
import pytest

from scomod.errors import LocalProtocolError, NotAllowed
from scomod.mo.handler import ExecRequest, Handler
from scomod.mo.registry import Registry


def test_longest_prefix_wins_and_prefixes_are_whole_segments() -> None:
    registry = Registry()
    outer, inner = Handler(), Handler()
    registry.register("./A", outer)
    registry.register("./A/B", inner)
    assert registry.handler_for("./A") is outer
    assert registry.handler_for("./A/BC") is outer
    assert registry.handler_for("./A/B") is inner
    assert registry.handler_for("./A/B/C/D") is inner


def test_without_a_handler_everything_is_allowed_and_nothing_executed() -> None:
    handler = Registry().handler_for("./A/B")
    handler.guard_value("./A/B", b"any")
    handler.guard_delete("./A/B")
    assert handler.compute("./A/B") is None
    with pytest.raises(NotAllowed):
        handler.execute("./A/B", ExecRequest(server_id="A"))


def test_two_handlers_for_one_prefix_are_a_bug() -> None:
    registry = Registry()
    registry.register("./A", Handler())
    with pytest.raises(LocalProtocolError):
        registry.register("./A", Handler())
