# SPDX-License-Identifier: Apache-2.0
"""The OMA DM protocol: messages, codecs, session, transport."""
