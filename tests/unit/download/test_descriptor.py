# SPDX-License-Identifier: Apache-2.0
"""Download descriptors: what is read, what is forgiven, what is refused (omadm §11.1)."""

from __future__ import annotations

import pytest

from scomod.download import descriptor
from scomod.download.descriptor import BadDescriptor, Descriptor
from scomod.errors import Reason

BASE = "https://packages.example/dd/app.dd"
SPACE = "http://www.openmobilealliance.org/xmlns/dd"
NEEDED = {
    "type": "application/vnd.debian.binary-package",
    "size": "1234",
    "objectURI": "https://packages.example/app.deb",
}


def document(head: str = "", tail: str = "", **elements: str) -> bytes:
    """Write a descriptor with what it must have, and more; an empty value leaves one out."""
    values = {**NEEDED, **elements}
    inner = "".join(f"<{name}>{text}</{name}>\n" for name, text in values.items() if text)
    return f'{head}<media xmlns="{SPACE}">\n{inner}</media>{tail}'.encode()


def parse(octets: bytes) -> Descriptor:
    return descriptor.parse(octets, base_url=BASE, max_params_bytes=100)


def refusal(octets: bytes) -> BadDescriptor:
    with pytest.raises(BadDescriptor) as caught:
        parse(octets)
    return caught.value


@pytest.mark.spec("omadm §11.1")
def test_all_elements_are_read() -> None:
    read = parse(
        document(
            DDVersion="1.0",
            name="  An\n app ",
            description="It does things",
            vendor="Somebody",
            installNotifyURI="https://packages.example/notify?id=7",
            nextURL="https://packages.example/thanks",
            infoURL="https://packages.example/info",
            iconURI="https://packages.example/icon.png",
            installParam="sha256=00;signature=ab==",
        )
    )
    assert read == Descriptor(
        object_uris=("https://packages.example/app.deb",),
        size_bytes=1234,
        types=("application/vnd.debian.binary-package",),
        notify_uri="https://packages.example/notify?id=7",
        next_url="https://packages.example/thanks",
        name="An app",
        description="It does things",
        vendor="Somebody",
        info_url="https://packages.example/info",
        icon_uri="https://packages.example/icon.png",
        install_param="sha256=00;signature=ab==",
    )


@pytest.mark.parametrize(
    ("octets", "field", "value"),
    [
        (document(size="1,234,567"), "size_bytes", 1234567),
        (document(unknown="whatever"), "size_bytes", 1234),
        (document(head="\n"), "size_bytes", 1234),
        (document(head="<?xml version='1.0' encoding='ISO-8859-1'?>"), "size_bytes", 1234),
        (document(objectURI="app.deb"), "object_uris", ("https://packages.example/dd/app.deb",)),
        (document(objectURI="/x?a=1&b=2"), "object_uris", ("https://packages.example/x?a=1&b=2",)),
        (
            document(objectURI="/x?a=1&amp;b=2"),
            "object_uris",
            ("https://packages.example/x?a=1&b=2",),
        ),
        (
            document(objectURI="a</objectURI><objectURI>ftp://h/b</objectURI><objectURI>/c"),
            "object_uris",
            ("https://packages.example/dd/a", "https://packages.example/c"),
        ),
        (document(name="Salt & Pepper"), "name", "Salt & Pepper"),
        (document(type="A/B; charset=x"), "types", ("a/b",)),
        (document(type="a/b</type><type>c/d"), "types", ("a/b", "c/d")),
        (document(DDVersion="1.9"), "size_bytes", 1234),
        (document(nextURL="ftp://packages.example/x"), "next_url", ""),
        (document(infoURL="javascript:alert(1)"), "info_url", ""),
        (document(name="x" * 5000), "name", "x" * 1024),
        (document(installParam="<![CDATA[<a>1</a>]]>"), "install_param", "<a>1</a>"),
        (document(head="<!-- hello -->"), "size_bytes", 1234),
    ],
)
def test_it_is_read_as_generators_write_it(octets: bytes, field: str, value: object) -> None:
    assert getattr(parse(octets), field) == value


def test_a_descriptor_without_name_space_is_read() -> None:
    assert parse(document().replace(b' xmlns="' + SPACE.encode() + b'"', b"")).size_bytes == 1234


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<media/>",
        b"\xff\xfe\x00",
        b"not xml at all",
        document(head="garbage"),
        document(tail="garbage"),
        document(size=""),
        document(size="0"),
        document(size="-1"),
        document(size="1,2"),
        document(size="1" * 16),
        document(size="12 kB"),
        document(type=""),
        document(type="no-type"),
        document(type="a/b</type><type>" * 20 + "c/d"),
        document(objectURI=""),
        document(objectURI="file:///etc/passwd"),
        document(objectURI="http://"),
        document(objectURI="http://[half"),
        document(objectURI="https://h/with space"),
        document(name="<size>1</size>"),
        document(installParam="x" * 101),
        document().replace(b"media", b"medium"),
        document(head='<!DOCTYPE media [<!ENTITY a "b">]>'),
        document(head="<!DOCTYPE media [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>", name="&a;"),
        document(head="<?xml version='1.0' encoding='no-such'?>"),
    ],
)
def test_what_would_be_guessing_is_refused(octets: bytes) -> None:
    assert refusal(octets).reason is Reason.DESCRIPTOR


@pytest.mark.parametrize("version", ["2.0", "0.9", "one", "1.0.0"])
def test_another_major_version_is_refused(version: str) -> None:
    assert refusal(document(DDVersion=version)).reason is Reason.DESCRIPTOR_VERSION


def test_a_refusal_says_where_to_report_it() -> None:
    error = refusal(document(size="", installNotifyURI="/notify"))
    assert error.notify_uri == "https://packages.example/notify"


@pytest.mark.parametrize(
    ("content_type", "is_one"),
    [
        ("application/vnd.oma.dd+xml", True),
        ("Application/VND.OMA.DD+XML; charset=utf-8", True),
        ("application/vnd.oma.dd2+xml", False),
        ("application/octet-stream", False),
        ("", False),
    ],
)
def test_the_media_type_tells_a_descriptor(content_type: str, *, is_one: bool) -> None:
    assert descriptor.is_descriptor(content_type) is is_one
