# SPDX-License-Identifier: Apache-2.0
import pytest

from scomod.errors import BadRequest
from scomod.mo import acl
from scomod.mo.acl import Acl, Right


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        ("Get=*", "Get=*"),
        ("Add=*&Get=*", "Add=*&Get=*"),
        ("Replace=com.x+org.y&Get=*", "Replace=com.x+org.y&Get=*"),
        ("Get=A+*+B", "Get=*"),
        ("Get=A+A", "Get=A"),
        ("Get=A&Replace=A&Get=B", "Get=A+B&Replace=A"),
        ("Get=A&Get=*", "Get=*"),
        ("Get=&Add=A", "Add=A"),
        ("Exec=&Get=", ""),
        ("Delete=http://x.y:80/z?q", "Delete=http://x.y:80/z?q"),
    ],
)
@pytest.mark.spec("DM-TND 8.3.7.1.5")
def test_acl_text_is_normalised(text: str, canonical: str) -> None:
    assert str(Acl.parse(text)) == canonical
    assert str(Acl.parse(canonical)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "Get",
        "Get=A&",
        "&Get=A",
        "Copy=*",
        "get=*",
        " Get=*",
        "Get=A+",
        "Get=+A",
        "Get=A=B",
        "Get=A B",
        "Get=A*",
        "Get=A\t",
        "Get=A\u0007",
        "=A",
    ],
)
@pytest.mark.spec("DM-TND 8.3.7.1.5")
def test_acl_with_a_syntax_error_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        Acl.parse(text)


def test_right_belongs_to_those_listed() -> None:
    known = Acl.parse("Get=*&Replace=A+B")
    assert known.allows(Right.GET, "anyone")
    assert known.allows(Right.REPLACE, "B")
    assert not known.allows(Right.REPLACE, "b")
    assert not known.allows(Right.EXEC, "A")


@pytest.mark.spec("DM-TND 8.3.7.1.1")
def test_first_own_acl_on_the_way_up_counts_whole() -> None:
    found = acl.effective(["", "Get=A", "Replace=B", "Add=*&Get=*"])
    assert found.allows(Right.GET, "A")
    assert not found.allows(Right.GET, "B")
    assert not found.allows(Right.REPLACE, "B")


def test_without_any_acl_the_default_of_the_root_counts() -> None:
    assert str(acl.effective(["", ""])) == "Add=*&Get=*"


@pytest.mark.spec("DM-TND 8.3.7.1.4")
def test_removed_server_leaves_no_empty_entry() -> None:
    assert str(Acl.parse("Get=A+B&Replace=A").without("A")) == "Get=B"
    assert str(Acl.parse("Replace=A").without("A")) == ""
    assert str(Acl.parse("Get=*").without("A")) == "Get=*"


@pytest.mark.spec("DM-TND 8.3.7.1.4")
def test_right_of_the_root_that_ends_falls_back_to_the_default() -> None:
    gone = acl.root_without(Acl.parse("Add=*&Get=A&Replace=A+B&Exec=A"), "A")
    assert Acl.parse(str(gone)).entries == {
        Right.ADD: ("*",),
        Right.GET: ("*",),
        Right.REPLACE: ("B",),
    }


@pytest.mark.spec("DM-TND 8.3.7.1.3")
def test_creator_receives_add_delete_replace() -> None:
    assert str(acl.for_creator("S")) == "Add=S&Delete=S&Replace=S"


def test_server_ids_are_those_mentioned_by_name() -> None:
    assert Acl.parse("Get=*&Replace=A+B&Exec=B").server_ids() == {"A", "B"}
