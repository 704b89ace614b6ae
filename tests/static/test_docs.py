# SPDX-License-Identifier: Apache-2.0
"""Documents that must agree with the code."""

import re
from pathlib import Path

from scomod.operation import PLANS
from tests.static.test_architecture import LAYERS, layer

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()


def modules() -> list[str]:
    found = []
    for path in sorted((ROOT / "scomod").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if not name.endswith("__init__") and not name.startswith("scomod.lab."):
            found.append(name)
    return found


def rooms() -> dict[int, str]:
    """The rows of the layer table: number -> text."""
    rows = re.findall(r"^\| (\d) [a-z ]+\| (.*) \|$", ARCHITECTURE, re.MULTILINE)
    return {int(number): text for number, text in rows}


def test_layer_table_names_every_module_in_its_layer() -> None:
    table = rooms()
    assert set(table) == {number for number, _ in LAYERS}
    for module in modules():
        text = table[layer(module)]
        package, _, name = module.removeprefix("scomod.").rpartition(".")
        is_named = f"`{name}`" in text or f"`{package}.{name}`" in text or f"`{package}.*`" in text
        assert is_named, f"{module} is not in row {layer(module)} of docs/architecture.md"


def test_layer_table_names_nothing_that_is_not_there() -> None:
    known = {part for module in modules() for part in (module, module.rpartition(".")[2])}
    for number, text in rooms().items():
        for name in re.findall(r"`([\w.]+)`", text):
            if name in ("dmclient", "mo", "lab"):
                continue
            assert name in known or f"scomod.{name}" in known, f"row {number}: {name}"


def test_plans_are_documented() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    for branch, primitive in PLANS:
        assert primitive in text
        assert branch.rpartition("/")[2] in text


def test_links_lead_somewhere() -> None:
    folders = (ROOT / "docs", ROOT / "packaging")
    pages = [page for folder in folders for page in sorted(folder.rglob("*.md"))]
    for page in [ROOT / "README.md", *pages]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_decision_has_context_and_consequences() -> None:
    pages = sorted((ROOT / "docs/adr").glob("0*.md"))
    numbers = [int(page.name[:4]) for page in pages]
    assert numbers == list(range(1, len(pages) + 1))
    index = (ROOT / "docs/adr/README.md").read_text()
    for page in pages:
        text = page.read_text()
        assert text.startswith(f"# {int(page.name[:4])}. ")
        title = text.partition(". ")[2].partition("\n")[0]
        assert f"[{title}]({page.name})" in index, "docs/adr/README.md"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text()
    for page in [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs/reference").glob("*.md")]:
        name = page.relative_to(ROOT / "docs").as_posix()
        assert f"]({name})" in index or name == "README.md", name
