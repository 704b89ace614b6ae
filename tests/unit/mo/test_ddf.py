# SPDX-License-Identifier: Apache-2.0
import pytest

from scomod.errors import LocalProtocolError
from scomod.mo import ddf
from scomod.mo.ddf import AccessType, Ddf, Occurrence
from scomod.mo.node import Format
from scomod.mo.registry import DEFINITIONS, SCOMO_DEFINITION, definition, load_ddf
from tests.support.trees import document, place

RULES = load_ddf("./SCOMO")
ITEM = "./SCOMO/Download/x"
KEPT = "./SCOMO/Inventory/Delivered/x"
PART = "./SCOMO/Inventory/Deployed/x"


def access(path: str) -> set[str]:
    rule = RULES.rule_for(path)
    assert rule is not None, path
    return {kind.value for kind in rule.access}


def test_named_place_wins_over_unnamed_place() -> None:
    rules = Ddf().mount("./T", ddf.parse(document(place("T", place("", form="int"), place("N")))))
    named, unnamed = rules.rule_for("./T/N"), rules.rule_for("./T/other")
    assert named is not None
    assert unnamed is not None
    assert (named.format, unnamed.format) == (Format.CHR, Format.INT)


def test_no_rule_where_no_node_can_be() -> None:
    assert RULES.rule_for("./Foo") is None
    assert RULES.rule_for("./DevInfo/Foo") is None
    assert RULES.rule_for("./DevInfo/Man/Foo") is None


def test_root_and_way_to_an_object_are_permanent_containers() -> None:
    rules = Ddf().mount("./Vendor/Deep/T", ddf.parse(document(place("T", place("N")))))
    for path in (".", "./Vendor", "./Vendor/Deep"):
        rule = rules.rule_for(path)
        assert rule is not None
        assert rule.is_permanent
        assert rule.access == {AccessType.GET}
    assert rules.rule_for("./Vendor/Deep/T/N") is not None


def test_two_objects_at_one_place_are_refused() -> None:
    definition_of_t = ddf.parse(document(place("T", place("N"))))
    with pytest.raises(LocalProtocolError):
        Ddf().mount("./T", definition_of_t).mount("./T", definition_of_t)


def test_count_of_unnamed_nodes_is_read() -> None:
    rules = Ddf().mount(
        "./T",
        ddf.parse(document(place("T", place("", occurrence="<ZeroOrN>7</ZeroOrN>")))),
    )
    rule = rules.rule_for("./T/any")
    assert rule is not None
    assert (rule.occurrence, rule.max_count) == (Occurrence.ZERO_OR_N, 7)


def test_definitions_say_where_the_objects_are() -> None:
    for path, name in {**DEFINITIONS, "./SCOMO": SCOMO_DEFINITION}.items():
        text = definition(name).decode()
        above, _, last = path.rpartition("/")
        assert f"<NodeName>{last}</NodeName>\n    <Path>{above}</Path>" in text


def test_scomo_can_be_mounted_elsewhere() -> None:
    rules = load_ddf("./Vendor/SCM")
    assert rules.rule_for("./Vendor/SCM/Download/x/PkgURL") is not None
    assert rules.rule_for("./SCOMO") is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("./SCOMO/Download", {"Get", "Add"}),
        (ITEM, {"Get", "Add", "Replace", "Delete"}),
        (f"{ITEM}/PkgURL", {"Get", "Add", "Replace", "Copy"}),
        (f"{ITEM}/Status", {"Get"}),
        (f"{ITEM}/Operations/DownloadInstall", {"Get", "Add", "Replace", "Exec"}),
        ("./SCOMO/Inventory", {"Get"}),
        (f"{KEPT}/Data", {"Add", "Replace"}),
        (f"{KEPT}/State", {"Get"}),
        (f"{KEPT}/Operations/Install", {"Get", "Add", "Replace", "Exec"}),
        (PART, {"Get"}),
        (f"{PART}/ID", {"Get"}),
        (f"{PART}/Operations/Activate", {"Get", "Exec"}),
        ("./DMAcc/x", {"Add", "Delete", "Get", "Replace"}),
        ("./DMAcc/x/ServerID", {"Add", "Get"}),
        ("./DMAcc/x/PrefConRef", {"Add", "Delete", "Get", "Replace"}),
        ("./DMAcc/x/ToConRef/1/ConRef", {"Add", "Get", "Replace"}),
        ("./DMAcc/x/AppAddr/1/Port/1/PortNbr", {"Add", "Get", "Replace"}),
        ("./DMAcc/x/AppAuth/1/AAuthSecret", {"Add", "Delete", "Replace"}),
        ("./DMAcc/x/AppAuth/1/AAuthData", {"Add", "Delete", "Replace"}),
        ("./DMAcc/x/Ext/y", {"Add", "Delete", "Get", "Replace"}),
        ("./SyncML/DMAcc/x/ServerId", {"Add", "Get"}),
        ("./SyncML/DMAcc/x/ServerPW", {"Add", "Delete", "Replace"}),
        ("./SyncML/DMAcc/x/ClientNonce", {"Add", "Delete", "Replace"}),
        ("./DevInfo/DevId", {"Get"}),
        ("./DevDetail/URI/MaxDepth", {"Get"}),
    ],
)
def test_access_types_of_our_objects(path: str, expected: set[str]) -> None:
    assert access(path) == expected


@pytest.mark.parametrize("leaf", ["Status", "State"])
def test_status_and_state_are_int(leaf: str) -> None:
    for item in (KEPT, PART):
        rule = RULES.rule_for(f"{item}/{leaf}")
        assert rule is not None
        assert (rule.format, rule.type) == (Format.INT, "text/plain")


def test_standard_objects_are_permanent_and_packages_are_not() -> None:
    permanent = {pattern for pattern, rule in RULES.rules() if rule.is_permanent}
    assert {".", "./DevInfo", "./DMAcc", "./SCOMO", "./SCOMO/Inventory/Deployed"} <= permanent
    assert not any("<x>" in pattern for pattern in permanent)


def test_every_interior_rule_has_format_node_and_every_leaf_has_not() -> None:
    patterns = [pattern for pattern, _rule in RULES.rules()]
    for pattern, rule in RULES.rules():
        has_children = any(other.startswith(f"{pattern}/") for other in patterns)
        is_interior = has_children or pattern == "./Inbox"
        assert (rule.format is Format.NODE) == is_interior, pattern
