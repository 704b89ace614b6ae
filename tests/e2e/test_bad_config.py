# SPDX-License-Identifier: Apache-2.0
"""A configuration that cannot be used: each program says file, key and what may be, and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.codes import ResultCode
from tests.support.debs import Deb
from tests.support.failing import deb_of
from tests.support.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = {
    "scomod": ("scomod", "--resident"),
    "scomoctl": ("scomod.cli", "config", "show"),
    "scomod-install": ("scomod.installers.helper",),
}
# What a service manager starts says by its status that it need not start it again.
STATUSES = {"scomod": 78, "scomoctl": 1, "scomod-install": 78}
MISTAKES = {
    "unknown key": (
        "[download]\nmax_byte = 5\n",
        ["unknown key download.max_byte", "did you mean download.max_bytes?"],
    ),
    "unknown section": ("[downloads]\n", ["unknown section downloads", "download"]),
    "word not allowed": (
        '[verify]\nsignature = "sometimes"\n',
        ['verify.signature is "sometimes"', 'one of "required", "optional"'],
    ),
    "wrong type": (
        '[install.dpkg]\ntimeout_s = "long"\n',
        ['install.dpkg.timeout_s is "long"', "a number from 1 to 86400"],
    ),
    "out of range": (
        "[download]\nattempts_count = 999\n",
        ["download.attempts_count is 999", "a whole number from 1 to 100"],
    ),
    "key instead of section": ("download = 5\n", ["download is a section, write [download]"]),
    "broken TOML": ("[download\n", ["is not TOML", "line 1"]),
}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("rig")) as made:
        made.bootstrap()
        yield made
        made.override("")
        made.start_daemon()
        made.start_helper()
        made.until_up()
        made.check_well()


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_file_key_and_what_may_be(
    rig: Rig, name: str, program: str
) -> None:
    text, words = MISTAKES[name]
    rig.override(text)
    done = rig.run(*PROGRAMS[program])
    assert done.returncode == STATUSES[program]
    (line,) = done.stderr.splitlines()
    for word in ("etc/scomod/config.d/50-test.toml: ", *words):
        assert word in line
    assert done.stdout == ""


def test_a_configuration_broken_while_running_installs_nothing(rig: Rig) -> None:
    """The daemon has read it long ago; the root program reads it for each order."""
    rig.override("")
    daemon = rig.start_daemon()
    helper = rig.start_helper()
    rig.until_up()
    rig.override(MISTAKES["word not allowed"][0])
    order = rig.order_install(deb_of(rig, Deb(name="unwanted")))
    assert rig.session()["outcome"] == "ok"
    assert rig.result_of(order) == ResultCode.INSTALL_FAILED
    rig.until_reported()
    assert 'verify.signature is "sometimes"' in rig.operations()[-1]["detail"]
    assert rig.dpkg_state("unwanted") == ""
    assert rig.spool() == []
    rig.stop(daemon)
    rig.stop(helper)
