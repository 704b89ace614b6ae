"""A short, repeatable slice of fuzzing: damaged samples end in a message or a refusal.

Each case is told by its number: the generator is seeded with it.
"""

import random
from pathlib import Path

import pytest

from scomod.dmclient import codec
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Message
from scomod.errors import DecodeError, LimitExceeded
from tests.support.syncml_samples import LIMITS, WBXML, XML

CASES_PER_SAMPLE = 150
INTERESTING = b"\x00\x01\x02\x03\x04\x43\x44\x7f\x80\x83\x84\xc0\xc3\xc4\xff<>&;![]'\""


def damaged(body: bytes, seed: int) -> bytes:
    """Return the sample with one to four pieces changed, doubled, cut out or swapped."""
    source = random.Random(seed)  # noqa: S311 - repeatable on purpose
    octets = bytearray(body)
    for _ in range(source.randint(1, 4)):
        start = source.randrange(len(octets) or 1)
        end = min(len(octets), start + source.randint(1, 16))
        match source.randrange(5):
            case 0:
                octets[start:end] = bytes([source.choice(INTERESTING)])
            case 1:
                octets[start : start + 1] = bytes([source.randrange(256)])
            case 2:
                octets[start:end] *= source.randint(0, 8)
            case 3:
                octets[start:start] = source.randbytes(source.randint(1, 6))
            case _:
                other = source.randrange(len(octets) or 1)
                octets[other:other] = octets[start:end]
    return bytes(octets)


@pytest.mark.parametrize(
    ("path", "encoding"),
    [(path, Encoding.WBXML) for path in WBXML] + [(path, Encoding.XML) for path in XML],
    ids=lambda value: value.name,
)
def test_damaged_sample_ends_in_a_message_or_a_refusal(path: Path, encoding: Encoding) -> None:
    body = path.read_bytes()
    for seed in range(CASES_PER_SAMPLE):
        try:
            message = codec.decode(damaged(body, seed), encoding, LIMITS)
        except (DecodeError, LimitExceeded):
            continue
        assert _can_be_written(message), f"case {seed}"


def _can_be_written(message: Message) -> bool:
    """Tell whether both syntaxes take what was read: whatever it is, nothing may raise."""
    return all(codec.encoded_size(message, encoding) > 0 for encoding in Encoding)
