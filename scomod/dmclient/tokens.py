# SPDX-License-Identifier: Apache-2.0
"""Tables of SyncML in both syntaxes: WBXML code pages, document types, name spaces.

Data only: `wbxml` and `xmltext` walk these tables.  Source: omadm §2.2, §6.2-6.5.
"""

from __future__ import annotations

from typing import Final

from scomod.dmclient.element import Space

# Global tokens of WBXML (omadm §6.2).
SWITCH_PAGE: Final = 0x00
END: Final = 0x01
ENTITY: Final = 0x02
STR_I: Final = 0x03
LITERAL: Final = 0x04
PI: Final = 0x43
STR_T: Final = 0x83
OPAQUE: Final = 0xC3
EXTENSIONS: Final = frozenset({0x40, 0x41, 0x42, 0x80, 0x81, 0x82, 0xC0, 0xC1, 0xC2})
HAS_CONTENT: Final = 0x40
HAS_ATTRIBUTES: Final = 0x80
TAG_BITS: Final = 0x3F

# Header of a WBXML document (omadm §6.2).
VERSIONS: Final = frozenset({0x01, 0x02, 0x03})
VERSION_1_2: Final = 0x02
PUBLIC_ID_IN_TABLE: Final = 0x00
UTF_8: Final = 0x6A
CHARSETS: Final = frozenset({0x00, 0x03, UTF_8})  # not told, US-ASCII, UTF-8

PUBLIC_ID_1_1: Final = 0x0FD3
PUBLIC_ID_1_2: Final = 0x1201

# Documents whose code pages mean something else: reading them would invent names.
# All other document types are read, as peers number theirs carelessly (interop 8).
FOREIGN_PUBLIC_IDS: Final = {
    0x0B: "-//WAPFORUM//DTD PROV 1.0//EN",
    0x0FD2: "-//SYNCML//DTD DevInf 1.0//EN",
    0x0FD4: "-//SYNCML//DTD DevInf 1.1//EN",
    0x1203: "-//SYNCML//DTD DevInf 1.2//EN",
}

# What depends on VerDTD, switched together (omadm §2.2): WBXML public id, XML name space.
PUBLIC_IDS: Final = {"1.1": PUBLIC_ID_1_1, "1.2": PUBLIC_ID_1_2}
ROOT_NAMESPACES: Final = {"1.1": "SYNCML:SYNCML1.1", "1.2": "SYNCML:SYNCML1.2"}

NAMESPACES: Final = {
    Space.SYNCML: ROOT_NAMESPACES["1.2"],
    Space.METINF: "syncml:metinf",
    Space.DMDDF: "syncml:dmddf1.2",
}

# Name spaces that tell the space alone; all others, and none, are told by the place.
SPACES: Final = {
    "syncml:metinf": Space.METINF,
    "syncml:dmddf1.2": Space.DMDDF,
    "syncml:dmddf": Space.DMDDF,
}

_FIRST_TAG: Final = 0x05
_GAP: Final = "-"

_PAGES: Final = {
    # omadm §6.3
    Space.SYNCML: """
        Add Alert Archive Atomic Chal Cmd CmdID CmdRef Copy Cred Data
        Delete Exec Final Get Item Lang LocName LocURI Map
        MapItem Meta MsgID MsgRef NoResp NoResults Put Replace RespURI Results
        Search Sequence SessionID SftDel Source SourceRef Status Sync SyncBody SyncHdr
        SyncML Target TargetRef - VerDTD VerProto NumberOfChanges MoreData Field Filter Record
        FilterType SourceParent TargetParent Move Correlator
    """,
    # omadm §6.4
    Space.METINF: """
        Anchor EMI Format FreeID FreeMem Last Mark MaxMsgSize Mem MetInf Next NextNonce
        SharedMem Size Type Version MaxObjSize FieldLevel FP ID IDContainer IDPair
    """,
    # omadm §6.5
    Space.DMDDF: """
        AccessType ACL Add b64 bin bool chr CaseSense CIS Copy
        CS date DDFName DefaultValue Delete Description DFFormat DFProperties DFTitle DFType
        Dynamic Exec float Format Get int Man MgmtTree MIME Mod
        Name Node node NodeName null Occurrence One OneOrMore OneOrN Path
        Permanent Replace RTProperties Scope Size time Title TStamp Type Value
        VerDTD VerNo xml ZeroOrMore ZeroOrN ZeroOrOne
    """,
}


def _numbered(names: str) -> dict[int, str]:
    """Give the names of a page their tokens, from the first on; a gap takes one and is left out."""
    return {token: name for token, name in enumerate(names.split(), _FIRST_TAG) if name != _GAP}


NAMES: Final = {space: _numbered(names) for space, names in _PAGES.items()}
TOKENS: Final = {
    space: {name: token for token, name in names.items()} for space, names in NAMES.items()
}
