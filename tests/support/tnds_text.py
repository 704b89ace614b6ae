# SPDX-License-Identifier: Apache-2.0
"""TNDS documents as a server writes them in XML (omadm §7.8)."""

from __future__ import annotations


def node(name: str, *inner: str, value: str | None = None, acl: str = "", kind: str = "") -> str:
    """Write one Node; without a value it is an interior one of that type."""
    if value is None:
        facts = f"<Format><node/></Format><Type><DDFName>{kind}</DDFName></Type>"
    else:
        facts = "<Format><chr/></Format><Type><MIME>text/plain</MIME></Type>"
    rights = f"<ACL>{acl}</ACL>" if acl else ""
    content = "".join(inner) if value is None else f"<Value>{value}</Value>"
    return (
        f"<Node><NodeName>{name}</NodeName><RTProperties>{rights}{facts}</RTProperties>"
        f"{content}</Node>"
    )


def document(*nodes: str) -> str:
    inner = "".join(nodes)
    return f'<MgmtTree xmlns="syncml:dmddf1.2"><VerDTD>1.2</VerDTD>{inner}</MgmtTree>'
