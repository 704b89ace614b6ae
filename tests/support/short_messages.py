# SPDX-License-Identifier: Apache-2.0
"""Short messages as a network delivers them: SMS-DELIVER of 3GPP TS 23.040, 9.2.2.1."""

from __future__ import annotations

PUSH_PORTS = bytes.fromhex("05 04 0b84 23f0")  # to 2948, from 9200
CENTRE = "358405202000"
PART_BYTES = 120


def in_parts(push: bytes, reference: int = 0, size: int = PART_BYTES) -> list[bytes]:
    """Return the user data of the messages that carry a push: headers, then octets."""
    pieces = [push[at : at + size] for at in range(0, len(push), size)]
    if len(pieces) == 1:
        return [_user_data(PUSH_PORTS, push)]
    numbered = enumerate(pieces, 1)
    return [
        _user_data(PUSH_PORTS + bytes((0, 3, reference, len(pieces), number)), piece)
        for number, piece in numbered
    ]


def _user_data(headers: bytes, octets: bytes) -> bytes:
    return bytes((len(headers),)) + headers + octets


def deliver_pdu(user_data: bytes, sender: str = "12345") -> str:
    """Return a message with a user data header and 8-bit data, in hexadecimal digits."""
    assert len(user_data) <= 140, "one message has room for 140 octets"
    centre = bytes((len(_semi_octets(CENTRE)) + 1, 0x91)) + _semi_octets(CENTRE)
    address = bytes((len(sender), 0x81)) + _semi_octets(sender)
    rest = bytes.fromhex("00 04 62111221500100") + bytes((len(user_data),)) + user_data
    return (centre + b"\x44" + address + rest).hex().upper()


def text_pdu(text: str, sender: str = "12345") -> str:
    """Return a message of a person, in UCS-2."""
    octets = text.encode("utf-16-be")
    centre = bytes((len(_semi_octets(CENTRE)) + 1, 0x91)) + _semi_octets(CENTRE)
    address = bytes((len(sender), 0x81)) + _semi_octets(sender)
    rest = bytes.fromhex("00 08 62111221500100") + bytes((len(octets),)) + octets
    return (centre + b"\x04" + address + rest).hex().upper()


def _semi_octets(digits: str) -> bytes:
    padded = digits + "F" * (len(digits) % 2)
    swapped = (padded[at + 1] + padded[at] for at in range(0, len(padded), 2))
    return bytes.fromhex("".join(swapped))
