# SPDX-License-Identifier: Apache-2.0
"""The published description says what the tree is judged by, and follows the DTD."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from lxml import etree

from scomod.errors import NodeNotFound
from scomod.mo import ddf, ddfwriter
from scomod.mo.ddf import Ddf, Place
from scomod.mo.registry import load_ddf
from scomod.records import Records
from scomod.settings import Paths, Settings
from tests.support.trees import TOY, place
from tests.support.trees import document as definition

SPACE = "{syncml:dmddf1.2}"
# The part of the DTD that a description uses, as content models (omadm §7.8).
DTD = """
<!ELEMENT MgmtTree (VerDTD, Man?, Mod?, Node+)>
<!ATTLIST MgmtTree xmlns CDATA #IMPLIED>
<!ELEMENT VerDTD (#PCDATA)> <!ELEMENT Man (#PCDATA)> <!ELEMENT Mod (#PCDATA)>
<!ELEMENT Node (NodeName, Path?, DFProperties, Node*)>
<!ELEMENT NodeName (#PCDATA)> <!ELEMENT Path (#PCDATA)>
<!ELEMENT DFProperties (AccessType, DefaultValue?, Description?, DFFormat, Occurrence?, Scope?,
  DFTitle?, DFType, CaseSense?)>
<!ELEMENT AccessType (Add?, Copy?, Delete?, Exec?, Get?, Replace?)>
<!ELEMENT Add EMPTY> <!ELEMENT Copy EMPTY> <!ELEMENT Delete EMPTY>
<!ELEMENT Exec EMPTY> <!ELEMENT Get EMPTY> <!ELEMENT Replace EMPTY>
<!ELEMENT DefaultValue (#PCDATA)> <!ELEMENT Description (#PCDATA)> <!ELEMENT DFTitle (#PCDATA)>
<!ELEMENT DFFormat (b64|bin|bool|chr|int|node|null|xml|date|time|float)>
<!ELEMENT b64 EMPTY> <!ELEMENT bin EMPTY> <!ELEMENT bool EMPTY> <!ELEMENT chr EMPTY>
<!ELEMENT int EMPTY> <!ELEMENT node EMPTY> <!ELEMENT null EMPTY> <!ELEMENT xml EMPTY>
<!ELEMENT date EMPTY> <!ELEMENT time EMPTY> <!ELEMENT float EMPTY>
<!ELEMENT Occurrence (One|ZeroOrOne|ZeroOrMore|OneOrMore|ZeroOrN|OneOrN)>
<!ELEMENT One EMPTY> <!ELEMENT ZeroOrOne EMPTY> <!ELEMENT ZeroOrMore EMPTY>
<!ELEMENT OneOrMore EMPTY> <!ELEMENT ZeroOrN (#PCDATA)> <!ELEMENT OneOrN (#PCDATA)>
<!ELEMENT Scope (Permanent|Dynamic)> <!ELEMENT Permanent EMPTY> <!ELEMENT Dynamic EMPTY>
<!ELEMENT DFType (MIME|DDFName)> <!ELEMENT MIME (#PCDATA)> <!ELEMENT DDFName (#PCDATA)>
<!ELEMENT CaseSense (CS|CIS)> <!ELEMENT CS EMPTY> <!ELEMENT CIS EMPTY>
"""


def written(rules: Ddf, path: str = ".") -> str:
    return ddfwriter.document(rules, path, manufacturer="A & B", model="M<1>")


def parsed(text: str) -> etree._Element:
    return etree.fromstring(text.encode())


def rules_below(place: Place, path: str) -> Iterator[tuple[str, object]]:
    yield path, place.rule
    for name, child in place.children.items():
        yield from rules_below(child, f"{path}/{name or '<x>'}")


@pytest.mark.spec("omadm 7.8")
@pytest.mark.parametrize("scomo_root", ["./SCOMO", "./Vendor/Deep/SCM"])
def test_description_reads_back_as_the_same_rules(scomo_root: str) -> None:
    rules = load_ddf(scomo_root).mount("./Toy", ddf.parse(TOY))
    again = ddf.parse(written(rules).encode())
    assert list(rules_below(again, ".")) == list(rules.rules())


@pytest.mark.spec("omadm 7.8")
@pytest.mark.parametrize("path", [".", "./SCOMO", "./DMAcc/any", "./DevDetail/URI/MaxDepth"])
def test_elements_stand_in_the_order_of_the_dtd(path: str) -> None:
    text = written(load_ddf("./SCOMO"), path)
    dtd = etree.DTD(StringIO(DTD))
    plain = text.replace(' xmlns="syncml:dmddf1.2"', "").partition('.dtd">\n')[2]
    assert dtd.validate(etree.fromstring(plain)), dtd.error_log


def test_document_names_the_device_and_the_whole_tree() -> None:
    root = parsed(written(load_ddf("./SCOMO")))
    texts = [root.findtext(f"{SPACE}{name}") for name in ("VerDTD", "Man", "Mod")]
    assert texts == ["1.2", "A & B", "M<1>"]
    [node] = root.findall(f"{SPACE}Node")
    assert node.findtext(f"{SPACE}NodeName") == "."
    names = {child.findtext(f"{SPACE}NodeName") for child in node.findall(f"{SPACE}Node")}
    assert {"DevInfo", "DevDetail", "DMAcc", "SyncML", "SCOMO"} <= names


def test_part_says_where_it_stands() -> None:
    rules = load_ddf("./SCOMO")
    [node] = parsed(written(rules, "./SCOMO/Inventory")).findall(f"{SPACE}Node")
    assert node.findtext(f"{SPACE}NodeName") == "Inventory"
    assert node.findtext(f"{SPACE}Path") == "./SCOMO"
    [node] = parsed(written(rules, "./DMAcc/mine")).findall(f"{SPACE}Node")
    assert not node.findtext(f"{SPACE}NodeName")
    assert node.findtext(f"{SPACE}Path") == "./DMAcc"


def test_descriptions_and_counts_are_kept() -> None:
    rules = Ddf().mount(
        "./T", ddf.parse(definition(place("T", place("", occurrence="<ZeroOrN>7</ZeroOrN>"))))
    )
    assert "<Occurrence><ZeroOrN>7</ZeroOrN></Occurrence>" in written(rules)
    assert "<Description>All DM accounts</Description>" in written(load_ddf("./SCOMO"))


def test_place_where_no_node_can_be_is_refused() -> None:
    with pytest.raises(NodeNotFound, match="no node can be at"):
        written(load_ddf("./SCOMO"), "./Nowhere")


@pytest.mark.spec("omadm 7.8")
def test_every_node_of_a_device_is_described(tmp_path: Path) -> None:
    records = Records(Settings(), Paths(tmp_path))
    described = ddf.parse(written(load_ddf("./SCOMO")).encode())
    waiting: list[tuple[str, Place | None]] = [(".", described)]
    while waiting:
        path, found = waiting.pop()
        assert found is not None, path
        node = records.tree.node(path)
        assert node is not None
        assert node.format is found.rule.format, path
        waiting += [(f"{path}/{name}", found.below(name)) for name in records.tree.children(path)]
    records.db.close()
