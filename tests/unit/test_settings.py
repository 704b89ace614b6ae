# SPDX-License-Identifier: Apache-2.0
"""What the declared settings promise, and where a device keeps its things."""

from pathlib import Path

import pytest

from scomod import config
from scomod.config import Key
from scomod.settings import Paths

UNITS = ("_s", "_bytes", "_count", "_ratio")
# a number, but not of anything
COUNTED_OTHERWISE = {"notification.udp_port", "notification.sms_port"}


@pytest.mark.parametrize("key", config.all_keys(), ids=lambda key: key.name)
def test_default_is_itself_allowed(key: Key) -> None:
    assert type(key.default) is key.type
    if key.allowed:
        assert key.default == key.allowed[0]
    if key.low is not None and key.high is not None:
        assert key.low <= key.default <= key.high  # type: ignore[operator]  # a number


@pytest.mark.parametrize(
    "key", [key for key in config.all_keys() if key.type in (int, float)], ids=lambda key: key.name
)
def test_number_has_limits_and_a_unit_in_its_name(key: Key) -> None:
    assert key.low is not None
    assert key.high is not None
    assert key.name.endswith(UNITS) or key.name in COUNTED_OTHERWISE
    assert (key.type is float) == key.name.endswith(("_s", "_ratio"))


def test_everything_lies_below_the_root(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    named = [name for name, value in vars(Paths).items() if isinstance(value, property)]
    assert "database" in named
    for name in named:
        assert getattr(paths, name).is_relative_to(tmp_path), name


@pytest.mark.parametrize(
    ("name", "place"),
    [("etc/keys", "etc/keys"), ("/etc/keys", "etc/keys"), ("{root}/etc/keys", "etc/keys")],
)
def test_configured_path_is_resolved_below_the_root(tmp_path: Path, name: str, place: str) -> None:
    assert Paths(tmp_path).below_root(name.format(root=tmp_path)) == tmp_path / place


def test_configured_path_on_a_real_device_is_taken_as_it_is() -> None:
    assert Paths(Path("/")).below_root("/etc/keys") == Path("/etc/keys")
