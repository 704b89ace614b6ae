# SPDX-License-Identifier: Apache-2.0
"""The rules of the house, read from the source (DESIGN: layers, invariants I1 to I17)."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "scomod").rglob("*.py"))

# Imports go down only.  The first pattern that fits a module gives its layer.
LAYERS: tuple[tuple[int, str], ...] = (
    (0, r"scomod(\.__init__)?$|scomod\.(codes|errors|clock|secret|quirk|facade|notify)$"),
    (0, r"scomod\.(settings|fetchsettings|installsettings|wakesettings|supportsettings)$"),
    (0, r"scomod\.(shapes|paths|value|wording)$"),
    (1, r"scomod\.dmclient\.(model|element|tokens|wbxml|xmltext|syncml|codec|tnds|tndswriter)$"),
    (1, r"scomod\.dmclient\.(auth|notification|push|sms|provisioning|provwbxml|seal|httpauth)$"),
    (1, r"scomod\.dmclient\.(credentials|chunks|upload|outgoing|session|useralert)$"),
    (1, r"scomod\.dmclient\.(peer|trust|answers|awaited|events)$"),
    (1, r"scomod\.mo\.(uri|node|acl|ddf|judge|handler|accountvalues|tnds|ddfwriter)$"),
    (1, r"scomod\.(operation|outcome|policy|clifmt|explain)$"),
    (1, r"scomod\.(stepresult|pace|wishes|tries|meter|agenda)$"),
    (1, r"scomod\.(causes|risks|findings|steptalk|meanings)$"),
    (1, r"scomod\.download\.(job|descriptor|delta)$|scomod\.installers\.base$"),
    (2, r"scomod\.mo\.(tree|nodes|properties|reading|listing|subtree|store|blob|registry)$"),
    (2, r"scomod\.(journal|outbox|report|history|db|config|log|verify|net|mishap|tls|wire)$"),
    (1, r"scomod\.(vigil|openmetrics|metrics|standing)$"),
    (2, r"scomod\.(ring|recorder|tally)$"),
    (2, r"scomod\.(notices?|lastsession|knowntime|expiry|dbcopy|language)$"),
    (2, r"scomod\.(extras|quarantine|bootid|signature|certificates|chain|sigfile|trust|weblogin)$"),
    (3, r"scomod\.mo\."),
    (4, r"scomod\.dmclient\.(executor|treecommands|subtreecommands|transport|refusal|gate)$"),
    (4, r"scomod\.download\.|scomod\.installers\."),
    (4, r"scomod\.dmclient\.(bootstrap|dmprofile)$|scomod\.parcel(s|talk)$"),
    (4, r"scomod\.(ledger|updaterequest|confirm|interview|alarm|trace|mirror|inquiry|baseline)$"),
    (5, r"scomod\.dmclient\.(client|opening|logins)$|scomod\.(steps|engine|turns|enrolment)$"),
    (5, r"scomod\.(doorstep|reaching)$"),
    (5, r"scomod\.(acquiring|patience|fetchrequest|sigfetch|deltafetch|described|telling)$"),
    (5, r"scomod\.deadlines$"),
    (5, r"scomod\.(orders|health|restart|package|poll|offers?|announcing|handin)$"),
    (4, r"scomod\.(terms|daytime|admission|allowance|fetchterms|leash)$"),
    (5, r"scomod\.(consent|permissions|question|summons)$"),
    (5, r"scomod\.(reasons|forecast|hazards|checkup|checkdevice|checkimage)$"),
    (6, r"scomod\.(bus\w*|surroundings|network|scheduler|wakeup|pushes|popups)$|scomod\.listeners"),
    (7, r"scomod\."),
)  # fmt: skip

DATA_MODULES = {
    "__future__", "base64", "binascii", "codecs", "collections", "contextlib", "dataclasses",
    "enum", "fnmatch", "functools",
    "hashlib", "hmac", "html", "itertools", "math", "re", "string", "struct", "typing", "types",
    "urllib", "xml", "lxml", "operator", "unicodedata", "datetime",
}  # fmt: skip


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> tuple[tuple[str, int, bool], ...]:
    """Give (module, line, is_only_for_types) of every import."""
    return tuple(_imports(parsed(path)))


def _imports(tree: ast.Module) -> Iterator[tuple[str, int, bool]]:
    typing_lines = {
        inner.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, node.lineno in typing_lines
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                is_module = (ROOT / Path(*full.split("."))).with_suffix(".py").exists()
                yield full if is_module else node.module, node.lineno, node.lineno in typing_lines


@cache
def layer(module: str) -> int:
    return next(number for number, pattern in LAYERS if re.match(pattern, module))


def uses() -> Iterator[tuple[str, str, int]]:
    """Give (module, what it imports to run, line) of all imports."""
    for path in SOURCES:
        for target, line, is_only_for_types in imports(path):
            if not is_only_for_types:
                yield module_name(path), target, line


def test_imports_go_down_only() -> None:
    assert [
        f"{module}:{line} imports {target}, a layer above"
        for module, target, line in uses()
        if target.startswith("scomod.") and layer(target) > layer(module)
    ] == []


def test_pure_core_imports_data_modules_only() -> None:
    allowed = {0: DATA_MODULES | {"pathlib", "time", "os", "socket", "tomllib"}, 1: DATA_MODULES}
    assert [
        f"{module}:{line} imports {target} (I1)"
        for module, target, line in uses()
        if layer(module) in allowed
        and not target.startswith("scomod")
        and target.split(".")[0] not in allowed[layer(module)]
    ] == []


SIBLINGS = ("scomod.dmclient", "scomod.download", "scomod.installers", "scomod.mo", "scomod.lab")
FORBIDDEN: tuple[tuple[str, str], ...] = (
    ("scomod.mo", "scomod.dmclient"),
    ("scomod.download", "scomod.dmclient"),
    ("scomod.download", "scomod.mo"),
    ("scomod.download", "scomod.installers"),
    ("scomod.download", "scomod.codes"),
    ("scomod.installers", "scomod.dmclient"),
    ("scomod.installers", "scomod.mo"),
    ("scomod.installers", "scomod.download"),
    ("scomod.installers", "scomod.codes"),
    ("scomod.installers", "scomod.db"),
    ("scomod.installers", "scomod.bus"),
    ("scomod.dmclient", "scomod.download"),
    ("scomod.dmclient", "scomod.installers"),
)


@pytest.mark.parametrize(("who", "whom"), FORBIDDEN)
def test_siblings_do_not_know_one_another(who: str, whom: str) -> None:
    for path in SOURCES:
        if not module_name(path).startswith(who):
            continue
        for target, line, _ in imports(path):
            is_hit = target == whom or target.startswith(f"{whom}.")
            assert not is_hit, f"{path.name}:{line} imports {target} (I12, I14)"


LAB_MAY = {
    "model", "element", "codec", "auth", "notification", "tokens", "wbxml", "xmltext", "syncml",
    "seal",
}  # fmt: skip
LAB_MAY_TOO = {
    "codes",
    "errors",
    "secret",
    "busclient",
    "busaddress",
    "buswire",
    "clifmt",
    "explain",
    "facade",
    "lab",
    "clock",
}


def test_bench_shares_the_codec_never_the_clients_session() -> None:
    for path in SOURCES:
        if not module_name(path).startswith("scomod.lab"):
            continue
        for target, line, _ in imports(path):
            if not target.startswith("scomod."):
                continue
            parts = target.split(".")
            is_fine = parts[1] in LAB_MAY_TOO or (parts[1] == "dmclient" and parts[2] in LAB_MAY)
            assert is_fine, f"{path.name}:{line} imports {target}"


def test_nothing_imports_the_bench() -> None:
    for path in SOURCES:
        if not module_name(path).startswith("scomod.lab"):
            for target, line, _ in imports(path):
                assert not target.startswith("scomod.lab"), f"{path.name}:{line}"


OWNERS = (
    ("sqlite3", {"scomod.db"}),
    ("dbus_next", {"scomod.buswire"}),
    ("pyudev", {"scomod.listeners.hotplug"}),
    ("subprocess", {"scomod.installers.proc"}),
    (
        "lxml",
        {"scomod.dmclient.xmltext", "scomod.dmclient.provisioning", "scomod.download.descriptor"},
    ),
    ("requests", {"scomod.mishap", "scomod.weblogin", "scomod.wire"}),
)


@pytest.mark.parametrize(("library", "owners"), OWNERS, ids=[name for name, _ in OWNERS])
def test_each_library_stands_behind_its_seam(library: str, owners: set[str]) -> None:
    for path in SOURCES:
        module = module_name(path)
        if module in owners or module.startswith("scomod.lab"):
            continue
        for target, line, is_only_for_types in imports(path):
            is_hit = target.split(".")[0] == library and not is_only_for_types
            assert not is_hit, f"{path.name}:{line} imports {target} (I2, I13, I15)"


def test_sql_stands_in_six_modules_only() -> None:
    homes = {"db.py", "journal.py", "outbox.py", "store.py", "components.py", "notices.py"}
    pattern = re.compile(r"\b(SELECT .* FROM|INSERT (OR \w+ )?INTO|DELETE FROM|UPDATE \w+ SET)\b")
    for path in SOURCES:
        if path.name not in homes:
            assert not pattern.search(path.read_text()), f"{path} contains SQL (I2)"


NUMBER_HOMES = {
    "scomod.codes",
    "scomod.dmclient.tokens",
    "scomod.settings",
    "scomod.fetchsettings",
    "scomod.installsettings",
}


def is_oma_number(node: ast.expr, text: str) -> bool:
    """Tell bare status and result numbers; octal ones are file modes."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, int):
        return False
    is_in_range = 200 <= node.value < 600 or 1100 <= node.value < 1600
    return is_in_range and not (ast.get_source_segment(text, node) or "").startswith("0o")


