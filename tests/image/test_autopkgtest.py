# SPDX-License-Identifier: Apache-2.0
"""The tests that come with the packages, run as distributions do: by autopkgtest, as installed."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from tests.support.container import Container
from tests.support.own_package import PROJECT, layer, packages

TESTS = ("smoke", "booted", "story")
# The machine is a container, which the runner called null cannot know.
AUTOPKGTEST = ("autopkgtest", "--ignore-restrictions=isolation-container", "--no-built-binaries")


def test_the_tests_of_the_packages_pass() -> None:
    container = Container("autopkgtest", [layer() / "upper", Path(os.environ["SCOMOD_IMAGE_ROOT"])])
    place = container.root / "var/tmp/packages"
    shutil.copytree(packages(), place)
    shutil.copytree(PROJECT / "packaging/debian", container.root / "var/tmp/source/debian")
    # The root leaves out documentation, which the story looks for in the package it installs.
    shutil.rmtree(container.root / "etc/dpkg/dpkg.cfg.d")
    container.boot()
    try:
        debs = [f"/var/tmp/packages/{path.name}" for path in sorted(place.glob("*.deb"))]
        done = container.run(
            *AUTOPKGTEST, *debs, "/var/tmp/source/", "--", "null", is_checked=False
        )
    finally:
        container.cut_power()
    passed = re.findall(r"^(\S+) +PASS$", done.stdout, re.MULTILINE)
    assert (passed, done.returncode) == (list(TESTS), 0), done.stdout + done.stderr
