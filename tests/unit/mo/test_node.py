# SPDX-License-Identifier: Apache-2.0
import pytest

from scomod.errors import BadFormat, NotSupported
from scomod.mo.node import Format, Node, Property, check_value, next_verno, property_value

GOOD = [
    (Format.CHR, b"\xc3\xa4 text\nof lines"),
    (Format.CHR, b""),
    (Format.XML, b"<a/>"),
    (Format.BIN, b"\x00\xff"),
    (Format.B64, b"AAH/ \r\nAA=="),
    (Format.B64, b""),
    (Format.BOOL, b"true"),
    (Format.BOOL, b"false"),
    (Format.INT, b"-2147483648"),
    (Format.INT, b"2147483647"),
    (Format.INT, b"+7"),
    (Format.NULL, b""),
    (Format.DATE, b"2024-02-29"),
    (Format.DATE, b"20240229"),
    (Format.TIME, b"23:59:59"),
    (Format.TIME, b"235959Z"),
    (Format.FLOAT, b"-1.5e10"),
    (Format.FLOAT, b"INF"),
]
BAD = [
    (Format.CHR, b"\xff"),
    (Format.CHR, b"a\x00"),
    (Format.XML, b"\xff"),
    (Format.B64, b"A"),
    (Format.B64, b"A?=="),
    (Format.BOOL, b"True"),
    (Format.BOOL, b"1"),
    (Format.INT, b"2147483648"),
    (Format.INT, b"-2147483649"),
    (Format.INT, b"1.0"),
    (Format.INT, b""),
    (Format.INT, b"1\n"),
    (Format.INT, "\u0663".encode()),
    (Format.NULL, b"x"),
    (Format.DATE, b"24-02-29"),
    (Format.DATE, b"2024-13-01"),
    (Format.TIME, b"24:00:00"),
    (Format.FLOAT, b"one"),
    (Format.NODE, b""),
]


@pytest.mark.parametrize(("format_", "value"), GOOD)
@pytest.mark.spec("DM-TND 8.3.7.2")
def test_value_of_its_format_is_taken(format_: Format, value: bytes) -> None:
    check_value(format_, value)


@pytest.mark.parametrize(("format_", "value"), BAD)
@pytest.mark.spec("DM-TND 8.3.7.2")
def test_value_of_another_format_is_refused(format_: Format, value: bytes) -> None:
    with pytest.raises(BadFormat):
        check_value(format_, value)


@pytest.mark.spec("DM-TND 8.3.7")
def test_properties_of_a_leaf() -> None:
    node = Node(
        path="./A/B",
        format=Format.BIN,
        type="image/png",
        acl="Get=*",
        title="Logo",
        value=b"\xff\x00\x01",
        tstamp_s=0,
        verno=7,
    )
    texts = {prop.value: property_value(node, prop) for prop in Property}
    assert texts == {
        "ACL": "Get=*",
        "Format": "bin",
        "Name": "B",
        "Size": "3",
        "Title": "Logo",
        "TStamp": "19700101T000000Z",
        "Type": "image/png",
        "VerNo": "7",
    }


def test_interior_node_has_no_size() -> None:
    with pytest.raises(NotSupported):
        property_value(Node(path="./A", format=Format.NODE), Property.SIZE)


def test_version_number_wraps() -> None:
    assert next_verno(6) == 7
    assert next_verno(0xFFFF) == 0


def test_printed_node_does_not_show_its_value() -> None:
    assert "hush" not in repr(Node(path="./A", format=Format.CHR, value=b"hush"))
