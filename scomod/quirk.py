# SPDX-License-Identifier: Apache-2.0
"""Words for what some servers do or expect unlike the standard (scomo §9); data only.

They stand in `[server."ID"] quirks`; docs/scomo.md says what each is good for.  What they
do is done where the thing is: in the object (`mo.quirks`), in its reports (`report`).
"""

from enum import StrEnum


class Quirk(StrEnum):
    """One habit of a server."""

    # what it writes
    MISSPELT_PRIMITIVES = "misspelt-primitives"
    ANY_CASE = "any-case"
    # how it takes answers
    NO_202 = "no-202"
    BUSY_403 = "busy-403"
    # what it reads
    DELIVERED_70 = "delivered-70"
    STATE_CHR = "state-chr"
    PKGIDREF_MINUS_ONE = "pkgidref-minus-one"
    KEEP_DOWNLOAD = "keep-download"
    # what it is told at the end
    REPORT_TYPE_2008 = "report-type-2008"
    REPORT_MARK_WARNING = "report-mark-warning"
    REPORT_IDENTIFIER_NODE = "report-identifier-node"
    REPORT_NO_COMPONENT_TARGET = "report-no-component-target"
    REPORT_ITEM_ALONE = "report-item-alone"
