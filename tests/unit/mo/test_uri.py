# SPDX-License-Identifier: Apache-2.0
import pytest

from scomod.errors import BadRequest, UriTooLong
from scomod.mo import uri
from scomod.mo.uri import Uri, UriLimits

LIMITS = UriLimits(max_depth_count=3, max_total_chars=40, max_segment_chars=10)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (".", "."),
        ("./A/B", "./A/B"),
        ("A/B", "./A/B"),
        ("./a-_.!~/*'()/:@&=+$,", "./a-_.!~/*'()/:@&=+$,"),
        ("./A%42", "./AB"),
        ("./A%20B", "./A%20B"),
        ("./%c3%a4", "./%C3%A4"),
        ("./.hidden", "./.hidden"),
    ],
)
@pytest.mark.spec("DM-TND 8.1")
def test_spellings_of_a_node_have_one_canonical_path(text: str, path: str) -> None:
    assert uri.parse(text, LIMITS) == Uri(path=path)
    assert uri.parse(path, LIMITS) == Uri(path=path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "./",
        "/",
        "/A",
        "./A/",
        "./A//B",
        "../A",
        "./A/../B",
        "./A/./B",
        "././A",
        "./A/..",
        "./A/%2e%2e",
        "./A%2FB",
        "./A B",
        "./A%",
        "./A%zz",
        "./A%00",
        "./A%0a",
        "./%c3",
        "./ä",
        "./A#b",
        "./A?",
        "./A?prop=",
        "./A?what=ACL",
        "./A?prop=ACL?list=Struct",
    ],
)
@pytest.mark.spec("DM-TND 8.1")
def test_malformed_uri_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest):
        uri.parse(text, LIMITS)


def test_property_and_list_are_split_off() -> None:
    assert uri.parse(".?prop=ACL", LIMITS) == Uri(path=".", prop="ACL")
    assert uri.parse("./A?list=TNDS+ACL-X", LIMITS) == Uri(path="./A", list="TNDS+ACL-X")
    assert uri.parse("./A", LIMITS).is_plain
    assert not uri.parse("./A?prop=Name", LIMITS).is_plain
    assert not uri.parse("./A?list=Struct", LIMITS).is_plain


@pytest.mark.parametrize(
    "text",
    ["./A/B/C/D", "./" + "x" * 11, "./A/B?prop=" + "x" * 40, "./%20%20%20%20"],
)
@pytest.mark.spec("DM-STD 7.1.3.3")
def test_uri_beyond_a_limit_is_too_long(text: str) -> None:
    with pytest.raises(UriTooLong):
        uri.parse(text, LIMITS)


def test_total_limit_counts_the_property_part() -> None:
    limits = UriLimits(max_total_chars=12)
    assert uri.parse("./A?prop=ACL", limits).prop == "ACL"
    with pytest.raises(UriTooLong):
        uri.parse("./AB?prop=ACL", limits)
    with pytest.raises(UriTooLong):
        uri.parse("A/BCDEFGHIJ", UriLimits(max_total_chars=11))


def test_limit_zero_is_no_limit() -> None:
    limits = UriLimits(max_depth_count=0, max_total_chars=0, max_segment_chars=0)
    path = "./" + "/".join(["x" * 300] * 50)
    assert uri.parse(path, limits).path == path


def test_path_arithmetic() -> None:
    assert uri.parent("./A/B") == "./A"
    assert uri.parent("./A") == "."
    assert uri.parent(".") == ""
    assert uri.name("./A/B") == "B"
    assert uri.join("./A", "B", "C") == "./A/B/C"
    assert uri.segments("./A/B") == ["A", "B"]
    assert uri.segments(".") == []


def test_is_below_means_segments_not_characters() -> None:
    assert uri.is_below("./A/B", "./A")
    assert uri.is_below("./A", "./A")
    assert uri.is_below("./A", ".")
    assert not uri.is_below("./AB", "./A")


def test_safe_name_keeps_a_good_name() -> None:
    assert uri.safe_name("libstdc++6") == "libstdc++6"
    assert uri.safe_name("x" * 64) == "x" * 64


@pytest.mark.parametrize("text", ["", ".", "..", "app/org.x/stable", "a b", "ä", "x" * 65, "a%20"])
def test_safe_name_of_anything_is_a_legal_segment(text: str) -> None:
    name = uri.safe_name(text)
    assert uri.segment(name) == name
    assert len(name) <= 64
    assert name == uri.safe_name(text)


def test_safe_name_keeps_different_identifiers_apart() -> None:
    assert uri.safe_name("a/b") != uri.safe_name("a b")
    assert uri.safe_name("x" * 65) != uri.safe_name("x" * 66)