def bare_numbers(path: Path) -> Iterator[str]:
    text = path.read_text()
    for node in ast.walk(parsed(path)):
        values: list[ast.expr] = []
        if isinstance(node, ast.Return) and node.value is not None:
            values = [node.value]
        elif isinstance(node, ast.Compare):
            values = [node.left, *node.comparators]
        elif isinstance(node, ast.Call):
            values = [*node.args, *(keyword.value for keyword in node.keywords)]
        yield from (f"{path}:{v.lineno}" for v in values if is_oma_number(v, text))


def test_oma_numbers_are_returned_compared_and_passed_by_name() -> None:
    """I9: named constants (UPPER_CASE = 512) are limits and fine, bare numbers are not."""
    asked = [p for p in SOURCES if module_name(p) not in NUMBER_HOMES and "lab" not in p.parts]
    assert [place for path in asked for place in bare_numbers(path)] == []


def test_tasks_are_born_in_a_group() -> None:
    homes = {"daemon.py"}
    for path in SOURCES:
        if path.name in homes or "lab" in path.parts:
            continue
        text = path.read_text()
        for match in re.finditer(r"(\w+)\.create_task|ensure_future", text):
            is_group = bool(match.group(1)) and "task" in match.group(1).lower()
            assert is_group, f"{path.name} starts a task outside a group (I17)"


def test_programs_are_started_in_one_place() -> None:
    for path in SOURCES:
        if path.name == "proc.py" or "lab" in path.parts:
            continue
        assert not re.search(r"os\.(system|popen|exec|spawn|fork)\w*\(", path.read_text()), path


def test_handlers_are_plain_functions() -> None:
    """I4: an Exec cannot wait for anything."""
    for name in ("handler", "scomo", "devinfo", "devdetail", "dmacc"):
        tree = parsed(ROOT / "scomod" / "mo" / f"{name}.py")
        assert not any(isinstance(node, ast.AsyncFunctionDef) for node in ast.walk(tree)), name
