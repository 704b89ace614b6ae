# SPDX-License-Identifier: Apache-2.0
"""Client provisioning documents in XML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.fuzz.targets.cp_wbxml import DECLARED, attempt
from tests.support.fuzzing import damaged
from tests.support.syncml_samples import VECTORS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

__all__ = ["DECLARED", "WORDS", "attempt", "mutated", "seeds"]

WORDS = (
    "<characteristic type='APPLICATION'>", "</characteristic>", "<parm name='APPID' value='w7'/>",
    "<parm name='AAUTHLEVEL' value='", "<wap-provisioningdoc>", "<!ENTITY", "<!DOCTYPE",
    "&#x41;", "<![CDATA[", "encoding='UTF-16'", "<?xml version='1.0'?>",
)  # fmt: skip
PART = re.compile(rb"<[^<>]*>")


def seeds() -> Iterator[bytes]:
    for path in sorted((VECTORS / "provisioning").glob("*.xml")):
        yield path.read_bytes()


def mutated(data: bytes, source: random.Random) -> bytes:
    """Drop, double or damage one tag."""
    tags = list(PART.finditer(data))
    if not tags:
        return data
    tag = source.choice(tags)
    changed = source.choice([b"", tag[0] * 2, damaged(tag[0], source)])
    return data[: tag.start()] + changed + data[tag.end() :]
