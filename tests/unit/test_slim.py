# SPDX-License-Identifier: Apache-2.0
"""What the waiting daemon has in memory, and that what it left out comes when it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

# each is 0.1 to 4 MiB, or brings such a thing along
HEAVY = (
    "_hashlib", "argparse", "ast", "asyncio.sslproto", "base64", "cryptography",
    "dbus_next.glib", "dbus_next.introspection", "dbus_next.proxy_object", "email", "hashlib",
    "hmac", "http.client", "importlib.resources", "inspect", "linecache",
    "lxml", "pyudev", "random", "requests", "scomod.dmclient.client", "scomod.dmclient.codec",
    "scomod.dmclient.model", "scomod.download.http", "scomod.interview", "scomod.mo.listing",
    "scomod.mo.tnds", "secrets", "shutil", "ssl", "tempfile", "urllib.request", "urllib3",
    "uuid", "xml.etree.ElementTree", "zipfile",
)  # fmt: skip
START = "import sys, json\nfrom scomod import slim\nslim.import_asyncio()\n"
WHOLE = (
    "import sys, json\nfrom scomod import slim\n"
    "with slim.postponed():\n    slim.import_asyncio()\n    import scomod.serve\n"
)


def answer_of(code: str) -> Any:
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_waiting_daemon_imports_nothing_heavy() -> None:
    found = answer_of(f"{WHOLE}print(json.dumps(sorted(sys.modules)))")
    assert "scomod.daemon" in found
    assert not set(HEAVY) & set(found)
    assert not {name for name in found if name.startswith("scomod.installers.dpkg")}


def test_what_was_postponed_comes_with_its_first_use() -> None:
    code = (
        f"{WHOLE}import asyncio, dbus_next.introspection as one, inspect, traceback\n"
        "lines = traceback.linecache.getlines(asyncio.__file__)\n"
        "node = one.Node.parse('<node><node name=\"a\"/></node>')\n"
        "same = asyncio.coroutines.inspect.signature is inspect.signature\n"
        "tls = asyncio.base_events.sslproto.SSLProtocol.__name__\n"
        "print(json.dumps([bool(lines), node.nodes[0].name, same, tls]))"
    )
    assert answer_of(code) == [True, "a", True, "SSLProtocol"]


def test_tls_works_after_asyncio_came_without_it() -> None:
    code = (
        f"{START}import asyncio, requests, ssl\n"
        "print(json.dumps(bool(ssl.create_default_context())))"
    )
    assert answer_of(code) is True


def test_main_module_brings_asyncio_through_slim() -> None:
    """The order of imports counts: whoever imports asyncio at the top of `__main__` undoes it."""
    found = answer_of("import json, sys, scomod.__main__\nprint(json.dumps(sorted(sys.modules)))")
    assert "scomod.slim" in found
    assert not {"asyncio", "ssl"} & set(found)


def test_command_line_brings_nothing_heavy() -> None:
    code = (
        "import json, sys, scomod.__main__ as main\n"
        "main.parser().parse_args(['--resident'])\ndel sys.modules['argparse']\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    assert not set(HEAVY) & set(answer_of(code))


def test_ssl_that_is_there_already_stays() -> None:
    code = f"import ssl\n{START}import asyncio\nprint(json.dumps(sys.modules['ssl'] is ssl))"
    assert answer_of(code) is True


def test_what_is_forgotten_comes_anew_and_nothing_else_is_touched() -> None:
    code = (
        "import sys, json, tomllib\nfrom scomod import slim\nold = tomllib\n"
        "with slim.forgotten('scomod.config', 'wave'):\n"
        "    import colorsys, wave\n    from scomod import config\n"
        "names = ('wave', 'scomod.config', 'colorsys', 'tomllib')\n"
        "left = [name in sys.modules for name in names]\n"
        "from scomod import config as again\n"
        "print(json.dumps([left, again is config, tomllib is old]))"
    )
    assert answer_of(code) == [[False, False, True, True], False, True]
