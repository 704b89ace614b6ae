# SPDX-License-Identifier: Apache-2.0
"""scomod: OMA DM 1.2 client with SCOMO, for embedded Linux."""

__version__ = "0.1.0"
# 2025-01-01: this software is not older, a clock that says less is not set; releases raise it.
BUILT_S = 1735689600.0
