# SPDX-License-Identifier: Apache-2.0
"""What every test gets: signals as a terminal gives them; fixtures live beside the tests."""

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from _pytest.pathlib import import_path
from hypothesis import settings

# Started in the background a shell has SIGINT ignored, and every program below inherits that;
# tests interrupt programs as a person would.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long one example takes tells of the machine; what hangs is ended by the test's own deadline.
settings.register_profile("scomod", deadline=None, max_examples=40)
settings.load_profile("scomod")

# A booted system is there only where script/image-test has made one.
collect_ignore = [] if "SCOMOD_IMAGE_DIR" in os.environ else ["image"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Compile a share of the modules before any other, as each worker of a whole run does.

    pytest rewrites every `assert`, which takes a minute for all; workers that begin with the same
    module would all do all of it, each as far as the others.  Its cache is theirs together.
    """
    worker: dict[str, Any] = getattr(session.config, "workerinput", {})
    if not worker or session.config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    root = Path(__file__).parent
    modules = sorted(p for p in root.rglob("test_*.py") if p.parent.name not in collect_ignore)
    for module in modules[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]:
        with contextlib.suppress(Exception):  # collecting it tells what is wrong
            import_path(
                module,
                mode="importlib",
                root=session.config.rootpath,
                consider_namespace_packages=False,
            )
